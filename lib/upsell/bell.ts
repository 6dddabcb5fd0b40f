/** A pause that somebody may cut short. */
import { setTimeout as delay } from "node:timers/promises";

export interface Bell {
  /** Ends the pause under way; where there is none, the next one. */
  ring(): void;
  /** Resolves after the pause, at a ring, or when the signal is aborted. */
  rest(pauseMs: number, signal: AbortSignal): Promise<void>;
}

/** The most that a timer holds. */
const longestPauseMs = 2 ** 31 - 1;

export function createBell(): Bell {
  let rung = new AbortController();
  return {
    ring() {
      rung.abort();
    },
    async rest(pauseMs, signal) {
      const ends = AbortSignal.any([signal, rung.signal]);
      const timerMs = Math.min(longestPauseMs, Math.max(0, pauseMs));
      await delay(timerMs, undefined, { signal: ends }).catch(() => undefined);
      rung = new AbortController();
    },
  };
}
