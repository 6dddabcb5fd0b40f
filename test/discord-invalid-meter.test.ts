import assert from "node:assert/strict";
import { test } from "node:test";
import pino from "pino";
import { createInvalidMeter, maxInvalidAnswers } from "../lib/discord/invalid-meter.ts";
import { openRest } from "../lib/discord/rest.ts";
import { PlatformError } from "../lib/errors.ts";
import { discordFor } from "./sandbox/discord-setup.ts";
import { answers } from "./sandbox/faults.ts";

const minuteMs = 60_000;

function noted(status: number, count: number, scope: string | null = null) {
  const meter = createInvalidMeter();
  for (let index = 0; index < count; index += 1) meter.note(status, scope, index);
  return meter;
}

for (const status of [401, 403, 429]) {
  test(`the meter is full after so many answers of ${status} in ten minutes, and not one before`, () => {
    assert.equal(noted(status, maxInvalidAnswers - 1).isFull(minuteMs), false);
    assert.equal(noted(status, maxInvalidAnswers).isFull(minuteMs), true);
  });
}

test("answers that Discord does not hold against us are not counted", () => {
  assert.equal(noted(404, maxInvalidAnswers).isFull(minuteMs), false);
  assert.equal(noted(200, maxInvalidAnswers).isFull(minuteMs), false);
  assert.equal(noted(429, maxInvalidAnswers, "shared").isFull(minuteMs), false);
});

test("two processes at one address that fill their meters stay below what Discord blocks it for", () => {
  assert.ok(maxInvalidAnswers * 2 < 10_000);
});

test("all ways to Discord that share a meter stop together", async (t) => {
  const discord = await discordFor(t);
  discord.faults.push({ path: /gateway/, fault: answers(403, { message: "no", code: 0 }) });
  const meter = createInvalidMeter();
  for (let index = 0; index < maxInvalidAnswers - 2; index += 1) meter.note(403, null, Date.now());
  const open = () =>
    openRest({
      apiUrl: discord.apiUrl,
      token: discord.world.bot.token,
      log: pino({ level: "silent" }),
      signal: new AbortController().signal,
      meter,
    });
  assert.equal((await open().get("/gateway")).is, "refused");
  await assert.rejects(open().get("/gateway"), PlatformError);
  assert.equal(discord.requests.length, 2);
});

test("after ten minutes the old ones do not count any more", () => {
  const meter = noted(403, maxInvalidAnswers * 2);
  assert.equal(meter.isFull(9 * minuteMs), true);
  assert.equal(meter.isFull(11 * minuteMs), false);
});
