/** The links of all sources, as a person or a program reads them. */
import { stringify } from "yaml";
import { loadAddressBooks } from "../config/address-book.ts";
import type { Database } from "../db.ts";
import { compareIds } from "../ids.ts";
import type { Link } from "../model.ts";
import { dayOf } from "../rules.ts";
import { type Block, loadBlocks, loadBookLinks, loadStoredLinks } from "../store/links.ts";
import { resolveLinks } from "../want.ts";

export interface LinkList {
  /** Links that hold, and those that are missing in their book. */
  readonly links: readonly Link[];
  readonly blocks: readonly Block[];
  /** Entries of the books that are not used, as sentences. */
  readonly warnings: readonly string[];
}

/** Reads database and address books. Creates nothing; throws a BadInputError for a book or file that cannot be read. */
export async function loadLinkList(database: Database, configPath: string): Promise<LinkList> {
  const { books, warnings } = loadAddressBooks(configPath);
  const stored = await database.read((sql) => ({
    stored: loadStoredLinks(sql),
    blocks: loadBlocks(sql),
    bookLinksEver: loadBookLinks(sql),
  }));
  const bookLinksNow = books.flatMap(({ book, links }) => links.map((link) => ({ book, ...link })));
  const { links, conflicts } = resolveLinks({ ...stored, bookLinksNow });
  return { links, blocks: stored.blocks, warnings: [...warnings, ...conflicts] };
}

/** One line per link and per block, and a last line that counts them. */
export function linkListText({ links, blocks }: LinkList): string {
  const rows = [
    ...links.map((link) => [platformNames[link.platform], link.account, link.fan, sourceOf(link)]),
    ...blocks.map((block) => [
      block.platform === undefined ? "Fanvue" : platformNames[block.platform],
      block.account ?? "all accounts",
      block.fan ?? "all fans",
      endOf(block),
    ]),
  ];
  const blocked = blocks.filter(({ cause }) => cause === "operator").length;
  const ended = blocked === blocks.length ? "" : `, ${blocks.length - blocked} ended otherwise`;
  const missing = links.filter((link) => link.missing).length;
  const lost = missing === 0 ? "" : `, ${missing} of them missing in their book`;
  return [...aligned(rows), `${count(links.length, "link")}${lost}, ${count(blocked, "block")}${ended}`].join(
    "\n",
  );
}

export const platformNames = { discord: "Discord", matrix: "Matrix" } as const;

/** Who ended links, and when. */
export function endOf({ cause, reason, createdAtMs }: Block): string {
  const day = dayOf(createdAtMs);
  if (cause === "fan") return `unlinked by the fan on ${day}`;
  if (cause === "transfer") return `given to another fan on ${day}`;
  return `blocked on ${day} (${reason})`;
}

const sourceOf = (link: Link): string => {
  if (link.source === "proved") return "proved by the fan";
  if (link.source === "operator") return "entered with links add or import";
  const book = link.book ?? "an address book";
  return link.missing ? `stood in ${book} and no longer does: gives nothing, takes nothing` : `from ${book}`;
};

export const count = (number: number, noun: string): string =>
  `${number === 0 ? "no" : number} ${noun}${number === 1 ? "" : "s"}`;

/** Rows as lines with their cells below each other. */
export function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(width(column)))
      .join("  ")
      .trimEnd(),
  );
}

/** The same for programs. */
export function linkListJson({ links, blocks, warnings }: LinkList): string {
  const document = {
    links: links.map(({ platform, account, fan, source, book, missing }) => ({
      platform,
      account,
      fan,
      source,
      book: book ?? null,
      missing,
    })),
    blocks: blocks.map(({ platform, account, fan, cause, reason, createdAtMs }) => ({
      platform: platform ?? null,
      account: account ?? null,
      fan: fan ?? null,
      cause,
      reason,
      sinceMs: createdAtMs,
    })),
    warnings,
  };
  return JSON.stringify(document, undefined, 2);
}

/** The links that hold, of both platforms, in the format of the address books. */
export function addressBookText({ links }: Pick<LinkList, "links">): string {
  const byFan = Map.groupBy(
    links.filter((link) => !link.missing),
    (link) => link.fan,
  );
  const book = [...byFan]
    .sort(([a], [b]) => compareIds(a, b))
    .map(([fan, ofFan]): [string, readonly string[]] => [fan, ofFan.map(({ account }) => account)]);
  return book.length === 0
    ? ""
    : stringify(Object.fromEntries(book), { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN" });
}
