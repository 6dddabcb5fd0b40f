import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { type Database, openDatabase } from "../lib/db.ts";
import type { Fanvue } from "../lib/fanvue/client.ts";
import { type ContentId, type FanId, parseContentId, parseListId } from "../lib/ids.ts";
import type { EarningsRow } from "../lib/facts.ts";
import { listKey, type ListRef, type Place, type Rule } from "../lib/model.ts";
import { gatherEvidence, needsOf, takeFanSnapshot, takeSnapshot, updateLedger } from "../lib/snapshot.ts";
import { loadEarnings } from "../lib/store/earnings.ts";
import { fanIdOf, known, type Setup, setUp, type SetupOptions, whyUnknown } from "./fanvue-client.ts";
import { answers, withoutField } from "./sandbox/faults.ts";
import { dayMs, type SandboxRow } from "./sandbox/fanvue-world.ts";
import pino from "pino";

const hourMs = 3600_000;
const log = pino({ level: "silent" });
const progress = () => undefined;

const contentOf = (uuid: string): ContentId => parseContentId(uuid) ?? assert.fail();
const listOf = (type: ListRef["type"], id: string): ListRef => ({
  type,
  id: parseListId(id) ?? assert.fail(),
});

function placesFor(...rules: readonly Rule[]): readonly Place[] {
  return rules.map((rule, index) => ({
    target: "discord",
    id: String(index),
    rules: [rule],
    onExpiry: "revoke",
    graceDays: 0,
    strangers: "keep",
    adopt: true,
  }));
}
const subscription: Rule = { kind: "subscription", freeTrial: true };
const spending: Rule = { kind: "spending", minCents: 10_000 };
const topSpender: Rule = { kind: "top_spender" };

interface Scene extends Setup {
  readonly database: Database;
  readonly fanvue: Fanvue;
  /** Paths that were asked for since the last look, without prefix. */
  newPaths(): readonly string[];
  snapshot(
    rules: readonly Rule[],
    changes?: Partial<Parameters<typeof takeSnapshot>[0]>,
  ): ReturnType<typeof takeSnapshot>;
  ledger(changes?: Partial<Parameters<typeof updateLedger>[0]>): ReturnType<typeof updateLedger>;
  storedRows(): Promise<readonly EarningsRow[]>;
}

async function scene(t: Parameters<typeof setUp>[0], options: SetupOptions = {}): Promise<Scene> {
  const setup = await setUp(t, options);
  const database = openDatabase(setup.dataDir);
  const fanvue = setup.open();
  // A window's end is exclusive: what happens at this very moment belongs to the next.
  setup.sandbox.world.now = () => Date.now() - 1000;
  let seen = 0;
  return {
    ...setup,
    database,
    fanvue,
    newPaths() {
      const paths = setup.sandbox.requests.slice(seen).map(({ path }) => path.replace(/^\/v1/, ""));
      seen = setup.sandbox.requests.length;
      return paths.filter((path) => path !== "/users/me");
    },
    snapshot: (rules, changes = {}) =>
      takeSnapshot({
        fanvue,
        database,
        needs: needsOf(placesFor(...rules)),
        linkedFans: new Set([...setup.sandbox.world.fans.values()].map(fanIdOf)),
        now: Date.now,
        maxAgeMs: 120_000,
        followersMaxAgeMs: hourMs,
        save: true,
        log,
        progress,
        ...changes,
      }),
    ledger: (changes = {}) =>
      updateLedger({ fanvue, database, now: Date.now, save: true, progress, ...changes }),
    storedRows: () => database.read(loadEarnings),
  };
}

/** The rows of world and store in one form, so that both can be compared as multisets. */
const key = (parts: readonly unknown[]) => JSON.stringify(parts.map((part) => part ?? null));
const worldKeys = (rows: readonly SandboxRow[]) =>
  rows.map((row) => key([row.source, row.dateMs, row.fan, row.grossCents, row.postUuid])).sort();
const storedKeys = (rows: readonly EarningsRow[]) =>
  rows.map((row) => key([row.source, row.dateMs, row.fan, row.grossCents, row.postId])).sort();

async function assertLedgerEqualsWorld(scenery: Scene): Promise<void> {
  assert.deepEqual(storedKeys(await scenery.storedRows()), worldKeys(scenery.sandbox.world.earnings));
}

/** Rows over three years, some of them equal, some refunded, some of nobody. */
function fillLedger({ sandbox: { world } }: Setup, count: number): void {
  const fans = world.addFans(5);
  const post = world.uuid("post");
  for (let index = 0; index < count; index += 1) {
    const fan = fans[index % fans.length] ?? assert.fail();
    const dateMs = Date.now() - 50 * dayMs - Math.floor(index / 2) * 3 * dayMs;
    if (index % 3 === 0) world.tip(fan, 500, dateMs);
    else world.buyPost(fan, post, 999, dateMs);
  }
  world.refund(world.buyPost(fans[0] ?? assert.fail(), post, 777, Date.now() - 20 * dayMs));
  world.reward("referral", 300);
}

/** How many pages are read before the second page of the first year that has several. */
function pagesBeforeSecondPage({ sandbox: { world } }: Setup): number {
  const yearOf = ({ dateMs }: SandboxRow) => new Date(dateMs).getUTCFullYear();
  let pages = 0;
  for (let year = 2020; ; year += 1) {
    const rows = world.earnings.filter((row) => yearOf(row) === year).length;
    if (rows > 60) return pages + 1;
    pages += Math.max(1, Math.ceil(rows / 50));
  }
}

/** The client, and how many rows its pages of the ledger held. `before` is told the number of the page to come. */
function recordPages(fanvue: Fanvue, before: (count: number) => void = () => undefined) {
  let pages = 0;
  let rows = 0;
  const recorded: Fanvue = {
    ...fanvue,
    async fetchEarningsPage(ask) {
      pages += 1;
      before(pages);
      const page = await fanvue.fetchEarningsPage(ask);
      if (page.known) rows += page.rows.length;
      return page;
    },
  };
  return { fanvue: recorded, rows: () => rows };
}

/** A clock that goes on by so much with each page of the ledger, and at no other time. */
function slowClock(fanvue: Fanvue, msPerPage: number) {
  let nowMs = Date.now();
  const onPage = () => {
    nowMs += msPerPage;
  };
  return { fanvue: recordPages(fanvue, onPage).fanvue, now: () => nowMs };
}

/** The database, and how often it was written. `before` is told the number of the write to come. */
function countWrites(database: Database, before: (count: number) => void = () => undefined) {
  let writes = 0;
  const counted: Database = {
    ...database,
    async write(fn) {
      writes += 1;
      before(writes);
      return database.write(fn);
    },
  };
  return { database: counted, writes: () => writes };
}

describe("Needs", () => {
  it("are what the rules of all places ask for, and no more", () => {
    const vip = listOf("custom", "vip");
    const needs = needsOf(placesFor(subscription, { kind: "fanvue_list", list: vip }));
    assert.deepEqual(
      [needs.subscribers, needs.followers, needs.insights, needs.unlocks, [...needs.lists.keys()]],
      [true, false, false, false, [listKey(vip)]],
    );
    const top = needsOf(placesFor(topSpender));
    assert.deepEqual([top.subscribers, top.followers], [true, true]);
  });
});

for (const generation of ["v1", "unprefixed"] as const) {
  describe(`The ledger's update (${generation})`, () => {
    it("stores every row once at first, and nothing but the news later", async (t) => {
      const scenery = await scene(t, { generation });
      fillLedger(scenery, 400);
      known(await scenery.ledger());
      await assertLedgerEqualsWorld(scenery);
      scenery.newPaths();

      assert.deepEqual(known(await scenery.ledger()).added, []);
      assert.ok(scenery.newPaths().length <= 3);

      const { world } = scenery.sandbox;
      const tip = world.tip(world.fan([...world.fans.values()][0]?.handle ?? ""), 500);
      world.refund(tip);
      assert.equal(known(await scenery.ledger()).added.length, 2);
      await assertLedgerEqualsWorld(scenery);
    });

    it("goes on where it was cut, at whatever page, without losing or doubling a row", async (t) => {
      for (let cutAt = 0; cutAt < 10; cutAt += 1) {
        const scenery = await scene(t, { generation });
        fillLedger(scenery, 300);
        const fault = { path: /insights\/(earnings|spending)/, fault: answers(404), skip: cutAt };
        scenery.sandbox.faults.push(fault);
        const pages = recordPages(scenery.fanvue);
        whyUnknown(await scenery.ledger({ fanvue: pages.fanvue }));
        assert.equal((await scenery.storedRows()).length, pages.rows(), "pages before the cut are kept");
        scenery.sandbox.faults.length = 0;
        known(await scenery.ledger());
        await assertLedgerEqualsWorld(scenery);
        assert.ok(cutAt < 8 || pages.rows() > 0);
      }
    });

    it("reads a window anew when its cursor is no longer accepted", async (t) => {
      const scenery = await scene(t, { generation });
      fillLedger(scenery, 300);
      const earnings = { path: /insights\/earnings/, fault: answers(503) };
      scenery.sandbox.faults.push({ ...earnings, skip: pagesBeforeSecondPage(scenery) });
      whyUnknown(await scenery.ledger());
      assert.ok((await scenery.storedRows()).length > 0);
      scenery.sandbox.faults.length = 0;
      scenery.sandbox.faults.push({
        ...earnings,
        fault: answers(400, { errors: ["cursor is invalid"] }),
        times: 1,
      });
      known(await scenery.ledger());
      await assertLedgerEqualsWorld(scenery);
    });

    it("begins a window anew whose cursor is refused while its pages are gathered", async (t) => {
      const scenery = await scene(t, { generation });
      fillLedger(scenery, 300);
      const fault = { path: /insights\/earnings/, fault: answers(400), times: 1, struck: 0 };
      scenery.sandbox.faults.push({ ...fault, skip: pagesBeforeSecondPage(scenery) });
      known(await scenery.ledger());
      assert.equal(scenery.sandbox.faults[0]?.struck, 1);
      await assertLedgerEqualsWorld(scenery);
    });

    it("keeps what it fetched when it is stopped", async (t) => {
      const scenery = await scene(t, { generation });
      fillLedger(scenery, 300);
      const stopped = new Error("stopped");
      const pages = recordPages(scenery.fanvue, (count) => {
        if (count > pagesBeforeSecondPage(scenery)) throw stopped;
      });
      await assert.rejects(scenery.ledger({ fanvue: pages.fanvue }), stopped);
      assert.ok(pages.rows() > 0);
      assert.equal((await scenery.storedRows()).length, pages.rows());
      known(await scenery.ledger());
      await assertLedgerEqualsWorld(scenery);
    });

    it("loses and doubles nothing when it is killed before a write", async (t) => {
      for (let kept = 0; kept < 10; kept += 1) {
        const scenery = await scene(t, { generation });
        fillLedger(scenery, 300);
        const killed = new Error("killed");
        const { database, writes } = countWrites(scenery.database, (count) => {
          if (count > kept) throw killed;
        });
        // Every page is a write of its own, so that windows are left in their middle, too.
        const clock = slowClock(scenery.fanvue, 1000);
        const reading = scenery.ledger({ ...clock, database });
        if (kept < 8) await assert.rejects(reading, killed);
        else await reading.catch(() => undefined);
        assert.ok(writes() > 0);
        known(await scenery.ledger());
        await assertLedgerEqualsWorld(scenery);
      }
    });

    it("stores nothing twice when two scripts read at the same time", async (t) => {
      const scenery = await scene(t, { generation });
      fillLedger(scenery, 200);
      const other = { database: openDatabase(scenery.dataDir), fanvue: scenery.open() };
      await Promise.all([scenery.ledger(), scenery.ledger(other)]);
      await assertLedgerEqualsWorld(scenery);
    });

    it("finds a row that appeared late, and takes none for new whose fan was deleted", async (t) => {
      const scenery = await scene(t, { generation });
      const { world } = scenery.sandbox;
      const [fan, gone] = world.addFans(2);
      assert.ok(fan !== undefined && gone !== undefined);
      world.tip(gone, 700, Date.now() - hourMs);
      known(await scenery.ledger());
      world.tip(fan, 500, Date.now() - 47 * hourMs);
      world.deleteFan(gone);
      assert.deepEqual(
        known(await scenery.ledger()).added.map(({ grossCents }) => grossCents),
        [500],
      );
      await assertLedgerEqualsWorld(scenery);
    });
  });
}

describe("The ledger's update", () => {
  const years = new Date().getUTCFullYear() - 2019;
  const tipsOf2021 = ({ sandbox: { world } }: Setup, count: number) => {
    const fan = world.addFan();
    for (let index = 0; index < count; index += 1) world.tip(fan, 500, Date.UTC(2021, 5, 1) + index * 60_000);
  };

  it("gathers pages for a write: a thousand rows at most", async (t) => {
    const scenery = await scene(t);
    tipsOf2021(scenery, 1500);
    const { database, writes } = countWrites(scenery.database);
    const nowMs = Date.now();
    known(await scenery.ledger({ database, now: () => nowMs }));
    await assertLedgerEqualsWorld(scenery);
    assert.equal(scenery.newPaths().length, years - 1 + 30);
    assert.equal(writes(), years - 1 + 2);
  });

  it("gathers pages for a write: those of a second at most", async (t) => {
    const scenery = await scene(t);
    tipsOf2021(scenery, 600);
    const { database, writes } = countWrites(scenery.database);
    known(await scenery.ledger({ database, ...slowClock(scenery.fanvue, 400) }));
    await assertLedgerEqualsWorld(scenery);
    // Twelve pages, three in each write.
    assert.equal(writes(), years - 1 + 4);
  });

  it("doubles no row when the API's generation changes, in whichever direction", async (t) => {
    for (const generations of [["v1", "unprefixed"] as const, ["unprefixed", "v1"] as const]) {
      const scenery = await scene(t, { generation: generations[0] });
      fillLedger(scenery, 60);
      const { world } = scenery.sandbox;
      const fan = [...world.fans.values()][0] ?? assert.fail();
      world.refund(world.tip(fan, 2500));
      known(await scenery.ledger());
      scenery.sandbox.quirks.generations = [generations[1]];
      scenery.facts.delete("api_prefix");
      known(await scenery.ledger({ fanvue: scenery.open() }));
      await assertLedgerEqualsWorld(scenery);
    }
  });

  it("of a dry run stores nothing and needs the history first", async (t) => {
    const scenery = await scene(t);
    fillLedger(scenery, 20);
    assert.match(whyUnknown(await scenery.ledger({ save: false })), /npm run fetch-earnings/);
    assert.equal(scenery.database.exists(), false);

    known(await scenery.ledger());
    const bytes = readFileSync(scenery.database.path);
    const { world } = scenery.sandbox;
    world.tip([...world.fans.values()][0] ?? assert.fail(), 12_345);
    const ledger = known(await scenery.ledger({ save: false }));
    assert.equal(ledger.rows.at(-1)?.grossCents, 12_345);
    assert.equal(ledger.rows.length, world.earnings.length);
    assert.ok(readFileSync(scenery.database.path).equals(bytes));
  });

  it("tells purchases, reversals and the rest apart", async (t) => {
    const scenery = await scene(t);
    const { world } = scenery.sandbox;
    const fan = world.addFan();
    const bought = world.buyPost(fan, world.uuid("post"));
    world.chargeback(bought);
    world.reward("giveaway", 100);
    world.tip(fan, 100).source = "karaoke";
    const rows = known(await scenery.ledger()).rows;
    assert.deepEqual(rows.map(({ source, kind }) => [source, kind]).sort(), [
      ["chargeback", "reversal"],
      ["giveaway", "other"],
      ["karaoke", "other"],
      ["post", "purchase"],
    ]);
  });
});

describe("The snapshot", () => {
  const subscribers = (count: number) => (scenery: Scene) =>
    scenery.sandbox.world.addFans(count, (fan) => {
      scenery.sandbox.world.follow(fan);
      scenery.sandbox.world.subscribe(fan, { startedAtMs: Date.now() - 10 * dayMs });
    });

  it("reads what the rules need and nothing else", async (t) => {
    const scenery = await scene(t);
    subscribers(3)(scenery);
    const { facts, sizes, unreadable } = await scenery.snapshot([subscription]);
    assert.deepEqual(scenery.newPaths(), ["/subscribers"]);
    assert.equal(known(facts.subscribers).size, 3);
    assert.equal(facts.followers.known, false);
    assert.deepEqual(sizes, [{ source: "subscribers", size: 3 }]);
    assert.deepEqual(unreadable, []);
  });

  it("costs a cold run few requests and a steady one fewer, never one per fan", async (t) => {
    const scenery = await scene(t);
    subscribers(300)(scenery);
    const rules: readonly Rule[] = [subscription, spending, topSpender];
    const first = await scenery.snapshot(rules);
    assert.equal(first.facts.insights.size, 300);
    const cold = scenery.newPaths();
    const years = new Date().getUTCFullYear() - 2019;
    // 6 pages each of subscribers, followers and earnings; 15 of insights and one refused try of the larger call.
    assert.ok(cold.length <= 6 + 6 + 6 + years + 15 + 3, `${cold.length} requests`);

    const later = Date.now() + 10 * 60_000;
    await scenery.snapshot(rules, { now: () => later });
    const steady = scenery.newPaths();
    assert.equal(steady.filter((path) => path.startsWith("/insights/fans")).length, 0);
    assert.equal(steady.filter((path) => path === "/followers").length, 0);
    assert.ok(steady.length <= 6 + 3, `${steady.length} requests`);
  });

  it("serves every script while it is fresh, without a request", async (t) => {
    const scenery = await scene(t);
    subscribers(4)(scenery);
    const vip = scenery.sandbox.world.createList("vip", ...scenery.sandbox.world.fans.values());
    const list = { kind: "fanvue_list", list: listOf("custom", vip.uuid) } satisfies Rule;
    const first = await scenery.snapshot([subscription, topSpender, spending, list]);
    scenery.newPaths();
    const second = await scenery.snapshot([subscription, spending, list], { fanvue: scenery.open() });
    assert.deepEqual(scenery.newPaths(), []);
    assert.deepEqual(known(second.facts.subscribers), known(first.facts.subscribers));
    assert.deepEqual(second.facts.insights, first.facts.insights);
    const [listed, listedBefore] = [second, first].map(({ facts }) => {
      const { name, members, count } = known(facts.lists.get(listKey(list.list)) ?? assert.fail());
      return { name, members, count };
    });
    assert.equal(listed?.members.size, 4);
    assert.deepEqual(listed, listedBefore);
    assert.equal(second.readAtMs, first.readAtMs);
  });

  it("is read anew when it is too old, lacks a part, or comes from the future", async (t) => {
    const scenery = await scene(t);
    subscribers(2)(scenery);
    await scenery.snapshot([subscription]);
    scenery.newPaths();
    await scenery.snapshot([subscription], { now: () => Date.now() + 121_000 });
    assert.deepEqual(scenery.newPaths(), ["/subscribers"]);
    await scenery.snapshot([subscription]);
    assert.deepEqual(scenery.newPaths(), ["/subscribers"]);
    await scenery.snapshot([subscription, topSpender]);
    assert.deepEqual([...scenery.newPaths()].sort(), ["/followers", "/subscribers"]);
  });

  it("reads followers again only when they are old", async (t) => {
    const scenery = await scene(t);
    subscribers(2)(scenery);
    await scenery.snapshot([topSpender]);
    scenery.newPaths();
    await scenery.snapshot([topSpender], { now: () => Date.now() + hourMs / 2 });
    assert.deepEqual(scenery.newPaths(), ["/subscribers"]);
    await scenery.snapshot([topSpender], { now: () => Date.now() + 2 * hourMs });
    assert.deepEqual([...scenery.newPaths()].sort(), ["/followers", "/subscribers"]);
  });

  it("with an unknown part says so in a sentence and is not stored", async (t) => {
    const scenery = await scene(t);
    subscribers(2)(scenery);
    scenery.sandbox.faults.push({ path: /followers/, fault: answers(500) });
    const { facts, unreadable } = await scenery.snapshot([topSpender]);
    assert.equal(known(facts.subscribers).size, 2);
    assert.equal(facts.followers.known, false);
    assert.equal(unreadable.length, 1);
    assert.match(unreadable[0] ?? "", /^Followers could not be read: GET \/v1\/followers answered 500.*\.$/);
    scenery.newPaths();
    scenery.sandbox.faults.length = 0;
    assert.deepEqual((await scenery.snapshot([topSpender])).unreadable, []);
    assert.deepEqual([...scenery.newPaths()].sort(), ["/followers", "/subscribers"]);

    scenery.sandbox.faults.push({ path: /subscribers/, fault: answers(403) });
    const partly = await scenery.snapshot([topSpender], { maxAgeMs: 0 });
    assert.equal(partly.facts.subscribers.known, false);
    scenery.sandbox.faults.length = 0;
    assert.equal(known((await scenery.snapshot([topSpender])).facts.subscribers).size, 2);
  });

  it("of a dry run creates no database and knows no spending without a ledger", async (t) => {
    const scenery = await scene(t);
    subscribers(2)(scenery);
    const unlock: Rule = { kind: "unlock", contentId: contentOf("post") };
    const { facts, unreadable } = await scenery.snapshot([subscription, spending, unlock], { save: false });
    assert.equal(existsSync(scenery.database.path), false);
    assert.equal(facts.insights.size, 0);
    assert.match(whyUnknown(facts.unlocks), /npm run fetch-earnings/);
    assert.equal(unreadable.length, 1);
    assert.equal(known(facts.subscribers).size, 2);
  });

  it("asks again for the figures of those alone whose spending changed, and of all after a week", async (t) => {
    const scenery = await scene(t);
    const { world } = scenery.sandbox;
    const fans = world.addFans(30, (fan) => {
      world.tip(fan, 5000, Date.now() - 3 * dayMs);
    });
    const [buyer, refunded] = fans;
    assert.ok(buyer !== undefined && refunded !== undefined);
    let nowMs = Date.now();
    const look = async () => {
      const { facts } = await scenery.snapshot([spending], { now: () => nowMs, maxAgeMs: 0 });
      return (fan: { uuid: string }) => facts.insights.get(fanIdOf(fan))?.totalCents;
    };
    const asked = () =>
      scenery.sandbox.requests
        .filter(({ path }) => path.endsWith("/insights/fans"))
        .flatMap(({ query }) => (query.get("fanUuids") ?? "").split(","));
    assert.equal((await look())(buyer), 5000);
    const cold = asked().length;
    assert.equal(cold, 30);

    world.tip(buyer, 7000);
    world.refund(world.earnings.find(({ fan }) => fan === refunded.uuid) ?? assert.fail());
    const totals = await look();
    assert.deepEqual([totals(buyer), totals(refunded)], [12_000, 0]);
    assert.deepEqual(asked().slice(cold).sort(), [buyer.uuid, refunded.uuid].sort());

    // Dated before what the figure is known to hold, so that nothing but its late appearance tells.
    world.tip(buyer, 100, Date.now() - 2 * hourMs);
    assert.equal((await look())(buyer), 12_100);

    nowMs += 8 * dayMs;
    const before = asked().length;
    await look();
    assert.equal(asked().length - before, 30);
  });

  it("asks again after a refund whose first reading failed", async (t) => {
    const scenery = await scene(t);
    const { world } = scenery.sandbox;
    const fan = world.addFan();
    const tip = world.tip(fan, 5000, Date.now() - dayMs);
    const look = async () =>
      (await scenery.snapshot([spending], { maxAgeMs: 0 })).facts.insights.get(fanIdOf(fan))?.totalCents;
    assert.equal(await look(), 5000);
    world.refund(tip);
    scenery.sandbox.faults.push({ path: /insights\/fans/, fault: answers(500) });
    assert.equal(await look(), undefined);
    scenery.sandbox.faults.length = 0;
    assert.equal(await look(), 0);
  });

  it("keeps no figure that lags behind the ledger", async (t) => {
    const scenery = await scene(t);
    const { world } = scenery.sandbox;
    const fan = world.addFan();
    world.tip(fan, 5000);
    scenery.sandbox.faults.push({ path: /insights\/fans$/, fault: withoutField("lastPurchaseAt"), times: 1 });
    await scenery.snapshot([spending], { maxAgeMs: 0 });
    scenery.newPaths();
    await scenery.snapshot([spending], { maxAgeMs: 0 });
    const calls = scenery.newPaths().filter((path) => path.startsWith("/insights/fans"));
    assert.equal(calls.length > 0, true);
    await scenery.snapshot([spending], { maxAgeMs: 0 });
    assert.equal(scenery.newPaths().filter((path) => path.startsWith("/insights/fans")).length, 0);
  });

  it("knows no figure when the ledger or the insights cannot be read", async (t) => {
    const scenery = await scene(t);
    const { world } = scenery.sandbox;
    world.tip(world.addFan(), 50_000);
    scenery.sandbox.faults.push({ path: /insights\/fans/, fault: answers(500) });
    const first = await scenery.snapshot([spending], { maxAgeMs: 0 });
    assert.equal(first.facts.insights.size, 0);
    assert.match(first.unreadable.join(), /Figures of spending could not be read/);
    scenery.sandbox.faults.length = 0;
    assert.equal((await scenery.snapshot([spending], { maxAgeMs: 0 })).facts.insights.size, 1);
    scenery.sandbox.faults.push({ path: /insights\/earnings/, fault: answers(500) });
    const third = await scenery.snapshot([spending], { maxAgeMs: 0 });
    assert.equal(third.facts.insights.size, 0);
    assert.match(third.unreadable.join(), /Spending and unlocks could not be read/);
  });

  for (const generation of ["v1", "unprefixed"] as const) {
    it(`knows who unlocked what, and of whom it was taken back (${generation})`, async (t) => {
      const scenery = await scene(t, { generation });
      const { world } = scenery.sandbox;
      const [keeps, loses] = world.addFans(2);
      assert.ok(keeps !== undefined && loses !== undefined);
      const post = world.uuid("post");
      world.buyPost(keeps, post);
      world.refund(world.buyPost(loses, post));
      const unlock: Rule = { kind: "unlock", contentId: contentOf(post) };
      const { facts } = await scenery.snapshot([unlock]);
      const unlocks = known(facts.unlocks).get(contentOf(post));
      assert.deepEqual([unlocks?.get(fanIdOf(keeps)), unlocks?.get(fanIdOf(loses))], ["bought", "reversed"]);
    });

    it(`of one fan asks for little and stores nothing (${generation})`, async (t) => {
      const scenery = await scene(t, { generation });
      subscribers(120)(scenery);
      const { world } = scenery.sandbox;
      const fan = [...world.fans.values()][99] ?? assert.fail();
      world.tip(fan, 20_000);
      const needs = needsOf(placesFor(subscription, spending));
      const { fanvue, database } = scenery;
      const { facts } = await takeFanSnapshot({ fanvue, database, needs, fan: fanIdOf(fan), now: Date.now });
      assert.deepEqual([...known(facts.subscribers).keys()], [fanIdOf(fan)]);
      assert.equal(facts.insights.get(fanIdOf(fan))?.totalCents, 20_999);
      assert.ok(scenery.newPaths().length <= 3);
      assert.equal(database.exists(), false);
    });
  }
});

for (const generation of ["v1", "unprefixed"] as const) {
  describe(`Evidence (${generation})`, () => {
    const noLists = new Map<never, never>();
    const none: ReadonlySet<FanId> = new Set();

    it("is the insight, the row and the list of those concerned, read anew", async (t) => {
      const scenery = await scene(t, { generation });
      const { world } = scenery.sandbox;
      const [lapsed, follower] = world.addFans(2);
      assert.ok(lapsed !== undefined && follower !== undefined);
      world.subscribe(lapsed);
      world.lapse(lapsed);
      world.follow(follower);
      const vip = listOf("custom", world.createList("vip", follower).uuid);
      const { evidence } = await gatherEvidence({
        fanvue: scenery.fanvue,
        fans: new Set([fanIdOf(lapsed)]),
        rows: new Set([fanIdOf(follower), fanIdOf(lapsed)]),
        lists: new Map([[listKey(vip), vip]]),
        now: () => 42,
      });
      assert.equal(evidence.readAtMs, 42);
      const insight = evidence.insights.get(fanIdOf(lapsed));
      assert.equal(insight?.known === true && insight.value.status, "expired");
      const row = evidence.rows.get(fanIdOf(follower));
      assert.equal(row?.known === true && "status" in row.value, false);
      assert.match(whyUnknown(evidence.rows.get(fanIdOf(lapsed))), /neither among/);
      const list = evidence.lists.get(listKey(vip));
      assert.equal(list?.known === true && list.value.count, 1);
    });

    it("is missing, not negative, where its request failed", async (t) => {
      const scenery = await scene(t, { generation });
      const { world } = scenery.sandbox;
      const fan = world.addFan();
      world.follow(fan);
      scenery.sandbox.faults.push({ path: /insights|followers|subscribers\/?$/, fault: answers(502) });
      const asked = new Set([fanIdOf(fan)]);
      const { fanvue } = scenery;
      const { evidence, unreadable } = await gatherEvidence({
        fanvue,
        fans: asked,
        rows: asked,
        lists: noLists,
        now: Date.now,
      });
      assert.equal(evidence.insights.size, 0);
      assert.equal(evidence.rows.size, 0);
      assert.match(unreadable.join(), /502/);
    });

    it("costs nothing when nothing is asked", async (t) => {
      const scenery = await scene(t, { generation });
      await gatherEvidence({ fanvue: scenery.fanvue, fans: none, rows: none, lists: noLists, now: Date.now });
      assert.equal(scenery.sandbox.requests.length, 0);
    });

    it("of many fans is read in bulk", async (t) => {
      const scenery = await scene(t, { generation });
      const fans = scenery.sandbox.world.addFans(60, (fan) => {
        scenery.sandbox.world.subscribe(fan);
      });
      const asked = new Set(fans.map(fanIdOf));
      const { fanvue } = scenery;
      const { evidence } = await gatherEvidence({
        fanvue,
        fans: asked,
        rows: asked,
        lists: noLists,
        now: Date.now,
      });
      assert.equal(evidence.insights.size, 60);
      assert.equal(evidence.rows.size, 60);
      assert.ok(scenery.newPaths().length <= 9);
    });
  });
}
