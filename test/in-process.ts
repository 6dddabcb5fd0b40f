/** Syncs without a process of their own, for tests that need hundreds of them or a short patience. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import pino from "pino";

import type { Context } from "../lib/cli.ts";
import { loadConfig } from "../lib/config/load.ts";
import { type Database, openDatabase } from "../lib/db.ts";
import { loginsIn } from "../lib/discord-logins.ts";
import { openDiscord } from "../lib/discord/target.ts";
import { OperatorError } from "../lib/errors.ts";
import { openFanvue, type Memory } from "../lib/fanvue/client.ts";
import { openMatrix } from "../lib/matrix/target.ts";
import type { Platform } from "../lib/ids.ts";
import type { Place } from "../lib/model.ts";
import type { Target } from "../lib/target.ts";
import { reconcile } from "../lib/reconcile/reconcile.ts";
import { exitCodeFor } from "../lib/report/run.ts";
import { reportText } from "../lib/report/text.ts";
import { sync, syncOptions } from "../lib/sync.ts";
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
  platform: Platform,
  args: readonly string[],
): Promise<ScriptResult> {
  const script = `sync-${platform}`;
  const said = { stdout: "", stderr: "" };
  const hear = (where: keyof typeof said) => (text: string) => void (said[where] += text);
  try {
    const context = contextOf(home, args, {
      print: hear("stdout"),
      log: pino({ base: { name: script } }, { write: hear("stderr") }),
    });
    const opened = openTarget(platform, context.config, context);
    const code = await sync(context, { script, platform, locks: [platform], ...opened });
    return { code, signal: null, ...said };
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    hear("stderr")(`${script}: ${error.message}\n${error.remedy}\n`);
    return { code: error.exitCode, signal: null, ...said };
  }
}

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
  platform: Platform,
  options: RunOptions = {},
): Promise<Ending> {
  try {
    const run = await reconcile(jobOf(home, platform, options));
    return { code: exitCodeFor(run), text: reportText(run) };
  } catch (error) {
    if (error instanceof OperatorError)
      return { code: error.exitCode, text: `${error.message} ${error.remedy}` };
    throw error;
  }
}

function jobOf(home: Pick<Installation, "folder" | "dataDir">, platform: Platform, options: RunOptions) {
  const { dataDir } = home;
  const config = loadConfig(join(home.folder, "config.yaml"), {});
  const { signal } = new AbortController();
  const { timeoutMs = 10_000, memory = new Map<string, string>() } = options;
  const fanvue = openFanvue(config.fanvue, {
    dataDir,
    log,
    signal,
    memory: memoryIn(memory),
    retryBaseMs: 1,
    timeoutMs,
  });
  const { target, places, database } = openTarget(platform, config, { log, signal, dataDir });
  return {
    script: `sync-${platform}`,
    config,
    target,
    platform,
    places,
    chosen: places,
    fan: undefined,
    approve: undefined,
    takeBack: undefined,
    dryRun: false,
    fanvue,
    database,
    dataDir,
    locks: [platform],
    requests: () => ({ fanvue: fanvue.requests(), discord: 0, matrix: 0 }),
    now: Date.now,
    log,
    signal,
    progress: () => undefined,
  } as const;
}

function openTarget(
  platform: Platform,
  { discord, matrix }: ReturnType<typeof loadConfig>,
  { log, signal, dataDir }: Pick<Context<typeof syncOptions>, "log" | "signal" | "dataDir">,
): { readonly target: Target; readonly places: readonly Place[]; readonly database: Database } {
  const database = openDatabase(dataDir);
  if (platform === "discord" && discord !== undefined) {
    const target = openDiscord(discord, { log, signal, logins: loginsIn(database) });
    return { target, places: discord.places, database };
  }
  if (platform === "matrix" && matrix !== undefined)
    return { target: openMatrix(matrix, { log, signal }), places: matrix.places, database };
  throw new Error(`the config has no section for ${platform}`);
}

const memoryIn = (map: Map<string, string>): Memory => ({
  load: (key) => Promise.resolve(map.get(key)),
  save: (key, value) => {
    map.set(key, value);
    return Promise.resolve();
  },
});
