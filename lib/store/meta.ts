/** Single facts that outlive a run, by name. */
import type { Sql } from "../db.ts";
import { text } from "./columns.ts";

/** The value kept under a key; undefined where there is none. */
export function loadMeta(sql: Sql, key: string): string | undefined {
  const row = sql.get("SELECT value FROM meta WHERE key = ?", [key]);
  return row === undefined ? undefined : text(row, "value");
}

/** Keeps a value under a key; undefined forgets it. */
export function saveMeta(sql: Sql, key: string, value: string | undefined): void {
  if (value === undefined) sql.run("DELETE FROM meta WHERE key = ?", [key]);
  else {
    sql.run("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [
      key,
      value,
    ]);
  }
}
