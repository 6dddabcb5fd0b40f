/**
 * The nouns of the program: what flows through the pipeline
 * (snapshot → evaluate → want → have → diff → confirm → guard → apply → report). Types, and what follows from them alone; no I/O.
 */
import type {
  Account,
  ContentId,
  DiscordUserId,
  FanId,
  ListId,
  ListKey,
  Mxid,
  PlaceId,
  Platform,
  RoleId,
  TargetName,
} from "./ids.ts";

// ---- Rules and places -------------------------------------------------------------------------------------------

export interface ListRef {
  readonly type: "custom" | "smart";
  readonly id: ListId;
}
/** A custom list by the name that it has on Fanvue. It cannot be read before its id was found. */
export interface NamedList {
  readonly type: "named";
  readonly id: ListId;
}
export const listKey = (list: ListRef | NamedList): ListKey => `${list.type}:${list.id}` as ListKey;

/** A list in words. */
export const listInWords = ({ type, id }: ListRef | NamedList): string =>
  type === "named" ? `list "${id}"` : `${type} list ${id}`;

export type Rule =
  | { readonly kind: "subscription"; readonly freeTrial: boolean }
  | { readonly kind: "spending"; readonly minCents: number }
  | { readonly kind: "top_spender" }
  | { readonly kind: "unlock"; readonly contentId: ContentId }
  | { readonly kind: "fanvue_list"; readonly list: ListRef | NamedList };

/** What happens to a member whose entitlement ended: taken from the place, thrown out of the guild, or nothing. */
export type OnExpiry = "revoke" | "evict" | "keep";

/** A Fanvue list that is filled from the holders of a Discord role. */
export interface Mirror {
  readonly role: RoleId;
  readonly list: ListRef | NamedList;
  /** A list by its name is made where there is none. */
  readonly makes: boolean;
}

/**
 * A place as configured. `id` is what the operator wrote: role id, room id or alias, or, of a list that is filled, the
 * name of its entry.
 */
export interface Place {
  readonly target: TargetName;
  readonly id: string;
  /** Any rule that says yes lets in. */
  readonly rules: readonly Rule[];
  readonly onExpiry: OnExpiry;
  readonly graceDays: number;
  readonly strangers: "keep" | "remove";
  readonly adopt: boolean;
  /** A space: whoever is taken out of it is taken out of all rooms in it, not only of those that open to its members. */
  readonly cascade?: true;
  /** A room: the knock of somebody who is linked and not entitled is declined; otherwise it is left for a person. */
  readonly knock?: "decline";
  /** A Discord role that comes with being brought into the server and in no other way; the rules say when it ends. */
  readonly onlyOnJoin?: true;
  /** The entry of list_sync that the place comes from. */
  readonly entry?: string;
  /** A Fanvue list that is filled from the holders of a Discord role: then there are no rules. */
  readonly mirrors?: Mirror;
}

/**
 * Where the config alone says that a place leads; undefined where the platform has to be asked: an alias leads to a room,
 * a room to the newer one that took its place, a name to a list.
 */
export function placeIdByConfig({ target, id, mirrors }: Place): PlaceId | undefined {
  switch (target) {
    case "discord":
      return id as PlaceId;
    case "matrix":
      return undefined;
    case "fanvue-lists":
      if (mirrors === undefined) return id as PlaceId;
      return mirrors.list.type === "named" ? undefined : (mirrors.list.id as string as PlaceId);
  }
}

/** A place as its operator finds it in the config. */
export const placeInConfig = ({ id, entry }: Place): string =>
  entry === undefined || entry === id ? id : `${entry}: ${id}`;

// ---- Verdicts and wishes ----------------------------------------------------------------------------------------

/** `because` is for the operator and may name figures; nothing of it goes to a platform. */
export type Verdict =
  | {
      readonly is: "yes";
      readonly because: string;
      readonly basis: readonly string[];
      readonly endsAtMs?: number;
    }
  /** `requested`: the fan or the operator cut the link, which is all the evidence there is to be. */
  | {
      readonly is: "no";
      readonly because: string;
      readonly endedAtMs?: number;
      readonly requested?: boolean;
    }
  /** `unreadableFans`: nothing but these fans' own figures is in the way. */
  | { readonly is: "unknown"; readonly because: string; readonly unreadableFans?: readonly FanId[] };

/** fan ↔ account, from what fans proved or the operator entered (database), or from an address book. */
export interface Link {
  readonly fan: FanId;
  readonly platform: Platform;
  readonly account: DiscordUserId | Mxid;
  readonly source: "proved" | "operator" | "book";
  /** The file name of the book it stands, or stood, in. */
  readonly book?: string;
  /** A book's link that stood there at an earlier run and no longer does: counts as unknown. */
  readonly missing: boolean;
}

/** What is wanted for one account in one place. */
export interface Wish {
  readonly account: Account;
  readonly fans: readonly FanId[];
  readonly verdict: Verdict;
}
/** Wishes by place and account; an account that is missing has no link and is a stranger. */
export type Want = ReadonlyMap<Place, ReadonlyMap<Account, Wish>>;

// ---- What a platform shows --------------------------------------------------------------------------------------

/**
 * How an account stands in a place.
 * out: may be granted · absent: not in the guild (joinable: they gave us the login to bring them in; kick: what the audit
 * log, where it was asked and told, has of a person who threw them out) · left: went or declined by choice · removed: a
 * person took it out · unknown: could not be read. An account that is missing in `members` is out.
 */
export type Standing =
  | { readonly is: "in" | "invited"; readonly untouchable?: string }
  | { readonly is: "absent"; readonly joinable?: true; readonly kick?: Kick | "none" }
  | { readonly is: "out" | "knocking" | "banned" | "left" | "removed" }
  | { readonly is: "unknown"; readonly because: string };

/** When a person threw somebody out of the Discord server, by Discord's clock. */
export interface Kick {
  readonly atMs: number;
}

/** Whether an account has the place or an open invitation to it. */
export const isIn = (standing: Standing | undefined): boolean =>
  standing?.is === "in" || standing?.is === "invited";

/** Why a place cannot be read or managed: a sentence and what to do. */
export interface Reason {
  readonly because: string;
  readonly remedy: string;
  /** The place surely is no more, and nobody has it. */
  readonly isGone?: true;
  /** Of a service's own trouble, which most often ends without anybody's doing. */
  readonly isPassing?: true;
}

/**
 * A room (or a space) whose members are there by a space: it opens to the space's members, or to those of another such
 * room, or it lies in a space that hands removals on.
 */
export interface SpaceRoom {
  readonly placeId: PlaceId;
  readonly name: string;
  readonly isSpace: boolean;
  readonly members: ReadonlyMap<Account, Standing>;
  readonly opensTo: ReadonlySet<PlaceId>;
}

export type PlaceState =
  | {
      readonly placeId: PlaceId;
      /** What people call it on the platform. */
      readonly name: string;
      readonly members: ReadonlyMap<Account, Standing>;
      /** "linked": only the accounts we asked for were looked at, so nobody else may be judged. */
      readonly coverage: "everybody" | "linked";
      /** What the operator should know of this place, each with its remedy. */
      readonly warnings: readonly string[];
      /** What fans are called who were seen there. */
      readonly handles?: ReadonlyMap<FanId, string>;
      /** Places whose members may enter this one without an invitation. */
      readonly opensTo?: ReadonlySet<PlaceId>;
      /** Of a space, the rooms that go with it; undefined for what is no space. */
      readonly rooms?: readonly SpaceRoom[];
    }
  | { readonly unreadable: Reason };
export type ReadablePlace = Exclude<PlaceState, { unreadable: Reason }>;

// ---- Ownership --------------------------------------------------------------------------------------------------

/**
 * One access that is ours, or that we found.
 * granted: we gave it · adopted: first seen linked and entitled · found: a linked, not entitled holder when the place was first applied
 */
export interface Grant {
  readonly placeId: PlaceId;
  readonly account: Account;
  readonly fans: readonly FanId[];
  readonly origin: "granted" | "adopted" | "found";
  /** The rules that ever justified it, as `ruleKey`s. */
  readonly basis: readonly string[];
  readonly sinceMs: number;
  /** False: the step that gives it has no outcome yet. */
  readonly settled: boolean;
}

/** Who was found in a place is on record, but not ours. */
export const isOurs = (grant: Grant | undefined): grant is Grant =>
  grant !== undefined && grant.origin !== "found";

/** Somebody who left by choice or was taken out by a person, and whether the entitlement has ended since. */
export interface Departure {
  readonly account: Account;
  readonly how: "left" | "removed";
  readonly noticedAtMs: number;
  readonly endedAtMs: number | undefined;
}

/**
 * What is known of an account and the Discord server as a whole.
 * there: was, when last looked for · gone: and no person's doing, or it is over · kicked: a person threw them out, and the
 * entitlement has not ended since
 */
export interface Presence {
  readonly is: "there" | "gone" | "kicked";
  /** By Discord's clock: kicks up to then are known, or undone. */
  readonly kicksKnownToMs: number;
}

/** Our clock and Discord's may be minutes apart, and a reading takes its time. */
const presenceSlackMs = 15 * 60_000;

/** Up to when kicks are undone or known for certain, if somebody is seen on the server, or asked after, at this time of ours. */
export const kicksKnownTo = (nowMs: number): number => nowMs - presenceSlackMs;

/** A member's own refusal (invite blocked, guilds full): not tried again before `nextTryAtMs`. */
export interface Refusal {
  readonly account: Account;
  readonly sentence: string;
  readonly times: number;
  readonly nextTryAtMs: number;
}

/** All that the database remembers of one place, as the pure floors need it. */
export interface PlaceMemory {
  /** Hash of the rules that were last applied; undefined: the place was never applied. */
  readonly rulesHash: string | undefined;
  /** Where the configured id led when last applied. */
  readonly placeId: PlaceId | undefined;
  /** Strangers of the first time still wait for approval. */
  readonly strangersWait: boolean;
  readonly grants: ReadonlyMap<Account, Grant>;
  readonly departures: ReadonlyMap<Account, Departure>;
  /** Linked accounts that were ever seen on the Discord server: of the whole target, not of this place alone. */
  readonly arrivals: ReadonlySet<Account>;
  /** Linked accounts that were seen on the Discord server or asked after: of the whole target as well. */
  readonly presences: ReadonlyMap<Account, Presence>;
  readonly refusals: ReadonlyMap<Account, Refusal>;
  /** Since when an account of ours is not entitled; cleared by a yes. */
  readonly lapsedSinceMs: ReadonlyMap<Account, number>;
  /** Accounts that lost this place in the last 24 h without an approval, and how many were ours 24 h ago. */
  readonly removedLastDay: ReadonlySet<Account>;
  readonly oursDayAgo: number;
}

/** A place was never applied, or its configured id leads to this one now: who is there came without us. */
export const isNewPlace = (
  { rulesHash, placeId: before }: Pick<PlaceMemory, "rulesHash" | "placeId">,
  placeId: PlaceId,
): boolean => rulesHash === undefined || before !== placeId;

// ---- Plan -------------------------------------------------------------------------------------------------------

export type Verb = "grant" | "revoke" | "evict";

export interface Step {
  readonly verb: Verb;
  readonly place: Place;
  readonly placeId: PlaceId;
  readonly account: Account;
  readonly fans: readonly FanId[];
  /** For the operator and the journal; never sent to a platform. */
  readonly because: string;
  /** For a grant: the `ruleKey`s that say yes. */
  readonly basis: readonly string[];
  /** Always held for approval, whatever the limits say, and why. */
  readonly hold?: string;
  /** Asked for by the fan or the operator (unlink, `links remove`): limits don't count it. */
  readonly requested?: boolean;
  /** In a space: goes before the account's other steps of this kind, since rooms open to the space's members. */
  readonly isSpace?: true;
  /** A grant to somebody who is not on the Discord server yet: they are brought in, with this and their other such roles. */
  readonly joins?: true;
  /** A removal from a room that goes with a space, which is `place`. */
  readonly within?: {
    readonly roomName: string;
    /** The account stays in the room unless the rules of all of these say no: they let it in there, too. */
    readonly unless: readonly Place[];
    /** The room is a place of the config itself, with rules of its own. */
    readonly isPlace: boolean;
  };
  /** Declines a knock: nobody loses anything by it, so limits don't count it. */
  readonly declines?: true;
}

/** Why an account is left as it is although the wish differs, or is worth a line. */
export interface Skip {
  readonly place: Place;
  readonly account: Account;
  readonly why:
    | "pending"
    | "banned"
    | "left by choice"
    | "removed by a person"
    | "unknown"
    | "untouchable"
    | "protected"
    | "not ours"
    | "kept"
    | "in grace"
    | "absent"
    | "stranger"
    | "refused before"
    | "unreadable"
    | "may enter"
    | "knocking"
    | "stranger knocking"
    | "unlinked";
  readonly because: string;
}

/** What a real run writes about ownership beside its steps. All by account. */
export interface Observations {
  readonly placeId: PlaceId;
  readonly adopt: readonly { account: Account; fans: readonly FanId[]; basis: readonly string[] }[];
  /** Linked, not ours, not entitled, while the place was never applied. */
  readonly found: readonly { account: Account; fans: readonly FanId[] }[];
  /** Ours on record, but a whole read no longer shows the holder. */
  readonly gone: readonly Account[];
  /** Grants of ours that new rules justify too. */
  readonly basis: readonly { account: Account; basis: readonly string[] }[];
  readonly departed: readonly { account: Account; how: Departure["how"] }[];
  /** Departed by choice, and here again by themselves (or let in again by a person). */
  readonly returned: readonly Account[];
  /** Linked accounts seen on the Discord server for the first time. */
  readonly arrivals: readonly Account[];
  /** Who is on the Discord server, or went, and what is known of kicks: what is news. */
  readonly presences: readonly { account: Account; presence: Presence }[];
  /** Thrown out of the server, and entitled to nothing there any more: the next entitlement brings in again. */
  readonly kicksOver: readonly Account[];
  /** Departed, and not entitled any more: the next entitlement invites again. */
  readonly departureEnded: readonly Account[];
  readonly lapsed: readonly Account[];
  readonly entitledAgain: readonly Account[];
  /** In a room of this space, and out of the space without our doing: what came with it is to be taken back, too. */
  readonly behind: readonly Grant[];
  /** On record in a room of this space, and not in there any more. */
  readonly behindNoMore: readonly Grant[];
}

/** The whole plan of a run before any write, sorted: grants, revokes, evictions; then place, then account. */
export interface Plan {
  readonly steps: readonly Step[];
  readonly skips: readonly Skip[];
  readonly observations: ReadonlyMap<Place, Observations>;
}
