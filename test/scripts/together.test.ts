/** Several scripts at once: nothing is lost, and nobody is written by two runs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { assertClean, startInstallation, type Installation, type Person } from "../installation.ts";
import type { ScriptResult } from "../harness.ts";
import { passes } from "../sandbox/faults.ts";

async function startWith(
  test: Parameters<typeof startInstallation>[0],
  count: number,
): Promise<{ home: Installation; people: readonly Person[] }> {
  const home = await startInstallation(test);
  const people = Array.from({ length: count }, (_, index) => home.addPerson(`fan${String(index)}`));
  for (const person of people) home.entitle("subscription", person);
  home.saveBooks();
  return { home, people };
}

const writesOf = (home: Installation) =>
  [...home.town.discord.requests, ...home.town.matrix.requests]
    .filter(({ method, status }) => method !== "GET" && status < 300)
    .map(({ method, path, text }) => `${method} ${path} ${text}`);

describe("several scripts at once", { concurrency: 2 }, () => {
  it("two syncs of each platform and a links add: everybody is let in once, no row is lost", async (test) => {
    const { home, people } = await startWith(test, 8);
    const late = home.addPerson("late", { linked: false });
    home.entitle("subscription", late);

    // The others start while the first one is writing, and are up before it has done.
    const { discord, matrix } = home.town;
    Object.assign(discord.world.limits.write, { limit: 2, windowMs: 600 });
    matrix.world.limits.perRoom = { perSecond: 4, burst: 2 };
    const others: Promise<ScriptResult>[] = [];
    const onStrike = () => {
      for (const script of ["sync-discord", "sync-matrix", "sync-matrix"]) others.push(home.run(script));
      for (const account of [late.discord, late.mxid])
        others.push(home.run("links", "add", late.fan.uuid, account));
    };
    discord.faults.push({ method: "PUT", path: /\/roles\//, times: 1, fault: passes(), onStrike });
    assertClean(await home.run("sync-discord"));
    for (const result of await Promise.all(others)) assertClean(result);
    for (const result of await home.syncBoth()) assertClean(result);

    const everybody = [...people, late].map(({ name }) => name).sort();
    assert.deepEqual(home.holders("subscription"), everybody);
    assert.deepEqual(home.guests("subscription"), everybody);
    const writes = writesOf(home);
    assert.deepEqual(writes.toSorted(), [...new Set(writes)].sort(), "each was written once");
    assert.equal(writes.length, 2 * everybody.length);

    const one = (query: string) => Object.values(home.rows(query)[0] ?? {})[0];
    assert.equal(one("SELECT count(*) FROM links"), 2);
    assert.equal(one("SELECT count(*) FROM runs WHERE ended_at_ms IS NOT NULL AND exit_code = 0"), 6);
    assert.equal(one("SELECT count(*) FROM steps WHERE state = 'done'"), 2 * everybody.length);
    assert.equal(one("SELECT count(*) FROM steps WHERE state <> 'done'"), 0);
    assert.equal(one("SELECT count(*) FROM grants WHERE settled = 1"), 2 * everybody.length);
    assert.equal(one("PRAGMA integrity_check"), "ok");
  });

  it("ten links adds at once are ten links", async (test) => {
    const home = await startInstallation(test);
    const people = Array.from({ length: 10 }, (_, index) =>
      home.addPerson(`fan${String(index)}`, { linked: false }),
    );
    const results = await Promise.all(
      people.map(({ fan, discord }) => home.run("links", "add", fan.uuid, discord)),
    );
    for (const result of results) assertClean(result);
    const stored = home.rows("SELECT account FROM links ORDER BY account").map(({ account }) => account);
    assert.deepEqual(stored, people.map(({ discord }) => discord).sort());
  });

  it("a link that is cut while a sync runs gets nothing any more", async (test) => {
    const { home, people } = await startWith(test, 12);
    const last = people.at(-1);
    assert.ok(last);
    // Steps come in the order of accounts: the last one's turn is far away when the first one is written.
    let cut: Promise<ScriptResult> | undefined;
    const { discord } = home.town;
    Object.assign(discord.world.limits.write, { limit: 2, windowMs: 700 });
    const onStrike = () => {
      cut = home.run("links", "remove", last.discord);
    };
    discord.faults.push({ method: "PUT", path: /\/roles\//, times: 1, fault: passes(), onStrike });
    const { code, stdout } = await home.run("sync-discord");
    assert.equal(code, 0, stdout);
    assert.equal((await cut)?.code, 0);
    assert.match(stdout, /dropped: .*no longer stands/);
    assert.equal(home.holders("subscription").length, 11);
    assert.ok(!home.holders("subscription").includes(last.name));
  });
});
