/** Codes that were sent to prove an account, by what they hash to. The codes themselves are nowhere. */
import type { Row, Sql } from "../db.ts";
import type { FanId, Mxid } from "../ids.ts";
import { integer, optionalFanIn, optionalInteger, optionalText, text } from "./columns.ts";

/** Where a code went: to the Fanvue inbox of `fan`, or to the Matrix account that `fan` says is theirs. */
export type CodeKind = "fanvue" | "matrix";

export interface NewCode {
  readonly id: string;
  readonly kind: CodeKind;
  /** Undefined: nobody has the handle that was typed, and the code went nowhere. */
  readonly fan: FanId | undefined;
  readonly account: Mxid | undefined;
  readonly hash: string;
  readonly triesLeft: number;
  readonly expiresAtMs: number;
}
export interface StoredCode extends NewCode {
  readonly usedAtMs: number | undefined;
}

/** Keeps a code until it is pruned. */
export function saveCode(sql: Sql, code: NewCode, nowMs: number): void {
  sql.run(
    `INSERT INTO link_codes (id, kind, fan, account, hash, tries_left, created_at_ms, expires_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      code.id,
      code.kind,
      code.fan ?? null,
      code.account ?? null,
      code.hash,
      code.triesLeft,
      nowMs,
      code.expiresAtMs,
    ],
  );
}

/** A code of this kind; undefined where there is none (any more). */
export function loadCode(sql: Sql, kind: CodeKind, id: string): StoredCode | undefined {
  const row = sql.get("SELECT * FROM link_codes WHERE kind = ? AND id = ?", [kind, id]);
  return row && codeIn(row, kind);
}

const codeIn = (row: Row, kind: CodeKind): StoredCode => ({
  id: text(row, "id"),
  kind,
  fan: optionalFanIn(row),
  account: optionalText(row, "account") as Mxid | undefined,
  hash: text(row, "hash"),
  triesLeft: integer(row, "tries_left"),
  expiresAtMs: integer(row, "expires_at_ms"),
  usedAtMs: optionalInteger(row, "used_at_ms"),
});

/** How many codes of a kind were sent since then: in all, to one fan (or asked for by them), or to one account. */
export function countCodesSince(sql: Sql, kind: CodeKind, sinceMs: number, of?: FanId | Mxid): number {
  const row = sql.get(
    `SELECT count(*) AS codes FROM link_codes WHERE kind = ?1 AND created_at_ms > ?2 AND fan IS NOT NULL
     AND (?3 IS NULL OR fan = ?3 OR account = ?3)`,
    [kind, sinceMs, of ?? null],
  );
  return row === undefined ? 0 : integer(row, "codes");
}

/** Takes one try from a code; to be done before what was typed is compared. */
export function takeTry(sql: Sql, id: string): void {
  sql.run("UPDATE link_codes SET tries_left = tries_left - 1 WHERE id = ?", [id]);
}

/** Notes that a code was right: it is of no use any more. */
export function useCode(sql: Sql, id: string, nowMs: number): void {
  sql.run("UPDATE link_codes SET used_at_ms = ? WHERE id = ?", [nowMs, id]);
}

/** Ends the codes of a kind that a fan asked for and that could still be used. */
export function voidCodes(sql: Sql, kind: CodeKind, fan: FanId, nowMs: number): void {
  sql.run(
    "UPDATE link_codes SET expires_at_ms = ?1 WHERE kind = ?2 AND fan = ?3 AND expires_at_ms > ?1 AND used_at_ms IS NULL",
    [nowMs, kind, fan],
  );
}

/** Makes a code nobody's: it counts for no limit any more, and nothing that is typed matches it. */
export function disownCode(sql: Sql, id: string): void {
  sql.run("UPDATE link_codes SET fan = NULL WHERE id = ?", [id]);
}

/** Forgets codes made before then; what went nowhere counts for no limit and goes as soon as it has expired. */
export function pruneCodes(sql: Sql, beforeMs: number, nowMs: number): void {
  sql.run("DELETE FROM link_codes WHERE created_at_ms <= ? OR fan IS NULL AND expires_at_ms <= ?", [
    beforeMs,
    nowMs,
  ]);
}
