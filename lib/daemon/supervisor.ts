/** Keeps scripts up that go on until they are stopped: one that crashed comes back, after growing pauses. */
import { exitCodes } from "../errors.ts";
import type { Log } from "../log.ts";
import type { ScriptEnd } from "../run-script.ts";
import type { Listener } from "./duties.ts";
import { endInWords } from "./script-end.ts";
import { rest, restartPauseMs, steadyMs } from "./timing.ts";

export interface SupervisorOptions {
  /** Runs one to its end; it is asked to end when the signal is aborted. Never rejects. */
  readonly run: (listener: Listener, signal: AbortSignal) => Promise<ScriptEnd>;
  readonly now: () => number;
  readonly log: Log;
  /** When aborted, all are ended. */
  readonly signal: AbortSignal;
}

export interface ListenerStatus {
  readonly isUp: boolean;
  /** How often it came back. */
  readonly restarts: number;
  /** How often it failed in a row, without having been up for long since. */
  readonly failures: number;
}

export interface Supervisor {
  /** Keeps these up from now on, and no others; one that is up already goes on as it is, unless it is to begin anew. */
  keep(names: readonly Listener[], anew?: ReadonlySet<string>): void;
  status(): ReadonlyMap<Listener, ListenerStatus>;
  /** Resolves once none runs any more: soon after the signal. */
  idle(): Promise<void>;
}

interface Kept {
  status: ListenerStatus;
  upSinceMs: number;
  readonly stop: () => void;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { now } = options;
  const kept = new Map<Listener, Kept>();
  /** Of all that were ever kept: one begins when the one before it of the same name has ended. */
  const ends = new Map<Listener, Promise<void>>();

  function begin(name: Listener): void {
    const over = new AbortController();
    const listener: Kept = {
      status: { isUp: true, restarts: 0, failures: 0 },
      upSinceMs: now(),
      stop() {
        over.abort();
      },
    };
    const signal = AbortSignal.any([options.signal, over.signal]);
    const before = ends.get(name) ?? Promise.resolve();
    ends.set(
      name,
      before.then(() => keepUp(name, listener, { ...options, signal })),
    );
    kept.set(name, listener);
  }

  return {
    keep(names, anew = new Set()) {
      for (const [name, { stop }] of kept) {
        if (names.includes(name) && !anew.has(name)) continue;
        stop();
        kept.delete(name);
      }
      if (options.signal.aborted) return;
      for (const name of names) if (!kept.has(name)) begin(name);
    },
    status: () => new Map([...kept].map(([name, listener]) => [name, statusAt(listener, now())])),
    async idle() {
      await Promise.all(ends.values());
    },
  };
}

const statusAt = ({ status, upSinceMs }: Kept, nowMs: number): ListenerStatus =>
  status.isUp && nowMs - upSinceMs >= steadyMs ? { ...status, failures: 0 } : status;

/** Runs a listener until the signal, or until it says that it has nothing to do. */
async function keepUp(
  name: Listener,
  listener: Kept,
  { run, now, log, signal }: SupervisorOptions,
): Promise<void> {
  let pauseMs: number | undefined;
  const isOver = () => signal.aborted;
  for (let restarts = 0; !isOver(); restarts += 1) {
    listener.upSinceMs = now();
    listener.status = { ...listener.status, isUp: true, restarts };
    const end = await run(name, signal);
    const { failures } = statusAt(listener, now());
    listener.status = { isUp: false, restarts, failures };
    if (isOver()) return;
    if ("code" in end && end.code === exitCodes.inOrder) {
      listener.status = { isUp: false, restarts, failures: 0 };
      log.info(`${name} has nothing to do by this config, and is not started again.`);
      return;
    }
    listener.status = { isUp: false, restarts, failures: failures + 1 };
    pauseMs = restartPauseMs(pauseMs, now() - listener.upSinceMs);
    log.warn(`${name} ${endInWords(end)}. It is started again in ${pauseMs / 1000} s.`);
    await rest(pauseMs, signal);
  }
}
