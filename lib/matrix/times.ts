/** How long the target waits for what, all in milliseconds. */
import { setTimeout as sleep } from "node:timers/promises";

export interface Times {
  /** How long an answer may take to begin, and its body after that: a large room's state is many megabytes. */
  readonly answerMs: number;
  readonly bodyMs: number;
  /** Before the second, third, … attempt at what failed for want of an answer. */
  readonly retryPausesMs: readonly number[];
  /** How long one step, or one reading, may wait in all because the homeserver asks to slow down. */
  readonly patienceMs: number;
}

export const defaultTimes: Times = {
  answerMs: 30_000,
  bodyMs: 120_000,
  retryPausesMs: [500, 2_000],
  patienceMs: 120_000,
};

/** Waits; returns early, and does not throw, when the run is ended. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
