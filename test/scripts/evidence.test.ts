/**
 * The two sides of the gate, in every rule, on both platforms and in both generations of Fanvue's API: whoever is
 * entitled gets in, whoever the evidence says "no" to gets out, and a missing row alone is no evidence.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { assertClean, kinds, noLimits, startPeopled, startSynced, type Peopled } from "../installation.ts";
import type { Generation } from "../sandbox/fanvue-pages.ts";
import { passes } from "../sandbox/faults.ts";
import type { FaultKind } from "../sandbox/server.ts";

const config = { limits: noLimits };

/** Who is in each place, of both platforms. */
const everybodyIn = (home: Peopled) =>
  kinds.map((kind) => ({ kind, role: home.holders(kind), room: home.guests(kind) }));

const placesWith = (...names: readonly string[]) =>
  kinds.map((kind) => {
    const here = names.map((name) => (name === "the one" ? kind : name)).sort();
    return { kind, role: here, room: here };
  });

/** Leaves the rows of these fans out of a page. */
const withoutFans = (uuids: ReadonlySet<string>): FaultKind => ({
  kind: "edit",
  edit(body) {
    const isOneOfThem = (row: unknown) =>
      typeof row === "object" && row !== null && "uuid" in row && uuids.has(String(row.uuid));
    if (typeof body !== "object" || body === null || !("data" in body) || !Array.isArray(body.data))
      return body;
    return { ...body, data: (body.data as unknown[]).filter((row) => !isOneOfThem(row)) };
  },
});

const generations: readonly Generation[] = ["v1", "unprefixed"];
for (const generation of generations) {
  describe(`with Fanvue's ${generation} API`, { concurrency: 2 }, () => {
    it("lets in who is entitled, takes out whom the evidence says no to, and never a stranger in", async (test) => {
      const home = await startPeopled(test, { generation, config });
      home.addPerson("stranger", { linked: false });
      for (const result of await home.syncBoth()) assertClean(result);
      assert.deepEqual(everybodyIn(home), placesWith("the one", "keeper"));

      home.acceptInvites();
      const late = home.addPerson("late");
      home.saveBooks();
      for (const kind of kinds) {
        home.lapse(kind, home.cast[kind]);
        home.entitle(kind, late);
      }
      for (const result of await home.syncBoth()) assertClean(result);
      assert.deepEqual(everybodyIn(home), placesWith("keeper", "late"));
    });

    it("promise 3: a row that is missing takes nothing away", async (test) => {
      const home = await startSynced(test, { generation, config });
      const before = everybodyIn(home);
      const { faults } = home.town.fanvue;
      const fault = withoutFans(new Set(kinds.map((kind) => home.cast[kind].fan.uuid)));
      for (const path of [/\/subscribers$/, /\/followers$/, /\/custom\/[^/]+$/, /\/smart\/[^/]+$/])
        faults.push({ path, fault });
      for (const result of await home.syncBoth()) {
        assertClean(result);
        assert.match(result.stdout, /read again: subscriber/);
      }
      assert.ok(faults.every(({ struck = 0 }) => struck > 0));
      assert.deepEqual(everybodyIn(home), before);
    });
  });
}

it("promise 3: whoever is entitled again by the time they would lose something keeps it", async (test) => {
  const home = await startSynced(test, { config });
  const before = everybodyIn(home);
  const { discord, matrix } = home.town;
  const revocable = ["top_spender", "custom", "smart"] as const;
  for (const { platform, faults, path } of [
    { platform: "discord", faults: discord.faults, path: /\/members$/ },
    { platform: "matrix", faults: matrix.faults, path: /\/whoami$/ },
  ] as const) {
    for (const kind of revocable) home.lapse(kind, home.cast[kind]);
    // The platform is read between the snapshot and the evidence.
    const onStrike = () => {
      for (const kind of revocable) home.entitle(kind, home.cast[kind]);
    };
    faults.push({ path, times: 1, fault: passes(), onStrike });
    const result = await home.sync(platform);
    assertClean(result);
    assert.match(result.stdout, /3 accounts: read again|read again: top spender/);
  }
  assert.deepEqual(everybodyIn(home), before);
});
