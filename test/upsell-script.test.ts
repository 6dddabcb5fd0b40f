/** The script upsell-listener as a process: dry runs, signals, kills, and a second one beside it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { assertToldOnStderr } from "./installation.ts";
import { runScript, type RunningScript, startScript } from "./harness.ts";
import { buy } from "./sandbox/discord-entitlements.ts";
import { messagesTo, startBoosting } from "./sandbox/discord-people.ts";
import { discordSaw } from "./sandbox/discord-setup.ts";
import { userIdAt } from "./sandbox/discord-world.ts";
import { setStage, sku, type Stage, until } from "./upsell-stage.ts";

const [ana, bo, cleo] = [userIdAt(0), userIdAt(1), userIdAt(2)];

const run = ({ folder }: Stage, ...args: readonly string[]) =>
  runScript("upsell-listener", args, { cwd: folder });

/** Started, and done with its first look. */
async function start(stage: Stage): Promise<RunningScript> {
  const { discord, folder } = stage;
  const seen = discord.requests.length;
  const script = startScript("upsell-listener", [], { cwd: folder });
  const isUp = () =>
    discord.requests
      .slice(seen)
      .some(
        ({ path }, index, since) =>
          path.endsWith("/entitlements") &&
          since.slice(0, index).some((one) => one.path.endsWith("/gateway/bot")),
      );
  await until("the listener is up", isUp);
  return script;
}

async function end({ process, result }: RunningScript) {
  const atMs = performance.now();
  process.kill("SIGTERM");
  const ended = await result;
  return { ...ended, tookMs: performance.now() - atMs };
}

describe("the script upsell-listener", { timeout: 30_000 }, () => {
  it("tells by a dry run who would get an offer, and ends in order at a signal", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    startBoosting(world, ana);
    const before = await run(stage, "--dry-run");
    assert.equal(before.code, 0, before.stderr);
    assert.match(before.stdout, new RegExp(`^${ana} would be recorded without a message for boosting`));
    assert.ok(!existsSync(stage.database.path));
    assert.equal(stage.discord.gateway.received.length, 0);
    assert.ok(stage.discord.requests.every(({ method }) => method === "GET"));

    const listener = await start(stage);
    const second = await run(stage);
    assertToldOnStderr(second, 75, /Another upsell listener is running/);
    startBoosting(world, bo);
    await until("bo is written to", async () => (await stage.state(1)) === "sent");
    const { code, tookMs, stderr, stdout } = await end(listener);
    assert.equal(code, 143, stderr);
    assert.ok(tookMs < 2000, `it took ${String(tookMs)} ms`);
    assert.match(stdout, /1 sent, 0 waiting/);
    assert.equal(stage.discord.gateway.connected(), 0);

    buy(world, { account: cleo, skuId: sku });
    world.intents.guildMembers = false;
    const after = await run(stage, "--dry-run", "--json");
    assert.equal(after.code, 4);
    const { offers, unread } = JSON.parse(after.stdout) as { offers: unknown; unread: unknown[] };
    assert.deepEqual(offers, [{ account: cleo, occasion: `sku:${sku}`, would: "get an offer" }]);
    assert.match(JSON.stringify(unread), /Server Members Intent is off/);
  });

  it("writes to nobody twice when it is killed while sending", async (t) => {
    const stage = await setStage(t);
    const { world, faults } = stage.discord;
    const killed = await start(stage);
    // The message arrives, and its answer never does.
    faults.push({ method: "POST", path: /\/channels\/\d+\/messages$/, fault: { kind: "hang" }, times: 1 });
    startBoosting(world, ana);
    await discordSaw(stage.discord, /\/channels\/\d+\/messages$/);
    killed.process.kill("SIGKILL");
    await killed.result;
    const listener = await start(stage);
    startBoosting(world, bo);
    await until("bo is written to", async () => (await stage.state(1)) === "sent");
    assert.equal(await stage.state(0), "sending");
    const tries = stage.discord.requests.filter(({ path }) => path.endsWith("/messages"));
    assert.deepEqual([tries.length, messagesTo(world, bo).length], [2, 1]);

    // A message under way does not hold up the end.
    faults.push({ method: "POST", path: /\/channels\/\d+\/messages$/, fault: { kind: "hang" } });
    startBoosting(world, cleo);
    await discordSaw(stage.discord, /\/channels\/\d+\/messages$/, 3);
    const { stderr, tookMs } = await end(listener);
    assert.match(stderr, /Of 1 offer it is open/);
    assert.ok(tookMs < 2000, `it took ${String(tookMs)} ms`);
    assert.equal(await stage.state(2), "sending");
  });
});
