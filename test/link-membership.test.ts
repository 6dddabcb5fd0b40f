/** What the link pages say of roles and rooms: from the record, by the names that people know. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../lib/config/shape.ts";
import { openDatabase } from "../lib/db.ts";
import { membershipFrom } from "../lib/link/membership.ts";
import type { Place } from "../lib/model.ts";
import { needsKey, needsOf } from "../lib/snapshot/needs.ts";
import { placeIdIn } from "../lib/store/columns.ts";
import { addLink } from "../lib/store/links.ts";
import { saveGrant } from "../lib/store/ownership.ts";
import { savePlaceApplied } from "../lib/store/places.ts";
import { saveSnapshot } from "../lib/store/snapshot.ts";
import { temporaryFolder } from "./harness.ts";
import { ana, anasMxid } from "./link-site.ts";

const nowMs = Date.UTC(2026, 10, 23, 12);
const minuteMs = 60_000;
const lounge = placeIdIn({ place_id: "!lounge:hs.org" });

const room = (id: string, options: Partial<Place> = {}): Place => ({
  target: "matrix",
  id,
  rules: [{ kind: "subscription", freeTrial: true }],
  onExpiry: "revoke",
  graceDays: 0,
  strangers: "keep",
  adopt: true,
  ...options,
});
const places = [
  room("#lounge:hs.org"),
  room("!new:hs.org"),
  room("!rich:hs.org", { rules: [{ kind: "spending", minCents: 100 }] }),
  room("!along:hs.org", { onlyOnJoin: true }),
];
const config = {
  discord: undefined,
  matrix: { homeserver: "", userId: anasMxid, accessToken: "", places },
  schedule: { sync: "*/5 * * * *", healthPort: undefined },
} satisfies Pick<Config, "discord" | "matrix" | "schedule">;

test("a membership tells what was given, what is to come, and when the next check is", async (t) => {
  const database = openDatabase(temporaryFolder(t));
  const membershipOf = membershipFrom(config, { database, now: () => nowMs });
  await database.write((sql) => {
    addLink(sql, { fan: ana.fan, platform: "matrix", account: anasMxid, source: "proved" }, nowMs);
    saveSnapshot(sql, {
      endedAtMs: nowMs - minuteMs,
      needsKey: needsKey(needsOf(places)),
      subscribers: new Map([
        [
          ana.fan,
          {
            handle: ana.handle,
            displayName: ana.displayName,
            isTopSpender: false,
            status: "active",
            periodEndsAtMs: undefined,
            isFree: false,
          },
        ],
      ]),
      followers: undefined,
      lists: new Map(),
    });
    const applied = {
      configuredId: "#lounge:hs.org",
      placeId: lounge,
      name: "The Lounge",
      rulesHash: "x",
      strangersWait: false,
    };
    savePlaceApplied(sql, "matrix", applied, nowMs);
    const seat = { target: "matrix", placeId: lounge, account: anasMxid } as const;
    saveGrant(sql, seat, { origin: "granted", fans: [ana.fan], basis: [] }, nowMs);
  });

  const { places: told, lookedAtMs, nextLookAtMs } = await membershipOf("matrix", anasMxid);
  assert.deepEqual(told, [
    { name: "The Lounge", status: { is: "has it", untilMs: undefined } },
    { name: "for subscribers", status: { is: "comes with the next sync" } },
    { name: "for generous fans", status: { is: "unknown", has: false } },
  ]);
  assert.equal(lookedAtMs, nowMs - minuteMs);
  assert.ok(nextLookAtMs !== undefined);
});

test("without a snapshot nothing is claimed", async (t) => {
  const database = openDatabase(temporaryFolder(t));
  const membership = await membershipFrom(config, { database, now: () => nowMs })("matrix", anasMxid);
  assert.deepEqual(new Set(membership.places.map(({ status }) => status.is)), new Set(["unknown"]));
  assert.deepEqual([membership.lookedAtMs, membership.nextLookAtMs], [undefined, undefined]);
});
