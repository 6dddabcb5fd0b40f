/** Who is who: links that fans proved or the operator entered, blocks, and what stood in the address books. */
import { basename } from "node:path";
import type { Sql } from "../db.ts";
import type { DiscordUserId, FanId, Mxid, Platform } from "../ids.ts";
import { fanIn, integer, linkedAccountIn, optionalFanIn, platformIn, text } from "./columns.ts";

/** fan ↔ account. */
export interface LinkPair {
  readonly fan: FanId;
  readonly platform: Platform;
  readonly account: DiscordUserId | Mxid;
}
export interface StoredLink extends LinkPair {
  readonly source: "proved" | "operator";
  readonly createdAtMs: number;
}
/** Ends a link whatever its source. `fan` undefined: the account altogether. */
export interface Block {
  readonly platform: Platform;
  readonly account: DiscordUserId | Mxid;
  readonly fan: FanId | undefined;
  readonly reason: string;
  readonly createdAtMs: number;
}
/** A pair that stood in an address book at some run. */
export interface BookLink extends LinkPair {
  /** The book's file name, without its folder. */
  readonly book: string;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
}
export interface StoredBook {
  /** Absolute: several configs, each with books beside it, may share a data folder. */
  readonly path: string;
  readonly entries: number;
  readonly lastSeenMs: number;
}

export function loadStoredLinks(sql: Sql): readonly StoredLink[] {
  return sql.all("SELECT * FROM links ORDER BY platform, account, fan").map((row) => ({
    fan: fanIn(row),
    platform: platformIn(row),
    account: linkedAccountIn(row),
    source: text(row, "source") === "proved" ? "proved" : "operator",
    createdAtMs: integer(row, "created_at_ms"),
  }));
}

export function loadBlocks(sql: Sql): readonly Block[] {
  return sql.all("SELECT * FROM blocks ORDER BY platform, account, fan").map((row) => ({
    platform: platformIn(row),
    account: linkedAccountIn(row),
    fan: optionalFanIn(row),
    reason: text(row, "reason"),
    createdAtMs: integer(row, "created_at_ms"),
  }));
}

/** Every pair that any book ever held, also those that are gone from it. */
export function loadBookLinks(sql: Sql): readonly BookLink[] {
  return sql.all("SELECT * FROM book_links ORDER BY path, platform, account, fan").map((row) => ({
    book: basename(text(row, "path")),
    fan: fanIn(row),
    platform: platformIn(row),
    account: linkedAccountIn(row),
    firstSeenMs: integer(row, "first_seen_ms"),
    lastSeenMs: integer(row, "last_seen_ms"),
  }));
}

/** The books that were read at some run, with their size at the last one. */
export function loadBooks(sql: Sql): readonly StoredBook[] {
  return sql.all("SELECT * FROM books ORDER BY path").map((row) => ({
    path: text(row, "path"),
    entries: integer(row, "entries"),
    lastSeenMs: integer(row, "last_seen_ms"),
  }));
}

/** Grows with every change of links and blocks. */
export function loadLinksVersion(sql: Sql): number {
  const row = sql.get("SELECT coalesce(max(id), 0) AS version FROM link_events");
  return row === undefined ? 0 : integer(row, "version");
}

/**
 * Stores a link, and lifts a block of exactly this pair or of the account altogether. What a fan proved stays proved
 * when the operator enters it again.
 */
export function addLink(sql: Sql, link: LinkPair & { source: "proved" | "operator" }, nowMs: number): void {
  const { platform, account, fan, source } = link;
  sql.run("DELETE FROM blocks WHERE platform = ? AND account = ? AND (fan = ? OR fan IS NULL)", [
    platform,
    account,
    fan,
  ]);
  sql.run(
    `INSERT INTO links (platform, account, fan, source, created_at_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (platform, account, fan) DO UPDATE SET source = excluded.source, created_at_ms = excluded.created_at_ms
     WHERE links.source = 'operator' AND excluded.source = 'proved'`,
    [platform, account, fan, source, nowMs],
  );
  saveLinkEvent(sql, "added", link, source, nowMs);
}

/**
 * Ends the link of an account and a fan, or all links of the account, whatever their source: deletes what is stored and
 * writes a block, so that an address book cannot bring it back. `reason` is for the operator, such as "links remove".
 */
export function removeLink(
  sql: Sql,
  link: {
    readonly platform: Platform;
    readonly account: DiscordUserId | Mxid;
    readonly fan?: FanId | undefined;
  },
  reason: string,
  nowMs: number,
): void {
  const { platform, account, fan } = link;
  // Each fan's pair is blocked beside the account: when the account is linked to one of them again, the others stay cut.
  const fans = fan === undefined ? [undefined, ...fansOf(sql, platform, account)] : [fan];
  for (const blocked of fans) {
    sql.run(
      `INSERT INTO blocks (platform, account, fan, reason, created_at_ms) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (platform, account, coalesce(fan, '')) DO NOTHING`,
      [platform, account, blocked ?? null, reason, nowMs],
    );
  }
  sql.run("DELETE FROM links WHERE platform = ?1 AND account = ?2 AND (?3 IS NULL OR fan = ?3)", [
    platform,
    account,
    fan ?? null,
  ]);
  saveLinkEvent(sql, "removed", link, reason, nowMs);
}

/** All fans who ever were linked to an account here, by a stored link or a book. */
function fansOf(sql: Sql, platform: Platform, account: DiscordUserId | Mxid): readonly FanId[] {
  return sql
    .all(
      `SELECT fan FROM links WHERE platform = ?1 AND account = ?2
       UNION SELECT fan FROM book_links WHERE platform = ?1 AND account = ?2 ORDER BY fan`,
      [platform, account],
    )
    .map(fanIn);
}

/** Remembers what stands in the address books now; what stood there before is kept, with when it was last seen. */
export function saveBooks(
  sql: Sql,
  books: readonly { readonly path: string; readonly links: readonly LinkPair[] }[],
  nowMs: number,
): void {
  for (const { path, links } of books) {
    sql.run("INSERT OR REPLACE INTO books (path, entries, last_seen_ms) VALUES (?, ?, ?)", [
      path,
      links.length,
      nowMs,
    ]);
    for (const { platform, account, fan } of links) {
      sql.run(
        `INSERT INTO book_links (path, platform, account, fan, first_seen_ms, last_seen_ms) VALUES (?, ?, ?, ?, ?5, ?5)
         ON CONFLICT (path, platform, account, fan) DO UPDATE SET last_seen_ms = excluded.last_seen_ms`,
        [path, platform, account, fan, nowMs],
      );
    }
  }
}

/**
 * Lets an account in again that left places of its platform by choice, was taken out by a person, or refused: the next
 * sync tries again what it is entitled to. Returns how many places that concerns. The departure stays on record, as one
 * that is over: forgotten, the next sync would notice it anew.
 */
export function inviteAgain(
  sql: Sql,
  platform: Platform,
  account: DiscordUserId | Mxid,
  nowMs: number,
): number {
  const places = sql.all(
    `SELECT place_id FROM departures WHERE target = ?1 AND account = ?2 AND ended_at_ms IS NULL
     UNION SELECT place_id FROM refusals WHERE target = ?1 AND account = ?2`,
    [platform, account],
  );
  sql.run("UPDATE departures SET ended_at_ms = ? WHERE target = ? AND account = ? AND ended_at_ms IS NULL", [
    nowMs,
    platform,
    account,
  ]);
  sql.run("DELETE FROM refusals WHERE target = ? AND account = ?", [platform, account]);
  saveLinkEvent(sql, "invited again", { platform, account }, "", nowMs);
  return places.length;
}

function saveLinkEvent(
  sql: Sql,
  event: "added" | "removed" | "invited again",
  of: { readonly platform: Platform; readonly account: string; readonly fan?: FanId | undefined },
  detail: string,
  nowMs: number,
): void {
  sql.run(
    "INSERT INTO link_events (at_ms, event, platform, account, fan, detail) VALUES (?, ?, ?, ?, ?, ?)",
    [nowMs, event, of.platform, of.account, of.fan ?? null, detail],
  );
}
