/** What a person does by hand on Discord is respected, and what Discord only says it did is not believed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { assertClean, noLimits, settle, startInstallation, type Person } from "../installation.ts";
import {
  addModerator,
  addOtherBot,
  comeIn,
  giveRoleByHand,
  leave,
  takeRoleByHand,
} from "../sandbox/discord-people.ts";
import { forgets, passes } from "../sandbox/faults.ts";

const rolePath = /\/members\/\d+\/roles\/\d+$/;

/** Subscribers by name who have their role, a moderator, and the bot of somebody else. */
async function startServer<Name extends string>(
  test: Parameters<typeof startInstallation>[0],
  names: readonly Name[],
) {
  const home = await startInstallation(test, { config: { limits: noLimits } });
  const people = new Map(names.map((name): [Name, Person] => [name, home.addPerson(name)]));
  for (const person of people.values()) home.entitle("subscription", person);
  home.saveBooks();
  const { world } = home.town.discord;
  const moderator = addModerator(world);
  const otherBot = addOtherBot(world);
  await settle(home);
  const role = home.roles.subscription;
  const who = (name: Name): Person => people.get(name) ?? assert.fail();
  return {
    home,
    world,
    who,
    role,
    moderator,
    otherBot,
    takes: (by: string, name: Name) => {
      takeRoleByHand(world, { by, to: who(name).discord, role });
    },
    /** Syncs, and gives the report and who has the role then. */
    sync: async () => {
      const result = await home.sync("discord");
      assertClean(result);
      return { report: result.stdout, holders: home.holders("subscription") };
    },
  };
}

describe("what a person does by hand", () => {
  it("a role that a moderator took comes back with a new entitlement, by their own hand, or by links reinvite", async (test) => {
    const names = ["stays", "renews", "forgiven", "robbed", "traveller", "reinvited"] as const;
    const { home, world, who, role, moderator, otherBot, takes, sync } = await startServer(test, names);
    for (const name of ["renews", "forgiven", "reinvited"] as const) takes(moderator, name);
    takes(otherBot, "robbed");
    leave(world, who("traveller").discord);

    const first = await sync();
    assert.deepEqual(first.holders, ["robbed", "stays"]);
    assert.match(first.report, /3 removed by a person/);
    assert.match(first.report, /The bot "other-bot" took the role "subscription" from 1/);
    // The audit log is asked while the role is on record, once.
    const asked = () => home.town.discord.requests.filter(({ path }) => path.endsWith("/audit-logs")).length;
    const before = asked();
    assert.deepEqual((await sync()).holders, ["robbed", "stays"]);
    assert.equal(asked(), before);

    giveRoleByHand(world, { by: moderator, to: who("forgiven").discord, role });
    comeIn(world, who("traveller").discord);
    home.lapse("subscription", who("renews"));
    const { code, stdout, stderr } = await home.run("links", "reinvite", who("reinvited").discord);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /left, refused or lost 1 place is forgotten.+\n.*auto-join/);
    const back = ["forgiven", "reinvited", "robbed", "stays", "traveller"];
    const second = await sync();
    assert.deepEqual(second.holders, back);
    assert.match(
      second.report,
      /Taken over.*: 1 holder\n.*fan-forgiven/,
      "what a person gave back is ours again",
    );

    home.entitle("subscription", who("renews"));
    assert.deepEqual((await sync()).holders, [...back, "renews"].sort());
    assert.deepEqual(home.rows("SELECT * FROM departures WHERE target = 'discord'"), []);
    // Nothing of this was given or taken twice.
    assert.match((await sync()).report, /^Nothing to do/m);
  });

  it("a change that Discord swallowed is a failed step, and made good by the next run", async (test) => {
    const { home, who, takes, moderator, sync } = await startServer(test, ["lapsing", "staying", "removed"]);
    const coming = home.addPerson("coming");
    home.entitle("subscription", coming);
    home.saveBooks();
    home.lapse("subscription", who("lapsing"));
    takes(moderator, "removed");
    home.town.discord.faults.push({ path: rolePath, fault: forgets() });
    const { code, stdout } = await home.run("sync-discord");
    assert.equal(code, 4, stdout);
    assert.equal(stdout.match(/failed: Discord said yes, but/g)?.length, 2);
    assert.deepEqual(home.rows("SELECT verb, state FROM steps WHERE state <> 'done' ORDER BY verb"), [
      { verb: "grant", state: "failed" },
      { verb: "revoke", state: "failed" },
    ]);
    home.town.discord.faults.length = 0;
    const { report, holders } = await sync();
    assert.match(report, /1 let in, 1 taken out/);
    assert.deepEqual(holders, ["coming", "staying"]);
  });

  it("a run that is killed after its changes, before they were read again, is settled by the next one", async (test) => {
    const { home, world, moderator, role, who, sync } = await startServer(test, ["lapsing", "staying"]);
    const moderated = home.addPerson("moderated");
    for (const person of [moderated, home.addPerson("coming")]) home.entitle("subscription", person);
    home.saveBooks();
    home.lapse("subscription", who("lapsing"));
    const { discord } = home.town;
    const running = home.start("sync-discord");
    const isChanged = () => home.holders("subscription").join() === "coming,moderated,staying";
    const onStrike = () => isChanged() && running.process.kill("SIGKILL");
    discord.faults.push({ method: "GET", path: /\/members/, fault: passes(), onStrike });
    assert.equal((await running.result).signal, "SIGKILL");
    discord.faults.length = 0;
    const open = "SELECT count(*) AS open FROM steps WHERE state = 'planned'";
    assert.deepEqual(home.rows(open), [{ open: 1 }], "the removal; a grant is on record at once");
    takeRoleByHand(world, { by: moderator, to: moderated.discord, role });
    const changes = discord.world.auditLog.length;
    const { report, holders } = await sync();
    assert.match(report, /^Nothing to do/m);
    assert.deepEqual(holders, ["coming", "staying"]);
    assert.deepEqual(home.rows(open), [{ open: 0 }]);
    assert.equal(discord.world.auditLog.length, changes);
  });
});
