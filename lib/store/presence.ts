/** Who is on a target's server, who went from it, and how. */
import type { Sql } from "../db.ts";
import type { Account, TargetName } from "../ids.ts";
import { kicksKnownTo, type Presence } from "../model.ts";
import { accountIn, integer, text } from "./columns.ts";

/**
 * The accounts that were ever seen on a target's server and were not thrown out of it by us since. Whoever may have been
 * thrown out, by a step whose effect is not known, is none of them: that they are gone may be our doing.
 */
export function loadArrivals(sql: Sql, target: TargetName): ReadonlySet<Account> {
  const rows = sql.all(
    `SELECT account FROM arrivals WHERE target = ?1 AND account NOT IN (
       SELECT account FROM steps WHERE target = ?1 AND (state = 'planned' OR unsure = 1) AND verb = 'evict')`,
    [target],
  );
  return new Set(rows.map(accountIn));
}

/** Somebody is on a target's server: should they be gone later, it was not for want of a way in. */
export function saveArrival(sql: Sql, target: TargetName, account: Account, nowMs: number): void {
  sql.run("INSERT OR IGNORE INTO arrivals (target, account, first_seen_ms) VALUES (?, ?, ?)", [
    target,
    account,
    nowMs,
  ]);
}

/** Forgets that somebody was there: they are gone by our doing, or ask to be let in again. */
export function dropArrival(sql: Sql, target: TargetName, account: Account): void {
  sql.run("DELETE FROM arrivals WHERE target = ? AND account = ?", [target, account]);
}

/** What was last seen of each account, or learned of how it went. */
export function loadPresences(sql: Sql, target: TargetName): ReadonlyMap<Account, Presence> {
  const rows = sql.all("SELECT * FROM presences WHERE target = ?", [target]);
  return new Map(
    rows.map((row) => {
      const is = text(row, "state");
      const kicksKnownToMs = integer(row, "kicks_known_to_ms");
      return [accountIn(row), { is: is === "there" || is === "kicked" ? is : "gone", kicksKnownToMs }];
    }),
  );
}

/** What is known of kicks is never known less. */
export function savePresence(
  sql: Sql,
  target: TargetName,
  account: Account,
  { is, kicksKnownToMs }: Presence,
): void {
  sql.run(
    `INSERT INTO presences (target, account, state, kicks_known_to_ms) VALUES (?, ?, ?, ?)
     ON CONFLICT (target, account) DO UPDATE SET state = excluded.state,
       kicks_known_to_ms = max(kicks_known_to_ms, excluded.kicks_known_to_ms)`,
    [target, account, is, kicksKnownToMs],
  );
}

/** Somebody was brought in, and may be gone again before any run looks. */
export function saveEntry(sql: Sql, target: TargetName, account: Account, nowMs: number): void {
  saveArrival(sql, target, account, nowMs);
  savePresence(sql, target, account, { is: "there", kicksKnownToMs: kicksKnownTo(nowMs) });
}

/** Somebody was thrown out by us, which no person is asked for. */
export function saveEviction(sql: Sql, target: TargetName, account: Account, nowMs: number): void {
  dropArrival(sql, target, account);
  savePresence(sql, target, account, { is: "gone", kicksKnownToMs: kicksKnownTo(nowMs) });
}

/** That a person threw somebody out keeps them out no longer. False: nobody had, as far as is known. */
export function endKick(sql: Sql, target: TargetName, account: Account): boolean {
  const ended = sql.all(
    "UPDATE presences SET state = 'gone' WHERE target = ? AND account = ? AND state = 'kicked' RETURNING account",
    [target, account],
  );
  dropArrival(sql, target, account);
  return ended.length > 0;
}

/**
 * The operator lets somebody in again who left a target's server or was thrown out, whether a run has noticed that or not.
 * Returns whether a kick was on record.
 */
export function welcomeAgain(sql: Sql, target: TargetName, account: Account, nowMs: number): boolean {
  const wasKicked = endKick(sql, target, account);
  sql.run(
    `INSERT INTO presences (target, account, state, kicks_known_to_ms) VALUES (?, ?, 'gone', ?)
     ON CONFLICT (target, account) DO UPDATE SET
       kicks_known_to_ms = max(kicks_known_to_ms, excluded.kicks_known_to_ms)`,
    [target, account, nowMs],
  );
  return wasKicked;
}
