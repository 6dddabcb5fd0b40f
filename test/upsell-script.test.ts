/** The script upsell-listener as a process: dry runs, signals, kills, and a second one beside it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { assertToldOnStderr } from "./installation.ts";
import { type RunningScript, startScript } from "./harness.ts";
import { buy } from "./sandbox/discord-entitlements.ts";
import { messagesTo, startBoosting } from "./sandbox/discord-people.ts";
import { userIdAt } from "./sandbox/discord-world.ts";
import { drops, hangs } from "./sandbox/faults.ts";
import { setStage, sku, type Stage, until } from "./upsell-stage.ts";

const [ana, bo, cleo] = [userIdAt(0), userIdAt(1), userIdAt(2)];

/** Starts the script, which is not left behind by a test that fails. */
function spawn(test: TestContext, { folder }: Stage, ...args: readonly string[]): RunningScript {
  const script = startScript("upsell-listener", args, { cwd: folder });
  test.after(() => script.process.kill("SIGKILL"));
  return script;
}
const run = (test: TestContext, stage: Stage, ...args: readonly string[]) =>
  spawn(test, stage, ...args).result;

interface Route {
  readonly method: string;
  readonly path: RegExp;
}
const messages: Route = { method: "POST", path: /\/channels\/\d+\/messages$/ };
const gateway: Route = { method: "GET", path: /\/gateway\/bot$/ };

const requestsOf = ({ discord }: Stage, route: Route) =>
  discord.requests.filter(({ method, path }) => method === route.method && route.path.test(path));
const asked = (stage: Stage, route: Route, times = 1) =>
  until(`Discord is asked for ${String(route.path)}`, () => requestsOf(stage, route).length >= times);

/** Started, and done with its first look. */
async function start(test: TestContext, stage: Stage): Promise<RunningScript> {
  const { discord } = stage;
  const seen = discord.requests.length;
  const script = spawn(test, stage);
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
    const before = await run(t, stage, "--dry-run");
    assert.equal(before.code, 0, before.stderr);
    assert.match(before.stdout, new RegExp(`^${ana} would be recorded without a message for boosting`));
    assert.ok(!existsSync(stage.database.path));
    assert.equal(stage.discord.gateway.received.length, 0);
    assert.ok(stage.discord.requests.every(({ method }) => method === "GET"));

    const listener = await start(t, stage);
    const second = await run(t, stage);
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
    const after = await run(t, stage, "--dry-run", "--json");
    assert.equal(after.code, 4);
    const { offers, unread } = JSON.parse(after.stdout) as { offers: unknown; unread: unknown[] };
    assert.deepEqual(offers, [{ account: cleo, occasion: `sku:${sku}`, would: "get an offer" }]);
    assert.match(JSON.stringify(unread), /Server Members Intent is off/);
  });

  it("writes to nobody twice when it is killed while sending", async (t) => {
    const stage = await setStage(t);
    const { world, faults } = stage.discord;
    const killed = await start(t, stage);
    // The message arrives, and its answer never does.
    faults.push({ ...messages, fault: hangs(), times: 1 });
    startBoosting(world, ana);
    await asked(stage, messages);
    killed.process.kill("SIGKILL");
    await killed.result;
    const listener = await start(t, stage);
    startBoosting(world, bo);
    await until("bo is written to", async () => (await stage.state(1)) === "sent");
    assert.equal(await stage.state(0), "sending");
    assert.deepEqual([requestsOf(stage, messages).length, messagesTo(world, bo).length], [2, 1]);

    // A message under way does not hold up the end.
    faults.push({ ...messages, fault: hangs() });
    startBoosting(world, cleo);
    await asked(stage, messages, 3);
    const { stderr, tookMs } = await end(listener);
    assert.match(stderr, /Of 1 offer it is open/);
    assert.ok(tookMs < 2000, `it took ${String(tookMs)} ms`);
    assert.equal(await stage.state(2), "sending");
  });

  it("ends at a signal while Discord cannot be reached, or does not answer", async (t) => {
    const endings = [
      { ...gateway, fault: drops(), tries: 2, told: /Discord cannot be reached .*; trying again in 1 s/ },
      { method: "GET", path: /\/guilds\/\d+$/, fault: hangs(), tries: 1, told: /^(?!.*cannot be reached)/ },
    ];
    await Promise.all(
      endings.map(async ({ told, tries, ...fault }) => {
        const stage = await setStage(t);
        stage.discord.faults.push(fault);
        const script = spawn(t, stage);
        await asked(stage, fault, tries);
        const { code, stderr, tookMs } = await end(script);
        assert.equal(code, 143, stderr);
        assert.match(stderr, told);
        assert.ok(tookMs < 2000, `it took ${String(tookMs)} ms`);
      }),
    );
  });
});
