/** Who took a role from somebody who has it on record: the server's audit log decides whether it is given back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PermissionFlagsBits } from "discord-api-types/v10";
import type { Account } from "../lib/ids.ts";
import type { Place, PlaceState, Standing } from "../lib/model.ts";
import { recordRoles } from "./sandbox/discord-audit.ts";
import {
  addModerator,
  addOtherBot,
  comeIn,
  giveRoleByHand,
  leave,
  moderatorId as moderator,
  otherBotId as otherBot,
  takeRoleByHand,
} from "./sandbox/discord-people.ts";
import {
  account,
  gold,
  give,
  heldSince,
  openTarget,
  placeOf,
  range,
  readable,
  serverWithFans,
  vip,
} from "./sandbox/discord-setup.ts";
import type { DiscordSandbox } from "./sandbox/discord.ts";
import { userIdAt } from "./sandbox/discord-world.ts";

type Test = Parameters<typeof serverWithFans>[0];

const places: readonly Place[] = [placeOf(vip), placeOf(gold)];
const [vipPlace, goldPlace] = places;

/** All fans but the last hold VIP and are on record with it; so the list always shows somebody. */
async function serverWithHolders(t: Test, fans: number): Promise<DiscordSandbox> {
  const discord = await serverWithFans(t, fans);
  addModerator(discord.world);
  addOtherBot(discord.world);
  for (const index of range(fans)) give(discord, index);
  return discord;
}

const takes = ({ world }: DiscordSandbox, by: string, index: number, role: string = vip) => {
  takeRoleByHand(world, { by, to: userIdAt(index), role });
};

async function read(discord: DiscordSandbox, fans: number, onRecord: readonly Account[] = accounts(fans)) {
  const target = openTarget(discord, places);
  const held = heldSince(onRecord);
  const record = { onRecord: new Map(places.map((place) => [place, place === vipPlace ? held : new Map()])) };
  const states = await target.read(places, new Set(accounts(fans)), record);
  return { states, vip: readable(stateOf(states, vipPlace)), warnings: target.warnings?.() ?? [] };
}

const accounts = (count: number) => range(count).map(account);

function stateOf(states: ReadonlyMap<Place, PlaceState>, place: Place | undefined): PlaceState {
  const state = place === undefined ? undefined : states.get(place);
  if (state === undefined) throw new Error("the target said nothing of the place");
  return state;
}

const asked = ({ requests }: DiscordSandbox) =>
  requests.filter(({ path }) => path.endsWith("/audit-logs")).map(({ query }) => Object.fromEntries(query));

const standings = (members: ReadonlyMap<Account, Standing>, count: number) =>
  range(count).map((index) => members.get(account(index))?.is);

describe("a role on record that somebody is without", () => {
  test("is not asked after where nobody is, nor of those who left", async (t) => {
    const discord = await serverWithHolders(t, 4);
    leave(discord.world, userIdAt(1));
    const { vip: state } = await read(discord, 4);
    assert.deepEqual(standings(state.members, 4), ["in", "absent", "in", "in"]);
    assert.deepEqual(asked(discord), []);
  });

  test("was taken by a person, by us, by another bot, or by nobody", async (t) => {
    const discord = await serverWithHolders(t, 6);
    takes(discord, moderator, 0);
    takes(discord, discord.world.bot.id, 1);
    takes(discord, otherBot, 2);
    leave(discord.world, userIdAt(3));
    comeIn(discord.world, userIdAt(3));
    const { vip: state, warnings } = await read(discord, 6);
    assert.deepEqual(standings(state.members, 6), ["removed", "out", "out", "out", "in", "in"]);
    const [rival, ...more] = state.warnings;
    assert.match(rival ?? "", /^The bot "other-bot" took the role "VIP" from 1 /);
    assert.deepEqual([...more, ...warnings], []);
    assert.deepEqual(
      asked(discord),
      range(4).map((index) => ({ action_type: "25", limit: "100", target_id: userIdAt(index) })),
    );
  });

  for (const { kind, whose } of [
    { kind: "onRecord", whose: "whoever holds it on record, for what was done since then" },
    {
      kind: "unsettled",
      whose: "where no run knows how the grant went, for what was done since it was planned",
    },
  ] as const)
    test(`is asked after ${whose}`, async (t) => {
      const fans = 25;
      const discord = await serverWithHolders(t, fans);
      for (const index of range(fans - 1)) takes(discord, moderator, index);
      const target = openTarget(discord, places);
      const readSince = async (sinceMs: number) => {
        const held = heldSince(accounts(fans), sinceMs);
        const since = new Map(places.map((place) => [place, place === vipPlace ? held : new Map()]));
        const states = await target.read(places, new Set(accounts(fans)), { [kind]: since });
        return standings(readable(stateOf(states, vipPlace)).members, fans);
      };
      const others = range(fans - 1);
      const nowMs = discord.world.now();
      assert.deepEqual(await readSince(nowMs), [...others.map(() => "removed"), "in"]);
      assert.deepEqual(await readSince(nowMs + 3_600_000), [...others.map(() => "out"), "in"]);
    });

  test("is judged by the newest entry that speaks of it", async (t) => {
    const discord = await serverWithHolders(t, 4);
    const { world } = discord;
    takes(discord, moderator, 0);
    giveRoleByHand(world, { by: moderator, to: userIdAt(0), role: vip });
    leave(world, userIdAt(0));
    comeIn(world, userIdAt(0));
    takes(discord, otherBot, 1);
    giveRoleByHand(world, { by: world.bot.id, to: userIdAt(1), role: vip });
    takes(discord, moderator, 1);
    takes(discord, world.bot.id, 2);
    giveRoleByHand(world, { by: moderator, to: userIdAt(2), role: gold });
    takes(discord, moderator, 2, gold);
    const { vip: state } = await read(discord, 4);
    assert.deepEqual(standings(state.members, 4), ["out", "removed", "out", "in"]);
  });

  test("is told of one role though another role of the member was changed in the same entry", async (t) => {
    const discord = await serverWithHolders(t, 3);
    const member = discord.world.members.get(userIdAt(0));
    assert.ok(member !== undefined);
    recordRoles(discord.world, member, { actor: moderator, added: [gold], removed: [vip] });
    const { states } = await read(discord, 3);
    assert.deepEqual(readable(stateOf(states, vipPlace)).members.get(account(0)), { is: "removed" });
    assert.deepEqual(readable(stateOf(states, goldPlace)).members.get(account(0)), { is: "in" });
  });

  test("is not taken for somebody else's, where the log is not filtered as asked", async (t) => {
    const discord = await serverWithHolders(t, 4);
    takes(discord, moderator, 0);
    leave(discord.world, userIdAt(1));
    comeIn(discord.world, userIdAt(1));
    const whole = discord.world.auditLog;
    discord.faults.push({
      path: /\/audit-logs$/,
      fault: {
        kind: "edit",
        edit: (body) => ({
          ...(body as object),
          audit_log_entries: whole.map(({ id, actor, account: target, removed }) => ({
            id,
            action_type: 25,
            user_id: actor,
            target_id: target,
            changes: [
              { key: "$remove", new_value: removed.map((role) => ({ id: role, name: "x", novelty: 1 })) },
            ],
          })),
        }),
      },
    });
    const { vip: state } = await read(discord, 4);
    assert.deepEqual(standings(state.members, 4), ["removed", "out", "in", "in"]);
  });

  test("is asked after under the eye on linked accounts alone, too", async (t) => {
    const discord = await serverWithHolders(t, 3);
    discord.world.intents.guildMembers = false;
    takes(discord, moderator, 0);
    const { vip: state } = await read(discord, 3);
    assert.equal(state.coverage, "linked");
    assert.deepEqual(standings(state.members, 3), ["removed", "in", "in"]);
  });

  test("is given back where the bot may not read the log: no request, one warning", async (t) => {
    const discord = await serverWithHolders(t, 3);
    for (const role of discord.world.roles.values())
      if (role.tags.bot_id !== undefined) role.permissions = PermissionFlagsBits.ManageRoles;
    takes(discord, moderator, 0);
    const { vip: state, warnings } = await read(discord, 3);
    assert.deepEqual(standings(state.members, 3), ["out", "in", "in"]);
    assert.deepEqual(asked(discord), []);
    assert.equal(warnings.length, 1);
    assert.match(warnings.join(), /View Audit Log/);
  });

  test("is given back where Discord refuses the log, asked once", async (t) => {
    const discord = await serverWithHolders(t, 4);
    const reply = { status: 403, body: { message: "Missing Permissions", code: 50013 } };
    discord.faults.push({ path: /\/audit-logs$/, fault: { kind: "answer", reply } });
    takes(discord, moderator, 0);
    takes(discord, moderator, 1);
    const { vip: state, warnings } = await read(discord, 4);
    assert.deepEqual(standings(state.members, 4), ["out", "out", "in", "in"]);
    assert.equal(asked(discord).length, 1);
    assert.match(warnings.join(), /View Audit Log/);
  });

  const failures = [
    { name: "a refusal for the moment", body: { message: "Overloaded", code: 130000 }, status: 400 },
    { name: "no log at all", body: { message: "nothing here" }, status: 200 },
    {
      name: "a removal without its roles",
      status: 200,
      body: {
        users: [],
        audit_log_entries: [
          {
            id: "1",
            action_type: 25,
            user_id: moderator,
            target_id: userIdAt(0),
            changes: [{ key: "$remove" }],
          },
        ],
      },
    },
  ];
  for (const { name, status, body } of failures) {
    test(`is unknown where the answer is ${name}, and others are not`, async (t) => {
      const discord = await serverWithHolders(t, 4);
      takes(discord, moderator, 0);
      takes(discord, moderator, 1);
      const fault = { kind: "answer", reply: { status, body } } as const;
      discord.faults.push({ path: /\/audit-logs$/, times: 1, fault });
      const { vip: state, warnings } = await read(discord, 4);
      assert.deepEqual(standings(state.members, 4), ["unknown", "removed", "in", "in"]);
      assert.deepEqual(warnings, []);
    });
  }
});

describe("a crowd that lost its role", { concurrency: true }, () => {
  const crowd = 130;

  test("is looked for in the pages of the whole log, newest first", async (t) => {
    const discord = await serverWithHolders(t, crowd + 1);
    for (const index of range(crowd)) takes(discord, index % 2 === 0 ? moderator : otherBot, index);
    const { vip: state } = await read(discord, crowd + 1);
    const expected = range(crowd).map((index) => (index % 2 === 0 ? "removed" : "out"));
    assert.deepEqual(standings(state.members, crowd + 1), [...expected, "in"]);
    assert.match(state.warnings.join(), /took the role "VIP" from 65 /);
    const [first, second, ...more] = asked(discord);
    assert.deepEqual(first, { action_type: "25", limit: "100" });
    assert.equal(second?.["before"], discord.world.auditLog[crowd - 100]?.id);
    assert.deepEqual(more, []);
  });

  test("is given it back where Discord refuses the log, asked once", async (t) => {
    const discord = await serverWithHolders(t, 31);
    const reply = { status: 403, body: { message: "Missing Permissions", code: 50013 } };
    discord.faults.push({ path: /\/audit-logs$/, times: 1, fault: { kind: "answer", reply } });
    for (const index of range(30)) takes(discord, moderator, index);
    const { vip: state, warnings } = await read(discord, 31);
    assert.deepEqual(new Set(standings(state.members, 30)), new Set(["out"]));
    assert.equal(asked(discord).length, 1);
    assert.match(warnings.join(), /View Audit Log/);
  });

  test("lost it without anybody's doing where the log ends before it tells", async (t) => {
    const discord = await serverWithHolders(t, 31);
    for (const index of range(30)) discord.world.members.get(userIdAt(index))?.roles.delete(vip);
    const { vip: state } = await read(discord, 31);
    assert.deepEqual(new Set(standings(state.members, 30)), new Set(["out"]));
    assert.equal(asked(discord).length, 1);
  });

  test("is asked for by twenty in each run where a busy log does not tell in ten pages", async (t) => {
    const discord = await serverWithHolders(t, 31);
    for (const index of range(30)) takes(discord, moderator, index);
    for (let entries = 0; entries < 1000; entries += 2) {
      giveRoleByHand(discord.world, { by: moderator, to: userIdAt(30), role: gold });
      takes(discord, moderator, 30, gold);
    }
    const { vip: state } = await read(discord, 31);
    assert.deepEqual(standings(state.members, 31), [
      ...range(20).map(() => "removed"),
      ...range(10).map(() => "unknown"),
      "in",
    ]);
    assert.equal(asked(discord).length, 10 + 20);
  });

  test("is unknown as a whole where the log breaks off, and nobody is asked for alone", async (t) => {
    const discord = await serverWithHolders(t, crowd + 1);
    for (const index of range(crowd)) takes(discord, moderator, index);
    const reply = { status: 400, body: { message: "Overloaded", code: 130000 } };
    discord.faults.push({ path: /\/audit-logs$/, skip: 1, fault: { kind: "answer", reply } });
    const { vip: state } = await read(discord, crowd + 1);
    const counts = Map.groupBy(standings(state.members, crowd), (is) => is);
    assert.deepEqual(
      [...counts].map(([is, { length }]) => [is, length]),
      [
        ["unknown", crowd - 100],
        ["removed", 100],
      ],
    );
    assert.equal(asked(discord).length, 2);
  });
});
