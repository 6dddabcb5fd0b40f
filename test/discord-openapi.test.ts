/**
 * Compares what the program sends to Discord, and what the stand-in answers, with Discord's own description, where
 * DISCORD_OPENAPI names it. The other tests of Discord compare theirs, too: see `discordFor` and `startTown`.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Account, type DiscordUserId, parseDiscordUserId } from "../lib/ids.ts";
import type { Login, Logins } from "../lib/logins.ts";
import type { Step } from "../lib/model.ts";
import { describedInWords, discordDescription } from "./sandbox/discord-description.ts";
import { buy } from "./sandbox/discord-entitlements.ts";
import { issueCode, issueLogin } from "./sandbox/discord-logins.ts";
import { addModerator, addOtherBot, giveRoleByHand, takeRoleByHand } from "./sandbox/discord-people.ts";
import {
  account,
  accountOf,
  bothPlaces,
  gold,
  inTurn,
  openTarget,
  readable,
  serverWithFans,
  stepOf,
  vip,
  heldSince,
} from "./sandbox/discord-setup.ts";
import { discordRoutes, type DiscordSandbox, startDiscord } from "./sandbox/discord.ts";
import { addMember, addRole, addUser, roleIdAt, userIdAt } from "./sandbox/discord-world.ts";

type Test = Parameters<typeof serverWithFans>[0];

const description = discordDescription();
const leftOut =
  description === undefined
    ? "left out: DISCORD_OPENAPI does not name Discord's interface description"
    : false;

// ---- What the program does --------------------------------------------------------------------------------------

function userIdOf(id: Account): DiscordUserId {
  const parsed = parseDiscordUserId(id);
  assert.ok(parsed !== undefined);
  return parsed;
}

/** Logins in memory, of fans whose time is up, so that they are renewed before they are used. */
function loginsOf({ world }: DiscordSandbox, accounts: readonly Account[]): Logins {
  const logins = new Map<Account, Login>(
    accounts.map((id) => [id, { ...issueLogin(world, id, { lastsMs: -1 }) }]),
  );
  return {
    cut: () => Promise.resolve(new Map()),
    accounts: () => Promise.resolve(new Set([...logins.keys()].map(userIdOf))),
    load: (id) => Promise.resolve(logins.get(id)),
    replace: (id, _, renewed) => Promise.resolve(logins.set(id, renewed).has(id)),
    drop: (gone) => {
      for (const id of gone.keys()) logins.delete(id);
      return Promise.resolve();
    },
  };
}

/** Each kind of request once, with its answer: "PUT /guilds/ID/members/ID 201". */
const kindsOf = ({ requests }: DiscordSandbox): readonly string[] => {
  const kinds = requests.map(({ method, path, status }) => {
    const plain = path
      .replace("/api/v10", "")
      .replaceAll(/\d{15,}/g, "ID")
      .replaceAll("%40", "@");
    return `${method} ${plain} ${String(status)}`;
  });
  return [...new Set(kinds)].sort();
};

const openJoining = (discord: DiscordSandbox, logins: Logins) => {
  const { id: clientId, clientSecret } = discord.world.application;
  return openTarget(discord, bothPlaces, {
    logins,
    autoJoin: { enabled: true, roles: [] },
    oauth: { clientId, clientSecret, redirectUri: "", serverHost: "", serverPort: 0 },
  });
};

// ---- Calls of our own -------------------------------------------------------------------------------------------

interface Call {
  readonly ask: string;
  readonly status: number;
  readonly json?: unknown;
  /** The `Authorization` header; default the bot's. */
  readonly as?: string;
}

/** Sends them one after the other; each answer must have its status and the headers of the limits. */
async function sendAll({ apiUrl, world }: DiscordSandbox, calls: readonly Call[]): Promise<void> {
  for (const { ask, status, json, as = `Bot ${world.bot.token}` } of calls) {
    const [method = "", path = ""] = ask.split(" ");
    const body = json === undefined ? undefined : JSON.stringify(json);
    const headers = { authorization: as, ...(body && { "content-type": "application/json" }) };
    const response = await fetch(`${apiUrl}/v10${path}`, { method, headers, ...(body && { body }) });
    assert.equal(response.status, status, `${ask}: ${await response.text()}`);
    for (const name of ["limit", "remaining", "reset", "reset-after", "bucket"])
      assert.ok(response.headers.has(`x-ratelimit-${name}`), `${ask} names its limit's ${name}`);
  }
}

/** A server with somebody of each kind, whose answers are compared; of the requests some are wrong by intent. */
async function startPeopled(test: Test): Promise<DiscordSandbox> {
  const answersOnly = description && { ...description, requestFaults: () => [] };
  const discord = await startDiscord({ description: answersOnly });
  test.after(() => discord.stop());
  const { world } = discord;
  addRole(world, { id: vip, name: "VIP", position: 10 });
  addRole(world, { id: roleIdAt(5), managed: true, tags: { premium_subscriber: null } });
  addRole(world, { id: roleIdAt(6), tags: { subscription_listing_id: "1", available_for_purchase: null } });
  for (const index of [0, 1, 2]) addMember(world, { id: userIdAt(index) });
  addMember(world, { id: userIdAt(40), bot: true, roles: [vip], premiumSinceMs: 1_750_000_000_000 });
  for (const index of [50, 51, 52, 53]) addUser(world, { id: userIdAt(index) });
  world.bans.add(userIdAt(51));
  world.fullUsers.add(userIdAt(52));
  return discord;
}

// ---- Tests ------------------------------------------------------------------------------------------------------

describe("Discord's own description", { skip: leftOut }, () => {
  test("knows every route of the stand-in, save the token service, which Discord documents in words", () => {
    const operations = discordRoutes.flatMap(({ path, handlers }) =>
      Object.keys(handlers).map((method) => `${method} ${path}`),
    );
    assert.deepEqual(
      operations.filter((operation) => description?.describes(operation) === false),
      [...describedInWords],
    );
  });

  test("knows all that a run sends, and what it is answered", async (t) => {
    const discord = await serverWithFans(t, 3);
    const { world } = discord;
    const [moderator, joining, member] = [
      addModerator(world),
      accountOf(userIdAt(8)),
      accountOf(userIdAt(2)),
    ];
    giveRoleByHand(world, { by: moderator, to: account(0), role: vip });
    takeRoleByHand(world, { by: moderator, to: account(0), role: vip, reason: "a quarrel" });
    takeRoleByHand(world, { by: addOtherBot(world), to: account(0), role: vip });
    const logins = loginsOf(discord, [joining, member]);
    const target = openJoining(discord, logins);
    const onRecord = new Map(bothPlaces.map((place) => [place, heldSince([account(0)])]));
    const linked = new Set([account(0), account(1), joining]);
    const states = await target.read(bothPlaces, linked, { onRecord });
    assert.ok([...states.values()].every((state) => readable(state).members.size > 0));
    const join = (id: typeof joining, roleId: string): Step => ({
      ...stepOf("grant", id, roleId),
      joins: true,
    });
    const steps = [
      stepOf("grant", account(0)),
      join(joining, vip),
      join(joining, gold),
      join(member, gold),
      stepOf("revoke", account(1)),
      stepOf("evict", account(1)),
    ];
    for await (const { result } of target.perform(inTurn(steps))) assert.equal(result, "done");
    assert.equal((await target.verify?.(steps.slice(0, 4)))?.size, 0);
    world.intents.guildMembers = false;
    await openTarget(discord, bothPlaces).read(bothPlaces, linked);
    assert.deepEqual(kindsOf(discord), [
      "DELETE /guilds/ID/members/ID 204",
      "DELETE /guilds/ID/members/ID/roles/ID 204",
      "GET /applications/@me 200",
      "GET /guilds/ID 200",
      "GET /guilds/ID/audit-logs 200",
      "GET /guilds/ID/members 200",
      "GET /guilds/ID/members 403",
      "GET /guilds/ID/members/ID 200",
      "GET /guilds/ID/members/ID 404",
      "GET /guilds/ID/roles 200",
      "GET /guilds/ID/roles/member-counts 200",
      "GET /users/@me 200",
      "POST /oauth2/token 200",
      "POST /oauth2/token/revoke 200",
      "PUT /guilds/ID/members/ID 201",
      "PUT /guilds/ID/members/ID 204",
      "PUT /guilds/ID/members/ID/roles/ID 204",
    ]);
  });

  test("knows every answer about the server and its members", async (t) => {
    const discord = await startPeopled(t);
    const guild = `/guilds/${discord.world.guild.id}`;
    const member = `${guild}/members/${userIdAt(0)}`;
    const tokenOf = (index: number) => issueLogin(discord.world, userIdAt(index)).accessToken;
    const join = (index: number, status: number, body: object) => ({
      ask: `PUT ${guild}/members/${userIdAt(index)}`,
      status,
      json: body,
    });
    await sendAll(discord, [
      { ask: "GET /users/@me", status: 200 },
      { ask: "GET /users/@me", status: 401, as: "Bot wrong" },
      { ask: `GET ${guild}`, status: 200 },
      { ask: "GET /guilds/100000000000000009", status: 404 },
      { ask: "GET /guilds/lounge", status: 400 },
      { ask: `GET ${guild}/roles`, status: 200 },
      { ask: `GET ${guild}/roles/member-counts`, status: 200 },
      { ask: `GET ${guild}/members`, status: 200 },
      { ask: `GET ${guild}/members?limit=1000&after=${userIdAt(0)}`, status: 200 },
      { ask: `GET ${guild}/members?limit=1001`, status: 400 },
      { ask: `GET ${member}`, status: 200 },
      { ask: `GET ${guild}/members/${userIdAt(99)}`, status: 404 },
      { ask: `PUT ${member}/roles/${vip}`, status: 204 },
      { ask: `DELETE ${member}/roles/${vip}`, status: 204 },
      { ask: `PUT ${member}/roles/${roleIdAt(99)}`, status: 404 },
      { ask: `PUT ${member}/roles/${roleIdAt(5)}`, status: 403 },
      { ask: `GET ${guild}/audit-logs?action_type=25&limit=100`, status: 200 },
      { ask: `GET ${guild}/audit-logs?limit=101`, status: 400 },
      { ask: `DELETE ${member}`, status: 204 },
      { ask: `DELETE ${member}`, status: 404 },
      join(50, 400, {}),
      join(50, 403, { access_token: "wrong" }),
      join(50, 403, { access_token: issueLogin(discord.world, userIdAt(50), { scopes: [] }).accessToken }),
      join(50, 201, { access_token: tokenOf(50), roles: [vip] }),
      join(50, 204, { access_token: tokenOf(50), roles: [vip] }),
      join(51, 403, { access_token: tokenOf(51) }),
      join(52, 400, { access_token: tokenOf(52) }),
      join(99, 404, { access_token: "wrong" }),
    ]);
    discord.world.intents.guildMembers = false;
    await sendAll(discord, [{ ask: `GET ${guild}/members`, status: 403 }]);
  });

  test("knows every answer about users, messages, commands and purchases", async (t) => {
    const discord = await startPeopled(t);
    const { world } = discord;
    const [first] = [userIdAt(0), buy(world, { account: userIdAt(0), skuId: "160000000000000001" })];
    buy(world, { account: userIdAt(1), skuId: "160000000000000001", guildId: world.guild.id });
    const login = issueLogin(world, first);
    issueCode(world, first, { redirectUri: "http://localhost/" });
    const application = `/applications/${world.application.id}`;
    const commands = `${application}/guilds/${world.guild.id}/commands`;
    const command = { name: "membership", description: "What you have" };
    await sendAll(discord, [
      { ask: "GET /users/@me", status: 200, as: `Bearer ${login.accessToken}` },
      { ask: "GET /oauth2/@me", status: 200, as: `Bearer ${login.accessToken}` },
      { ask: "GET /oauth2/@me", status: 401, as: "Bearer wrong" },
      { ask: "GET /applications/@me", status: 200 },
      { ask: "GET /gateway/bot", status: 200 },
      { ask: "POST /users/@me/channels", status: 200, json: { recipient_id: first } },
      { ask: "POST /users/@me/channels", status: 400, json: { recipient_id: userIdAt(99) } },
      { ask: `GET ${application}/entitlements?exclude_ended=true&limit=100`, status: 200 },
      { ask: `GET ${application}/entitlements?limit=101`, status: 400 },
      { ask: "GET /applications/100000000000000009/entitlements", status: 403 },
      { ask: `POST ${commands}`, status: 201, json: command },
      { ask: `POST ${commands}`, status: 200, json: command },
      { ask: `POST ${commands}`, status: 400, json: { ...command, name: "Not So" } },
      { ask: `GET ${commands}`, status: 200 },
    ]);
    const [channel] = world.directChannels.keys();
    const [commandId] = world.commands.keys();
    const messages = `POST /channels/${channel ?? ""}/messages`;
    await sendAll(discord, [
      { ask: `GET /channels/${channel ?? ""}`, status: 200 },
      { ask: messages, status: 200, json: { content: "Hello", nonce: "1", enforce_nonce: true } },
      { ask: messages, status: 400, json: { content: "" } },
      { ask: `GET ${commands}/${commandId ?? ""}`, status: 200 },
      { ask: `PATCH ${commands}/${commandId ?? ""}`, status: 200, json: { description: "Yours" } },
      { ask: `DELETE ${commands}/${commandId ?? ""}`, status: 204 },
      { ask: `DELETE ${commands}/${commandId ?? ""}`, status: 404 },
    ]);
    world.closedDirectMessages.set(first, "closed");
    await sendAll(discord, [{ ask: messages, status: 403, json: { content: "Hello" } }]);
  });

  test("knows the answer to haste", async (t) => {
    const discord = await startPeopled(t);
    discord.world.limits.read = { limit: 1, windowMs: 60_000 };
    await sendAll(discord, [
      { ask: "GET /users/@me", status: 200 },
      { ask: "GET /users/@me", status: 429 },
    ]);
  });

  test("is held against a request or an answer that is not so", async () => {
    const discord = await startDiscord({ description });
    const [role] = discord.world.roles.values();
    if (role !== undefined) role.position = 0.5;
    const guild = `/guilds/${discord.world.guild.id}`;
    await sendAll(discord, [
      { ask: `GET ${guild}/roles`, status: 200 },
      { ask: `GET ${guild}/members?page=2`, status: 200 },
      { ask: `GET ${guild}/audit-logs?action_type=999`, status: 200 },
      { ask: `PUT ${guild}/members/${userIdAt(0)}`, status: 400, json: { roles: [vip] } },
      { ask: "GET /teapots", status: 404 },
    ]);
    const fault = await discord.stop().then(
      () => "",
      (error: unknown) => String(error),
    );
    assert.match(fault, /GET \/guilds\/\{guild_id\}\/roles does not answer 200 so: .*\n.*\[0\]\.position/);
    assert.match(fault, /GET \/guilds\/\{guild_id\}\/members takes no page/);
    assert.match(fault, /audit-logs takes no action_type=999/);
    assert.match(
      fault,
      /PUT \/guilds\/\{guild_id\}\/members\/\{user_id\} takes no such body: .*\n.*access_token/,
    );
    assert.match(fault, /GET \/teapots is not in the description/);
  });
});
