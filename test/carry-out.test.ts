/** What a run leaves behind for the next one, where an answer broke, a clock was off, or several share a data folder. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import { syncInProcess } from "./in-process.ts";
import { type Installation, settle, startInstallation } from "./installation.ts";
import { answers, cutBody } from "./sandbox/faults.ts";

const dayMs = 24 * 60 * 60 * 1000;

type TestLike = Parameters<typeof startInstallation>[0];

/** An installation with this many subscribers, all of whom have what they are entitled to. */
async function startSubscribers(
  test: TestLike,
  count: number,
  config: Readonly<Record<string, unknown>> = {},
) {
  const home = await startInstallation(test, { config });
  const people = Array.from({ length: count }, (_, index) => home.addPerson(`person${String(index)}`));
  for (const person of people) home.entitle("subscription", person);
  home.saveBooks();
  await settle(home);
  return { home, people };
}

describe("what a run leaves behind", () => {
  for (const [platform, path, left] of [
    ["discord", /roles/, (home: Installation) => home.holders("subscription")],
    ["matrix", /kick/, (home: Installation) => home.guests("subscription")],
  ] as const)
    it(`${platform}: removals whose answer broke are counted by the brakes of the next run`, async (test) => {
      const { home, people } = await startSubscribers(test, 6);
      const { faults } = home.town[platform];
      const codes: number[] = [];
      for (const round of [0, 1, 2]) {
        for (const person of people.slice(2 * round, 2 * round + 2)) home.lapse("subscription", person);
        faults.push({ method: platform === "discord" ? "DELETE" : "POST", path, fault: cutBody() });
        codes.push((await syncInProcess(home, platform)).code);
        faults.length = 0;
      }
      assert.deepEqual(codes.slice(1), [3, 3], "the held set grew each time");
      assert.equal(left(home).length, 4);
      assert.deepEqual(home.rows("SELECT count(*) AS n FROM losses WHERE counted = 1"), [{ n: 2 }]);
      assert.deepEqual(home.rows("SELECT how FROM losses WHERE how = 'gone'"), []);
    });

  for (const [name, fault, how] of [
    ["that went through", cutBody(), "evict"],
    ["that did not", answers(500, {}), "gone"],
  ] as const)
    it(`a failed kick ${name} is told by who is on the server, not by the role`, async (test) => {
      const { home, people } = await startSubscribers(test, 2);
      const [ana = assert.fail()] = people;
      const role = home.roles.subscription;
      home.config.roles = { [role]: { type: "subscription", on_expiry: "kick" } };
      home.saveConfig();
      home.lapse("subscription", ana);
      const { faults, world } = home.town.discord;
      faults.push({ method: "DELETE", path: /members\/\d+$/, fault });
      await syncInProcess(home, "discord");
      faults.length = 0;
      world.members.get(ana.discord)?.roles.delete(role);
      await syncInProcess(home, "discord");
      assert.deepEqual(home.rows("SELECT how FROM losses"), [{ how }]);
    });

  it("an approval for Discord accepts nothing for Matrix", async (test) => {
    const limits = { max_removal_share: 1, min_removals_per_place: 1000, min_removals_per_target: 1000 };
    const { home, people } = await startSubscribers(test, 12, { limits });
    for (const person of people.slice(0, 8)) home.lapse("subscription", person);
    const { text } = await syncInProcess(home, "discord");
    const [, hash = assert.fail(text)] = /--approve ([0-9a-f]{12})/.exec(text) ?? [];
    const { code, stdout } = await home.run("sync-discord", "--approve", hash);
    assert.equal(code, 0, stdout);
    assert.equal(home.holders("subscription").length, 4);
    assert.equal((await syncInProcess(home, "matrix")).code, 3);
    assert.equal(home.guests("subscription").length, 12);
  });

  it("a run whose clock was off notes nothing that days of grace are counted from", async (test) => {
    const home = await startInstallation(test);
    const ana = home.addPerson("ana");
    home.entitle("custom", ana);
    home.config.roles = { [home.roles.custom]: { ...customRole(home), grace_days: 14 } };
    home.saveConfig();
    home.saveBooks();
    assert.equal((await syncInProcess(home, "discord")).code, 0);
    home.lapse("custom", ana);
    const lapses = () => home.rows("SELECT since_ms FROM lapses").length;

    const { world } = home.town.fanvue;
    const { now } = world;
    world.now = () => Date.now() + 30 * dayMs;
    await syncInProcess(home, "discord");
    assert.equal(lapses(), 0);
    world.now = now;
    await syncInProcess(home, "discord");
    assert.equal(lapses(), 1);
    assert.deepEqual(home.holders("custom"), ["ana"]);
  });

  it("a second config folder on the same data folder needs no books of the first", async (test) => {
    const { home } = await startSubscribers(test, 1);
    const folder = join(home.folder, "second");
    mkdirSync(folder);
    copyFileSync(join(home.folder, "config.yaml"), join(folder, "config.yaml"));
    const { code, text } = await syncInProcess({ folder, dataDir: home.dataDir }, "discord");
    assert.equal(code, 0, text);
    assert.deepEqual(home.holders("subscription"), ["person0"]);
  });
});

function customRole(home: Installation): object {
  const role = home.config.roles?.[home.roles.custom];
  assert.ok(typeof role === "object" && role !== null);
  return role;
}
