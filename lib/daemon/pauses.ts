/** How long the daemon waits, and the waiting. */

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
