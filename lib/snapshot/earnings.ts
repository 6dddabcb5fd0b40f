/** Keeps the ledger of earnings up to date: its whole history at first, later only what is new. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { Database, Sql } from "../db.ts";
import type { EarningsBook, EarningsPage, Fanvue } from "../fanvue/client.ts";
import {
  afterWindow,
  type BookState,
  isRead,
  type LedgerState,
  type LedgerWindow,
  midWindow,
  nextWindow,
  surplus,
} from "../ledger.ts";
import type { Progress } from "../log.ts";
import type { EarningsRow, Known } from "../facts.ts";
import { appendEarnings, loadEarnings, loadEarningsBetween } from "../store/earnings.ts";
import { loadMeta, saveMeta } from "../store/meta.ts";

export interface LedgerUpdate {
  readonly fanvue: Fanvue;
  readonly database: Database;
  readonly now: () => number;
  /** False, as in a dry run: nothing is stored, and no history is read. */
  readonly save: boolean;
  readonly progress: Progress;
}

/** The ledger as it stands after an update. */
export interface Ledger {
  /** Oldest first. */
  readonly rows: readonly EarningsRow[];
  /** The rows that this update found. */
  readonly added: readonly EarningsRow[];
}

const stateKey = "ledger_state";
const stateShape = z.record(
  z.string(),
  z.object({
    throughMs: z.number(),
    historyEndsAtMs: z.number(),
    walk: z
      .object({ toMs: z.number(), cursor: z.string() })
      .optional()
      .transform((walk) => walk),
  }),
);

const fetchFirst = "the ledger of earnings has not been read yet: run `npm run fetch-earnings`";

/**
 * Reads what is new and gives the whole ledger. The first reading stores pages as they come, so that one that was cut
 * off goes on where it was. Unknown, with a reason, when Fanvue did not give what is missing; what was stored stays.
 * Throws SourceError when the authorization is dead or Fanvue was never reached.
 */
export async function updateLedger(update: LedgerUpdate): Promise<Known<Ledger>> {
  const books = await update.fanvue.earningsBooks();
  if (!update.save) {
    const state = await update.database.read(loadState);
    if (!books.every((book) => isRead(state[book]))) return { known: false, why: fetchFirst };
  }
  const added: EarningsRow[] = [];
  for (const book of books) {
    const read = await updateBook(update, book, (rows) => {
      added.push(...rows);
      update.progress("Reading the ledger of earnings", added.length, undefined);
    });
    if (!read.known) return read;
  }
  const stored = await update.database.read(loadEarnings);
  if (update.save) return { known: true, value: { rows: stored, added } };
  const rows = [...stored, ...added].sort((a, b) => a.dateMs - b.dateMs);
  return { known: true, value: { rows, added } };
}

type Added = (rows: readonly EarningsRow[]) => void;
const done: Known<undefined> = { known: true, value: undefined };

/** Window after window, until the book is read through now. */
async function updateBook(update: LedgerUpdate, book: EarningsBook, added: Added): Promise<Known<undefined>> {
  const nowMs = serverNow(update);
  for (;;) {
    const start = (await update.database.read(loadState))[book];
    const window = await soundWindow(update, book, nextWindow(start, nowMs));
    const read =
      window.how === "join"
        ? await joinWindow(update, { book, start, window, nowMs }, added)
        : await appendPages(update, { book, start, window, nowMs }, added);
    if (!read.known) return read;
    if (read.value === "through") return done;
  }
}

interface Part {
  readonly book: EarningsBook;
  readonly start: BookState | undefined;
  readonly window: LedgerWindow;
  readonly nowMs: number;
}

/**
 * A window that holds rows of this book already (its reading was begun, or another generation of the API told them) is
 * joined, not appended to.
 */
async function soundWindow(
  update: LedgerUpdate,
  book: EarningsBook,
  window: LedgerWindow,
): Promise<LedgerWindow> {
  if (window.how === "join" || window.cursor !== undefined) return window;
  const stored = await update.database.read((sql) => loadEarningsBetween(sql, window.fromMs, window.toMs));
  const isOfBook = (row: EarningsRow) => book === "earnings" || row.kind === "reversal";
  return stored.some(isOfBook) ? { ...window, how: "join" } : window;
}

/** Whether the book is read through now, or more is to be read. */
type Reached = "through" | "more";

/** A write puts the whole database on the disk: pages are gathered for so long, or until they are so many rows. */
const gatherMs = 1000;
const maxGatheredRows = 1000;

/** Pages of one window that wait for their write. */
interface Gathered {
  readonly rows: EarningsRow[];
  /** How far the book is read once they are stored; undefined while there is nothing to store. */
  next: BookState | undefined;
}

/** Stores pages together with the place of the one after them, so that each is stored once whatever happens. */
async function appendPages(update: LedgerUpdate, part: Part, added: Added): Promise<Known<Reached>> {
  const gathered: Gathered = { rows: [], next: undefined };
  let reached: Reached;
  try {
    const read = await gather(update, part, gathered);
    if (!read.known) return read;
  } finally {
    // Also when a page failed or the run is stopped: what came before need not be fetched again.
    reached = await storeGathered(update, part, gathered, added);
  }
  return { known: true, value: reached };
}

/** Fetches page after page until it is time for a write. What stands in `into` is sound at any moment. */
async function gather(update: LedgerUpdate, part: Part, into: Gathered): Promise<Known<undefined>> {
  const { start, window, nowMs } = part;
  const endsAtMs = update.now() + gatherMs;
  let { cursor } = window;
  do {
    const page: EarningsPage = await fetchPage(update, part, cursor);
    if (!page.known && !page.cursorRefused) return page;
    cursor = page.known ? page.nextCursor : undefined;
    if (page.known) into.rows.push(...page.rows);
    const isLast = page.known && cursor === undefined;
    into.next = isLast
      ? afterWindow(start, window, nowMs, serverNow(update))
      : midWindow(start, window, cursor, nowMs);
  } while (cursor !== undefined && into.rows.length < maxGatheredRows && update.now() < endsAtMs);
  return done;
}

async function storeGathered(
  { database }: LedgerUpdate,
  { book, start }: Part,
  { rows, next }: Gathered,
  added: Added,
): Promise<Reached> {
  if (next === undefined) return "more";
  const isOurs = await database.write((sql) => {
    // Another script may have read the same pages meanwhile.
    if (!isDeepStrictEqual(loadState(sql)[book], start)) return false;
    appendEarnings(sql, rows);
    saveState(sql, book, next);
    return true;
  });
  if (isOurs) added(rows);
  return isOurs && isRead(next) ? "through" : "more";
}

/** Reads a window whole and stores what the store lacks of it. */
async function joinWindow(update: LedgerUpdate, part: Part, added: Added): Promise<Known<Reached>> {
  const { book, window, nowMs } = part;
  const fetched = await fetchWindow(update, part);
  if (!fetched.known) return fetched;
  const join = (sql: Sql) => {
    const start = loadState(sql)[book];
    const next = afterWindow(start, window, nowMs, serverNow(update));
    return { next, rows: surplus(loadEarningsBetween(sql, window.fromMs, window.toMs), fetched.value) };
  };
  if (!update.save) {
    added((await update.database.read(join)).rows);
    return { known: true, value: "through" };
  }
  const joined = await update.database.write((sql) => {
    const result = join(sql);
    appendEarnings(sql, result.rows);
    saveState(sql, book, result.next);
    return result;
  });
  added(joined.rows);
  return { known: true, value: isRead(joined.next) ? "through" : "more" };
}

async function fetchWindow(update: LedgerUpdate, part: Part): Promise<Known<readonly EarningsRow[]>> {
  const rows: EarningsRow[] = [];
  const cursors = new Set<string>();
  let cursor: string | undefined;
  for (;;) {
    const page: EarningsPage = await fetchPage(update, part, cursor);
    if (!page.known) return page;
    rows.push(...page.rows);
    cursor = page.nextCursor;
    if (cursor === undefined) return { known: true, value: rows };
    if (cursors.has(cursor)) return { known: false, why: "the ledger of earnings: a repeated cursor" };
    cursors.add(cursor);
  }
}

const fetchPage = ({ fanvue }: LedgerUpdate, { book, window }: Part, cursor: string | undefined) =>
  fanvue.fetchEarningsPage({ book, fromMs: window.fromMs, toMs: window.toMs, cursor });

/** `Date` headers tell whole seconds, and an answer takes its time: less is no difference. */
const smallSkewMs = 5000;

/** The time by Fanvue's clock, by which its rows are dated. */
function serverNow({ now, fanvue }: LedgerUpdate): number {
  const skewMs = fanvue.clockSkewMs() ?? 0;
  return Math.abs(skewMs) < smallSkewMs ? now() : now() - skewMs;
}

function loadState(sql: Sql): LedgerState {
  const text = loadMeta(sql, stateKey);
  return text === undefined ? {} : stateShape.parse(JSON.parse(text));
}

function saveState(sql: Sql, book: EarningsBook, state: BookState): void {
  saveMeta(sql, stateKey, JSON.stringify({ ...loadState(sql), [book]: state }));
}
