/**
 * Locks between processes that the kernel releases at their death, whatever killed them: no stale locks, no guessing
 * by the clock or by process ids.
 *
 * A lock is an exclusive transaction of Node's own SQLite on an empty file, which means an fcntl lock of the kernel
 * (https://sqlite.org/lockingv3.html). Node offers no such lock by itself. This second SQLite engine beside sql.js is
 * used for locking only and never writes a byte: sql.js lives in memory and has no locks.
 */
import { closeSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { createPrivateFile, diskTrouble, errorCode, makePrivateFolder } from "./db/disk.ts";
import type { BusyError } from "./errors.ts";

/** database: its file · fanvue-token: refreshing it · notices: telling the owner · upsell: one listener · daemon: one of them · the others: one run per platform. */
export type LockName =
  "database" | "fanvue-token" | "discord" | "matrix" | "fanvue-lists" | "notices" | "upsell" | "daemon";

export interface LockOptions {
  /** How long to wait for another holder before giving up. */
  readonly waitMs: number;
  /** Makes the error that is thrown then: it knows what is busy and what to do. */
  readonly busy: () => BusyError;
  /** Ends the waiting, not the work under the lock. */
  readonly signal?: AbortSignal | undefined;
}

/** The file of a lock inside a data folder. */
export const lockPath = (dataDir: string, name: LockName): string => join(dataDir, "locks", `${name}.lock`);

const shortestPauseMs = 5;
/** How long who waits for a lock leaves it alone between two looks, at most. */
export const longestPauseMs = 20;

/**
 * Runs `fn` while this call alone, among all processes and all callers of this one, holds the lock file at `path`
 * (made where it is missing, in a private folder). Locks are not reentrant: taking one's own again waits in vain.
 * Throws what `busy` makes when another holder stays longer than `waitMs`, the signal's reason when it is aborted while
 * waiting, an OperatorError when the file cannot be used, and whatever `fn` throws.
 */
export async function withLock<T>(path: string, options: LockOptions, fn: () => T | Promise<T>): Promise<T> {
  const holder = openLockFile(path);
  try {
    await acquire(holder, path, options);
    return await fn();
  } finally {
    holder.close();
  }
}

/**
 * To be called under the lock. The result says whether the locked file still stands at its path: it does not where the
 * folder was replaced, by a restored copy for example, whose own lock anybody may take. It cannot be mistaken for another
 * one: its inode lives while we hold it.
 */
export function watchLockFile(path: string): () => boolean {
  const locked = identityOf(path);
  return () => identityOf(path) === locked;
}

function identityOf(path: string): string {
  try {
    const { dev, ino } = statSync(path);
    return `${dev} ${ino}`;
  } catch (error) {
    return errorCode(error) ?? "unknown";
  }
}

function openLockFile(path: string): DatabaseSync {
  makePrivateFolder(dirname(path));
  try {
    createEmpty(path);
    return new DatabaseSync(path, { timeout: 0 });
  } catch (error) {
    throw diskTrouble(`use the lock file ${path}`, error);
  }
}

/**
 * Only ever opens a file that it makes. Closing any descriptor of a file drops all fcntl locks that this process holds
 * on it (https://sqlite.org/howtocorrupt.html, 2.2): opening an existing lock file here would release a neighbour's.
 */
function createEmpty(path: string): void {
  try {
    closeSync(createPrivateFile(path));
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
}

async function acquire(holder: DatabaseSync, path: string, options: LockOptions): Promise<void> {
  const { signal } = options;
  const startedMs = performance.now();
  let pauseMs = shortestPauseMs;
  while (!tryLock(holder, path)) {
    if (performance.now() - startedMs >= options.waitMs) throw options.busy();
    signal?.throwIfAborted();
    await pause(pauseMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}

function tryLock(holder: DatabaseSync, path: string): boolean {
  try {
    holder.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (isBusy(error)) return false;
    throw diskTrouble(`lock ${path}`, error);
  }
}

/** https://sqlite.org/rescode.html#busy; the upper bytes of a code tell its kind. */
const sqliteBusy = 5;
const isBusy = (error: unknown): boolean =>
  error instanceof Error &&
  "errcode" in error &&
  typeof error.errcode === "number" &&
  (error.errcode & 0xff) === sqliteBusy;
