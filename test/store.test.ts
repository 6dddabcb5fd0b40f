/** What the database remembers of links, sources, snapshots, earnings and held sets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase, type Sql } from "../lib/db.ts";
import {
  type FanId,
  type Mxid,
  parseContentId,
  parseDiscordUserId,
  parseFanId,
  parseListId,
  parseMxid,
  type TargetName,
} from "../lib/ids.ts";
import type { EarningsRow, Follower, Insight } from "../lib/facts.ts";
import { listKey, type Place, type Step } from "../lib/model.ts";
import { placeIdIn } from "../lib/store/columns.ts";
import { appendEarnings, countEarnings, loadEarnings, loadEarningsBetween } from "../lib/store/earnings.ts";
import { clearHeld, type HeldSet, loadCurrentHeld, loadHeld, saveHeld } from "../lib/store/held.ts";
import type { Accepts } from "../lib/model/brakes.ts";
import {
  countMessagedSince,
  loadInvitedFans,
  loadInvite,
  saveInvite,
  saveInviteSent,
  type SentState,
  useInvite,
} from "../lib/store/link-invites.ts";
import {
  addLink,
  inviteAgain,
  loadBlocks,
  loadBookLinks,
  loadBooks,
  loadLinksVersion,
  loadStoredLinks,
  removeLink,
  saveBooks,
} from "../lib/store/links.ts";
import { loadMeta, saveMeta } from "../lib/store/meta.ts";
import { loadPlaceMemory, saveObservations } from "../lib/store/places.ts";
import { loadArrivals } from "../lib/store/presence.ts";
import {
  loadInsights,
  loadSnapshot,
  saveInsights,
  saveSnapshot,
  type StoredSnapshot,
} from "../lib/store/snapshot.ts";
import {
  acceptSourceSizes,
  loadSourceSizes,
  loadUnreadableFans,
  saveUnreadableFans,
} from "../lib/store/sources.ts";
import { temporaryFolder } from "./harness.ts";

const dayMs = 24 * 60 * 60 * 1000;
const nowMs = Date.UTC(2026, 10, 23, 12);

function must<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}
const fan1 = must(parseFanId("11111111-1111-4111-8111-111111111111"));
const fan2 = must(parseFanId("22222222-2222-4222-8222-222222222222"));
const ana = must(parseMxid("@ana:hs.org"));
const bo = must(parseMxid("@bo:hs.org"));
const room = placeIdIn({ place_id: "!vip:hs.org" });
const pair = (fan: FanId, account: Mxid) => ({ fan, platform: "matrix" as const, account });

/** What `fn` gives in a database of its own, which ends with the test. */
function inDatabase<T>(t: Parameters<typeof temporaryFolder>[0], fn: (sql: Sql) => T): Promise<T> {
  return openDatabase(temporaryFolder(t)).write(fn);
}

const storedPairs = (sql: Sql) =>
  loadStoredLinks(sql).map(({ account, fan, source }) => [account, fan, source]);
const blockedPairs = (sql: Sql) => loadBlocks(sql).map(({ account, fan }) => [account, fan]);

// ---- Facts by name ----------------------------------------------------------------------------------------------

test("a fact is kept under its key, replaced, and forgotten", async (t) => {
  await inDatabase(t, (sql) => {
    saveMeta(sql, "api_prefix", "/v1");
    saveMeta(sql, "api_prefix", "");
    saveMeta(sql, "creator_uuid", "x");
    saveMeta(sql, "creator_uuid", undefined);
    assert.equal(loadMeta(sql, "api_prefix"), "");
    assert.equal(loadMeta(sql, "creator_uuid"), undefined);
  });
});

// ---- Links ------------------------------------------------------------------------------------------------------

test("a link keeps its source and its date; what is proved stays proved", async (t) => {
  await inDatabase(t, (sql) => {
    addLink(sql, { ...pair(fan1, ana), source: "operator" }, nowMs);
    addLink(sql, { ...pair(fan1, ana), source: "operator" }, nowMs + 1);
    assert.deepEqual(loadStoredLinks(sql), [{ ...pair(fan1, ana), source: "operator", createdAtMs: nowMs }]);
    addLink(sql, { ...pair(fan1, ana), source: "proved" }, nowMs + 2);
    addLink(sql, { ...pair(fan1, ana), source: "operator" }, nowMs + 3);
    assert.deepEqual(loadStoredLinks(sql), [
      { ...pair(fan1, ana), source: "proved", createdAtMs: nowMs + 2 },
    ]);
  });
});

test("removing a pair blocks that pair only", async (t) => {
  await inDatabase(t, (sql) => {
    addLink(sql, { ...pair(fan1, ana), source: "proved" }, nowMs);
    addLink(sql, { ...pair(fan2, ana), source: "operator" }, nowMs);
    removeLink(sql, pair(fan1, ana), "unlinked by the fan", nowMs + 1);
    assert.deepEqual(storedPairs(sql), [[ana, fan2, "operator"]]);
    assert.deepEqual(loadBlocks(sql), [
      { ...pair(fan1, ana), reason: "unlinked by the fan", cause: "fan", createdAtMs: nowMs + 1 },
    ]);
  });
});

test("removing an account blocks it and every fan who had it; linking one again leaves the others cut", async (t) => {
  await inDatabase(t, (sql) => {
    addLink(sql, { ...pair(fan1, ana), source: "proved" }, nowMs);
    addLink(sql, { ...pair(fan1, bo), source: "proved" }, nowMs);
    saveBooks(sql, [{ path: "/here/addressbook.yaml", links: [pair(fan2, ana)] }], nowMs);
    removeLink(sql, { platform: "matrix", account: ana }, "links remove", nowMs);
    assert.deepEqual(storedPairs(sql), [[bo, fan1, "proved"]]);
    assert.deepEqual(blockedPairs(sql), [
      [ana, undefined],
      [ana, fan1],
      [ana, fan2],
    ]);
    addLink(sql, { ...pair(fan1, ana), source: "operator" }, nowMs);
    assert.deepEqual(blockedPairs(sql), [[ana, fan2]]);
  });
});

test("a link to another fan does not lift a fan's block", async (t) => {
  await inDatabase(t, (sql) => {
    removeLink(sql, pair(fan1, ana), "links remove", nowMs);
    addLink(sql, { ...pair(fan2, ana), source: "operator" }, nowMs);
    assert.deepEqual(blockedPairs(sql), [[ana, fan1]]);
  });
});

test("removing twice keeps the first date", async (t) => {
  await inDatabase(t, (sql) => {
    removeLink(sql, { platform: "matrix", account: ana }, "links remove", nowMs);
    removeLink(sql, { platform: "matrix", account: ana }, "links block", nowMs + dayMs);
    assert.deepEqual(
      loadBlocks(sql).map(({ reason, createdAtMs }) => [reason, createdAtMs]),
      [["links remove", nowMs]],
    );
  });
});

test("the version of the links grows with every change of links and blocks, and with nothing else", async (t) => {
  await inDatabase(t, (sql) => {
    const versions = [
      () => undefined,
      () => {
        addLink(sql, { ...pair(fan1, ana), source: "proved" }, nowMs);
      },
      () => {
        removeLink(sql, pair(fan1, ana), "links remove", nowMs);
      },
    ].map((change) => {
      change();
      return loadLinksVersion(sql);
    });
    assert.deepEqual(versions, [...new Set(versions)].sort());
    assert.equal(versions.length, new Set(versions).size);
    saveBooks(sql, [{ path: "/here/addressbook.yaml", links: [pair(fan2, ana)] }], nowMs);
    assert.equal(loadLinksVersion(sql), versions.at(-1));
  });
});

test("books are remembered with all that ever stood in them, each folder's by themselves", async (t) => {
  await inDatabase(t, (sql) => {
    const [book, path, other] = ["addressbook.yaml", "/here/addressbook.yaml", "/there/addressbook.yaml"];
    saveBooks(sql, [{ path, links: [pair(fan1, ana), pair(fan2, bo)] }], nowMs);
    saveBooks(sql, [{ path, links: [pair(fan1, ana)] }], nowMs + dayMs);
    saveBooks(sql, [{ path: other, links: [] }], nowMs);
    assert.deepEqual(loadBooks(sql), [
      { path, entries: 1 },
      { path: other, entries: 0 },
    ]);
    addLink(sql, { ...pair(fan1, ana), source: "operator" }, nowMs);
    assert.deepEqual(
      loadBooks(sql).map(({ entries }) => entries),
      [0, 0],
      "nothing would be lost with it",
    );
    assert.deepEqual(loadBookLinks(sql), [
      { book, ...pair(fan1, ana), firstSeenMs: nowMs, lastSeenMs: nowMs + dayMs },
      { book, ...pair(fan2, bo), firstSeenMs: nowMs, lastSeenMs: nowMs },
    ]);
  });
});

test("inviting again ends the departures of that account on that platform", async (t) => {
  await inDatabase(t, (sql) => {
    const nothing = {
      adopt: [],
      found: [],
      gone: [],
      basis: [],
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
    saveObservations(
      sql,
      "matrix",
      { ...nothing, placeId: room, departed: [ana, bo].map((account) => ({ account, how: "left" })) },
      nowMs,
    );
    assert.equal(inviteAgain(sql, "matrix", ana, nowMs), 1);
    assert.equal(inviteAgain(sql, "matrix", ana, nowMs), 0);
    assert.equal(inviteAgain(sql, "discord", bo, nowMs), 0);
    const { departures } = loadPlaceMemory(sql, "matrix", room, room, nowMs);
    assert.deepEqual(
      [...departures.values()].map(({ account, endedAtMs }) => [account, endedAtMs]),
      [
        [ana, nowMs],
        [bo, undefined],
      ],
    );
  });
});

test("who asks to be let in, or is reinvited, counts as never seen; what a person took is given back by the operator only", async (t) => {
  await inDatabase(t, (sql) => {
    const [dan, eve, flo] = ["1", "2", "3"].map((last) =>
      must(parseDiscordUserId(`10000000000000000${last}`)),
    );
    assert.ok(dan && eve && flo);
    const nothing = {
      adopt: [],
      found: [],
      gone: [],
      basis: [],
      returned: [],
      presences: [],
      kicksOver: [],
      departureEnded: [],
      lapsed: [],
      entitledAgain: [],
      behind: [],
      behindNoMore: [],
    };
    const role = placeIdIn({ place_id: "200000000000000001" });
    const departed = [
      { account: dan, how: "left" as const },
      { account: eve, how: "removed" as const },
      { account: flo, how: "removed" as const },
    ];
    saveObservations(
      sql,
      "discord",
      { ...nothing, placeId: role, departed, arrivals: [dan, eve, flo] },
      nowMs,
    );
    for (const account of [dan, eve])
      addLink(sql, { fan: fan1, platform: "discord", account, source: "proved" }, nowMs);
    addLink(sql, { fan: fan2, platform: "discord", account: flo, source: "operator" }, nowMs);
    const ended = () =>
      [...loadPlaceMemory(sql, "discord", role, role, nowMs).departures.values()].map(
        ({ account, endedAtMs }) => [account, endedAtMs],
      );
    assert.deepEqual(
      [ended(), [...loadArrivals(sql, "discord")]],
      [
        [
          [dan, nowMs],
          [eve, undefined],
          [flo, undefined],
        ],
        [flo],
      ],
    );
    inviteAgain(sql, "discord", flo, nowMs + 1);
    assert.deepEqual([ended().at(-1), [...loadArrivals(sql, "discord")]], [[flo, nowMs + 1], []]);
  });
});

// ---- Personal links ---------------------------------------------------------------------------------------------

test("a personal link is used once, before it expires", async (t) => {
  await inDatabase(t, (sql) => {
    const save = (nonceHash: string) => {
      saveInvite(sql, { nonceHash, fan: fan1, expiresAtMs: nowMs + dayMs }, nowMs);
    };
    for (const hash of ["a", "b"]) save(hash);
    assert.throws(() => {
      save("a");
    }, /UNIQUE/);
    const uses = [
      useInvite(sql, "none", nowMs),
      useInvite(sql, "a", nowMs + dayMs - 1),
      useInvite(sql, "a", nowMs + dayMs - 1),
      useInvite(sql, "b", nowMs + dayMs),
    ];
    assert.deepEqual(uses, [false, true, false, false]);
    assert.deepEqual(
      [loadInvite(sql, "a")?.usedAtMs, loadInvite(sql, "b")?.usedAtMs, loadInvite(sql, "c")],
      [nowMs + dayMs - 1, undefined, undefined],
    );
  });
});

test("who was ever sent a link is known, and those that went out are counted", async (t) => {
  await inDatabase(t, (sql) => {
    const save = (nonceHash: string, fan: FanId, atMs: number, sent?: SentState) => {
      saveInvite(sql, { nonceHash, fan, expiresAtMs: atMs + dayMs, sent }, atMs);
    };
    save("printed", fan1, nowMs);
    assert.deepEqual([loadInvitedFans(sql).size, countMessagedSince(sql, 0)], [0, 0]);
    save("older", fan1, nowMs, "sending");
    saveInviteSent(sql, "older", "sent", nowMs);
    save("newer", fan1, nowMs + 1, "sending");
    save("other", fan2, nowMs, "sending");
    saveInviteSent(sql, "other", "failed", nowMs);
    assert.deepEqual([...loadInvitedFans(sql)], [fan1]);
    assert.deepEqual([countMessagedSince(sql, nowMs - 1), countMessagedSince(sql, nowMs)], [2, 1]);
  });
});

// ---- Sources ----------------------------------------------------------------------------------------------------

test("the last accepted size of a source counts, for each target by itself", async (t) => {
  await inDatabase(t, (sql) => {
    acceptSourceSizes(
      sql,
      "discord",
      [
        { source: "subscribers", size: 10 },
        { source: "followers", size: 3 },
      ],
      nowMs,
    );
    acceptSourceSizes(sql, "discord", [{ source: "subscribers", size: 0 }], nowMs);
    acceptSourceSizes(sql, "matrix", [{ source: "subscribers", size: 10 }], nowMs);
    const sizesOf = (target: TargetName) => Object.fromEntries(loadSourceSizes(sql, target));
    assert.deepEqual(sizesOf("discord"), { subscribers: 0, followers: 3 });
    assert.deepEqual(sizesOf("matrix"), { subscribers: 10 });
  });
});

test("a fan is unreadable since the first time, until read again", async (t) => {
  await inDatabase(t, (sql) => {
    saveUnreadableFans(sql, [fan1, fan2], [], nowMs);
    saveUnreadableFans(sql, [fan1], [fan2], nowMs + dayMs);
    assert.deepEqual([...loadUnreadableFans(sql)], [[fan1, nowMs]]);
    saveUnreadableFans(sql, [], [fan1], nowMs);
    assert.equal(loadUnreadableFans(sql).size, 0);
  });
});

// ---- Snapshot ---------------------------------------------------------------------------------------------------

const follower = (handle: string): Follower => ({
  handle,
  displayName: handle.toUpperCase(),
  isTopSpender: true,
});
const vips = listKey({ type: "custom", id: must(parseListId("vips")) });
const all = listKey({ type: "smart", id: must(parseListId("all-contacts")) });
const whole: StoredSnapshot = {
  endedAtMs: nowMs,
  needsKey: "everything",
  subscribers: new Map([
    [fan1, { ...follower("ana"), status: "cancelled", periodEndsAtMs: nowMs + 1, isFree: false }],
    [fan2, { ...follower("bo"), status: undefined, periodEndsAtMs: undefined, isFree: undefined }],
  ]),
  followers: { readAtMs: nowMs - 5, byFan: new Map([[fan2, follower("bo")]]) },
  lists: new Map([
    [all, { members: new Set<FanId>(), count: undefined }],
    [vips, { members: new Set([fan1, fan2]), count: 2 }],
  ]),
};

test("there is no snapshot before the first one", async (t) => {
  assert.equal(await inDatabase(t, loadSnapshot), undefined);
});

test("a snapshot comes back as it was saved, to another process, too", async (t) => {
  const dataDir = temporaryFolder(t);
  await openDatabase(dataDir).write((sql) => {
    saveSnapshot(sql, whole);
  });
  assert.deepEqual(await openDatabase(dataDir).read(loadSnapshot), whole);
});

test("a snapshot replaces the one before whole", async (t) => {
  await inDatabase(t, (sql) => {
    saveSnapshot(sql, whole);
    const less: StoredSnapshot = {
      endedAtMs: nowMs + 1,
      needsKey: "subscribers",
      subscribers: new Map(),
      followers: undefined,
      lists: new Map(),
    };
    saveSnapshot(sql, less);
    assert.deepEqual(loadSnapshot(sql), less);
    saveSnapshot(sql, whole);
    assert.deepEqual(loadSnapshot(sql), whole);
  });
});

test("followers that were read anew replace the older ones", async (t) => {
  await inDatabase(t, (sql) => {
    saveSnapshot(sql, whole);
    const newer = { ...whole, followers: { readAtMs: nowMs, byFan: new Map([[fan1, follower("ana")]]) } };
    saveSnapshot(sql, newer);
    assert.deepEqual(loadSnapshot(sql), newer);
  });
});

test("insights are kept by fan, the newest of each", async (t) => {
  await inDatabase(t, (sql) => {
    const known: Insight = {
      status: "subscriber",
      totalCents: 0,
      lastPurchaseAtMs: nowMs,
      renewsAtMs: nowMs + dayMs,
      readAtMs: nowMs,
    };
    const bare: Insight = {
      status: "expired",
      totalCents: undefined,
      lastPurchaseAtMs: undefined,
      renewsAtMs: undefined,
      readAtMs: nowMs,
    };
    saveInsights(
      sql,
      new Map([
        [fan1, bare],
        [fan2, bare],
      ]),
    );
    saveInsights(sql, new Map([[fan1, known]]));
    assert.deepEqual(
      loadInsights(sql),
      new Map([
        [fan1, known],
        [fan2, bare],
      ]),
    );
  });
});

// ---- Earnings ---------------------------------------------------------------------------------------------------

const earned = (dateMs: number, more: Partial<EarningsRow> = {}): EarningsRow => ({
  source: "tip",
  kind: "purchase",
  dateMs,
  fan: undefined,
  orderId: undefined,
  reversesOrderId: undefined,
  postId: undefined,
  messageId: undefined,
  grossCents: 500,
  netCents: 400,
  ...more,
});

test("the ledger comes back oldest first, rows that look alike are two", async (t) => {
  await inDatabase(t, (sql) => {
    const post = must(parseContentId("33333333-3333-4333-8333-333333333333"));
    const refund = earned(nowMs, {
      kind: "reversal",
      source: "refund",
      fan: fan1,
      grossCents: -500,
      reversesOrderId: "o",
    });
    const sale = earned(nowMs - dayMs, { source: "post", fan: fan1, orderId: "o", postId: post });
    const other = earned(nowMs - 2 * dayMs, { kind: "other", source: "something new" });
    appendEarnings(sql, [refund, sale]);
    appendEarnings(sql, [other, other]);
    assert.equal(countEarnings(sql), 4);
    assert.deepEqual(loadEarnings(sql), [other, other, sale, refund]);
    assert.deepEqual(loadEarningsBetween(sql, nowMs - dayMs, nowMs), [sale]);
  });
});

// ---- Held sets --------------------------------------------------------------------------------------------------

const place: Place = {
  target: "matrix",
  id: "#vip:hs.org",
  rules: [
    { kind: "subscription", freeTrial: false },
    { kind: "spending", minCents: 10_000 },
    { kind: "top_spender" },
    { kind: "unlock", contentId: must(parseContentId("post-1")) },
    { kind: "fanvue_list", list: { type: "smart", id: must(parseListId("all-contacts")) } },
  ],
  onExpiry: "revoke",
  graceDays: 0.5,
  strangers: "remove",
  adopt: false,
};
const revoke: Step = {
  verb: "revoke",
  place,
  placeId: room,
  account: ana,
  fans: [fan1],
  because: "expired",
  basis: [],
};
const accepts: Accepts = {
  rules: [{ configuredId: "#vip:hs.org", placeId: room, hash: "abc" }],
  sizes: [{ source: "subscribers", size: 0 }],
};

/** Of whole steps, as runs hold them, what an approval needs is kept. */
const held = (hash: string): HeldSet => ({
  hash,
  steps: [{ ...revoke, hold: "the rules changed" } as Step, { ...revoke, account: bo }],
  accepts,
});
const identities = [ana, bo].map((account) => ({ verb: "revoke", placeId: room, account }));

test("a held set comes back under its hash, with what its approval accepts", async (t) => {
  await inDatabase(t, (sql) => {
    saveHeld(sql, "matrix", held("aaaaaaaaaaaa"), nowMs);
    assert.deepEqual(loadHeld(sql, "matrix", "aaaaaaaaaaaa"), {
      hash: "aaaaaaaaaaaa",
      steps: identities,
      accepts,
      atMs: nowMs,
    });
    assert.equal(loadHeld(sql, "discord", "aaaaaaaaaaaa"), undefined);
    assert.equal(loadHeld(sql, "matrix", "bbbbbbbbbbbb"), undefined);
  });
});

test("a set that an earlier version stored with whole steps, of kinds that are gone, can still be approved", async (t) => {
  await inDatabase(t, (sql) => {
    saveHeld(sql, "matrix", held("old"), nowMs);
    const whole = { hash: "old", reasons: [], steps: [{ ...revoke, place: { rules: [{ kind: "gone" }] } }] };
    sql.run("UPDATE held_sets SET held = ?", [JSON.stringify(whole)]);
    assert.deepEqual(loadCurrentHeld(sql, "matrix")?.steps, identities.slice(0, 1));
  });
});

test("the set that was held last is the current one, also when it was held before", async (t) => {
  await inDatabase(t, (sql) => {
    assert.equal(loadCurrentHeld(sql, "matrix"), undefined);
    for (const hash of ["a", "b", "a"]) saveHeld(sql, "matrix", held(hash), nowMs);
    saveHeld(sql, "discord", held("c"), nowMs);
    assert.equal(loadCurrentHeld(sql, "matrix")?.hash, "a");
    assert.equal(loadHeld(sql, "matrix", "b")?.hash, "b");
    clearHeld(sql, "matrix");
    assert.equal(loadCurrentHeld(sql, "matrix"), undefined);
    assert.equal(loadHeld(sql, "matrix", "b"), undefined);
    assert.equal(loadCurrentHeld(sql, "discord")?.hash, "c");
  });
});

test("a set that was last held a month ago can no longer be approved", async (t) => {
  await inDatabase(t, (sql) => {
    saveHeld(sql, "matrix", held("old"), nowMs - 31 * dayMs);
    saveHeld(sql, "matrix", held("new"), nowMs);
    assert.equal(loadHeld(sql, "matrix", "old"), undefined);
  });
});
