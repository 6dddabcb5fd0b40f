/** Who is brought into the Discord server: once, with all the roles that they are to have. */
import type { Account } from "../ids.ts";
import type { Place, PlaceMemory, PlaceState, Standing, Want } from "../model.ts";
import { barredBy, type Exit } from "./departures.ts";

interface Given {
  readonly want: Want;
  readonly have: ReadonlyMap<Place, PlaceState>;
  readonly memories: ReadonlyMap<Place, PlaceMemory>;
  readonly nowMs: number;
}

/** The accounts that a role of this run brings in; nobody in a run that does not look at all that comes with a join. */
export function whoJoins(given: Given): ReadonlySet<Account> {
  const joining = new Set<Account>();
  if (!looksAtAllJoinRoles(given)) return joining;
  for (const [place, state] of given.have) {
    if (place.onlyOnJoin === true || "unreadable" in state) continue;
    const wishes = given.want.get(place);
    for (const [account, standing] of state.members) {
      if (standing.is !== "absent" || standing.joinable !== true) continue;
      if (wishes?.get(account)?.verdict.is !== "yes" || hasLeftServer(account, given)) continue;
      if (mayJoin(place, account, standing, given)) joining.add(account);
    }
  }
  return joining;
}

/** Whether somebody left the server while entitled to a role that is still theirs: no other role that begins brings them back. */
export function hasLeftServer(
  account: Account,
  { want, memories }: Pick<Given, "want" | "memories">,
): boolean {
  for (const [place, wishes] of want) {
    const memory = memories.get(place);
    if (place.onlyOnJoin === true || memory === undefined) continue;
    if (wishes.get(account)?.verdict.is !== "yes") continue;
    const how = barredOnRecord(account, memory);
    // A role alone may be taken from somebody, who then left the server all the same, unless they asked to come back.
    if (how === "left" || (how === "removed" && memory.arrivals.has(account))) return true;
  }
  return false;
}

type Absent = Extract<Standing, { readonly is: "absent" }>;

/** How somebody who is gone is barred from a place, whatever the platform tells of how they went. */
export const barredOnRecord = (account: Account, memory: PlaceMemory): Exit | undefined =>
  barredBy({ is: "absent", joinable: true }, account, memory);

function mayJoin(place: Place, account: Account, standing: Absent, { memories, nowMs }: Given): boolean {
  const memory = memories.get(place);
  if (memory === undefined || barredBy(standing, account, memory) !== undefined) return false;
  return (memory.refusals.get(account)?.nextTryAtMs ?? 0) <= nowMs;
}

/** Somebody joins once: the roles that come with it, where this run leaves them out, would never be given. */
export const looksAtAllJoinRoles = ({ want, have }: Pick<Given, "want" | "have">): boolean =>
  [...want.keys()].every((place) => place.onlyOnJoin !== true || have.has(place));
