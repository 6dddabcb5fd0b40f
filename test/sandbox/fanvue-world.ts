/**
 * What the Fanvue stand-in knows: a creator, the fans, the ledger, the lists. Plain data that a test may change as it
 * likes, and actions that read like what happened: `world.subscribe(mara)`, `world.refund(row)`.
 */
import { createHash } from "node:crypto";

import { inventedHandle, shownName } from "./names.ts";

export const dayMs = 24 * 60 * 60 * 1000;
/** What Fanvue keeps of each payment. */
const feeShare = 0.2;

export interface SandboxSubscription {
  /** active, cancelled, paused, pending_confirmation, or a word that nobody has heard yet. */
  status: string;
  readonly startedAtMs: number;
  periodStartedAtMs: number;
  periodEndsAtMs: number | undefined;
  priceCents: number;
  /** 0: a free trial. */
  paidCents: number;
  autoRenew: boolean;
  /** Set: it is over, and the fan is no subscriber any more. */
  endedAtMs: number | undefined;
}

export interface SandboxFan {
  readonly uuid: string;
  handle: string;
  displayName: string;
  readonly registeredAtMs: number;
  followsSinceMs: number | undefined;
  subscription: SandboxSubscription | undefined;
  isTopSpender: boolean;
  contactable: boolean;
  muted: boolean;
  isCreator: boolean;
  /** What the insight says instead of the status that follows from the rest. */
  insightStatus: string | undefined;
}

/** One row of the ledger: a payment, a reversal (negative), or a reward (no fan). Its date is fixed. */
export interface SandboxRow {
  readonly seq: number;
  readonly dateMs: number;
  /** subscription, renewal, post, message, tip, refund, chargeback, referral, … */
  source: string;
  /** Stays after the fan is gone; the API then shows no user. */
  readonly fan: string | undefined;
  orderId: string | undefined;
  /** What the API tells of the order that this row takes back. */
  reversesOrderId: string | undefined;
  postUuid: string | undefined;
  messageUuid: string | undefined;
  grossCents: number;
  netCents: number;
}

export interface SandboxList {
  readonly uuid: string;
  name: string;
  readonly createdAtMs: number;
  readonly members: Set<string>;
  /** What the list of lists claims instead of the number of members. */
  claimedCount: number | undefined;
}

export interface SandboxMessage {
  readonly uuid: string;
  readonly fan: string;
  readonly from: "creator" | "fan";
  readonly text: string | null;
  readonly priceCents: number | null;
  readonly sentAtMs: number;
  isRead: boolean;
}

export interface SubscribeOptions {
  readonly priceCents?: number;
  /** Default: the price. 0 makes a free trial, which leaves no row in the ledger. */
  readonly paidCents?: number;
  readonly startedAtMs?: number;
  readonly days?: number;
  readonly autoRenew?: boolean;
  readonly status?: string;
}

export interface ReverseOptions {
  /** False: the reversal does not say which order it takes back. Default true. */
  readonly withOrderId?: boolean;
  /** False: it does not name the post or message either. Default true. */
  readonly withContent?: boolean;
  /** Less than the whole payment. */
  readonly cents?: number;
}

/** The data, and the two things all actions need. */
export interface WorldState {
  /** The service's clock, replaceable; also what its `Date` headers say. */
  now: () => number;
  readonly creator: { readonly uuid: string; handle: string; displayName: string; email: string };
  readonly fans: Map<string, SandboxFan>;
  /** Append only, in any order of dates. */
  readonly earnings: SandboxRow[];
  readonly customLists: Map<string, SandboxList>;
  readonly messages: SandboxMessage[];
  /** Counts the actions. Whoever changes data directly in the middle of a walk calls `touch`; a new walk looks anew anyway. */
  readonly version: number;
  touch(): void;
  /** The uuid that this world's seed gives to a label: the same label, the same uuid. */
  uuid(label: string): string;
}

export type FanvueWorld = WorldState &
  ReturnType<typeof fanActions> &
  ReturnType<typeof subscriptionActions> &
  Omit<ReturnType<typeof ledgerActions>, "append"> &
  ReturnType<typeof listActions> &
  ReturnType<typeof messageActions>;

/** A subscription that ended is kept for the insight; whoever has one that runs is a subscriber. */
export const isSubscriber = (fan: SandboxFan): boolean =>
  fan.subscription !== undefined && fan.subscription.endedAtMs === undefined;

/** Refunds and chargebacks take money back. */
export const isReversal = (row: SandboxRow): boolean =>
  row.source === "refund" || row.source === "chargeback";

function seededUuid(seed: string, label: string): string {
  const hex = createHash("sha256").update(`${seed}\n${label}`).digest("hex");
  const variant = "89ab".charAt(Number.parseInt(hex.charAt(16), 16) % 4);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join("-");
}

type Payment = Pick<SandboxRow, "source" | "grossCents"> &
  Partial<Omit<SandboxRow, "seq" | "netCents" | "source" | "grossCents">>;

function ledgerActions(world: WorldState) {
  function append(payment: Payment): SandboxRow {
    const seq = world.earnings.length;
    const row: SandboxRow = {
      seq,
      dateMs: payment.dateMs ?? world.now(),
      source: payment.source,
      fan: payment.fan,
      orderId: "orderId" in payment ? payment.orderId : world.uuid(`order ${String(seq)}`),
      reversesOrderId: payment.reversesOrderId,
      postUuid: payment.postUuid,
      messageUuid: payment.messageUuid,
      grossCents: payment.grossCents,
      netCents: Math.round(payment.grossCents * (1 - feeShare)),
    };
    world.earnings.push(row);
    world.touch();
    return row;
  }

  const reverse = (source: string, row: SandboxRow, options: ReverseOptions = {}): SandboxRow =>
    append({
      source,
      grossCents: -(options.cents ?? row.grossCents),
      fan: row.fan,
      orderId: options.withOrderId === false ? undefined : world.uuid(`${source} of ${String(row.seq)}`),
      reversesOrderId: options.withOrderId === false ? undefined : row.orderId,
      postUuid: options.withContent === false ? undefined : row.postUuid,
      messageUuid: options.withContent === false ? undefined : row.messageUuid,
    });

  const at = (dateMs: number | undefined) => (dateMs === undefined ? {} : { dateMs });
  return {
    append,
    buyPost: (fan: SandboxFan, postUuid: string, cents = 999, dateMs?: number) =>
      append({ source: "post", grossCents: cents, fan: fan.uuid, postUuid, ...at(dateMs) }),
    buyMessage: (fan: SandboxFan, messageUuid: string, cents = 999, dateMs?: number) =>
      append({ source: "message", grossCents: cents, fan: fan.uuid, messageUuid, ...at(dateMs) }),
    /** A tip names no content. */
    tip: (fan: SandboxFan, cents: number, dateMs?: number) =>
      append({ source: "tip", grossCents: cents, fan: fan.uuid, ...at(dateMs) }),
    /** Money of nobody in particular: referral, affiliate, giveaway. */
    reward: (source: string, cents: number) => append({ source, grossCents: cents, orderId: undefined }),
    refund: (row: SandboxRow, options?: ReverseOptions) => reverse("refund", row, options),
    chargeback: (row: SandboxRow, options?: ReverseOptions) => reverse("chargeback", row, options),
  };
}

function subscriptionActions(world: WorldState, append: (payment: Payment) => SandboxRow) {
  function runningSubscription(fan: SandboxFan): SandboxSubscription {
    if (fan.subscription?.endedAtMs !== undefined || fan.subscription === undefined)
      throw new Error(`${fan.handle} has no running subscription`);
    return fan.subscription;
  }

  return {
    subscribe(fan: SandboxFan, options: SubscribeOptions = {}) {
      const priceCents = options.priceCents ?? 999;
      const paidCents = options.paidCents ?? priceCents;
      const startedAtMs = options.startedAtMs ?? world.now();
      fan.subscription = {
        status: options.status ?? "active",
        startedAtMs,
        periodStartedAtMs: startedAtMs,
        periodEndsAtMs: startedAtMs + (options.days ?? 30) * dayMs,
        priceCents,
        paidCents,
        autoRenew: options.autoRenew ?? true,
        endedAtMs: undefined,
      };
      world.touch();
      if (paidCents === 0) return;
      append({ source: "subscription", grossCents: paidCents, fan: fan.uuid, dateMs: startedAtMs });
    },
    /** The next period, paid. */
    renew(fan: SandboxFan): SandboxRow {
      const subscription = runningSubscription(fan);
      subscription.periodStartedAtMs = subscription.periodEndsAtMs ?? world.now();
      subscription.periodEndsAtMs = subscription.periodStartedAtMs + 30 * dayMs;
      subscription.paidCents = subscription.priceCents;
      return append({ source: "renewal", grossCents: subscription.priceCents, fan: fan.uuid });
    },
    /** Won't renew; a subscriber until it lapses. */
    cancel(fan: SandboxFan) {
      const subscription = runningSubscription(fan);
      subscription.status = "cancelled";
      subscription.autoRenew = false;
      world.touch();
    },
    /** The subscription is over, now. */
    lapse(fan: SandboxFan) {
      const subscription = runningSubscription(fan);
      const endedAtMs = world.now();
      subscription.autoRenew = false;
      subscription.endedAtMs = endedAtMs;
      subscription.periodEndsAtMs = Math.min(subscription.periodEndsAtMs ?? endedAtMs, endedAtMs);
      world.touch();
    },
  };
}

function fanActions(world: WorldState) {
  let invented = 0;
  function freshHandle(): string {
    const handle = inventedHandle(invented++);
    return world.fans.has(world.uuid(`fan ${handle}`)) ? freshHandle() : handle;
  }

  function addFan(handle = freshHandle(), uuid = world.uuid(`fan ${handle}`)): SandboxFan {
    if (world.fans.has(uuid)) throw new Error(`there is a fan ${handle} already`);
    const fan: SandboxFan = {
      uuid,
      handle,
      displayName: shownName(handle),
      registeredAtMs: Date.UTC(2025, 0, 1) + world.fans.size * 1000,
      followsSinceMs: undefined,
      subscription: undefined,
      isTopSpender: false,
      contactable: true,
      muted: false,
      isCreator: false,
      insightStatus: undefined,
    };
    world.fans.set(uuid, fan);
    world.touch();
    return fan;
  }

  return {
    addFan,
    addFans(count: number, each?: (fan: SandboxFan, index: number) => void) {
      const fans = Array.from({ length: count }, () => addFan());
      fans.forEach((fan, index) => each?.(fan, index));
      return fans;
    },
    /** By handle; throws when there is none. */
    fan(handle: string): SandboxFan {
      const fan = world.fans.get(world.uuid(`fan ${handle}`));
      const found = fan ?? world.fans.values().find((other) => other.handle === handle);
      if (found === undefined) throw new Error(`there is no fan ${handle}`);
      return found;
    },
    follow(fan: SandboxFan) {
      fan.followsSinceMs ??= world.now();
      world.touch();
    },
    unfollow(fan: SandboxFan) {
      fan.followsSinceMs = undefined;
      world.touch();
    },
    /** The fan's account is gone: no row anywhere, no insight, rows of the ledger without a user. */
    deleteFan(fan: SandboxFan) {
      world.fans.delete(fan.uuid);
      for (const list of world.customLists.values()) list.members.delete(fan.uuid);
      world.touch();
    },
  };
}

function listActions(world: WorldState) {
  let created = 0;
  return {
    createList(name: string, ...fans: SandboxFan[]): SandboxList {
      const list: SandboxList = {
        uuid: world.uuid(`list ${String(created++)}`),
        name,
        createdAtMs: world.now(),
        members: new Set(fans.map((fan) => fan.uuid)),
        claimedCount: undefined,
      };
      world.customLists.set(list.uuid, list);
      world.touch();
      return list;
    },
    addToList(list: SandboxList, ...fans: SandboxFan[]) {
      for (const fan of fans) list.members.add(fan.uuid);
      world.touch();
    },
    removeFromList(list: SandboxList, ...fans: SandboxFan[]) {
      for (const fan of fans) list.members.delete(fan.uuid);
      world.touch();
    },
  };
}

function messageActions(world: WorldState) {
  function append(message: Pick<SandboxMessage, "fan" | "from" | "text" | "priceCents">): SandboxMessage {
    const sent: SandboxMessage = {
      ...message,
      uuid: world.uuid(`message ${String(world.messages.length)}`),
      sentAtMs: world.now(),
      isRead: false,
    };
    world.messages.push(sent);
    return sent;
  }
  return {
    sendToFan: (fan: SandboxFan, text: string | null, priceCents: number | null = null) =>
      append({ fan: fan.uuid, from: "creator", text, priceCents }),
    receiveFromFan: (fan: SandboxFan, text: string) =>
      append({ fan: fan.uuid, from: "fan", text, priceCents: null }),
  };
}

/** An empty world with a creator. `seed` decides all uuids. */
export function createWorld(options: { seed?: string; now?: () => number } = {}): FanvueWorld {
  const seed = options.seed ?? "fanvue";
  let version = 0;
  const state: WorldState = {
    now: options.now ?? Date.now,
    creator: {
      uuid: seededUuid(seed, "creator"),
      handle: "studio-meadow",
      displayName: "Studio Meadow",
      email: "studio@meadow.example",
    },
    fans: new Map(),
    earnings: [],
    customLists: new Map(),
    messages: [],
    get version() {
      return version;
    },
    touch() {
      version += 1;
    },
    uuid: (label) => seededUuid(seed, label),
  };
  const { append, ...ledger } = ledgerActions(state);
  const subscriptions = subscriptionActions(state, append);
  return Object.assign(state, {
    ...fanActions(state),
    ...subscriptions,
    ...ledger,
    ...listActions(state),
    ...messageActions(state),
  });
}
