/** What check-config --online says of a platform as a whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PermissionFlagsBits } from "discord-api-types/v10";
import pino from "pino";
import { checkOnline, checksJson, describeChecks, isManageable } from "../lib/check-online.ts";
import { bothPlaces, configOf, serverWithFans } from "./sandbox/discord-setup.ts";

test("what the bot lacks is told once, below its places, and they are in order", async (t) => {
  const server = await serverWithFans(t, 1);
  for (const role of server.world.roles.values())
    if (role.tags.bot_id !== undefined) role.permissions = PermissionFlagsBits.ManageRoles;
  const discord = configOf(server, bothPlaces, { autoJoin: { enabled: true, roles: [] } });
  const deps = { log: pino({ level: "silent" }), signal: new AbortController().signal };
  const checks = await checkOnline({ discord, matrix: undefined, mirrors: [] }, deps);
  const [title, vip, gold, auditLog, invite, ...more] = describeChecks(checks).split("\n");
  assert.equal(title, "Discord, as it is now:");
  assert.match(vip ?? "", /^ {2}VIP .*: in order$/);
  assert.match(gold ?? "", /^ {2}Gold .*: in order$/);
  assert.match(auditLog ?? "", /^ {2}! .*View Audit Log/);
  assert.match(invite ?? "", /^ {2}! .*Create Invite/);
  assert.deepEqual(more, []);
  assert.equal(isManageable(checks), true);
  assert.match(JSON.stringify(checksJson(checks)), /"warnings":\[".*View Audit Log/);
});

test("fans who would log in at another application than the bot's are told of where auto-join is on", async (t) => {
  const server = await serverWithFans(t, 1);
  const oauth = {
    clientId: "300000000000000099",
    clientSecret: "",
    redirectUri: "",
    serverHost: "",
    serverPort: 0,
  };
  const deps = { log: pino({ level: "silent" }), signal: new AbortController().signal };
  const warningsWhere = async (enabled: boolean) => {
    const discord = configOf(server, bothPlaces, { oauth, autoJoin: { enabled, roles: [] } });
    const [check] = await checkOnline({ discord, matrix: undefined, mirrors: [] }, deps);
    return check?.warnings.join("\n") ?? "";
  };
  assert.match(
    await warningsWhere(true),
    /^discord\.oauth_client_id is 300000000000000099, but the bot belongs to /,
  );
  assert.equal(await warningsWhere(false), "");
});
