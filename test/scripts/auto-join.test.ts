/** Auto-join: who gave us leave is brought into the server, once, with all their roles, and nobody is pulled back. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { settle } from "../installation.ts";
import { clean, startJoinServer as startServer } from "../join-stage.ts";
import { withdrawLogins } from "../sandbox/discord-logins.ts";
import { addModerator, comeIn, kickByHand, leave, moderatorId } from "../sandbox/discord-people.ts";
import { passes } from "../sandbox/faults.ts";

describe("auto-join", () => {
  it("brings in whoever gave us leave with all their roles, and takes back what came with that at the end", async (test) => {
    const { home, world, changes, ...server } = await startServer(test);
    const { addOutsider, giveLogin, hasLogin, rolesOf } = server;
    const there = home.addPerson("there");
    home.saveBooks();
    await settle(home);
    home.entitle("subscription", there);
    const newcomer = addOutsider("newcomer", "subscription", "spending");
    const meanwhile = addOutsider("meanwhile", "subscription");
    const dead = addOutsider("dead", "subscription");
    const full = addOutsider("full", "spending");
    const waiting = addOutsider("waiting", "subscription");
    home.saveBooks();
    for (const person of [newcomer, meanwhile, dead, full]) await giveLogin(person);
    withdrawLogins(world, dead.discord);
    await server.proveLink(dead);
    world.fullUsers.add(full.discord);
    // Comes in by an invitation between our reading and our asking: Discord answers 204 and gives nothing.
    home.town.discord.faults.push({
      method: "PUT",
      path: new RegExp(`/members/${meanwhile.discord}$`),
      fault: passes(),
      onStrike: () => comeIn(world, meanwhile.discord),
    });

    const before = home.platforms();
    const plan = await home.sync("discord", "--dry-run");
    assert.equal(plan.stdout.match(/brought into the server: /g)?.length, 9);
    assert.deepEqual(home.platforms(), before);

    changes();
    const { code, stdout } = await home.run("sync-discord");
    assert.equal(code, 4, stdout);
    assert.deepEqual(rolesOf(newcomer), ["member", "spending", "subscription"]);
    assert.deepEqual(rolesOf(meanwhile), ["member", "subscription"]);
    assert.deepEqual(rolesOf(there), ["subscription"], "who was there gets nothing that comes with a join");
    for (const person of [dead, full, waiting]) assert.deepEqual(rolesOf(person), ["absent"]);
    assert.deepEqual(
      changes().toSorted(),
      ["member", "member", "member", "member", "role", "role", "role"].map((what) => `PUT ${what}`),
      "one for each join, two roles for who was there meanwhile, one role for who was there",
    );
    assert.match(stdout, /permission to be brought in has ended; they may link their account again/);
    assert.match(stdout, /refused: Is in as many servers as Discord allows|in as many servers as Discord/);
    for (const person of [newcomer, meanwhile, dead]) assert.ok(!(await hasLogin(person)), person.name);
    assert.ok(await hasLogin(full));
    assert.deepEqual(home.rows("SELECT account, source FROM links"), [
      { account: dead.discord, source: "proved" },
    ]);

    const next = await clean(home);
    assert.match(next, /1 refused before/);
    assert.match(next, /2 not on the server yet/);
    assert.deepEqual(changes(), []);

    home.lapse("subscription", newcomer);
    await clean(home);
    assert.deepEqual(rolesOf(newcomer), ["member", "spending"]);
    home.lapse("spending", newcomer);
    await clean(home);
    assert.deepEqual(rolesOf(newcomer), []);
    assert.deepEqual(home.rows(`SELECT * FROM grants WHERE account = '${newcomer.discord}'`), []);
  });

  it("pulls nobody back who left, until they ask or their entitlement begins anew", async (test) => {
    const { home, world, changes, ...server } = await startServer(test);
    const { giveLogin, rolesOf } = server;
    const quick = server.addOutsider("quick", "subscription");
    const [asks, renews] = [home.addPerson("asks"), home.addPerson("renews")];
    for (const person of [asks, renews, home.addPerson("stays")]) home.entitle("subscription", person);
    home.saveBooks();
    await giveLogin(quick);
    await settle(home);
    assert.deepEqual(rolesOf(quick), ["member", "subscription"]);

    // Quick was brought in and left before any run saw them there.
    for (const person of [quick, asks, renews]) {
      leave(world, person.discord);
      await giveLogin(person);
    }
    changes();
    assert.match(await clean(home), /3 left by choice/);
    assert.match(await clean(home), /3 left by choice/);
    home.lapse("subscription", renews);
    await server.proveLink(asks);
    await clean(home);
    home.entitle("subscription", renews);
    await clean(home);
    assert.deepEqual(changes(), ["PUT member", "PUT member"]);
    for (const person of [asks, renews]) assert.deepEqual(rolesOf(person), ["member", "subscription"]);
    assert.deepEqual(rolesOf(quick), ["absent"]);
  });

  it("brings nobody in whom a moderator threw out, until they are invited again or their entitlement begins anew", async (test) => {
    const { home, world, changes, ...server } = await startServer(test);
    const { giveLogin, rolesOf, proveLink } = server;
    addModerator(world);
    const people = ["rude", "renews", "forgiven", "leaves", "stays"].map((name) => home.addPerson(name));
    const [rude, renews, forgiven, leaves] = people;
    assert.ok(rude && renews && forgiven && leaves);
    for (const person of people) home.entitle("subscription", person);
    home.saveBooks();
    await settle(home);
    const thrownOut = [rude, renews, forgiven];
    for (const { discord } of thrownOut) kickByHand(world, { by: moderatorId, to: discord });
    leave(world, leaves.discord);
    for (const person of [...thrownOut, leaves]) {
      await proveLink(person);
      await giveLogin(person);
    }
    changes();
    assert.match(await clean(home), /3 removed by a person/);
    assert.deepEqual(changes(), ["PUT member"]);
    assert.deepEqual(rolesOf(leaves), ["member", "subscription"]);

    home.lapse("subscription", renews);
    for (const person of [rude, renews, forgiven]) await proveLink(person);
    home.entitle("spending", rude);
    await clean(home);
    home.entitle("subscription", renews);
    assert.equal((await home.run("links", "reinvite", forgiven.discord)).code, 0);
    await clean(home);
    assert.deepEqual(rolesOf(rude), ["absent"], "no other role brings them back either");

    for (const person of [renews, forgiven]) assert.deepEqual(rolesOf(person), ["member", "subscription"]);
  });

  it("brings in again whom it threw out itself, and takes everything back from whoever unlinks", async (test) => {
    const { home, world, changes, ...server } = await startServer(test, "kick");
    const { rolesOf } = server;
    const ana = server.addOutsider("ana", "subscription");
    home.saveBooks();
    await server.giveLogin(ana);
    await clean(home);
    assert.deepEqual(rolesOf(ana), ["member", "subscription"]);
    assert.ok(await server.hasLogin(ana), "who may be thrown out may have to be brought in again");

    home.lapse("subscription", ana);
    assert.match(await clean(home), /1 thrown out of the server/);
    assert.deepEqual(rolesOf(ana), ["absent"]);
    home.entitle("subscription", ana);
    await clean(home);
    assert.deepEqual(rolesOf(ana), ["member", "subscription"]);

    leave(world, ana.discord);
    await clean(home);
    assert.deepEqual(rolesOf(ana), ["absent"]);
    assert.equal((await home.run("links", "reinvite", ana.discord)).code, 0);
    await clean(home);
    assert.deepEqual(rolesOf(ana), ["member", "subscription"]);

    changes();
    assert.equal((await home.run("links", "remove", ana.discord)).code, 0);
    await clean(home);
    assert.deepEqual(rolesOf(ana), []);
    assert.deepEqual(changes(), ["DELETE role", "DELETE role"], "nobody is thrown out for unlinking");
  });
});
