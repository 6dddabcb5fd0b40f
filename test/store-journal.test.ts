/** The journal and the ownership that follows from it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openDatabase, type Sql } from "../lib/db.ts";
import { type Account, parseDiscordUserId, parseFanId } from "../lib/ids.ts";
import type { Departure, Observations, Place, Step } from "../lib/model.ts";
import type { Outcome } from "../lib/target.ts";
import {
  finishRun,
  loadOpenSteps,
  loadRuns,
  pruneJournal,
  type PlannedStep,
  type RunId,
  saveOutcomes,
  settleOpenSteps,
  startRun,
} from "../lib/store/journal.ts";
import { placeIdIn } from "../lib/store/columns.ts";
import {
  loadForeignGrants,
  loadPlaceMemory,
  saveObservations,
  loadKnownPlaces,
  savePlaceApplied,
} from "../lib/store/places.ts";
import { loadArrivals } from "../lib/store/presence.ts";
import { temporaryFolder } from "./harness.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
const nowMs = Date.UTC(2026, 10, 23, 12);

function must<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}
const ana = must(parseDiscordUserId("100000000000000001"));
const bo = must(parseDiscordUserId("100000000000000002"));
const cy = must(parseDiscordUserId("100000000000000003"));
const fan = must(parseFanId("11111111-1111-4111-8111-111111111111"));
const vip = placeIdIn({ place_id: "200000000000000001" });
const gold = placeIdIn({ place_id: "200000000000000002" });

const place = (id: string): Place => ({
  target: "discord",
  id,
  rules: [{ kind: "subscription", freeTrial: true }],
  onExpiry: "revoke",
  graceDays: 0,
  strangers: "keep",
  adopt: true,
});
const step = (verb: Step["verb"], account: Account, placeId = vip, more: Partial<Step> = {}): Step => ({
  verb,
  place: place(placeId),
  placeId,
  account,
  fans: [fan],
  because: "subscriber",
  basis: ["subscription"],
  ...more,
});
const go = (planned: Step, approved = false): PlannedStep => ({ step: planned, held: false, approved });

/** What `fn` gives in a database of its own, which ends with the test. */
function inDatabase<T>(t: Parameters<typeof temporaryFolder>[0], fn: (sql: Sql) => T): Promise<T> {
  return openDatabase(temporaryFolder(t)).write(fn);
}

const start = (sql: Sql, steps: readonly Step[], atMs = nowMs): RunId =>
  startRun(
    sql,
    { target: "discord", startedAtMs: atMs },
    steps.map((planned) => go(planned)),
  );

/** A run whose steps all end in the same way. */
function run(sql: Sql, steps: readonly Step[], atMs = nowMs, end: (step: Step) => Outcome = done): RunId {
  const runId = start(sql, steps, atMs);
  saveOutcomes(sql, runId, steps.map(end), atMs);
  return runId;
}
const done = (performed: Step): Outcome => ({ step: performed, result: "done" });
const refused = (performed: Step): Outcome => ({
  step: performed,
  result: "refused",
  code: "30001",
  sentence: "The member is in too many guilds.",
});
const dropped = (performed: Step): Outcome => ({
  step: performed,
  result: "dropped",
  sentence: "The link fell.",
});
const failed =
  (blame: "service" | "us" | "place" | "member") =>
  (performed: Step): Outcome => ({ step: performed, result: "failed", blame, sentence: "It did not work." });

const memory = (sql: Sql, placeId = vip, atMs = nowMs) =>
  loadPlaceMemory(sql, "discord", placeId, placeId, atMs);
const owned = (sql: Sql, placeId = vip) => [...memory(sql, placeId).grants.keys()].sort();
const nothing = {
  adopt: [],
  found: [],
  gone: [],
  basis: [],
  departed: [],
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
const gone = (account: Account, how: Departure["how"] = "left") => ({ account, how });
const states = (sql: Sql) =>
  sql.all("SELECT state, times FROM steps ORDER BY run_id, seq").map((row) => ({ ...row }));

// ---- Grants -----------------------------------------------------------------------------------------------------

test("a place that was never applied is known by its configured id, but for a room, which may go by an alias", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana)]);
    const unread = (target: "discord" | "matrix") =>
      loadPlaceMemory(sql, target, undefined, vip, nowMs).grants.size;
    assert.deepEqual([unread("discord"), unread("matrix")], [1, 0]);
    assert.equal(loadPlaceMemory(sql, "discord", undefined, vip, nowMs).placeId, undefined, "never applied");
  });
});

test("a grant that did not stick has failed, but stays on record: the next run asks who took it", async (t) => {
  await inDatabase(t, (sql) => {
    const runId = start(sql, [step("grant", ana)]);
    saveOutcomes(sql, runId, [done(step("grant", ana))], nowMs);
    saveOutcomes(sql, runId, [failed("service")(step("grant", ana))], nowMs + 1);
    assert.equal(memory(sql).grants.get(ana)?.settled, true);
    assert.deepEqual(states(sql), [{ state: "failed", times: 1 }]);
    assert.deepEqual(loadOpenSteps(sql, "discord"), []);
  });
});

test("a planned grant is ours before its outcome, and settled by it", async (t) => {
  await inDatabase(t, (sql) => {
    const runId = start(sql, [step("grant", ana)]);
    assert.deepEqual(memory(sql).grants.get(ana), {
      placeId: vip,
      account: ana,
      fans: [fan],
      origin: "granted",
      basis: ["subscription"],
      sinceMs: nowMs,
      settled: false,
    });
    saveOutcomes(sql, runId, [done(step("grant", ana))], nowMs + 1);
    assert.equal(memory(sql).grants.get(ana)?.settled, true);
    assert.deepEqual(loadOpenSteps(sql, "discord"), []);
  });
});

for (const [name, end] of Object.entries({
  refused,
  dropped,
  "failed for our own reasons": failed("us"),
  "failed because of the place": failed("place"),
  "failed because of the member": failed("member"),
})) {
  test(`a grant that is ${name} is not ours, unless it was on record before`, async (t) => {
    await inDatabase(t, (sql) => {
      run(sql, [step("grant", ana)]);
      run(sql, [step("grant", ana), step("grant", bo)], nowMs + hourMs, end);
      assert.deepEqual(owned(sql), [ana]);
    });
  });
}

test("a grant whose request the service may have carried out stays ours until it is seen to be missing", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana), step("grant", bo)], nowMs, failed("service"));
    assert.deepEqual(owned(sql), [ana, bo]);
    assert.equal(memory(sql).grants.get(ana)?.settled, false);
    saveObservations(sql, "discord", { ...nothing, placeId: vip, gone: [ana] }, nowMs);
    assert.deepEqual(owned(sql), [bo]);
    run(sql, [step("grant", bo)], nowMs + hourMs, refused);
    assert.deepEqual(owned(sql), []);
  });
});

test("a refusal is tried again after growing pauses, and forgotten by a grant", async (t) => {
  await inDatabase(t, (sql) => {
    const pauses = Array.from({ length: 6 }, () => {
      run(sql, [step("grant", ana)], nowMs, refused);
      return (must(memory(sql).refusals.get(ana)).nextTryAtMs - nowMs) / hourMs;
    });
    assert.deepEqual(pauses, [1, 6, 24, 72, 168, 168]);
    assert.equal(memory(sql).refusals.get(ana)?.times, 6);
    assert.equal(memory(sql).refusals.get(ana)?.sentence, "The member is in too many guilds.");
    run(sql, [step("grant", ana)]);
    assert.equal(memory(sql).refusals.size, 0);
  });
});

test("a grant that is done forgets the departure of that account from that place only", async (t) => {
  await inDatabase(t, (sql) => {
    for (const placeId of [vip, gold]) {
      saveObservations(sql, "discord", { ...nothing, placeId, departed: [gone(ana), gone(bo)] }, nowMs);
    }
    run(sql, [step("grant", ana)]);
    assert.deepEqual([...memory(sql).departures.keys()], [bo]);
    assert.deepEqual([...memory(sql, gold).departures.keys()].sort(), [ana, bo]);
  });
});

test("a grant that is given again keeps its age and gathers its rules", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana)], nowMs - dayMs);
    run(sql, [step("grant", ana, vip, { basis: ["unlock:x"] })]);
    const grant = must(memory(sql).grants.get(ana));
    assert.equal(grant.sinceMs, nowMs - dayMs);
    assert.deepEqual(grant.basis, ["subscription", "unlock:x"]);
  });
});

// ---- Removals ---------------------------------------------------------------------------------------------------

test("a revoke that is done ends the grant; one that is not leaves it ours", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana), step("grant", bo), step("grant", cy)]);
    run(sql, [step("revoke", ana)]);
    run(sql, [step("revoke", bo)], nowMs, failed("service"));
    run(sql, [step("revoke", cy)], nowMs, refused);
    assert.deepEqual(owned(sql), [bo, cy]);
    assert.equal(memory(sql).refusals.size, 0);
  });
});

test("an eviction ends all grants of the account on its target, and counts in each place", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana), step("grant", ana, gold), step("grant", bo)]);
    const other = startRun(sql, { target: "matrix", startedAtMs: nowMs }, [go(step("grant", ana))]);
    saveOutcomes(sql, other, [done(step("grant", ana))], nowMs);
    run(sql, [step("evict", ana)]);
    assert.deepEqual(owned(sql), [bo]);
    assert.deepEqual(owned(sql, gold), []);
    assert.deepEqual([...memory(sql, gold).removedLastDay], [ana]);
    assert.equal(loadPlaceMemory(sql, "matrix", vip, vip, nowMs).grants.size, 1);
  });
});

test("the same place under two configured ids is granted and taken once", async (t) => {
  await inDatabase(t, (sql) => {
    const twice = [step("grant", ana), step("grant", ana)];
    const runId = start(sql, twice);
    saveOutcomes(sql, runId, [done(step("grant", ana))], nowMs);
    assert.deepEqual(loadOpenSteps(sql, "discord"), []);
    assert.deepEqual(owned(sql), [ana]);
  });
});

test("an outcome of what was never planned is a bug", async (t) => {
  await inDatabase(t, (sql) => {
    const runId = start(sql, [step("grant", ana)]);
    assert.throws(() => {
      saveOutcomes(sql, runId, [done(step("revoke", ana))], nowMs);
    }, /planned no revoke/);
  });
});

// ---- The last 24 hours ------------------------------------------------------------------------------------------

test("removals of the last day are counted, save the approved and the requested", async (t) => {
  await inDatabase(t, (sql) => {
    const everybody = [ana, bo, cy];
    run(
      sql,
      everybody.map((account) => step("grant", account)),
      nowMs - 9 * dayMs,
    );
    const request = step("revoke", bo, vip, { requested: true });
    const runId = startRun(sql, { target: "discord", startedAtMs: nowMs - hourMs }, [
      go(step("revoke", ana), true),
      go(request),
      go(step("revoke", cy)),
    ]);
    const outcomes = [step("revoke", ana), request, step("revoke", cy)].map(done);
    saveOutcomes(sql, runId, outcomes, nowMs - hourMs);
    assert.deepEqual([...memory(sql).removedLastDay], [cy]);
    assert.equal(memory(sql).oursDayAgo, 3);
    assert.equal(memory(sql, vip, nowMs + dayMs).removedLastDay.size, 0);
    assert.equal(memory(sql, vip, nowMs + dayMs).oursDayAgo, 0);
  });
});

test("removing somebody who was not ours counts as a removal, not as a member of yesterday", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("revoke", ana)]);
    assert.deepEqual([...memory(sql).removedLastDay], [ana]);
    assert.equal(memory(sql).oursDayAgo, 0);
  });
});

test("ours a day ago counts who was there already, also those who went since, and nobody twice", async (t) => {
  await inDatabase(t, (sql) => {
    run(
      sql,
      [ana, bo, cy].map((account) => step("grant", account)),
      nowMs - 5 * dayMs,
    );
    saveObservations(sql, "discord", { ...nothing, placeId: vip, gone: [ana] }, nowMs - 2 * hourMs);
    run(sql, [step("revoke", bo)], nowMs - 2 * hourMs);
    run(sql, [step("grant", bo)], nowMs - hourMs);
    run(sql, [step("revoke", bo)], nowMs);
    assert.deepEqual(owned(sql), [cy]);
    assert.equal(memory(sql).oursDayAgo, 3);
    assert.deepEqual([...memory(sql).removedLastDay], [bo]);
  });
});

test("who came and went within the day was not ours a day ago", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana), step("grant", bo)], nowMs - hourMs);
    run(sql, [step("revoke", ana)]);
    assert.equal(memory(sql).oursDayAgo, 0);
  });
});

// ---- Observations -----------------------------------------------------------------------------------------------

test("who is adopted is ours, who is found is only on record", async (t) => {
  await inDatabase(t, (sql) => {
    const adopt = [{ account: ana, fans: [fan], basis: ["subscription"] }];
    const found = [{ account: bo, fans: [fan] }];
    saveObservations(sql, "discord", { ...nothing, placeId: vip, adopt, found }, nowMs - 2 * dayMs);
    assert.equal(memory(sql).grants.get(ana)?.origin, "adopted");
    assert.equal(memory(sql).grants.get(bo)?.origin, "found");
    assert.equal(memory(sql).oursDayAgo, 1);
    assert.deepEqual(
      loadForeignGrants(sql, "discord", new Set()).map(({ account }) => account),
      [ana],
    );
    run(sql, [step("grant", bo)]);
    const now = must(memory(sql).grants.get(bo));
    assert.deepEqual([now.origin, now.sinceMs], ["granted", nowMs]);
  });
});

test("who is found stays what it was when it is ours already", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana)]);
    saveObservations(
      sql,
      "discord",
      { ...nothing, placeId: vip, found: [{ account: ana, fans: [fan] }] },
      nowMs,
    );
    assert.equal(memory(sql).grants.get(ana)?.origin, "granted");
  });
});

test("departures are noticed once and ended once, lapses begin once and end with a yes", async (t) => {
  await inDatabase(t, (sql) => {
    const see = (what: Partial<Observations>, atMs: number) => {
      saveObservations(sql, "discord", { ...nothing, placeId: vip, ...what }, atMs);
    };
    see({ departed: [gone(ana)], lapsed: [bo, cy] }, nowMs);
    see({ departed: [gone(ana, "removed")], lapsed: [bo] }, nowMs + 1);
    see({ departed: [gone(ana)] }, nowMs + 1);
    assert.deepEqual(memory(sql).departures.get(ana), {
      account: ana,
      how: "removed",
      noticedAtMs: nowMs,
      endedAtMs: undefined,
    });
    see({ departureEnded: [ana], entitledAgain: [cy] }, nowMs + 2);
    see({ departureEnded: [ana] }, nowMs + 3);
    assert.equal(memory(sql).departures.get(ana)?.endedAtMs, nowMs + 2);
    assert.deepEqual([...memory(sql).lapsedSinceMs], [[bo, nowMs]]);
  });
});

test("a departure tells how it came about, and is forgotten once they are back", async (t) => {
  await inDatabase(t, (sql) => {
    const departed = [gone(ana), gone(bo, "removed"), gone(cy)];
    saveObservations(sql, "discord", { ...nothing, placeId: vip, departed }, nowMs);
    saveObservations(sql, "discord", { ...nothing, placeId: vip, departureEnded: [cy] }, nowMs + 1);
    saveObservations(sql, "discord", { ...nothing, placeId: vip, returned: [ana, cy] }, nowMs + 2);
    assert.deepEqual(
      [...memory(sql).departures.values()].map(({ account, how }) => [account, how]),
      [[bo, "removed"]],
    );
  });
});

// ---- On the server ----------------------------------------------------------------------------------------------

const seen = (sql: Sql) => [...loadArrivals(sql, "discord")].sort();

test("who was seen on the server or got a role there was there, whatever the place", async (t) => {
  await inDatabase(t, (sql) => {
    saveObservations(sql, "discord", { ...nothing, placeId: vip, arrivals: [ana] }, nowMs);
    saveObservations(sql, "discord", { ...nothing, placeId: gold, arrivals: [ana] }, nowMs + 1);
    run(sql, [step("grant", bo, gold)]);
    run(sql, [step("grant", cy)], nowMs, refused);
    assert.deepEqual(seen(sql), [ana, bo]);
    assert.deepEqual([...memory(sql).arrivals].sort(), [ana, bo]);
    assert.deepEqual(
      [...loadPlaceMemory(sql, "discord", undefined, "never applied", nowMs).arrivals].sort(),
      [ana, bo],
    );
    assert.deepEqual([...loadArrivals(sql, "matrix")], []);
  });
});

test("who was thrown out by us, or may have been, was not there; a lost role changes nothing", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana), step("grant", bo), step("grant", cy)]);
    run(sql, [step("evict", ana), step("revoke", cy)]);
    assert.deepEqual(seen(sql), [bo, cy]);
    run(sql, [step("evict", bo)], nowMs + 1, failed("service"));
    assert.deepEqual(seen(sql), [cy], "while it is not known whether it was done");
    settleOpenSteps(sql, "discord", () => false, nowMs + 2);
    assert.deepEqual(seen(sql), [bo, cy]);
    start(sql, [step("evict", bo)], nowMs + 3);
    settleOpenSteps(sql, "discord", () => true, nowMs + 4);
    assert.deepEqual(seen(sql), [cy]);
  });
});

test("a lapse ends with the removal, so that the next one begins anew", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana)]);
    saveObservations(sql, "discord", { ...nothing, placeId: vip, lapsed: [ana] }, nowMs);
    run(sql, [step("revoke", ana)]);
    assert.equal(memory(sql).lapsedSinceMs.size, 0);
  });
});

test("rules that justify a grant, too, are added to it, and to nobody else", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana)]);
    const basis = [ana, bo].map((account) => ({ account, basis: ["spending:100"] }));
    saveObservations(sql, "discord", { ...nothing, placeId: vip, basis }, nowMs);
    assert.deepEqual(memory(sql).grants.get(ana)?.basis, ["spending:100", "subscription"]);
    assert.deepEqual(owned(sql), [ana]);
  });
});

// ---- Places -----------------------------------------------------------------------------------------------------

test("a place that was never applied has an empty memory", async (t) => {
  await inDatabase(t, (sql) => {
    const empty = loadPlaceMemory(sql, "discord", undefined, "#room:hs.org", nowMs);
    assert.deepEqual(
      [empty.rulesHash, empty.placeId, empty.grants.size, empty.oursDayAgo],
      [undefined, undefined, 0, 0],
    );
  });
});

const applied = (configuredId: string, rulesHash: string) => ({
  configuredId,
  placeId: vip,
  name: "VIP",
  rulesHash,
  strangersWait: false,
});

test("a place remembers where its configured id led, also while that cannot be told", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana)]);
    savePlaceApplied(sql, "discord", applied("#room:hs.org", "rules"), nowMs);
    const unread = loadPlaceMemory(sql, "discord", undefined, "#room:hs.org", nowMs);
    assert.deepEqual([unread.placeId, unread.rulesHash, [...unread.grants.keys()]], [vip, "rules", [ana]]);
    const elsewhere = loadPlaceMemory(sql, "discord", gold, "#room:hs.org", nowMs);
    assert.deepEqual([elsewhere.placeId, elsewhere.rulesHash, elsewhere.grants.size], [vip, "rules", 0]);
  });
});

test("a place's name is the one it was last read by", async (t) => {
  await inDatabase(t, (sql) => {
    savePlaceApplied(sql, "discord", { ...applied(vip, "rules"), name: "Old" }, nowMs);
    savePlaceApplied(sql, "discord", { ...applied(vip, "rules"), name: "New" }, nowMs + 1);
    assert.deepEqual([...loadKnownPlaces(sql, "discord")], [[vip, { placeId: vip, name: "New" }]]);
    assert.deepEqual([...loadKnownPlaces(sql, "matrix")], []);
  });
});

test("a place is known again when its real id is configured in the alias's stead", async (t) => {
  await inDatabase(t, (sql) => {
    savePlaceApplied(sql, "discord", applied("#room:hs.org", "rules"), nowMs);
    const known = loadPlaceMemory(sql, "discord", vip, vip, nowMs);
    assert.deepEqual([known.placeId, known.rulesHash], [vip, "rules"]);
    savePlaceApplied(sql, "discord", applied(vip, "newer rules"), nowMs - 1);
    assert.equal(loadPlaceMemory(sql, "discord", vip, vip, nowMs).rulesHash, "newer rules");
    assert.equal(loadPlaceMemory(sql, "discord", vip, "#room:hs.org", nowMs).rulesHash, "rules");
  });
});

test("grants in places that are no longer configured are found", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana), step("grant", bo, gold)]);
    const foreign = loadForeignGrants(sql, "discord", new Set([vip]));
    assert.deepEqual(
      foreign.map(({ placeId, account }) => [placeId, account]),
      [[gold, bo]],
    );
  });
});

// ---- Steps without outcome, held steps, retention ---------------------------------------------------------------

test("steps of a run that died are settled by what is read, and stay open where nothing can be read", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana, gold), step("grant", bo, gold)]);
    const steps = [
      step("grant", ana),
      step("grant", bo),
      step("grant", cy),
      step("revoke", ana, gold),
      step("revoke", bo, gold),
    ];
    const runId = start(sql, steps);
    const open = loadOpenSteps(sql, "discord");
    assert.deepEqual(
      open.map(({ seq, verb, placeId, account }) => ({ seq, verb, placeId, account })),
      steps.map(({ verb, placeId, account }, seq) => ({ seq, verb, placeId, account })),
    );
    assert.ok(open.every((one) => one.runId === runId));
    const shown = new Map<Account, boolean>([
      [ana, true],
      [bo, false],
    ]);
    settleOpenSteps(sql, "discord", ({ account }) => shown.get(account), nowMs + hourMs);
    assert.deepEqual(owned(sql), [ana, cy]);
    assert.equal(memory(sql).grants.get(ana)?.settled, true);
    assert.equal(memory(sql).grants.get(cy)?.settled, false);
    assert.deepEqual(owned(sql, gold), [bo]);
    assert.deepEqual(
      loadOpenSteps(sql, "discord").map(({ account }) => account),
      [cy],
    );
    assert.deepEqual(loadOpenSteps(sql, "matrix"), []);
  });
});

test("a removal that failed and was carried out all the same is counted at once, and settled by what is read", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana), step("grant", bo), step("grant", ana, gold)], nowMs - 2 * dayMs);
    const revokes = [step("revoke", ana), step("revoke", bo)];
    run(sql, revokes, nowMs, failed("service"));
    assert.deepEqual([...memory(sql).removedLastDay].sort(), [ana, bo]);
    assert.deepEqual([...memory(sql, gold).removedLastDay], []);

    settleOpenSteps(sql, "discord", () => undefined, nowMs);
    assert.deepEqual([...memory(sql).removedLastDay].sort(), [ana, bo]);
    settleOpenSteps(sql, "discord", ({ account }) => account === ana, nowMs);
    assert.deepEqual([...memory(sql).removedLastDay], [ana]);
    assert.deepEqual(owned(sql), [bo]);
    assert.deepEqual(states(sql).slice(3), [
      { state: "done", times: 1 },
      { state: "failed", times: 1 },
    ]);
    assert.deepEqual(loadOpenSteps(sql, "discord"), []);
  });
});

test("a removal whose effect is not known counts for a day, where its run had no leave and reached the service", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", cy), step("grant", cy, gold)], nowMs - 3 * dayMs);
    run(sql, [step("revoke", ana)], nowMs - dayMs - hourMs, failed("service"));
    run(sql, [step("revoke", ana)], nowMs, failed("place"));
    run(sql, [step("revoke", bo, vip, { requested: true })], nowMs, failed("service"));
    assert.deepEqual([...memory(sql).removedLastDay], []);
    start(sql, [step("evict", cy)]);
    assert.deepEqual([...memory(sql).removedLastDay], [cy]);
    assert.deepEqual([...memory(sql, gold).removedLastDay], [cy]);
  });
});

test("held steps are noted with the newest run only and change nothing", async (t) => {
  await inDatabase(t, (sql) => {
    run(sql, [step("grant", ana)]);
    const held = [{ step: step("revoke", ana), held: true, approved: false }];
    startRun(sql, { target: "discord", startedAtMs: nowMs }, held);
    startRun(sql, { target: "discord", startedAtMs: nowMs }, held);
    assert.deepEqual(states(sql), [
      { state: "done", times: 1 },
      { state: "held", times: 1 },
    ]);
    assert.deepEqual(loadOpenSteps(sql, "discord"), []);
    assert.deepEqual(owned(sql), [ana]);
  });
});

test("what fails in the same way run after run takes one row and a count", async (t) => {
  await inDatabase(t, (sql) => {
    for (let times = 0; times < 5; times += 1) run(sql, [step("revoke", ana)], nowMs, failed("place"));
    assert.deepEqual(states(sql), [{ state: "failed", times: 5 }]);
    run(sql, [step("revoke", ana)]);
    run(sql, [step("revoke", ana)], nowMs, failed("place"));
    assert.deepEqual(states(sql), [
      { state: "failed", times: 5 },
      { state: "done", times: 1 },
      { state: "failed", times: 1 },
    ]);
  });
});

test("runs tell how they ended, newest first; a killed one tells nothing", async (t) => {
  await inDatabase(t, (sql) => {
    const first = start(sql, []);
    finishRun(sql, first, { endedAtMs: nowMs + 5, exitCode: 3, summary: "{}" });
    const second = start(sql, [], nowMs + 10);
    const unknown = { endedAtMs: undefined, exitCode: undefined, summary: undefined };
    assert.deepEqual(loadRuns(sql, 2), [
      { runId: second, target: "discord", startedAtMs: nowMs + 10, ...unknown },
      {
        runId: first,
        target: "discord",
        startedAtMs: nowMs,
        endedAtMs: nowMs + 5,
        exitCode: 3,
        summary: "{}",
      },
    ]);
    assert.equal(loadRuns(sql, 1).length, 1);
  });
});

test("runs without steps go after a week, steps after 400 days, open steps never", async (t) => {
  await inDatabase(t, (sql) => {
    const old = nowMs - 401 * dayMs;
    run(sql, [step("grant", ana)], old);
    const died = start(sql, [step("grant", bo)], old);
    start(sql, [], nowMs - 8 * dayMs);
    const withSteps = run(sql, [step("grant", cy)], nowMs - 8 * dayMs);
    const young = start(sql, [], nowMs - 6 * dayMs);
    const last = start(sql, []);
    pruneJournal(sql, nowMs);
    assert.deepEqual(
      loadRuns(sql, 99).map(({ runId }) => runId),
      [last, young, withSteps, died],
    );
    assert.deepEqual(owned(sql), [ana, bo, cy]);
  });
});

// ---- Any order of events ----------------------------------------------------------------------------------------

const endings = { done, refused, dropped, service: failed("service"), us: failed("us"), died: undefined };
const event = fc.record({
  verb: fc.constantFrom<Step["verb"]>("grant", "revoke", "evict"),
  account: fc.constantFrom<Account>(ana, bo),
  placeId: fc.constantFrom(vip, gold),
  ending: fc.constantFrom(...(Object.keys(endings) as (keyof typeof endings)[])),
  /** What the place shows when a step without outcome is read again. */
  shows: fc.boolean(),
});

test("whatever happens in whatever order, ours is what was given and not taken", async (t) => {
  const database = openDatabase(temporaryFolder(t));
  const property = fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
    await database.write((sql) => {
      for (const table of ["steps", "runs", "grants", "losses", "refusals"]) sql.run(`DELETE FROM ${table}`);
      // Who holds what by the record, and whether that is certain.
      const expected = new Map<string, boolean>();
      for (const { verb, account, placeId, ending, shows } of events) {
        const planned = step(verb, account, placeId);
        const runId = start(sql, [planned]);
        const end = endings[ending];
        const read = (open: { runId: RunId }) => (open.runId === runId ? shows : undefined);
        if (end === undefined) settleOpenSteps(sql, "discord", read, nowMs);
        else saveOutcomes(sql, runId, [end(planned)], nowMs);
        const isDone = end === undefined ? shows : ending === "done";
        const seats = (verb === "evict" ? [vip, gold] : [placeId]).map((id) => `${id} ${account}`);
        for (const seat of seats) expect(expected, seat, verb, isDone, ending === "service");
      }
      const found = [vip, gold].flatMap((id) => owned(sql, id).map((account) => `${id} ${account}`));
      assert.deepEqual(found.sort(), [...expected.keys()].sort());
    });
  });
  await fc.assert(property, { numRuns: 60 });
});

/** What one step makes of the record, told independently of the store. */
function expect(
  expected: Map<string, boolean>,
  seat: string,
  verb: Step["verb"],
  isDone: boolean,
  isUncertain: boolean,
): void {
  if (verb !== "grant") {
    if (isDone) expected.delete(seat);
  } else if (isDone) expected.set(seat, true);
  else if (isUncertain) expected.set(seat, expected.get(seat) ?? false);
  else if (expected.get(seat) === false) expected.delete(seat);
}
