/** What was read again just before removals decides which of the candidates go. */
import { dayMs } from "../durations.ts";
import type { Account, FanId } from "../ids.ts";
import type { Evidence, Facts } from "../facts.ts";
import type { Grant, Observations, Place, PlaceMemory, Plan, Skip, Step, Verdict, Want } from "../model.ts";
import { anyOf, confirm, dayOf, evidenceNeededFor, type Basis, type EvidenceNeeded } from "../rules.ts";
import { verdictOfLinks, type ResolvedLinks } from "../want.ts";
import { longUnreadable } from "./take.ts";
import { asRevoke, settleEvictions, sortSteps } from "./evict.ts";
import { isStranger } from "./spaces.ts";

export interface ConfirmGiven {
  /** The want of the plan (all configured places of the target). */
  readonly want: Want;
  readonly memories: ReadonlyMap<Place, PlaceMemory>;
  /** Grants of ours in places of the target that are no longer configured. */
  readonly foreignGrants: readonly Grant[];
  readonly facts: Facts;
  readonly evidence: Evidence;
  /** The links, read again. */
  readonly links: ResolvedLinks;
  /** For lists that mirror a role: the want from the peer, read again. */
  readonly mirrored?: Want;
  readonly unreadableSinceMs: ReadonlyMap<FanId, number>;
  readonly unknownAfterDays: number;
  readonly nowMs: number;
}

export interface Confirmed {
  readonly plan: Plan;
  /** Fans of whom Fanvue told nothing, in snapshot or evidence. */
  readonly unreadableFans: ReadonlySet<FanId>;
  /** Fans on record as unreadable of whom it told something again. */
  readonly readableFans: ReadonlySet<FanId>;
}

// ---- What to read again -----------------------------------------------------------------------------------------

/** What must be read again for this plan; all empty when it takes nothing from anybody. */
export function evidenceNeeded(plan: Plan, given: Pick<ConfirmGiven, "want" | "facts">): EvidenceNeeded {
  const { want, facts } = given;
  const ask = (place: Place, account: Account) => ({
    rules: place.rules,
    fans: want.get(place)?.get(account)?.fans ?? [],
  });
  const bySteps = plan.steps
    .filter((step) => step.verb !== "grant" && step.requested !== true)
    .flatMap((step) => placesEndedBy(step, want).map((place) => ask(place, step.account)));
  const byEnds = [...plan.observations].flatMap(([place, seen]) =>
    [...seen.lapsed, ...seen.departureEnded].map((account) => ask(place, account)),
  );
  const byKicks = [...plan.observations.values()].flatMap(({ kicksOver }) =>
    kicksOver.flatMap((account) => [...want.keys()].map((place) => ask(place, account))),
  );
  return evidenceNeededFor([...bySteps, ...byEnds, ...byKicks], facts);
}

/** An eviction ends every place of the target, and a removal from a room of a space whatever lets in there. */
const placesEndedBy = (step: Step, want: Want): readonly Place[] =>
  step.verb === "evict" ? [...want.keys()] : [step.place, ...(step.within?.unless ?? [])];

// ---- Judging again ----------------------------------------------------------------------------------------------

/** The plan with those removals only that the evidence bears out; the others become skips. Evictions are merged. */
export function confirmRemovals(plan: Plan, given: ConfirmGiven): Confirmed {
  const { want, foreignGrants } = given;
  const unreadable = new Set(unreadableInWant(want));
  const judge = judgeAgain(given, (fan) => unreadable.add(fan));
  const judged = plan.steps.map((step) => (step.verb === "grant" ? step : judgeStep(step, judge, given)));
  const skips = onceEach([...plan.skips, ...judged.filter((it) => "why" in it)]);
  const steps = settleEvictions(
    judged.filter((it) => "verb" in it),
    { skips, planned: new Set(plan.observations.keys()), want, foreignGrants, isOver: isOverBy(judge) },
  );
  const observations = new Map(
    [...plan.observations].map(([place, seen]) => [place, borneOut(place, seen, judge, want)]),
  );
  const toldAgain = [...given.unreadableSinceMs.keys()].filter((fan) => isTold(fan, given));
  return {
    plan: { steps: sortSteps(steps), skips, observations },
    unreadableFans: unreadable,
    readableFans: new Set(toldAgain.filter((fan) => !unreadable.has(fan))),
  };
}

/** Which of the steps still stand as they are: for removals whose turn comes late, with evidence read once more. */
export function confirmSteps(steps: readonly Step[], given: ConfirmGiven): ReadonlySet<Step> {
  const judge = judgeAgain(given, () => undefined);
  const isOver = isOverBy(judge);
  const stands = (step: Step) => {
    const judged = judgeStep(step, judge, given);
    if (!("verb" in judged) || judged.verb !== step.verb || judged.hold !== step.hold) return false;
    return (
      step.verb !== "evict" || placesEndedBy(step, given.want).every((place) => isOver(place, step.account))
    );
  };
  return new Set(steps.filter((step) => step.verb === "grant" || stands(step)));
}

type Judge = (place: Place, account: Account, unrecorded?: Basis) => Verdict;

/** Whoever holds a place without a grant on record has not got in by an unlock that we know of. */
const neverIn: Basis = { basis: [] };

function judgeAgain(given: ConfirmGiven, noteUnreadable: (fan: FanId) => void): Judge {
  const { links, facts, evidence, memories, mirrored, nowMs } = given;
  const judgeByRules: Judge = (place, account, unrecorded) => {
    const grant = memories.get(place)?.grants.get(account) ?? unrecorded;
    return verdictOfLinks(account, links, links.byAccount.get(account), ({ fan }) =>
      anyOf(place.rules.map((rule) => confirm(rule, fan, facts, evidence, grant, nowMs))),
    );
  };
  const judgeByPeer: Judge = (place, account) =>
    mirrored?.get(place)?.get(account)?.verdict ?? { is: "unknown", because: "was not read again" };
  return (place, account, unrecorded) => {
    const judge = place.mirrors === undefined ? judgeByRules : judgeByPeer;
    const verdict = judge(place, account, unrecorded);
    if (verdict.is === "unknown") verdict.unreadableFans?.forEach(noteUnreadable);
    return verdict;
  };
}

const isOverBy =
  (judge: Judge) =>
  (place: Place, account: Account): boolean =>
    judge(place, account, neverIn).is === "no";

function judgeStep(step: Step, judge: Judge, given: ConfirmGiven): Step | Skip {
  const { place, account } = step;
  const grant = given.memories.get(place)?.grants.get(account);
  if (isStranger(given.want.get(place)?.get(account), grant)) return judgeStranger(step, given);
  const otherwise = step.within?.unless.find((other) => !isOverBy(judge)(other, account));
  if (otherwise !== undefined)
    return skipOf(
      step,
      "unknown",
      `may be in ${step.within?.roomName ?? ""} by the rules of ${otherwise.id}`,
    );
  const verdict = judge(place, account, neverIn);
  if (verdict.is === "yes") return skipOf(step, "unknown", `read again: ${verdict.because}`);
  if (verdict.is === "unknown") {
    const hold = step.declines === true ? undefined : longUnreadable(verdict, given);
    return hold === undefined
      ? skipOf(step, "unknown", verdict.because)
      : { ...asRevoke(step, "nobody can tell whether the entitlement ended"), hold };
  }
  if (step.requested === true)
    return verdict.requested === true ? step : skipOf(step, "unknown", "linked again");
  const graceEndsMs = (verdict.endedAtMs ?? 0) + place.graceDays * dayMs;
  if (verdict.endedAtMs !== undefined && graceEndsMs > given.nowMs)
    return skipOf(step, "in grace", `${verdict.because}; keeps access until ${dayOf(graceEndsMs)}`);
  return { ...step, because: verdict.because };
}

/** Whoever keeps a space keeps the rooms that go with it: that is said once. */
const onceEach = (skips: readonly Skip[]): readonly Skip[] => {
  const byText = Map.groupBy(skips, ({ place, account, why, because }) =>
    [place.id, account, why, because].join("\n"),
  );
  return [...byText.values()].flatMap((same) => same.slice(0, 1));
};

const skipOf = ({ place, account }: Step, why: Skip["why"], because: string): Skip => ({
  place,
  account,
  why,
  because,
});

function judgeStranger(step: Step, { links, mirrored }: ConfirmGiven): Step | Skip {
  const { place, account } = step;
  const fans = mirrored?.get(place)?.get(account)?.fans ?? [];
  const linked = links.byAccount.has(account) || fans.length > 0;
  return linked ? skipOf(step, "unknown", "linked meanwhile") : step;
}

/**
 * A lapse or the end of a departure is remembered only when the evidence shows it: both change what happens later. A kick
 * is over only with every place.
 */
function borneOut(place: Place, seen: Observations, judge: Judge, want: Want): Observations {
  const ended = (account: Account) => judge(place, account).is === "no";
  return {
    ...seen,
    lapsed: seen.lapsed.filter(ended),
    departureEnded: seen.departureEnded.filter(ended),
    kicksOver: seen.kicksOver.filter((account) =>
      [...want.keys()].every((each) => isOverBy(judge)(each, account)),
    ),
  };
}

// ---- Unreadable fans --------------------------------------------------------------------------------------------

function* unreadableInWant(want: Want): Generator<FanId> {
  for (const wishes of want.values())
    for (const { verdict } of wishes.values())
      if (verdict.is === "unknown") yield* verdict.unreadableFans ?? [];
}

const isTold = (fan: FanId, { facts, evidence }: ConfirmGiven): boolean =>
  facts.insights.has(fan) ||
  evidence.insights.get(fan)?.known === true ||
  [facts.subscribers, facts.followers].some((list) => list.known && list.value.has(fan));
