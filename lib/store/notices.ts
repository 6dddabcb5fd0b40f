/** What needs the owner, while it lasts, and when they were told of it. */
import type { Sql } from "../db.ts";
import { integer, optionalInteger, text } from "./columns.ts";

export interface StoredNotice {
  /** Equal for the same trouble, run after run. */
  readonly key: string;
  /** Whose runs can tell that it is over. */
  readonly scope: string;
  readonly sinceMs: number;
  /** Undefined: not told yet. */
  readonly toldAtMs: number | undefined;
}

export const loadNotices = (sql: Sql): readonly StoredNotice[] =>
  sql.all("SELECT * FROM notices ORDER BY key").map((row) => ({
    key: text(row, "key"),
    scope: text(row, "scope"),
    sinceMs: integer(row, "since_ms"),
    toldAtMs: optionalInteger(row, "told_at_ms"),
  }));

/** Notices that end, by their keys, and those that stand, as they are now; others stay as they were. */
export interface NoticeChanges {
  readonly over: readonly string[];
  readonly standing: readonly StoredNotice[];
}

export function saveNotices(sql: Sql, { over, standing }: NoticeChanges): void {
  for (const key of over) sql.run("DELETE FROM notices WHERE key = ?", [key]);
  for (const { key, scope, sinceMs, toldAtMs } of standing)
    sql.run("INSERT OR REPLACE INTO notices (key, scope, since_ms, told_at_ms) VALUES (?, ?, ?, ?)", [
      key,
      scope,
      sinceMs,
      toldAtMs ?? null,
    ]);
}
