/** What is ours: the grants on record, and how they begin and end. */
import type { Row, Sql } from "../db.ts";
import type { Account, FanId, PlaceId, TargetName } from "../ids.ts";
import { isOurs, type Grant } from "../model.ts";
import { accountIn, asFlag, fansIn, flag, integer, placeIdIn, text, textsIn, union } from "./columns.ts";

/** An account in a place. */
export interface Seat {
  readonly target: TargetName;
  readonly placeId: PlaceId;
  readonly account: Account;
}

const seatOf = (seat: Seat): readonly [TargetName, PlaceId, Account] => [
  seat.target,
  seat.placeId,
  seat.account,
];

export function grantIn(row: Row): Grant {
  return {
    placeId: placeIdIn(row),
    account: accountIn(row),
    fans: fansIn(row),
    origin: originOf(text(row, "origin")),
    basis: textsIn(row, "basis"),
    sinceMs: integer(row, "since_ms"),
    settled: flag(row, "settled"),
  };
}

function loadGrant(sql: Sql, seat: Seat): Grant | undefined {
  const row = sql.get("SELECT * FROM grants WHERE target = ? AND place_id = ? AND account = ?", seatOf(seat));
  return row && grantIn(row);
}

const originOf = (word: string): Grant["origin"] =>
  word === "granted" || word === "adopted" ? word : "found";

/** A grant that is about to be given: ours from now on, but unsettled until its outcome. One on record stays as it is. */
export function expectGrant(
  sql: Sql,
  seat: Seat,
  grant: { readonly fans: readonly FanId[]; readonly basis: readonly string[]; readonly runId: number },
  nowMs: number,
): void {
  // An unsettled one was planned by a run that could not tell how it went. It is planned again, so it was read to be
  // missing, and from here on the outcome in this run decides.
  sql.run(
    `INSERT INTO grants (target, place_id, account, fans, origin, basis, since_ms, settled, run_id)
     VALUES (?, ?, ?, ?, 'granted', ?, ?, 0, ?)
     ON CONFLICT (target, place_id, account) DO UPDATE SET run_id = excluded.run_id WHERE settled = 0`,
    [...seatOf(seat), JSON.stringify(grant.fans), JSON.stringify(grant.basis), nowMs, grant.runId],
  );
}

/** A grant that was given, or adopted from who held the place before: ours and settled. Older facts are kept. */
export function saveGrant(
  sql: Sql,
  seat: Seat,
  grant: {
    readonly origin: Grant["origin"];
    readonly fans: readonly FanId[];
    readonly basis: readonly string[];
  },
  nowMs: number,
): void {
  const known = loadGrant(sql, seat);
  sql.run(
    `INSERT OR REPLACE INTO grants (target, place_id, account, fans, origin, basis, since_ms, settled, run_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, 1, NULL)`,
    [
      ...seatOf(seat),
      JSON.stringify(grant.fans),
      isOurs(known) ? known.origin : grant.origin,
      JSON.stringify(union(known?.basis ?? [], grant.basis)),
      // What was only found becomes ours now: the brakes must not take it for an old member of ours.
      isOurs(known) || grant.origin === "found" ? (known?.sinceMs ?? nowMs) : nowMs,
    ],
  );
}

/** What somebody has of us without a step of ours, since `sinceMs`: unsettled, for it is only there to be taken back. */
export function saveBehind(sql: Sql, target: TargetName, { placeId, account, fans, sinceMs }: Grant): void {
  sql.run(
    `INSERT OR IGNORE INTO grants (target, place_id, account, fans, origin, basis, since_ms, settled, run_id)
     VALUES (?, ?, ?, ?, 'granted', '[]', ?, 0, NULL)`,
    [target, placeId, account, JSON.stringify(fans), sinceMs],
  );
}

/** Adds rules that justify a grant on record. */
export function addBasis(sql: Sql, seat: Seat, basis: readonly string[]): void {
  const known = loadGrant(sql, seat);
  if (known === undefined) return;
  sql.run("UPDATE grants SET basis = ? WHERE target = ? AND place_id = ? AND account = ?", [
    JSON.stringify(union(known.basis, basis)),
    ...seatOf(seat),
  ]);
}

/** A planned grant that was not given after all; one that was on record before the run stays. */
export function dropExpectedGrant(sql: Sql, seat: Seat, runId: number): void {
  sql.run(
    "DELETE FROM grants WHERE target = ? AND place_id = ? AND account = ? AND settled = 0 AND run_id = ?",
    [...seatOf(seat), runId],
  );
}

/**
 * Somebody no longer is in a place: taken out by us, or seen to be gone. Ends the grant on record and notes the loss.
 * `counted`: the brakes count it, which they do for removals that nobody asked for or approved.
 */
export function saveLoss(
  sql: Sql,
  seat: Seat,
  loss: { readonly how: "revoke" | "evict" | "gone"; readonly counted: boolean },
  nowMs: number,
): void {
  const known = loadGrant(sql, seat);
  if (known === undefined && loss.how === "gone") return;
  sql.run(
    "INSERT INTO losses (target, place_id, account, how, since_ms, at_ms, counted) VALUES (?, ?, ?, ?, ?, ?, ?)",
    [...seatOf(seat), loss.how, isOurs(known) ? known.sinceMs : null, nowMs, asFlag(loss.counted)],
  );
  for (const table of ["grants", "lapses"]) {
    sql.run(`DELETE FROM ${table} WHERE target = ? AND place_id = ? AND account = ?`, seatOf(seat));
  }
}

/** The places of a target in which an account has a grant on record. */
export function placesOf(sql: Sql, target: TargetName, account: Account): readonly PlaceId[] {
  return sql
    .all("SELECT place_id FROM grants WHERE target = ? AND account = ? ORDER BY place_id", [target, account])
    .map(placeIdIn);
}
