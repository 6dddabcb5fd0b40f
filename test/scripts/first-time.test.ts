/** Who is in a place before the tool is, and what becomes of them when something goes wrong meanwhile. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { settle, startInstallation, startPeopled } from "../installation.ts";
import { addMember } from "../sandbox/discord-world.ts";
import { moderatorId } from "../sandbox/discord-people.ts";
import { answers } from "../sandbox/faults.ts";

describe("a place that is looked after for the first time", () => {
  it("has its changed rules held while strangers wait for as long as the operator likes", async (test) => {
    const home = await startInstallation(test);
    const role = home.roles.subscription;
    for (const name of ["ana", "ben"]) home.entitle("subscription", home.addPerson(name));
    home.saveBooks();
    addMember(home.town.discord.world, { id: moderatorId, username: "friend" }).roles.add(role);
    home.config.roles = { [role]: { type: "subscription", strangers: "remove" } };
    home.saveConfig();
    assert.equal((await home.sync("discord")).code, 3);
    home.config.roles = {
      [role]: { type: "spending", min_lifetime_spend_cents: 20000, strangers: "remove" },
    };
    home.saveConfig();
    const changed = await home.sync("discord");
    assert.equal(changed.code, 3);
    assert.match(changed.stdout, /its rules have changed/);
    for (const name of ["ana", "ben"]) assert.ok(home.holders("subscription").includes(name), name);
  });

  it("keeps those who had lapsed before for approval, also where Fanvue was down at the first run", async (test) => {
    const home = await startPeopled(test);
    const former = home.addPerson("former");
    home.saveBooks();
    home.town.discord.world.members.get(former.discord)?.roles.add(home.roles.subscription);
    home.town.fanvue.faults.push({ path: /subscribers/, fault: answers(500) });
    assert.equal((await home.sync("discord")).code, 5);
    home.town.fanvue.faults.length = 0;
    const { code, stdout } = await home.sync("discord");
    assert.equal(code, 3);
    assert.match(stdout, /1 removal: linked holders who were not entitled/);
  });

  it("keeps those who lapsed for approval when an alias leads on to an upgraded room", async (test) => {
    const home = await startPeopled(test);
    const lapsing = ["lena", "luke", "liz"].map((name) => home.addPerson(name));
    for (const person of lapsing) home.entitle("subscription", person);
    home.saveBooks();
    await settle(home);
    for (const person of lapsing) home.lapse("subscription", person);
    assert.equal((await home.sync("matrix")).code, 3);
    const { world } = home.town.matrix;
    const upgraded = world.createRoom({
      creator: home.bot,
      name: "subscription",
      powerLevels: { invite: 50 },
    });
    for (const id of world.members(home.rooms.subscription, "join").filter((one) => one !== home.bot)) {
      const content = { membership: "invite" };
      world.put(upgraded, { type: "m.room.member", stateKey: id, sender: home.bot, content });
      world.join(upgraded, id);
    }
    world.aliases.set(home.aliases.subscription, upgraded);
    const held = await home.sync("matrix");
    const [, hash = "none"] = /--approve (\S+)/.exec(held.stdout) ?? [];
    assert.equal((await home.sync("matrix", "--approve", hash)).code, 0, held.stdout);
    for (const { mxid } of lapsing) assert.ok(!world.members(upgraded, "join").includes(mxid), mxid);
  });
});
