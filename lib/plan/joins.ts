/** Who is brought into the Discord server: once, with all the roles that they are to have. */
import type { Account } from "../ids.ts";
import type { Place, PlaceMemory, PlaceState, Want } from "../model.ts";
import { barredBy } from "./departures.ts";

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
      if (wishes?.get(account)?.verdict.is === "yes" && mayJoin(place, account, given)) joining.add(account);
    }
  }
  return joining;
}

function mayJoin(place: Place, account: Account, { memories, nowMs }: Given): boolean {
  const memory = memories.get(place);
  if (memory === undefined || barredBy({ is: "absent", joinable: true }, account, memory) !== undefined)
    return false;
  return (memory.refusals.get(account)?.nextTryAtMs ?? 0) <= nowMs;
}

/** Somebody joins once: the roles that come with it, where this run leaves them out, would never be given. */
export const looksAtAllJoinRoles = ({ want, have }: Pick<Given, "want" | "have">): boolean =>
  [...want.keys()].every((place) => place.onlyOnJoin !== true || have.has(place));
