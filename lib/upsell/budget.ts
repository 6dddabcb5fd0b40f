/** How many offers may go out: Discord quarantines bots that open many new direct messages. Pure. */
import type { UpsellConfig } from "../config/shape.ts";
import { dayMs, hourMs } from "../durations.ts";

/** Tries that are older count no more. */
export const longestWindowMs = dayMs;

/**
 * When the next offer may go out: `nowMs` where one may go at once, Infinity where the config allows none. `triedAtMs`:
 * the tries of at least the last day, in any order.
 */
export function nextSlotMs(
  triedAtMs: readonly number[],
  { maxPerHour, maxPerDay }: Pick<UpsellConfig, "maxPerHour" | "maxPerDay">,
  nowMs: number,
): number {
  return Math.max(nowMs, freeAtMs(triedAtMs, maxPerHour, hourMs), freeAtMs(triedAtMs, maxPerDay, dayMs));
}

/** When fewer than `max` tries lie in the window: the `max` newest ones decide. */
function freeAtMs(triedAtMs: readonly number[], max: number, windowMs: number): number {
  if (max <= 0) return Infinity;
  const oldestThatCounts = triedAtMs.toSorted((a, b) => b - a)[max - 1];
  return oldestThatCounts === undefined ? -Infinity : oldestThatCounts + windowMs;
}
