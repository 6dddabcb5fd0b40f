import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Outcome } from "../lib/target.ts";
import {
  account,
  accountOf,
  bothPlaces,
  discordSaw,
  gold,
  inTurn,
  openTarget,
  perform,
  performOne,
  range,
  serverWithFans,
  stepOf,
  vip,
  writes,
} from "./sandbox/discord-setup.ts";
import { addRole, holdersOf, roleIdAt, userIdAt } from "./sandbox/discord-world.ts";

describe("carrying out steps", () => {
  test("a role is given and taken, a member is thrown out, and the audit log names a reason without figures", async (t) => {
    const discord = await serverWithFans(t, 3);
    const [, second] = range(3).map((index) => discord.world.members.get(userIdAt(index)));
    second?.roles.add(vip);
    const steps = [stepOf("grant", account(0)), stepOf("revoke", account(1)), stepOf("evict", account(2))];
    const outcomes = await perform(discord, steps);
    assert.deepEqual(
      new Map(outcomes.map(({ step, result }) => [step, result])),
      new Map(steps.map((step) => [step, "done"])),
    );
    assert.deepEqual(holdersOf(discord.world, vip), [userIdAt(0)]);
    assert.equal(discord.world.members.has(userIdAt(2)), false);
    const entry = { id: undefined, actor: discord.world.bot.id, added: [], removed: [] };
    assert.deepEqual(
      discord.world.auditLog
        .map((written) => ({ ...written, id: undefined }))
        .toSorted((a, b) => (a.account < b.account ? -1 : 1)),
      [
        { ...entry, action: "role update", account: userIdAt(0), added: [vip], reason: "Fanvue membership" },
        {
          ...entry,
          action: "role update",
          account: userIdAt(1),
          removed: [vip],
          reason: "Fanvue membership ended",
        },
        { ...entry, action: "kick", account: userIdAt(2), reason: "Fanvue membership ended" },
      ],
    );
    assert.ok(writes(discord).every(({ headers, text }) => !JSON.stringify([headers, text]).includes("123")));
  });

  test("other roles of a member stay as they are", async (t) => {
    const discord = await serverWithFans(t, 1);
    const member = discord.world.members.get(userIdAt(0));
    member?.roles.add(gold);
    await perform(discord, [stepOf("grant", account(0)), stepOf("revoke", account(0))]);
    assert.deepEqual([...(member?.roles ?? [])], [gold]);
  });

  test("twice is the same as once", async (t) => {
    const discord = await serverWithFans(t, 3);
    const steps = [stepOf("grant", account(0)), stepOf("revoke", account(1)), stepOf("evict", account(2))];
    await perform(discord, steps);
    const outcomes = await perform(discord, steps);
    assert.deepEqual(
      outcomes.map(({ result }) => result),
      ["done", "done", "done"],
    );
    assert.deepEqual(holdersOf(discord.world, vip), [userIdAt(0)]);
  });

  test("many steps all come through, each with one outcome", async (t) => {
    const discord = await serverWithFans(t, 90);
    const outcomes = await perform(
      discord,
      range(90).map((index) => stepOf("grant", account(index))),
    );
    assert.equal(new Set(outcomes.map(({ step }) => step.account)).size, 90);
    assert.ok(outcomes.every(({ result }) => result === "done"));
    assert.equal(holdersOf(discord.world, vip).length, 90);
  });

  test("steps are pulled only when they can be started, the others once the first is done", async (t) => {
    const discord = await serverWithFans(t, 20);
    const ofOthers = new RegExp(`/members/(?!${userIdAt(0)}).*/roles/`);
    discord.faults.push({ path: ofOthers, fault: { kind: "hang" } });
    let pulled = 0;
    const counted = async function* () {
      for await (const step of inTurn(range(20).map((index) => stepOf("grant", account(index))))) {
        pulled += 1;
        yield step;
      }
    };
    const outcomes = openTarget(discord, bothPlaces, { timeoutMs: 300 }).perform(counted());
    const iterator = outcomes[Symbol.asyncIterator]();
    await iterator.next();
    assert.equal(pulled, 1);
    const second = iterator.next();
    await discordSaw(discord, ofOthers);
    assert.equal(pulled, 5);
    await second;
  });

  test("two steps of one member never overlap and keep their order", async (t) => {
    const discord = await serverWithFans(t, 1);
    discord.faults.push({ path: /\/roles\//, times: 1, fault: { kind: "hang" } });
    const steps = [
      stepOf("grant", account(0), vip),
      stepOf("evict", account(0), vip),
      stepOf("grant", account(0), gold),
    ];
    const outcomes = await perform(discord, steps, { timeoutMs: 150 });
    assert.deepEqual(
      outcomes.map(({ step, result }) => [step.verb, result]),
      [
        ["grant", "done"],
        ["evict", "done"],
        ["grant", "refused"],
      ],
    );
  });
});

describe("what Discord refuses", () => {
  const about = (outcome: Outcome) =>
    outcome.result === "failed" ? [outcome.result, outcome.blame] : [outcome.result];

  test("a member who left: a grant is refused, taking away is done", async (t) => {
    const discord = await serverWithFans(t, 0);
    const outcome = await performOne(discord, stepOf("grant", account(5)));
    assert.ok(outcome.result === "refused");
    assert.deepEqual([outcome.code, outcome.sentence], ["10007", "left the server"]);
    assert.equal((await performOne(discord, stepOf("revoke", account(5)))).result, "done");
    assert.equal((await performOne(discord, stepOf("evict", account(5)))).result, "done");
  });

  test("a deleted account is treated as one who left", async (t) => {
    const discord = await serverWithFans(t, 0);
    discord.world.deletedUsers.add(userIdAt(5));
    assert.equal((await performOne(discord, stepOf("grant", account(5)))).result, "refused");
    assert.equal((await performOne(discord, stepOf("revoke", account(5)))).result, "done");
  });

  test("a 403 without any JSON is a refusal, too", async (t) => {
    const discord = await serverWithFans(t, 1);
    discord.faults.push({
      path: /\/roles\//,
      fault: { kind: "answer", reply: { status: 403, body: "<html>" } },
    });
    assert.deepEqual(about(await performOne(discord, stepOf("grant", account(0)))), ["failed", "place"]);
  });

  test("a role above the bot's is refused by Discord's own rule of rank", async (t) => {
    const discord = await serverWithFans(t, 1);
    addRole(discord.world, { id: roleIdAt(9), position: 99 });
    const outcome = await performOne(discord, stepOf("grant", account(0), roleIdAt(9)));
    assert.deepEqual(about(outcome), ["failed", "place"]);
    assert.equal(holdersOf(discord.world, roleIdAt(9)).length, 0);
  });

  test("the owner cannot be thrown out", async (t) => {
    const discord = await serverWithFans(t, 0);
    const owner = { ...stepOf("evict", account(0)), account: accountOf(discord.world.guild.ownerId) };
    assert.deepEqual(about(await performOne(discord, owner)), ["failed", "place"]);
    assert.equal(discord.world.members.has(discord.world.guild.ownerId), true);
  });
});
