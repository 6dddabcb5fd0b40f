/** A Fanvue client on the stand-in, with a temporary data folder and a token, for tests of lib/fanvue and lib/snapshot. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import type { FanvueConfig } from "../lib/config/shape.ts";
import { type Fanvue, type FanvueDeps, type Memory, openFanvue } from "../lib/fanvue/client.ts";
import { type FanId, parseFanId } from "../lib/ids.ts";
import { temporaryFolder } from "./harness.ts";
import { type FanvueOptions, type FanvueSandbox, startFanvue } from "./sandbox/fanvue.ts";

export interface Setup {
  readonly sandbox: FanvueSandbox;
  readonly config: FanvueConfig;
  readonly dataDir: string;
  /** What the client keeps beyond a process. */
  readonly facts: Map<string, string>;
  readonly memory: Memory;
  /** Another client of the same installation, as another script would open it. */
  open(changes?: Partial<FanvueDeps>): Fanvue;
  /** Lines that were logged. */
  readonly logged: string[];
}

interface Test {
  after(fn: () => void | Promise<void>): void;
}

export interface SetupOptions extends FanvueOptions {
  readonly generation?: "v1" | "unprefixed";
  /** False: no token is stored. */
  readonly authorized?: boolean;
  readonly scopes?: readonly string[];
}

/** Starts a stand-in of one generation (default v1) that is stopped after the test. */
export async function setUp(test: Test, options: SetupOptions = {}): Promise<Setup> {
  const { generation = "v1", authorized = true, scopes, ...rest } = options;
  const sandbox = await startFanvue({
    ...rest,
    rate: { limit: 1_000_000, ...rest.rate },
    quirks: { generations: [generation], ...rest.quirks },
  });
  test.after(() => sandbox.stop());
  const dataDir = join(temporaryFolder(test), "data");
  mkdirSync(dataDir);
  if (authorized) saveTokenFile(dataDir, sandbox.issueToken(scopes));
  const config = configOf(sandbox);
  const facts = new Map<string, string>();
  const memory: Memory = {
    load: (key) => Promise.resolve(facts.get(key)),
    save(key, value) {
      facts.set(key, value);
      return Promise.resolve();
    },
  };
  const logged: string[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => void logged.push(line) });
  const open = (changes: Partial<FanvueDeps> = {}) =>
    openFanvue(config, {
      dataDir,
      log,
      signal: new AbortController().signal,
      memory,
      retryBaseMs: 1,
      timeoutMs: 2000,
      ...changes,
    });
  return { sandbox, config, dataDir, facts, memory, open, logged };
}

export function configOf(sandbox: FanvueSandbox): FanvueConfig {
  const { app, apiUrl, authUrl } = sandbox;
  return {
    clientId: app.clientId,
    clientSecret: app.clientSecret,
    redirectUri: app.redirectUris[0] ?? "",
    apiUrl,
    authUrl,
    apiPrefix: "auto",
  };
}

export const tokenPath = (dataDir: string): string => join(dataDir, "fanvue-token.json");

export function saveTokenFile(dataDir: string, token: object): void {
  writeFileSync(tokenPath(dataDir), JSON.stringify(token), { mode: 0o600 });
}

/** A uuid of the stand-in as the program's own type. */
export function fanIdOf({ uuid }: { readonly uuid: string }): FanId {
  const id = parseFanId(uuid);
  if (id === undefined) throw new Error(`${uuid} is no uuid`);
  return id;
}

/** The value of something that must be known. */
export function known<T>(read: { known: true; value: T } | { known: false; why: string }): T {
  if (read.known) return read.value;
  throw new Error(`unknown: ${read.why}`);
}

/** Why something is unknown that must be. */
export function whyUnknown(read: { known: true } | { known: false; why: string } | undefined): string {
  if (read?.known === false) return read.why;
  throw new Error("it is known");
}
