/** What is on record of one account in all places of a platform, for answers to its owner. */
import type { Row, Sql } from "../db.ts";
import type { Account, PlaceId, TargetName } from "../ids.ts";
import type { Departure, Grant } from "../model.ts";
import { integer, placeIdIn, text } from "./columns.ts";
import { grantIn } from "./ownership.ts";

/** One account in one place. */
export interface AccountInPlace {
  readonly origin: Grant["origin"] | undefined;
  /** Who left, or was taken out by a person, is let in again only once the entitlement has begun anew. */
  readonly departure: Departure["how"] | undefined;
  /** Since when the account is not entitled. */
  readonly lapsedSinceMs: number | undefined;
  /** The platform refused, and is asked again then. */
  readonly nextTryAtMs: number | undefined;
}

const nothing: AccountInPlace = {
  origin: undefined,
  departure: undefined,
  lapsedSinceMs: undefined,
  nextTryAtMs: undefined,
};

/** By place; a place that is missing has nothing on record. */
export function loadAccountInPlaces(
  sql: Sql,
  target: TargetName,
  account: Account,
): ReadonlyMap<PlaceId, AccountInPlace> {
  const found = new Map<PlaceId, AccountInPlace>();
  const gather = (table: string, where: string, read: (row: Row) => Partial<AccountInPlace>) => {
    for (const row of sql.all(`SELECT * FROM ${table} WHERE target = ? AND account = ? ${where}`, [
      target,
      account,
    ])) {
      const placeId = placeIdIn(row);
      found.set(placeId, { ...nothing, ...found.get(placeId), ...read(row) });
    }
  };
  gather("grants", "", (row) => ({ origin: grantIn(row).origin }));
  gather("departures", "AND ended_at_ms IS NULL", (row) => ({
    departure: text(row, "how") === "removed" ? "removed" : "left",
  }));
  gather("lapses", "", (row) => ({ lapsedSinceMs: integer(row, "since_ms") }));
  gather("refusals", "", (row) => ({ nextTryAtMs: integer(row, "next_try_at_ms") }));
  return found;
}

/**
 * Lets an account that left places by choice in again, since its owner asks for it. What a person took away stays taken.
 */
export function endLeavings(sql: Sql, target: TargetName, account: Account, nowMs: number): void {
  sql.run(
    `UPDATE departures SET ended_at_ms = ? WHERE target = ? AND account = ? AND how = 'left' AND ended_at_ms IS NULL`,
    [nowMs, target, account],
  );
}
