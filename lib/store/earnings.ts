/** The ledger of earnings, oldest first. What is to be appended is decided in lib/ledger.ts. */
import type { Row, Sql } from "../db.ts";
import type { EarningsRow } from "../facts.ts";
import type { FanId } from "../ids.ts";
import { integer, optionalContentIn, optionalFanIn, optionalText, text } from "./columns.ts";

export function loadEarnings(sql: Sql): readonly EarningsRow[] {
  return sql.all("SELECT * FROM earnings ORDER BY date_ms, id").map(earningsRow);
}

/** The rows of some fans, and the reversals that name no fan: they may take back a purchase of theirs by its order. */
export function loadEarningsOf(sql: Sql, fans: readonly FanId[]): readonly EarningsRow[] {
  return sql
    .all(
      `SELECT * FROM earnings WHERE fan IN (SELECT value FROM json_each(?)) OR (fan IS NULL AND kind = 'reversal')
       ORDER BY date_ms, id`,
      [JSON.stringify(fans)],
    )
    .map(earningsRow);
}

export function countEarnings(sql: Sql): number {
  const row = sql.get("SELECT count(*) AS rows FROM earnings");
  return row === undefined ? 0 : integer(row, "rows");
}

/** Rows with fromMs ≤ date < toMs. */
export function loadEarningsBetween(sql: Sql, fromMs: number, toMs: number): readonly EarningsRow[] {
  return sql
    .all("SELECT * FROM earnings WHERE date_ms >= ? AND date_ms < ? ORDER BY date_ms, id", [fromMs, toMs])
    .map(earningsRow);
}

export function appendEarnings(sql: Sql, rows: Iterable<EarningsRow>): void {
  for (const row of rows) {
    sql.run(
      `INSERT INTO earnings (source, kind, date_ms, fan, order_id, reverses_order_id, post_id, message_id, gross_cents,
       net_cents) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        row.source,
        row.kind,
        row.dateMs,
        row.fan ?? null,
        row.orderId ?? null,
        row.reversesOrderId ?? null,
        row.postId ?? null,
        row.messageId ?? null,
        row.grossCents,
        row.netCents,
      ],
    );
  }
}

function earningsRow(row: Row): EarningsRow {
  return {
    source: text(row, "source"),
    kind: kindOf(text(row, "kind")),
    dateMs: integer(row, "date_ms"),
    fan: optionalFanIn(row),
    orderId: optionalText(row, "order_id"),
    reversesOrderId: optionalText(row, "reverses_order_id"),
    postId: optionalContentIn(row, "post_id"),
    messageId: optionalContentIn(row, "message_id"),
    grossCents: integer(row, "gross_cents"),
    netCents: integer(row, "net_cents"),
  };
}

const kindOf = (word: string): EarningsRow["kind"] =>
  word === "purchase" || word === "reversal" ? word : "other";
