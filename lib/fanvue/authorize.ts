/** Connects the creator's Fanvue account: from the address a person opens to the stored authorization. */
import type { Readable } from "node:stream";
import type { FanvueConfig } from "../config/shape.ts";
import { BadInputError, SourceError } from "../errors.ts";
import { openHttp } from "../http.ts";
import type { Log } from "../log.ts";
import { accessDenied } from "../oauth.ts";
import { type FanvueUser, type Memory, openFanvue } from "./client.ts";
import { exchangeCode, type GrantedToken, readRedirect, startAuthorization } from "./oauth.ts";
import { type Arrival, awaitRedirect } from "./redirect.ts";
import { missingScopes } from "./scopes.ts";
import { loadToken, onlyToken, storeToken, tokenFrom } from "./token.ts";

export interface AuthorizeAsk {
  readonly config: FanvueConfig;
  readonly scopes: readonly string[];
  readonly dataDir: string;
  readonly memory: Memory;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Says something to the person at the terminal. */
  readonly tell: (text: string) => void;
  /** Where the person can paste an address: standard input. */
  readonly input: Readable & { readonly isTTY?: boolean };
}

/**
 * Leads a person through authorizing and stores the result; gives whose account it is. Throws an OperatorError when
 * the person or Fanvue refuses, or when the account is not a creator's or not the one this installation belongs to.
 */
export async function authorize(ask: AuthorizeAsk): Promise<FanvueUser> {
  const { config, scopes, tell, input, signal } = ask;
  const attempt = await startAuthorization(config, scopes);
  const judge = (parameters: URLSearchParams) => readRedirect(config, attempt, parameters);
  tell(`Open this address in a browser, logged in to Fanvue as the creator:\n\n  ${attempt.url.href}\n`);
  return awaitRedirect({ redirectUri: config.redirectUri, judge, tell, input, signal }, async (arrival) => {
    try {
      const parameters = agreed(arrival, scopes);
      const token = await exchangeCode(config, attempt, parameters, { http: openHttp(), signal });
      const me = await accept(ask, token);
      await arrival.reply("Fanvue is connected. You can close this page.");
      return me;
    } catch (error) {
      await arrival.reply("Fanvue could not be connected. The terminal says why.");
      throw error;
    }
  });
}

function agreed({ result }: Arrival, scopes: readonly string[]): URLSearchParams {
  if (result.is === "code") return result.parameters;
  if (result.error === accessDenied) {
    throw new SourceError(
      "Access was denied on Fanvue's page, so Fanvue is not connected.",
      "Run `npm run authorize` again and agree.",
    );
  }
  const because = result.because.replaceAll(/\p{C}/gu, " ").slice(0, 200);
  const remedy =
    result.error === "invalid_scope"
      ? `Tick these scopes on the app at https://fanvue.com/developers/apps: ${scopes.join(" ")}.`
      : "Check fanvue.client_id and fanvue.redirect_uri against the app, then run `npm run authorize` again.";
  throw new SourceError(`Fanvue refuses to authorize: ${because} (${result.error}).`, remedy);
}

/** Asks whose token it is and stores it if it is the right person's. */
async function accept(ask: AuthorizeAsk, granted: GrantedToken): Promise<FanvueUser> {
  const { memory, scopes, dataDir, log, signal } = ask;
  const learned = new Map<Parameters<Memory["save"]>[0], string>();
  const me = await fetchMe(ask, granted, {
    // Whether it is the right account is judged here, where more can be said.
    load: async (key) => (key === "creator_uuid" ? undefined : memory.load(key)),
    save: (key, value) => {
      learned.set(key, value);
      return Promise.resolve();
    },
  });
  refuseWrongAccount(me, (await memory.load("creator_uuid")) ?? creatorOnRecord(dataDir));
  await storeToken(dataDir, { ...tokenFrom(granted), creatorUuid: me.uuid }, signal);
  for (const [key, value] of learned) await memory.save(key, value);

  const missing = missingScopes(granted.scopes, scopes);
  if (missing.length > 0) {
    log.warn(`Fanvue did not grant ${missing.join(", ")}. Tick it on the app, then authorize again.`);
  }
  if (granted.refreshToken === undefined) {
    log.warn("Fanvue gave no refresh token: this authorization ends within the hour.");
  }
  return me;
}

/** With the new token alone, which is nowhere on the disk yet. */
function fetchMe(ask: AuthorizeAsk, granted: GrantedToken, memory: Memory): Promise<FanvueUser> {
  const { config, dataDir, log, signal } = ask;
  const tokens = onlyToken(granted.accessToken);
  return openFanvue(config, { dataDir, log, signal, memory, tokens }).fetchMe();
}

/** A damaged file is no hindrance: it is replaced. */
function creatorOnRecord(dataDir: string): string | undefined {
  try {
    return loadToken(dataDir)?.creatorUuid;
  } catch (error) {
    if (error instanceof BadInputError) return undefined;
    throw error;
  }
}

function refuseWrongAccount(me: FanvueUser, ours: string | undefined): void {
  if (ours !== undefined && ours !== me.uuid) {
    throw new BadInputError(
      `You authorized as @${me.handle} (${me.uuid}), but this installation belongs to another creator (${ours}). Nothing was changed.`,
      "Log in to Fanvue as the right creator and run `npm run authorize` again; for another creator use another --data folder.",
    );
  }
  if (!me.isCreator) {
    throw new BadInputError(
      `You authorized as @${me.handle}, which is not a creator's account. Nothing was changed.`,
      "Log in to Fanvue as the creator and run `npm run authorize` again.",
    );
  }
}
