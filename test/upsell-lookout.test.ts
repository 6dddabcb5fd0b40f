/** When the upsell listener looks again, and what it tells of a look that failed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import pino from "pino";
import { BusyError, PlatformError } from "../lib/errors.ts";
import type { Reason } from "../lib/model.ts";
import type { Bell } from "../lib/upsell/bell.ts";
import { createLookout, keepLooking } from "../lib/upsell/lookout.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const passing: Reason = { because: "Discord is overloaded.", remedy: "Wait.", isPassing: true };
const lasting: Reason = { because: "Discord refuses.", remedy: "Mend it." };

/** Looks so often, each time with what the next entry gives or throws; gives the pauses, and what was told. */
async function lookFor(outcomes: readonly (readonly Reason[] | Error)[]) {
  const told: string[] = [];
  const write = (line: string) => void told.push(String((JSON.parse(line) as { msg?: unknown }).msg));
  const end = new AbortController();
  const pausesMs: number[] = [];
  const bell: Bell = {
    ring: () => undefined,
    rest(pauseMs) {
      pausesMs.push(pauseMs);
      if (pausesMs.length === outcomes.length) end.abort();
      return Promise.resolve();
    },
  };
  const look = () => {
    const outcome = outcomes[pausesMs.length] ?? [];
    return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
  };
  const lookout = createLookout(look, pino({ level: "info" }, { write }));
  await keepLooking(lookout, { bell, onLooked: () => undefined, signal: end.signal });
  return { pausesMs, told };
}

describe("a lookout", () => {
  it("looks again after a minute only where the trouble may pass by itself", async () => {
    const { pausesMs } = await lookFor([[], [passing], [lasting], [passing, lasting], []]);
    assert.deepEqual(pausesMs, [hourMs, minuteMs, hourMs, hourMs, hourMs]);
  });

  it("tells of a trouble once while it lasts, and anew when it comes back", async () => {
    const { told } = await lookFor([[lasting], [lasting], [passing], [passing], [], [passing]]);
    assert.deepEqual(told, [
      "Discord refuses. Mend it.",
      "Discord is overloaded. Wait.",
      "Discord is overloaded. Wait.",
    ]);
  });

  it("takes a database in use for a trouble that passes, and ends where Discord refuses the bot", async () => {
    const { pausesMs, told } = await lookFor([new BusyError("The database is in use.", "Wait.")]);
    assert.deepEqual([pausesMs, told], [[minuteMs], ["The database is in use. Wait."]]);
    await assert.rejects(
      lookFor([new PlatformError("The token is refused.", "Copy it anew.")]),
      PlatformError,
    );
  });
});
