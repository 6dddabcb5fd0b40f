/** One fault on cue, one run, and who lost what by it. */
import assert from "node:assert/strict";

import type { Platform } from "../../lib/ids.ts";
import { kinds, type Peopled } from "../installation.ts";
import { syncInProcess, type Ending } from "../in-process.ts";
import type { Generation } from "../sandbox/fanvue-pages.ts";
import { hanging, type Endpoint, type FaultName } from "./cases.ts";

export const platforms: readonly Platform[] = ["discord", "matrix"];

/** What all trials of this process came to. */
export const tally = { tried: 0, removed: 0 };

/** Every access that somebody has, in words. */
export const seatsOf = (home: Peopled): ReadonlySet<string> =>
  new Set(
    kinds.flatMap((kind) => [
      ...home.holders(kind).map((name) => `${name} has the role ${kind}`),
      ...home.guests(kind).map((name) => `${name} is in the room ${kind}`),
    ]),
  );

/** Counts a trial, and fails it when somebody lost an access that they had before. */
export function trial<T>(home: Peopled, what: string, run: () => Promise<T>): Promise<T> {
  assert.ok(seatsOf(home).size >= 2 * kinds.length, "there is somebody in every place who could lose it");
  return watch(() => seatsOf(home), what, run);
}

/** The same over any accesses. */
export async function watch<T>(
  seats: () => ReadonlySet<string>,
  what: string,
  run: () => Promise<T>,
): Promise<T> {
  const before = seats();
  const result = await run();
  const now = seats();
  const lost = [...before].filter((seat) => !now.has(seat));
  tally.tried += 1;
  if (lost.length > 0) tally.removed += 1;
  assert.deepEqual(lost, [], what);
  return result;
}

const shortPatienceMs = 150;

/** A run that knows the API already, as every run but the first does, unless the endpoint says otherwise. */
export function syncThrough(
  home: Peopled,
  platform: Platform,
  about: { readonly endpoint: Endpoint; readonly fault?: FaultName; readonly generation: Generation },
): Promise<Ending> {
  const { endpoint, fault, generation } = about;
  const memory = endpoint.memory ?? { api_prefix: generation === "v1" ? "/v1" : "none" };
  return syncInProcess(home, platform, {
    memory: new Map(Object.entries(memory)),
    ...(fault === hanging ? { timeoutMs: shortPatienceMs } : {}),
  });
}

/** In a report, or in what is told instead of one: which of Fanvue's answers it was that could not be read. */
export function assertToldWhy({ code, text }: Ending, what: string): void {
  assert.equal(code, 5, `${what}\n${text}`);
  assert.match(
    text,
    /could not be read: |cannot be read: |cannot be reached |refuses the stored authorization/,
    what,
  );
  assertDiscreet(text, what);
}

/** No stack and no secret. */
export function assertDiscreet(text: string, what: string): void {
  assert.doesNotMatch(
    text,
    /^\s+at .+:\d+|Bearer|sandbox-app-secret|sandbox-bot-token|sandbox-matrix-token/m,
    what,
  );
}
