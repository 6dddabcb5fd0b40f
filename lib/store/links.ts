/** Who is who: links that fans proved or the operator entered, blocks, and what stood in the address books. */
import { basename } from "node:path";
import { z } from "zod";
import type { Row, Sql } from "../db.ts";
import { type DiscordUserId, type FanId, type Mxid, parseDiscordUserId, type Platform } from "../ids.ts";
import { endLeavings } from "./account.ts";
import { fanIn, integer, linkedAccountIn, optionalFanIn, platformIn, text } from "./columns.ts";
import { isRecordedSince, type LinkEventKind, saveLinkEvent } from "./link-events.ts";
import { cutLogin } from "./logins.ts";
import { dropArrival, welcomeAgain } from "./presence.ts";

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
/** Ends links whatever their source: of a pair, of an account altogether, or of a fan altogether. */
export type Block = BlockFacts &
  (
    | { readonly platform: Platform; readonly account: DiscordUserId | Mxid; readonly fan: FanId | undefined }
    | { readonly platform: undefined; readonly account: undefined; readonly fan: FanId }
  );
interface BlockFacts {
  readonly reason: string;
  /** Only what the operator blocked cannot be linked again by a new proof. */
  readonly cause: BlockCause;
  readonly createdAtMs: number;
}
const causes = z.enum(["operator", "fan", "transfer"]);
export type BlockCause = z.infer<typeof causes>;
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
  /** Pairs of the last run that nothing else tells of: neither stored as a link nor cut. */
  readonly entries: number;
}

/** An account or a fan: what the rows of a query have in common. */
type Party = DiscordUserId | Mxid | FanId;

/** All stored links, or those of one account or one fan. */
export function loadStoredLinks(sql: Sql, of?: Party): readonly StoredLink[] {
  return rowsOf(sql, "links", of).map((row) => ({
    fan: fanIn(row),
    platform: platformIn(row),
    account: linkedAccountIn(row),
    source: text(row, "source") === "proved" ? "proved" : "operator",
    createdAtMs: integer(row, "created_at_ms"),
  }));
}

/** All blocks, or those of one account or one fan; those that block a fan altogether are always among them. */
export function loadBlocks(sql: Sql, of?: Party): readonly Block[] {
  return sql
    .all(
      `SELECT * FROM blocks WHERE ?1 IS NULL OR account = ?1 OR fan = ?1 OR account IS NULL
       ORDER BY platform, account, fan, created_at_ms`,
      [of ?? null],
    )
    .map(blockIn);
}

function blockIn(row: Row): Block {
  const facts = {
    reason: text(row, "reason"),
    cause: causes.parse(row["cause"]),
    createdAtMs: integer(row, "created_at_ms"),
  };
  return row["account"] === null
    ? { platform: undefined, account: undefined, fan: fanIn(row), ...facts }
    : { platform: platformIn(row), account: linkedAccountIn(row), fan: optionalFanIn(row), ...facts };
}

/** Every pair that any book ever held (of one account or one fan, where given), also those that are gone from it. */
export const loadBookLinks = (sql: Sql, of?: Party): readonly BookLink[] =>
  rowsOf(sql, "book_links", of).map(bookLinkIn);

/** The pairs of one account that stood in the books when these were last read. */
export const loadBookLinksLastSeen = (sql: Sql, account: DiscordUserId | Mxid): readonly BookLink[] =>
  sql
    .all(
      `SELECT book_links.* FROM book_links JOIN books USING (path, last_seen_ms) WHERE account = ? ORDER BY path, fan`,
      [account],
    )
    .map(bookLinkIn);

const bookLinkIn = (row: Row): BookLink => ({
  book: basename(text(row, "path")),
  fan: fanIn(row),
  platform: platformIn(row),
  account: linkedAccountIn(row),
  firstSeenMs: integer(row, "first_seen_ms"),
  lastSeenMs: integer(row, "last_seen_ms"),
});

const orders = {
  links: "platform, account, fan",
  book_links: "path, platform, account, fan",
} as const;

const rowsOf = (sql: Sql, table: keyof typeof orders, of: Party | undefined): readonly Row[] =>
  sql.all(`SELECT * FROM ${table} WHERE ?1 IS NULL OR account = ?1 OR fan = ?1 ORDER BY ${orders[table]}`, [
    of ?? null,
  ]);

/** The books that were read at some run, with how much of each would be lost with it. */
export function loadBooks(sql: Sql): readonly StoredBook[] {
  return sql
    .all(
      `SELECT path, (
         SELECT count(*) FROM book_links WHERE book_links.path = books.path
         AND book_links.last_seen_ms = books.last_seen_ms
         AND NOT EXISTS (SELECT 1 FROM links WHERE links.platform = book_links.platform
           AND links.account = book_links.account AND links.fan = book_links.fan)
         AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.platform = book_links.platform
           AND blocks.account = book_links.account AND (blocks.fan = book_links.fan OR blocks.fan IS NULL))
       ) AS entries FROM books ORDER BY path`,
    )
    .map((row) => ({ path: text(row, "path"), entries: integer(row, "entries") }));
}

/** Grows with every change of links and blocks, which are never without an event. */
export function loadLinksVersion(sql: Sql): number {
  const row = sql.get("SELECT coalesce(max(id), 0) AS version FROM link_events");
  return row === undefined ? 0 : integer(row, "version");
}

/**
 * Stores a link. What a fan proved stays proved when the operator enters it again. Whoever proves a link asks to be let
 * in: what they left by choice is open to them. The operator's word lifts any block of the pair and of the account; a
 * proof lifts what the fan cut, or a transfer, and never what the operator blocked.
 * False: a block stands in the way (for the operator that of the fan altogether), and nothing was stored.
 */
export function addLink(
  sql: Sql,
  link: LinkPair & { source: "proved" | "operator" },
  nowMs: number,
): boolean {
  const { platform, account, fan, source } = link;
  if (source === "proved" ? isBlockedByOperator(sql, link) : isFanBlocked(sql, fan)) return false;
  const isNews = source === "operator" || !isProvedSince(sql, link, nowMs - newsMs);
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
  if (source === "proved") {
    endLeavings(sql, platform, account, nowMs);
    dropArrival(sql, platform, account);
  }
  if (isNews) saveLinkEvent(sql, { event: "added", platform, account, fan, detail: source }, nowMs);
  return true;
}

/** For so long, linking again what stands is not worth a record. */
export const newsMs = 10 * 60 * 1000;

/** Whether a pair stands by a proof that was made, or made anew, since then. */
export const isProvedSince = (
  sql: Sql,
  { account, fan }: Pick<LinkPair, "account" | "fan">,
  sinceMs: number,
) =>
  loadStoredLinks(sql, account).some((stored) => stored.fan === fan && stored.source === "proved") &&
  isRecordedSince(sql, { event: "added", account, fan }, sinceMs);

/** Whether the operator blocked a pair, its account or its fan. */
export const isBlockedByOperator = (sql: Sql, { account, fan }: Pick<LinkPair, "account" | "fan">): boolean =>
  loadBlocks(sql, account).some(
    (block) =>
      block.cause === "operator" &&
      (block.account === undefined ? block.fan === fan : block.fan === undefined || block.fan === fan),
  );

/** Whether the operator blocked a fan altogether. */
export const isFanBlocked = (sql: Sql, fan: FanId): boolean =>
  sql.get("SELECT 1 FROM blocks WHERE account IS NULL AND fan = ?", [fan]) !== undefined;

// ---- Cutting ----------------------------------------------------------------------------------------------------

/** The ways to cut a link, as they are kept for the operator. */
const cuts = {
  "links remove": { cause: "operator", event: "removed" },
  "links block": { cause: "operator", event: "blocked" },
  "links transfer": { cause: "transfer", event: "transferred" },
  "unlinked by the fan": { cause: "fan", event: "unlinked" },
} as const satisfies Record<string, { cause: BlockCause; event: LinkEventKind }>;
export type Cut = keyof typeof cuts;

/**
 * Ends the link of an account and a fan, or all links of the account, whatever their source: deletes what is stored and
 * writes a block, so that an address book cannot bring it back. The account's leave to be brought into the Discord
 * server ends with it. An operator's cut and a fan's own stand side by side.
 */
export function removeLink(
  sql: Sql,
  link: {
    readonly platform: Platform;
    readonly account: DiscordUserId | Mxid;
    readonly fan?: FanId | undefined;
  },
  how: Cut,
  nowMs: number,
): void {
  const { platform, account, fan } = link;
  // Each fan's pair is blocked beside the account: when the account is linked to one of them again, the others stay cut.
  const fans = fan === undefined ? [undefined, ...fansOf(sql, platform, account)] : [fan];
  for (const blocked of fans) saveBlock(sql, { platform, account, fan: blocked }, how, nowMs);
  sql.run("DELETE FROM links WHERE platform = ?1 AND account = ?2 AND (?3 IS NULL OR fan = ?3)", [
    platform,
    account,
    fan ?? null,
  ]);
  const discordUser = parseDiscordUserId(account);
  if (discordUser !== undefined) cutLogin(sql, discordUser);
  saveLinkEvent(sql, { event: cuts[how].event, platform, account, fan, detail: how }, nowMs);
}

/**
 * Blocks a fan altogether: cuts each pair of theirs that is or was on record, and lets no other be linked. Returns the
 * pairs.
 */
export function blockFan(sql: Sql, fan: FanId, nowMs: number): readonly LinkPair[] {
  const pairs = pairsOf(sql, fan);
  for (const pair of pairs) removeLink(sql, pair, "links block", nowMs);
  saveBlock(sql, { platform: undefined, account: undefined, fan }, "links block", nowMs);
  saveLinkEvent(sql, { event: "blocked", fan, detail: "links block" }, nowMs);
  return pairs;
}

/**
 * Lifts what the operator blocked of an account (for one fan, where given) or of a fan, and links nothing. What fans cut
 * themselves stays cut, and so does what the account still has through a link that is gone: it counts as cut by the fan
 * from then on, so that the next sync takes it back. Returns how many blocks there were, and of how many that is so.
 */
export function unblock(
  sql: Sql,
  of:
    | {
        readonly platform: Platform;
        readonly account: DiscordUserId | Mxid;
        readonly fan?: FanId | undefined;
      }
    | { readonly platform?: undefined; readonly account?: undefined; readonly fan: FanId },
  nowMs: number,
): { readonly lifted: number; readonly toTakeBack: number } {
  const { platform, account, fan } = of;
  const toTakeBack = sql.all(
    `UPDATE OR REPLACE blocks SET cause = 'fan'
     WHERE cause = 'operator' AND (?1 IS NULL OR account = ?1) AND (?2 IS NULL OR fan = ?2)
     AND EXISTS (SELECT 1 FROM grants
       WHERE grants.target = blocks.platform AND grants.account = blocks.account AND grants.origin <> 'found')
     AND NOT EXISTS (SELECT 1 FROM links WHERE links.platform = blocks.platform AND links.account = blocks.account)
     AND NOT EXISTS (SELECT 1 FROM book_links JOIN books USING (path, last_seen_ms)
       WHERE book_links.platform = blocks.platform AND book_links.account = blocks.account)
     RETURNING fan`,
    [account ?? null, fan ?? null],
  ).length;
  const removed = sql.all(
    `DELETE FROM blocks WHERE cause = 'operator' AND (?1 IS NULL OR account = ?1) AND (?2 IS NULL OR fan = ?2)
     RETURNING fan`,
    [account ?? null, fan ?? null],
  ).length;
  const lifted = removed + toTakeBack;
  if (lifted > 0) saveLinkEvent(sql, { event: "unblocked", platform, account, fan }, nowMs);
  return { lifted, toTakeBack };
}

function saveBlock(
  sql: Sql,
  { platform, account, fan }: Pick<Block, "platform" | "account" | "fan">,
  how: Cut,
  nowMs: number,
): void {
  sql.run(
    `INSERT INTO blocks (platform, account, fan, reason, cause, created_at_ms) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (coalesce(platform, ''), coalesce(account, ''), coalesce(fan, ''), cause) DO NOTHING`,
    [platform ?? null, account ?? null, fan ?? null, how, cuts[how].cause, nowMs],
  );
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

/** All pairs of a fan that ever were here, in a stored link or a book. */
const pairsOf = (sql: Sql, fan: FanId): readonly LinkPair[] =>
  sql
    .all(
      `SELECT platform, account FROM links WHERE fan = ?1
       UNION SELECT platform, account FROM book_links WHERE fan = ?1 ORDER BY platform, account`,
      [fan],
    )
    .map((row) => ({ fan, platform: platformIn(row), account: linkedAccountIn(row) }));

// ---- Books and departures ---------------------------------------------------------------------------------------

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
 * sync tries again what it is entitled to, and may bring it into the Discord server again. Returns how many places that
 * concerns, the server among them. The departure stays on record, as one that is over: forgotten, the next sync would notice it anew.
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
  const wasKicked = platform === "discord" && welcomeAgain(sql, platform, account, nowMs);
  saveLinkEvent(sql, { event: "invited again", platform, account }, nowMs);
  return places.length + (wasKicked ? 1 : 0);
}
