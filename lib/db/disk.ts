/** The data folder on disk: private folders, whole-file replacement that a crash cannot tear, troubles as sentences. */
import * as fs from "node:fs";
import { dirname, resolve } from "node:path";
import { BadInputError, NotNowError, OperatorError } from "../errors.ts";

/** The calls of node:fs that touch the data folder. Tests hand in one that fails on cue. */
export type FileSystem = Pick<
  typeof fs,
  | "chmodSync"
  | "chownSync"
  | "closeSync"
  | "existsSync"
  | "fchownSync"
  | "fsyncSync"
  | "mkdirSync"
  | "openSync"
  | "readSync"
  | "renameSync"
  | "rmSync"
  | "statSync"
  | "writeFileSync"
> & {
  readFileSync(file: number): Uint8Array;
  readdirSync(path: string): readonly string[];
};

const folderMode = 0o700;
const privateFileMode = 0o600;
const othersMayUse = 0o077;

const isErrno = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && "code" in error;

/** The system's code of an error, such as "ENOENT"; undefined where it is none of the system's. */
export const errorCode = (error: unknown): string | undefined => (isErrno(error) ? error.code : undefined);

/** What SQLite says of a disk, as the system says it: https://sqlite.org/rescode.html */
const sqliteCodes: ReadonlyMap<number, string> = new Map([
  [10, "EIO"],
  [13, "ENOSPC"],
]);

/** The lower byte of SQLite's own code tells the kind of trouble. */
const diskCode = (error: unknown): string =>
  error instanceof Error && "errcode" in error && typeof error.errcode === "number"
    ? (sqliteCodes.get(error.errcode & 0xff) ?? "")
    : (errorCode(error) ?? "");

/** A disk's refusal as a sentence with a remedy. `doing` completes "Cannot …", such as "write data/fanvue-sync.db". */
export function diskTrouble(doing: string, error: unknown): OperatorError {
  if (error instanceof OperatorError) return error;
  const { fact, remedy } = explain(error);
  const Trouble = passing.has(diskCode(error)) ? NotNowError : BadInputError;
  return new Trouble(`Cannot ${doing}: ${fact}.`, remedy, error);
}

/** What may end without anybody changing how the program is run. */
const passing: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENFILE"]);

function explain(error: unknown): { fact: string; remedy: string } {
  switch (diskCode(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return { fact: "the disk is full", remedy: "Free some space and run it again; nothing was changed." };
    case "EACCES":
    case "EPERM":
      return {
        fact: "this user may not",
        remedy: "Run it as the user who owns the data folder, or give the folder to this one (chown -R).",
      };
    case "EROFS":
      return {
        fact: "the disk is read-only",
        remedy: "Put the data folder on a disk that can be written (--data DIR).",
      };
    case "ENOTDIR":
    case "EEXIST":
      return {
        fact: "a file stands where a folder is needed",
        remedy: "Move that file away, or name another folder with --data DIR.",
      };
    case "EISDIR":
      return {
        fact: "a folder stands where the file should be",
        remedy: "Move that folder away and run it again.",
      };
    default:
      return {
        fact: error instanceof Error ? error.message : String(error),
        remedy: "Check the disk and the data folder, then run it again.",
      };
  }
}

/**
 * Whom something new in a folder is to belong to, where that is not whoever makes it. What root leaves in the folder of a
 * service that runs as another user would be closed to that service.
 */
function heirIn(folder: string, files: FileSystem): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const { uid, gid } = files.statSync(folder);
  return uid === 0 ? undefined : { uid, gid };
}

/**
 * Makes a file that is not there yet, for its owner alone, and gives its descriptor. One that root makes belongs to the
 * owner of the folder. Throws what the disk throws.
 */
export function createPrivateFile(path: string, files: FileSystem = fs): number {
  const file = files.openSync(path, "wx", privateFileMode);
  try {
    const heir = heirIn(dirname(path), files);
    if (heir !== undefined) files.fchownSync(file, heir.uid, heir.gid);
    return file;
  } catch (error) {
    files.closeSync(file);
    throw error;
  }
}

/**
 * Makes a folder, and those above it, that only its owner may enter. One that is there stays as it is; those that root
 * makes belong to the owner of the folder in which the first of them lies.
 * Throws an OperatorError where the disk refuses.
 */
export function makePrivateFolder(path: string, files: FileSystem = fs): void {
  try {
    const first = files.mkdirSync(path, { recursive: true, mode: folderMode });
    if (first === undefined) return;
    const heir = heirIn(dirname(resolve(first)), files);
    if (heir === undefined) return;
    for (const folder of foldersFrom(resolve(first), resolve(path)))
      files.chownSync(folder, heir.uid, heir.gid);
  } catch (error) {
    throw diskTrouble(`use the folder ${path}`, error);
  }
}

/** From `first` down to `last`, both among them. */
const foldersFrom = (first: string, last: string): readonly string[] =>
  first === last ? [first] : [...foldersFrom(first, dirname(last)), last];

/** A crontab's log beside the data, also one that was rotated, is no one else's. */
const logName = /\.log(?:\.|$)/;

const isOurs = (name: string): boolean =>
  name === ".gitkeep" || name === "locks" || name.startsWith("fanvue-") || logName.test(name);

/**
 * Makes the data folder, and closes it to others where it stands open, as after a git clone. A folder that holds other
 * things, too, is not ours to close: think of `--data /tmp`. Our files are private in any case.
 */
export function makeDataFolder(path: string, files: FileSystem = fs): void {
  makePrivateFolder(path, files);
  try {
    const isOpen = (files.statSync(path).mode & othersMayUse) !== 0;
    if (isOpen && files.readdirSync(path).every(isOurs)) files.chmodSync(path, folderMode);
  } catch (error) {
    throw diskTrouble(`close the folder ${path} to others`, error);
  }
}

/**
 * Replaces a file whole, durably: after a crash there is the old or the new content, never a mixture. The caller holds
 * the lock of that file, so a temp file that is found there has no writer any more and is thrown away.
 * Throws an OperatorError where the disk refuses; the old content stands then and no temp file is left.
 */
export function replaceFile(path: string, bytes: Uint8Array, files: FileSystem = fs): void {
  const temp = `${path}.new`;
  try {
    files.rmSync(temp, { force: true });
    writeDurably(temp, bytes, files);
    files.renameSync(temp, path);
    fsyncFolder(dirname(path), files);
  } catch (error) {
    removeIfPossible(temp, files);
    throw diskTrouble(`write ${path}`, error);
  }
}

function writeDurably(path: string, bytes: Uint8Array, files: FileSystem): void {
  const file = createPrivateFile(path, files);
  try {
    files.writeFileSync(file, bytes);
    files.fsyncSync(file);
  } finally {
    files.closeSync(file);
  }
}

/** Without it, a power cut after the rename may bring the old file back. */
function fsyncFolder(path: string, files: FileSystem): void {
  const folder = files.openSync(path, "r");
  try {
    files.fsyncSync(folder);
  } finally {
    files.closeSync(folder);
  }
}

/** The first trouble is the one to tell of; the next write tries again to clean up. */
function removeIfPossible(path: string, files: FileSystem): void {
  try {
    files.rmSync(path, { force: true });
  } catch {
    return;
  }
}
