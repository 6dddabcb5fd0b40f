/** Removals that wait for approval, as they were shown, under their hash. */
import { z } from "zod";
import { dayMs } from "../durations.ts";
import type { Row, Sql } from "../db.ts";
import type { Account, PlaceId, TargetName } from "../ids.ts";
import type { Accepts, StepIdentity } from "../model/brakes.ts";
import { integer, text } from "./columns.ts";

/** What an approval needs to know. */
export interface HeldSet {
  readonly hash: string;
  readonly steps: readonly StepIdentity[];
  readonly accepts: Accepts;
}
export interface StoredHeld extends HeldSet {
  /** When it was last the outcome of a run. */
  readonly atMs: number;
}

/** An approval of what was shown longer ago is none. */
const keptMs = 30 * dayMs;

const isText = (value: unknown): boolean => typeof value === "string";

/** Earlier versions stored whole steps: what is not asked for here is passed over. */
const heldShape = z.object({
  steps: z.array(
    z.object({
      verb: z.enum(["grant", "revoke", "evict"]),
      placeId: z.custom<PlaceId>(isText),
      account: z.custom<Account>(isText),
    }),
  ),
});

const acceptsShape: z.ZodType<Accepts> = z.object({
  rules: z.array(
    z.object({ configuredId: z.string(), placeId: z.custom<PlaceId>(isText), hash: z.string() }),
  ),
  sizes: z.array(z.object({ source: z.string(), size: z.int() })),
});

/** Stores a set as the target's current one. Earlier ones can still be approved for 30 days. */
export function saveHeld(
  sql: Sql,
  target: TargetName,
  { hash, steps, accepts }: HeldSet,
  nowMs: number,
): void {
  sql.run("DELETE FROM held_sets WHERE target = ? AND at_ms < ?", [target, nowMs - keptMs]);
  sql.run("INSERT OR REPLACE INTO held_sets (target, hash, held, accepts, at_ms) VALUES (?, ?, ?, ?, ?)", [
    target,
    hash,
    JSON.stringify({ steps: steps.map(({ verb, placeId, account }) => ({ verb, placeId, account })) }),
    JSON.stringify(accepts),
    nowMs,
  ]);
}

/** The set that was shown under a hash; undefined where there is none. */
export function loadHeld(sql: Sql, target: TargetName, hash: string): StoredHeld | undefined {
  const row = sql.get("SELECT * FROM held_sets WHERE target = ? AND hash = ?", [target, hash]);
  return row && storedHeld(row);
}

/** What waits on a target, as far as its runs have seen; undefined where that is nothing. */
export function loadCurrentHeld(sql: Sql, target: TargetName): StoredHeld | undefined {
  const row = sql.get("SELECT * FROM held_sets WHERE target = ? ORDER BY id DESC LIMIT 1", [target]);
  return row && storedHeld(row);
}

/** Nothing is held any more: forgets all sets of a target. */
export function clearHeld(sql: Sql, target: TargetName): void {
  sql.run("DELETE FROM held_sets WHERE target = ?", [target]);
}

const storedHeld = (row: Row): StoredHeld => ({
  hash: text(row, "hash"),
  steps: heldShape.parse(JSON.parse(text(row, "held"))).steps,
  accepts: acceptsShape.parse(JSON.parse(text(row, "accepts"))),
  atMs: integer(row, "at_ms"),
});
