/** What Fanvue says: the facts that the rules ask, and the evidence that is read again before a removal. */
import type { ContentId, FanId, ListKey } from "./ids.ts";

/** A fact that was read, or why it could not be. */
export type Known<T> =
  { readonly known: true; readonly value: T } | { readonly known: false; readonly why: string };

/** One row of the subscribers list. Status and dates are told by the v1 API only. */
export interface Subscriber {
  readonly handle: string;
  readonly displayName: string;
  readonly isTopSpender: boolean;
  /** v1: active, cancelled, paused, pending_confirmation or a word we don't know; undefined: the API gave none. */
  readonly status: string | undefined;
  readonly periodEndsAtMs: number | undefined;
  /** True for free and trial subscribers, undefined where the API does not tell. */
  readonly isFree: boolean | undefined;
}

export interface Follower {
  readonly handle: string;
  readonly displayName: string;
  readonly isTopSpender: boolean;
}

/** What Fanvue's insight of one fan says. */
export interface Insight {
  /** subscriber, expired, follower, not_contactable or a word we don't know. */
  readonly status: string;
  /** What the fan spent in all, net of refunds; undefined where the answer held no figure. */
  readonly totalCents: number | undefined;
  readonly lastPurchaseAtMs: number | undefined;
  /** When the subscription renews or, once expired, ended; undefined where not told. */
  readonly renewsAtMs: number | undefined;
  readonly readAtMs: number;
}

/** One row of the ledger of earnings, of either API generation. */
export interface EarningsRow {
  /** Fanvue's word: subscription, renewal, post, message, tip, refund, chargeback, … an open set. */
  readonly source: string;
  /** purchase: a fan's money · reversal: a refund or chargeback · other: rewards and what we don't know. */
  readonly kind: "purchase" | "reversal" | "other";
  readonly dateMs: number;
  /** Absent on rewards and deleted fans. */
  readonly fan: FanId | undefined;
  readonly orderId: string | undefined;
  /** On a reversal of the v1 API: the order it takes back. */
  readonly reversesOrderId: string | undefined;
  readonly postId: ContentId | undefined;
  readonly messageId: ContentId | undefined;
  readonly grossCents: number;
  readonly netCents: number;
}

/** A list read whole. */
export interface ListMembers {
  /** What Fanvue calls it; undefined where it does not tell. */
  readonly name?: string;
  readonly members: ReadonlySet<FanId>;
  /** What members are called, as far as it was asked for just now. */
  readonly handles?: ReadonlyMap<FanId, string>;
  /** What Fanvue itself counts; undefined where it does not say. */
  readonly count: number | undefined;
}

/** A list, or why it could not be read; `isMissing`: Fanvue says that there is none. */
export type ReadList =
  Known<ListMembers> | { readonly known: false; readonly why: string; readonly isMissing: true };

export const isMissing = (list: ReadList): boolean => "isMissing" in list;

/** What the ledger says of one fan and one content: bought, bought and wholly reversed, or not to be told apart. */
export type Unlock = "bought" | "reversed" | "ambiguous";

/** All that the rules may ask, read once for all places of a config. A part that no rule needs is "not read". */
export interface Facts {
  readonly readAtMs: number;
  readonly subscribers: Known<ReadonlyMap<FanId, Subscriber>>;
  readonly followers: Known<ReadonlyMap<FanId, Follower>>;
  /** Spending figures of linked fans; a fan who is missing could not be read. */
  readonly insights: ReadonlyMap<FanId, Insight>;
  readonly lists: ReadonlyMap<ListKey, ReadList>;
  /** From the ledger of earnings; unknown while its history is not read whole. */
  readonly unlocks: Known<ReadonlyMap<ContentId, ReadonlyMap<FanId, Unlock>>>;
}

/** What was read again, just before removals, of the fans and lists that they concern. Missing is unknown. */
export interface Evidence {
  readonly readAtMs: number;
  readonly insights: ReadonlyMap<FanId, Known<Insight>>;
  /** The fan's row in the subscribers or followers list, or of v1's single subscriber. */
  readonly rows: ReadonlyMap<FanId, Known<Subscriber | Follower>>;
  readonly lists: ReadonlyMap<ListKey, Known<ListMembers>>;
}

/** The size of a source that a guard watches: subscribers, followers or a list. */
export interface SourceSize {
  readonly source: string;
  /** In words; default `source`. */
  readonly name?: string;
  readonly size: number;
}
