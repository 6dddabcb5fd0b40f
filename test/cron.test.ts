/** When cron expressions are due, on the days when clocks are set forward and back, too. */
import assert from "node:assert/strict";
import { after, describe, mock, test } from "node:test";
import { intervalMs, nextRuns } from "../lib/cron.ts";

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
