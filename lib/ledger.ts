/**
 * The ledger of earnings: how what was read joins what is stored, and what it says of unlocks and of new spending.
 * Rows have no identity of their own (an order id may be missing, two tips may be equal), so the ledger is a multiset.
 */
import { dayMs } from "./durations.ts";
import type { ContentId, FanId } from "./ids.ts";
import type { EarningsRow, Unlock } from "./facts.ts";

// ---- Joining ----------------------------------------------------------------------------------------------------

/**
 * The rows of `fetched` that `stored` lacks, as multisets. Both must be whole for the same window of time.
 * A row whose fan has been deleted since is the same row.
 */
export function surplus(
  stored: readonly EarningsRow[],
  fetched: readonly EarningsRow[],
): readonly EarningsRow[] {
  const unmatched = multiset(stored, rowKey);
  const left = fetched.filter((row) => !take(unmatched, rowKey(row)));
  const remaining = stored.filter((row) => take(unmatched, rowKey(row)));
  const withoutFan = multiset(remaining, fanlessKey);
  return left.filter((row) => row.fan !== undefined || !take(withoutFan, fanlessKey(row)));
}

type Multiset = Map<string, number>;

function multiset(rows: readonly EarningsRow[], keyOf: (row: EarningsRow) => string): Multiset {
  const counts: Multiset = new Map();
  for (const row of rows) counts.set(keyOf(row), (counts.get(keyOf(row)) ?? 0) + 1);
  return counts;
}

/** Takes one out; false when there is none. */
function take(counts: Multiset, key: string): boolean {
  const count = counts.get(key) ?? 0;
  if (count > 0) counts.set(key, count - 1);
  return count > 0;
}

function fanlessKey(row: EarningsRow): string {
  // Only one generation of the API tells a reversal's orders, and the ledger may have been read through both.
  const order = row.kind === "reversal" ? undefined : row.orderId;
  return JSON.stringify([
    row.source,
    row.dateMs,
    order,
    row.postId,
    row.messageId,
    row.grossCents,
    row.netCents,
  ]);
}

const rowKey = (row: EarningsRow) => `${row.fan ?? ""} ${fanlessKey(row)}`;

// ---- How far it has been read -----------------------------------------------------------------------------------

/** How far one book of the ledger has been read. */
export interface BookState {
  /** Everything before is stored. */
  readonly throughMs: number;
  /** Where the first reading ends; from there on only what is new is read. */
  readonly historyEndsAtMs: number;
  /** The window of the first reading that is stored in part, and where its next page is. */
  readonly walk: { readonly toMs: number; readonly cursor: string } | undefined;
}

/** By book, such as "earnings". */
export type LedgerState = Readonly<Record<string, BookState>>;

/** Fanvue did not exist before; a window needs an explicit beginning. */
export const historyBeginsAtMs = Date.UTC(2020, 0, 1);
/** Rows may appear late; so far back is read again. */
export const overlapMs = 2 * dayMs;

/** Whether the first reading of a book is done. */
export const isRead = (state: BookState | undefined): boolean =>
  state !== undefined && state.throughMs >= state.historyEndsAtMs;

/** A window of time to read. */
export interface LedgerWindow {
  /** append: page by page, stored as they come · join: whole, and then what the store lacks */
  readonly how: "append" | "join";
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  /** Of the page to go on with. */
  readonly cursor: string | undefined;
}

/** The next year of the first reading, or, when that is done, what came since with the overlap. */
export function nextWindow(state: BookState | undefined, nowMs: number): LedgerWindow {
  const fromMs = state?.throughMs ?? historyBeginsAtMs;
  if (isRead(state)) {
    const backMs = Math.max(historyBeginsAtMs, fromMs - overlapMs);
    return { how: "join", fromMs: backMs, toMs: Math.max(nowMs, fromMs), cursor: undefined };
  }
  if (state?.walk !== undefined) {
    const { toMs, cursor } = state.walk;
    return { how: "append", fromMs, toMs, cursor };
  }
  const toMs = Math.min(startOfNextYear(fromMs), state?.historyEndsAtMs ?? nowMs);
  return { how: "append", fromMs, toMs, cursor: undefined };
}

const startOfNextYear = (atMs: number) => Date.UTC(new Date(atMs).getUTCFullYear() + 1, 0, 1);

const begun = (state: BookState | undefined, nowMs: number): BookState =>
  state ?? { throughMs: historyBeginsAtMs, historyEndsAtMs: nowMs, walk: undefined };

/** The state once a page that is not the last of its window is stored; without a cursor the window has to be begun anew. */
export function midWindow(
  state: BookState | undefined,
  { toMs }: LedgerWindow,
  cursor: string | undefined,
  nowMs: number,
): BookState {
  return { ...begun(state, nowMs), walk: cursor === undefined ? undefined : { toMs, cursor } };
}

/** The state once a window is stored whole. `serverNowMs`: our clock, if it is ahead, must not skip anything. */
export function afterWindow(
  state: BookState | undefined,
  { toMs }: LedgerWindow,
  nowMs: number,
  serverNowMs: number,
): BookState {
  const before = begun(state, nowMs);
  return {
    throughMs: Math.max(before.throughMs, Math.min(toMs, serverNowMs)),
    historyEndsAtMs: Math.min(before.historyEndsAtMs, Math.max(serverNowMs, before.throughMs)),
    walk: undefined,
  };
}

// ---- New spending -----------------------------------------------------------------------------------------------

/** When a fan's figure last changed, as far as the ledger knows. */
export interface NewestRows {
  readonly purchaseAtMs: number | undefined;
  /** A reversal, or a row of a kind that may or may not count. */
  readonly otherAtMs: number | undefined;
}

/** The newest rows of each fan. */
export function newestByFan(rows: Iterable<EarningsRow>): ReadonlyMap<FanId, NewestRows> {
  const newest = new Map<FanId, NewestRows>();
  for (const { fan, kind, dateMs } of rows) {
    if (fan === undefined) continue;
    const before = newest.get(fan) ?? { purchaseAtMs: undefined, otherAtMs: undefined };
    const field = kind === "purchase" ? "purchaseAtMs" : "otherAtMs";
    newest.set(fan, { ...before, [field]: Math.max(before[field] ?? dateMs, dateMs) });
  }
  return newest;
}

// ---- Unlocks ----------------------------------------------------------------------------------------------------

/** A purchase of content, and what its reversals did to it. */
interface Purchase {
  readonly row: EarningsRow;
  readonly contents: readonly ContentId[];
  takenBackCents: number;
  /** Some reversal may be of this purchase or of another, or takes back a part only. */
  doubtful: boolean;
}

/**
 * Who has unlocked what: purchases less reversals. A reversal that cannot be told to belong to one purchase, or takes
 * back only a part, leaves the unlock "ambiguous".
 */
export function unlocksFrom(rows: Iterable<EarningsRow>): ReadonlyMap<ContentId, ReadonlyMap<FanId, Unlock>> {
  const sorted = [...rows].sort((a, b) => a.dateMs - b.dateMs);
  const purchases = sorted.filter(({ kind }) => kind === "purchase").map(toPurchase);
  const book = { byOrder: groupBy(purchases, orderOf), byFan: groupBy(purchases, fanOf) };
  for (const row of sorted) if (row.kind === "reversal") takeBack(row, book);
  return summary(purchases.filter(({ contents }) => contents.length > 0));
}

interface Book {
  readonly byOrder: ReadonlyMap<string, readonly Purchase[]>;
  readonly byFan: ReadonlyMap<string, readonly Purchase[]>;
}

const toPurchase = (row: EarningsRow): Purchase => ({
  row,
  contents: contentsOf(row),
  takenBackCents: 0,
  doubtful: false,
});
const contentsOf = (row: EarningsRow) => [row.postId, row.messageId].filter((id) => id !== undefined);
const orderOf = ({ row }: Purchase) => row.orderId;
const fanOf = ({ row }: Purchase) => row.fan;

function groupBy(
  purchases: readonly Purchase[],
  keyOf: (purchase: Purchase) => string | undefined,
): ReadonlyMap<string, readonly Purchase[]> {
  const groups = new Map<string, Purchase[]>();
  for (const purchase of purchases) {
    const key = keyOf(purchase);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [purchase]);
    else group.push(purchase);
  }
  return groups;
}

function takeBack(reversal: EarningsRow, book: Book): void {
  const ofOrder = book.byOrder.get(reversal.reversesOrderId ?? "") ?? [];
  if (ofOrder.length > 0) takeBackOrder(reversal, ofOrder);
  else takeBackByLikeness(reversal, book.byFan.get(reversal.fan ?? "") ?? []);
}

const isWhollyBack = ({ row, takenBackCents }: Purchase) => takenBackCents >= Math.abs(row.grossCents);

/** The order is named: its only purchase, or the only one of the same content or amount. */
function takeBackOrder(reversal: EarningsRow, ofOrder: readonly Purchase[]): void {
  const cents = Math.abs(reversal.grossCents);
  const narrowed = narrow(ofOrder, [
    (purchase) => sharesContent(reversal, purchase),
    ({ row }) => row.grossCents === cents,
  ]);
  const [only, second] = narrowed;
  if (only !== undefined && second === undefined) only.takenBackCents += cents;
  else for (const purchase of narrowed) purchase.doubtful = true;
}

/** Applies each test that leaves somebody. */
function narrow(
  purchases: readonly Purchase[],
  tests: readonly ((purchase: Purchase) => boolean)[],
): readonly Purchase[] {
  return tests.reduce((left, test) => {
    const passed = left.filter(test);
    return passed.length > 0 ? passed : left;
  }, purchases);
}

const sharesContent = (reversal: EarningsRow, { contents }: Purchase) =>
  contentsOf(reversal).some((id) => contents.includes(id));

/**
 * No order is named: the same fan, content and whole amount, the newest that still stands. Where the reversal names no
 * content, every purchase of that amount may be meant.
 */
function takeBackByLikeness(reversal: EarningsRow, ofFan: readonly Purchase[]): void {
  const cents = Math.abs(reversal.grossCents);
  const standing = ofFan.filter(
    (purchase) => purchase.row.dateMs <= reversal.dateMs && !isWhollyBack(purchase),
  );
  if (contentsOf(reversal).length === 0) {
    for (const purchase of standing) if (purchase.row.grossCents === cents) purchase.doubtful = true;
    return;
  }
  const ofContent = standing.filter((purchase) => sharesContent(reversal, purchase));
  const meant = ofContent.findLast(({ row }) => row.grossCents === cents);
  if (meant !== undefined) meant.takenBackCents += cents;
  else for (const purchase of ofContent) purchase.doubtful = true;
}

function summary(purchases: readonly Purchase[]): ReadonlyMap<ContentId, ReadonlyMap<FanId, Unlock>> {
  const unlocks = new Map<ContentId, Map<FanId, Unlock>>();
  for (const purchase of purchases) {
    const { fan } = purchase.row;
    if (fan === undefined) continue;
    for (const content of purchase.contents) {
      const fans = unlocks.get(content) ?? new Map<FanId, Unlock>();
      fans.set(fan, better(fans.get(fan), unlockOf(purchase)));
      unlocks.set(content, fans);
    }
  }
  return unlocks;
}

function unlockOf(purchase: Purchase): Unlock {
  if (purchase.doubtful) return "ambiguous";
  // A free unlock has nothing that could be taken back.
  if (purchase.takenBackCents === 0) return "bought";
  return isWhollyBack(purchase) ? "reversed" : "ambiguous";
}

const strength = { bought: 2, ambiguous: 1, reversed: 0 } as const;
/** One purchase that stands is enough. */
const better = (a: Unlock | undefined, b: Unlock): Unlock =>
  a !== undefined && strength[a] >= strength[b] ? a : b;
