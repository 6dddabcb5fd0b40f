/** Promise 4: we take back only what is ours, and a person's decision stands. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  assertClean,
  noLimits,
  ruleOf,
  settle,
  startInstallation,
  startPeopled,
  type Installation,
  type Peopled,
  type Person,
} from "../installation.ts";
import { addRole } from "../sandbox/discord-world.ts";

const subscribers = (home: Installation) => ({
  role: home.holders("subscription"),
  room: home.guests("subscription"),
});
const both = (...names: readonly string[]) => ({ role: names.toSorted(), room: names.toSorted() });

/** Replaces what the config says of the places for subscribers. */
function setSubscriptionPlace(home: Installation, more: Readonly<Record<string, unknown>>): void {
  const value = { ...ruleOf("subscription", home.town, home.list), ...more };
  Object.assign(home.config.roles ?? {}, { [home.roles.subscription]: value });
  Object.assign(home.config.rooms ?? {}, { [home.aliases.subscription]: value });
  home.saveConfig();
}

/** People with a subscription, by name. */
async function startSubscribed<Name extends string>(
  test: Parameters<typeof startInstallation>[0],
  names: readonly Name[],
): Promise<{ home: Installation; who: (name: Name) => Person }> {
  const home = await startInstallation(test, { config: { limits: noLimits } });
  const people = new Map(names.map((name) => [name, home.addPerson(name)]));
  for (const person of people.values()) home.entitle("subscription", person);
  home.saveBooks();
  const who = (name: Name) => {
    const person = people.get(name);
    if (person === undefined) throw new Error(`there is no ${name}`);
    return person;
  };
  return { home, who };
}

describe("promise 4: we take back only what is ours", { concurrency: 2 }, () => {
  it("never from owner, bots, staff or the protected, not even by throwing them out", async (test) => {
    const names = ["owner", "robot", "staff", "admin", "protected", "ordinary"] as const;
    const { home, who } = await startSubscribed(test, names);
    const { discord, matrix } = home.town;
    await settle(home);

    discord.world.guild.ownerId = who("owner").discord;
    const member = (name: (typeof names)[number]) => {
      const found = discord.world.members.get(who(name).discord);
      assert.ok(found);
      return found;
    };
    member("robot").user.bot = true;
    member("staff").roles.add(
      addRole(discord.world, { id: "200000000000000900", name: "staff", position: 60 }).id,
    );
    member("admin").roles.add(
      addRole(discord.world, { id: "200000000000000901", name: "admin", position: 5, permissions: 8n }).id,
    );
    for (const name of ["owner", "robot", "staff", "admin"] as const)
      matrix.world.setPower(home.rooms.subscription, who(name).mxid, 100);
    home.config["protected"] = [who("protected").discord, who("protected").mxid];
    setSubscriptionPlace(home, { on_expiry: "kick" });
    for (const name of names) home.lapse("subscription", who(name));

    const ends = await home.syncBoth();
    assert.deepEqual(subscribers(home), both("owner", "robot", "staff", "admin", "protected"));
    assert.ok(
      !discord.world.members.has(who("ordinary").discord),
      "thrown out of the server, as the config says",
    );
    for (const { stdout } of ends) assert.match(stdout, /untouchable.*protected|protected.*untouchable/);
  });

  it("never from somebody without a link, nor from a linked holder to whom somebody else gave it", async (test) => {
    const { home, who } = await startSubscribed(test, ["friend", "reader"]);
    const { discord, matrix } = home.town;
    await settle(home);
    const outsider = home.addPerson("outsider", { linked: false });
    const guest = home.addPerson("guest");
    home.saveBooks();
    for (const { discord: id, mxid } of [outsider, guest]) {
      discord.world.members.get(id)?.roles.add(home.roles.subscription);
      matrix.world.invite(home.rooms.subscription, home.bot, mxid);
      matrix.world.join(home.rooms.subscription, mxid);
    }
    home.lapse("subscription", who("reader"));
    for (const result of await home.syncBoth()) {
      assertClean(result);
      assert.match(result.stdout, /not given by this program/);
      assert.match(result.stdout, /without a link/);
    }
    assert.deepEqual(subscribers(home), both("friend", "guest", "outsider"));
  });

  it("adopts whoever is in already, linked and entitled, and says so; not where the place says adopt: false", async (test) => {
    const { home, who } = await startSubscribed(test, ["early", "other"]);
    const { discord, matrix } = home.town;
    for (const name of ["early", "other"] as const) {
      discord.world.members.get(who(name).discord)?.roles.add(home.roles.subscription);
      matrix.world.invite(home.rooms.subscription, home.bot, who(name).mxid);
      matrix.world.join(home.rooms.subscription, who(name).mxid);
    }
    Object.assign(home.config.rooms ?? {}, {
      [home.aliases.subscription]: { rules: [{ type: "subscription" }], adopt: false },
    });
    home.saveConfig();
    const [onDiscord, onMatrix] = await home.syncBoth();
    assert.match(onDiscord.stdout, /^Taken over, .*: 2 holders\n.*fan-early.*\n.*fan-other/m);
    assert.doesNotMatch(onMatrix.stdout, /^Taken over/m);
    home.lapse("subscription", who("early"));
    for (const result of await home.syncBoth()) assertClean(result);
    assert.deepEqual(subscribers(home), { role: ["other"], room: ["early", "other"] });
  });

  it("a ban is never lifted", async (test) => {
    const { home, who } = await startSubscribed(test, ["banned", "welcome"]);
    const { discord, matrix } = home.town;
    await settle(home);
    matrix.world.ban(home.rooms.subscription, home.bot, who("banned").mxid);
    discord.world.members.delete(who("banned").discord);
    discord.world.bans.add(who("banned").discord);
    for (const result of await home.syncBoth()) assertClean(result);
    // Not even when the entitlement ends and begins anew.
    home.lapse("subscription", who("banned"));
    await home.syncBoth();
    home.entitle("subscription", who("banned"));
    const [, onMatrix] = await home.syncBoth();
    assert.match(onMatrix.stdout, /1 banned/);
    assert.deepEqual(subscribers(home), both("welcome"));
    assert.equal(matrix.world.membership(home.rooms.subscription, who("banned").mxid), "ban");
    assert.ok(discord.world.bans.has(who("banned").discord));
  });

  it("whoever left by choice is invited again only when asked for, or when the entitlement begins anew", async (test) => {
    const names = ["stays", "returns", "renews", "knocks"] as const;
    const { home, who } = await startSubscribed(test, names);
    const { world } = home.town.matrix;
    const room = home.rooms.subscription;
    await settle(home);
    world.setJoinRule(room, "knock");
    for (const name of ["returns", "renews", "knocks"] as const) world.leave(room, who(name).mxid);
    const sync = async () => {
      assertClean(await home.sync("matrix"));
      return home.guests("subscription");
    };
    assert.deepEqual(await sync(), ["stays"]);
    assert.deepEqual(await sync(), ["stays"]);

    const { code, stderr } = await home.run("links", "reinvite", who("returns").mxid);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await sync(), ["returns", "stays"]);

    world.knock(room, who("knocks").mxid);
    assert.deepEqual(await sync(), ["knocks", "returns", "stays"]);

    home.lapse("subscription", who("renews"));
    assert.deepEqual(await sync(), ["knocks", "returns", "stays"]);
    home.entitle("subscription", who("renews"));
    assert.deepEqual(await sync(), ["knocks", "renews", "returns", "stays"]);
  });

  it("whoever is thrown out where another role justifies their presence only loses the one role", async (test) => {
    const home: Peopled = await startPeopled(test, { config: { limits: noLimits } });
    const { subscription, spending } = home.cast;
    home.entitle("spending", subscription);
    setSubscriptionPlace(home, { on_expiry: "kick" });
    Object.assign(home.config.roles ?? {}, {
      [home.roles.spending]: { ...ruleOf("spending", home.town, home.list), on_expiry: "kick" },
    });
    home.saveConfig();
    await settle(home);
    home.lapse("subscription", subscription);
    home.lapse("spending", spending);
    assertClean(await home.sync("discord"));
    const { members } = home.town.discord.world;
    assert.deepEqual(home.holders("subscription"), ["keeper"]);
    assert.deepEqual(home.holders("spending"), ["keeper", "subscription"]);
    assert.ok(members.has(subscription.discord));
    assert.ok(!members.has(spending.discord));
  });

  it("tells of what is ours in a place that is no longer configured, and leaves it there until asked", async (test) => {
    const { home } = await startSubscribed(test, ["ana", "ben"]);
    await settle(home);
    home.config.roles = Object.fromEntries(
      Object.entries(home.config.roles ?? {}).filter(([id]) => id !== home.roles.subscription),
    );
    home.saveConfig();
    const result = await home.sync("discord");
    assertClean(result);
    assert.match(result.stdout, new RegExp(`--take-back '${home.roles.subscription}'`));
    assert.deepEqual(home.holders("subscription"), ["ana", "ben"]);
    assertClean(await home.sync("discord", "--take-back", home.roles.subscription));
    assert.deepEqual(home.holders("subscription"), []);
  });
});
