/** Offers by direct message: one row for each person and occasion, for ever, and who wants none. */
import { z } from "zod";
import type { Row, Sql } from "../db.ts";
import type { DiscordUserId } from "../ids.ts";
import { integer, text } from "./columns.ts";
import { loadMeta, saveMeta } from "./meta.ts";

/**
 * known: on record without a message · waiting: to be sent · sending: written down before it is sent, and never sent
 * again · sent · refused: direct messages are closed · failed: Discord refused it for another reason.
 */
export const offerStates = ["known", "waiting", "sending", "sent", "refused", "failed"] as const;
export type OfferState = (typeof offerStates)[number];
export type RefusalReason = "closed" | "stop";

export interface Offer {
  readonly account: DiscordUserId;
  readonly occasion: string;
}

const state = z.enum(offerStates);
const reason = z.enum(["closed", "stop"]);

const offerIn = (row: Row): Offer => ({
  account: text(row, "account") as DiscordUserId,
  occasion: text(row, "occasion"),
});

/** All in one state, those noticed first at the front, and behind them whatever Discord refused before. */
export const loadOffers = (sql: Sql, state: OfferState): readonly Offer[] =>
  sql
    .all("SELECT * FROM offers WHERE state = ? ORDER BY refusals, noticed_at_ms, account, occasion", [state])
    .map(offerIn);

/** How it stands with one; undefined: nothing is on record. */
export function loadOfferState(sql: Sql, { account, occasion }: Offer): OfferState | undefined {
  const row = sql.get("SELECT state FROM offers WHERE account = ? AND occasion = ?", [account, occasion]);
  return row === undefined ? undefined : state.parse(row["state"]);
}

/** When one was noticed; undefined: nothing is on record. */
export function loadNoticedAtMs(sql: Sql, { account, occasion }: Offer): number | undefined {
  const row = sql.get("SELECT noticed_at_ms FROM offers WHERE account = ? AND occasion = ?", [
    account,
    occasion,
  ]);
  return row === undefined ? undefined : integer(row, "noticed_at_ms");
}

/** Puts an occasion on record. Gives false, and changes nothing, where it is there already, in whatever state. */
export function noticeOffer(sql: Sql, offer: Offer, as: "known" | "waiting", nowMs: number): boolean {
  if (loadOfferState(sql, offer) !== undefined) return false;
  sql.run(
    "INSERT INTO offers (account, occasion, state, noticed_at_ms, changed_at_ms) VALUES (?, ?, ?, ?, ?)",
    [offer.account, offer.occasion, as, nowMs, nowMs],
  );
  return true;
}

export function saveOfferState(
  sql: Sql,
  { account, occasion }: Offer,
  newState: OfferState,
  nowMs: number,
): void {
  sql.run("UPDATE offers SET state = ?, changed_at_ms = ? WHERE account = ? AND occasion = ?", [
    newState,
    nowMs,
    account,
    occasion,
  ]);
}

/** Counts a refusal of one that is to be tried again; gives how many there are now. */
export function countRefusal(sql: Sql, { account, occasion }: Offer): number {
  const key = [account, occasion];
  sql.run("UPDATE offers SET refusals = refusals + 1 WHERE account = ? AND occasion = ?", key);
  const row = sql.get("SELECT refusals FROM offers WHERE account = ? AND occasion = ?", key);
  return row === undefined ? 0 : integer(row, "refusals");
}

/** Forgets one that nobody was told of: the same occasion may come again. */
export function forgetWaitingOffer(sql: Sql, { account, occasion }: Offer): void {
  sql.run("DELETE FROM offers WHERE account = ? AND occasion = ? AND state = 'waiting'", [account, occasion]);
}

/** When messages were tried after `sinceMs`, whatever came of them. */
export const loadTriesSince = (sql: Sql, sinceMs: number): readonly number[] =>
  sql
    .all(
      `SELECT changed_at_ms FROM offers
       WHERE state IN ('sending', 'sent', 'refused', 'failed') AND changed_at_ms > ?`,
      [sinceMs],
    )
    .map((row) => integer(row, "changed_at_ms"));

/** Whether anything is on record as of later than `afterMs`. */
export const hasDatesAfter = (sql: Sql, afterMs: number): boolean =>
  sql.get("SELECT 1 FROM offers WHERE max(noticed_at_ms, changed_at_ms) > ? LIMIT 1", [afterMs]) !==
  undefined;

/** Dates whatever is on record as of later than `nowMs` to `nowMs`. */
export function dateBack(sql: Sql, nowMs: number): void {
  sql.run(
    "UPDATE offers SET noticed_at_ms = min(noticed_at_ms, ?1), changed_at_ms = min(changed_at_ms, ?1)",
    [nowMs],
  );
}

// ---- What is looked for -----------------------------------------------------------------------------------------

const startedKey = "upsell_started_at_ms:";

/**
 * Whether this occasion is looked for. Each has a beginning of its own: whoever adds an SKU to the config does not write
 * to all who bought it long ago.
 */
export const isStarted = (sql: Sql, occasion: string): boolean =>
  loadMeta(sql, startedKey + occasion) !== undefined;

export function saveStarted(sql: Sql, occasion: string, nowMs: number): void {
  saveMeta(sql, startedKey + occasion, String(nowMs));
}

/** All occasions that are looked for. */
export const loadStarted = (sql: Sql): readonly string[] =>
  sql
    .all("SELECT key FROM meta WHERE substr(key, 1, ?) = ? ORDER BY key", [startedKey.length, startedKey])
    .map((row) => text(row, "key").slice(startedKey.length));

/** Ends an occasion with whatever waits because of it; once it is looked for again, it begins anew. */
export function endOccasion(sql: Sql, occasion: string): void {
  saveMeta(sql, startedKey + occasion, undefined);
  sql.run("DELETE FROM offers WHERE occasion = ? AND state = 'waiting'", [occasion]);
}

// ---- Troubles that outlast a listener ---------------------------------------------------------------------------

/** too fast: Discord has had enough of new direct messages · quarantined: it takes the bot for a spammer. */
export type LastingTrouble = "too fast" | "quarantined";

const troubleKeys: Readonly<Record<LastingTrouble, string>> = {
  "too fast": "upsell_too_fast_at_ms",
  quarantined: "upsell_quarantined_at_ms",
};

/** When Discord last told of this trouble, if ever. */
export function loadTroubleAtMs(sql: Sql, trouble: LastingTrouble): number | undefined {
  const atMs = loadMeta(sql, troubleKeys[trouble]);
  return atMs === undefined ? undefined : Number(atMs);
}

/** Remembers it for the next start. */
export function saveTroubleAtMs(sql: Sql, trouble: LastingTrouble, atMs: number): void {
  saveMeta(sql, troubleKeys[trouble], String(atMs));
}

// ---- To whom ----------------------------------------------------------------------------------------------------

/** To whom an offer may have gone after `sinceMs` and who has not asked to stop, the latest at the front. */
export const loadReceiversSince = (sql: Sql, sinceMs: number): readonly DiscordUserId[] =>
  sql
    .all(
      `SELECT account FROM offers
       WHERE state IN ('sending', 'sent') AND changed_at_ms > ?
         AND account NOT IN (SELECT account FROM offer_refusals WHERE why = 'stop')
       GROUP BY account ORDER BY max(changed_at_ms) DESC, account`,
      [sinceMs],
    )
    .map((row) => text(row, "account") as DiscordUserId);

export function countOffers(sql: Sql): Readonly<Record<OfferState, number>> {
  const counted = { known: 0, waiting: 0, sending: 0, sent: 0, refused: 0, failed: 0 };
  for (const row of sql.all("SELECT state, count(*) AS count FROM offers GROUP BY state"))
    counted[state.parse(row["state"])] = integer(row, "count");
  return counted;
}

// ---- Who wants none ---------------------------------------------------------------------------------------------

/** Why this person gets no message any more; undefined: nothing speaks against it. */
export function loadOfferRefusal(sql: Sql, account: DiscordUserId): RefusalReason | undefined {
  const row = sql.get("SELECT why FROM offer_refusals WHERE account = ?", [account]);
  return row === undefined ? undefined : reason.parse(row["why"]);
}

/** Remembers it for ever; a person's own word outranks closed direct messages. */
export function saveOfferRefusal(sql: Sql, account: DiscordUserId, why: RefusalReason, nowMs: number): void {
  sql.run(
    `INSERT INTO offer_refusals VALUES (?, ?, ?)
     ON CONFLICT (account) DO UPDATE SET why = excluded.why, at_ms = excluded.at_ms WHERE excluded.why = 'stop'`,
    [account, why, nowMs],
  );
}
