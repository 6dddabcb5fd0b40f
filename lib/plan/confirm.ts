/** What was read again just before removals decides which of the candidates go. */
import type {
  Account,
  Evidence,
  Facts,
  FanId,
  Observations,
  Place,
  PlaceMemory,
  Plan,
  Skip,
  Step,
  Verdict,
  Want,
} from "../model.ts";
import { anyOf, confirm, dayOf, evidenceNeededFor, type Basis, type EvidenceNeeded } from "../rules.ts";
import { verdictOfLinks, type ResolvedLinks } from "../want.ts";
import { dayMs, longUnreadable } from "./diff.ts";
import { sortSteps } from "./evict.ts";

export interface ConfirmGiven {
  /** The want of the plan (all configured places of the target). */
  readonly want: Want;
  readonly memories: ReadonlyMap<Place, PlaceMemory>;
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
  return evidenceNeededFor([...bySteps, ...byEnds], facts);
}

/** An eviction ends every place of the target. */
const placesEndedBy = (step: Step, want: Want): readonly Place[] =>
  step.verb === "evict" ? [...want.keys()] : [step.place];

// ---- Judging again ----------------------------------------------------------------------------------------------

/** The plan with those removals only that the evidence bears out; the others become skips. */
export function confirmRemovals(plan: Plan, given: ConfirmGiven): Confirmed {
  const unreadable = new Set(unreadableInWant(given.want));
  const judge = judgeAgain(given, (fan) => unreadable.add(fan));
  const { steps, skips } = judgeSteps(plan.steps, judge, given);
  const observations = new Map(
    [...plan.observations].map(([place, seen]) => [place, borneOut(place, seen, judge)]),
  );
  const seenAgain = [...given.unreadableSinceMs.keys()].filter((fan) => isTold(fan, given));
  return {
    plan: { steps: sortSteps(steps), skips: [...plan.skips, ...skips], observations },
    unreadableFans: unreadable,
    readableFans: new Set(seenAgain.filter((fan) => !unreadable.has(fan))),
  };
}

/** Which of the steps still stand as they are: for removals whose turn comes late, with evidence read once more. */
export function confirmSteps(steps: readonly Step[], given: ConfirmGiven): ReadonlySet<Step> {
  const judge = judgeAgain(given, () => undefined);
  return new Set(
    steps.filter((step) => {
      const judged = step.verb === "grant" ? step : judgeStep(step, judge, given);
      return "verb" in judged && judged.verb === step.verb && judged.hold === step.hold;
    }),
  );
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

function judgeSteps(
  steps: readonly Step[],
  judge: Judge,
  given: ConfirmGiven,
): { readonly steps: Step[]; readonly skips: Skip[] } {
  const judged = steps.map((step) => (step.verb === "grant" ? step : judgeStep(step, judge, given)));
  return { steps: judged.filter((it) => "verb" in it), skips: judged.filter((it) => "why" in it) };
}

function judgeStep(step: Step, judge: Judge, given: ConfirmGiven): Step | Skip {
  const { place, account } = step;
  if (given.want.get(place)?.has(account) !== true) return judgeStranger(step, given);
  const verdict = judge(place, account, neverIn);
  if (verdict.is === "yes") return skipOf(step, "unknown", `read again: ${verdict.because}`);
  if (verdict.is === "unknown") {
    const hold = longUnreadable(verdict, given);
    return hold === undefined ? skipOf(step, "unknown", verdict.because) : { ...asRevoke(step), hold };
  }
  if (step.requested === true)
    return verdict.requested === true ? step : skipOf(step, "unknown", "linked again");
  const graceEndsMs = (verdict.endedAtMs ?? 0) + place.graceDays * dayMs;
  if (verdict.endedAtMs !== undefined && graceEndsMs > given.nowMs)
    return skipOf(step, "in grace", `${verdict.because}; keeps access until ${dayOf(graceEndsMs)}`);
  const borne = { ...step, because: verdict.because };
  return step.verb === "evict" && !mayEvict(step, judge, given.want) ? asRevoke(borne) : borne;
}

const skipOf = ({ place, account }: Step, why: Skip["why"], because: string): Skip => ({
  place,
  account,
  why,
  because,
});
const asRevoke = (step: Step): Step => ({ ...step, verb: "revoke" });

const mayEvict = (step: Step, judge: Judge, want: Want): boolean =>
  placesEndedBy(step, want).every((place) => judge(place, step.account, neverIn).is === "no");

function judgeStranger(step: Step, { links, mirrored }: ConfirmGiven): Step | Skip {
  const { place, account } = step;
  const linked = links.byAccount.has(account) || mirrored?.get(place)?.has(account) === true;
  return linked ? skipOf(step, "unknown", "linked meanwhile") : step;
}

/** A lapse or the end of a departure is remembered only when the evidence shows it: both change what happens later. */
function borneOut(place: Place, seen: Observations, judge: Judge): Observations {
  const ended = (account: Account) => judge(place, account).is === "no";
  return {
    ...seen,
    lapsed: seen.lapsed.filter(ended),
    departureEnded: seen.departureEnded.filter(ended),
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
