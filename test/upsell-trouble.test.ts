/** What must not stop, flood or use up the upsell listener: people who are gone, texts and tokens that Discord refuses. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buy } from "./sandbox/discord-entitlements.ts";
import { messagesTo, startBoosting, writeToBot } from "./sandbox/discord-people.ts";
import { account } from "./sandbox/discord-setup.ts";
import { setStage, sku, type Stage, until } from "./upsell-stage.ts";

const [ana, bo, cleo] = [account(0), account(1), account(2)];
const purchase = `sku:${sku}`;
const messages = { method: "POST", path: /\/channels\/\d+\/messages$/ };

const isTold = (stage: Stage, words: string) =>
  until(`it is told that ${words}`, () => stage.logged.some((line) => line.includes(words)));
const becomes = (stage: Stage, index: number, state: string, occasion?: string) =>
  until(`${String(index)} is ${state}`, async () => (await stage.state(index, occasion)) === state);

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
    await until("it is confirmed", () => messagesTo(world, ana).length === 2);
    assert.match(messagesTo(world, ana)[1] ?? "", /^All right: you will get no more offers/);
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
    stage.now = () => Date.now() + 2 * 60 * 60_000;
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
});
