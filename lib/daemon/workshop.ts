/** All scripts that the daemon runs: rounds and syncs for single fans on one lane, and listeners beside them. */
import { createSyncSoon, runWish, type SyncSoon } from "../link/sync-soon.ts";
import type { Log } from "../log.ts";
import type { RunOptions, ScriptEnd } from "../run-script.ts";
import type { AcceptedConfig } from "./config.ts";
import { type Listener, roundOf, scriptPath, type SyncScript } from "./duties.ts";
import { endInWords, isGood } from "./ends.ts";
import { createLane } from "./lane.ts";
import { createRecords, type Records } from "./health.ts";
import { createRounds, type Rounds } from "./rounds.ts";
import { createSupervisor, type Supervisor } from "./supervisor.ts";
import { readWish } from "./wishes.ts";

export interface WorkshopOptions {
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

export interface Workshop {
  readonly rounds: Rounds;
  readonly syncSoon: SyncSoon;
  readonly listeners: Supervisor;
  readonly records: Records;
  /** Whether a sync is at work. */
  readonly isBusy: () => boolean;
  /** Resolves once nothing runs any more: soon after the signal. */
  idle(): Promise<void>;
}

export function createWorkshop(options: WorkshopOptions): Workshop {
  const { accepted, log, signal } = options;
  const lane = createLane();
  const records = createRecords(Date.now);

  async function launch(
    script: SyncScript | Listener,
    args: readonly string[],
    more: Pick<RunOptions, "signal" | "onMessage"> = { signal },
  ): Promise<ScriptEnd> {
    if (more.signal.aborted) return { trouble: "the daemon is being stopped" };
    const files = ["--config", options.configPath, "--data", options.dataDir];
    const own = log.child({ script });
    own.debug("begins");
    const end = await options.run(scriptPath(script), [...files, ...options.scriptArgs, ...args], {
      ...more,
      log: own,
      configText: accepted().text,
    });
    own.debug(end, "ended");
    return end;
  }

  async function runOfRound(script: SyncScript): Promise<ScriptEnd> {
    records.began(script);
    const end = await launch(script, []);
    records.ended(script, end);
    const sentence = `${script} ${endInWords(end)}.`;
    if (isGood(end) || signal.aborted) log.info(sentence);
    else log.warn(sentence);
    return end;
  }

  const rounds = createRounds({
    scripts: () => roundOf(accepted().config),
    run: (script) => lane.take(() => runOfRound(script), "patient"),
    log,
    signal,
  });
  const syncSoon = createSyncSoon({
    run: (wish) => lane.take(() => runWish(wish, accepted().config, launch), "urgent"),
    log,
    signal,
  });
  const listeners = createSupervisor({
    run: (listener, own) => launch(listener, [], { signal: own, onMessage: hear }),
    now: Date.now,
    log,
    signal,
  });

  function hear(message: unknown): void {
    const wish = readWish(message);
    if (wish !== undefined) syncSoon.ask(wish.fan, wish.platform);
  }

  return {
    rounds,
    syncSoon,
    listeners,
    records,
    isBusy: lane.isTaken,
    async idle() {
      await Promise.all([rounds.idle(), syncSoon.idle(), listeners.idle()]);
    },
  };
}
