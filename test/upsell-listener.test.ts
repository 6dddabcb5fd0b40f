/** The upsell listener on a real connection to the stand-in: who is written to, what, and how often. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EntitlementType } from "discord-api-types/v10";
import { addLink } from "../lib/store/links.ts";
import { parseFanId } from "../lib/ids.ts";
import { recordFindings } from "../lib/upsell/catch-up.ts";
import { buy, deleteEntitlement } from "./sandbox/discord-entitlements.ts";
import { useCommand } from "./sandbox/discord-gateway-interactions.ts";
import { rename, startBoosting, stopBoosting, writeToBot } from "./sandbox/discord-people.ts";
import { account } from "./sandbox/discord-setup.ts";
import { answers } from "./sandbox/faults.ts";
import { addMember, userIdAt } from "./sandbox/discord-world.ts";
import {
  becomes,
  fans,
  heard,
  saveSubscribers,
  setStage,
  settled,
  sku,
  type Stage,
  until,
} from "./upsell-stage.ts";

const hourMs = 60 * 60_000;
const [ana, bo, cleo, dan] = [account(0), account(1), account(2), account(3)];

const fan = parseFanId("aaaaaaaa-0000-4000-8000-000000000000") ?? assert.fail();
const isWrittenTo = (stage: Stage, id: string) =>
  until(`${id} is written to`, () => heard(stage, id).length > 0);

describe("the upsell listener", { concurrency: 3, timeout: 20_000 }, () => {
  it("writes once to whoever begins to boost, by a name that does no harm", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    await stage.start();
    rename(world, ana, "@everyone [x](http://evil) \u202E");
    startBoosting(world, ana);
    await becomes(stage, 0, "sent");
    const offer = "Hello everyone x (http evil), thank you for supporting Velvet Lounge!";
    assert.deepEqual(heard(stage, ana), [offer]);
    const sent = stage.discord.requests.findLast(({ path }) => path.endsWith("/messages"));
    assert.deepEqual((sent?.json as { allowed_mentions?: unknown }).allowed_mentions, { parse: [] });
    stopBoosting(world, ana);
    startBoosting(world, ana);
    await settled(stage);
    assert.deepEqual(heard(stage, ana), [offer]);
  });

  it("writes to buyers of the listed SKUs, once for each, and to nobody for a test or another SKU", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    await stage.start();
    buy(world, { account: ana, skuId: sku });
    buy(world, { account: ana, skuId: sku });
    buy(world, { account: bo, skuId: "700000000000000009" });
    buy(world, { account: cleo, skuId: sku, type: EntitlementType.TestModePurchase });
    await becomes(stage, 0, "sent", `sku:${sku}`);
    startBoosting(world, ana);
    await becomes(stage, 0, "sent");
    assert.deepEqual(
      [ana, bo, cleo].map((id) => heard(stage, id).length),
      [2, 0, 0],
    );
  });

  it("writes to no bot, no subscriber, and to nobody whose boost is over", async (t) => {
    const stage = await setStage(t, { upsell: { max_per_hour: 1, max_per_day: 10 } });
    const { world } = stage.discord;
    const bot = addMember(world, { id: userIdAt(50), username: "robot", bot: true }).user.id;
    await stage.database.write((sql) => {
      addLink(sql, { fan, platform: "discord", account: ana, source: "proved" }, 1);
      saveSubscribers(sql, [fan], Date.now());
    });
    await stage.start();
    startBoosting(world, bot);
    buy(world, { account: bot, skuId: sku });
    await becomes(stage, 50, "known", `sku:${sku}`);
    startBoosting(world, ana);
    await becomes(stage, 0, "known");
    await settled(stage);
    startBoosting(world, bo);
    await becomes(stage, 1, "waiting");
    stopBoosting(world, bo);
    stage.now = () => Date.now() + hourMs;
    startBoosting(world, cleo);
    await becomes(stage, 2, "sent");
    assert.equal(await stage.state(1), undefined);
    assert.deepEqual(
      [bot, ana, bo].map((id) => heard(stage, id)),
      [[], [], []],
    );
  });

  it("remembers closed direct messages and tries no other offer", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    world.closedDirectMessages.set(ana, "closed");
    world.closedDirectMessages.set(bo, "no server in common");
    await stage.start();
    for (const id of [ana, bo]) startBoosting(world, id);
    await becomes(stage, 0, "refused");
    await becomes(stage, 1, "refused");
    world.closedDirectMessages.clear();
    for (const id of [ana, bo]) buy(world, { account: id, skuId: sku });
    await becomes(stage, 0, "known", `sku:${sku}`);
    await becomes(stage, 1, "known", `sku:${sku}`);
    assert.deepEqual([heard(stage, ana), heard(stage, bo)], [[], []]);
  });

  it("honours a STOP, and confirms it once", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    await stage.start();
    writeToBot(world, ana, "please go on");
    writeToBot(world, ana, " Stop ");
    await isWrittenTo(stage, ana);
    writeToBot(world, ana, "STOP");
    startBoosting(world, ana);
    await becomes(stage, 0, "known");
    await settled(stage);
    assert.deepEqual(heard(stage, ana), [
      "All right: you will get no more offers from me by direct message.",
    ]);
  });

  it("hears nothing of boosts on another server that the bot is on", async (t) => {
    const stage = await setStage(t, { guildId: "999999999999999999" });
    const { world } = stage.discord;
    await stage.database.write((sql) => {
      recordFindings(sql, { found: [], read: new Set(["boost"]), unread: [] }, 1);
    });
    await stage.start();
    startBoosting(world, ana);
    buy(world, { account: bo, skuId: sku });
    await becomes(stage, 1, "waiting", `sku:${sku}`);
    assert.equal(await stage.state(0), undefined);
  });

  it("keeps to the limits, and sends the rest when its time has come, the oldest first", async (t) => {
    const stage = await setStage(t, { upsell: { max_per_hour: 2, max_per_day: 3 } });
    const { world } = stage.discord;
    const startMs = Date.now();
    let minutes = 0;
    stage.now = () => startMs + minutes * 60_000;
    const holdsBack = async (index: number, untilMinute: number) => {
      const end = new Date(startMs + untilMinute * 60_000).toISOString();
      await until(`the wait until ${end} is told`, () =>
        stage.logged.some((line) => line.startsWith(`The offers wait until ${end}`)),
      );
      assert.deepEqual([await stage.state(index), heard(stage, account(index))], ["waiting", []]);
    };
    await stage.start();
    for (const [index, id] of [ana, bo].entries()) {
      minutes = index;
      startBoosting(world, id);
      await becomes(stage, index, "sent");
    }
    minutes = 2;
    startBoosting(world, cleo);
    await holdsBack(2, 60);
    minutes = 62;
    startBoosting(world, dan);
    await becomes(stage, 2, "sent");
    await holdsBack(3, 24 * 60);
    minutes = 24 * 60 + 1;
    buy(world, { account: ana, skuId: sku });
    await becomes(stage, 3, "sent");
    await becomes(stage, 0, "sent", `sku:${sku}`);
    assert.deepEqual(
      fans.map((id) => heard(stage, id).length),
      [2, 1, 1, 1],
    );
  });

  it("sends what waits for its time without anything else that happens", async (t) => {
    const stage = await setStage(t, { upsell: { max_per_hour: 1, max_per_day: 9 } });
    const { world } = stage.discord;
    await stage.start();
    await settled(stage);
    stage.now = () => Date.now() + hourMs - 200;
    startBoosting(world, ana);
    await becomes(stage, 0, "sent");
    assert.equal(heard(stage, ana).length, 1);
  });

  it("records at the first start and writes to nobody; finds later what it missed", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    startBoosting(world, ana);
    buy(world, { account: bo, skuId: sku });
    const first = await stage.start();
    await becomes(stage, 0, "known");
    await becomes(stage, 1, "known", `sku:${sku}`);
    await settled(stage);
    await first.stop();
    assert.equal(stage.discord.gateway.connected(), 0);

    startBoosting(world, bo);
    buy(world, { account: cleo, skuId: sku });
    deleteEntitlement(world, buy(world, { account: dan, skuId: sku }));
    await stage.start();
    await becomes(stage, 1, "sent");
    await becomes(stage, 2, "sent", `sku:${sku}`);
    assert.deepEqual(
      fans.map((id) => heard(stage, id).length),
      [0, 1, 1, 1],
    );
  });

  it("writes to nobody who began while the config asked for no offers, and forgets who waited", async (t) => {
    const few = { max_per_hour: 1, max_per_day: 9 };
    const stage = await setStage(t, { upsell: few });
    const { world } = stage.discord;
    const first = await stage.start();
    startBoosting(world, ana);
    await becomes(stage, 0, "sent");
    startBoosting(world, bo);
    await becomes(stage, 1, "waiting");
    await first.stop();

    stage.configure(null);
    const idle = await stage.start();
    assert.equal(await stage.state(1), undefined);
    startBoosting(world, cleo);
    buy(world, { account: cleo, skuId: sku });
    await idle.stop();
    stage.configure({ required_entitlement_ids: [] });
    const boostsAlone = await stage.start();
    buy(world, { account: dan, skuId: sku });
    await boostsAlone.stop();

    stage.configure({});
    await stage.start();
    for (const index of [1, 2]) assert.equal(await stage.state(index), "known");
    for (const index of [2, 3]) assert.equal(await stage.state(index, `sku:${sku}`), "known");
    await settled(stage);
    assert.deepEqual(
      fans.map((id) => heard(stage, id).length),
      [1, 0, 0, 1],
    );
  });

  it("waits where Discord has had enough of new messages, and loses nobody", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    const first = await stage.start();
    world.directMessages.tooFast = true;
    startBoosting(world, ana);
    await until("it is told", () => stage.logged.some((line) => line.includes("has had enough")));
    assert.equal(await stage.state(0), "waiting");
    world.directMessages.tooFast = false;
    startBoosting(world, bo);
    await becomes(stage, 1, "waiting");
    const opened = () => stage.discord.requests.filter(({ path }) => path.endsWith("/users/@me/channels"));
    await first.stop();
    await stage.start();
    const isTold = (line: string) => /^The offers wait until .*: Discord has had enough/.test(line);
    await until("the wait is told again", () => stage.logged.some(isTold));
    assert.deepEqual([heard(stage, ana), opened().length], [[], 1]);
    stage.now = () => Date.now() + 2 * hourMs;
    startBoosting(world, cleo);
    await becomes(stage, 2, "sent");
    assert.deepEqual(
      [ana, bo, cleo].map((id) => heard(stage, id).length),
      [1, 1, 1],
    );
  });

  it("never sends again what may have arrived, and waits before the next one", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    const first = await stage.start();
    const messages = { method: "POST", path: /\/channels\/\d+\/messages$/ };
    stage.discord.faults.push(
      { ...messages, fault: { kind: "cut" }, times: 1 },
      { ...messages, fault: answers(502), times: 1 },
    );
    const isTold = (words: string, times: number) =>
      until(`it is told ${String(times)} times: ${words}`, () => {
        return stage.logged.filter((line) => line.startsWith(words)).length === times;
      });
    startBoosting(world, ana);
    await isTold("Whether an offer arrived is open", 1);
    startBoosting(world, bo);
    await becomes(stage, 1, "waiting");
    await isTold("The offers wait for 1 min: Discord did not answer", 1);
    stage.now = () => Date.now() + 61_000;
    startBoosting(world, cleo);
    await isTold("Whether an offer arrived is open", 2);
    await isTold("The offers wait for 10 min: Discord did not answer", 1);
    assert.deepEqual([await stage.state(1), await stage.state(2)], ["sending", "waiting"]);
    await first.stop();
    await stage.start();
    await settled(stage);
    assert.ok(stage.logged.some((line) => line.startsWith("Of 2 offers it is open")));
    assert.deepEqual(await Promise.all([0, 1, 2].map((index) => stage.state(index))), [
      "sending",
      "sending",
      "sent",
    ]);
    assert.deepEqual(
      [ana, bo, cleo].map((id) => heard(stage, id).length),
      [1, 0, 1],
    );
  });

  it("hears what happened while the connection was lost, resumed or begun anew", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    await stage.start();
    const says = (words: string) => () => stage.logged.some((line) => line.includes(words));
    stage.discord.gateway.drop();
    await until("the loss is told", says("was lost"));
    buy(world, { account: ana, skuId: sku });
    await becomes(stage, 0, "sent", `sku:${sku}`);
    await until("the return is told", says("nothing was missed"));
    stage.discord.gateway.forgetSessions();
    stage.discord.gateway.drop();
    startBoosting(world, bo);
    await becomes(stage, 1, "sent");
    await until("the new beginning is told", says("Connected to Discord anew"));
  });

  it("says what to do where Discord refuses the token or the intent", async (t) => {
    const stage = await setStage(t);
    stage.discord.world.intents.guildMembers = false;
    await assert.rejects(stage.start(), {
      name: "PlatformError",
      message: /Server Members Intent is off/,
    });
    assert.ok(stage.logged.some((line) => line.includes("does not show the bot who boosts")));
    stage.discord.world.bot.token = "another";
    await assert.rejects(stage.start(), {
      name: "PlatformError",
      message: /does not accept the bot's token/,
    });
  });

  it("serves the commands alone where there are no offers", async (t) => {
    const stage = await setStage(t, { upsell: null });
    stage.discord.world.intents.guildMembers = false;
    const listener = await stage.start();
    const { world } = stage.discord;
    await until("the commands are known", () => world.commands.size === 2);
    assert.ok(stage.logged.includes("The config has no upsell section: only the slash commands are served."));
    // Whatever follows from the setting up of the commands has had its time once several are answered.
    for (const name of ["link", "membership", "link"])
      assert.match((await useCommand(world, ana, name)).text, /is not linked to a Fanvue account/);
    await listener.stop();
    await listener.ended;
  });
});
