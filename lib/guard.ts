/** The brakes: which steps of a plan may go, and which wait for a person's approval. */
import { minuteMs } from "./durations.ts";
import { compareIds, type Account, type PlaceId } from "./ids.ts";
import type { SourceSize } from "./facts.ts";
import type { Place, PlaceMemory, PlaceState, Plan, ReadablePlace, Skip, Step } from "./model.ts";
import type { Accepts, Held, Limits, StepIdentity } from "./model/brakes.ts";
import { rulesHash } from "./rules.ts";

export interface GuardGiven {
  /** After `confirmRemovals`. */
  readonly plan: Plan;
  readonly have: ReadonlyMap<Place, PlaceState>;
  /** Of all configured places of the target, also those that are not in `have`. */
  readonly memories: ReadonlyMap<Place, PlaceMemory>;
  readonly limits: Limits;
  readonly sizes: readonly SourceSize[];
  /** Last accepted size by source; a source that is missing was never seen. */
  readonly acceptedSizes: ReadonlyMap<string, number>;
  /** Our clock minus the services' in ms, the one that is farthest off; undefined when none told. */
  readonly clockSkewMs: number | undefined;
  /** What the operator approves in this run. */
  readonly approved?: { readonly steps: readonly StepIdentity[]; readonly accepts: Accepts } | undefined;
  /** The plan is about some of the places only: it cannot accept what a source shrank to, which others use, too. */
  readonly isPartial?: boolean;
  /** Hexadecimal digest of a text; at least twelve digits. */
  readonly hash: (text: string) => string;
}

export interface Guarded {
  /** In the order of the plan. */
  readonly go: readonly Step[];
  /** Those of them that the operator released: the brakes do not count them. */
  readonly approved: ReadonlySet<Step>;
  readonly held: Held | undefined;
  /** To be stored beside `held`. */
  readonly accepts: Accepts;
  /** Places whose rules and id are to be remembered as applied when the run has written. */
  readonly applied: readonly Place[];
  /** Places in which strangers of the first time wait. */
  readonly strangersWait: ReadonlySet<Place>;
  /** Sizes to be remembered as accepted when the run has written. */
  readonly acceptSizes: readonly SourceSize[];
}

/** Something that holds steps. `key` goes into the hash: it names the trouble, without figures that change by themselves. */
interface Hold {
  readonly key: string;
  readonly sentence: string;
  readonly holds: (step: Step) => boolean;
}

/** Checks every limit before the first write. */
export function guard(given: GuardGiven): Guarded {
  const { plan, sizes } = given;
  const shrunk = sizes.filter((size) => isShrunk(size, given));
  const changes = changedPlaces(given);
  const { holds, steps } = heldSteps(shrunk, changes, given);
  const isTouched = ({ place }: Change) => [...steps].some((step) => touches(step, place, given));
  const approved = approvedKeys(given);
  const go = plan.steps.filter((step) => !steps.has(step));
  return {
    go,
    approved: new Set(go.filter((step) => approved.has(stepKey(step)))),
    held: steps.size === 0 ? undefined : heldOf(steps, holds, given),
    accepts: {
      rules: changes.filter(isTouched).map(acceptOf),
      sizes: steps.size === 0 || given.isPartial === true ? [] : shrunk,
    },
    applied: appliedPlaces(changes, steps, given),
    strangersWait: new Set([...steps].filter(isFirstStranger).map(({ place }) => place)),
    acceptSizes: sizes.filter((size) => !shrunk.includes(size)),
  };
}

/** What is approved or was asked for goes; then come the holds of each kind, and the limits on what they leave. */
function heldSteps(
  shrunk: readonly SourceSize[],
  changes: readonly Change[],
  given: GuardGiven,
): { readonly holds: readonly Hold[]; readonly steps: ReadonlySet<Step> } {
  const approved = approvedKeys(given);
  const bound = given.plan.steps.filter((step) => step.requested !== true && !approved.has(stepKey(step)));
  const removals = bound.filter(isRemoval);
  const holds: Hold[] = [
    ...clockHolds(given),
    ...shrunk.map((size) => shrunkHold(size, given)),
    ...changes.map((change) => changeHold(change, given)),
    ...markedHolds(removals, given),
  ];
  const leftBy = (some: readonly Hold[]) => removals.filter((step) => !some.some((hold) => hold.holds(step)));
  holds.push(...placeHolds(leftBy(holds).filter(isLoss), given));
  holds.push(...targetHolds(leftBy(holds).filter(isLoss), given));
  const held = bound.filter((step) => holds.some((hold) => hold.holds(step)));
  return {
    holds: holds.filter((hold) => held.some(hold.holds)),
    steps: new Set([...held, ...evictionsOf(held, removals)]),
  };
}

const isRemoval = (step: Step): boolean => step.verb !== "grant";
/** A stranger whom the plan itself marks: nobody's fan, and there before us. */
const isFirstStranger = (step: Step): boolean =>
  isRemoval(step) && step.fans.length === 0 && step.hold !== undefined;
/** Who is turned away at the door has lost nothing. */
const isLoss = (step: Step): boolean => isRemoval(step) && step.declines !== true;

/** Whoever has a removal that waits is not thrown out beside it: that would take the place all the same. */
function evictionsOf(held: readonly Step[], removals: readonly Step[]): readonly Step[] {
  const accounts = new Set(held.map((step) => step.account));
  return removals.filter((step) => step.verb === "evict" && accounts.has(step.account));
}

const approvedKeys = ({ approved }: GuardGiven): ReadonlySet<string> => new Set(approved?.steps.map(stepKey));

/** A step as text that is equal for the same step in every run. */
export const stepKey = ({ verb, placeId, account }: StepIdentity): string => `${verb} ${placeId} ${account}`;

function heldOf(steps: ReadonlySet<Step>, holds: readonly Hold[], { plan, hash }: GuardGiven): Held {
  const inOrder = plan.steps.filter((step) => steps.has(step));
  const sorted = [...holds].sort((a, b) => compareIds(a.key, b.key));
  const text = [...sorted.map((hold) => hold.key), ...inOrder.map(stepKey)].join("\n");
  return { hash: hash(text).slice(0, 12), steps: inOrder, reasons: sorted.map((hold) => hold.sentence) };
}

/** Whether the held set has a step that did not wait before. */
export function heldIsNew(held: Held | undefined, before: readonly StepIdentity[] | undefined): boolean {
  const known = new Set(before?.map(stepKey));
  return held?.steps.some((step) => !known.has(stepKey(step))) ?? false;
}

// ---- Clock and sources ------------------------------------------------------------------------------------------

const maxClockSkewMs = 5 * minuteMs;

/** Whether our clock (minus the services' in ms; undefined when none told) is too far off to tell what has ended. */
export const clockIsOff = (clockSkewMs: number | undefined): boolean =>
  Math.abs(clockSkewMs ?? 0) > maxClockSkewMs;

function clockHolds({ clockSkewMs = 0 }: GuardGiven): readonly Hold[] {
  if (!clockIsOff(clockSkewMs)) return [];
  const minutes = Math.round(Math.abs(clockSkewMs) / minuteMs);
  const side = clockSkewMs > 0 ? "ahead of" : "behind";
  const sentence = `The clock of this computer is ${minutes} minutes ${side} the services' clocks: what has ended cannot be told`;
  return [{ key: "clock", sentence, holds: isRemoval }];
}

const acceptedSize = (source: string, { approved, acceptedSizes }: GuardGiven): number | undefined =>
  approved?.accepts.sizes.find((size) => size.source === source)?.size ?? acceptedSizes.get(source);

function isShrunk({ source, size }: SourceSize, given: GuardGiven): boolean {
  const accepted = acceptedSize(source, given) ?? 0;
  const { maxSourceDropShare, minSourceDrop } = given.limits;
  const drop = accepted - size;
  return (size === 0 && accepted > 0) || (drop >= minSourceDrop && drop >= maxSourceDropShare * accepted);
}

const shrunkHold = ({ source, name = source, size }: SourceSize, given: GuardGiven): Hold => ({
  key: `source:${source}`,
  sentence: `${name}: ${size} now, ${acceptedSize(source, given) ?? 0} when last accepted`,
  holds: isRemoval,
});

// ---- Changed places ---------------------------------------------------------------------------------------------

interface Change {
  readonly place: Place;
  readonly state: ReadablePlace;
  /** Where the configured id led before, when it leads elsewhere now. */
  readonly movedFrom: PlaceId | undefined;
}

function* readablePlaces({
  have,
  memories,
}: GuardGiven): Generator<readonly [Place, ReadablePlace, PlaceMemory]> {
  for (const [place, state] of have) {
    const memory = memories.get(place);
    if (!("unreadable" in state) && memory !== undefined) yield [place, state, memory];
  }
}

function changedPlaces(given: GuardGiven): readonly Change[] {
  const accepted = new Set(given.approved?.accepts.rules.map(acceptKey));
  return [...readablePlaces(given)].flatMap(([place, state, memory]) => {
    const movedFrom = memory.placeId === state.placeId ? undefined : memory.placeId;
    const hasNewRules = memory.rulesHash !== undefined && memory.rulesHash !== rulesHash(place);
    const change = { place, state, movedFrom };
    const isChanged = movedFrom !== undefined || hasNewRules;
    return isChanged && !accepted.has(acceptKey(acceptOf(change))) ? [change] : [];
  });
}

type AcceptedRules = Accepts["rules"][number];
const acceptOf = ({ place, state }: Change): AcceptedRules => ({
  configuredId: place.id,
  placeId: state.placeId,
  hash: rulesHash(place),
});
const acceptKey = ({ configuredId, placeId, hash }: AcceptedRules): string =>
  `changed:${configuredId} ${placeId} ${hash}`;

/** Grants go on under new rules, which ask for them, but not into a place that the operator may never have meant. */
const changeHold = (change: Change, given: GuardGiven): Hold => {
  const { place, state, movedFrom } = change;
  return {
    key: acceptKey(acceptOf(change)),
    sentence:
      movedFrom === undefined
        ? `${state.name}: its rules have changed since they were last applied`
        : `${state.name}: ${place.id} leads to ${state.placeId} now; when last applied it led to ${movedFrom}`,
    holds: (step) => touches(step, place, given) && (isRemoval(step) || movedFrom !== undefined),
  };
};

/** An eviction takes every place in which the account has something of ours. */
const touches = (step: Step, place: Place, { memories }: GuardGiven): boolean =>
  step.place === place ||
  (step.verb === "evict" &&
    step.place.target === place.target &&
    memories.get(place)?.grants.has(step.account) === true);

/** New rules are applied once nothing of ours waits for what they will say of it. */
function appliedPlaces(
  changes: readonly Change[],
  held: ReadonlySet<Step>,
  given: GuardGiven,
): readonly Place[] {
  const changed = new Map(changes.map((change) => [change.place, change]));
  const waiting = new Set(
    given.plan.skips.filter((skip) => isWaiting(skip, given)).map((skip) => skip.place),
  );
  const isSettled = (place: Place) =>
    !waiting.has(place) && ![...held].some((step) => touches(step, place, given));
  return [...readablePlaces(given)].flatMap(([place]) => {
    const change = changed.get(place);
    const isApplied = change === undefined || (change.movedFrom === undefined && isSettled(place));
    return isApplied ? [place] : [];
  });
}

const isWaiting = ({ place, account, why }: Skip, { memories }: GuardGiven): boolean =>
  mayYetGo.has(why) && memories.get(place)?.grants.has(account) === true;

/** Skips behind which a removal may be hidden that a later run finds by itself, or once on_expiry is another. */
const mayYetGo: ReadonlySet<Skip["why"]> = new Set(["unknown", "unreadable", "in grace", "kept"]);

// ---- Marked steps -----------------------------------------------------------------------------------------------

/** Steps that the plan itself marks as to be held, one sentence per place and reason. */
function markedHolds(removals: readonly Step[], given: GuardGiven): readonly Hold[] {
  const marked = removals.filter((step) => step.hold !== undefined);
  const groups = Map.groupBy(marked, (step) => `hold:${step.placeId} ${step.hold ?? ""}`);
  return [...groups].map(([key, steps]) => {
    const [first] = steps;
    const members = new Set(steps);
    return {
      key,
      sentence: `${first?.within?.roomName ?? nameOf(first?.place, given)}: ${plural(steps.length, "removal")}: ${first?.hold ?? ""}`,
      holds: (step) => members.has(step),
    };
  });
}

function nameOf(place: Place | undefined, { have }: GuardGiven): string {
  const state = place === undefined ? undefined : have.get(place);
  return state === undefined || "unreadable" in state ? (place?.id ?? "") : state.name;
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

// ---- Limits -----------------------------------------------------------------------------------------------------

/** How many may lose access in 24 hours where `ours` had it a day ago. */
export function removalLimit(ours: number, atLeast: number, limits: Limits): number {
  const { maxRemovalShare, removalRootFactor } = limits;
  const share = Math.min(maxRemovalShare * ours, removalRootFactor * Math.sqrt(ours));
  return Math.floor(Math.max(atLeast, share) + roundingError);
}
/** 0.29 · 100 is 28.999…: what is a whole number on paper is to be one here. */
const roundingError = 1e-9;

/** A place over its limit: counted are those who lost it in the last 24 h, and those who would. */
function placeHolds(removals: readonly Step[], given: GuardGiven): readonly Hold[] {
  return [...given.memories].flatMap(([place, memory]) => {
    const own = removals.filter((step) => touches(step, place, given));
    const limit = removalLimit(memory.oursDayAgo, given.limits.minRemovalsPerPlace, given.limits);
    const losing = new Set([...memory.removedLastDay, ...own.map((step) => step.account)]);
    if (own.length === 0 || losing.size <= limit) return [];
    const sentence = overLimit(nameOf(place, given), losing.size, limit, memory.oursDayAgo);
    return [
      { key: `limit:${place.id}`, sentence, holds: (step) => isLoss(step) && touches(step, place, given) },
    ];
  });
}

/** The same over all places of the target; a person counts once. */
function targetHolds(removals: readonly Step[], given: GuardGiven): readonly Hold[] {
  if (removals.length === 0) return [];
  const { limits } = given;
  const memories = [...given.memories.values()];
  const losing = new Set(removals.map((step) => step.account));
  for (const { removedLastDay } of memories) for (const account of removedLastDay) losing.add(account);
  const isOver = (ours: number) => losing.size > removalLimit(ours, limits.minRemovalsPerTarget, limits);
  const largest = Math.max(...memories.map((memory) => memory.oursDayAgo));
  if (!isOver(largest)) return [];
  const ours = Math.max(largest, oursInAllDayAgo(memories));
  if (!isOver(ours)) return [];
  const limit = removalLimit(ours, limits.minRemovalsPerTarget, limits);
  const sentence = overLimit("All places together", losing.size, limit, ours);
  return [{ key: "limit:all", sentence, holds: isLoss }];
}

/** Nobody is counted twice who is in several places now, and nobody who only came within the day. */
function oursInAllDayAgo(memories: readonly PlaceMemory[]): number {
  const accounts = new Set<Account>();
  for (const { grants, removedLastDay } of memories) {
    for (const account of removedLastDay) accounts.add(account);
    for (const [account, { origin }] of grants) if (origin !== "found") accounts.add(account);
  }
  const dayAgo = memories.reduce((sum, memory) => sum + memory.oursDayAgo, 0);
  return Math.min(accounts.size, dayAgo);
}

const overLimit = (name: string, losing: number, limit: number, ours: number): string =>
  `${name}: ${plural(losing, "removal")} in 24 hours, ${limit} ${limit === 1 ? "is" : "are"} allowed (${ours} had access a day ago)`;
