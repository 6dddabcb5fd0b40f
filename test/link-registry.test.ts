/** What fans can do to links by proof, and what outranks them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Database, openDatabase } from "../lib/db.ts";
import { dayMs } from "../lib/durations.ts";
import { type FanId, type Mxid, parseDiscordUserId, parseFanId, parseMxid } from "../lib/ids.ts";
import { loadAccountLinks } from "../lib/link/account-links.ts";
import type { AccountProof, FanProof, LinkBook } from "../lib/link/proofs.ts";
import { openLinkBook } from "../lib/link/registry.ts";
import type { Place, Step } from "../lib/model.ts";
import { lookAgainAt } from "../lib/reconcile/links.ts";
import { placeIdIn } from "../lib/store/columns.ts";
import { loadLinkEvents } from "../lib/store/link-events.ts";
import {
  addLink,
  blockFan,
  type Cut,
  loadBlocks,
  loadStoredLinks,
  removeLink,
  saveBooks,
  unblock,
} from "../lib/store/links.ts";
import { loadLogin } from "../lib/store/logins.ts";
import { saveGrant, saveLoss } from "../lib/store/ownership.ts";
import { resolveLinks } from "../lib/want.ts";
import { temporaryFolder } from "./harness.ts";

const nowMs = Date.UTC(2026, 10, 23, 12);

function must<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}
const ana = must(parseFanId("11111111-1111-4111-8111-111111111111"));
const bo = must(parseFanId("22222222-2222-4222-8222-222222222222"));
const anaAtHs = must(parseMxid("@ana:hs.org"));
const otherAtHs = must(parseMxid("@other:hs.org"));
const discordUser = must(parseDiscordUserId("100000000000000001"));

const fanOf = (fan: FanId): FanProof => ({ fan, handle: "handle", displayName: "Name", how: "sign-in" });
const matrix = (account: Mxid): AccountProof => ({ platform: "matrix", account, name: account });
/** `accessToken`: of the leave to bring this person into the server, where it was asked for. */
const discord = (accessToken?: string): AccountProof => ({
  platform: "discord",
  account: discordUser,
  name: "ana",
  login:
    accessToken === undefined
      ? undefined
      : { accessToken, refreshToken: "refresh", expiresAtMs: nowMs, scopes: ["guilds.join"] },
});
const pair = (fan: FanId, account: Mxid = anaAtHs) => ({ fan, platform: "matrix" as const, account });

const vip: Place = {
  target: "matrix",
  id: "!vip:hs.org",
  rules: [{ kind: "subscription", freeTrial: true }],
  onExpiry: "revoke",
  graceDays: 0,
  strangers: "keep",
  adopt: true,
};

interface Registry {
  readonly folder: string;
  readonly database: Database;
  readonly book: LinkBook;
}

function registry(t: Parameters<typeof temporaryFolder>[0], now: () => number = () => nowMs): Registry {
  const folder = temporaryFolder(t);
  const database = openDatabase(folder);
  return { folder, database, book: openLinkBook(database, now) };
}

const storedIn = (database: Database) =>
  database.read((sql) => loadStoredLinks(sql).map(({ account, fan, source }) => [account, fan, source]));
const eventsIn = (database: Database) =>
  database.read((sql) => loadLinkEvents(sql, 99).map(({ event, detail }) => `${event}: ${detail}`));
const standing = (database: Database, account: Mxid) =>
  database.read((sql) => loadAccountLinks(sql, account).links.map(({ fan, source }) => [fan, source]));
/** Pairs that stand in an address book, as a sync remembers them. */
const inBook = (database: Database, ...links: readonly ReturnType<typeof pair>[]) =>
  database.write((sql) => {
    saveBooks(sql, [{ path: "/here/addressbook.yaml", links }], nowMs);
  });
const cut = (database: Database, how: Cut, fan?: FanId) =>
  database.write((sql) => {
    removeLink(sql, { platform: "matrix", account: anaAtHs, fan }, how, nowMs);
  });

test("both proofs make a link; again it stands already", async (t) => {
  const { database, book } = registry(t);
  assert.deepEqual(await book.wouldLink(fanOf(ana), matrix(anaAtHs)), { is: "linked" });
  assert.equal(database.exists(), false, "asking wrote something");
  assert.deepEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "linked" });
  assert.deepEqual(await book.link(fanOf(ana), discord()), { is: "linked" });
  assert.deepEqual(await book.wouldLink(fanOf(ana), matrix(anaAtHs)), { is: "already" });
  assert.partialDeepStrictEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "already" });
  assert.deepEqual(await book.ofFan(ana), [
    { platform: "discord", account: discordUser, source: "proved" },
    { platform: "matrix", account: anaAtHs, source: "proved" },
  ]);
  assert.deepEqual(await book.ofFan(bo), []);
});

test("linking again is on record once in ten minutes, and says when it is no news", async (t) => {
  const clock = { nowMs };
  const { database } = registry(t);
  const book = openLinkBook(database, () => clock.nowMs);
  const linkAfter = async (ms: number) => {
    clock.nowMs = nowMs + ms;
    return book.link(fanOf(ana), matrix(anaAtHs));
  };
  const tenMinutesMs = 10 * 60_000;
  assert.deepEqual(await linkAfter(0), { is: "linked" });
  assert.deepEqual(await linkAfter(tenMinutesMs - 1), { is: "already", isRepeated: true });
  assert.equal((await eventsIn(database)).length, 1);
  assert.deepEqual(await linkAfter(tenMinutesMs), { is: "already" });
  assert.equal((await eventsIn(database)).length, 2);
  await book.unlink(ana, anaAtHs);
  assert.deepEqual(await linkAfter(tenMinutesMs + 1), { is: "linked" });
});

test("a refusal is on record once a day, and writes nothing the next time", async (t) => {
  const clock = { nowMs };
  const { database } = registry(t);
  const book = openLinkBook(database, () => clock.nowMs);
  await book.link(fanOf(ana), matrix(anaAtHs));
  const refused = async () => {
    await book.link(fanOf(bo), matrix(anaAtHs));
    return (await eventsIn(database)).filter((event) => event.startsWith("refused")).length;
  };
  assert.equal(await refused(), 1);
  const before = readFileSync(database.path);
  assert.equal(await refused(), 1);
  assert.deepEqual(readFileSync(database.path), before);
  clock.nowMs += dayMs;
  assert.equal(await refused(), 2);
});

test("an account belongs to one fan, and a fan has one account of a platform", async (t) => {
  const { database, book } = registry(t);
  await book.link(fanOf(ana), matrix(anaAtHs));
  const theirs = { is: "taken", by: "another fan" };
  assert.deepEqual(await book.wouldLink(fanOf(bo), matrix(anaAtHs)), theirs);
  assert.deepEqual(await book.link(fanOf(bo), matrix(anaAtHs)), theirs);
  assert.deepEqual(await book.link(fanOf(ana), matrix(otherAtHs)), { is: "taken", by: "another account" });
  assert.deepEqual(await storedIn(database), [[anaAtHs, ana, "proved"]]);
  assert.deepEqual(await eventsIn(database), [
    "refused: taken by another account",
    "refused: taken by another fan",
    "added: proved",
  ]);
});

test("what the operator entered counts like a proof: others are refused, and its own fan may prove it", async (t) => {
  const { database, book } = registry(t);
  await database.write((sql) => addLink(sql, { ...pair(ana), source: "operator" }, nowMs));
  assert.deepEqual(await book.link(fanOf(bo), matrix(anaAtHs)), { is: "taken", by: "another fan" });
  assert.deepEqual(await book.link(fanOf(ana), matrix(otherAtHs)), { is: "taken", by: "another account" });
  assert.equal(await book.unlink(ana, anaAtHs), false, "the operator's link was ended by the fan");
  assert.deepEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "linked" });
  assert.deepEqual(await storedIn(database), [[anaAtHs, ana, "proved"]]);
});

test("books may give an account several fans; a proof outranks the others' rows, and a book never a proof", async (t) => {
  const { database, book } = registry(t);
  await inBook(database, pair(ana), pair(bo));
  assert.deepEqual(await book.ofFan(ana), [{ platform: "matrix", account: anaAtHs, source: "book" }]);
  assert.equal(await book.unlink(ana, anaAtHs), false);
  assert.deepEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "linked" });
  assert.deepEqual(await standing(database, anaAtHs), [[ana, "proved"]]);
  assert.deepEqual(await book.link(fanOf(bo), matrix(anaAtHs)), { is: "taken", by: "another fan" });
  assert.deepEqual(await book.ofFan(bo), []);
});

test("unlinking outranks the address book, is recorded, and is undone by a new proof", async (t) => {
  const { database, book } = registry(t);
  await inBook(database, pair(ana));
  await book.link(fanOf(ana), matrix(anaAtHs));
  assert.equal(await book.unlink(bo, anaAtHs), false, "another fan ended the link");
  assert.equal(await book.unlink(ana, anaAtHs), true);
  assert.equal(await book.unlink(ana, anaAtHs), false);
  assert.deepEqual(await book.ofFan(ana), []);
  const { cutAtMs } = await database.read((sql) => loadAccountLinks(sql, anaAtHs));
  assert.deepEqual([...cutAtMs], [[anaAtHs, nowMs]]);
  assert.deepEqual((await eventsIn(database))[0], "unlinked: unlinked by the fan");

  assert.deepEqual(await book.wouldLink(fanOf(ana), matrix(anaAtHs)), { is: "linked" });
  assert.deepEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "linked" });
  assert.deepEqual(await standing(database, anaAtHs), [[ana, "proved"]]);
});

test("an account that was unlinked is free for another fan, and does not fall back to the first", async (t) => {
  const { database, book } = registry(t);
  await book.link(fanOf(ana), matrix(anaAtHs));
  await book.unlink(ana, anaAtHs);
  assert.deepEqual(await book.link(fanOf(bo), matrix(anaAtHs)), { is: "linked" });
  assert.deepEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "taken", by: "another fan" });
  assert.deepEqual(await standing(database, anaAtHs), [[bo, "proved"]]);
});

test("what came with a link is taken back before its account or its fan is linked anew", async (t) => {
  const { database, book } = registry(t);
  const role = { target: "matrix", placeId: placeIdIn({ place_id: vip.id }), account: anaAtHs } as const;
  const take = () =>
    database.write((sql) => {
      saveLoss(sql, role, { how: "revoke", counted: false }, nowMs);
    });
  await book.link(fanOf(ana), matrix(anaAtHs));
  await database.write((sql) => {
    saveGrant(sql, role, { origin: "granted", fans: [ana], basis: [] }, nowMs);
  });
  await book.unlink(ana, anaAtHs);
  assert.deepEqual(await book.link(fanOf(bo), matrix(anaAtHs)), { is: "waits", for: "this account" });
  assert.deepEqual(await book.link(fanOf(ana), matrix(otherAtHs)), { is: "waits", for: "another account" });
  assert.deepEqual(await storedIn(database), []);
  assert.deepEqual(
    await book.wouldLink(fanOf(ana), matrix(anaAtHs)),
    { is: "linked" },
    "the pair itself may",
  );
  assert.deepEqual(await book.wouldLink(fanOf(ana), discord()), { is: "linked" }, "so may another platform");
  await take();
  assert.deepEqual(await book.link(fanOf(ana), matrix(otherAtHs)), { is: "linked" });
  assert.deepEqual(await book.link(fanOf(bo), matrix(anaAtHs)), { is: "linked" });
});

test("what an operator moved, or nobody takes back within a week, keeps nobody from linking", async (t) => {
  let time = nowMs;
  const { database, book } = registry(t, () => time);
  const role = { target: "matrix", placeId: placeIdIn({ place_id: vip.id }), account: anaAtHs } as const;
  await book.link(fanOf(ana), matrix(anaAtHs));
  await database.write((sql) => {
    saveGrant(sql, role, { origin: "granted", fans: [ana], basis: [] }, nowMs);
    removeLink(sql, pair(ana), "links transfer", nowMs);
    addLink(sql, { ...pair(bo), source: "operator" }, nowMs);
  });
  assert.deepEqual(await book.wouldLink(fanOf(ana), matrix(otherAtHs)), { is: "linked" });
  await book.link(fanOf(bo), matrix(anaAtHs));
  await book.unlink(bo, anaAtHs);
  assert.deepEqual(await book.wouldLink(fanOf(bo), matrix(otherAtHs)), {
    is: "waits",
    for: "another account",
  });
  time += 8 * dayMs;
  assert.deepEqual(await book.wouldLink(fanOf(bo), matrix(otherAtHs)), { is: "linked" });
});

for (const how of ["links remove", "links block"] as const) {
  for (const fan of [undefined, ana]) {
    test(`a proof does not lift ${how} of ${fan === undefined ? "the account" : "the pair"}`, async (t) => {
      const { database, book } = registry(t);
      await book.link(fanOf(ana), matrix(anaAtHs));
      await cut(database, how, fan);
      assert.deepEqual(await book.wouldLink(fanOf(ana), matrix(anaAtHs)), { is: "blocked" });
      assert.deepEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "blocked" });
      assert.deepEqual(await storedIn(database), []);
      assert.deepEqual((await eventsIn(database))[0], "refused: blocked");
      const isForAll = fan === undefined;
      const other = await book.link(fanOf(bo), matrix(anaAtHs));
      assert.deepEqual(other, { is: isForAll ? "blocked" : "linked" });
    });
  }
}

test("the store lets no proof through an operator's block, whoever asks", async (t) => {
  const { database } = registry(t);
  await cut(database, "links block");
  const proved = await database.write((sql) => addLink(sql, { ...pair(ana), source: "proved" }, nowMs));
  assert.deepEqual([proved, await storedIn(database)], [false, []]);
  const entered = await database.write((sql) => addLink(sql, { ...pair(ana), source: "operator" }, nowMs));
  assert.deepEqual([entered, await storedIn(database)], [true, [[anaAtHs, ana, "operator"]]]);
});

test("an operator's block outlasts the fan's own unlink", async (t) => {
  const { database, book } = registry(t);
  await book.link(fanOf(ana), matrix(anaAtHs));
  await book.unlink(ana, anaAtHs);
  await cut(database, "links block", ana);
  assert.deepEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "blocked" });
  const lifted = await database.write((sql) => unblock(sql, { ...pair(ana) }, nowMs));
  const causes = await database.read((sql) => loadBlocks(sql).map(({ cause }) => cause));
  assert.deepEqual([lifted, causes], [{ lifted: 1, toTakeBack: 0 }, ["fan"]]);
  assert.deepEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "linked" });
  assert.deepEqual(await database.read((sql) => loadBlocks(sql)), []);
});

for (const fan of [undefined, ana]) {
  test(`what a fan unlinked stays unlinked when a block of ${fan ? "the pair" : "the account"} is lifted`, async (t) => {
    const { database, book } = registry(t);
    await inBook(database, pair(ana));
    await book.link(fanOf(ana), matrix(anaAtHs));
    await book.unlink(ana, anaAtHs);
    await cut(database, "links block", fan);
    await database.write((sql) => unblock(sql, { platform: "matrix", account: anaAtHs, fan }, nowMs));
    assert.deepEqual(await standing(database, anaAtHs), []);
  });
}

test("who has an account by an address book may prove that one, and no second", async (t) => {
  const { database, book } = registry(t);
  await inBook(database, pair(ana));
  const second = { is: "taken", by: "another account" };
  assert.deepEqual(await book.wouldLink(fanOf(ana), matrix(otherAtHs)), second);
  assert.deepEqual(await book.link(fanOf(ana), matrix(otherAtHs)), second);
  assert.deepEqual(await book.link(fanOf(ana), discord()), { is: "linked" });
  assert.deepEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "linked" });
  assert.deepEqual(await book.link(fanOf(ana), matrix(otherAtHs)), second);
});

test("a book that gives a fan two accounts gives them no proof of one while the other stands", async (t) => {
  const { database, book } = registry(t);
  await inBook(database, pair(ana), pair(ana, otherAtHs));
  for (const account of [anaAtHs, otherAtHs])
    assert.deepEqual(await book.link(fanOf(ana), matrix(account)), { is: "taken", by: "another account" });
  await database.write((sql) => {
    removeLink(sql, pair(ana, otherAtHs), "links remove", nowMs);
  });
  assert.deepEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "linked" });
});

test("a transfer cuts the old side only, who may prove it again once it is free", async (t) => {
  const { database, book } = registry(t);
  await inBook(database, pair(ana));
  await database.write((sql) => {
    removeLink(sql, pair(ana), "links transfer", nowMs);
    addLink(sql, { ...pair(bo), source: "operator" }, nowMs);
  });
  assert.deepEqual(await standing(database, anaAtHs), [[bo, "operator"]]);
  assert.deepEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "taken", by: "another fan" });
  await book.link(fanOf(bo), matrix(anaAtHs));
  await book.unlink(bo, anaAtHs);
  assert.deepEqual(await book.link(fanOf(ana), matrix(anaAtHs)), { is: "linked" });
});

test("a blocked fan loses every link, also of books, and can link nothing until unblocked", async (t) => {
  const { database, book } = registry(t);
  await book.link(fanOf(ana), matrix(anaAtHs));
  await inBook(database, pair(ana, otherAtHs), pair(bo, otherAtHs));
  const pairs = await database.write((sql) => blockFan(sql, ana, nowMs));
  assert.deepEqual(
    pairs.map(({ account }) => account),
    [anaAtHs, otherAtHs],
  );
  await inBook(
    database,
    pair(ana, otherAtHs),
    pair(bo, otherAtHs),
    pair(ana, must(parseMxid("@new:hs.org"))),
  );
  assert.deepEqual(await book.ofFan(ana), []);
  assert.deepEqual(await standing(database, otherAtHs), [[bo, "book"]]);
  const { cutAtMs } = await database.read((sql) => loadAccountLinks(sql, anaAtHs));
  assert.equal(cutAtMs.get(anaAtHs), nowMs);
  for (const account of [matrix(anaAtHs), discord("access")]) {
    assert.deepEqual(await book.link(fanOf(ana), account), { is: "blocked" });
  }
  assert.equal(await database.read((sql) => loadLogin(sql, discordUser)), undefined);
  const entered = await database.write((sql) => addLink(sql, { ...pair(ana), source: "operator" }, nowMs));
  assert.equal(entered, false);

  await database.write((sql) => unblock(sql, { fan: ana }, nowMs));
  assert.deepEqual(await database.read((sql) => loadBlocks(sql)), []);
  assert.deepEqual(await book.link(fanOf(ana), discord("access")), { is: "linked" });
});

test("the leave to be brought into the server is kept with the link, renewed, and ends with it", async (t) => {
  const { database, book } = registry(t);
  const kept = () => database.read((sql) => loadLogin(sql, discordUser)?.accessToken);
  await book.link(fanOf(ana), discord("access"));
  assert.equal(await kept(), "access");
  await book.link(fanOf(bo), discord("refused"));
  assert.equal(await kept(), "access", "a refused link left its login");
  await book.unlink(ana, discordUser);
  assert.equal(await kept(), undefined);
  await book.link(fanOf(ana), discord("newer"));
  assert.equal(await kept(), "newer");
  await book.link(fanOf(ana), discord("newest"));
  assert.equal(await kept(), "newest");
  await database.write((sql) => {
    removeLink(sql, { platform: "discord", account: discordUser }, "links remove", nowMs);
  });
  assert.equal(await kept(), undefined);
});

test("of two fans who link the same account at the same moment one wins", async (t) => {
  const { folder, database } = registry(t);
  const books = Array.from({ length: 8 }, () => openLinkBook(openDatabase(folder), () => nowMs));
  const results = await Promise.all(
    books.map((book, index) => book.link(fanOf(index % 2 === 0 ? ana : bo), matrix(anaAtHs))),
  );
  const ways = results.map(({ is }) => is);
  assert.equal(ways.filter((is) => is === "linked").length, 1);
  assert.equal(ways.filter((is) => is === "taken").length, 4);
  assert.equal(ways.filter((is) => is === "already").length, 3);
  assert.equal((await storedIn(database)).length, 1);
});

test("a step that was planned before an unlink is dropped, and its removal goes on until the fan links again", async (t) => {
  const { database, book } = registry(t);
  await book.link(fanOf(ana), matrix(anaAtHs));
  const none = resolveLinks({ stored: [], blocks: [], bookLinksNow: [], bookLinksEver: [] });
  const look = lookAgainAt({ database }, { resolved: none, books: { books: [], warnings: [] } });
  const step = {
    place: vip,
    placeId: placeIdIn({ place_id: vip.id }),
    account: anaAtHs,
    fans: [ana],
    because: "a reason",
    basis: [],
  };
  const grant: Step = { ...step, verb: "grant" };
  const revoke: Step = { ...step, verb: "revoke", requested: true };
  assert.deepEqual([await look(grant), await look(revoke)], [undefined, `${anaAtHs} was linked again`]);
  await book.unlink(ana, anaAtHs);
  const ended = `the link of ${anaAtHs} no longer stands`;
  assert.deepEqual([await look(grant), await look(revoke)], [ended, undefined]);
  await book.link(fanOf(ana), matrix(anaAtHs));
  assert.deepEqual([await look(grant), await look(revoke)], [undefined, `${anaAtHs} was linked again`]);
});
