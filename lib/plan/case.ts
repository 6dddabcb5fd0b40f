/** One account in one place while a plan is drawn up, and the place's own part of that plan. */
import { compareIds, type Account, type FanId } from "../ids.ts";
import type {
  Grant,
  Observations,
  Place,
  PlaceMemory,
  PlaceState,
  ReadablePlace,
  Skip,
  Standing,
  Step,
  Verdict,
  Want,
} from "../model.ts";
import type { Ground } from "./spaces.ts";

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

type Changeable<T> = { -readonly [Key in keyof T]: T[Key] extends readonly (infer Item)[] ? Item[] : T[Key] };

interface Joining {
  /** Who is brought into the server by this run. */
  readonly joining: ReadonlySet<Account>;
}

/** One place while it is looked through. */
export interface Draft {
  readonly place: Place;
  readonly placeId: ReadablePlace["placeId"];
  readonly state: ReadablePlace;
  readonly memory: PlaceMemory;
  readonly given: PlanGiven & Ground & Joining;
  readonly steps: Step[];
  readonly skips: Skip[];
  readonly seen: Changeable<Observations>;
}

/** One account in one place. */
export interface Case {
  readonly draft: Draft;
  readonly account: Account;
  readonly fans: readonly FanId[];
  readonly verdict: Verdict;
  readonly standing: Standing;
  readonly grant: Grant | undefined;
}

/** A draft in which nothing was looked at yet; undefined for a place that could not be read. */
export function draftOf(place: Place, state: PlaceState, given: Draft["given"]): Draft | undefined {
  const memory = given.memories.get(place);
  if ("unreadable" in state || memory === undefined) return undefined;
  const { placeId } = state;
  const seen: Draft["seen"] = {
    placeId,
    adopt: [],
    found: [],
    gone: [],
    basis: [],
    departed: [],
    returned: [],
    arrivals: [],
    presences: [],
    kicksOver: [],
    departureEnded: [],
    lapsed: [],
    entitledAgain: [],
    behind: [],
    behindNoMore: [],
  };
  return { place, placeId, state, memory, given, steps: [], skips: [], seen };
}

/** Says why an account is left as it is. */
export function skip({ draft, account }: Case, why: Skip["why"], because: string): void {
  draft.skips.push({ place: draft.place, account, why, because });
}

export const byAccount = (a: { account: Account }, b: { account: Account }) =>
  compareIds(a.account, b.account);

/** Sorted: the same facts in another order give the same plan. */
export function observationsOf({ seen }: Draft): Observations {
  return {
    placeId: seen.placeId,
    adopt: seen.adopt.sort(byAccount),
    found: seen.found.sort(byAccount),
    gone: seen.gone.sort(),
    basis: seen.basis.sort(byAccount),
    departed: seen.departed.sort(byAccount),
    returned: seen.returned.sort(),
    arrivals: seen.arrivals.sort(),
    presences: seen.presences.sort(byAccount),
    kicksOver: seen.kicksOver.sort(),
    departureEnded: seen.departureEnded.sort(),
    lapsed: seen.lapsed.sort(),
    entitledAgain: seen.entitledAgain.sort(),
    behind: seen.behind.sort(byAccount),
    behindNoMore: seen.behindNoMore.sort(byAccount),
  };
}
