/** Cron expressions, in the machine's own time: when they are due next. */
import { createTask, type ScheduledTask } from "node-cron";
import { hourMs, minuteMs } from "./durations.ts";

/** The next two times of a cron expression, from now on. */
export function nextRuns(expression: string): readonly number[] {
  const task = createTask(expression, () => undefined);
  try {
    const [first, second] = task.getNextRuns(2).map((date) => date.getTime());
    if (first === undefined || second === undefined) return [];
    const nowMs = Date.now();
    return [...repeated(task, nowMs, first), first, ...repeated(task, first, second), second].slice(0, 2);
  } finally {
    void task.destroy();
  }
}

const secondMs = 1000;
/** A schedule with longer gaps bears a time that is left out. */
const longestGapMs = 3 * hourMs;

/**
 * The times in between that node-cron leaves out, at most two: where clocks are set back it takes each time of day for
 * one that comes once, and a whole hour would pass without any.
 */
function repeated(task: ScheduledTask, fromMs: number, toMs: number): readonly number[] {
  if (toMs - fromMs > longestGapMs || !areClocksSetBack(fromMs, toMs)) return [];
  const stepMs = hasSeconds(task) ? secondMs : minuteMs;
  const found: number[] = [];
  for (let ms = nextFull(stepMs, fromMs); ms < toMs && found.length < 2; ms += stepMs)
    if (task.match(new Date(ms))) found.push(ms);
  return found;
}

const areClocksSetBack = (fromMs: number, toMs: number): boolean =>
  new Date(toMs).getTimezoneOffset() > new Date(fromMs).getTimezoneOffset();

/** Six fields begin with the seconds; five mean the full minute. */
const hasSeconds = (task: ScheduledTask): boolean => task.getPattern().trim().split(/\s+/).length === 6;

const nextFull = (stepMs: number, fromMs: number): number => (Math.floor(fromMs / stepMs) + 1) * stepMs;

/** The distance between the next two times of a cron expression; undefined for one that never comes. */
export function intervalMs(expression: string): number | undefined {
  const [first, second] = nextRuns(expression);
  return first === undefined || second === undefined ? undefined : second - first;
}

/** From so many times of the schedule on that pass without a look, it is not believed any more. */
export const mostMissed = 3;

/** A week by minutes. What is rarer cannot be told from what is late without a long search, and is believed. */
const longestSearch = 7 * 24 * 60;

/** How many times of a cron expression there were after one moment and up to another; more than `mostMissed` are not counted. */
function countRuns(expression: string, afterMs: number, untilMs: number): number {
  const task = createTask(expression, () => undefined);
  try {
    const stepMs = hasSeconds(task) ? secondMs : minuteMs;
    let found = 0;
    let ms = Math.floor(untilMs / stepMs) * stepMs;
    for (let steps = 0; steps < longestSearch && ms > afterMs && found < mostMissed; steps += 1, ms -= stepMs)
      if (task.match(new Date(ms))) found += 1;
    return found;
  } finally {
    void task.destroy();
  }
}

/**
 * The next look by a cron expression; undefined where so many times have passed since the last one that the scripts do not
 * seem to run by it.
 */
export function nextLookAtMs(
  expression: string,
  lookedAtMs: number | undefined,
  nowMs: number,
): number | undefined {
  if (lookedAtMs === undefined || countRuns(expression, lookedAtMs, nowMs) >= mostMissed) return undefined;
  return nextRuns(expression)[0];
}
