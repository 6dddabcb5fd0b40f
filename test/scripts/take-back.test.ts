/** A place that the config no longer names keeps what it has until the operator takes it back. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { settle, startInstallation } from "../installation.ts";

describe("a place that is no longer configured", () => {
  it("is reported, and --take-back takes from those alone to whom it was given", async (test) => {
    const home = await startInstallation(test);
    const [ana, ben] = [home.addPerson("ana"), home.addPerson("ben")];
    const byHand = home.addPerson("by-hand", { linked: false });
    for (const person of [ana, ben]) home.entitle("subscription", person);
    home.saveBooks();
    await settle(home);
    const role = home.roles.subscription;
    home.town.discord.world.members.get(byHand.discord)?.roles.add(role);
    delete home.config.roles?.[role];
    home.saveConfig();

    const report = await home.sync("discord");
    assert.equal(report.code, 0, report.stderr);
    assert.match(report.stdout, new RegExp(`2 accounts still have .*\n.*--take-back '${role}'`));
    assert.deepEqual(home.holders("subscription"), ["ana", "ben", "by-hand"]);

    const shown = await home.sync("discord", "--take-back", role, "--dry-run");
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /2 to be taken out/);
    assert.deepEqual(home.holders("subscription"), ["ana", "ben", "by-hand"]);

    const taken = await home.run("sync-discord", "--take-back", role);
    assert.equal(taken.code, 0, taken.stderr);
    assert.deepEqual(home.holders("subscription"), ["by-hand"]);

    const again = await home.sync("discord", "--take-back", role);
    assert.equal(again.code, 2);
    assert.match(again.stderr, /nothing that was given there is on record/);
  });

  it("leaves those who held it by another hand when it was first applied", async (test) => {
    const home = await startInstallation(test);
    const [ana, byHand] = [home.addPerson("ana"), home.addPerson("by-hand")];
    home.entitle("subscription", ana);
    home.saveBooks();
    const role = home.roles.subscription;
    home.town.discord.world.members.get(byHand.discord)?.roles.add(role);
    await home.sync("discord");
    delete home.config.roles?.[role];
    home.saveConfig();

    const taken = await home.sync("discord", "--take-back", role);
    assert.equal(taken.code, 0, taken.stderr);
    assert.match(taken.stdout, /1 taken out/);
    assert.deepEqual(home.holders("subscription"), ["by-hand"]);
  });

  it("is told of, too, where the config names no place at all any more", async (test) => {
    const home = await startInstallation(test);
    home.entitle("subscription", home.addPerson("ana"));
    home.saveBooks();
    await settle(home);
    const role = home.roles.subscription;
    delete home.config.roles;
    home.saveConfig();

    const report = await home.sync("discord");
    assert.equal(report.code, 0, report.stderr);
    assert.match(report.stdout, /^The config names no roles: there is nothing to do\.\n/);
    assert.match(report.stdout, new RegExp(`1 account still has .*\n.*--take-back '${role}'`));
    const taken = await home.sync("discord", "--take-back", role);
    assert.equal(taken.code, 0, taken.stderr);
    assert.deepEqual(home.holders("subscription"), []);
    assert.equal((await home.sync("discord")).stdout, "The config names no roles: there is nothing to do.\n");
  });

  it("is struck off the record where it was deleted on the platform", async (test) => {
    const home = await startInstallation(test);
    home.entitle("subscription", home.addPerson("ana"));
    home.saveBooks();
    await settle(home);
    const role = home.roles.subscription;
    home.town.discord.world.roles.delete(role);
    delete home.config.roles?.[role];
    home.saveConfig();

    const taken = await home.sync("discord", "--take-back", role);
    assert.equal(taken.code, 0, taken.stderr);
    assert.match(taken.stdout, /What was given there is struck off the record\./);
    assert.doesNotMatch((await home.sync("discord")).stdout, /no longer configured/);
  });

  it("cannot be taken back while the config still names it", async (test) => {
    const home = await startInstallation(test);
    const ana = home.addPerson("ana");
    home.entitle("subscription", ana);
    home.saveBooks();
    await settle(home);

    const refused = await home.sync("matrix", "--take-back", home.aliases.subscription);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /still names this place/);
    assert.deepEqual(home.guests("subscription"), ["ana"]);
  });
});
