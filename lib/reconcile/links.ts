/** The links as database and address books tell them now. */
import { checkBooks, loadAddressBooks, type AddressBooks } from "../config/address-book.ts";
import type { Sql } from "../db.ts";
import type { Account, Platform } from "../ids.ts";
import type { Step } from "../model.ts";
import { loadBlocks, loadBookLinks, loadBooks, loadLinksVersion, loadStoredLinks } from "../store/links.ts";
import { lastLook, type ResolvedLinks, resolveLinks } from "../want.ts";
import type { Job } from "./job.ts";

export interface Links {
  readonly resolved: ResolvedLinks;
  readonly books: AddressBooks;
}

/**
 * Brings address books and database together.
 * Throws a BadInputError when a book that was there at the last run is missing, empty or unreadable.
 */
export async function loadLinks({ database, config }: Pick<Job, "database" | "config">): Promise<Links> {
  const books = loadAddressBooks(config.path);
  const stored = await database.read(loadStored);
  checkBooks(books.books, stored.books);
  return { resolved: resolve(books, stored), books };
}

/** The accounts that have a link on this platform. */
export const accountsOn = (platform: Platform, { links }: ResolvedLinks): readonly Account[] =>
  links.filter((link) => link.platform === platform).map(({ account }) => account);

/**
 * Gives the look at a step's links just before it: why it may not go, or undefined. The database is asked each time,
 * so that a `links remove` of a moment ago holds; the links are resolved anew only when they changed.
 */
export function lookAgainAt(
  job: Pick<Job, "database">,
  { resolved, books }: Links,
): (step: Step) => Promise<string | undefined> {
  let version: number | undefined;
  let look: (step: Step) => string | undefined = () => undefined;
  return async (step) => {
    const stored = await job.database.read((sql) => {
      const current = loadLinksVersion(sql);
      return current === version ? undefined : { ...loadStored(sql), version: current };
    });
    if (stored !== undefined) {
      version = stored.version;
      look = lastLook(resolve(books, stored), resolved);
    }
    return look(step);
  };
}

const loadStored = (sql: Sql) => ({
  books: loadBooks(sql),
  stored: loadStoredLinks(sql),
  blocks: loadBlocks(sql),
  bookLinksEver: loadBookLinks(sql),
});

function resolve(books: AddressBooks, stored: ReturnType<typeof loadStored>): ResolvedLinks {
  const bookLinksNow = books.books.flatMap(({ book, links }) => links.map((link) => ({ book, ...link })));
  return resolveLinks({ ...stored, bookLinksNow });
}
