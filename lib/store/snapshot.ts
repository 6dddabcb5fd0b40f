/** The newest snapshot of Fanvue, replaced whole, and the insights that are worth keeping. */
import type { Row, Sql } from "../db.ts";
import type { FanId, ListKey } from "../ids.ts";
import type { Follower, Insight, ListMembers, Subscriber } from "../facts.ts";
import {
  asFlag,
  fanIn,
  flag,
  integer,
  listKeyIn,
  optionalFlag,
  optionalInteger,
  optionalText,
  text,
} from "./columns.ts";

/** Only what was read whole; a part that is undefined was not needed. */
export interface StoredSnapshot {
  readonly endedAtMs: number;
  /** Which parts were read: a snapshot serves only those who need no other ones. */
  readonly needsKey: string;
  readonly subscribers: ReadonlyMap<FanId, Subscriber> | undefined;
  /** Followers may be older than the rest. */
  readonly followers: { readonly readAtMs: number; readonly byFan: ReadonlyMap<FanId, Follower> } | undefined;
  /** "missing": Fanvue had no such list. */
  readonly lists: ReadonlyMap<ListKey, ListMembers | "missing">;
}

/**
 * The newest snapshot, whole, or only what it says of some fans. Then a list's count is lowered by the members that are
 * left out, so that the two differ as much as ever.
 */
export function loadSnapshot(sql: Sql, fans?: readonly FanId[]): StoredSnapshot | undefined {
  const head = sql.get("SELECT * FROM snapshot");
  if (head === undefined) return undefined;
  const followersReadAtMs = optionalInteger(head, "followers_read_at_ms");
  return {
    endedAtMs: integer(head, "ended_at_ms"),
    needsKey: text(head, "needs_key"),
    subscribers: flag(head, "subscribers_read") ? loadSubscribers(sql, fans) : undefined,
    followers:
      followersReadAtMs === undefined
        ? undefined
        : { readAtMs: followersReadAtMs, byFan: loadFollowers(sql, fans) },
    lists: loadLists(sql, fans),
  };
}

/** When the newest snapshot was taken; undefined: there is none. */
export function loadSnapshotTime(sql: Sql): number | undefined {
  const head = sql.get("SELECT ended_at_ms FROM snapshot");
  return head && integer(head, "ended_at_ms");
}

/** Puts a snapshot in the place of the one before. Followers, often many, are written only when they were read anew. */
export function saveSnapshot(sql: Sql, snapshot: StoredSnapshot): void {
  const { endedAtMs, needsKey, subscribers, followers, lists } = snapshot;
  const before = sql.get("SELECT followers_read_at_ms FROM snapshot");
  const followersStand =
    before !== undefined && optionalInteger(before, "followers_read_at_ms") === followers?.readAtMs;
  sql.run(
    `INSERT OR REPLACE INTO snapshot (id, ended_at_ms, needs_key, subscribers_read, followers_read_at_ms)
     VALUES (1, ?, ?, ?, ?)`,
    [endedAtMs, needsKey, asFlag(subscribers !== undefined), followers?.readAtMs ?? null],
  );
  sql.run("DELETE FROM subscribers");
  for (const [fan, subscriber] of subscribers ?? []) saveSubscriber(sql, fan, subscriber);
  if (!followersStand) replaceFollowers(sql, followers?.byFan ?? new Map<FanId, Follower>());
  sql.run("DELETE FROM lists");
  for (const [list, members] of lists) saveList(sql, list, members);
}

function replaceFollowers(sql: Sql, followers: ReadonlyMap<FanId, Follower>): void {
  sql.run("DELETE FROM followers");
  for (const [fan, follower] of followers) saveFollower(sql, fan, follower);
}

function saveSubscriber(sql: Sql, fan: FanId, subscriber: Subscriber): void {
  const { handle, displayName, isTopSpender, status, periodEndsAtMs, isFree } = subscriber;
  sql.run(
    `INSERT INTO subscribers (fan, handle, display_name, is_top_spender, status, period_ends_at_ms, is_free)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    [
      fan,
      handle,
      displayName,
      asFlag(isTopSpender),
      status ?? null,
      periodEndsAtMs ?? null,
      isFree === undefined ? null : asFlag(isFree),
    ],
  );
}

function saveFollower(sql: Sql, fan: FanId, { handle, displayName, isTopSpender }: Follower): void {
  sql.run("INSERT INTO followers (fan, handle, display_name, is_top_spender) VALUES (?, ?, ?, ?)", [
    fan,
    handle,
    displayName,
    asFlag(isTopSpender),
  ]);
}

function saveList(sql: Sql, list: ListKey, told: ListMembers | "missing"): void {
  if (told === "missing") {
    sql.run("INSERT INTO lists (list, is_missing) VALUES (?, 1)", [list]);
    return;
  }
  const { members, count, name } = told;
  sql.run("INSERT INTO lists (list, name, member_count) VALUES (?, ?, ?)", [
    list,
    name ?? null,
    count ?? null,
  ]);
  for (const fan of members) sql.run("INSERT INTO list_members (list, fan) VALUES (?, ?)", [list, fan]);
}

/** Undefined: everybody. */
type Whose = readonly FanId[] | undefined;

const rowsOf = (sql: Sql, table: "subscribers" | "followers" | "insights", fans: Whose): readonly Row[] =>
  fans === undefined
    ? sql.all(`SELECT * FROM ${table}`)
    : sql.all(`SELECT * FROM ${table} WHERE fan IN (SELECT value FROM json_each(?))`, [JSON.stringify(fans)]);

function loadSubscribers(sql: Sql, fans: Whose): ReadonlyMap<FanId, Subscriber> {
  return new Map(
    rowsOf(sql, "subscribers", fans).map((row) => [
      fanIn(row),
      {
        ...followerIn(row),
        status: optionalText(row, "status"),
        periodEndsAtMs: optionalInteger(row, "period_ends_at_ms"),
        isFree: optionalFlag(row, "is_free"),
      },
    ]),
  );
}

function loadFollowers(sql: Sql, fans: Whose): ReadonlyMap<FanId, Follower> {
  return new Map(rowsOf(sql, "followers", fans).map((row) => [fanIn(row), followerIn(row)]));
}

const followerIn = (row: Row): Follower => ({
  handle: text(row, "handle"),
  displayName: text(row, "display_name"),
  isTopSpender: flag(row, "is_top_spender"),
});

function loadLists(sql: Sql, fans: Whose): StoredSnapshot["lists"] {
  return new Map(
    sql.all("SELECT * FROM lists").map((row): [ListKey, ListMembers | "missing"] => {
      if (flag(row, "is_missing")) return [listKeyIn(row), "missing"];
      const all = sql.all("SELECT fan FROM list_members WHERE list = ?", [text(row, "list")]).map(fanIn);
      const members = new Set(fans === undefined ? all : all.filter((fan) => fans.includes(fan)));
      const leftOut = all.length - members.size;
      const count = optionalInteger(row, "member_count");
      const name = optionalText(row, "name");
      return [
        listKeyIn(row),
        {
          ...(name === undefined ? {} : { name }),
          members,
          count: count === undefined ? undefined : count - leftOut,
        },
      ];
    }),
  );
}

// ---- Names ------------------------------------------------------------------------------------------------------

/** A fan as Fanvue named them when the newest snapshot was read. */
export interface NamedFan {
  readonly fan: FanId;
  readonly handle: string;
  readonly displayName: string;
}

/**
 * Whoever has this handle, in any case; undefined: nobody that the snapshot holds. Subscribers before followers. Takes as
 * long for somebody as for nobody.
 */
export const loadFanByHandle = (sql: Sql, handle: string): NamedFan | undefined =>
  namedFan(sql, "handle = ? COLLATE NOCASE", handle);

/** What all fans are called that the snapshot holds. */
export const loadHandles = (sql: Sql): ReadonlyMap<FanId, string> =>
  new Map(
    sql
      .all("SELECT fan, handle FROM followers UNION ALL SELECT fan, handle FROM subscribers")
      .map((row) => [fanIn(row), text(row, "handle")]),
  );

/** What a fan is called; undefined: the snapshot does not hold them. */
export const loadFanName = (sql: Sql, fan: FanId): NamedFan | undefined => namedFan(sql, "fan = ?", fan);

function namedFan(sql: Sql, condition: string, value: string): NamedFan | undefined {
  // Both tables are asked whatever the first one says: the time must not tell whether, and where, somebody is.
  const [subscriber, follower] = ["subscribers", "followers"].map((table) =>
    sql.get(`SELECT * FROM ${table} WHERE ${condition} ORDER BY fan`, [value]),
  );
  const row = subscriber ?? follower;
  return row && { fan: fanIn(row), handle: text(row, "handle"), displayName: text(row, "display_name") };
}

// ---- Insights ---------------------------------------------------------------------------------------------------

/** The insights that were kept of everybody, or of some fans. */
export function loadInsights(sql: Sql, fans?: readonly FanId[]): ReadonlyMap<FanId, Insight> {
  return new Map(
    rowsOf(sql, "insights", fans).map((row) => [
      fanIn(row),
      {
        status: text(row, "status"),
        totalCents: optionalInteger(row, "total_cents"),
        lastPurchaseAtMs: optionalInteger(row, "last_purchase_at_ms"),
        renewsAtMs: optionalInteger(row, "renews_at_ms"),
        readAtMs: integer(row, "read_at_ms"),
      },
    ]),
  );
}

/** Keeps these insights; those of other fans stay. */
export function saveInsights(sql: Sql, insights: ReadonlyMap<FanId, Insight>): void {
  for (const [fan, insight] of insights) {
    const { status, totalCents, lastPurchaseAtMs, renewsAtMs, readAtMs } = insight;
    sql.run(
      `INSERT OR REPLACE INTO insights (fan, status, total_cents, last_purchase_at_ms, renews_at_ms, read_at_ms)
       VALUES (?, ?, ?, ?, ?, ?)`,
      [fan, status, totalCents ?? null, lastPurchaseAtMs ?? null, renewsAtMs ?? null, readAtMs],
    );
  }
}
