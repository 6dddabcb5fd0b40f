/** Sizes of sources that were accepted, and fans whom Fanvue stopped knowing. */
import type { Sql } from "../db.ts";
import type { FanId, TargetName } from "../ids.ts";
import type { SourceSize } from "../facts.ts";
import { fanIn, integer, text } from "./columns.ts";

/** The sizes that were last accepted for a target, by the name of the source. */
export function loadSourceSizes(sql: Sql, target: TargetName): ReadonlyMap<string, number> {
  const rows = sql.all("SELECT source, size FROM source_sizes WHERE target = ?", [target]);
  return new Map(rows.map((row) => [text(row, "source"), integer(row, "size")]));
}

export function acceptSourceSizes(
  sql: Sql,
  target: TargetName,
  sizes: readonly SourceSize[],
  nowMs: number,
): void {
  for (const { source, size } of sizes) {
    sql.run(
      "INSERT OR REPLACE INTO source_sizes (target, source, size, accepted_at_ms) VALUES (?, ?, ?, ?)",
      [target, source, size, nowMs],
    );
  }
}

/** Since when (ms) whole snapshots have found each fan unreadable. */
export function loadUnreadableFans(sql: Sql): ReadonlyMap<FanId, number> {
  const rows = sql.all("SELECT fan, since_ms FROM unreadable_fans");
  return new Map(rows.map((row) => [fanIn(row), integer(row, "since_ms")]));
}

/** Notes whom a whole snapshot could not read (since the first time) and whom it could; about others nothing changes. */
export function saveUnreadableFans(
  sql: Sql,
  unreadable: Iterable<FanId>,
  readable: Iterable<FanId>,
  nowMs: number,
): void {
  for (const fan of unreadable) {
    sql.run("INSERT INTO unreadable_fans (fan, since_ms) VALUES (?, ?) ON CONFLICT (fan) DO NOTHING", [
      fan,
      nowMs,
    ]);
  }
  for (const fan of readable) sql.run("DELETE FROM unreadable_fans WHERE fan = ?", [fan]);
}
