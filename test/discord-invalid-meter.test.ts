import assert from "node:assert/strict";
import { test } from "node:test";
import { createInvalidMeter, maxInvalidAnswers } from "../lib/discord/invalid-meter.ts";

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

test("after ten minutes the old ones do not count any more", () => {
  const meter = noted(403, maxInvalidAnswers * 2);
  assert.equal(meter.isFull(9 * minuteMs), true);
  assert.equal(meter.isFull(11 * minuteMs), false);
});
