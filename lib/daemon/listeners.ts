/** Keeps a script up that goes on until it is stopped: one that crashed comes back, after growing pauses. */
import { exitCodes } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Listener } from "./duties.ts";
import { endInWords } from "./ends.ts";
import type { ScriptEnd } from "../run-script.ts";
import { rest, restartPauseMs } from "./pauses.ts";

export interface ListenersOptions {
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
}

export interface Listeners {
  /** Ends those that run, and starts these. */
  replace(names: readonly Listener[]): Promise<void>;
  status(): ReadonlyMap<Listener, ListenerStatus>;
  /** Resolves once none runs any more: soon after the signal. */
  idle(): Promise<void>;
}

interface Kept {
  status: ListenerStatus;
  readonly stop: () => void;
  readonly ended: Promise<void>;
}

export function createListeners(options: ListenersOptions): Listeners {
  const kept = new Map<Listener, Kept>();

  function keep(name: Listener): Kept {
    const over = new AbortController();
    const signal = AbortSignal.any([options.signal, over.signal]);
    const tell = (status: ListenerStatus) => {
      listener.status = status;
    };
    const listener: Kept = {
      status: { isUp: true, restarts: 0 },
      stop() {
        over.abort();
      },
      ended: Promise.resolve().then(() => keepUp(name, { ...options, signal, tell })),
    };
    return listener;
  }

  return {
    async replace(names) {
      for (const { stop } of kept.values()) stop();
      await Promise.all([...kept.values()].map(({ ended }) => ended));
      kept.clear();
      if (options.signal.aborted) return;
      for (const name of names) kept.set(name, keep(name));
    },
    status: () => new Map([...kept].map(([name, { status }]) => [name, status])),
    async idle() {
      await Promise.all([...kept.values()].map(({ ended }) => ended));
    },
  };
}

/** Runs a listener until the signal, or until it says that it has nothing to do. */
async function keepUp(
  name: Listener,
  { run, now, log, signal, tell }: ListenersOptions & { readonly tell: (status: ListenerStatus) => void },
): Promise<void> {
  let pauseMs: number | undefined;
  const isOver = () => signal.aborted;
  for (let restarts = 0; !isOver(); restarts += 1) {
    tell({ isUp: true, restarts });
    const startedAtMs = now();
    const end = await run(name, signal);
    tell({ isUp: false, restarts });
    if (isOver()) return;
    if ("code" in end && end.code === exitCodes.inOrder) {
      log.info(`${name} has nothing to do by this config, and is not started again.`);
      return;
    }
    pauseMs = restartPauseMs(pauseMs, now() - startedAtMs);
    log.warn(`${name} ${endInWords(end)}. It is started again in ${pauseMs / 1000} s.`);
    await rest(pauseMs, signal);
  }
}
