/** What a platform that holds places can do: read them whole, and carry steps out. */
import type { Account, RoleId, TargetName } from "./ids.ts";
import type { Place, PlaceState, Presence, Step } from "./model.ts";

export type Outcome =
  | { readonly step: Step; readonly result: "done" }
  /** The member's own doing or state (invite blocked, guilds full, banned): remembered, no failure after the first report. */
  | { readonly step: Step; readonly result: "refused"; readonly code: string; readonly sentence: string }
  /** `blame`: "service" and "us" count towards ending the run; "place" and "member" don't. */
  | {
      readonly step: Step;
      readonly result: "failed";
      readonly blame: "service" | "us" | "place" | "member";
      readonly sentence: string;
      /** By the same request as the step before it. */
      readonly isSameRequest?: true;
    }
  /** No longer wanted when its turn came: the link fell, a later reading says yes, or the run was ended. */
  | { readonly step: Step; readonly result: "dropped"; readonly sentence: string };

/** By place and account, since when (ms, by our clock). */
export type Since = ReadonlyMap<Place, ReadonlyMap<Account, number>>;

/** What the journal knows of a target. */
export interface TargetRecord {
  /** Who is ours in a place, and since when. */
  readonly onRecord?: Since;
  /**
   * Whose grant has no outcome, and when it was planned: that they are without it is no wonder, but a person may have
   * taken it from them since.
   */
  readonly unsettled?: Since;
  readonly presences?: ReadonlyMap<Account, Presence>;
}

/** A platform that holds places. */
export interface Target {
  readonly name: TargetName;
  /** Reads the places whole; `linked` are the accounts of which a standing is needed. */
  read(
    places: readonly Place[],
    linked: ReadonlySet<Account>,
    record?: TargetRecord,
  ): Promise<ReadonlyMap<Place, PlaceState>>;
  /** What the operator should know of the platform as a whole, by the last reading: a sentence each, with its remedy. */
  warnings?(): readonly string[];
  /**
   * Carries steps out, pulling each when it can start it (so that the last look at a link happens just before).
   * Twice is the same as once. One outcome per step, in any order. Throws only for what ends the run.
   */
  perform(steps: AsyncIterable<Step>): AsyncIterable<Outcome>;
  /**
   * Reads again, once, whom these carried out steps concern, and gives those that did not stick, each with a sentence.
   * A step whose member could not be read again is taken at the platform's word. Where it is missing, so are all steps.
   */
  verify?(done: readonly Step[]): Promise<ReadonlyMap<Step, string>>;
  /** Requests sent so far. */
  requests(): number;
  /** Our clock minus the platform's `Date` header, in ms; undefined before the first answer. */
  clockSkewMs(): number | undefined;
}

export interface HoldersAsk {
  readonly roles: readonly RoleId[];
  /** The accounts of which a standing is needed. */
  readonly linked: ReadonlySet<Account>;
  /** By role, who held it when last read, as far as the journal knows. */
  readonly onRecord: ReadonlyMap<RoleId, ReadonlySet<Account>>;
}

/** Who holds the roles that lists are filled from. Throws only for what ends the run. */
export interface RoleHolders {
  read(ask: HoldersAsk): Promise<ReadonlyMap<RoleId, PlaceState>>;
  /**
   * The same for these accounts alone, each looked at by itself: what a removal from a list rests on. Of very many, some
   * are left out.
   */
  readAgain(ask: Pick<HoldersAsk, "roles" | "linked">): Promise<ReadonlyMap<RoleId, PlaceState>>;
  /** What the operator should know of the platform as a whole, by the last reading: a sentence each, with its remedy. */
  warnings(): readonly string[];
  /** Requests sent so far. */
  requests(): number;
  /** Our clock minus the platform's `Date` header, in ms; undefined before the first answer. */
  clockSkewMs(): number | undefined;
}
