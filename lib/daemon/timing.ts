/** How long the daemon waits, and the waiting: for a while, or for the times of a schedule. */
import { nextRuns } from "../cron.ts";

/** Resolves after a while, or as soon as the signal is aborted. */
export function rest(pauseMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(end, pauseMs);
  function end(): void {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    resolve(undefined);
  }
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  return promise.then(() => undefined);
}

const longestJitterMs = 30_000;

/**
 * A pause before a round, so that many installations do not ask Fanvue in the same second: their clocks all strike the
 * full minute. Half a minute spreads them enough; a tenth of the interval at most, so that a tight schedule keeps its pace.
 * `random`: from 0 to less than 1.
 */
export const jitterMs = (intervalMs: number, random: number): number =>
  Math.floor(random * Math.min(longestJitterMs, intervalMs / 10));

const firstPauseMs = 1000;
const longestPauseMs = 5 * 60_000;
/** A listener that was up so long is not taken for one that cannot start. */
export const steadyMs = 10 * 60_000;

/** How long to wait before a listener is started again that was up for so long, after the pause before. */
export const restartPauseMs = (previousMs: number | undefined, upMs: number): number =>
  previousMs === undefined || upMs >= steadyMs ? firstPauseMs : Math.min(2 * previousMs, longestPauseMs);

/** After a sync for new links that did not end in order. */
const retryPausesMs = [15_000, 30_000, 60_000, 120_000, 300_000] as const;

/** How long to wait before the next try, after so many before; undefined: no more, the regular round does what is not done then. */
export const retryPauseMs = (tries: number): number | undefined => retryPausesMs[tries];

// ---- The times of a schedule ------------------------------------------------------------------------------------

/**
 * So often the clock is looked at: timers do not notice when it is set, nor how long the machine slept. A time that passed
 * meanwhile is struck late, and once, however many there were.
 */
const lookEveryMs = 60_000;

/** Calls `strike` at each time of the expression. Returns how to stop it. */
export function followTimes(expression: string, strike: () => void): () => void {
  let lookedAtMs = Date.now();
  let dueAtMs = nextRuns(expression)[0] ?? Infinity;
  let timer = wait();

  function look(): void {
    const nowMs = Date.now();
    const isDue = nowMs >= dueAtMs;
    const wasSetBack = nowMs < lookedAtMs;
    lookedAtMs = nowMs;
    if (isDue || wasSetBack) dueAtMs = nextRuns(expression)[0] ?? Infinity;
    timer = wait();
    if (isDue) strike();
  }

  function wait(): NodeJS.Timeout {
    return setTimeout(look, Math.min(Math.max(0, dueAtMs - Date.now()), lookEveryMs));
  }

  return () => {
    clearTimeout(timer);
  };
}
