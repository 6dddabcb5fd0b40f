/** check-config --online: what the platforms say of a config before its first sync. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PermissionFlagsBits } from "discord-api-types/v10";

import { assertClean, startInstallation } from "../installation.ts";

describe("check-config --online", { concurrency: 2 }, () => {
  it("finds nothing to say of places in order, and writes nothing anywhere", async (test) => {
    const home = await startInstallation(test);
    const before = { platforms: home.platforms(), files: home.files() };
    const result = await home.run("check-config", "--online");
    assertClean(result);
    assert.match(result.stdout, /Discord, as it is now:\n {2}subscription \(\d+\): in order\n/);
    assert.match(
      result.stdout,
      /Matrix, as it is now:\n {2}subscription \(#subscription-room:matrix\.example\): in order\n/,
    );
    assert.deepEqual({ platforms: home.platforms(), files: home.files() }, before);
    const { discord, matrix, fanvue } = home.town;
    assert.ok([...discord.requests, ...matrix.requests].every(({ method }) => method === "GET"));
    assert.deepEqual(fanvue.api.requests, []);
  });

  it("asks nobody without --online", async (test) => {
    const home = await startInstallation(test);
    const result = await home.run("check-config");
    assertClean(result);
    assert.doesNotMatch(result.stdout, /as it is now/);
    assert.deepEqual([...home.town.discord.requests, ...home.town.matrix.requests], []);
  });

  it("warns of open doors and of roles that carry power, and ends in order", async (test) => {
    const home = await startInstallation(test);
    const { matrix, discord } = home.town;
    matrix.world.setJoinRule(home.rooms.subscription, "public");
    matrix.world.setLevels(home.rooms.unlock, { invite: 0 });
    const role = discord.world.roles.get(home.roles.custom);
    assert.ok(role);
    role.permissions = PermissionFlagsBits.KickMembers | PermissionFlagsBits.ManageMessages;
    const result = await home.run("check-config", "--online");
    assertClean(result);
    assert.match(result.stdout, /! Anybody may join the room subscription without an invitation\. Set/);
    assert.match(result.stdout, /! Ordinary members of the room unlock may invite others\. Raise/);
    assert.match(
      result.stdout,
      /! The role "custom" carries Kick Members, Manage Messages, and whoever is given it has that power\. Switch it off/,
    );
  });

  it("names each place that cannot be managed, with reason and remedy, and ends with 4", async (test) => {
    const home = await startInstallation(test);
    const { matrix, discord } = home.town;
    matrix.world.leave(home.rooms.subscription, home.bot);
    const role = discord.world.roles.get(home.roles.custom);
    assert.ok(role);
    role.position = 1000;
    const text = await home.run("check-config", "--online");
    assert.equal(text.code, 4, text.stderr);
    assert.match(
      text.stdout,
      /#subscription-room:matrix\.example: cannot be managed\n {4}! The bot is not in the room .*\. Invite @fanvue-sync/,
    );
    assert.match(
      text.stdout,
      /! The role "custom" is not below the bot's highest role.* Drag the bot's role/,
    );
    assert.match(text.stdout, /unlock \(#unlock-room:matrix\.example\): in order/);

    const { code, stdout } = await home.run("check-config", "--online", "--json");
    assert.equal(code, 4);
    const { online } = JSON.parse(stdout) as { online: { platform: string; places: { place: string }[] }[] };
    assert.deepEqual(
      online.map(({ platform, places }) => [platform, places.length]),
      [
        ["discord", 6],
        ["matrix", 6],
      ],
    );
    const room = online[1]?.places.find(({ place }) => place.startsWith("#subscription"));
    assert.match(JSON.stringify(room), /"unreadable":\{"because":".*","remedy":"Invite/);
  });

  it("tells of a platform that refuses us, and still checks the other one", async (test) => {
    const home = await startInstallation(test);
    Object.assign(home.config.matrix ?? {}, { access_token: "an-old-token" });
    home.saveConfig();
    const { code, stdout, stderr } = await home.run("check-config", "--online");
    assert.equal(code, 4, stderr);
    assert.match(
      stdout,
      /Matrix, as it is now:\n {2}! The homeserver refuses the bot's account .*new access token/,
    );
    assert.match(stdout, /Discord, as it is now:\n {2}subscription/);
    assert.doesNotMatch(stdout + stderr, /an-old-token/);
  });
});
