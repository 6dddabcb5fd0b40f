/** Strikes at the times of a cron expression. */
import { nextRuns } from "../cron.ts";

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
