/** What Discord refuses uses up no offer, unless it speaks of the person: it may dislike the bot, or the text. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import pino from "pino";
import { openDatabase } from "../lib/db.ts";
import { loadOfferState, noticeOffer } from "../lib/store/offers.ts";
import type { Delivery } from "../lib/upsell/courier.ts";
import { openOutbox } from "../lib/upsell/outbox.ts";
import { temporaryFolder } from "./harness.ts";
import { messagesTo, startBoosting } from "./sandbox/discord-people.ts";
import { account } from "./sandbox/discord-setup.ts";
import { answers } from "./sandbox/faults.ts";
import { becomes, setStage, type Stage, until } from "./upsell-stage.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

// ---- By Discord's answers ---------------------------------------------------------------------------------------

const opening = { method: "POST", path: /\/users\/@me\/channels$/ };
const sending = { method: "POST", path: /\/channels\/\d+\/messages$/ };
const refusal = (status: number, code: number) => answers(status, { message: "No.", code });

const isTold = (stage: Stage, words: string) =>
  until(`it is told that ${words}`, () => stage.logged.some((line) => line.includes(words)));
const states = (stage: Stage, indexes: readonly number[]) =>
  Promise.all(indexes.map((index) => stage.state(index)));
const opened = ({ discord }: Stage) =>
  discord.requests.filter(({ method, path }) => method === opening.method && opening.path.test(path)).length;
const heard = ({ discord }: Stage, indexes: readonly number[]) =>
  indexes.map((index) => messagesTo(discord.world, account(index)).length);

/** All but the last fan begin to boost, and are on record. */
async function threeBoost(stage: Stage): Promise<void> {
  for (const index of [0, 1, 2]) startBoosting(stage.discord.world, account(index));
  await until(
    "all are on record",
    async () => !(await states(stage, [0, 1, 2])).some((state) => state === undefined),
  );
}

describe("an offer that Discord refuses", { concurrency: 3, timeout: 20_000 }, () => {
  const ofNobody = [
    { where: "opening", at: opening, status: 403, code: 40_002 },
    { where: "sending", at: sending, status: 403, code: 50_001 },
    { where: "sending", at: sending, status: 400, code: 130_000 },
    { where: "sending", at: sending, status: 400, code: 50_035 },
  ];
  for (const { where, at, status, code } of ofNobody)
    it(`waits with all others after code ${String(code)} on ${where}, and goes out later`, async (t) => {
      const stage = await setStage(t);
      await stage.start();
      stage.discord.faults.push({ ...at, fault: refusal(status, code), times: 1 });
      await threeBoost(stage);
      await isTold(
        stage,
        `wait for 1 min: Discord refused with status ${String(status)}, code ${String(code)};`,
      );
      assert.deepEqual(await states(stage, [0, 1, 2]), ["waiting", "waiting", "waiting"]);
      assert.equal(opened(stage), 1);
      stage.now = () => Date.now() + 2 * minuteMs;
      startBoosting(stage.discord.world, account(3));
      for (const index of [0, 1, 2, 3]) await becomes(stage, index, "sent");
      assert.deepEqual(heard(stage, [0, 1, 2, 3]), [1, 1, 1, 1]);
    });

  it("waits for a day where Discord has the bot under quarantine, also after a restart", async (t) => {
    const stage = await setStage(t);
    const first = await stage.start();
    stage.discord.faults.push({ ...opening, fault: refusal(403, 20_026), times: 1 });
    await threeBoost(stage);
    await isTold(stage, "The offers wait for 24 h: Discord has put the bot under quarantine");
    await isTold(stage, "Appeal at https://dis.gd/app-quarantine");
    await first.stop();
    stage.now = () => Date.now() + 23 * hourMs;
    await stage.start();
    await isTold(stage, "Z: Discord has put the bot under quarantine");
    assert.deepEqual(await states(stage, [0, 1, 2]), ["waiting", "waiting", "waiting"]);
    assert.equal(opened(stage), 1);
    stage.now = () => Date.now() + 25 * hourMs;
    startBoosting(stage.discord.world, account(3));
    for (const index of [0, 1, 2, 3]) await becomes(stage, index, "sent");
  });

  it("ends only for the person whom the refusal speaks of", async (t) => {
    const stage = await setStage(t);
    await stage.start();
    stage.discord.faults.push({ ...sending, fault: refusal(400, 20_009), times: 1 });
    await threeBoost(stage);
    for (const index of [1, 2]) await becomes(stage, index, "sent");
    assert.equal(await stage.state(0), "failed");
    await isTold(stage, "is not tried again: Discord takes the text for explicit");
  });
});

// ---- Over time --------------------------------------------------------------------------------------------------

interface TestLike {
  after(fn: () => void | Promise<void>): void;
}

/** The outbox leaves it to the courier to write to people. */
const nothing = () => Promise.reject(new Error("nobody is to be written to"));

/** An outbox with so many offers, and with a courier that answers by whom it is sent to. */
async function setOutbox(test: TestLike, waiting: number, answer: (to: string) => Delivery) {
  const folder = temporaryFolder(test);
  const database = openDatabase(folder);
  const offers = Array.from({ length: waiting }, (_, index) => ({
    account: account(index),
    occasion: "boost",
  }));
  await database.write((sql) => {
    for (const offer of offers) noticeOffer(sql, offer, "waiting", 0);
  });
  const logged: string[] = [];
  const write = (line: string) => void logged.push(String((JSON.parse(line) as { msg?: unknown }).msg));
  const tried: string[] = [];
  const clock = { nowMs: Date.UTC(2026, 10, 23) };
  const outbox = openOutbox({
    database,
    configPath: join(folder, "config.yaml"),
    upsell: {
      onBoost: true,
      requiredEntitlementIds: [],
      offerMessage: "Hello!",
      maxPerHour: 100,
      maxPerDay: 100,
      toSubscribers: false,
    },
    courier: {
      fetchStanding: ({ account: id }) =>
        Promise.resolve({ is: "due", user: { id, createDM: nothing, send: nothing }, text: id }),
      send({ text }) {
        tried.push(text);
        return Promise.resolve(answer(text));
      },
    },
    now: () => clock.nowMs,
    log: pino({ level: "info" }, { write }),
  });
  const end = new AbortController();
  const running = outbox.run(end.signal);
  test.after(async () => {
    end.abort();
    await running;
  });
  return {
    clock,
    database,
    logged,
    tried,
    outbox,
    /** For how long all have waited, as it was logged. */
    pauses: () => logged.flatMap((line) => /^The offers wait for (.+): /.exec(line)?.[1] ?? []),
    state: (index: number) =>
      database.read((sql) => loadOfferState(sql, { account: account(index), occasion: "boost" })),
  };
}

const turnedAway: Delivery = { is: "turned away", because: "Discord is not in the mood" };

describe("the outbox", { timeout: 20_000 }, () => {
  it("waits longer each time that Discord refuses in vain, and gives an offer up after more than a day", async (t) => {
    const { clock, tried, pauses, logged, state, outbox } = await setOutbox(t, 1, () => turnedAway);
    const startMs = clock.nowMs;
    const untilMs = [1, 11, 71, 431, 791, 1151, 1511].map((minutes) => startMs + minutes * minuteMs);
    for (const [index, endMs] of untilMs.entries()) {
      await until("it is tried", () => pauses().length === index + 1);
      assert.equal(await state(0), "waiting");
      clock.nowMs = endMs;
      outbox.wake();
    }
    await until("it is given up", async () => (await state(0)) === "failed");
    assert.deepEqual(pauses(), ["1 min", "10 min", "60 min", "6 h", "6 h", "6 h", "6 h", "6 h"]);
    assert.ok(clock.nowMs - startMs > dayMs);
    assert.equal(tried.length, 8);
    assert.ok(logged.some((line) => line.includes("is not tried again: Discord is not in the mood")));
  });

  it("lets the others go before what was refused, and begins with a short pause after what was sent", async (t) => {
    const [first, ...others] = [0, 1, 2].map(account);
    const { clock, tried, pauses, state, outbox } = await setOutbox(t, 3, (to) =>
      to === first ? turnedAway : { is: "sent" },
    );
    await until("the first is tried", () => pauses().length === 1);
    clock.nowMs += minuteMs;
    outbox.wake();
    await until("the first is tried again", () => pauses().length === 2);
    assert.deepEqual(tried, [first, ...others, first]);
    assert.deepEqual(await Promise.all([0, 1, 2].map(state)), ["waiting", "sent", "sent"]);
    assert.deepEqual(pauses(), ["1 min", "1 min"]);
  });
});
