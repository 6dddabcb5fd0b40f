/** When cron expressions are due, on the days when clocks are set forward and back, too. */
import assert from "node:assert/strict";
import { after, describe, mock, test } from "node:test";
import { intervalMs, nextLookAtMs, nextRuns } from "../lib/cron.ts";

const ownTimeZone = process.env["TZ"];
// Clocks there go from 2:00 to 3:00 on 29 March 2026 at 01:00 UTC, and from 3:00 back to 2:00 on 25 October at 01:00 UTC.
process.env["TZ"] = "Europe/Berlin";
after(() => {
  if (ownTimeZone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = ownTimeZone;
});

/** The next times, in UTC, at some moment. */
function runsAt(now: string, expression: string): readonly string[] {
  mock.timers.enable({ apis: ["Date"], now: Date.parse(now) });
  try {
    return nextRuns(expression).map((ms) => new Date(ms).toISOString().slice(0, 16));
  } finally {
    mock.timers.reset();
  }
}

describe("the next times of a cron expression", () => {
  test("are in the machine's own time", () => {
    assert.deepEqual(runsAt("2026-07-01T00:30:00Z", "0 4 * * *"), ["2026-07-01T02:00", "2026-07-02T02:00"]);
  });

  test("are as frequent as ever while clocks are set forward", () => {
    assert.deepEqual(runsAt("2026-03-29T00:55:00Z", "*/5 * * * *"), ["2026-03-29T01:00", "2026-03-29T01:05"]);
  });

  test("leave out no hour while clocks are set back", () => {
    assert.deepEqual(runsAt("2026-10-25T00:45:00Z", "*/5 * * * *"), ["2026-10-25T00:50", "2026-10-25T00:55"]);
    assert.deepEqual(runsAt("2026-10-25T00:52:00Z", "*/5 * * * *"), ["2026-10-25T00:55", "2026-10-25T01:00"]);
    assert.deepEqual(runsAt("2026-10-25T00:57:00Z", "*/5 * * * *"), ["2026-10-25T01:00", "2026-10-25T01:05"]);
    assert.deepEqual(runsAt("2026-10-24T23:30:00Z", "0 * * * *"), ["2026-10-25T00:00", "2026-10-25T01:00"]);
    assert.deepEqual(runsAt("2026-10-25T00:59:50Z", "*/20 * * * * *"), [
      "2026-10-25T01:00",
      "2026-10-25T01:00",
    ]);
  });

  test("stay as far apart as they are", () => {
    mock.timers.enable({ apis: ["Date"], now: Date.parse("2026-10-25T00:55:00Z") });
    assert.equal(intervalMs("*/5 * * * *"), 5 * 60_000);
    mock.timers.reset();
  });
});

describe("the next look", () => {
  /** In UTC, at some moment after a look; undefined where the scripts do not seem to run. */
  function nextLook(expression: string, lookedAt: string, now: string): string | undefined {
    mock.timers.enable({ apis: ["Date"], now: Date.parse(now) });
    try {
      const ms = nextLookAtMs(expression, Date.parse(lookedAt), Date.parse(now));
      return ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 16);
    } finally {
      mock.timers.reset();
    }
  }

  test("is by the schedule until three of its times have passed without one", () => {
    const look = "2026-07-01T12:00:20Z";
    assert.equal(nextLook("*/5 * * * *", look, "2026-07-01T12:14:59Z"), "2026-07-01T12:15");
    assert.equal(nextLook("*/5 * * * *", look, "2026-07-01T12:15:00Z"), undefined);
    assert.equal(nextLook("*/20 * * * * *", look, "2026-07-01T12:01:19Z"), "2026-07-01T12:01");
    assert.equal(nextLook("*/20 * * * * *", look, "2026-07-01T12:01:20Z"), undefined);
    assert.equal(nextLookAtMs("*/5 * * * *", undefined, Date.now()), undefined);
  });

  test("comes after a night, a weekend, and the longer of two gaps, as the schedule says", () => {
    // From 20:55 to 8:00, summer time.
    assert.equal(
      nextLook("*/5 8-20 * * *", "2026-07-01T18:55:30Z", "2026-07-02T05:59:00Z"),
      "2026-07-02T06:00",
    );
    // From Friday to Monday.
    assert.equal(nextLook("0 * * * 1-5", "2026-07-03T21:00:30Z", "2026-07-05T21:30:00Z"), "2026-07-05T22:00");
    assert.equal(
      nextLook("0 9,10 * * *", "2026-07-01T08:00:30Z", "2026-07-02T06:30:00Z"),
      "2026-07-02T07:00",
    );
    assert.equal(nextLook("0 9,10 * * *", "2026-07-01T08:00:30Z", "2026-07-03T07:00:00Z"), undefined);
    assert.equal(nextLook("0 4 1 * *", "2026-07-01T02:00:30Z", "2026-07-31T00:00:00Z"), "2026-08-01T02:00");
  });
});
