/**
 * Promise 7: a kill at any moment loses nothing acknowledged, corrupts nothing, blocks nobody, and the next run repairs
 * it. The moments are counted in requests that reach the services, before and after each is carried out.
 */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import { assertClean, kinds, noLimits, startSynced, type Peopled } from "../installation.ts";
import { hangs, passes } from "../sandbox/faults.ts";
import type { Fault, FaultKind } from "../sandbox/server.ts";

const script = { discord: "sync-discord", matrix: "sync-matrix" } as const;
type Platform = keyof typeof script;

/** People come, people lapse: grants and removals in every place. */
async function startBusy(test: TestContext): Promise<Peopled> {
  const home = await startSynced(test, { config: { limits: noLimits } });
  for (const name of ["ada", "bea", "cyd"]) {
    const person = home.addPerson(name);
    for (const kind of kinds) home.entitle(kind, person);
  }
  for (const kind of kinds) home.lapse(kind, home.cast[kind]);
  home.saveBooks();
  return home;
}

const seats = (home: Peopled) =>
  kinds.map((kind) => ({ kind, role: home.holders(kind), room: home.guests(kind) }));

/** What the database holds in the end, but for when. */
const ledgerOf = (home: Peopled, platform: Platform) => ({
  grants: home.rows(
    `SELECT place_id, account, fans, basis, settled FROM grants WHERE target = '${platform}' ORDER BY place_id, account`,
  ),
  departures: home.rows("SELECT * FROM departures"),
  open: home.rows("SELECT * FROM steps WHERE state = 'planned'"),
  earnings: home.rows("SELECT source, fan, gross_cents FROM earnings ORDER BY fan, source, gross_cents"),
  subscribers: home.rows("SELECT fan FROM subscribers ORDER BY fan"),
  snapshotIsThere: home.rows("SELECT count(*) AS rows FROM snapshot"),
  integrity: home.rows("PRAGMA integrity_check"),
});

const all = (home: Peopled) => {
  const { fanvue, discord, matrix } = home.town;
  return [fanvue.api, discord, matrix];
};

/** How many requests an undisturbed run sends, and what it leads to. */
async function undisturbed(test: TestContext, platform: Platform) {
  const home = await startBusy(test);
  const count = () => all(home).reduce((sum, { requests }) => sum + requests.length, 0);
  const before = count();
  assertClean(await home.run(script[platform]));
  return { requests: count() - before, seats: seats(home), ledger: ledgerOf(home, platform) };
}

interface Moment {
  readonly request: number;
  readonly when: "before" | "after";
}

/** Kills the run at its n-th request: before that is carried out, or when it has been but the answer is not out yet. */
async function killedAt(home: Peopled, platform: Platform, { request, when }: Moment): Promise<void> {
  const running = home.start(script[platform]);
  let met = 0;
  const isTheMoment = () => {
    met += 1;
    if (met === request) running.process.kill("SIGKILL");
    return met >= request;
  };
  const afterwards: FaultKind = {
    kind: "edit",
    edit(body) {
      isTheMoment();
      return body;
    },
  };
  let isOver = false;
  const watch: Fault =
    when === "after"
      ? { path: /./, fault: afterwards }
      : {
          path: /./,
          onStrike() {
            isOver = isTheMoment();
          },
          get fault() {
            return isOver ? hangs() : passes();
          },
        };
  for (const { faults } of all(home)) faults.push(watch);
  const { signal, code, stdout, stderr } = await running.result;
  for (const { faults } of all(home)) faults.length = 0;
  assert.deepEqual({ signal, code }, { signal: "SIGKILL", code: null }, `${stdout}${stderr}`);
}

/** Ten moments, alternating, from the first request to one shortly before the end: runs differ by a few requests. */
const momentsIn = (requests: number): readonly Moment[] =>
  Array.from({ length: 10 }, (_, index) => ({
    request: 1 + Math.floor((index * (requests * 0.9 - 1)) / 9),
    when: index % 2 === 0 ? "after" : "before",
  }));

describe("promise 7: a kill at any moment loses nothing acknowledged", () => {
  for (const platform of ["discord", "matrix"] as const)
    it(`ten kills of ${script[platform]}, each at another moment, each repaired by the next run`, async (test) => {
      const expected = await undisturbed(test, platform);
      assert.ok(expected.requests >= 30);
      for (const moment of momentsIn(expected.requests)) {
        const what = `killed ${moment.when} request ${String(moment.request)} of ${String(expected.requests)}`;
        const home = await startBusy(test);
        const acknowledged = "SELECT run_id, seq, state FROM steps WHERE state <> 'planned'";
        const known = home.rows(acknowledged);
        await killedAt(home, platform, moment);
        assert.deepEqual(home.rows("PRAGMA integrity_check"), [{ integrity_check: "ok" }], what);
        const kept = home.rows(acknowledged);
        for (const row of known)
          assert.ok(
            kept.some((other) => other["run_id"] === row["run_id"] && other["seq"] === row["seq"]),
            what,
          );

        const startedAtMs = Date.now();
        const next = await home.run(script[platform]);
        assert.equal(next.code, 0, `${what}\n${next.stdout}${next.stderr}`);
        assert.ok(Date.now() - startedAtMs < 30_000, `${what}: nothing of the dead run was in the way`);
        assert.deepEqual(seats(home), expected.seats, what);
        assert.deepEqual(ledgerOf(home, platform), expected.ledger, what);
      }
    });

  it("five kills of one installation in a row add up to nothing", async (test) => {
    const expected = await undisturbed(test, "discord");
    const home = await startBusy(test);
    for (const share of [0.95, 0.8, 0.7, 0.6, 0.5])
      await killedAt(home, "discord", { request: Math.ceil(share * expected.requests * 0.6), when: "after" });
    assertClean(await home.run("sync-discord"));
    assert.deepEqual(seats(home), expected.seats);
    assert.deepEqual(ledgerOf(home, "discord"), expected.ledger);
  });
});
