/** Syncs without a process of their own, for tests that need hundreds of them or a short patience. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import pino from "pino";

import type { Context } from "../lib/cli.ts";
import { loadConfig } from "../lib/config/load.ts";
import { openDatabase } from "../lib/db.ts";
import { OperatorError } from "../lib/errors.ts";
import { openFanvue, type Memory } from "../lib/fanvue/client.ts";
import { locateLists } from "../lib/locate-lists.ts";
import { reconcile } from "../lib/reconcile/reconcile.ts";
import { exitCodeFor } from "../lib/report/run.ts";
import { reportText } from "../lib/report/text.ts";
import { discordPart } from "../lib/sync-parts/discord.ts";
import { listsPart } from "../lib/sync-parts/lists.ts";
import { matrixPart } from "../lib/sync-parts/matrix.ts";
import type { PartDeps, SyncPart, SyncScript } from "../lib/sync-parts/part.ts";
import { sync } from "../lib/sync.ts";
import { syncOptions } from "../lib/sync-options.ts";
import type { ScriptResult } from "./harness.ts";
import type { Installation } from "./installation.ts";

export interface Ending {
  readonly code: number;
  /** The report, or the sentence and remedy of what ended the run before its first step. */
  readonly text: string;
}

export interface RunOptions {
  /** How long an answer of Fanvue may take; default 10 s */
  readonly timeoutMs?: number;
  /** What is remembered of the API, for this run and those that are given the same map. Default: nothing. */
  readonly memory?: Map<string, string>;
}

const log = pino({ level: "silent" });

/**
 * A sync from its options to its report, wired as in the scripts, without the half second in which a process starts.
 * What the process adds (help, wrong options, signals) is for tests that spawn the script.
 */
export async function runSync(
  home: Pick<Installation, "folder" | "dataDir">,
  which: SyncName,
  args: readonly string[],
): Promise<ScriptResult> {
  const script = `sync-${which}`;
  const said = { stdout: "", stderr: "" };
  const hear = (where: keyof typeof said) => (text: string) => void (said[where] += text);
  try {
    const context = contextOf(home, args, {
      print: hear("stdout"),
      log: pino({ base: { name: script } }, { write: hear("stderr") }),
    });
    const database = openDatabase(context.dataDir);
    const deps = { ...context, database };
    const code = await sync(context, { script, database, ...wiring[which](deps) });
    return { code, signal: null, ...said };
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    hear("stderr")(`${script}: ${error.message}\n${error.remedy}\n`);
    return { code: error.exitCode, signal: null, ...said };
  }
}

export type SyncName = "discord" | "matrix" | "lists";

/** As in the three scripts. */
const wiring: Readonly<Record<SyncName, (deps: PartDeps) => Omit<SyncScript, "script" | "database">>> = {
  discord: (deps) => ({ target: "discord", parts: [discordPart(deps)] }),
  matrix: (deps) => ({ target: "matrix", parts: [matrixPart(deps)] }),
  lists: (deps) => ({
    target: "fanvue-lists",
    parts: [discordPart(deps), matrixPart(deps), listsPart(deps)],
    looksAfter: ({ entry }) => entry !== undefined,
    makesLists: true,
  }),
};

function contextOf(
  { folder, dataDir }: Pick<Installation, "folder" | "dataDir">,
  args: readonly string[],
  output: Pick<Context<typeof syncOptions>, "print" | "log">,
): Context<typeof syncOptions> {
  const json = { type: "boolean" } as const;
  const { values } = parseArgs({ args: [...args], options: { ...syncOptions, json } });
  const unused = { config: undefined, data: undefined, verbose: false, help: false };
  return {
    ...output,
    options: {
      ...unused,
      "dry-run": values["dry-run"] ?? false,
      only: values.only ?? [],
      fan: values.fan,
      "take-back": values["take-back"],
      approve: values.approve,
      json: values.json ?? false,
    },
    positionals: [],
    config: loadConfig(join(folder, "config.yaml"), {}),
    dataDir,
    signal: new AbortController().signal,
    progress: () => undefined,
  };
}

/** The pipeline alone, with hardly any pause between two tries. */
export async function syncInProcess(
  home: Pick<Installation, "folder" | "dataDir">,
  which: SyncName,
  options: RunOptions = {},
): Promise<Ending> {
  try {
    const { part, config, job } = await jobOf(home, which, options);
    const run = await reconcile({ ...job, ...(await part.open(config, job.fanvue)) });
    return { code: exitCodeFor(run), text: reportText(run) };
  } catch (error) {
    if (error instanceof OperatorError)
      return { code: error.exitCode, text: `${error.message} ${error.remedy}` };
    throw error;
  }
}

/** Of the lists, those that are filled from roles: the others are roles and rooms like any. */
const partsOf = {
  discord: discordPart,
  matrix: matrixPart,
  lists: listsPart,
} as const satisfies Record<SyncName, (deps: PartDeps) => SyncPart>;

async function jobOf(home: Pick<Installation, "folder" | "dataDir">, which: SyncName, options: RunOptions) {
  const { dataDir } = home;
  const { signal } = new AbortController();
  const { timeoutMs = 10_000, memory = new Map<string, string>() } = options;
  const written = loadConfig(join(home.folder, "config.yaml"), {});
  const database = openDatabase(dataDir);
  const fanvue = openFanvue(written.fanvue, {
    dataDir,
    log,
    signal,
    memory: memoryIn(memory),
    retryBaseMs: 1,
    timeoutMs,
  });
  const { config, troubles } = await locateLists(written, {
    fanvue,
    database,
    save: true,
    maxAgeMs: written.snapshotMaxAgeMs,
    now: Date.now,
  });
  const part: SyncPart = partsOf[which]({ database, log, signal });
  const places = part.places(config);
  const job = {
    script: `sync-${which}`,
    config,
    platform: part.platform,
    places,
    chosen: places,
    holders: undefined,
    troubles,
    fan: undefined,
    approve: [],
    takeBack: undefined,
    dryRun: false,
    fanvue,
    database,
    dataDir,
    locks: part.locks,
    requests: () => ({ fanvue: fanvue.requests(), discord: 0, matrix: 0 }),
    now: Date.now,
    log,
    signal,
    progress: () => undefined,
  } as const;
  return { part, config, job };
}

const memoryIn = (map: Map<string, string>): Memory => ({
  load: (key) => Promise.resolve(map.get(key)),
  save: (key, value) => {
    map.set(key, value);
    return Promise.resolve();
  },
});
