/** How the world looks in Fanvue's JSON. Money in cents, dates in ISO 8601. */
import {
  isReversal,
  isSubscriber,
  type FanvueWorld,
  type SandboxFan,
  type SandboxRow,
} from "./fanvue-world.ts";
import type { Generation } from "./fanvue-pages.ts";

const iso = (atMs: number): string => new Date(atMs).toISOString();
const isoOrNull = (atMs: number | undefined): string | null => (atMs === undefined ? null : iso(atMs));
/** What a fan's card is charged beyond the creator's price. */
const taxShare = 0.19;

/** Fanvue adds fields without notice: one that no client knows goes with most objects. */
const surprise = { vibe: { emoji: "🦦", since: null } };

const brief = (fan: SandboxFan) => ({
  uuid: fan.uuid,
  handle: fan.handle,
  displayName: fan.displayName,
  nickname: null,
  isTopSpender: fan.isTopSpender,
});

export const fanRow = (fan: SandboxFan) => ({
  ...brief(fan),
  avatarUrl: null,
  registeredAt: iso(fan.registeredAtMs),
  ...surprise,
});

/** A row of /v1/subscribers. */
export function subscriberRow(fan: SandboxFan) {
  const { subscription } = fan;
  return {
    ...fanRow(fan),
    firstSubscribedAt: isoOrNull(subscription?.startedAtMs),
    subscription:
      subscription === undefined
        ? null
        : {
            status: subscription.status,
            price: subscription.priceCents,
            amountPaid: subscription.paidCents,
            currentPeriodStart: iso(subscription.periodStartedAtMs),
            currentPeriodEnd: isoOrNull(subscription.periodEndsAtMs),
            autoRenewalEnabled: subscription.autoRenew,
          },
  };
}

/** A row of a custom or smart list. */
export const memberRow = (fan: SandboxFan) => ({
  uuid: fan.uuid,
  displayName: fan.displayName,
  handle: fan.handle,
  isCreator: fan.isCreator,
});

/** A row of the ledger; `user` is null for rewards and for fans who are gone. */
export function earningRow(world: FanvueWorld, row: SandboxRow, generation: Generation) {
  const fan = row.fan === undefined ? undefined : world.fans.get(row.fan);
  const v1 = {
    total: Math.round(row.grossCents * (1 + taxShare)),
    reversedTransactionOrderId: row.reversesOrderId,
  };
  return {
    date: iso(row.dateMs),
    gross: row.grossCents,
    net: row.netCents,
    currency: row.seq % 3 === 0 ? null : "EUR",
    source: row.source,
    transactionOrderId: row.orderId,
    // Now and then a word that the interface description does not list.
    transactionOrderStatus: row.seq % 7 === 6 ? "underReview" : "availableForPayout",
    user: fan === undefined ? null : brief(fan),
    postUuid: row.postUuid,
    messageUuid: row.messageUuid,
    ...(generation === "v1" ? v1 : {}),
  };
}

/** A row of the unprefixed /insights/spending, which names no order. */
export function reversalRow(world: FanvueWorld, row: SandboxRow) {
  const { date, gross, net, currency, source, user, postUuid, messageUuid } = earningRow(
    world,
    row,
    "unprefixed",
  );
  return { date, gross, net, currency, source, user, postUuid, messageUuid };
}

export interface Spending {
  readonly rowsOf: (fan: SandboxFan) => readonly SandboxRow[];
  /** What the fan paid, less what was taken back. */
  readonly totalCents: (fan: SandboxFan) => number;
}

/** The ledger by fan; rows are added as they come, so that a long ledger costs nothing per request. */
export function createSpending(world: FanvueWorld): Spending {
  let indexed = 0;
  const byFan = new Map<string, SandboxRow[]>();

  function rowsOf(fan: SandboxFan): readonly SandboxRow[] {
    if (world.earnings.length < indexed) {
      byFan.clear();
      indexed = 0;
    }
    for (const row of world.earnings.slice(indexed)) {
      if (row.fan === undefined) continue;
      const rows = byFan.get(row.fan);
      if (rows === undefined) byFan.set(row.fan, [row]);
      else rows.push(row);
    }
    indexed = world.earnings.length;
    return byFan.get(fan.uuid) ?? [];
  }
  const totalCents = (fan: SandboxFan) => rowsOf(fan).reduce((sum, row) => sum + row.grossCents, 0);
  return { rowsOf, totalCents };
}

/** Fans whom the creator cannot write to, and buyers who neither follow nor subscribe, are "not_contactable". */
function insightStatus(fan: SandboxFan): string {
  if (fan.insightStatus !== undefined) return fan.insightStatus;
  if (!fan.contactable) return "not_contactable";
  if (isSubscriber(fan)) return "subscriber";
  if (fan.subscription !== undefined) return "expired";
  return fan.followsSinceMs === undefined ? "not_contactable" : "follower";
}

const insightSources: Readonly<Record<string, string>> = { renewal: "subscription", tip: "tips" };

function centsBySource(payments: readonly SandboxRow[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { source, grossCents } of payments) {
    const name = insightSources[source] ?? source;
    sums.set(name, (sums.get(name) ?? 0) + grossCents);
  }
  return sums;
}

/** The insight of one fan; undefined for somebody who is no fan of this creator: never followed, subscribed or paid. */
export function insightOf(spending: Spending, fan: SandboxFan, generation: Generation) {
  const rows = spending.rowsOf(fan);
  const { subscription } = fan;
  if (rows.length === 0 && subscription === undefined && fan.followsSinceMs === undefined) return undefined;

  const payments = rows.filter((row) => !isReversal(row));
  const paidCents = payments.reduce((sum, row) => sum + row.grossCents, 0);
  const totalCents = spending.totalCents(fan);
  const highestCents = Math.max(0, ...payments.map((row) => row.grossCents));
  const lastPurchaseAtMs = payments.reduce((newest, row) => Math.max(newest, row.dateMs), -Infinity);
  const amount = (cents: number) => ({ gross: cents, total: cents });
  return {
    status: insightStatus(fan),
    spending: {
      lastPurchaseAt: payments.length === 0 ? null : iso(lastPurchaseAtMs),
      // In v1 only `total` is net of what was taken back.
      total: { gross: generation === "v1" ? paidCents : totalCents, total: totalCents },
      maxSinglePayment: amount(highestCents),
      sources: Object.fromEntries(
        centsBySource(payments)
          .entries()
          .map(([name, cents]) => [name, amount(cents)]),
      ),
    },
    subscription: {
      createdAt: isoOrNull(subscription?.startedAtMs),
      renewsAt: isoOrNull(subscription?.periodEndsAtMs),
      autoRenewalEnabled: subscription?.autoRenew ?? false,
    },
    ...surprise,
  };
}

/** /users/me of the creator, or of a fan. */
export function meBody(world: FanvueWorld, user: string) {
  const isCreator = user === world.creator.uuid;
  const person = isCreator ? world.creator : world.fans.get(user);
  if (person === undefined) return undefined;
  const fans = [...world.fans.values()];
  return {
    uuid: person.uuid,
    email: `${person.handle}@mail.example`,
    handle: person.handle,
    displayName: person.displayName,
    bio: "",
    isCreator,
    createdAt: iso(Date.UTC(2024, 5, 1)),
    updatedAt: null,
    avatarUrl: null,
    bannerUrl: null,
    ...(isCreator
      ? {
          fanCounts: {
            followersCount: fans.filter((fan) => fan.followsSinceMs !== undefined).length,
            subscribersCount: fans.filter(isSubscriber).length,
          },
        }
      : {}),
    ...surprise,
  };
}
