/**
 * A sync for one fan, soon after something changed for them: in a process of its own, one at a time, so that the pages
 * stay quick and the locks are those of any other run.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config/shape.ts";
import { exitCodes } from "../errors.ts";
import type { FanId, Platform } from "../ids.ts";
import type { Log } from "../log.ts";
import { runScript, type ScriptEnd } from "../run-script.ts";
import { scriptPath, scriptsFor, type SyncScript } from "./duties.ts";
import { endsRound, isGood } from "./script-end.ts";
import { retryPauseMs } from "./timing.ts";

export interface Wish {
  readonly fan: FanId;
  readonly platform: Platform;
}

export interface FanSyncs {
  /** Asks for it; asked for twice before its turn, it is run once. Never throws. */
  ask(wish: Wish): void;
  /** All that is asked for and has not had its turn yet. */
  waiting(): Waiting;
  /** Resolves once nothing runs or waits any more: soon after the signal. */
  idle(): Promise<void>;
}

export interface Waiting {
  readonly count: number;
  /** Something else sees to them; what was asked for anew since then stays. */
  readonly drop: () => void;
}

export interface FanSyncsOptions {
  readonly log: Log;
  /** When aborted, the sync under way is ended, and no other begins. */
  readonly signal: AbortSignal;
  /** Does what a wish asks for, to its end. */
  readonly run: (wish: Wish) => Promise<ScriptEnd>;
  /** Rejects when the signal is aborted meanwhile. */
  readonly pause?: (pauseMs: number, signal: AbortSignal) => Promise<void>;
}

/** Runs what a wish asks for, one script after the other, up to the first that does not end in order. */
export async function runWish(
  { fan, platform }: Wish,
  config: Pick<Config, "listSync">,
  run: (script: SyncScript, args: readonly string[]) => Promise<ScriptEnd>,
): Promise<ScriptEnd> {
  let end: ScriptEnd = { code: exitCodes.inOrder };
  for (const script of scriptsFor(platform, config)) {
    end = await run(script, ["--fan", fan]);
    if (!isGood(end)) return end;
  }
  return end;
}

const isBusy = (end: ScriptEnd): boolean => "code" in end && end.code === exitCodes.busy;

/** Runs the scripts from here: for a server that nothing else runs syncs for. */
export function createOwnSyncs(options: {
  readonly config: Config;
  readonly dataDir: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}): FanSyncs {
  const { config, dataDir, log, signal } = options;
  const files = ["--config", config.path, "--data", dataDir];
  return createFanSyncs({
    log,
    signal,
    run: (wish) =>
      runWish(wish, config, (script, args) =>
        runScript(scriptPath(script), [...files, ...args], { log: log.child({ script }), signal }),
      ),
  });
}

/** What waits for its turn, or for its next try. */
interface Entry {
  readonly wish: Wish;
  readonly tries: number;
}
interface Resting {
  readonly over: AbortController;
  readonly done: Promise<void>;
}

const keyOf = ({ fan, platform }: Wish) => `${platform} ${fan}`;

/** Syncs that fail are tried again after growing pauses, save where the operator has to mend something first. */
export function createFanSyncs(options: FanSyncsOptions): FanSyncs {
  const { run, signal } = options;
  const pause = options.pause ?? ((ms, signal) => sleep(ms, undefined, { signal }));
  const waiting = new Map<string, Entry>();
  const resting = new Map<string, Resting>();
  let working: Promise<void> | undefined;

  /** Gives way to the other run, or to what is wrong, for a while; longer each time. */
  function rest({ wish, tries }: Entry, end: ScriptEnd): void {
    const log = options.log.child({ sync: wish.platform });
    const pauseMs = retryPauseMs(tries);
    const fact = isBusy(end) ? "Another run is busy" : "A sync after a change of links did not end in order";
    if (pauseMs === undefined) {
      log.warn({ fan: wish.fan, ...end }, `${fact}; the regular sync will see to this fan.`);
      return;
    }
    if (!isBusy(end))
      log.warn({ fan: wish.fan, ...end }, `${fact}; it is tried again in ${pauseMs / 1000} s.`);
    const key = keyOf(wish);
    const over = new AbortController();
    const done = pause(pauseMs, AbortSignal.any([signal, over.signal])).then(
      () => {
        resting.delete(key);
        enqueue({ wish, tries: tries + 1 });
      },
      () => {
        if (resting.get(key)?.over === over) resting.delete(key);
      },
    );
    resting.set(key, { over, done });
  }

  async function runOne(entry: Entry): Promise<void> {
    const { fan, platform } = entry.wish;
    const log = options.log.child({ sync: platform });
    const end = await run(entry.wish).catch((error: unknown) => {
      log.error({ err: error, fan }, "a sync could not be started");
      return { trouble: "it could not be started" };
    });
    if (signal.aborted) return;
    if (isGood(end)) log.info({ fan }, "synced after a change of links");
    else if (endsRound(end)) log.warn({ fan, ...end }, "a sync after a change of links did not end in order");
    else rest(entry, end);
  }

  async function work(): Promise<void> {
    for (const [key, entry] of waiting) {
      waiting.delete(key);
      if (!signal.aborted) await runOne(entry);
    }
    working = undefined;
  }

  function enqueue(entry: Entry): void {
    if (signal.aborted) return;
    waiting.set(keyOf(entry.wish), entry);
    working ??= work();
  }

  return {
    ask(wish) {
      if (!resting.has(keyOf(wish))) enqueue({ wish, tries: 0 });
    },
    waiting() {
      const [turns, pauses] = [new Map(waiting), new Map(resting)];
      return {
        count: turns.size + pauses.size,
        drop() {
          for (const [key, entry] of turns) if (waiting.get(key) === entry) waiting.delete(key);
          for (const [key, pausing] of pauses) {
            if (resting.get(key) === pausing) resting.delete(key);
            pausing.over.abort();
          }
        },
      };
    },
    async idle() {
      while (working !== undefined || resting.size > 0)
        await Promise.all([working, ...[...resting.values()].map(({ done }) => done)]);
    },
  };
}
