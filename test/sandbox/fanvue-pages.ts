/** Both ways in which Fanvue pages its lists, and the checks of what is asked for. */
import type { SandboxRequest } from "./server.ts";
import type { WorldState } from "./fanvue-world.ts";

export type Generation = "unprefixed" | "v1";

/** A refused request: thrown by whoever notices, answered as 400. */
export class BadRequest extends Error {
  readonly body: unknown;
  constructor(body: unknown) {
    super(JSON.stringify(body));
    this.body = body;
  }
}
const invalid = (...errors: string[]) => new BadRequest({ errors });

/** An item with its place in the order: highest number first, then by id. */
export interface Entry<T> {
  readonly at: number;
  readonly id: string;
  readonly item: T;
}
type Key = Pick<Entry<unknown>, "at" | "id">;

const byPlace = (a: Key, b: Key): number => b.at - a.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/**
 * A list that is gathered and sorted once and then served from memory, until an action changes the world. `begins`:
 * a walk starts, so data that was changed directly has to show, too.
 */
export function keptSorted<T>(
  world: WorldState,
  gather: () => Entry<T>[],
): (begins: boolean) => readonly Entry<T>[] {
  let kept: { readonly version: number; readonly entries: readonly Entry<T>[] } | undefined;
  return (begins) => {
    if (begins || kept?.version !== world.version)
      kept = { version: world.version, entries: gather().sort(byPlace) };
    return kept.entries;
  };
}

function wholeNumber(query: URLSearchParams, name: string, fallback: number, maximum: number): number {
  const text = query.get(name);
  if (text === null) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value)) throw invalid(`${name} must be an integer`);
  if (value < 1) throw invalid(`${name} must not be less than 1`);
  if (value > maximum) throw invalid(`${name} must not be greater than ${String(maximum)}`);
  return value;
}

const isoDateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

/** An instant in ms. A date without a time is refused, as Fanvue refuses it. */
function instant(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const valueMs = Date.parse(text);
  if (!isoDateTime.test(text) || Number.isNaN(valueMs))
    throw invalid(`${name} must be an ISO 8601 datetime with offset`);
  return valueMs;
}

/** What a cursor remembers: where the page ended and what was asked for at first. */
interface Cursor extends Key {
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly sources: readonly string[];
}

const encodeCursor = (cursor: Cursor): string => Buffer.from(JSON.stringify(cursor)).toString("base64");

const numberOrNothing = (value: unknown) => (typeof value === "number" ? value : undefined);

function decodeCursor(text: string): Cursor {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
    if (typeof value !== "object" || value === null) throw invalid("cursor is invalid");
    const fields: Partial<Record<keyof Cursor, unknown>> = value;
    if (typeof fields.at !== "number" || typeof fields.id !== "string") throw invalid("cursor is invalid");
    const sources = Array.isArray(fields.sources) ? fields.sources.map(String) : [];
    const fromMs = numberOrNothing(fields.fromMs);
    return { at: fields.at, id: fields.id, sources, fromMs, toMs: numberOrNothing(fields.toMs) };
  } catch (error) {
    throw error instanceof BadRequest ? error : invalid("cursor is invalid");
  }
}

export interface CursorAsk {
  readonly size: number;
  readonly after: Key | undefined;
  /** Inclusive, and exclusive. */
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly sources: readonly string[];
}

/** A later page is told by its cursor alone, which carries the window and the filter of the first. */
export function cursorAsk(request: SandboxRequest, defaultSize: number): CursorAsk {
  const { query } = request;
  const size = wholeNumber(query, "size", defaultSize, 50);
  const text = query.get("cursor");
  const fromMs = instant(query, "startDate");
  const toMs = instant(query, "endDate");
  if (text !== null) {
    const { sources, ...cursor } = decodeCursor(text);
    return { size, after: cursor, fromMs: cursor.fromMs, toMs: cursor.toMs, sources };
  }
  const sources = query.getAll("source").flatMap((value) => value.split(","));
  return { size, after: undefined, fromMs, toMs, sources };
}

/** Where in a sorted list the first entry stands that comes after the key. */
function indexAfter(entries: readonly Key[], key: Key): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = entries[middle];
    if (entry !== undefined && byPlace(entry, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Stands after every id, so that a window's end shuts out its whole instant. */
const lastId = "\uffff";

/** One page by cursor: rows `matches` lets through, in a window of `at`. */
export function cursorPage<T>(
  entries: readonly Entry<T>[],
  ask: CursorAsk,
  matches: (item: T) => boolean = () => true,
): { readonly items: readonly T[]; readonly nextCursor: string | null } {
  const windowEnd = ask.toMs === undefined ? undefined : { at: ask.toMs, id: lastId };
  const start = ask.after ?? windowEnd;
  const page: Entry<T>[] = [];
  for (let index = start === undefined ? 0 : indexAfter(entries, start); index < entries.length; index += 1) {
    const entry = entries[index];
    if (entry === undefined || (ask.fromMs !== undefined && entry.at < ask.fromMs)) break;
    if (!matches(entry.item)) continue;
    const last = page.at(-1);
    if (page.length === ask.size && last !== undefined) {
      const { fromMs, toMs, sources } = ask;
      const nextCursor = encodeCursor({ at: last.at, id: last.id, fromMs, toMs, sources });
      return { items: page.map(({ item }) => item), nextCursor };
    }
    page.push(entry);
  }
  return { items: page.map(({ item }) => item), nextCursor: null };
}

/** A list as the API of that generation answers it: numbered pages, or cursors. */
export function listBody<T>(
  request: SandboxRequest,
  generation: Generation,
  entriesOf: (begins: boolean) => readonly Entry<T>[],
  row: (item: T) => unknown,
): { readonly data: readonly unknown[] } & Readonly<Record<string, unknown>> {
  if (generation === "v1") {
    const ask = cursorAsk(request, 15);
    const { items, nextCursor } = cursorPage(entriesOf(ask.after === undefined), ask);
    return { data: items.map(row), nextCursor };
  }
  const size = wholeNumber(request.query, "size", 15, 50);
  const page = wholeNumber(request.query, "page", 1, Number.MAX_SAFE_INTEGER);
  const entries = entriesOf(page === 1);
  const rows = entries.slice((page - 1) * size, page * size);
  const hasMore = entries.length > page * size;
  return { data: rows.map(({ item }) => row(item)), pagination: { page, size: rows.length, hasMore } };
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A uuid of a path, in lower case. */
export function pathUuid(text: string | undefined): string {
  if (text === undefined || !uuid.test(text)) throw new BadRequest({ message: "Invalid UUID format" });
  return text.toLowerCase();
}

/** Uuids of a body or query, between one and `maximum`. */
export function uuidList(values: readonly string[], name: string, maximum: number): readonly string[] {
  if (values.length === 0) throw invalid(`${name} must contain at least 1 element`);
  if (values.length > maximum) throw invalid(`${name} must contain at most ${String(maximum)} elements`);
  const wrong = values.find((value) => !uuid.test(value));
  if (wrong !== undefined) throw invalid(`${name} must contain UUIDs only`);
  return values.map((value) => value.toLowerCase());
}
