/**
 * A sync for one fan, soon after something changed for them: in a process of its own, one at a time, so that the pages
 * stay quick and the locks are those of any other run.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config/shape.ts";
import { scriptPath, scriptsFor, type SyncScript } from "../daemon/duties.ts";
import { exitCodes } from "../errors.ts";
import type { FanId, Platform } from "../ids.ts";
import type { Log } from "../log.ts";
import { runScript, type ScriptEnd } from "../run-script.ts";

export interface Wish {
  readonly fan: FanId;
  readonly platform: Platform;
}

export interface SyncSoon {
  /** Asks for it; asked for twice before its turn, it is run once. Never throws. */
  ask(fan: FanId, platform: Platform): void;
  /** Resolves once nothing runs or waits any more: soon after the signal. */
  idle(): Promise<void>;
}

export interface SyncSoonOptions {
  readonly log: Log;
  /** When aborted, the sync under way is ended, and no other begins. */
  readonly signal: AbortSignal;
  /** Does what a wish asks for, to its end. */
  readonly run: (wish: Wish) => Promise<ScriptEnd>;
  /** Rejects when the signal is aborted meanwhile. */
  readonly pause?: (pauseMs: number, signal: AbortSignal) => Promise<void>;
}

/** After a run that found another one at work; the regular sync does what is not done then. */
const busyPausesMs = [15_000, 30_000, 60_000, 120_000, 300_000] as const;

/** Runs what a wish asks for, one script after the other, up to the first that does not end in order. */
export async function runWish(
  { fan, platform }: Wish,
  config: Pick<Config, "listSync">,
  run: (script: SyncScript, args: readonly string[]) => Promise<ScriptEnd>,
): Promise<ScriptEnd> {
  let end: ScriptEnd = { code: exitCodes.inOrder };
  for (const script of scriptsFor(platform, config)) {
    end = await run(script, ["--fan", fan]);
    if (!isInOrder(end)) return end;
  }
  return end;
}

const isInOrder = (end: ScriptEnd): boolean => "code" in end && end.code === exitCodes.inOrder;
const isBusy = (end: ScriptEnd): boolean => "code" in end && end.code === exitCodes.busy;

/** Runs the scripts from here: for a server that nothing else runs syncs for. */
export function createOwnSyncs(options: {
  readonly config: Config;
  readonly dataDir: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}): SyncSoon {
  const { config, dataDir, log, signal } = options;
  const files = ["--config", config.path, "--data", dataDir];
  return createSyncSoon({
    log,
    signal,
    run: (wish) =>
      runWish(wish, config, (script, args) =>
        runScript(scriptPath(script), [...files, ...args], { log: log.child({ script }), signal }),
      ),
  });
}

const keyOf = ({ fan, platform }: Wish) => `${platform} ${fan}`;

export function createSyncSoon(options: SyncSoonOptions): SyncSoon {
  const { run, signal } = options;
  const pause = options.pause ?? ((ms, signal) => sleep(ms, undefined, { signal }));
  const waiting = new Map<string, { readonly wish: Wish; readonly tries: number }>();
  const resting = new Map<string, Promise<void>>();
  let working: Promise<void> | undefined;

  const logFor = ({ platform }: Wish) => options.log.child({ sync: platform });

  /** Gives way to the other run for a while; longer each time. */
  function rest(wish: Wish, tries: number): void {
    const pauseMs = busyPausesMs[tries];
    if (pauseMs === undefined) {
      logFor(wish).warn({ fan: wish.fan }, "Another run is busy; the regular sync will see to this fan.");
      return;
    }
    const key = keyOf(wish);
    const rested = pause(pauseMs, signal).then(
      () => {
        resting.delete(key);
        enqueue(wish, tries + 1);
      },
      () => void resting.delete(key),
    );
    resting.set(key, rested);
  }

  async function runOne(wish: Wish, tries: number): Promise<void> {
    const log = logFor(wish);
    try {
      const end = await run(wish);
      if (signal.aborted) return;
      if (isBusy(end)) rest(wish, tries);
      else if (isInOrder(end)) log.info({ fan: wish.fan }, "synced after a change of links");
      else log.warn({ fan: wish.fan, ...end }, "a sync after a change of links did not end in order");
    } catch (error) {
      if (!signal.aborted) log.error({ err: error, fan: wish.fan }, "a sync could not be started");
    }
  }

  async function work(): Promise<void> {
    for (const [key, { wish, tries }] of waiting) {
      waiting.delete(key);
      if (!signal.aborted) await runOne(wish, tries);
    }
    working = undefined;
  }

  function enqueue(wish: Wish, tries: number): void {
    if (signal.aborted) return;
    waiting.set(keyOf(wish), { wish, tries });
    working ??= work();
  }

  return {
    ask(fan, platform) {
      const wish = { fan, platform };
      if (!resting.has(keyOf(wish))) enqueue(wish, 0);
    },
    async idle() {
      while (working !== undefined || resting.size > 0) await Promise.all([working, ...resting.values()]);
    },
  };
}
