/** What people do between a change and the next look at it is seen as theirs, not as a change that got lost. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { openDatabase } from "../../lib/db.ts";
import { parseDiscordUserId } from "../../lib/ids.ts";
import { saveLogin } from "../../lib/store/logins.ts";
import { assertClean, noLimits, settle, startInstallation, type Kind, type Person } from "../installation.ts";
import { issueLogin } from "../sandbox/discord-logins.ts";
import { addModerator, kickByHand, leave, takeRoleByHand } from "../sandbox/discord-people.ts";
import { passes } from "../sandbox/faults.ts";

/** Auto-join is on, who lapses is thrown out, and one subscriber who stays out of all this has their role. */
async function startServer(test: Parameters<typeof startInstallation>[0]) {
  const home = await startInstallation(test, { config: { limits: noLimits } });
  const { world } = home.town.discord;
  const { subscription } = home.roles;
  Object.assign(home.config.discord ?? {}, {
    oauth_client_id: world.application.id,
    oauth_client_secret: world.application.clientSecret,
    oauth_redirect_uri: "http://localhost:8080/callback",
  });
  Object.assign(home.config.roles ?? {}, { [subscription]: { type: "subscription", on_expiry: "kick" } });
  home.config["auto_join"] = { enabled: true, roles: [subscription] };
  home.saveConfig();
  const moderator = addModerator(world);
  const database = openDatabase(home.dataDir);

  function addFan(name: string, ...kinds: readonly Kind[]): Person {
    const person = home.addPerson(name);
    for (const kind of kinds) home.entitle(kind, person);
    home.saveBooks();
    return person;
  }

  addFan("stays", "subscription");
  await settle(home);
  return {
    home,
    world,
    database,
    moderator,
    addFan,
    giveLogin: async ({ discord }: Person): Promise<void> => {
      const { accessToken, refreshToken, expiresAtMs, scopes } = issueLogin(world, discord);
      const login = { accessToken, refreshToken, expiresAtMs, scopes };
      await database.write((sql) => {
        saveLogin(sql, parseDiscordUserId(discord) ?? assert.fail(), login, Date.now());
      });
    },
    takeRole: ({ discord }: Person) => {
      takeRoleByHand(world, { by: moderator, to: discord, role: subscription });
    },
    isThere: ({ discord }: Person) => world.members.has(discord),
    /** Syncs without a hitch, and gives the report. */
    sync: async (...args: readonly string[]) => {
      const result = await home.sync("discord", ...args);
      assertClean(result);
      return result.stdout;
    },
  };
}

describe("what happens meanwhile", () => {
  it("who leaves or loses a role to a moderator before it is read again is not given it again", async (test) => {
    const { home, world, addFan, giveLogin, takeRole, isThere, sync } = await startServer(test);
    const [leaver, moderated] = [addFan("leaver", "subscription"), addFan("moderated", "subscription")];
    world.members.delete(leaver.discord);
    await giveLogin(leaver);
    const { faults } = home.town.discord;
    const onStrike = () => {
      if (!home.holders("subscription").includes("moderated") || !isThere(leaver)) return;
      leave(world, leaver.discord);
      takeRole(moderated);
    };
    faults.push({ method: "GET", path: /\/members/, fault: passes(), onStrike });
    const { code, stdout } = await home.sync("discord");
    faults.length = 0;
    assert.equal(code, 4, stdout);
    assert.equal(stdout.match(/failed: /g)?.length, 1, "to have left is no failure");
    assert.match(
      await sync(),
      /1 left by choice, 1 removed by a person|1 removed by a person, 1 left by choice/,
    );
    assert.deepEqual(home.holders("subscription"), ["stays"]);
    assert.ok(!isThere(leaver));
  });

  it("a role that a moderator took after a grant of which no run knows how it went is not given again", async (test) => {
    const { home, world, database, addFan, takeRole, sync } = await startServer(test);
    const [moderated, unlucky] = [addFan("moderated", "subscription"), addFan("unlucky", "subscription")];
    await sync();
    // As a run leaves it that is killed before it has written down what came of its steps.
    await database.write((sql) => {
      const accounts = [moderated.discord, unlucky.discord];
      sql.run("UPDATE steps SET state = 'planned' WHERE account IN (?, ?)", accounts);
      sql.run("UPDATE grants SET settled = 0 WHERE account IN (?, ?)", accounts);
    });
    takeRole(moderated);
    world.members.get(unlucky.discord)?.roles.delete(home.roles.subscription);
    assert.match(await sync(), /1 removed by a person/);
    assert.deepEqual(home.holders("subscription"), ["stays", "unlucky"]);
  });

  it("what a moderator takes after a first run for one fan is not given again by the first whole one", async (test) => {
    const home = await startInstallation(test, { config: { limits: noLimits } });
    const { world } = home.town.discord;
    const moderator = addModerator(world);
    const ana = home.addPerson("ana");
    home.entitle("subscription", ana);
    home.saveBooks();
    assertClean(await home.sync("discord", "--fan", ana.fan.uuid));
    assert.deepEqual(home.holders("subscription"), ["ana"]);
    takeRoleByHand(world, { by: moderator, to: ana.discord, role: home.roles.subscription });
    assert.match((await home.sync("discord")).stdout, /1 removed by a person/);
    assert.deepEqual(home.holders("subscription"), []);
  });

  it("who left the server or was kicked is not brought back by another role that begins", async (test) => {
    const { home, world, moderator, addFan, giveLogin, isThere, sync } = await startServer(test);
    const gone = [addFan("leaver", "subscription"), addFan("kicked", "subscription")] as const;
    await sync();
    for (const person of gone) await giveLogin(person);
    leave(world, gone[0].discord);
    kickByHand(world, { by: moderator, to: gone[1].discord });
    await sync();
    for (const person of gone) home.entitle("spending", person);
    const report = await sync();
    assert.equal(report.match(/1 left by choice/g)?.length, 2, "of either role");
    assert.equal(report.match(/1 removed by a person/g)?.length, 2, "of either role");
    assert.deepEqual(gone.map(isThere), [false, false]);

    // All that was theirs ends, and begins anew.
    for (const person of gone)
      for (const kind of ["subscription", "spending"] as const) home.lapse(kind, person);
    await sync();
    for (const person of gone) home.entitle("spending", person);
    await sync();
    assert.deepEqual(gone.map(isThere), [true, true]);
  });
});
