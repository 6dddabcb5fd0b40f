/** Worlds of any size to measure in: fans with accounts on Discord, what happens between two syncs, and the least that a sync must ask. */
import {
  createDiscordWorld,
  addMember,
  addRole,
  roleIdAt,
  userIdAt,
  type DiscordWorld,
} from "../sandbox/discord-world.ts";
import type { Generation } from "../sandbox/fanvue-pages.ts";
import {
  createWorld,
  dayMs,
  isReversal,
  isSubscriber,
  type FanvueWorld,
  type SandboxFan,
  type SandboxRow,
} from "../sandbox/fanvue-world.ts";

export const roles = { subscribers: roleIdAt(0), patrons: roleIdAt(1), backstage: roleIdAt(2) } as const;
export const minSpendCents = 20_000;

export interface BenchWorld {
  readonly fanvue: FanvueWorld;
  readonly discord: DiscordWorld;
  readonly fans: readonly SandboxFan[];
  readonly discordIds: ReadonlyMap<SandboxFan, string>;
  /** The post that opens the role "backstage". */
  readonly post: string;
}

const historyDays = 730;
const unlimited = 1_000_000_000;

/**
 * A quarter of the fans subscribe, a tenth bought the post, a fifth tipped, some of them much; all of them are linked
 * members of the server and have what they are entitled to, as under a tool that was used before.
 */
export function buildWorld(size: number): BenchWorld {
  const fanvue = createWorld();
  const post = fanvue.uuid("post");
  const fans = fanvue.addFans(size, (fan, index) => {
    tellHistory(fanvue, fan, index, post);
  });
  const discord = createDiscordWorld();
  discord.limits.read = { limit: unlimited, windowMs: 1000 };
  discord.limits.write = { limit: unlimited, windowMs: 1000 };
  for (const [name, id] of Object.entries(roles)) addRole(discord, { id, name, position: 10 });
  const world = {
    fanvue,
    discord,
    fans,
    post,
    discordIds: new Map(fans.map((fan, index) => [fan, userIdAt(index)])),
  };
  const due = entitlements(world);
  for (const [fan, id] of world.discordIds) {
    addMember(discord, {
      id,
      username: fan.handle,
      roles: Object.values(roles).filter((role) => due.get(role)?.has(id)),
    });
  }
  return world;
}

/** Evenly over the years of the ledger, and the same each time. */
function tellHistory(world: FanvueWorld, fan: SandboxFan, index: number, post: string): void {
  const nowMs = world.now();
  const at = (share: number) => nowMs - Math.floor(dayMs + share * historyDays * dayMs);
  const share = (index % 997) / 997;
  world.follow(fan);
  if (index % 4 === 0) world.subscribe(fan, { startedAtMs: nowMs - Math.floor((1 + share * 27) * dayMs) });
  if (index % 10 === 1) world.buyPost(fan, post, 1500, at(share));
  if (index % 5 === 2) world.tip(fan, index % 50 === 2 ? 25_000 : 700, at(share));
}

/** What happens between two syncs: one fan in a hundred tips, one in a thousand subscribes, lapses, or gets a post refunded. */
export function letTimePass({ fanvue, fans, post }: BenchWorld): void {
  const some = <T>(count: number, from: readonly T[]) => from.slice(0, Math.ceil(count));
  const subscribers = fans.filter(isSubscriber);
  const others = fans.filter((fan) => !isSubscriber(fan));
  const purchases = fanvue.earnings.filter((row) => row.postUuid === post);
  for (const fan of some(fans.length / 100, others)) fanvue.tip(fan, 25_000);
  for (const fan of some(fans.length / 1000, others.toReversed())) fanvue.subscribe(fan);
  for (const fan of some(fans.length / 1000, subscribers)) fanvue.lapse(fan);
  for (const row of some(fans.length / 1000, purchases)) fanvue.refund(row);
}

/** As many changes of the role "subscribers": half of these fans lapse, and as many others subscribe. */
export function exchangeSubscribers({ fanvue, fans }: BenchWorld, changes: number): void {
  const subscribers = fans.filter(isSubscriber);
  const others = fans.filter((fan) => !isSubscriber(fan));
  for (const fan of subscribers.slice(0, changes / 2)) fanvue.lapse(fan);
  for (const fan of others.slice(0, changes / 2)) fanvue.subscribe(fan);
}

/** The Discord ids that should have each role. */
export function entitlements({
  fanvue,
  fans,
  discordIds,
  post,
}: BenchWorld): ReadonlyMap<string, ReadonlySet<string>> {
  const spentCents = new Map<string, number>();
  const boughtCents = new Map<string, number>();
  for (const { fan, grossCents, postUuid } of fanvue.earnings) {
    if (fan === undefined) continue;
    spentCents.set(fan, (spentCents.get(fan) ?? 0) + grossCents);
    if (postUuid === post) boughtCents.set(fan, (boughtCents.get(fan) ?? 0) + grossCents);
  }
  const idsOf = (isEntitled: (fan: SandboxFan) => boolean) =>
    new Set(fans.filter(isEntitled).map((fan) => discordIds.get(fan) ?? ""));
  return new Map([
    [roles.subscribers, idsOf(isSubscriber)],
    [roles.patrons, idsOf((fan) => (spentCents.get(fan.uuid) ?? 0) >= minSpendCents)],
    [roles.backstage, idsOf((fan) => (boughtCents.get(fan.uuid) ?? 0) > 0)],
  ]);
}

// ---- The least --------------------------------------------------------------------------------------------------

const pageSize = 50;
const bulkSizes: Readonly<Record<Generation, number>> = { v1: 20, unprefixed: 100 };
const overlapMs = 2 * dayMs;

/** What a sync has to learn: whose figures it does not know, and from when on the ledger. */
export interface Unknowns {
  readonly changedFans: number;
  /** Rows of the ledger that it has to see: new ones and those of the overlap. */
  readonly rows: readonly SandboxRow[];
}

export const atFirst = ({ fanvue, fans }: BenchWorld): Unknowns => ({
  changedFans: fans.length,
  rows: fanvue.earnings,
});

/** `seenRows` is how many rows the ledger had at the sync before, which began at `lastSyncMs`; `lapsed` have lost their subscription since. */
export function since(
  { fanvue }: BenchWorld,
  before: {
    readonly seenRows: number;
    readonly lastSyncMs: number;
    readonly subscribers: ReadonlySet<string>;
  },
): Unknowns {
  const paid = fanvue.earnings.slice(before.seenRows).flatMap(({ fan }) => fan ?? []);
  const lapsed = [...before.subscribers].filter((uuid) => !isSubscriberNow(fanvue, uuid));
  return {
    changedFans: new Set([...paid, ...lapsed]).size,
    rows: fanvue.earnings.filter(({ dateMs }) => dateMs >= before.lastSyncMs - overlapMs),
  };
}

const isSubscriberNow = (world: FanvueWorld, uuid: string): boolean => {
  const fan = world.fans.get(uuid);
  return fan !== undefined && isSubscriber(fan);
};

export const subscribersOf = ({ fans }: BenchWorld): ReadonlySet<string> =>
  new Set(fans.filter(isSubscriber).map(({ uuid }) => uuid));

/** Subscribers by pages of 50, changed fans in bulk, the ledger by pages of 50; the older API keeps reversals apart. */
export function leastRequests(
  world: BenchWorld,
  { changedFans, rows }: Unknowns,
  generation: Generation,
): number {
  const reversals = rows.filter(isReversal).length;
  const books = generation === "v1" ? [rows.length] : [rows.length - reversals, reversals];
  return [
    Math.ceil(subscribersOf(world).size / pageSize),
    Math.ceil(changedFans / bulkSizes[generation]),
    ...books.map((count) => Math.max(1, Math.ceil(count / pageSize))),
  ].reduce((sum, count) => sum + count, 0);
}
