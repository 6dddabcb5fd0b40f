/** Removals that wait for approval, as they were shown, under their hash. */
import { z } from "zod";
import { dayMs } from "../durations.ts";
import type { Row, Sql } from "../db.ts";
import type { Account, ContentId, FanId, ListId, PlaceId, TargetName } from "../ids.ts";
import type { Accepts, Held, Place, Rule, Step } from "../model.ts";
import { integer, targets, text } from "./columns.ts";

export interface StoredHeld {
  readonly held: Held;
  readonly accepts: Accepts;
  /** When it was last the outcome of a run. */
  readonly atMs: number;
}

/** An approval of what was shown longer ago is none. */
const keptMs = 30 * dayMs;

const isText = (value: unknown): boolean => typeof value === "string";

const rule: z.ZodType<Rule> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("subscription"), freeTrial: z.boolean() }),
  z.object({ kind: z.literal("spending"), minCents: z.int() }),
  z.object({ kind: z.literal("top_spender") }),
  z.object({ kind: z.literal("unlock"), contentId: z.custom<ContentId>(isText) }),
  z.object({
    kind: z.literal("fanvue_list"),
    list: z.object({ type: z.enum(["custom", "smart"]), id: z.custom<ListId>(isText) }),
  }),
]);

const place: z.ZodType<Place> = z.object({
  target: targets,
  id: z.string(),
  rules: z.array(rule),
  onExpiry: z.enum(["revoke", "evict", "keep"]),
  graceDays: z.number(),
  strangers: z.enum(["keep", "remove"]),
  adopt: z.boolean(),
  cascade: z.literal(true).exactOptional(),
  knock: z.literal("decline").exactOptional(),
});

const step: z.ZodType<Step> = z.object({
  verb: z.enum(["grant", "revoke", "evict"]),
  place,
  placeId: z.custom<PlaceId>(isText),
  account: z.custom<Account>(isText),
  fans: z.array(z.custom<FanId>(isText)),
  because: z.string(),
  basis: z.array(z.string()),
  hold: z.string().exactOptional(),
  requested: z.boolean().exactOptional(),
  isSpace: z.literal(true).exactOptional(),
  within: z.object({ roomName: z.string(), unless: z.array(place), isPlace: z.boolean() }).exactOptional(),
  declines: z.literal(true).exactOptional(),
});

const heldSet: z.ZodType<Held> = z.object({
  hash: z.string(),
  steps: z.array(step),
  reasons: z.array(z.string()),
});

const accepts: z.ZodType<Accepts> = z.object({
  rules: z.array(
    z.object({ configuredId: z.string(), placeId: z.custom<PlaceId>(isText), hash: z.string() }),
  ),
  sizes: z.array(z.object({ source: z.string(), size: z.int() })),
});

/** Stores what a run holds as the target's current set. Earlier ones can still be approved for 30 days. */
export function saveHeld(sql: Sql, target: TargetName, held: Held, accepted: Accepts, nowMs: number): void {
  sql.run("DELETE FROM held_sets WHERE target = ? AND at_ms < ?", [target, nowMs - keptMs]);
  sql.run("INSERT OR REPLACE INTO held_sets (target, hash, held, accepts, at_ms) VALUES (?, ?, ?, ?, ?)", [
    target,
    held.hash,
    JSON.stringify(held),
    JSON.stringify(accepted),
    nowMs,
  ]);
}

/** The set that was shown under a hash; undefined where there is none. */
export function loadHeld(sql: Sql, target: TargetName, hash: string): StoredHeld | undefined {
  const row = sql.get("SELECT * FROM held_sets WHERE target = ? AND hash = ?", [target, hash]);
  return row && storedHeld(row);
}

/** What the target's last run held; undefined where that was nothing. */
export function loadCurrentHeld(sql: Sql, target: TargetName): StoredHeld | undefined {
  const row = sql.get("SELECT * FROM held_sets WHERE target = ? ORDER BY id DESC LIMIT 1", [target]);
  return row && storedHeld(row);
}

/** Nothing is held any more: forgets all sets of a target. */
export function clearHeld(sql: Sql, target: TargetName): void {
  sql.run("DELETE FROM held_sets WHERE target = ?", [target]);
}

const storedHeld = (row: Row): StoredHeld => ({
  held: heldSet.parse(JSON.parse(text(row, "held"))),
  accepts: accepts.parse(JSON.parse(text(row, "accepts"))),
  atMs: integer(row, "at_ms"),
});
