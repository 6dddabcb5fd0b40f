/** All scripts that the daemon runs: rounds and syncs for single fans in one queue, and listeners beside it. */
import type { Log } from "../log.ts";
import type { RunOptions, ScriptEnd } from "../run-script.ts";
import type { AcceptedConfig } from "./config.ts";
import { type Listener, roundOf, scriptPath, type SyncScript } from "./duties.ts";
import { endInWords, isGood, isUneventful } from "./script-end.ts";
import { createFanSyncs, type FanSyncs, runWish } from "./fan-syncs.ts";
import { createRecords, type Records } from "./health.ts";
import { createJobQueue } from "./job-queue.ts";
import { createRounds, type Rounds } from "./rounds.ts";
import { createSupervisor, type Supervisor } from "./supervisor.ts";

export interface JobsOptions {
  readonly configPath: string;
  readonly dataDir: string;
  /** For all scripts, beside config and data folder. */
  readonly scriptArgs: readonly string[];
  /** Runs a script to its end. */
  readonly run: (path: string, args: readonly string[], options: RunOptions) => Promise<ScriptEnd>;
  /** As it was accepted last. */
  readonly accepted: () => AcceptedConfig;
  readonly log: Log;
  /** When aborted, every script is asked to end, and none begins any more. */
  readonly signal: AbortSignal;
}

export interface Jobs {
  readonly rounds: Rounds;
  readonly fanSyncs: FanSyncs;
  readonly listeners: Supervisor;
  readonly records: Records;
  /** Whether a sync is at work. */
  readonly isBusy: () => boolean;
  /** Resolves once nothing runs any more: soon after the signal. */
  idle(): Promise<void>;
}

export function createJobs(options: JobsOptions): Jobs {
  const { accepted, log, signal } = options;
  const queue = createJobQueue();
  const records = createRecords(Date.now);

  async function launch(
    script: SyncScript | Listener,
    args: readonly string[],
    more: Partial<RunOptions> = {},
  ): Promise<ScriptEnd> {
    if ((more.signal ?? signal).aborted) return { trouble: "the daemon is being stopped" };
    const files = ["--config", options.configPath, "--data", options.dataDir];
    const own = log.child({ script });
    own.debug("begins");
    const end = await options.run(scriptPath(script), [...files, ...options.scriptArgs, ...args], {
      signal,
      log: own,
      configText: accepted().text,
      ...more,
    });
    own.debug(end, "ended");
    return end;
  }

  /** Its report is told whole where something happened; most rounds find nothing to do. */
  async function sync(script: SyncScript, args: readonly string[]): Promise<ScriptEnd> {
    const report: string[] = [];
    const end = await launch(script, args, { onLine: (line) => report.push(line) });
    const own = log.child({ script });
    const level = isUneventful(end, report) ? "debug" : "info";
    for (const line of report) own[level](line);
    return end;
  }

  async function runOfRound(script: SyncScript): Promise<ScriptEnd> {
    records.began(script);
    const end = await sync(script, []);
    records.ended(script, end);
    const sentence = `${script} ${endInWords(end)}.`;
    if (isGood(end) || signal.aborted) log.info(sentence);
    else log.warn(sentence);
    return end;
  }

  const fanSyncs = createFanSyncs({
    run: (wish) => queue.add(() => runWish(wish, accepted().config, sync), "urgent"),
    log,
    signal,
  });
  const rounds = createRounds({
    scripts: () => roundOf(accepted().config),
    run: (script) => queue.add(() => runOfRound(script), "patient"),
    onBegin: () => fanSyncs.waiting().drop,
    log,
    signal,
  });
  const listeners = createSupervisor({
    run: (listener, own) => launch(listener, [], { signal: own }),
    now: () => performance.now(),
    log,
    signal,
  });

  return {
    rounds,
    fanSyncs,
    listeners,
    records,
    isBusy: queue.isBusy,
    async idle() {
      await Promise.all([rounds.idle(), fanSyncs.idle(), listeners.idle()]);
    },
  };
}
