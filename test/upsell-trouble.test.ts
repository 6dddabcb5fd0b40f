/** What must not stop, flood or use up the upsell listener: people who are gone, texts and tokens that Discord refuses. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDiscordUserId } from "../lib/ids.ts";
import { loadOfferRefusal, saveTroubleAtMs } from "../lib/store/offers.ts";
import { buy } from "./sandbox/discord-entitlements.ts";
import { messagesTo, startBoosting, writeToBot } from "./sandbox/discord-people.ts";
import { account } from "./sandbox/discord-setup.ts";
import { answers, passes } from "./sandbox/faults.ts";
import { becomes, setStage, sku, type Stage, until } from "./upsell-stage.ts";

const hourMs = 60 * 60_000;
const [ana, bo, cleo, dan] = [account(0), account(1), account(2), account(3)];
const purchase = `sku:${sku}`;
const messages = { method: "POST", path: /\/channels\/\d+\/messages$/ };

const isTold = (stage: Stage, words: string) =>
  until(`it is told that ${words}`, () => stage.logged.some((line) => line.includes(words)));
const confirmed = (stage: Stage, id: string) =>
  until(`the STOP of ${id} is confirmed`, () =>
    messagesTo(stage.discord.world, id).some((text) =>
      text.startsWith("All right: you will get no more offers"),
    ),
  );

describe("the upsell listener", { concurrency: 3, timeout: 20_000 }, () => {
  it("is not held up by a buyer whose account is gone", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    await stage.start();
    world.members.delete(ana);
    world.users.delete(ana);
    world.deletedUsers.add(ana);
    buy(world, { account: ana, skuId: sku });
    await becomes(stage, 0, "known", purchase);
    startBoosting(world, bo);
    await becomes(stage, 1, "sent");
  });

  it("ends where a request shows that the token is refused, and nothing is lost", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    const listener = await stage.start();
    world.bot.token = "another";
    startBoosting(world, bo);
    await assert.rejects(listener.ended, {
      name: "PlatformError",
      message: /does not accept the bot's token/,
    });
    assert.equal(await stage.state(1), "waiting");
  });

  it("finds a STOP that was written while nobody listened, and confirms it", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    const first = await stage.start();
    startBoosting(world, ana);
    await becomes(stage, 0, "sent");
    await first.stop();
    writeToBot(world, ana, "Unsubscribe");
    buy(world, { account: ana, skuId: sku });
    await stage.start();
    await becomes(stage, 0, "known", purchase);
    await confirmed(stage, ana);
    assert.equal(messagesTo(world, ana).length, 2);
  });

  it("finds a STOP at its start and after a gap, also of somebody who gets no further offer", async (t) => {
    const stage = await setStage(t);
    const { world, gateway } = stage.discord;
    const first = await stage.start();
    for (const [index, id] of [ana, bo].entries()) {
      startBoosting(world, id);
      await becomes(stage, index, "sent");
    }
    await first.stop();
    writeToBot(world, ana, "stop");
    await stage.start();
    await confirmed(stage, ana);
    gateway.forgetSessions();
    gateway.drop();
    await until("nobody is connected", () => gateway.connected() === 0);
    writeToBot(world, bo, "stop");
    await confirmed(stage, bo);
    assert.deepEqual(
      [ana, bo].map((id) => messagesTo(world, id).length),
      [2, 2],
    );
  });

  it("honours a STOP that comes while an offer is being sent, and confirms it once", async (t) => {
    const stage = await setStage(t);
    const { world, faults } = stage.discord;
    await stage.start();
    const onStrike = () => {
      writeToBot(world, ana, "STOP");
    };
    faults.push({ ...messages, fault: passes(), times: 1, onStrike });
    startBoosting(world, ana);
    await confirmed(stage, ana);
    await becomes(stage, 0, "sent");
    buy(world, { account: ana, skuId: sku });
    await becomes(stage, 0, "known", purchase);
    assert.equal(messagesTo(world, ana).length, 2);
  });

  it("honours a STOP that comes just before an offer is sent, and confirms it once", async (t) => {
    const stage = await setStage(t);
    const { world, faults } = stage.discord;
    await stage.start();
    const onStrike = () => {
      writeToBot(world, ana, "STOP");
    };
    faults.push({ method: "GET", path: messages.path, fault: passes(), times: 1, onStrike });
    startBoosting(world, ana);
    await confirmed(stage, ana);
    await becomes(stage, 0, "known");
    startBoosting(world, bo);
    await becomes(stage, 1, "sent");
    assert.equal(messagesTo(world, ana).length, 1);
  });

  it("sends once where Discord asks for a short pause, and lets the rest wait for a long one", async (t) => {
    const stage = await setStage(t);
    const { world, faults } = stage.discord;
    await stage.start();
    const pause = (seconds: number) => ({
      ...messages,
      fault: answers(
        429,
        { message: "You are being rate limited.", retry_after: seconds, global: false },
        {
          "retry-after": String(seconds),
        },
      ),
      times: 1,
    });
    faults.push(pause(0.05));
    startBoosting(world, ana);
    await becomes(stage, 0, "sent");
    faults.push(pause(3590));
    startBoosting(world, bo);
    await isTold(stage, "The offers wait for 60 min: Discord asks for a pause");
    startBoosting(world, cleo);
    for (const index of [1, 2]) await becomes(stage, index, "waiting");
    // What is no offer goes on meanwhile.
    writeToBot(world, dan, "stop");
    await confirmed(stage, dan);
    assert.deepEqual(
      [ana, bo, cleo].map((id) => messagesTo(world, id).length),
      [1, 0, 0],
    );
    const opened = stage.discord.requests.filter(({ path }) => path.endsWith("/users/@me/channels"));
    assert.equal(opened.length, 2);
    const tries = stage.discord.requests.filter(
      ({ method, path }) => method === "POST" && messages.path.test(path),
    );
    assert.equal(tries.length, 4);
  });

  it("reads purchases beyond the first hundred, and those for a server", async (t) => {
    const stage = await setStage(t, { upsell: { upsell_on_boost: false } });
    const { world } = stage.discord;
    for (let bought = 0; bought < 101; bought += 1) buy(world, { account: ana, skuId: sku });
    buy(world, { account: bo, skuId: sku, guildId: world.guild.id });
    await stage.start();
    await becomes(stage, 0, "known", purchase);
    await becomes(stage, 1, "known", purchase);
    buy(world, { account: cleo, skuId: sku, guildId: world.guild.id });
    await becomes(stage, 2, "sent", purchase);
  });

  it("tells once that purchases are refused, says why, and goes on with boosts", async (t) => {
    const stage = await setStage(t);
    const { world, faults, gateway } = stage.discord;
    const refusal = answers(403, { message: "Missing Access", code: 50_001 });
    faults.push({ path: /\/entitlements$/, fault: refusal });
    await stage.start();
    const asked = (end: string) => stage.discord.requests.filter(({ path }) => path.endsWith(end)).length;
    // Before the connection, after it, and after a gap.
    gateway.forgetSessions();
    gateway.drop();
    await until("it is asked again", () => asked("/entitlements") >= 3);
    startBoosting(world, ana);
    await becomes(stage, 0, "sent");
    const told = stage.logged.filter((line) => line.includes("refuses to show the bot what was bought"));
    assert.equal(told.length, 1);
    assert.match(told[0] ?? "", /SKUs of the bot's own application/);
    assert.ok(!stage.logged.some((line) => line.includes("no access to the server")));
  });

  it("keeps the offers while Discord takes a link in the text for harmful", async (t) => {
    const stage = await setStage(t);
    const { world, faults } = stage.discord;
    await stage.start();
    const refusal = { status: 400, body: { code: 240_000, message: "Message blocked" } };
    faults.push({ ...messages, fault: { kind: "answer", reply: refusal }, times: 1 });
    for (const id of [ana, bo]) startBoosting(world, id);
    await isTold(stage, "a link in upsell.offer_message");
    for (const index of [0, 1]) await becomes(stage, index, "waiting");
    stage.now = () => Date.now() + 2 * hourMs;
    startBoosting(world, cleo);
    for (const index of [0, 1, 2]) await becomes(stage, index, "sent");
  });

  it("needs no Server Members Intent where only purchases count", async (t) => {
    const stage = await setStage(t, { upsell: { upsell_on_boost: false } });
    stage.discord.world.intents.guildMembers = false;
    await stage.start();
    buy(stage.discord.world, { account: ana, skuId: sku });
    await becomes(stage, 0, "sent", purchase);
  });

  it("tells once that the connection is lost, however often it is tried again", async (t) => {
    const stage = await setStage(t);
    const { world, gateway } = stage.discord;
    await stage.start();
    const upgrade = gateway.upgrade.bind(gateway);
    let tries = 0;
    gateway.upgrade = (_, socket) => {
      tries += 1;
      socket.destroy();
    };
    gateway.drop();
    await until("it was tried again and again", () => tries === 3);
    gateway.upgrade = upgrade;
    await isTold(stage, "Connected to Discord anew");
    startBoosting(world, ana);
    await becomes(stage, 0, "sent");
    assert.equal(stage.logged.filter((line) => line.includes("was lost")).length, 1);
  });

  it("lets tries of a clock that was ahead count as of now, and tells it once", async (t) => {
    const stage = await setStage(t, { upsell: { max_per_hour: 1, max_per_day: 9 } });
    const { world } = stage.discord;
    const yearMs = 365 * 24 * hourMs;
    stage.now = () => Date.now() + yearMs;
    await stage.start();
    startBoosting(world, dan);
    await becomes(stage, 3, "sent");
    await stage.database.write((sql) => {
      saveTroubleAtMs(sql, "too fast", stage.now());
    });
    stage.now = Date.now;
    startBoosting(world, ana);
    const isTold = (line: string) => line.includes("the clock was ahead");
    await until("the clock is told of", () => stage.logged.some(isTold));
    await becomes(stage, 0, "waiting");
    stage.now = () => Date.now() + hourMs + 1000;
    startBoosting(world, bo);
    await becomes(stage, 0, "sent");
    assert.deepEqual([stage.logged.filter(isTold).length, await stage.state(1)], [1, "waiting"]);
  });

  it("takes no word of its own for a STOP", async (t) => {
    const stage = await setStage(t, { upsell: { offer_message: "Stop by at my page, {name}!" } });
    const { world } = stage.discord;
    await stage.start();
    startBoosting(world, dan);
    await becomes(stage, 3, "sent");
    buy(world, { account: dan, skuId: sku });
    await becomes(stage, 3, "sent", `sku:${sku}`);
    assert.equal(messagesTo(world, dan).length, 2);
    const bot = parseDiscordUserId(world.bot.id) ?? assert.fail();
    assert.equal(await stage.database.read((sql) => loadOfferRefusal(sql, bot)), undefined);
  });
});
