/** After a run's writes: whether they stuck is read once more. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Step } from "../lib/model.ts";
import {
  account,
  bothPlaces,
  gold,
  give,
  openTarget,
  range,
  serverWithFans,
  stepOf,
} from "./sandbox/discord-setup.ts";
import type { DiscordSandbox } from "./sandbox/discord.ts";
import { userIdAt } from "./sandbox/discord-world.ts";

/** Reads the places, forgets the requests so far, and verifies steps that changed nothing by themselves. */
async function verify(discord: DiscordSandbox, steps: readonly Step[]) {
  const target = openTarget(discord, bothPlaces);
  await target.read(bothPlaces, new Set(steps.map((step) => step.account)));
  discord.requests.splice(0);
  const amiss = await target.verify?.(steps);
  assert.ok(amiss !== undefined);
  return steps.map((step) => amiss.get(step));
}

const paths = ({ requests }: DiscordSandbox) =>
  requests.map(({ path }) => path.replace(/^.*\/members/, "members"));

describe("what was carried out", { concurrency: true }, () => {
  const swallowed = [stepOf("grant", account(0)), stepOf("revoke", account(1)), stepOf("evict", account(2))];

  test("has stuck where the member shows it", async (t) => {
    const discord = await serverWithFans(t, 3);
    give(discord, 0);
    discord.world.members.delete(userIdAt(2));
    const steps = [...swallowed, stepOf("revoke", account(2), gold), stepOf("revoke", account(0), gold)];
    assert.deepEqual(
      await verify(discord, steps),
      steps.map(() => undefined),
    );
  });

  test("has not where it does not: each with a sentence of its own", async (t) => {
    const discord = await serverWithFans(t, 1200);
    give(discord, 1);
    const sentences = await verify(discord, swallowed);
    assert.deepEqual(sentences, [
      "Discord said yes, but the member does not have the role.",
      "Discord said yes, but the member has the role still, or again.",
      "Discord said yes, but the member is on the server still, or again.",
    ]);
    assert.deepEqual(paths(discord), ["members", "members"]);
  });

  test("is no failure of whoever has left meanwhile", async (t) => {
    const discord = await serverWithFans(t, 1);
    assert.deepEqual(await verify(discord, [stepOf("grant", account(1))]), [undefined]);
  });

  test("is read one by one where that is no more requests than pages, each member once", async (t) => {
    const discord = await serverWithFans(t, 1200);
    give(discord, 0);
    give(discord, 0, gold);
    const steps = [
      stepOf("grant", account(0)),
      stepOf("grant", account(1)),
      stepOf("grant", account(0), gold),
    ];
    const sentences = await verify(discord, steps);
    assert.deepEqual(sentences, [
      undefined,
      "Discord said yes, but the member does not have the role.",
      undefined,
    ]);
    assert.deepEqual(paths(discord), [`members/${userIdAt(0)}`, `members/${userIdAt(1)}`]);
  });

  test("is read one by one where the bot may not see the list", async (t) => {
    const discord = await serverWithFans(t, 5);
    discord.world.intents.guildMembers = false;
    for (const index of range(5)) give(discord, index);
    const steps = range(5).map((index) => stepOf("grant", account(index)));
    assert.deepEqual(
      await verify(discord, steps),
      steps.map(() => undefined),
    );
    assert.equal(discord.requests.length, 5);
  });

  test("is taken at Discord's word where it cannot be read again", async (t) => {
    const discord = await serverWithFans(t, 3);
    const failing = { kind: "answer", reply: { status: 400, body: { message: "No", code: 0 } } } as const;
    const target = openTarget(discord, bothPlaces);
    const one = stepOf("grant", account(0));
    assert.equal((await target.verify?.([one]))?.size, 0);
    await target.read(bothPlaces, new Set());
    discord.faults.push({ path: /\/members/, fault: failing });
    assert.equal((await target.verify?.([one]))?.size, 0);
    assert.equal((await target.verify?.(swallowed))?.size, 0);
  });

  test("asks nothing where nothing was done", async (t) => {
    const discord = await serverWithFans(t, 3);
    assert.deepEqual(await verify(discord, []), []);
    assert.deepEqual(paths(discord), []);
  });
});
