/** When the memberships are looked at next, by the schedule of the config. */
import { createTask } from "node-cron";

/** The next two times of a cron expression, from now on. */
export function nextRuns(expression: string): readonly number[] {
  const task = createTask(expression, () => undefined);
  try {
    return task.getNextRuns(2).map((date) => date.getTime());
  } finally {
    void task.destroy();
  }
}

/** So many times of the schedule may pass without a look before it is not believed any more. */
const mostMissed = 3;

/**
 * The next look; undefined where the last one is so long ago that the scripts do not seem to run by this schedule.
 * `runsMs`: as {@link nextRuns} gives them.
 */
export function nextLookAtMs(
  runsMs: readonly number[],
  lookedAtMs: number | undefined,
  nowMs: number,
): number | undefined {
  const [first, second] = runsMs;
  if (first === undefined || second === undefined || lookedAtMs === undefined) return undefined;
  return nowMs - lookedAtMs <= mostMissed * (second - first) ? first : undefined;
}
