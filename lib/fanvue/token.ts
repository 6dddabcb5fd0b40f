/**
 * The stored authorization: one file, shared by all scripts. Refresh tokens are good for one use, and using one twice
 * ends the authorization for good, so refreshing happens under a lock and the new token is on the disk before its use.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { makeDataFolder, replaceFile } from "../db/disk.ts";
import { AccessError, BadInputError, BusyError, SourceError } from "../errors.ts";
import { type Http, HttpFault } from "../http.ts";
import { lockPath, withLock } from "../lock.ts";
import type { Log } from "../log.ts";
import { authorizeRemedy, type GrantedToken, type OAuthConfig, refreshGrant } from "./oauth.ts";

export interface StoredToken {
  readonly accessToken: string;
  /** undefined: Fanvue gave none, so this authorization ends with its access token. */
  readonly refreshToken: string | undefined;
  readonly expiresAtMs: number;
  /** undefined: not known. */
  readonly scopes: readonly string[] | undefined;
  /** Whose account it is, once that was asked. */
  readonly creatorUuid: string | undefined;
}

/** Where the client takes its access tokens from. */
export interface TokenSource {
  /** A token that is good for a while. Throws SourceError when there is none and none can be had. */
  access(): Promise<string>;
  /** A newer token than the one that Fanvue has just refused. Throws SourceError when none can be had. */
  renew(rejected: string): Promise<string>;
  /** Whose account the token is for, if that is on record. */
  creatorUuid(): Promise<string | undefined>;
  /** Kept by this process, and stored with the next renewal: a run that only looks writes no file for it. */
  rememberCreator(uuid: string): void;
}

const tokenFile = (dataDir: string) => join(dataDir, "fanvue-token.json");
const othersMode = 0o077;
/** So long before its end a token is renewed. */
const aheadMs = 60_000;
const lockWaitMs = 60_000;

const storedShape = z.object({
  accessToken: z.string().min(1),
  refreshToken: z.string().min(1).optional(),
  expiresAtMs: z.number(),
  scopes: z.array(z.string()).optional(),
  creatorUuid: z.string().optional(),
});

/** What the Python tool kept in fanvue_tokens.json. `expires_at` is in seconds since the epoch. */
const oldShape = z.object({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1).nullish(),
  expires_at: z.number().nullish(),
  scope: z.string().nullish(),
});

/** Reads the stored authorization; undefined where there is none. Throws BadInputError when the file is damaged. */
export function loadToken(dataDir: string): StoredToken | undefined {
  const path = tokenFile(dataDir);
  const parsed = readJson(path, storedShape);
  if (parsed === undefined) return undefined;
  const { accessToken, expiresAtMs, refreshToken, scopes, creatorUuid } = parsed;
  return { accessToken, expiresAtMs, refreshToken, scopes, creatorUuid };
}

/** The authorization that the Python tool left beside the config; undefined where there is none. */
export function loadOldToken(path: string): StoredToken | undefined {
  const old = readJson(path, oldShape);
  if (old === undefined) return undefined;
  return {
    accessToken: old.access_token,
    refreshToken: old.refresh_token ?? undefined,
    // Without a time nobody knows how old it is: it is renewed before use.
    expiresAtMs: (old.expires_at ?? 0) * 1000,
    scopes: old.scope?.split(" ").filter((scope) => scope !== ""),
    creatorUuid: undefined,
  };
}

function readJson<T>(path: string, shape: z.ZodType<T>): T | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new BadInputError(`${path} cannot be read.`, "Give it to the user who runs this.", error);
  }
  try {
    return shape.parse(JSON.parse(text));
  } catch {
    // The cause is left out: it would quote the file.
    throw new BadInputError(`${path} is damaged or of another kind.`, `Delete it. ${authorizeRemedy}`);
  }
}

const isMissing = (error: unknown) => error instanceof Error && "code" in error && error.code === "ENOENT";

/** Writes the authorization durably: once this returns, it survives a power cut. The caller holds the lock. */
function saveToken(dataDir: string, token: StoredToken): void {
  makeDataFolder(dataDir);
  replaceFile(tokenFile(dataDir), Buffer.from(`${JSON.stringify(token, undefined, 2)}\n`));
}

/** Stores the authorization in the place of any other. Throws BusyError when another script holds the lock for long. */
export function storeToken(dataDir: string, token: StoredToken, signal: AbortSignal): Promise<void> {
  return underLock(dataDir, signal, () => {
    saveToken(dataDir, token);
  });
}

function underLock<T>(dataDir: string, signal: AbortSignal, fn: () => T | Promise<T>): Promise<T> {
  const busy = () =>
    new BusyError("Another script has been renewing the Fanvue token for a minute.", "Run this again later.");
  return withLock(lockPath(dataDir, "fanvue-token"), { waitMs: lockWaitMs, busy, signal }, fn);
}

/** Turns a token answer into what is stored. What the answer leaves out stays as it was. */
export function tokenFrom(granted: GrantedToken, before?: StoredToken): StoredToken {
  return {
    accessToken: granted.accessToken,
    refreshToken: granted.refreshToken ?? before?.refreshToken,
    expiresAtMs: granted.expiresAtMs,
    scopes: granted.scopes ?? before?.scopes,
    creatorUuid: before?.creatorUuid,
  };
}

// ---- Token source -----------------------------------------------------------------------------------------------

export interface TokenDeps {
  readonly dataDir: string;
  /** The Python tool's fanvue_tokens.json; used while there is no file of our own. */
  readonly oldTokenPath: string | undefined;
  readonly http: Http;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly retryBaseMs: number;
}

/** The tokens of the stored authorization. Reads the file at first use. */
export function openTokens(config: OAuthConfig, deps: TokenDeps): TokenSource {
  const { dataDir, signal } = deps;
  let known: StoredToken | undefined;
  let renewal: Promise<StoredToken> | undefined;

  const current = () => (known ??= loadOwn(deps) ?? takeOver(deps));

  /** Callers of this process share one renewal; those of other processes meet at the lock. */
  function renewed(isUsable: (token: StoredToken) => boolean): Promise<StoredToken> {
    renewal ??= underLock(dataDir, signal, async () => {
      const stored = withCreator(loadToken(dataDir) ?? current(), known);
      return isUsable(stored) ? stored : await refresh(config, stored, deps);
    })
      .then((token) => (known = token))
      .finally(() => (renewal = undefined));
    return renewal;
  }
  const isFresh = (token: StoredToken) => token.expiresAtMs - Date.now() > aheadMs;

  return {
    async access() {
      const token = current();
      return (isFresh(token) ? token : await renewed(isFresh)).accessToken;
    },
    async renew(rejected) {
      const isOther = (token: StoredToken) => token.accessToken !== rejected && isFresh(token);
      const token = current();
      return (isOther(token) ? token : await renewed(isOther)).accessToken;
    },
    creatorUuid: () => Promise.resolve(current().creatorUuid),
    rememberCreator(creatorUuid) {
      known = { ...current(), creatorUuid };
    },
  };
}

function loadOwn({ dataDir, log }: TokenDeps): StoredToken | undefined {
  const token = loadToken(dataDir);
  const path = tokenFile(dataDir);
  if (token !== undefined && (statSync(path).mode & othersMode) !== 0) {
    log.warn(`${path} can be read by others on this machine. Run: chmod 600 ${path}`);
  }
  return token;
}

/** Whose account it is, where this process has asked for the same authorization. */
const withCreator = (stored: StoredToken, known: StoredToken | undefined): StoredToken =>
  stored.creatorUuid === undefined && known?.refreshToken === stored.refreshToken
    ? { ...stored, creatorUuid: known?.creatorUuid }
    : stored;

function takeOver({ oldTokenPath, log }: TokenDeps): StoredToken {
  const old = oldTokenPath === undefined ? undefined : loadOldToken(oldTokenPath);
  if (old === undefined) {
    throw new AccessError(
      "No Fanvue account is connected yet.",
      "Run `npm run authorize` to connect the creator's account.",
    );
  }
  log.warn(
    `Taking over the authorization in ${oldTokenPath ?? ""}. The Python tool must not run any more: two programs that renew the same token lose it.`,
  );
  return old;
}

/** A token that was just given and is nowhere on the disk: it is used as long as it is good. */
export function onlyToken(accessToken: string): TokenSource {
  return {
    access: () => Promise.resolve(accessToken),
    renew: () =>
      Promise.reject(new SourceError("Fanvue refuses the token it has just given.", authorizeRemedy)),
    creatorUuid: () => Promise.resolve(undefined),
    rememberCreator: () => undefined,
  };
}

const refreshTries = 3;
/** An answer may get lost after Fanvue has spent the old token, which it takes once more for 30 s. */
const refreshPatienceMs = 25_000;

async function refresh(config: OAuthConfig, token: StoredToken, deps: TokenDeps): Promise<StoredToken> {
  if (token.refreshToken === undefined) {
    throw new AccessError("The Fanvue authorization has ended and cannot be renewed.", authorizeRemedy);
  }
  const startedAtMs = Date.now();
  for (let tryNumber = 1; ; tryNumber += 1) {
    try {
      const granted = await refreshGrant(config, token.refreshToken, deps);
      const next = tokenFrom(granted, token);
      saveToken(deps.dataDir, next);
      return next;
    } catch (error) {
      if (!(error instanceof HttpFault)) throw error;
      if (tryNumber === refreshTries || Date.now() - startedAtMs > refreshPatienceMs)
        throw unreachable(error);
      deps.log.debug({ because: error.message }, "renewing the Fanvue token again");
      await sleep(deps.retryBaseMs * tryNumber, undefined, { signal: deps.signal });
    }
  }
}

const unreachable = (error: HttpFault) =>
  new SourceError(
    `Fanvue's token service cannot be reached: ${error.message}.`,
    "Check the network, then run this again.",
    error,
  );
