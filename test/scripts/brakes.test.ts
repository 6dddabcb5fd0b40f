/** Promise 5: too many removals are held, grants go on, and an approval releases what was shown, nothing else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  assertClean,
  assertToldOnStderr,
  kinds,
  ruleOf,
  settle,
  startInstallation,
  startPeopled,
  startSynced,
  type Installation,
  type Person,
} from "../installation.ts";

/** Without the table of limits: these tests are about them. */
async function startSubscribers(
  test: Parameters<typeof startInstallation>[0],
  count: number,
): Promise<{ home: Installation; people: readonly Person[] }> {
  const home = await startInstallation(test);
  const people = Array.from({ length: count }, (_, index) => home.addPerson(`fan${String(index)}`));
  for (const person of people) home.entitle("subscription", person);
  home.saveBooks();
  await settle(home);
  return { home, people };
}

const hashIn = (stdout: string): string => {
  const hash = /--approve ([0-9a-f]{12})/.exec(stdout)?.[1];
  assert.ok(hash !== undefined, stdout);
  return hash;
};

const namesOf = (people: readonly Person[]) => people.map(({ name }) => name).sort();

describe("promise 5: brakes", { concurrency: 2 }, () => {
  for (const platform of ["discord", "matrix"] as const) {
    const script = `sync-${platform}`;
    const inPlace = (home: Installation) =>
      platform === "discord" ? home.holders("subscription") : home.guests("subscription");

    it(`${script} holds all of too many removals, lets people in meanwhile, and obeys an approval`, async (test) => {
      const { home, people } = await startSubscribers(test, 6);
      const [ana, ben, cleo, ...staying] = people;
      assert.ok(ana !== undefined && ben !== undefined && cleo !== undefined);
      for (const person of [ana, ben, cleo]) home.lapse("subscription", person);
      const late = home.addPerson("late");
      home.entitle("subscription", late);
      home.saveBooks();

      const held = await home.run(script);
      assert.equal(held.code, 3, held.stdout);
      assert.match(held.stdout, /subscription: 3 removals in 24 hours, 2 are allowed/);
      assert.deepEqual(inPlace(home), namesOf([...people, late]));

      const again = await home.sync(platform);
      assertClean(again);
      const hash = hashIn(again.stdout);
      assert.equal(hash, hashIn(held.stdout));

      // One of them comes back before the approval, and somebody else lapses after it was shown.
      home.entitle("subscription", cleo);
      const [dora] = staying;
      assert.ok(dora);
      home.lapse("subscription", dora);
      const approved = await home.run(script, "--approve", hash);
      assert.equal(approved.stderr, "");
      assert.deepEqual(inPlace(home), namesOf([cleo, late, ...staying.slice(1)]), approved.stdout);
    });
  }

  it("an approval of what nobody was shown is refused", async (test) => {
    const { home, people } = await startSubscribers(test, 4);
    for (const person of people) home.lapse("subscription", person);
    const result = await home.sync("discord", "--approve", "0123456789ab");
    assertToldOnStderr(result, 2, /Nothing that waits for approval has the hash 0123456789ab/);
    assert.deepEqual(home.holders("subscription"), namesOf(people));
  });

  it("an approval releases nothing that was not in the set, though it is over the limit, too", async (test) => {
    const { home, people } = await startSubscribers(test, 9);
    const [first, second] = [people.slice(0, 3), people.slice(3, 7)];
    for (const person of first) home.lapse("subscription", person);
    const hash = hashIn((await home.sync("discord")).stdout);
    for (const person of second) home.lapse("subscription", person);
    const approved = await home.sync("discord", "--approve", hash);
    assert.equal(approved.code, 3, approved.stdout);
    assert.deepEqual(home.holders("subscription"), namesOf(people.slice(3)));
  });

  it("counts what was removed in the last 24 hours: small bites do not get around the limit", async (test) => {
    const { home, people } = await startSubscribers(test, 5);
    const codes: (number | null)[] = [];
    for (const person of people.slice(0, 3)) {
      home.lapse("subscription", person);
      codes.push((await home.sync("discord")).code);
    }
    assert.deepEqual(codes, [0, 0, 3]);
    assert.deepEqual(home.holders("subscription"), namesOf(people.slice(2)));
  });

  it("counts over all places of a platform", async (test) => {
    const home = await startSynced(test);
    for (const kind of kinds) home.lapse(kind, home.cast[kind]);
    const { code, stdout } = await home.sync("discord");
    assert.equal(code, 3);
    assert.match(stdout, /All places together: 6 removals in 24 hours, 5 are allowed/);
    assert.deepEqual(home.holders("subscription"), ["keeper", "subscription"]);
  });

  it("a changed rule is held until approved, people whom it lets in are not", async (test) => {
    const home = await startPeopled(test);
    await settle(home);
    Object.assign(home.config.roles ?? {}, {
      [home.roles.subscription]: ruleOf("custom", home.town, home.list),
    });
    home.saveConfig();
    const held = await home.sync("discord");
    assert.equal(held.code, 3, held.stdout);
    assert.match(held.stdout, /subscription: its rules have changed/);
    assert.deepEqual(home.holders("subscription"), ["custom", "keeper", "subscription"]);

    assertClean(await home.sync("discord", "--approve", hashIn(held.stdout)));
    assert.deepEqual(home.holders("subscription"), ["custom", "keeper"]);
    // The new rule is the accepted one from now on.
    home.lapse("custom", home.cast.custom);
    assertClean(await home.sync("discord"));
    assert.deepEqual(home.holders("subscription"), ["keeper"]);
  });

  it("an alias that leads elsewhere holds grants, too, until approved", async (test) => {
    const home = await startPeopled(test);
    await settle(home);
    const { world } = home.town.matrix;
    const elsewhere = world.createRoom({ creator: home.bot, name: "Elsewhere", powerLevels: { invite: 50 } });
    world.aliases.set(home.aliases.subscription, elsewhere);
    const membersThere = () => world.members(elsewhere, "invite");

    const held = await home.sync("matrix");
    assert.equal(held.code, 3, held.stdout);
    assert.match(held.stdout, new RegExp(`leads to ${elsewhere} now`));
    assert.deepEqual(membersThere(), []);
    assertClean(await home.sync("matrix"));
    assert.deepEqual(membersThere(), []);

    assertClean(await home.sync("matrix", "--approve", hashIn(held.stdout)));
    assert.deepEqual(membersThere(), [home.keeper.mxid, home.cast.subscription.mxid].sort());
  });

  it("a list that is suddenly empty holds every removal", async (test) => {
    const home = await startPeopled(test);
    await settle(home);
    home.lapse("custom", home.cast.custom);
    home.lapse("custom", home.keeper);
    home.lapse("top_spender", home.cast.top_spender);
    const { code, stdout } = await home.sync("discord");
    assert.equal(code, 3, stdout);
    assert.match(stdout, /The list "The inner room": 0 now, 2 when last accepted/);
    assert.deepEqual(
      [home.holders("custom"), home.holders("top_spender")],
      [
        ["custom", "keeper"],
        ["keeper", "top_spender"],
      ],
    );
  });

  it("people who were in before and are not entitled wait for approval when a place is first applied", async (test) => {
    const home = await startPeopled(test);
    const former = home.addPerson("former");
    home.saveBooks();
    home.town.discord.world.members.get(former.discord)?.roles.add(home.roles.subscription);
    const held = await home.sync("discord");
    assert.equal(held.code, 3, held.stdout);
    assert.match(held.stdout, /not entitled when this place was first applied/);
    assert.deepEqual(home.holders("subscription"), ["former", "keeper", "subscription"]);
    assertClean(await home.sync("discord", "--approve", hashIn(held.stdout)));
    assert.deepEqual(home.holders("subscription"), ["keeper", "subscription"]);
  });

  it("a clock that is wrong holds removals", async (test) => {
    const home = await startPeopled(test);
    await settle(home);
    home.lapse("top_spender", home.cast.top_spender);
    const { world } = home.town.fanvue;
    world.now = () => Date.now() - 20 * 60_000;
    const { code, stdout } = await home.sync("discord");
    assert.equal(code, 3, stdout);
    assert.match(stdout, /clock of this computer is 20 minutes ahead/);
    assert.deepEqual(home.holders("top_spender"), ["keeper", "top_spender"]);
  });

  it("what the operator asked for is not braked: links remove", async (test) => {
    const { home, people } = await startSubscribers(test, 4);
    for (const { discord } of people) {
      const { code, stderr } = await home.run("links", "remove", discord);
      assert.equal(code, 0, stderr);
    }
    assertClean(await home.sync("discord"));
    assert.deepEqual(home.holders("subscription"), []);
    assert.deepEqual(home.guests("subscription"), namesOf(people));
  });
});
