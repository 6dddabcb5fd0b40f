/**
 * When steps may start, under limits that nobody announced.
 *
 * The answer "too many requests" does not say whom it concerns: the room, the bot, or the one who is invited. So the step
 * that met it waits, and the next one of its lane (one verb in one room) is tried alone. If that one is limited, too, it
 * is the room or the bot, and the lane waits; if it passes, it was the first one's own limit.
 */
import type { Account } from "../ids.ts";
import type { Step } from "../model.ts";

/** A step that was handed to us and has not started yet, or waits to start again. */
export interface Waiting {
  readonly step: Step;
  /** Takes its lane for itself, once everything else has had its turn. */
  readonly isLast: boolean;
  notBeforeMs: number;
  /** When its patience ends: set when it first has to wait. */
  deadlineMs: number;
}

interface Lane {
  running: number;
  notBeforeMs: number;
  /** Once the lane had to wait: the pause between two steps that keeps it from meeting the limit each time. */
  paceMs: number;
  succeededMs: number;
  /** Who met a limit since the last success. */
  readonly limited: Set<Account>;
}

/** All times are of `performance.now()`. */
export interface Lanes {
  wait(step: Step, isLast: boolean): Waiting;
  /** When it may start; undefined: not before another step has ended. */
  startMs(waiting: Waiting): number | undefined;
  started(waiting: Waiting): void;
  ended(waiting: Waiting): void;
  /** It will not be started again, whatever came of it. */
  over(waiting: Waiting): void;
  /** It was done: whoever was limited before was so for themselves. */
  succeeded(waiting: Waiting): void;
  limited(waiting: Waiting, waitMs: number): void;
  /** How long it would have to wait, in ms, where that is more than its patience. */
  hopelessMs(waiting: Waiting): number | undefined;
}

/** A longer pause is no pace but a standstill. */
const longestPaceMs = 10_000;

/** So many different accounts limited in a row hold their lane. A wait beyond all patience is mostly the member's own. */
function accountsToHold(lane: Lane, waitMs: number, patienceMs: number): number {
  if (waitMs > patienceMs) return 20;
  return lane.paceMs > 0 && waitMs <= longestPaceMs ? 1 : 2;
}

export function createLanes(patienceMs: number): Lanes {
  const lanes = new Map<string, Lane>();
  /** One step per member and room at a time. */
  const busy = new Set<string>();
  /** Removals from spaces that are not over, by member: until then, who is out of a room could walk back in. */
  const inSpaces = new Map<Account, readonly Waiting[]>();
  const waitsForSpace = (waiting: Waiting): boolean => {
    const [first] = waiting.step.verb === "revoke" ? (inSpaces.get(waiting.step.account) ?? []) : [];
    return first !== undefined && first !== waiting;
  };
  const memberOf = ({ step }: Waiting) => `${step.placeId} ${step.account}`;

  const laneOf = ({ step }: Waiting): Lane => {
    const key = `${step.verb} ${step.placeId}`;
    const lane = lanes.get(key) ?? {
      running: 0,
      notBeforeMs: 0,
      paceMs: 0,
      succeededMs: -Infinity,
      limited: new Set(),
    };
    lanes.set(key, lane);
    return lane;
  };
  const earliestMs = (waiting: Waiting) => Math.max(waiting.notBeforeMs, laneOf(waiting).notBeforeMs);

  return {
    wait(step, isLast) {
      const waiting = { step, isLast, notBeforeMs: 0, deadlineMs: Number.POSITIVE_INFINITY };
      const { account, verb, isSpace } = step;
      if (verb === "revoke" && isSpace === true)
        inSpaces.set(account, [...(inSpaces.get(account) ?? []), waiting]);
      return waiting;
    },
    startMs(waiting) {
      const lane = laneOf(waiting);
      const goesAlone = waiting.isLast || lane.limited.size > 0 || lane.paceMs > 0;
      if (busy.has(memberOf(waiting)) || waitsForSpace(waiting)) return undefined;
      if (goesAlone && lane.running > 0) return undefined;
      return earliestMs(waiting);
    },
    started(waiting) {
      busy.add(memberOf(waiting));
      laneOf(waiting).running += 1;
    },
    ended(waiting) {
      busy.delete(memberOf(waiting));
      laneOf(waiting).running -= 1;
    },
    over(waiting) {
      const { account } = waiting.step;
      const left = inSpaces.get(account)?.filter((other) => other !== waiting) ?? [];
      if (left.length > 0) inSpaces.set(account, left);
      else inSpaces.delete(account);
    },
    succeeded(waiting) {
      const lane = laneOf(waiting);
      lane.limited.clear();
      lane.succeededMs = performance.now();
      if (lane.paceMs > 0) lane.notBeforeMs = lane.succeededMs + lane.paceMs;
    },
    limited(waiting, waitMs) {
      const lane = laneOf(waiting);
      const untilMs = performance.now() + waitMs;
      waiting.notBeforeMs = untilMs;
      lane.limited.add(waiting.step.account);
      if (lane.limited.size < accountsToHold(lane, waitMs, patienceMs)) return;
      lane.notBeforeMs = untilMs;
      // From the last success to the next that is allowed: what the homeserver takes for one. Before the first, the wait.
      const nowMs = performance.now();
      const hasSucceeded = Number.isFinite(lane.succeededMs);
      const sinceMs = hasSucceeded ? Math.max(lane.succeededMs, nowMs - longestPaceMs) : nowMs;
      const intervalMs = untilMs - sinceMs;
      lane.paceMs = waitMs <= longestPaceMs ? Math.min(longestPaceMs, Math.max(lane.paceMs, intervalMs)) : 0;
    },
    hopelessMs(waiting) {
      const nowMs = performance.now();
      const startMs = earliestMs(waiting);
      if (startMs <= nowMs) return undefined;
      waiting.deadlineMs = Math.min(waiting.deadlineMs, nowMs + patienceMs);
      return startMs > waiting.deadlineMs ? startMs - nowMs : undefined;
    },
  };
}
