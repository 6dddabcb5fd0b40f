import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PermissionFlagsBits } from "discord-api-types/v10";
import pino from "pino";
import { readPlaces } from "../lib/discord/read.ts";
import { openRest } from "../lib/discord/rest.ts";
import { PlatformError } from "../lib/errors.ts";
import { parseDiscordUserId } from "../lib/ids.ts";
import {
  account,
  configOf,
  discordFor,
  discordSaw,
  gold,
  give,
  openTarget,
  placeOf,
  readable,
  readOne,
  serverWithFans,
  unreadable,
  vip,
} from "./sandbox/discord-setup.ts";
import type { DiscordSandbox } from "./sandbox/discord.ts";
import { addRole, userIdAt } from "./sandbox/discord-world.ts";

const place = placeOf(vip);

const pagesRead = ({ requests }: DiscordSandbox) =>
  requests.filter(({ path }) => path.endsWith("/members")).map(({ query }) => query.get("after"));

describe("reading a role", () => {
  test("every linked account is told of, holders without a link too, other strangers not", async (t) => {
    const discord = await serverWithFans(t, 4);
    give(discord, 0);
    give(discord, 2);
    const state = readable(await readOne(discord, place, [account(0), account(1), account(99)]));
    assert.equal(state.placeId, vip);
    assert.equal(state.name, "VIP");
    assert.equal(state.coverage, "everybody");
    assert.deepEqual(state.warnings, []);
    assert.deepEqual(
      state.members,
      new Map([
        [account(0), { is: "in" }],
        [account(2), { is: "in" }],
        [account(1), { is: "out" }],
        [account(99), { is: "absent" }],
      ]),
    );
  });

  test("a server of more than a thousand is read by pages, each after the highest id before", async (t) => {
    const discord = await serverWithFans(t, 2500);
    for (let index = 0; index < 2500; index += 1) give(discord, index);
    const state = readable(await readOne(discord, place));
    assert.equal(state.members.size, 2500);
    assert.deepEqual(pagesRead(discord), ["0", userIdAt(997), userIdAt(1997)]);
  });

  test("a server of exactly a thousand members ends with an empty page", async (t) => {
    const discord = await serverWithFans(t, 998);
    const state = readable(await readOne(discord, place, [account(997)]));
    assert.deepEqual(state.members.get(account(997)), { is: "out" });
    assert.equal(pagesRead(discord).length, 2);
  });

  test("a member shown twice in a page has the roles of both rows", async (t) => {
    const discord = await serverWithFans(t, 1);
    give(discord, 0);
    discord.faults.push({
      path: /\/members$/,
      fault: {
        kind: "edit",
        edit: (body) => [...(body as Rows), ...(body as Rows).map(withoutRoles)],
      },
    });
    const state = readable(await readOne(discord, place, [account(0)]));
    assert.deepEqual(state.members.get(account(0)), { is: "in" });
  });

  test("fields and tags that nobody knows yet are let through", async (t) => {
    const discord = await serverWithFans(t, 1);
    give(discord, 0);
    discord.faults.push({
      path: /\/(members|roles)$/,
      fault: {
        kind: "edit",
        edit: (body) =>
          Array.isArray(body) ? body.map((row: object) => ({ ...row, novelty: { a: 1 } })) : body,
      },
    });
    const state = readable(await readOne(discord, place, [account(0)]));
    assert.deepEqual(state.members.get(account(0)), { is: "in" });
  });

  test("whoever gave a login and is not on the server can be brought in", async (t) => {
    const discord = await serverWithFans(t, 1);
    const config = configOf(discord, [place]);
    const log = pino({ level: "silent" });
    const { signal } = new AbortController();
    const gave = [userIdAt(0), userIdAt(98)].map(parseDiscordUserId).filter((id) => id !== undefined);
    const { states } = await readPlaces({
      rest: openRest({ apiUrl: config.apiUrl, token: config.token, log, signal }),
      config,
      places: [place],
      linked: new Set([account(0), account(98), account(99)]),
      joinable: new Set(gave),
      log,
    });
    const state = states.get(place);
    assert.ok(state !== undefined);
    assert.deepEqual(
      readable(state).members,
      new Map([
        [account(0), { is: "out" }],
        [account(98), { is: "absent", joinable: true, kick: "none" }],
        [account(99), { is: "absent" }],
      ]),
    );
  });

  test("requests are counted and the clock is compared", async (t) => {
    const discord = await serverWithFans(t, 1);
    const target = openTarget(discord, [place]);
    assert.equal(target.requests(), 0);
    assert.equal(target.clockSkewMs(), undefined);
    await target.read([place], new Set());
    assert.equal(target.requests(), discord.requests.length);
    assert.ok(Math.abs(target.clockSkewMs() ?? Infinity) < 10_000);
  });
});

type Rows = readonly object[];
const withoutRoles = (row: object) => ({ ...row, roles: [] });

describe("without the privileged intent", () => {
  test("only linked accounts are looked at, and one warning for all says what to turn on", async (t) => {
    const discord = await serverWithFans(t, 4);
    give(discord, 0);
    give(discord, 2);
    discord.world.intents.guildMembers = false;
    const places = [place, placeOf(gold)] as const;
    const target = openTarget(discord, places);
    const states = await target.read(places, new Set([account(0), account(1), account(99)]));
    const [state, other] = places.map((each) => states.get(each)).map((each) => each && readable(each));
    assert.ok(state !== undefined && other !== undefined);
    assert.equal(state.coverage, "linked");
    assert.deepEqual(
      state.members,
      new Map([
        [account(0), { is: "in" }],
        [account(1), { is: "out" }],
        [account(99), { is: "absent" }],
      ]),
    );
    assert.deepEqual([...state.warnings, ...other.warnings], []);
    const [warning, ...more] = target.warnings?.() ?? [];
    assert.match(warning ?? "", /turn on "Server Members Intent"/);
    assert.deepEqual(more, []);
  });

  test("an account that is gone from Discord is absent", async (t) => {
    const discord = await serverWithFans(t, 1);
    discord.world.intents.guildMembers = false;
    discord.world.deletedUsers.add(userIdAt(99));
    const state = readable(await readOne(discord, place, [account(99)]));
    assert.deepEqual(state.members.get(account(99)), { is: "absent" });
  });

  test("an account that cannot be read is unknown, the others are not", async (t) => {
    const discord = await serverWithFans(t, 2);
    discord.world.intents.guildMembers = false;
    discord.faults.push({
      path: new RegExp(`${userIdAt(0)}$`),
      fault: { kind: "answer", reply: { status: 400, body: { message: "No", code: 0 } } },
    });
    const state = readable(await readOne(discord, place, [account(0), account(1)]));
    assert.equal(state.members.get(account(0))?.is, "unknown");
    assert.deepEqual(state.members.get(account(1)), { is: "out" });
  });

  test("a forbidden look at one member is not repeated with the others", async (t) => {
    const discord = await serverWithFans(t, 10);
    discord.world.intents.guildMembers = false;
    const reply = { status: 403, body: { message: "Missing Access", code: 50001 } };
    discord.faults.push({ path: /\/members\/3/, fault: { kind: "answer", reply } });
    const linked = Array.from({ length: 10 }, (_, index) => account(index));
    const state = readable(await readOne(discord, place, linked));
    assert.deepEqual(
      linked.map((id) => state.members.get(id)?.is),
      linked.map(() => "unknown"),
    );
    assert.equal(discord.requests.filter(({ path }) => path.includes("/members/3")).length, 1);
  });

  test("what the bot may do is still judged by its roles", async (t) => {
    const discord = await serverWithFans(t, 1);
    discord.world.intents.guildMembers = false;
    addRole(discord.world, { id: vip, name: "VIP", position: 60 });
    assert.match(unreadable(await readOne(discord, place)).because, /not below the bot's highest role/);
  });
});

describe("the server as a whole", () => {
  test("an unknown server makes every place unreadable", async (t) => {
    const discord = await serverWithFans(t, 1);
    const target = openTarget(discord, [place]);
    discord.world.guild.id = "100000000000000002";
    const states = await target.read([place, placeOf(gold)], new Set());
    assert.equal(states.size, 2);
    for (const state of states.values()) assert.match(unreadable(state).remedy, /guild_id/);
  });

  test("a server that the bot was thrown out of makes every place unreadable", async (t) => {
    const discord = await serverWithFans(t, 1);
    discord.world.members.delete(discord.world.bot.id);
    assert.match(unreadable(await readOne(discord, place)).remedy, /invite the bot/);
  });

  const refusals = [
    { status: 404, code: 10004, because: /knows no server with the id that the config gives/ },
    { status: 403, code: 50001, because: /does not show the bot .*no access to the server/ },
    { status: 403, code: 50013, because: /does not show the bot .*lacks the permission/ },
    { status: 400, code: 130000, because: /Discord is overloaded/ },
    { status: 400, code: 99999, because: /refused to show .* \(status 400, code 99999\)/ },
  ];
  test("each refusal has a sentence and a remedy of its own, and is not asked for again", async (t) => {
    const discord = await serverWithFans(t, 1);
    for (const { status, code, because } of refusals)
      for (const path of [/\/guilds\/\d+$/, /\/roles$/]) {
        discord.faults.splice(0);
        discord.requests.splice(0);
        const reply = { status, body: { message: "No", code } };
        discord.faults.push({ path, fault: { kind: "answer", reply } });
        const reason = unreadable(await readOne(discord, place));
        assert.match(reason.because, because);
        assert.notEqual(reason.remedy, "");
        assert.equal(discord.requests.filter((request) => path.test(request.path)).length, 1);
      }
  });

  test("what the bot lacks is said once: to read the audit log, and to invite where auto-join is on", async (t) => {
    const discord = await serverWithFans(t, 1);
    const warningsWith = async (permissions: bigint, isOn: boolean) => {
      for (const role of discord.world.roles.values())
        if (role.tags.bot_id !== undefined) role.permissions = permissions;
      const target = openTarget(discord, [place], { autoJoin: { enabled: isOn, roles: [] } });
      const state = (await target.read([place], new Set())).get(place);
      assert.deepEqual(state === undefined ? undefined : readable(state).warnings, []);
      return (target.warnings?.() ?? []).map(
        (text) => /View Audit Log|Create Invite/.exec(text)?.[0] ?? text,
      );
    };
    const { ManageRoles, ViewAuditLog, CreateInstantInvite, Administrator } = PermissionFlagsBits;
    assert.deepEqual(await warningsWith(ManageRoles, true), ["View Audit Log", "Create Invite"]);
    assert.deepEqual(await warningsWith(ManageRoles, false), ["View Audit Log"]);
    assert.deepEqual(await warningsWith(ManageRoles | ViewAuditLog, true), ["Create Invite"]);
    assert.deepEqual(await warningsWith(ManageRoles | ViewAuditLog | CreateInstantInvite, true), []);
    assert.deepEqual(await warningsWith(Administrator, true), []);
  });

  test("a refused token ends the run after one request, and is not shown", async (t) => {
    const discord = await discordFor(t);
    const token = "very.secret.token";
    await assert.rejects(readOne(discord, place, [], { token }), (error) => {
      assert.ok(error instanceof PlatformError);
      assert.match(error.message, /token/);
      assert.ok(!JSON.stringify([error.message, error.remedy, error.stack]).includes(token));
      return true;
    });
    assert.equal(discord.requests.length, 1);
  });

  test("an aborted run stops reading with the reason it was given", async (t) => {
    const discord = await serverWithFans(t, 1);
    const controller = new AbortController();
    discord.faults.push({ path: /\/roles$/, fault: { kind: "hang" } });
    const reason = new Error("enough");
    const reading = readOne(discord, place, [], { signal: controller.signal, timeoutMs: 10_000 });
    await discordSaw(discord, /\/roles$/);
    controller.abort(reason);
    await assert.rejects(reading, (error) => error === reason);
  });
});
