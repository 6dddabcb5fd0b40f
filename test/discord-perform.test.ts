import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Step, Verb } from "../lib/model.ts";
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
import type { Reply } from "./sandbox/server.ts";

const refusal = (status: number, code: number): Reply => ({ status, body: { message: "no", code } });

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
    const entry = { actor: discord.world.bot.id, added: [], removed: [] };
    assert.deepEqual(
      discord.world.auditLog.toSorted((a, b) => (a.account < b.account ? -1 : 1)),
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

  test("steps are pulled only when they can be started", async (t) => {
    const discord = await serverWithFans(t, 20);
    discord.faults.push({ path: /\/roles\//, fault: { kind: "hang" } });
    let pulled = 0;
    const counted = async function* () {
      for await (const step of inTurn(range(20).map((index) => stepOf("grant", account(index))))) {
        pulled += 1;
        yield step;
      }
    };
    const outcomes = openTarget(discord, bothPlaces, { timeoutMs: 300 }).perform(counted());
    const first = outcomes[Symbol.asyncIterator]().next();
    await discordSaw(discord, /\/roles\//);
    assert.equal(pulled, 4);
    await first;
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

  const cases: readonly [name: string, status: number, code: number, expected: readonly string[]][] = [
    ["as many servers as Discord allows", 400, 30001, ["refused"]],
    ["a ban", 403, 40007, ["refused"]],
    ["no server in common", 403, 50278, ["refused"]],
    ["a member's dead login", 400, 50025, ["failed", "member"]],
    ["a login without the scope", 403, 50026, ["failed", "member"]],
    ["missing permission", 403, 50013, ["failed", "place"]],
    ["missing access", 403, 50001, ["failed", "place"]],
    ["a deleted role", 404, 10011, ["failed", "place"]],
    ["a server that is gone", 404, 10004, ["failed", "place"]],
    ["two-factor login asked of the owner", 403, 60003, ["failed", "place"]],
    ["an overload", 400, 130000, ["failed", "service"]],
    ["an internal error", 500, 0, ["failed", "service"]],
    ["a refusal that nobody knows yet", 400, 99999, ["failed", "member"]],
    ["a 403 that nobody knows yet", 403, 99999, ["failed", "place"]],
  ];
  for (const [name, status, code, expected] of cases) {
    test(`${name} (${code}) is ${expected.join(", blame ")}`, async (t) => {
      const discord = await serverWithFans(t, 1);
      discord.faults.push({ path: /\/roles\//, fault: { kind: "answer", reply: refusal(status, code) } });
      const outcome = await performOne(discord, stepOf("grant", account(0)));
      assert.deepEqual(about(outcome), expected);
      assert.ok(outcome.result === "done" || outcome.sentence.length > 10);
    });
  }

  test("a 403 without any JSON is a refusal, too", async (t) => {
    const discord = await serverWithFans(t, 1);
    discord.faults.push({
      path: /\/roles\//,
      fault: { kind: "answer", reply: { status: 403, body: "<html>" } },
    });
    assert.deepEqual(about(await performOne(discord, stepOf("grant", account(0)))), ["failed", "place"]);
  });

  const performTwice = async (
    t: Parameters<typeof serverWithFans>[0],
    reply: Reply,
    steps: readonly Step[],
  ) => {
    const discord = await serverWithFans(t, 40);
    discord.faults.push({ path: /\/members\/\d+/, times: 1, fault: { kind: "answer", reply } });
    const target = openTarget(discord, bothPlaces);
    const outcomes: Outcome[] = [];
    // One after the other, so that the first answer is known before the second step.
    for (const step of steps)
      for await (const outcome of target.perform(inTurn([step]))) outcomes.push(outcome);
    return { results: outcomes.map(({ result }) => result), sent: writes(discord).length };
  };
  const kinds = (...verbs: readonly Verb[]) => verbs.map((verb, index) => stepOf(verb, account(index)));

  test("a 403 is not asked again for the same verb and place, but for others", async (t) => {
    const { results, sent } = await performTwice(t, refusal(403, 50013), [
      ...kinds("grant", "grant", "revoke"),
      stepOf("grant", account(9), gold),
    ]);
    assert.deepEqual(results, ["failed", "failed", "done", "done"]);
    assert.equal(sent, 3);
  });

  test("a deleted role is not asked for again by any verb, but other places go on", async (t) => {
    const { results, sent } = await performTwice(t, refusal(404, 10011), [
      ...kinds("grant", "grant", "revoke"),
      stepOf("grant", account(9), gold),
    ]);
    assert.deepEqual(results, ["failed", "failed", "failed", "done"]);
    assert.equal(sent, 2);
  });

  test("a server that the bot lost is not asked again at all", async (t) => {
    const { results, sent } = await performTwice(t, refusal(403, 50001), [
      ...kinds("grant", "revoke", "evict"),
      stepOf("grant", account(9), gold),
    ]);
    assert.deepEqual(results, ["failed", "failed", "failed", "failed"]);
    assert.equal(sent, 1);
  });

  test("one member's own refusal does not stop the next", async (t) => {
    const { results } = await performTwice(t, refusal(403, 40007), kinds("grant", "grant"));
    assert.deepEqual(results, ["refused", "done"]);
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
