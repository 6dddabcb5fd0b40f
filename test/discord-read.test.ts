import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PlatformError } from "../lib/errors.ts";
import {
  account,
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

  test("fifty thousand members are read in a few seconds", async (t) => {
    const discord = await serverWithFans(t, 50_000);
    for (let index = 0; index < 50_000; index += 2) give(discord, index);
    const startedAtMs = performance.now();
    const state = readable(await readOne(discord, place));
    assert.equal(state.members.size, 25_000);
    assert.ok(performance.now() - startedAtMs < 20_000);
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

const withoutRoles = (row: object) => ({ ...row, roles: [] });

describe("a list that cannot be trusted makes every place unreadable", { concurrency: true }, () => {
  const cases = [
    { name: "repeats its pages", edit: repeatFirstPage() },
    {
      name: "does not show the bot",
      edit: (rows: Rows, bot: string) => rows.filter(({ user }) => user.id !== bot),
    },
    {
      name: "shows nobody with a role",
      edit: (rows: Rows) => rows.map((row) => ({ ...row, roles: [] })),
    },
    { name: "is empty", edit: () => [] },
    { name: "lacks the roles of a member", edit: (rows: Rows) => rows.map(({ user }) => ({ user })) },
    {
      name: "has a number for an id",
      edit: (rows: Rows) => rows.map((row) => ({ ...row, user: { id: Number(row.user.id) } })),
    },
    { name: "is no list", edit: () => ({ members: [] }) },
  ];
  for (const { name, edit } of cases) {
    test(`one that ${name}`, async (t) => {
      const discord = await serverWithFans(t, 1200);
      for (let index = 0; index < 1200; index += 1) give(discord, index);
      discord.faults.push({
        path: /\/members$/,
        fault: { kind: "edit", edit: (body) => edit(body as Rows, discord.world.bot.id) },
      });
      const { because, remedy } = unreadable(await readOne(discord, place, [account(0)]));
      assert.match(because, /member/);
      assert.notEqual(remedy, "");
    });
  }

  const faults = [
    { name: "is cut off", fault: { kind: "cut" } },
    { name: "breaks off", fault: { kind: "drop" } },
    { name: "never comes", fault: { kind: "hang" } },
    { name: "is an internal error", fault: { kind: "answer", reply: { status: 500, body: "oops" } } },
    { name: "is a web page", fault: { kind: "answer", reply: { status: 200, body: "<html>" } } },
    {
      name: "is broken JSON",
      fault: {
        kind: "answer",
        reply: { status: 200, body: "[{", headers: { "content-type": "application/json" } },
      },
    },
  ] as const;
  for (const { name, fault } of faults) {
    test(`one that ${name}, at the second page`, async (t) => {
      const discord = await serverWithFans(t, 1200);
      discord.faults.push({ path: /\/members$/, skip: 1, fault });
      const state = await readOne(discord, place, [account(0)], { timeoutMs: 200 });
      assert.notEqual(unreadable(state).because, "");
    });
  }

  test("one bad moment is got over", async (t) => {
    const discord = await serverWithFans(t, 1200);
    give(discord, 1100);
    discord.faults.push(
      { path: /\/members$/, times: 1, fault: { kind: "cut" } },
      { path: /\/roles$/, times: 1, fault: { kind: "drop" } },
      { path: /\/users\//, times: 2, fault: { kind: "answer", reply: { status: 502, body: "bad gateway" } } },
    );
    const state = readable(await readOne(discord, place, [account(1100)]));
    assert.deepEqual(state.members.get(account(1100)), { is: "in" });
  });
});

type Rows = readonly { readonly user: { readonly id: string }; readonly roles: readonly string[] }[];

/** Whatever is asked for, the first page comes. */
function repeatFirstPage(): (rows: Rows) => Rows {
  let first: Rows | undefined;
  return (rows) => (first ??= rows);
}

describe("Discord's own count of holders", () => {
  const hide = (discord: DiscordSandbox, count: number, times?: number) => {
    const hidden = new Set(Array.from({ length: count }, (_, index) => userIdAt(index)));
    discord.faults.push({
      path: /\/members$/,
      ...(times === undefined ? {} : { times }),
      fault: { kind: "edit", edit: (body) => (body as Rows).filter(({ user }) => !hidden.has(user.id)) },
    });
  };
  const holders = async (t: Parameters<typeof serverWithFans>[0], count: number) => {
    const discord = await serverWithFans(t, count);
    for (let index = 0; index < count; index += 1) give(discord, index);
    return discord;
  };

  test("two missing holders are people coming and going", async (t) => {
    const discord = await holders(t, 20);
    hide(discord, 2);
    assert.equal(readable(await readOne(discord, place)).members.size, 18);
  });

  test("three missing holders of twenty, twice in a row, make the place unreadable and no other", async (t) => {
    const discord = await holders(t, 20);
    hide(discord, 3);
    const places = [place, placeOf(gold)] as const;
    const states = await openTarget(discord, places).read(places, new Set());
    const [vipState, goldState] = places.map((each) => states.get(each));
    assert.ok(vipState !== undefined && goldState !== undefined);
    assert.match(unreadable(vipState).because, /counts 20 holders .* listed 17/);
    assert.equal(readable(goldState).members.size, 0);
    assert.equal(pagesRead(discord).length, 2);
  });

  test("of a large role up to two in a hundred may be missing", async (t) => {
    const discord = await holders(t, 500);
    hide(discord, 10);
    assert.equal(readable(await readOne(discord, place)).members.size, 490);
  });

  test("a list that is whole at the second reading is taken", async (t) => {
    const discord = await holders(t, 20);
    hide(discord, 10, 1);
    assert.equal(readable(await readOne(discord, place)).members.size, 20);
  });

  test("where Discord does not count, the list is taken as it is", async (t) => {
    const discord = await holders(t, 20);
    discord.world.features.memberCounts = false;
    hide(discord, 10);
    assert.equal(readable(await readOne(discord, place)).members.size, 10);
  });
});

describe("without the privileged intent", () => {
  test("only linked accounts are looked at, and a warning says what to turn on", async (t) => {
    const discord = await serverWithFans(t, 4);
    give(discord, 0);
    give(discord, 2);
    discord.world.intents.guildMembers = false;
    const state = readable(await readOne(discord, place, [account(0), account(1), account(99)]));
    assert.equal(state.coverage, "linked");
    assert.deepEqual(
      state.members,
      new Map([
        [account(0), { is: "in" }],
        [account(1), { is: "out" }],
        [account(99), { is: "absent" }],
      ]),
    );
    assert.equal(state.warnings.length, 1);
    assert.match(state.warnings.join(), /turn on "Server Members Intent"/);
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
      fault: { kind: "answer", reply: { status: 500, body: "oops" } },
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
