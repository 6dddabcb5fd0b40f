/** Personal links that the creator hands out: each works once. */
import { z } from "zod";
import type { Row, Sql } from "../db.ts";
import type { FanId } from "../ids.ts";
import { fanIn, integer, optionalInteger, text } from "./columns.ts";
import { saveLinkEvent } from "./link-events.ts";

const sentStates = z.enum(["sending", "sent", "refused", "failed"]);
/**
 * How the message that carries a link stands. sending: written down before it is sent, so that nobody is written to
 * twice · refused: this fan takes no messages · failed: it surely did not go out.
 */
export type SentState = z.infer<typeof sentStates>;

export interface Invite {
  /** Names the link among all others; what it is made of stands in the link alone. */
  readonly nonceHash: string;
  readonly fan: FanId;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly usedAtMs: number | undefined;
  /** Undefined: it was printed, for the creator to hand out. */
  readonly sent: SentState | undefined;
}

/** Keeps a link that is about to be printed or (with `sent`) sent. */
export function saveInvite(
  sql: Sql,
  invite: {
    readonly nonceHash: string;
    readonly fan: FanId;
    readonly expiresAtMs: number;
    readonly sent?: SentState | undefined;
  },
  nowMs: number,
): void {
  const { nonceHash, fan, expiresAtMs, sent } = invite;
  sql.run(
    "INSERT INTO link_invites (nonce_hash, fan, created_at_ms, expires_at_ms, sent) VALUES (?, ?, ?, ?, ?)",
    [nonceHash, fan, nowMs, expiresAtMs, sent ?? null],
  );
  saveLinkEvent(
    sql,
    { event: "invite made", fan, detail: sent === undefined ? "printed" : "to send" },
    nowMs,
  );
}

/** The link whose nonce hashes to this; undefined where there is none. */
export function loadInvite(sql: Sql, nonceHash: string): Invite | undefined {
  const row = sql.get("SELECT * FROM link_invites WHERE nonce_hash = ?", [nonceHash]);
  return row && inviteIn(row);
}

const inviteIn = (row: Row): Invite => ({
  nonceHash: text(row, "nonce_hash"),
  fan: fanIn(row),
  createdAtMs: integer(row, "created_at_ms"),
  expiresAtMs: integer(row, "expires_at_ms"),
  usedAtMs: optionalInteger(row, "used_at_ms"),
  sent: sentStates.nullable().parse(row["sent"]) ?? undefined,
});

/**
 * Uses a link up, and ends all others of its fan. False: there is none, or it has expired or was used before, and
 * nothing changed.
 */
export function useInvite(sql: Sql, nonceHash: string, nowMs: number): boolean {
  const invite = loadInvite(sql, nonceHash);
  if (invite === undefined || invite.usedAtMs !== undefined || invite.expiresAtMs <= nowMs) return false;
  sql.run("UPDATE link_invites SET used_at_ms = ? WHERE nonce_hash = ?", [nowMs, nonceHash]);
  endInvites(sql, invite.fan, nowMs);
  saveLinkEvent(sql, { event: "invite used", fan: invite.fan }, nowMs);
  return true;
}

/** Ends all links of a fan that are still good. That they were sent stays on record. */
export function endInvites(sql: Sql, fan: FanId, nowMs: number): void {
  sql.run(
    "UPDATE link_invites SET expires_at_ms = ?1 WHERE fan = ?2 AND used_at_ms IS NULL AND expires_at_ms > ?1",
    [nowMs, fan],
  );
}

/** Notes how the message that carries a link stands now. */
export function saveInviteSent(sql: Sql, nonceHash: string, sent: SentState, nowMs: number): void {
  sql.run("UPDATE link_invites SET sent = ? WHERE nonce_hash = ?", [sent, nonceHash]);
  const fan = loadInvite(sql, nonceHash)?.fan;
  if (sent === "sent") saveLinkEvent(sql, { event: "invite sent", fan }, nowMs);
}

/**
 * Who was ever sent a link, perhaps or in vain, also one that has expired since; only those whose message surely got
 * lost are left out.
 */
export function loadInvitedFans(sql: Sql): ReadonlySet<FanId> {
  const rows = sql.all("SELECT fan FROM link_invites WHERE sent IS NOT NULL AND sent <> 'failed'");
  return new Set(rows.map(fanIn));
}

/** How many links went out in messages since then, counting those of which it is not known whether they did. */
export function countMessagedSince(sql: Sql, sinceMs: number): number {
  const row = sql.get(
    "SELECT count(*) AS invites FROM link_invites WHERE sent IN ('sending', 'sent') AND created_at_ms > ?",
    [sinceMs],
  );
  return row === undefined ? 0 : integer(row, "invites");
}
