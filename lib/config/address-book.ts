/** The operator's address books: which Discord or Matrix accounts a fan has. Read beside the config, never written. */
import { dirname, join, resolve } from "node:path";
import { BadInputError } from "../errors.ts";
import {
  type DiscordUserId,
  type FanId,
  type Mxid,
  parseDiscordUserId,
  parseFanId,
  parseMxid,
  type Platform,
} from "../ids.ts";
import { type Branch, type Entry, type LineFault, located, loadText, parseYaml } from "./yaml.ts";

/** The files of that kind beside a config. */
export const bookNames = ["addressbook.yaml", "discord_addressbook.yaml"] as const;
export type BookName = (typeof bookNames)[number];

export interface BookLink {
  readonly fan: FanId;
  readonly platform: Platform;
  readonly account: DiscordUserId | Mxid;
}
export interface AddressBook {
  readonly book: BookName;
  /** Absolute, by which the book is known again at the next run. */
  readonly path: string;
  /** Each pair once, in the order of the file. */
  readonly links: readonly BookLink[];
  /** No file, or a file without a single usable entry. */
  readonly problem?: "missing" | "empty";
}
export interface AddressBooks {
  readonly books: readonly AddressBook[];
  /** Entries that were left out, each with file and line. */
  readonly warnings: readonly string[];
}

/**
 * Reads the books beside the config. Either may hold accounts of both platforms. An entry that cannot be used is left
 * out with a warning. Throws a BadInputError for a book that cannot be read, is not YAML, or is no map.
 */
export function loadAddressBooks(configPath: string): AddressBooks {
  const folder = dirname(configPath);
  const read = bookNames.map((book) => loadBook(book, join(folder, book)));
  return { books: read.map(({ book }) => book), warnings: read.flatMap(({ warnings }) => warnings) };
}

/**
 * Compares the books with what was seen at the last run: a book that had entries and has none now is more likely lost
 * than meant. Throws a BadInputError then. `entries` are those that stand nowhere else: a book that was imported can go.
 */
export function checkBooks(
  now: readonly AddressBook[],
  lastSeen: readonly { readonly path: string; readonly entries: number }[],
): void {
  const lost = now.flatMap(({ book, path, problem }) => {
    const entries = lastSeen.find((seen) => seen.path === path)?.entries ?? 0;
    if (problem === undefined || entries === 0) return [];
    const what = entries === 1 ? "one entry" : `${String(entries)} entries`;
    return [
      `${book} had ${what} at the last run and ${problem === "missing" ? "is missing" : "is empty"} now.`,
    ];
  });
  if (lost.length === 0) return;
  throw new BadInputError(
    lost.join("\n"),
    "Nothing was done. Put the book back beside the config. If it is to go for good, take its links over first: npm run links -- import FILE. To end a link: npm run links -- remove ACCOUNT",
  );
}

// ---- One book ---------------------------------------------------------------------------------------------------

interface BookRead {
  readonly book: AddressBook;
  readonly warnings: readonly string[];
}

function loadBook(book: BookName, path: string): BookRead {
  const { links, problem, faults } = loadFile(path);
  const found = { book, path: resolve(path), links };
  return {
    book: problem === undefined ? found : { ...found, problem },
    warnings: faults.map(({ line, sentence }) =>
      located(path, { line, sentence: `${sentence}, so it is left out. Correct or remove it.` }),
    ),
  };
}

/**
 * Reads one file of this format, wherever it lies, for those who want all of it or nothing.
 * Throws a BadInputError when it is not there, cannot be read, or holds an entry that cannot be used.
 */
export function loadLinksFile(path: string): readonly BookLink[] {
  const { links, problem, faults } = loadFile(path);
  if (problem === "missing") throw new BadInputError(`There is no file ${path}.`, "Check its name.");
  if (faults.length === 0) return links;
  throw unusable(faults.map(({ line, sentence }) => located(path, { line, sentence: `${sentence}.` })));
}

interface FileRead {
  readonly links: readonly BookLink[];
  readonly problem: AddressBook["problem"];
  /** Entries that cannot be used; the sentences have no full stop. */
  readonly faults: readonly LineFault[];
}

/** What was last made of each file: a run reads the books twice, and nearly all of that is parsing. */
const lastReads = new Map<string, { readonly text: string; readonly read: FileRead }>();

function loadFile(path: string): FileRead {
  const file = loadText(path);
  if (file === undefined) return { links: [], problem: "missing", faults: [] };
  const last = lastReads.get(path);
  if (last?.text === file.text) return last.read;
  const read = readText(path, file.text);
  lastReads.set(path, { text: file.text, read });
  return read;
}

/** `path` is for messages. */
function readText(path: string, text: string): FileRead {
  const { root, faults } = parseYaml(text);
  if (faults.length > 0) throw unusable(faults.map((fault) => located(path, fault)));
  if (root === undefined || (root.kind === "scalar" && root.value === null))
    return { links: [], problem: "empty", faults: [] };
  if (root.kind !== "map")
    throw unusable([
      located(path, { line: root.line, sentence: "this is no map of fans and their accounts." }),
    ]);

  const rows = root.entries.map(readRow);
  const links = distinct(rows.flatMap((row) => row.links));
  const problem = links.length === 0 ? "empty" : undefined;
  return { links, problem, faults: rows.flatMap((row) => row.faults) };
}

const unusable = (faults: readonly string[]) =>
  new BadInputError(
    faults.join("\n"),
    "Nothing was done. Mend the book: a fan's Fanvue uuid, a colon, and below it the accounts, one per line behind a dash.",
  );

interface Row {
  readonly links: readonly BookLink[];
  readonly faults: readonly LineFault[];
}

function readRow({ key, line, value }: Entry): Row {
  const fan = parseFanId(key);
  if (fan === undefined) return { links: [], faults: [{ line, sentence: `"${key}" is no Fanvue uuid` }] };
  const found = accountsOf(value).map((account) => readAccount(fan, account));
  return {
    links: found.flatMap((entry) => ("fan" in entry ? entry : [])),
    faults: found.flatMap((entry) => ("fan" in entry ? [] : entry)),
  };
}

/** A single account may stand behind the colon; a fan without one yet is in order. */
function accountsOf(value: Branch): readonly Branch[] {
  if (value.kind === "list") return value.items;
  return value.kind === "scalar" && value.value === null ? [] : [value];
}

function readAccount(fan: FanId, written: Branch): BookLink | LineFault {
  const text = written.kind === "scalar" ? String(written.value).trim() : "";
  const discord = parseDiscordUserId(text);
  if (discord !== undefined) return { fan, platform: "discord", account: discord };
  const mxid = parseMxid(text);
  if (mxid !== undefined) return { fan, platform: "matrix", account: mxid };
  return {
    line: written.line,
    sentence: `${text === "" ? "this" : `"${text}"`} is neither a Discord user's id nor a Matrix user's`,
  };
}

function distinct(links: readonly BookLink[]): readonly BookLink[] {
  return [...new Map(links.map((link) => [`${link.fan} ${link.account}`, link])).values()];
}
