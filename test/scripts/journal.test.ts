/** Promise 6: the plan is on disk before its first step, outcomes follow, and what has none is read again. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import {
  assertClean,
  noLimits,
  settle,
  startInstallation,
  startPeopled,
  startSynced,
  type Installation,
} from "../installation.ts";
import { answers, drops, hangs, passes } from "../sandbox/faults.ts";
import type { Fault } from "../sandbox/server.ts";

const rolePath = /\/members\/\d+\/roles\/\d+$/;

const stepsOf = (home: Installation) =>
  home.rows("SELECT run_id, verb, place_id, account, because, state FROM steps ORDER BY run_id, seq");
const statesOf = (home: Installation) =>
  stepsOf(home).map(({ verb, state }) => `${String(verb)} ${String(state)}`);

/** Starts a script and ends it with SIGKILL when the fault is met. */
async function killedAt(home: Installation, script: string, fault: Fault, faults: Fault[]): Promise<void> {
  const running = home.start(script);
  const onStrike = () => running.process.kill("SIGKILL");
  faults.push({ ...fault, onStrike });
  const { signal, stdout, stderr } = await running.result;
  assert.equal(signal, "SIGKILL", `the script ended before the moment came\n${stdout}${stderr}`);
  faults.length = 0;
}

async function startWith(test: TestContext, count: number): Promise<Installation> {
  const home = await startInstallation(test, { config: { limits: noLimits } });
  for (let index = 0; index < count; index += 1)
    home.entitle("subscription", home.addPerson(`fan${String(index)}`));
  home.saveBooks();
  return home;
}

describe("promise 6: journal first", { concurrency: 4 }, () => {
  for (const { platform, write } of [
    { platform: "discord", write: { method: "PUT", path: rolePath } },
    { platform: "matrix", write: { method: "POST", path: /\/invite$/ } },
  ] as const) {
    it(`sync-${platform} has its whole plan with reasons on disk before its first write`, async (test) => {
      const home = await startPeopled(test);
      const { faults } = home.town[platform];
      await killedAt(home, `sync-${platform}`, { ...write, fault: hangs() }, faults);
      const steps = stepsOf(home);
      assert.equal(steps.length, 12);
      assert.deepEqual(new Set(steps.map(({ state }) => state)), new Set(["planned"]));
      assert.ok(steps.every(({ because }) => typeof because === "string" && because !== ""));
      assert.deepEqual(home.rows("SELECT count(*) AS grants FROM grants WHERE settled = 0"), [
        { grants: 12 },
      ]);

      assertClean(await home.sync(platform));
      assert.deepEqual(home.rows("SELECT count(*) AS grants FROM grants WHERE settled = 1"), [
        { grants: 12 },
      ]);
      assert.deepEqual(home.rows("SELECT count(*) AS steps FROM steps WHERE state = 'planned'"), [
        { steps: 0 },
      ]);
    });
  }

  it("a step that was done, but whose answer was lost, counts as done and is ours", async (test) => {
    const home = await startWith(test, 1);
    const { discord } = home.town;
    const running = home.start("sync-discord");
    const edit = (body: unknown) => {
      running.process.kill("SIGKILL");
      return body;
    };
    discord.faults.push({ method: "PUT", path: rolePath, fault: { kind: "edit", edit } });
    assert.equal((await running.result).signal, "SIGKILL");
    discord.faults.length = 0;
    assert.deepEqual(home.holders("subscription"), ["fan0"]);

    const next = await home.sync("discord");
    assertClean(next);
    assert.doesNotMatch(next.stdout, /Taken over|let in/);
    assert.deepEqual(statesOf(home), ["grant done"]);
    assert.equal(discord.world.auditLog.length, 1);
  });

  it("a removal that failed is told of, tried again, and never reported as done", async (test) => {
    const home = await startSynced(test, { config: { limits: noLimits } });
    const { discord, matrix } = home.town;
    home.lapse("subscription", home.cast.subscription);
    discord.faults.push({
      method: "DELETE",
      path: rolePath,
      fault: answers(500, { message: "oh", code: 0 }),
    });
    matrix.faults.push({ path: /\/kick$/, fault: answers(500, { errcode: "M_UNKNOWN", error: "oh" }) });
    for (const { code, stdout } of await home.syncBoth()) {
      assert.equal(code, 4, stdout);
      assert.match(stdout, /failed: /);
      assert.doesNotMatch(stdout, /taken out/);
    }
    assert.deepEqual(
      [home.holders("subscription"), home.guests("subscription")],
      [
        ["keeper", "subscription"],
        ["keeper", "subscription"],
      ],
    );
    discord.faults.length = 0;
    matrix.faults.length = 0;
    for (const result of await home.syncBoth()) {
      assertClean(result);
      assert.match(result.stdout, /1 taken out/);
    }
    assert.deepEqual([home.holders("subscription"), home.guests("subscription")], [["keeper"], ["keeper"]]);
  });

  it("five failures in a row that speak of the service end the run; the next one goes on", async (test) => {
    const home = await startWith(test, 12);
    const { faults, requests } = home.town.discord;
    faults.push({ method: "PUT", path: rolePath, fault: drops() });
    const { code, stdout } = await home.sync("discord");
    assert.equal(code, 4, stdout);
    assert.match(stdout, /ended early: 5 steps in a row failed/);
    const tried = new Set(requests.filter(({ method }) => method === "PUT").map(({ path }) => path));
    assert.ok(tried.size < 12, "it did not try them all");
    faults.length = 0;
    assertClean(await home.sync("discord"));
    assert.equal(home.holders("subscription").length, 12);
  });

  it("a run that is told to stop finishes the step under way and leaves the rest to the next", async (test) => {
    const home = await startWith(test, 12);
    const { discord } = home.town;
    const running = home.start("sync-discord");
    const onStrike = () => running.process.kill("SIGTERM");
    const put = { method: "PUT", path: rolePath };
    discord.faults.push({
      ...put,
      skip: 3,
      times: 1,
      fault: passes(),
      onStrike,
    });
    const { code, stdout, stderr } = await running.result;
    assert.equal(code, 128 + 15, stderr);
    assert.match(stderr, /Stopping after the step under way/);
    assert.match(stdout, /stopped before its end/);
    const done = home.holders("subscription").length;
    assert.ok(done >= 4 && done < 12, `${String(done)} of 12 were let in`);
    assert.equal(home.rows("SELECT count(*) AS done FROM steps WHERE state = 'done'")[0]?.["done"], done);
    assertClean(await home.sync("discord"));
    assert.equal(home.holders("subscription").length, 12);
  });

  it("remembers a member's own refusal, which is news once", async (test) => {
    const home = await startWith(test, 2);
    const { matrix } = home.town;
    const [shy] = [...matrix.world.users.values()].filter(({ id }) => id.startsWith("@fan0:"));
    assert.ok(shy);
    shy.blocksInvites = true;
    const first = await home.sync("matrix");
    assert.equal(first.code, 4, first.stdout);
    assert.match(first.stdout, /refused: /);
    const second = await home.sync("matrix");
    assertClean(second);
    assert.match(second.stdout, /refused before/);
    assert.deepEqual(home.guests("subscription"), ["fan1"]);
  });
});

it("promise 7: a run after a kill between two platforms' runs starts at once", async (test) => {
  const home = await startWith(test, 3);
  await settle(home);
  home.entitle("custom", home.addPerson("late"));
  home.saveBooks();
  const { fanvue } = home.town;
  await killedAt(home, "sync-discord", { path: /\/subscribers$/, fault: hangs() }, fanvue.faults);
  const startedAtMs = Date.now();
  assertClean(await home.sync("discord"));
  assert.ok(Date.now() - startedAtMs < 30_000, "no lock of the dead run was in the way");
  assert.deepEqual(home.holders("custom"), ["late"]);
});
