/** One run of the pipeline without a process of its own, for tests that need hundreds of them or a short patience. */
import { join } from "node:path";
import pino from "pino";

import { loadConfig } from "../lib/config/load.ts";
import { openDatabase } from "../lib/db.ts";
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

/** What `npm run sync-discord` or `sync-matrix` does, with hardly any pause between two tries. */
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
  const opened = { log, signal };
  const { target, places } = openTarget(platform, config, opened);
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
    database: openDatabase(dataDir),
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
  opened: { readonly log: typeof log; readonly signal: AbortSignal },
): { readonly target: Target; readonly places: readonly Place[] } {
  if (platform === "discord" && discord !== undefined)
    return { target: openDiscord(discord, opened), places: discord.places };
  if (platform === "matrix" && matrix !== undefined)
    return { target: openMatrix(matrix, opened), places: matrix.places };
  throw new Error(`the config has no section for ${platform}`);
}

const memoryIn = (map: Map<string, string>): Memory => ({
  load: (key) => Promise.resolve(map.get(key)),
  save: (key, value) => {
    map.set(key, value);
    return Promise.resolve();
  },
});
