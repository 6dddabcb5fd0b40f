/** What the wishes of a run rest on: what Fanvue says of fans, or who holds the roles that lists are filled from. */
import type { Account, FanId } from "../ids.ts";
import type { Facts, SourceSize } from "../facts.ts";
import type { Place, PlaceMemory, Plan, Reason, Skip, Want } from "../model.ts";
import type { ConfirmGiven } from "../plan/confirm.ts";

export type Memories = ReadonlyMap<Place, PlaceMemory>;

export interface Grounds {
  /** When they were read; undefined: none of it came from Fanvue. */
  readonly readAtMs: number | undefined;
  /** Undefined where it was not read. */
  readonly subscribers: number | undefined;
  /** What people call the fans. */
  readonly handles: ReadonlyMap<FanId, string>;
  readonly facts: Facts;
  /** Of the sources that were read whole: the brakes watch them. */
  readonly sizes: readonly SourceSize[];
  /** What could not be read, a sentence each. */
  readonly unreadable: readonly string[];
  /** Places whose ground is missing as a whole: nobody can be told to belong there, or not. */
  readonly groundless: ReadonlyMap<Place, Reason>;
  /** Who is left out before it comes to places. */
  readonly skips: readonly Skip[];
  /** Accounts that are never touched, as the places know them. */
  readonly protectedAccounts: ReadonlySet<Account>;
  /** The wishes; `owned`: those of which a grant is on record in any of the places. */
  want(owned: ReadonlySet<Account>): Want;
  /** Reads again what the removals of a plan rest on; `noteUnreadable` gets a sentence for each request that failed. */
  readAgain(
    plan: Plan,
    given: Omit<ConfirmGiven, "evidence" | "links" | "mirrored" | "nowMs">,
    noteUnreadable: (sentence: string) => void,
  ): Promise<ConfirmGiven>;
}
