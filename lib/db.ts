/**
 * The database: one SQLite file that sql.js holds in memory and writes back whole. Two processes that both hold it would
 * lose each other's writes, hence only `read` and `write`, both with a synchronous function and no network inside.
 */
import { randomInt } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { diskTrouble, errorCode, type FileSystem, makeDataFolder, replaceFile } from "./db/disk.ts";
import { type Engine, type Image, loadEngine, type Sql, transaction } from "./db/engine.ts";
import { damaged, generationOf, headerBytes, refuseBadHeader, stampGeneration } from "./db/header.ts";
import { migrate } from "./db/migrations.ts";
import { BusyError } from "./errors.ts";
import { lockPath, longestPauseMs, withLock } from "./lock.ts";

export type { Row, Sql, SqlValue } from "./db/engine.ts";

export interface Database {
  /** The file, whether it is there or not. */
  readonly path: string;
  exists(): boolean;
  /** Runs `fn` on the newest content; on an empty database, creating nothing, where there is no file. */
  read<T>(fn: (sql: Sql) => T): Promise<T>;
  /**
   * Runs `fn` alone among all processes and returns once its changes are on the disk for good.
   * What `fn` throws passes on, and nothing is written.
   */
  write<T>(fn: (sql: Sql) => T): Promise<T>;
}

export interface DatabaseOptions {
  readonly fileSystem?: FileSystem;
  /** How long a write waits for others, of this process and of other ones. */
  readonly lockWaitMs?: number;
  /** How many writes of this process may wait for their turn; one more is told at once that the database is busy. */
  readonly mostWaiting?: number;
}

/** What stands in memory, and the generation of the file that it equals; "" for no file. */
interface Memory {
  readonly image: Image;
  readonly generation: string;
}

const defaultLockWaitMs = 60_000;
const generationChances = 2 ** 32;

/**
 * The database of a data folder. Touches no disk before its first use. All calls throw an OperatorError with a remedy
 * when the file is damaged, newer than this program, or cannot be read or written; the file then stays as it was.
 */
export function openDatabase(dataDir: string, options: DatabaseOptions = {}): Database {
  const { fileSystem: files = fs, lockWaitMs = defaultLockWaitMs, mostWaiting = Infinity } = options;
  const path = join(dataDir, "fanvue-sync.db");
  const inTurn = createQueue({ mostWaiting, crowded: () => crowdedError(path, mostWaiting) });
  let memory: Memory | undefined;

  /** Runs `use` on the newest content. Memory outlives only what went well: it always equals a file. */
  const withNewest = <T>(engine: Engine, use: (newest: Memory) => { result: T; generation: string }): T => {
    const before = memory;
    let newest: Memory | undefined;
    memory = undefined;
    try {
      newest = loadNewest(engine, path, before, files);
      const { result, generation } = use(newest);
      memory = { image: newest.image, generation };
      return result;
    } finally {
      for (const image of new Set([before?.image, newest?.image])) {
        if (image !== memory?.image) image?.close();
      }
    }
  };

  return {
    path,
    exists: () => files.existsSync(path),
    async read(fn) {
      return withNewest(await loadEngine(), ({ image, generation }) => ({
        result: transaction(image, "read", fn),
        generation,
      }));
    },
    write(fn) {
      const startedMs = performance.now();
      return inTurn(async () => {
        const engine = await loadEngine();
        makeDataFolder(dataDir, files);
        const waitMs = Math.max(0, lockWaitMs - (performance.now() - startedMs));
        const busy = () => busyError(path, lockWaitMs);
        return withLock(lockPath(dataDir, "database"), { waitMs, busy }, () =>
          withNewest(engine, ({ image, generation }) => {
            const result = transaction(image, "write", fn);
            return { result, generation: saveImage(path, image, generation, files) };
          }),
        );
      });
    },
  };
}

/** Who waits for the lock in another process has looked at it meanwhile. */
const restMs = longestPauseMs + 5;

/**
 * One after the other in the order in which they come, so that a crowd of them is one that waits for the lock. Between two
 * of a row, other processes and the rest of this one get their turn.
 */
function createQueue({ mostWaiting, crowded }: { mostWaiting: number; crowded: () => BusyError }) {
  let last: Promise<unknown> = Promise.resolve();
  let [waiting, unfinished] = [0, 0];
  return async <T>(task: () => Promise<T>): Promise<T> => {
    if (waiting >= mostWaiting) throw crowded();
    const isFirst = unfinished === 0;
    waiting += 1;
    unfinished += 1;
    const turn = last.then(async () => {
      if (!isFirst) await pause(restMs);
      waiting -= 1;
      return task();
    });
    last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      unfinished -= 1;
    }
  };
}

/** Reads the file again only when its header shows another generation than memory. */
function loadNewest(engine: Engine, path: string, memory: Memory | undefined, files: FileSystem): Memory {
  const found = readUnless(path, memory?.generation, files);
  if (found === "unchanged" && memory !== undefined) return memory;
  if (found === undefined || found === "unchanged") {
    return { image: checkedImage(engine, path, undefined), generation: "" };
  }
  refuseBadHeader(path, found);
  return { image: checkedImage(engine, path, found), generation: generationOf(found) };
}

/** The bytes of the file, undefined where there is none, "unchanged" where it holds the generation that is `known`. */
function readUnless(
  path: string,
  known: string | undefined,
  files: FileSystem,
): Uint8Array | "unchanged" | undefined {
  try {
    const file = files.openSync(path, "r");
    try {
      const header = new Uint8Array(headerBytes);
      files.readSync(file, header, 0, headerBytes, 0);
      return generationOf(header) === known ? "unchanged" : files.readFileSync(file);
    } finally {
      files.closeSync(file);
    }
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw diskTrouble(`read ${path}`, error);
  }
}

/** A database in memory, found whole and brought to the newest schema. */
function checkedImage(engine: Engine, path: string, bytes: Uint8Array | undefined): Image {
  const image = new engine.Database(bytes);
  try {
    refuseBroken(path, image);
    migrate(path, image);
    return image;
  } catch (error) {
    image.close();
    throw error;
  }
}

function refuseBroken(path: string, image: Image): void {
  let fact: unknown;
  try {
    fact = image.exec("PRAGMA quick_check(1)")[0]?.values[0]?.[0];
  } catch (error) {
    throw damaged(path, error instanceof Error ? error.message : String(error), error);
  }
  if (fact !== "ok") throw damaged(path, String(fact));
}

/** Puts the image on the disk as the generation after `previous`, and returns that. */
function saveImage(path: string, image: Image, previous: string, files: FileSystem): string {
  const bytes = image.export();
  const generation = stampGeneration(bytes, previous, randomInt(generationChances));
  replaceFile(path, bytes, files);
  return generation;
}

const busyError = (path: string, waitMs: number): BusyError =>
  new BusyError(
    `${path} was kept busy by others for ${Math.round(waitMs / 1000)} seconds.`,
    "Look which other script is running, and run it again when that one has ended.",
  );

const crowdedError = (path: string, mostWaiting: number): BusyError =>
  new BusyError(
    `${path} is kept busy: ${mostWaiting} writes of this program wait already.`,
    "Try again in a moment. Where that lasts, look what else keeps the disk busy.",
  );
