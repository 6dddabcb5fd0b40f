/** The stand-in for Discord is the ground of many tests, so it is tested, too: by Discord's own library, with `rest.api` set. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DiscordAPIError, REST, type RouteLike } from "@discordjs/rest";
import { AuditLogEvent, EntitlementType, PermissionFlagsBits, Routes } from "discord-api-types/v10";
import { z } from "zod";
import { buy, deleteEntitlement, endEntitlement } from "./sandbox/discord-entitlements.ts";
import { roleChanges } from "./sandbox/discord-limits.ts";
import { issueCode, issueLogin, withdrawLogins } from "./sandbox/discord-logins.ts";
import {
  addModerator,
  addOtherBot,
  banByHand,
  comeIn,
  giveRoleByHand,
  kickByHand,
  leave,
  messagesTo,
  rename,
  startBoosting,
  stopBoosting,
  takeRoleByHand,
  writeToBot,
} from "./sandbox/discord-people.ts";
import { discordFor, gold, range, serverWithFans, vip } from "./sandbox/discord-setup.ts";
import type { DiscordSandbox } from "./sandbox/discord.ts";
import { addRole, addUser, holdersOf, roleIdAt, userIdAt } from "./sandbox/discord-world.ts";
import { forgets } from "./sandbox/faults.ts";

const restOf = ({ apiUrl, world }: DiscordSandbox) => new REST({ api: apiUrl }).setToken(world.bot.token);

/** Discord's own number for a refusal; 0 where the request was not refused. */
const codeOf = (request: Promise<unknown>): Promise<number | string> =>
  request.then(
    () => 0,
    (error: unknown) => {
      if (error instanceof DiscordAPIError) return error.code;
      throw error;
    },
  );

describe("bringing somebody in", () => {
  test("works once, with the roles asked for, and changes nothing of who is there", async (t) => {
    const discord = await serverWithFans(t, 0);
    const { world } = discord;
    const { accessToken } = issueLogin(world, userIdAt(1));
    const route = Routes.guildMember(world.guild.id, userIdAt(1));
    const join = (roles: string[]) =>
      restOf(discord).put(route, { body: { access_token: accessToken, roles } });
    await join([vip]);
    await join([vip, gold]);
    assert.deepEqual(
      discord.requests.map(({ status }) => status),
      [201, 204],
    );
    assert.deepEqual([...(world.members.get(userIdAt(1))?.roles ?? [])], [vip]);
  });

  test("is refused with Discord's numbers", async (t) => {
    const discord = await serverWithFans(t, 0);
    const { world } = discord;
    const join = (index: number, accessToken: string, roles: string[] = []) =>
      codeOf(
        restOf(discord).put(Routes.guildMember(world.guild.id, userIdAt(index)), {
          body: { access_token: accessToken, roles },
        }),
      );
    const tokenOf = (index: number, options = {}) => issueLogin(world, userIdAt(index), options).accessToken;
    addRole(world, { id: roleIdAt(8), position: 99 });
    world.bans.add(userIdAt(1));
    world.fullUsers.add(userIdAt(2));
    const withdrawn = tokenOf(3);
    withdrawLogins(world, userIdAt(3));
    assert.equal(await join(1, tokenOf(1)), 40007);
    assert.equal(await join(2, tokenOf(2)), 30001);
    assert.equal(await join(3, withdrawn), 50025);
    assert.equal(await join(3, tokenOf(3, { lastsMs: -1 })), 50025);
    assert.equal(await join(3, tokenOf(4)), 50025);
    assert.equal(await join(3, tokenOf(3, { clientId: "170000000000000001" })), 50025);
    assert.equal(await join(3, tokenOf(3, { scopes: ["identify"] })), 50026);
    assert.equal(await join(99, tokenOf(3)), 10013);
    assert.equal(await join(3, tokenOf(3), [roleIdAt(8)]), 50013);
    assert.equal(await join(3, tokenOf(3), [roleIdAt(77)]), 10011);
    const botRole = [...world.roles.values()].find(({ tags }) => tags.bot_id === world.bot.id);
    if (botRole !== undefined) botRole.permissions = PermissionFlagsBits.ManageRoles;
    assert.equal(await join(3, tokenOf(3)), 50013);
    assert.equal(world.members.has(userIdAt(3)), false);
  });
});

const auditShape = z.object({
  audit_log_entries: z.array(
    z.object({
      id: z.string(),
      action_type: z.int(),
      user_id: z.string(),
      target_id: z.string(),
      changes: z.unknown().optional(),
      reason: z.string().optional(),
    }),
  ),
  users: z.array(z.object({ id: z.string(), bot: z.boolean().optional() })),
});

test("what people do by hand is in the audit log with their name, and what they choose for themselves is not", async (t) => {
  const discord = await serverWithFans(t, 4);
  const { world } = discord;
  const [moderator, otherBot] = [addModerator(world), addOtherBot(world)];
  const heard: string[] = [];
  world.listeners.add(({ is }) => heard.push(is));
  giveRoleByHand(world, { by: moderator, to: userIdAt(0), role: vip });
  takeRoleByHand(world, { by: otherBot, to: userIdAt(0), role: vip, reason: "housekeeping" });
  kickByHand(world, { by: moderator, to: userIdAt(1) });
  banByHand(world, { by: moderator, to: userIdAt(2) });
  leave(world, userIdAt(3));
  comeIn(world, userIdAt(3));
  startBoosting(world, userIdAt(3));
  stopBoosting(world, userIdAt(3));
  rename(world, userIdAt(3), "Nick");

  const fetchLog = async (query: Record<string, string> = {}) =>
    auditShape.parse(
      await restOf(discord).get(Routes.guildAuditLog(world.guild.id), { query: new URLSearchParams(query) }),
    );
  const all = await fetchLog();
  const actions = ({ audit_log_entries: entries }: z.infer<typeof auditShape>) =>
    entries.map(({ action_type: type }) => type);
  assert.deepEqual(actions(all), [
    AuditLogEvent.MemberBanAdd,
    AuditLogEvent.MemberKick,
    AuditLogEvent.MemberRoleUpdate,
    AuditLogEvent.MemberRoleUpdate,
  ]);
  const [, kicked, taken, given] = all.audit_log_entries;
  assert.deepEqual(taken?.changes, [{ key: "$remove", new_value: [{ name: "VIP", id: vip }] }]);
  assert.deepEqual([taken.user_id, taken.target_id, taken.reason], [otherBot, userIdAt(0), "housekeeping"]);
  assert.equal(all.users.find(({ id }) => id === otherBot)?.bot, true);
  assert.equal(all.users.find(({ id }) => id === moderator)?.bot, undefined);
  assert.deepEqual(actions(await fetchLog({ action_type: "25", limit: "1" })), [
    AuditLogEvent.MemberRoleUpdate,
  ]);
  assert.equal((await fetchLog({ target_id: userIdAt(0) })).audit_log_entries.length, 2);
  assert.equal((await fetchLog({ user_id: otherBot })).audit_log_entries.length, 1);
  assert.equal((await fetchLog({ before: kicked?.id ?? "" })).audit_log_entries[0]?.id, taken.id);
  assert.equal((await fetchLog({ after: given?.id ?? "", limit: "1" })).audit_log_entries[0]?.id, taken.id);
  assert.deepEqual(heard, [
    "member updated",
    "member updated",
    "member removed",
    "member removed",
    "member removed",
    "member added",
    "member updated",
    "member updated",
    "member updated",
  ]);
});

// ---- Logins -----------------------------------------------------------------------------------------------------

const tokenShape = z.object({
  access_token: z.string().default(""),
  refresh_token: z.string().default(""),
  scope: z.string().optional(),
  error: z.string().optional(),
  error_description: z.string().optional(),
});
type Tokens = z.infer<typeof tokenShape>;

test("a login is given for a code once, renewed by its newest token alone, and ended as a whole", async (t) => {
  const discord = await discordFor(t);
  const { apiUrl, world } = discord;
  const { id, clientSecret } = world.application;
  addUser(world, { id: userIdAt(1), username: "robin" });
  const post = async (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) => {
    const response = await fetch(`${apiUrl}/oauth2/token${path}`, {
      method: "POST",
      headers,
      body: new URLSearchParams(fields),
    });
    return { status: response.status, body: tokenShape.parse(await response.json()) };
  };
  const client = { client_id: id, client_secret: clientSecret };
  const basic = { authorization: `Basic ${Buffer.from(`${id}:${clientSecret}`).toString("base64")}` };
  const redirectUri = "http://localhost/callback";
  const code = issueCode(world, userIdAt(1), { redirectUri });
  const grant = { grant_type: "authorization_code", code, redirect_uri: redirectUri };
  const renewal = (tokens: Tokens) => ({ grant_type: "refresh_token", refresh_token: tokens.refresh_token });

  assert.equal((await post("", grant)).body.error, "invalid_client");
  assert.equal((await post("", { ...grant, ...client, redirect_uri: "http://elsewhere/" })).status, 400);
  const first = await post("", { ...grant, ...client });
  assert.equal(first.body.scope, "identify guilds.join");
  const again = await post("", { ...grant, ...client });
  assert.equal(again.body.error_description, 'Invalid "code" in request.');
  const second = await post("", renewal(first.body), basic);
  const spent = await post("", renewal(first.body), basic);
  assert.deepEqual([spent.status, spent.body.error], [400, "invalid_grant"]);
  const me = async ({ access_token: token }: Tokens) =>
    (await fetch(`${apiUrl}/users/@me`, { headers: { authorization: `Bearer ${token}` } })).status;
  assert.deepEqual([await me(first.body), await me(second.body)], [401, 200]);
  issueLogin(world, userIdAt(1));
  assert.equal((await post("/revoke", { token: second.body.access_token }, basic)).status, 200);
  assert.deepEqual([await me(second.body), world.logins.size], [401, 0]);
  const inJson = await fetch(`${apiUrl}/oauth2/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...renewal(second.body), ...client }),
  });
  assert.equal(inJson.status, 401);
});

// ---- Messages, commands, purchases ------------------------------------------------------------------------------

const withId = z.object({ id: z.string() });

test("direct messages arrive, once where that is asked for, unless they are refused", async (t) => {
  const discord = await serverWithFans(t, 3);
  const { world } = discord;
  const rest = restOf(discord);
  const open = async (id: string) =>
    withId.parse(await rest.post(Routes.userChannels(), { body: { recipient_id: id } }));
  const [first, second, third] = [userIdAt(0), userIdAt(1), userIdAt(2)];
  const { id: channelId } = await open(first);
  assert.equal((await open(first)).id, channelId);
  const body = { content: "Hello", nonce: "7", enforce_nonce: true };
  const write = async (id: string) => withId.parse(await rest.post(Routes.channelMessages(id), { body }));
  assert.equal((await write(channelId)).id, (await write(channelId)).id);
  assert.deepEqual(messagesTo(world, first), ["Hello"]);
  writeToBot(world, first, "STOP");
  assert.deepEqual(messagesTo(world, first), ["Hello"]);
  assert.equal(world.messages.at(-1)?.author, first);
  const closed = await open(second);
  world.closedDirectMessages.set(second, "closed");
  assert.equal(await codeOf(write(closed.id)), 50007);
  leave(world, second);
  assert.equal(await codeOf(write(closed.id)), 50278);
  world.directMessages.tooFast = true;
  assert.equal(await codeOf(open(third)), 40003);
  assert.equal(await codeOf(open(first)), 0);
});

test("a command of a name that is there is replaced, and others stay", async (t) => {
  const discord = await discordFor(t);
  const { world } = discord;
  const rest = restOf(discord);
  const route = Routes.applicationGuildCommands(world.application.id, world.guild.id);
  const register = (name: string, description: string) => rest.post(route, { body: { name, description } });
  await register("link", "Where to link");
  await register("membership", "What you have");
  await register("membership", "What you have, and until when");
  const [link, membership] = world.commands.values();
  assert.deepEqual([link?.name, membership?.description], ["link", "What you have, and until when"]);
  assert.deepEqual(
    discord.requests.map(({ status }) => status),
    [201, 201, 200],
  );
  assert.equal(world.commands.size, 2);
});

test("purchases are listed as they are asked for", async (t) => {
  const discord = await serverWithFans(t, 2);
  const { world } = discord;
  const [skuId, otherSku] = ["160000000000000001", "160000000000000002"];
  const [first, second] = [userIdAt(0), userIdAt(1)];
  const kept = buy(world, { account: first, skuId });
  const tried = buy(world, { account: first, skuId: otherSku, type: EntitlementType.TestModePurchase });
  const ended = buy(world, { account: second, skuId });
  const refunded = buy(world, { account: second, skuId });
  endEntitlement(world, ended);
  deleteEntitlement(world, refunded);
  const list = async (query: Record<string, string>) => {
    const found = await restOf(discord).get(Routes.entitlements(world.application.id), {
      query: new URLSearchParams(query),
    });
    return z
      .array(withId)
      .parse(found)
      .map(({ id }) => id);
  };
  assert.deepEqual(await list({}), [ended.id, tried.id, kept.id]);
  assert.deepEqual(await list({ exclude_ended: "true" }), [tried.id, kept.id]);
  assert.deepEqual(await list({ exclude_deleted: "false", user_id: second }), [refunded.id, ended.id]);
  assert.deepEqual(await list({ sku_ids: skuId }), [ended.id, kept.id]);
  assert.deepEqual(await list({ after: kept.id, limit: "1" }), [tried.id]);
  assert.deepEqual(await list({ before: ended.id, limit: "1" }), [tried.id]);
});

// ---- Limits and lies --------------------------------------------------------------------------------------------

test("a change that does not stick is answered as one that did", async (t) => {
  const discord = await serverWithFans(t, 1);
  discord.faults.push({ method: "PUT", path: /\/roles\//, times: 1, fault: forgets() });
  const give = () => restOf(discord).put(Routes.guildMemberRole(discord.world.guild.id, userIdAt(0), vip));
  await give();
  assert.deepEqual(holdersOf(discord.world, vip), []);
  await give();
  assert.deepEqual(holdersOf(discord.world, vip), [userIdAt(0)]);
});

describe("limits", () => {
  test("are counted by kind of request and server; giving and taking a role count together", async (t) => {
    const discord = await serverWithFans(t, 7);
    const { apiUrl, world } = discord;
    world.now = () => 1_800_000_000_000;
    world.limits.routes.set(roleChanges, { limit: 2, windowMs: 500 });
    const send = (method: string, route: RouteLike) =>
      fetch(`${apiUrl}/v10${route}`, { method, headers: { authorization: `Bot ${world.bot.token}` } });
    const change = (method: string, index: number) =>
      send(method, Routes.guildMemberRole(world.guild.id, userIdAt(index), vip));
    const [given, taken, refused] = [
      await change("PUT", 0),
      await change("DELETE", 0),
      await change("PUT", 1),
    ];
    const bucket = ({ headers }: Response) => headers.get("x-ratelimit-bucket");
    assert.deepEqual([given.status, taken.status, refused.status], [204, 204, 429]);
    assert.deepEqual(new Set([given, taken, refused].map(bucket)).size, 1);
    assert.deepEqual(
      [given, taken, refused].map(({ headers }) => headers.get("x-ratelimit-remaining")),
      ["1", "0", "0"],
    );
    assert.equal(refused.headers.get("x-ratelimit-scope"), "user");
    assert.deepEqual(await refused.json(), {
      message: "You are being rate limited.",
      retry_after: 0.5,
      global: false,
    });
    assert.equal((await send("GET", Routes.guildRoles(world.guild.id))).status, 200);
    world.now = () => 1_800_000_000_500;
    for (const index of range(2)) assert.equal((await change("PUT", index)).status, 204);
  });

  test("hold for all requests together, and the library waits them out", async (t) => {
    const discord = await discordFor(t);
    discord.world.limits.global = { limit: 2, windowMs: 200 };
    const rest = restOf(discord);
    const started = Date.now();
    await Promise.all(range(5).map(() => rest.get(Routes.guildRoles(discord.world.guild.id))));
    assert.ok(Date.now() - started >= 395);
    assert.ok(discord.requests.some(({ status }) => status === 429));
  });
});
