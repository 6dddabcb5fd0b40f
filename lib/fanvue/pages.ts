/** Walks a paged list to its end, by cursor or by page number, or says why it could not be read whole. */
import type { z } from "zod";
import type { Known } from "../facts.ts";
import type { Api } from "./api.ts";
import { pageShape, readShape } from "./shapes.ts";

/** The most that Fanvue gives at once; kept constant in a walk, for page numbers count in it. */
export const pageSize = 50;

export interface Walk<Row> {
  readonly path: string;
  readonly isEverywhere?: boolean;
  readonly scopes: readonly string[];
  readonly row: z.ZodType<Row>;
  /** Told after each page how many rows there are so far. */
  readonly onPage?: (rows: number) => void;
}

/** Where the next page is. */
type Next = { readonly cursor: string } | { readonly page: number };

interface Page<Row> {
  readonly rows: readonly Row[];
  readonly next: Next | undefined;
}

/**
 * All rows, without repetitions of a uuid. One page that fails, is malformed or does not lead on makes the whole list
 * unknown: half a list must never pass for a whole one.
 */
export async function walkPages<Row extends { readonly uuid: string }>(
  api: Api,
  walk: Walk<Row>,
): Promise<Known<readonly Row[]>> {
  const endpoint = await api.endpoint(walk);
  const { path, scopes, isEverywhere = false } = walk;
  const call = { path, scopes, isEverywhere };
  const rows = new Map<string, Row>();
  const cursors = new Set<string>();
  let next: Next | undefined = { page: 1 };
  const unknown = (why: string): Known<never> => ({ known: false, why: `${endpoint}: ${why}` });

  while (next !== undefined) {
    const answer = await api.ask({ ...call, query: queryOf(next) });
    if (!answer.ok) return { known: false, why: answer.why };
    const page: Known<Page<Row>> = readPage(answer.body, walk.row, endpoint, next);
    if (!page.known) return page;
    const fresh = page.value.rows.filter((row) => !rows.has(row.uuid));
    for (const row of fresh) rows.set(row.uuid, row);
    walk.onPage?.(rows.size);

    next = page.value.next;
    if (next === undefined) continue;
    if (page.value.rows.length === 0) return unknown("an empty page that promises more");
    if ("cursor" in next && cursors.has(next.cursor)) return unknown("a repeated cursor");
    if (fresh.length === 0) return unknown("a repeated page");
    if ("cursor" in next) cursors.add(next.cursor);
  }
  return { known: true, value: [...rows.values()] };
}

/** The first page goes without a page number: the newer generation knows none. */
function queryOf(next: Next): Record<string, string> {
  const size = String(pageSize);
  if ("cursor" in next) return { cursor: next.cursor, size };
  return next.page === 1 ? { size } : { page: String(next.page), size };
}

function readPage<Row>(
  body: unknown,
  shape: z.ZodType<Row>,
  endpoint: string,
  asked: Next,
): Known<Page<Row>> {
  const page = readShape(pageShape, body, endpoint);
  if (!page.known) return page;
  const rows: Row[] = [];
  for (const [index, item] of page.value.data.entries()) {
    const row = readShape(shape, item, `${endpoint}, row ${index + 1}`);
    if (!row.known) return row;
    rows.push(row.value);
  }
  const next = nextOf(page.value, asked);
  if (next === "astray") return { known: false, why: `${endpoint}: a page that does not tell what follows` };
  return { known: true, value: { rows, next } };
}

/** A walk stays with the kind of paging it began with. */
function nextOf(page: z.infer<typeof pageShape>, asked: Next): Next | undefined | "astray" {
  if (page.nextCursor !== undefined) {
    if ("page" in asked && asked.page > 1) return "astray";
    return page.nextCursor === null || page.nextCursor === "" ? undefined : { cursor: page.nextCursor };
  }
  if ("cursor" in asked || page.pagination === undefined || page.pagination === null) return "astray";
  const told = page.pagination.page ?? asked.page;
  if (told !== asked.page) return "astray";
  return page.pagination.hasMore ? { page: asked.page + 1 } : undefined;
}
