/** From what is wanted and what is there to the steps between them. */
import { compareIds, type Account } from "../ids.ts";
import {
  isIn,
  isOurs,
  type Place,
  type PlaceState,
  type Plan,
  type SpaceRoom,
  type Standing,
  type Step,
  type Verdict,
  type Wish,
} from "../model.ts";
import { dayOf } from "../rules.ts";
import { byAccount, draftOf, observationsOf, skip, type Case, type Draft, type PlanGiven } from "./case.ts";
import { endDeparture, isThrownOut, noticeComing, noticeDeparture, staysOut } from "./departures.ts";
import { sortSteps } from "./evict.ts";
import { barredOnRecord, hasLeftServer, looksAtAllJoinRoles, whoJoins } from "./joins.ts";
import {
  entrance,
  isStranger,
  newlyBehind,
  noMoreBehind,
  openedPlaces,
  placesById,
  removalsInRooms,
  withBehind,
} from "./spaces.ts";
import { lookAtStrangers, take, takeIfLongUnreadable } from "./take.ts";

/**
 * The whole plan of a run, sorted. Its removals are candidates, and its evictions one per place, until
 * `confirmRemovals` has seen the evidence.
 */
export function diff(given: PlanGiven): Plan {
  const ground = {
    leftBehind: new Map(),
    ...given,
    placesById: placesById(given),
    joining: whoJoins(given),
  };
  const drafts = [...given.have].flatMap(([place, state]) => diffPlace(place, state, ground));
  drafts.sort((a, b) => compareIds(a.placeId, b.placeId));
  return {
    steps: sortSteps(drafts.flatMap((draft) => draft.steps)),
    skips: drafts.flatMap((draft) => draft.skips.sort(byAccount)),
    observations: new Map(drafts.map((draft) => [draft.place, observationsOf(draft)])),
  };
}

// ---- One place --------------------------------------------------------------------------------------------------

const nobody: ReadonlyMap<Account, Wish> = new Map();
const out: Standing = { is: "out" };

function diffPlace(place: Place, state: PlaceState, given: Draft["given"]): Draft[] {
  const draft = draftOf(place, state, given);
  if (draft === undefined) return [];
  const { memory } = draft;
  const { members, coverage } = draft.state;
  const wishes = given.want.get(place) ?? nobody;
  for (const [account, wish] of wishes) {
    const grant = memory.grants.get(account);
    if (isStranger(wish, grant)) continue;
    const { fans, verdict } = wish;
    const standing = members.get(account) ?? out;
    const it: Case = { draft, account, fans, verdict, standing, grant };
    noticeComing(it);
    moves[table[verdict.is][standing.is]](it);
  }
  for (const account of memory.grants.keys())
    if (!mayBeIn(members.get(account) ?? out)) draft.seen.gone.push(account);
  if (coverage === "everybody") lookAtStrangers(draft, wishes);
  const rooms = [...(draft.state.rooms ?? []), ...openedPlaces(draft, given)];
  return [rooms.length === 0 ? draft : withRooms(draft, rooms)];
}

/** A space (or a room that opens others) goes first, and whoever is taken out of it is taken out of what goes with it. */
function withRooms(draft: Draft, rooms: readonly SpaceRoom[]): Draft {
  const own = draft.steps.map((step): Step => ({ ...step, isSpace: true }));
  const losses = own.filter((step) => step.verb !== "grant" && step.declines !== true);
  const space = { ...draft, rooms };
  const behind = newlyBehind(space, draft.seen.gone, draft.given);
  // A place has a record of its own, of those whom its own rules let in.
  draft.seen.behind.push(...behind.filter(({ placeId }) => !draft.given.placesById.has(placeId)));
  draft.seen.behindNoMore.push(...noMoreBehind(space, draft.given));
  const { steps, skips } = removalsInRooms(space, losses, withBehind(draft.given, behind));
  return { ...draft, steps: [...own, ...steps], skips: [...draft.skips, ...skips] };
}

const mayBeIn = (standing: Standing): boolean => isIn(standing) || standing.is === "unknown";

// ---- The truth table --------------------------------------------------------------------------------------------

type Move =
  | "nothing"
  | "has it"
  | "pending"
  | "let in"
  | "answer"
  | "bring in"
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
    out: "let in",
    knocking: "answer",
    absent: "bring in",
    banned: "stays out",
    left: "let in",
    removed: "let in",
    unknown: "stays out",
  },
  no: {
    in: "take",
    invited: "take",
    out: "departure over",
    knocking: "knocks",
    absent: "departure over",
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
    // Once the grant is off the record, nothing tells any more that it was a person who took it.
    removed: "departed",
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
  "let in": letIn,
  answer: grantUnlessRefused,
  "bring in": bringIn,
  "stays out": skipByStanding,
  knocks: answerKnock,
  departed: noticeDeparture,
  "departure over": endDeparture,
  take,
  unknown: takeIfLongUnreadable,
};

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

// ---- Letting in -------------------------------------------------------------------------------------------------

function letIn(it: Case): void {
  if (!staysOut(it)) grantUnlessRefused(it);
}

/** Whoever is not on the server is brought in where they gave us leave to, and otherwise waited for. */
function bringIn(it: Case): void {
  const { draft, account, standing } = it;
  const { place, memory, given } = draft;
  if (given.joining.has(account)) {
    // Whoever comes for one role gets them all, but for what a person took from them.
    if (barredOnRecord(account, memory) === "removed") staysOut(it);
    else grant(it);
  } else if (place.onlyOnJoin !== true) {
    if (isThrownOut(standing, account, memory)) staysOut(it);
    else if (standing.is !== "absent" || standing.joinable !== true)
      skip(it, "absent", "is not on the server yet");
    else if (!looksAtAllJoinRoles(given))
      skip(it, "absent", "is brought in by a run that looks at all roles");
    else if (!staysOut(it)) {
      if (hasLeftServer(account, given)) skip(it, "left by choice", "left the server");
      else grantUnlessRefused(it);
    }
  }
}

/** A role that only comes with a join is given to nobody who is there already. */
function grantUnlessRefused(it: Case): void {
  const { draft, account } = it;
  const { place, memory, given } = draft;
  if (place.onlyOnJoin === true) return;
  const refusal = memory.refusals.get(account);
  if (refusal !== undefined && refusal.nextTryAtMs > given.nowMs) {
    skip(it, "refused before", `${refusal.sentence} Tried again on ${dayOf(refusal.nextTryAtMs)}.`);
    return;
  }
  const way = it.standing.is === "knocking" ? undefined : entrance(place, account, given);
  if (way === undefined) grant(it);
  else skip(it, "may enter", `may enter through ${way}`);
}

function grant({ draft, account, fans, verdict, standing }: Case): void {
  if (verdict.is !== "yes") return;
  const { place, placeId, memory } = draft;
  if (memory.lapsedSinceMs.has(account)) draft.seen.entitledAgain.push(account);
  const { because, basis } = verdict;
  const step: Step = { verb: "grant", place, placeId, account, fans, because, basis };
  draft.steps.push(standing.is === "absent" ? { ...step, joins: true } : step);
}

function skipByStanding(it: Case): void {
  const { standing } = it;
  if (standing.is === "banned") skip(it, "banned", "banned; a person decided that");
  if (standing.is === "unknown" && (it.verdict.is === "yes" || it.grant !== undefined))
    skip(it, "unreadable", standing.because);
}

/** A knock of somebody who is not entitled is left for a person, unless the place declines it. */
function answerKnock(it: Case): void {
  endDeparture(it);
  const { draft, account, fans, verdict } = it;
  const { place, placeId, given } = draft;
  const { because } = verdict;
  if (place.knock !== "decline") skip(it, "knocking", because);
  else if (given.protectedAccounts.has(account)) skip(it, "protected", "on the protected list");
  else
    draft.steps.push({ verb: "revoke", place, placeId, account, fans, because, basis: [], declines: true });
}
