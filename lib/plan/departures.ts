/** Who went from a place, by choice or by a person's hand, and when they may be let in again. */
import type { Account } from "../ids.ts";
import {
  isIn,
  kicksKnownTo,
  type Departure,
  type PlaceMemory,
  type Presence,
  type Standing,
} from "../model.ts";
import { skip, type Case } from "./case.ts";

/** kicked: a person threw them out of the whole server, which says nothing of a role once they are let in again. */
export type Exit = Departure["how"] | "kicked";

/** How somebody went from a place; undefined: they did not, or have come back since, as far as is known. */
function wentBy(standing: Standing, account: Account, memory: PlaceMemory): Exit | undefined {
  const { departures, arrivals } = memory;
  const known = departures.get(account)?.how;
  switch (standing.is) {
    case "left":
    case "removed":
      return standing.is;
    case "out":
      // Whoever had left is back; what a person took from them is still taken.
      return known === "removed" ? known : undefined;
    case "absent":
      if (isThrownOut(standing, account, memory)) return "kicked";
      return known ?? (standing.joinable === true && arrivals.has(account) ? "left" : undefined);
    case "knocking":
      return known;
    case "in":
    case "invited":
    case "banned":
    case "unknown":
      return undefined;
  }
}

/** How somebody went who is not let in before the entitlement has ended and begun anew; undefined: they may be let in. */
export function barredBy(standing: Standing, account: Account, memory: PlaceMemory): Exit | undefined {
  const how = wentBy(standing, account, memory);
  // A kick has an end of its own.
  return how !== "kicked" && hasEnded(account, memory) ? undefined : how;
}

/** Whether a person threw somebody out of the server, by what it shows or by the record. */
export const isThrownOut = (standing: Standing, account: Account, { presences }: PlaceMemory): boolean =>
  standing.is === "absent" && (typeof standing.kick === "object" || presences.get(account)?.is === "kicked");

const hasEnded = (account: Account, { departures }: PlaceMemory): boolean =>
  departures.get(account)?.endedAtMs !== undefined;

// ---- While a plan is drawn up -----------------------------------------------------------------------------------

/** Remembers an arrival on the Discord server, and forgets the departure of whoever is back. */
export function noticeComing({ draft, account, standing }: Case): void {
  const { place, state, memory, seen } = draft;
  if (place.target === "discord" && isOnServer(state.members.get(account)) && !memory.arrivals.has(account))
    seen.arrivals.push(account);
  if (place.target === "discord") noticePresence(draft, account);
  const departure = memory.departures.get(account);
  if (departure === undefined) return;
  if (isIn(standing) || (standing.is === "out" && departure.how === "left")) seen.returned.push(account);
}

/** Of whom Discord tells nothing is not known to be there. */
const isOnServer = (shown: Standing | undefined): boolean =>
  shown?.is === "out" || shown?.is === "removed" || isIn(shown);

/** So old may be what is on record of somebody of whom there is no news. */
const presenceKeptMs = 3_600_000;

function noticePresence({ state, memory, given, seen }: Case["draft"], account: Account): void {
  const presence = presenceIn(state.members.get(account), given.nowMs);
  if (presence === undefined) return;
  const known = memory.presences.get(account);
  // That the log tells of no newer kick undoes none.
  if (known?.is === "kicked" && presence.is === "gone") return;
  const knownToMs = known?.kicksKnownToMs ?? -Infinity;
  if (known?.is === presence.is && presence.kicksKnownToMs - knownToMs < presenceKeptMs) return;
  const kicksKnownToMs = Math.max(knownToMs, presence.kicksKnownToMs);
  seen.presences.push({ account, presence: { ...presence, kicksKnownToMs } });
}

/** What a standing tells of the server as a whole; of whoever is absent and was not asked after, nothing. */
function presenceIn(shown: Standing | undefined, nowMs: number): Presence | undefined {
  if (isOnServer(shown)) return { is: "there", kicksKnownToMs: kicksKnownTo(nowMs) };
  if (shown?.is !== "absent" || shown.kick === undefined) return undefined;
  return shown.kick === "none"
    ? { is: "gone", kicksKnownToMs: kicksKnownTo(nowMs) }
    : { is: "kicked", kicksKnownToMs: shown.kick.atMs };
}

/** Remembers that somebody went; that a person took them out outweighs that they had left before. */
export function noticeDeparture({ draft, account, standing }: Case): void {
  // Being thrown out of the server takes no role that only comes with being brought in again.
  if (draft.place.onlyOnJoin === true && standing.is === "absent") return;
  const how = wentBy(standing, account, draft.memory);
  if (how === undefined || how === "kicked") return;
  const known = draft.memory.departures.get(account)?.how;
  if (how !== known && known !== "removed") draft.seen.departed.push({ account, how });
}

/** Whether somebody went and stays out, which is noticed and told. */
export function staysOut(it: Case): boolean {
  noticeDeparture(it);
  const how = barredBy(it.standing, it.account, it.draft.memory);
  if (how === "kicked") skip(it, "removed by a person", "a person threw them out");
  if (how === "removed") skip(it, "removed by a person", "a person took them out");
  if (how === "left") skip(it, "left by choice", "left or declined");
  return how !== undefined;
}

/** Whoever went and is not entitled any more may be let in by the next entitlement. */
export function endDeparture(it: Case): void {
  noticeDeparture(it);
  const { account, standing, draft } = it;
  const how = barredBy(standing, account, draft.memory);
  if (how === undefined || isCut(it)) return;
  if (how === "kicked") {
    if (isOverEverywhere(it)) draft.seen.kicksOver.push(account);
  } else if (how === "removed" || !isEntitledElsewhere(it)) {
    draft.seen.departureEnded.push(account);
  }
}

/** Unlinking ends no entitlement: linking again would undo what a person decided. */
const isCut = ({ verdict }: Case): boolean => verdict.is === "no" && verdict.requested === true;

/** Whoever is gone from the Discord server has left all of its roles: that lasts while any of them is still theirs. */
const isEntitledElsewhere = ({ account, standing, draft }: Case): boolean =>
  draft.place.target === "discord" &&
  standing.is === "absent" &&
  [...draft.given.want.values()].some((wishes) => wishes.get(account)?.verdict.is === "yes");

/** What a person decided outlasts a doubt. */
const isOverEverywhere = ({ account, draft }: Case): boolean =>
  [...draft.given.want.values()].every((wishes) => (wishes.get(account)?.verdict.is ?? "no") === "no");
