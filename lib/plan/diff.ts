/** From what is wanted and what is there to the steps between them. */
import { compareIds, type Account, type FanId } from "../ids.ts";
import {
  isIn,
  isOurs,
  type Grant,
  type Observations,
  type Place,
  type PlaceMemory,
  type PlaceState,
  type Plan,
  type ReadablePlace,
  type Skip,
  type SpaceRoom,
  type Standing,
  type Step,
  type Verb,
  type Verdict,
  type Want,
  type Wish,
} from "../model.ts";
import { dayOf } from "../rules.ts";
import { sortSteps } from "./evict.ts";
import { entrance, isStranger, placesById, removalsInRooms, type Ground } from "./spaces.ts";

export interface PlanGiven {
  /** Wishes of all configured places of the target: an eviction asks them all, also those that are not in `have`. */
  readonly want: Want;
  /** The places that are planned (fewer than wanted under --only), as read. */
  readonly have: ReadonlyMap<Place, PlaceState>;
  /** Of every place in `want`. */
  readonly memories: ReadonlyMap<Place, PlaceMemory>;
  readonly protectedAccounts: ReadonlySet<Account>;
  /** Since when Fanvue has been unable to tell of a fan. */
  readonly unreadableSinceMs: ReadonlyMap<FanId, number>;
  readonly unknownAfterDays: number;
  /** Grants on record in rooms that go with spaces and are no places. */
  readonly leftBehind?: Ground["leftBehind"];
  readonly nowMs: number;
}

/**
 * The whole plan of a run, sorted. Its removals are candidates, and its evictions one per place, until
 * `confirmRemovals` has seen the evidence.
 */
export function diff(given: PlanGiven): Plan {
  const ground = { leftBehind: new Map(), ...given, placesById: placesById(given) };
  const drafts = [...given.have].flatMap(([place, state]) => diffPlace(place, state, ground));
  drafts.sort((a, b) => compareIds(a.placeId, b.placeId));
  return {
    steps: sortSteps(drafts.flatMap((draft) => draft.steps)),
    skips: drafts.flatMap((draft) => draft.skips.sort(byAccount)),
    observations: new Map(drafts.map((draft) => [draft.place, observationsOf(draft)])),
  };
}

// ---- One place --------------------------------------------------------------------------------------------------

type Changeable<T> = { -readonly [Key in keyof T]: T[Key] extends readonly (infer Item)[] ? Item[] : T[Key] };

/** One place while it is looked through. */
interface Draft {
  readonly place: Place;
  readonly placeId: ReadablePlace["placeId"];
  readonly state: ReadablePlace;
  readonly memory: PlaceMemory;
  readonly given: PlanGiven & Ground;
  readonly steps: Step[];
  readonly skips: Skip[];
  readonly seen: Changeable<Observations>;
}

/** One account in one place. */
interface Case {
  readonly draft: Draft;
  readonly account: Account;
  readonly fans: readonly FanId[];
  readonly verdict: Verdict;
  readonly standing: Standing;
  readonly grant: Grant | undefined;
}

const nobody: ReadonlyMap<Account, Wish> = new Map();
const out: Standing = { is: "out" };

function diffPlace(place: Place, state: PlaceState, given: Draft["given"]): Draft[] {
  const memory = given.memories.get(place);
  if ("unreadable" in state || memory === undefined) return [];
  const { placeId } = state;
  const seen: Draft["seen"] = {
    placeId,
    adopt: [],
    found: [],
    gone: [],
    basis: [],
    departed: [],
    departureEnded: [],
    lapsed: [],
    entitledAgain: [],
  };
  const draft: Draft = { place, placeId, state, memory, given, steps: [], skips: [], seen };
  const wishes = given.want.get(place) ?? nobody;
  for (const [account, wish] of wishes) {
    const grant = memory.grants.get(account);
    if (isStranger(wish, grant)) continue;
    const { fans, verdict } = wish;
    const standing = state.members.get(account) ?? out;
    const { is } = standing;
    moves[table[verdict.is][is]]({ draft, account, fans, verdict, standing, grant });
  }
  for (const account of memory.grants.keys())
    if (!mayBeIn(state.members.get(account) ?? out)) draft.seen.gone.push(account);
  if (state.coverage === "everybody") lookAtStrangers(draft, wishes);
  return [state.rooms === undefined ? draft : withRooms(draft, state.rooms)];
}

/** A space goes first, and whoever is taken out of it is taken out of the rooms that go with it. */
function withRooms(draft: Draft, rooms: readonly SpaceRoom[]): Draft {
  const own = draft.steps.map((step): Step => ({ ...step, isSpace: true }));
  const losses = own.filter((step) => step.verb !== "grant" && step.declines !== true);
  const { steps, skips } = removalsInRooms({ ...draft, rooms }, losses, draft.given);
  return { ...draft, steps: [...own, ...steps], skips: [...draft.skips, ...skips] };
}

const mayBeIn = (standing: Standing): boolean => isIn(standing) || standing.is === "unknown";

const byAccount = (a: { account: Account }, b: { account: Account }) => compareIds(a.account, b.account);

/** Sorted: the same facts in another order give the same plan. */
function observationsOf({ seen }: Draft): Observations {
  return {
    placeId: seen.placeId,
    adopt: seen.adopt.sort(byAccount),
    found: seen.found.sort(byAccount),
    gone: seen.gone.sort(),
    basis: seen.basis.sort(byAccount),
    departed: seen.departed.sort(),
    departureEnded: seen.departureEnded.sort(),
    lapsed: seen.lapsed.sort(),
    entitledAgain: seen.entitledAgain.sort(),
  };
}

// ---- The truth table --------------------------------------------------------------------------------------------

type Move =
  | "nothing"
  | "has it"
  | "pending"
  | "grant"
  | "stays out"
  | "knocks"
  | "departed"
  | "departure over"
  | "take"
  | "unknown";

/** What is to be done where the rules say this and the platform shows that. */
const table: Record<Verdict["is"], Record<Standing["is"], Move>> = {
  yes: {
    in: "has it",
    invited: "pending",
    out: "grant",
    knocking: "grant",
    absent: "stays out",
    banned: "stays out",
    left: "departed",
    removed: "departed",
    unknown: "stays out",
  },
  no: {
    in: "take",
    invited: "take",
    out: "nothing",
    knocking: "knocks",
    absent: "nothing",
    banned: "nothing",
    left: "departure over",
    removed: "departure over",
    unknown: "stays out",
  },
  unknown: {
    in: "unknown",
    invited: "unknown",
    out: "unknown",
    knocking: "unknown",
    absent: "nothing",
    banned: "nothing",
    left: "nothing",
    removed: "nothing",
    unknown: "unknown",
  },
};

const moves: Record<Move, (it: Case) => void> = {
  nothing: () => undefined,
  "has it": entitled,
  pending(it) {
    entitled(it);
    skip(it, "pending", "invited, has not accepted yet");
  },
  grant: grantUnlessRefused,
  "stays out": skipByStanding,
  knocks: answerKnock,
  departed,
  "departure over": endDeparture,
  take,
  unknown: takeIfLongUnreadable,
};

function skip({ draft, account }: Case, why: Skip["why"], because: string): void {
  draft.skips.push({ place: draft.place, account, why, because });
}

/** Adopts, remembers by which rules, and ends a lapse. */
function entitled({ draft, account, fans, verdict, grant }: Case): void {
  const { place, memory, seen } = draft;
  if (memory.lapsedSinceMs.has(account)) seen.entitledAgain.push(account);
  const basis = verdict.is === "yes" ? verdict.basis : [];
  if (!isOurs(grant)) {
    if (place.adopt) seen.adopt.push({ account, fans, basis });
    return;
  }
  const more = basis.filter((key) => !grant.basis.includes(key));
  if (more.length > 0) seen.basis.push({ account, basis: more });
}

function grantUnlessRefused(it: Case): void {
  const { draft, account, fans, verdict } = it;
  const { place, placeId, memory, given } = draft;
  if (verdict.is !== "yes") return;
  const refusal = memory.refusals.get(account);
  if (refusal !== undefined && refusal.nextTryAtMs > given.nowMs) {
    skip(it, "refused before", `${refusal.sentence} Tried again on ${dayOf(refusal.nextTryAtMs)}.`);
    return;
  }
  const way = it.standing.is === "knocking" ? undefined : entrance(place, account, given);
  if (way !== undefined) {
    skip(it, "may enter", `may enter through ${way}`);
    return;
  }
  if (memory.lapsedSinceMs.has(account)) draft.seen.entitledAgain.push(account);
  const { because, basis } = verdict;
  draft.steps.push({ verb: "grant", place, placeId, account, fans, because, basis });
}

function skipByStanding(it: Case): void {
  const { standing } = it;
  if (standing.is === "absent") skip(it, "absent", "is not on the server yet");
  if (standing.is === "banned") skip(it, "banned", "banned; a person decided that");
  if (standing.is === "unknown" && (it.verdict.is === "yes" || it.grant !== undefined))
    skip(it, "unreadable", standing.because);
}

/** Whoever went is not pulled back until the entitlement has ended and begun anew. */
function departed(it: Case): void {
  const { draft, account, standing } = it;
  const departure = draft.memory.departures.get(account);
  if (departure?.endedAtMs !== undefined) {
    grantUnlessRefused(it);
    return;
  }
  if (departure === undefined) draft.seen.departed.push(account);
  if (standing.is === "removed") skip(it, "removed by a person", "a person took them out");
  else skip(it, "left by choice", "left or declined");
}

function endDeparture({ draft, account }: Case): void {
  const departure = draft.memory.departures.get(account);
  if (departure === undefined) draft.seen.departed.push(account);
  if (departure?.endedAtMs === undefined) draft.seen.departureEnded.push(account);
}

/** A knock of somebody who is not entitled is left for a person, unless the place declines it. */
function answerKnock(it: Case): void {
  const { draft, account, fans, verdict } = it;
  const { place, placeId, given } = draft;
  const { because } = verdict;
  if (place.knock !== "decline") skip(it, "knocking", because);
  else if (given.protectedAccounts.has(account)) skip(it, "protected", "on the protected list");
  else
    draft.steps.push({ verb: "revoke", place, placeId, account, fans, because, basis: [], declines: true });
}

// ---- Taking back ------------------------------------------------------------------------------------------------

const foundHold = "linked holders who were not entitled when this place was first applied";

function take(it: Case): void {
  const { draft, account, fans, grant, verdict } = it;
  const requested = verdict.is === "no" && verdict.requested === true;
  const isNew = grant === undefined && draft.memory.rulesHash === undefined;
  // What was asked for passes every brake: it may only ever take what is ours.
  if ((grant === undefined && !isNew) || (requested && !isOurs(grant))) {
    skip(it, "not ours", "was not given by this program");
    return;
  }
  const hold = isOurs(grant) ? undefined : foundHold;
  if (isUntouchable(it)) return;
  if (isNew) draft.seen.found.push({ account, fans });
  if (!requested && (isKept(it) || (hold === undefined && isInGrace(it)))) return;
  remove(it, { ...(hold === undefined ? {} : { hold }), ...(requested ? { requested } : {}) });
}

/** A fan of whom Fanvue has told nothing for long: only a person may decide that nothing will come any more. */
function takeIfLongUnreadable(it: Case): void {
  const { draft, standing, grant, verdict } = it;
  const hold = isIn(standing) && grant !== undefined ? longUnreadable(verdict, draft.given) : undefined;
  if (hold === undefined) {
    skip(it, "unknown", verdict.because);
    return;
  }
  if (!isUntouchable(it) && !isKept(it)) remove(it, { hold });
}

/** The reason to hold a removal, once all fans behind a verdict have been unreadable long enough. */
export function longUnreadable(
  verdict: Verdict,
  given: Pick<PlanGiven, "unreadableSinceMs" | "unknownAfterDays" | "nowMs">,
): string | undefined {
  if (verdict.is !== "unknown" || verdict.unreadableFans === undefined) return undefined;
  const since = verdict.unreadableFans.map((fan) => given.unreadableSinceMs.get(fan) ?? Infinity);
  const latest = Math.max(...since);
  return latest + given.unknownAfterDays * dayMs <= given.nowMs
    ? `Fanvue has told nothing of this fan since ${dayOf(latest)}`
    : undefined;
}

function isUntouchable(it: Case): boolean {
  const { standing, draft, account } = it;
  if ("untouchable" in standing) skip(it, "untouchable", standing.untouchable);
  else if (draft.given.protectedAccounts.has(account)) skip(it, "protected", "on the protected list");
  else return false;
  return true;
}

function isKept(it: Case): boolean {
  if (it.draft.place.onExpiry !== "keep") return false;
  skip(it, "kept", it.verdict.because);
  return true;
}

export const dayMs = 24 * 60 * 60 * 1000;

function isInGrace(it: Case): boolean {
  const { draft, account, verdict } = it;
  const { place, memory, given, seen } = draft;
  if (place.graceDays === 0 || verdict.is !== "no") return false;
  const lapsedMs = memory.lapsedSinceMs.get(account);
  if (lapsedMs === undefined) seen.lapsed.push(account);
  const endsMs = (verdict.endedAtMs ?? lapsedMs ?? given.nowMs) + place.graceDays * dayMs;
  if (endsMs <= given.nowMs) return false;
  skip(it, "in grace", `${verdict.because}; keeps access until ${dayOf(endsMs)}`);
  return true;
}

/** What was asked for takes the access back and no more: nobody is thrown out for unlinking. */
function remove(it: Case, marks: Pick<Step, "hold" | "requested">): void {
  const { draft, account, verdict, grant } = it;
  const { place, placeId } = draft;
  const verb: Verb = place.onExpiry === "evict" && marks.requested !== true ? "evict" : "revoke";
  const fans = it.fans.length > 0 ? it.fans : (grant?.fans ?? []);
  draft.steps.push({ verb, place, placeId, account, fans, because: verdict.because, basis: [], ...marks });
}

// ---- Strangers --------------------------------------------------------------------------------------------------

const strangerHold = "strangers who were here when this place was first applied";

/** Strangers are counted (staff and the bot itself are none), and taken out where the place says so. They have no fans. */
function lookAtStrangers(draft: Draft, wishes: ReadonlyMap<Account, Wish>): void {
  const { place, placeId, memory } = draft;
  for (const [account, standing] of draft.state.members) {
    const isKnock = standing.is === "knocking";
    if (!isIn(standing) && !isKnock) continue;
    if (!isStranger(wishes.get(account), memory.grants.get(account))) continue;
    const verdict: Verdict = { is: "no", because: "has no link to a fan" };
    const it: Case = { draft, account, fans: [], verdict, standing, grant: undefined };
    if (isKnock) {
      skip(it, "stranger knocking", verdict.because);
    } else if (place.strangers === "keep") {
      if (!("untouchable" in standing) || wishes.has(account)) skip(it, "stranger", verdict.because);
    } else if (!isUntouchable(it)) {
      const hold = memory.rulesHash === undefined ? { hold: strangerHold } : {};
      const because = verdict.because;
      draft.steps.push({ verb: "revoke", place, placeId, account, fans: [], because, basis: [], ...hold });
    }
  }
}
