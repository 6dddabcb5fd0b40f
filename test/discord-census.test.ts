/** The whole list of members, against what else is known of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Place } from "../lib/model.ts";
import {
  account,
  gold,
  give,
  openTarget,
  placeOf,
  range,
  readable,
  readOne,
  serverWithFans,
  unreadable,
  vip,
  heldSince,
} from "./sandbox/discord-setup.ts";
import type { DiscordSandbox } from "./sandbox/discord.ts";
import { roleIdAt, userIdAt } from "./sandbox/discord-world.ts";

const place = placeOf(vip);

const pagesRead = ({ requests }: DiscordSandbox) =>
  requests.filter(({ path }) => path.endsWith("/members")).map(({ query }) => query.get("after"));

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

describe("a list that shows none of the holders on record", () => {
  const singles = ({ requests }: DiscordSandbox) =>
    requests.filter(({ path }) => /\/members\/\d+$/.test(path)).map(({ path }) => path.split("/").at(-1));
  const withoutRolesInLists = (discord: DiscordSandbox) =>
    discord.faults.push({
      path: /\/members$/,
      fault: {
        kind: "edit",
        edit: (body) =>
          (body as Rows).map((row) => (row.user.id.startsWith("3") ? { ...row, roles: [] } : row)),
      },
    });
  /** Discord's own count does not tell, so that the record alone speaks. */
  const serverWithRecord = async (t: Parameters<typeof serverWithFans>[0], holders: number) => {
    const discord = await serverWithFans(t, 5);
    discord.world.features.memberCounts = false;
    for (const index of range(holders)) give(discord, index);
    return discord;
  };
  const readWithRecord = async (discord: DiscordSandbox, onRecord: readonly (readonly [Place, number])[]) => {
    const places = [placeOf(vip), placeOf(gold)];
    const record = new Map(
      places.map((each) => {
        const held = onRecord.find(([{ id }]) => id === each.id)?.[1] ?? 0;
        return [each, heldSince(range(held).map(account))];
      }),
    );
    const linked = new Set(range(5).map(account));
    const states = await openTarget(discord, places).read(places, linked, { onRecord: record });
    const [vipState, goldState] = places.map((each) => states.get(each));
    assert.ok(vipState !== undefined && goldState !== undefined);
    return { vipState, goldState };
  };

  const firstThree = [0, 1, 2].map(userIdAt);

  test("is not believed of that role where they are three or more, and a look at three does not bear it out", async (t) => {
    const discord = await serverWithRecord(t, 5);
    withoutRolesInLists(discord);
    const { vipState, goldState } = await readWithRecord(discord, [[place, 5]]);
    const { because, remedy } = unreadable(vipState);
    assert.equal(
      because,
      'Discord\'s list shows none of the 5 who hold the role "VIP" on record, and a look at 3 of them did not bear that out.',
    );
    assert.doesNotMatch(remedy, /take-back/);
    assert.deepEqual(readable(goldState).members.get(account(0)), { is: "out" });
    assert.deepEqual(singles(discord), firstThree);
  });

  test("nor where the look at them fails", async (t) => {
    const discord = await serverWithRecord(t, 0);
    discord.faults.push({
      path: new RegExp(`/members/${userIdAt(2)}$`),
      fault: { kind: "answer", reply: { status: 400, body: { message: "No", code: 0 } } },
    });
    const { vipState } = await readWithRecord(discord, [[place, 3]]);
    assert.match(unreadable(vipState).because, /did not bear that out/);
  });

  test("is believed where they are three or more who, looked at one by one, have lost it or left", async (t) => {
    const discord = await serverWithRecord(t, 0);
    discord.world.members.delete(userIdAt(0));
    const { vipState } = await readWithRecord(discord, [[place, 3]]);
    assert.deepEqual(
      [0, 1, 2].map((index) => readable(vipState).members.get(account(index))?.is),
      ["absent", "out", "out"],
    );
  });

  test("is asked of those first whom the list shows at all", async (t) => {
    const discord = await serverWithRecord(t, 0);
    for (const index of [0, 1]) discord.world.members.delete(userIdAt(index));
    await readWithRecord(discord, [[place, 5]]);
    assert.deepEqual(singles(discord), [2, 3, 4].map(userIdAt));
  });

  test("is believed where it shows one of them", async (t) => {
    const discord = await serverWithRecord(t, 1);
    const { vipState } = await readWithRecord(discord, [[place, 3]]);
    assert.deepEqual(readable(vipState).members.get(account(0)), { is: "in" });
    assert.deepEqual(readable(vipState).members.get(account(1)), { is: "out" });
    assert.deepEqual(singles(discord), []);
  });

  test("is believed, of three or more, where Discord counts hardly any either, and not where it counts more", async (t) => {
    const discord = await serverWithRecord(t, 2);
    discord.world.features.memberCounts = true;
    withoutRolesInLists(discord);
    const { vipState } = await readWithRecord(discord, [[place, 3]]);
    assert.deepEqual(readable(vipState).members.get(account(0)), { is: "out" });
    give(discord, 2);
    const { vipState: doubted } = await readWithRecord(discord, [[place, 3]]);
    assert.match(unreadable(doubted).because, /counts 3 holders .* listed 0/);
    assert.deepEqual(singles(discord), []);
  });

  test("is put right where they are two, by a look at each", async (t) => {
    const discord = await serverWithRecord(t, 1);
    withoutRolesInLists(discord);
    discord.world.members.delete(userIdAt(1));
    const { vipState, goldState } = await readWithRecord(discord, [[place, 2]]);
    assert.deepEqual(readable(vipState).members.get(account(0)), { is: "in" });
    assert.deepEqual(readable(vipState).members.get(account(1)), { is: "absent" });
    assert.deepEqual(readable(goldState).members.get(account(0)), { is: "out" });
    assert.deepEqual(singles(discord), [userIdAt(0), userIdAt(1)]);
  });

  test("leaves those two unknown where the look at each fails", async (t) => {
    const discord = await serverWithRecord(t, 0);
    const reply = { status: 400, body: { message: "No", code: 0 } };
    discord.faults.push({ path: /\/members\/\d+$/, fault: { kind: "answer", reply } });
    const { vipState } = await readWithRecord(discord, [[place, 1]]);
    assert.equal(readable(vipState).members.get(account(0))?.is, "unknown");
    assert.deepEqual(readable(vipState).members.get(account(1)), { is: "out" });
  });

  test("is not compared for a role that was deleted, nor for one that nobody asked for", async (t) => {
    const discord = await serverWithRecord(t, 0);
    const places = [placeOf(roleIdAt(9)), place] as const;
    const record = new Map([
      [places[0], heldSince([account(0)])],
      [placeOf(gold), heldSince([account(1)])],
    ]);
    const states = await openTarget(discord, places).read(places, new Set(), { onRecord: record });
    const [deleted, other] = places.map((each) => states.get(each));
    assert.ok(deleted !== undefined && other !== undefined);
    assert.match(unreadable(deleted).because, /deleted/);
    assert.equal(readable(other).name, "VIP");
    assert.deepEqual(singles(discord), []);
  });
});
