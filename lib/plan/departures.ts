/** Who went from a place, by choice or by a person's hand, and when they may be let in again. */
import type { Account } from "../ids.ts";
import { isIn, type Departure, type PlaceMemory, type Standing } from "../model.ts";
import { skip, type Case } from "./case.ts";

/** How somebody went from a place; undefined: they did not, or have come back since, as far as is known. */
function wentBy(
  standing: Standing,
  account: Account,
  { departures, arrivals }: PlaceMemory,
): Departure["how"] | undefined {
  const known = departures.get(account)?.how;
  switch (standing.is) {
    case "left":
    case "removed":
      return standing.is;
    case "out":
      // Whoever had left is back; what a person took from them is still taken.
      return known === "removed" ? known : undefined;
    case "absent":
      if (standing.kicked === true) return "removed";
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
export function barredBy(
  standing: Standing,
  account: Account,
  memory: PlaceMemory,
): Departure["how"] | undefined {
  return hasEnded(account, memory) ? undefined : wentBy(standing, account, memory);
}

const hasEnded = (account: Account, { departures }: PlaceMemory): boolean =>
  departures.get(account)?.endedAtMs !== undefined;

// ---- While a plan is drawn up -----------------------------------------------------------------------------------

/** Remembers an arrival on the Discord server, and forgets the departure of whoever is back. */
export function noticeComing({ draft, account, standing }: Case): void {
  const { place, state, memory, seen } = draft;
  if (place.target === "discord" && isOnServer(state.members.get(account)) && !memory.arrivals.has(account))
    seen.arrivals.push(account);
  const departure = memory.departures.get(account);
  if (departure === undefined) return;
  if (isIn(standing) || (standing.is === "out" && departure.how === "left")) seen.returned.push(account);
}

/** Of whom Discord tells nothing is not known to be there. */
const isOnServer = (shown: Standing | undefined): boolean =>
  shown?.is === "out" || shown?.is === "removed" || isIn(shown);

/** Remembers that somebody went; that a person took them out outweighs that they had left before. */
export function noticeDeparture({ draft, account, standing }: Case): void {
  // Being thrown out of the server takes no role that only comes with being brought in again.
  if (draft.place.onlyOnJoin === true && standing.is === "absent") return;
  const how = wentBy(standing, account, draft.memory);
  const known = draft.memory.departures.get(account)?.how;
  if (how !== undefined && how !== known && known !== "removed") draft.seen.departed.push({ account, how });
}

/** Whether somebody went and stays out, which is noticed and told. */
export function staysOut(it: Case): boolean {
  noticeDeparture(it);
  const how = barredBy(it.standing, it.account, it.draft.memory);
  if (how === "removed") skip(it, "removed by a person", "a person took them out");
  if (how === "left") skip(it, "left by choice", "left or declined");
  return how !== undefined;
}

/** Whoever went and is not entitled any more may be let in by the next entitlement. */
export function endDeparture(it: Case): void {
  noticeDeparture(it);
  const { account, standing, draft } = it;
  const how = barredBy(standing, account, draft.memory);
  if (how === undefined || isCut(it) || (how === "left" && isEntitledElsewhere(it))) return;
  draft.seen.departureEnded.push(account);
}

/** Unlinking ends no entitlement: linking again would undo what a person decided. */
const isCut = ({ verdict }: Case): boolean => verdict.is === "no" && verdict.requested === true;

/** Whoever is gone from the Discord server has left all of its roles: that lasts while any of them is still theirs. */
const isEntitledElsewhere = ({ account, standing, draft }: Case): boolean =>
  draft.place.target === "discord" &&
  standing.is === "absent" &&
  [...draft.given.want.values()].some((wishes) => wishes.get(account)?.verdict.is === "yes");
