/** The first 100 bytes of a SQLite file: whether it is one, how long it must be, and which generation it holds.
 * https://sqlite.org/fileformat2.html#the_database_header */
import { BadInputError } from "../errors.ts";

export const headerBytes = 100;

const magic = "SQLite format 3\0";
const offsets = {
  pageSize: 16,
  writeVersion: 18,
  changeCounter: 24,
  pageCount: 28,
  applicationId: 68,
  versionValidFor: 92,
} as const;
const walVersion = 2;

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Which write made a file. Two files with one generation hold the same; a file without a whole header has "". */
export function generationOf(bytes: Uint8Array): string {
  if (bytes.length < headerBytes) return "";
  const header = view(bytes);
  return [offsets.changeCounter, offsets.applicationId]
    .map((offset) => header.getUint32(offset).toString(16).padStart(8, "0"))
    .join("-");
}

/**
 * Marks exported bytes as a new generation after `previous` ("" for a first one), in place, and returns it.
 * SQLite's own change counter goes on by one, as other programs expect (sql.js leaves it alone); a counter alone would
 * take a backup with as many writes for the file it replaced, so chance is added in the application id.
 */
export function stampGeneration(bytes: Uint8Array, previous: string, chance: number): string {
  const header = view(bytes);
  const counter = (Number.parseInt(previous.slice(0, 8) || "0", 16) + 1) >>> 0;
  header.setUint32(offsets.changeCounter, counter);
  header.setUint32(offsets.versionValidFor, counter);
  header.setUint32(offsets.applicationId, chance);
  return generationOf(bytes);
}

/** Throws a BadInputError when the bytes of the file at `path` cannot be a whole SQLite database. */
export function refuseBadHeader(path: string, bytes: Uint8Array): void {
  if (
    bytes.length < headerBytes ||
    Buffer.from(bytes.subarray(0, magic.length)).toString("latin1") !== magic
  ) {
    throw damaged(path, "it does not begin like a SQLite file");
  }
  const header = view(bytes);
  if (header.getUint8(offsets.writeVersion) === walVersion) {
    throw new BadInputError(
      `${path} was switched to write-ahead logging by another program.`,
      `Switch it back: sqlite3 ${path} "PRAGMA journal_mode = DELETE"`,
    );
  }
  const storedPageSize = header.getUint16(offsets.pageSize);
  const wholeBytes = header.getUint32(offsets.pageCount) * (storedPageSize === 1 ? 65536 : storedPageSize);
  if (bytes.length < wholeBytes) {
    throw damaged(path, `it has ${bytes.length} bytes of ${wholeBytes}`);
  }
}

/** The error for a file that must not be used, and must not be replaced either. */
export const damaged = (path: string, fact: string, cause?: unknown): BadInputError =>
  new BadInputError(
    `${path} is damaged: ${fact}. It was left as it is.`,
    `Restore ${path} from a backup, or move it away. Without it the next run starts anew: it holds for approval whoever ` +
      "it finds in a place without being entitled to it, but knows no links that fans proved, nor what was entered with " +
      "npm run links, such as links that were removed. Enter those again before that run.",
    cause,
  );
