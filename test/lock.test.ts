/** Locks between processes, tried with real processes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BadInputError, BusyError } from "../lib/errors.ts";
import { lockPath, watchLockFile, withLock } from "../lib/lock.ts";
import { killChild, nextLine, startChild } from "./children/start.ts";
import { temporaryFolder } from "./harness.ts";

const busy = () => new BusyError("Somebody else is at it.", "Wait.");
const patient = { waitMs: 60_000, busy };
const impatient = { waitMs: 0, busy };

test("callers in one process take turns", async (t) => {
  const path = lockPath(temporaryFolder(t), "matrix");
  let inside = 0;
  const seen: number[] = [];
  const turn = () =>
    withLock(path, patient, async () => {
      inside += 1;
      seen.push(inside);
      await new Promise(setImmediate);
      inside -= 1;
    });
  await Promise.all([turn(), turn(), turn(), turn()]);
  assert.deepEqual(seen, [1, 1, 1, 1]);
});

test("withLock gives back what the work returns, and lets go when the work throws", async (t) => {
  const path = lockPath(temporaryFolder(t), "matrix");
  await assert.rejects(
    withLock(path, impatient, () => Promise.reject(new Error("work failed"))),
    /work failed/,
  );
  assert.equal(await withLock(path, impatient, () => Promise.resolve(7)), 7);
});

test("different names do not wait for each other", async (t) => {
  const folder = temporaryFolder(t);
  const inner = () => withLock(lockPath(folder, "matrix"), impatient, () => Promise.resolve("both"));
  assert.equal(await withLock(lockPath(folder, "discord"), impatient, inner), "both");
});

test("who waits longer than waitMs for another process gets the busy error", async (t) => {
  const path = lockPath(temporaryFolder(t), "discord");
  const holder = startChild(t, "lock-holder", [path, "0"]);
  assert.equal(await nextLine(holder), "held");
  await assert.rejects(
    withLock(path, { waitMs: 30, busy }, () => Promise.resolve()),
    BusyError,
  );
});

test("the kernel releases the lock of a killed process", async (t) => {
  const path = lockPath(temporaryFolder(t), "discord");
  const holder = startChild(t, "lock-holder", [path, "0"]);
  assert.equal(await nextLine(holder), "held");
  await killChild(holder);
  assert.equal(await withLock(path, impatient, () => Promise.resolve("mine")), "mine");
});

test("who waits gets the lock when its holder ends", async (t) => {
  const path = lockPath(temporaryFolder(t), "discord");
  const holder = startChild(t, "lock-holder", [path, "0"]);
  assert.equal(await nextLine(holder), "held");
  const waiting = withLock(path, patient, () => Promise.resolve("mine"));
  holder.process.stdin?.end();
  assert.equal(await waiting, "mine");
});

test("a second caller that gives up does not release the first caller's lock for other processes", async (t) => {
  const path = lockPath(temporaryFolder(t), "database");
  await withLock(path, impatient, async () => {
    await assert.rejects(
      withLock(path, impatient, () => Promise.resolve()),
      BusyError,
    );
    assert.equal(await nextLine(startChild(t, "lock-holder", [path, "0"])), "busy");
  });
});

test("an aborted signal ends the waiting with its reason", async (t) => {
  const path = lockPath(temporaryFolder(t), "matrix");
  const stop = new AbortController();
  const reason = new Error("stopped by a person");
  await withLock(path, impatient, async () => {
    const waiting = withLock(path, { ...patient, signal: stop.signal }, () => Promise.resolve());
    stop.abort(reason);
    await assert.rejects(waiting, reason);
  });
});

test("an aborted signal does not hinder who need not wait", async (t) => {
  const path = lockPath(temporaryFolder(t), "matrix");
  const options = { ...impatient, signal: AbortSignal.abort() };
  assert.equal(await withLock(path, options, () => Promise.resolve("mine")), "mine");
});

test("the lock file is empty and private, its folder too", async (t) => {
  const folder = temporaryFolder(t);
  const path = lockPath(folder, "matrix");
  await withLock(path, impatient, () => Promise.resolve());
  assert.equal(statSync(path).size, 0);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, "locks")).mode & 0o777, 0o700);
});

test("a file in the place of the folder is named, and left alone", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "locks"), "mine");
  await assert.rejects(
    withLock(lockPath(folder, "matrix"), impatient, () => Promise.resolve()),
    (error) => error instanceof BadInputError && error.message.includes(join(folder, "locks")),
  );
  assert.equal(readFileSync(join(folder, "locks"), "utf8"), "mine");
});

test("a folder in the place of the lock file is named", async (t) => {
  const path = lockPath(temporaryFolder(t), "matrix");
  mkdirSync(path, { recursive: true });
  await assert.rejects(
    withLock(path, impatient, () => Promise.resolve()),
    (error) => error instanceof BadInputError && error.message.includes(path),
  );
});

test("whoever holds a lock can tell when another folder stands in the place of theirs", async (t) => {
  const folder = join(temporaryFolder(t), "data");
  const path = lockPath(folder, "daemon");
  await withLock(path, impatient, async () => {
    const isThere = watchLockFile(path);
    assert.ok(isThere());
    renameSync(folder, `${folder}-before`);
    assert.ok(!isThere(), "taken away");
    cpSync(`${folder}-before`, folder, { recursive: true });
    assert.ok(!isThere(), "another one");
    assert.equal(await withLock(path, impatient, () => "taken"), "taken", "it keeps nobody away");
    rmSync(folder, { recursive: true });
    renameSync(`${folder}-before`, folder);
    assert.ok(isThere(), "back");
  });
});

test("a disk on which no byte can be written is no mistake of the operator's, and may be tried again", async (t) => {
  const path = lockPath(temporaryFolder(t), "daemon");
  await withLock(path, impatient, () => Promise.resolve());
  const { status, stdout } = spawnSync(
    "sh",
    [
      "-c",
      'ulimit -f 0; exec "$0" "$@"',
      process.execPath,
      join(import.meta.dirname, "children", "lock-holder.ts"),
      path,
    ],
    { encoding: "utf8" },
  );
  assert.deepEqual([stdout, status], [`75 Cannot lock ${path}: disk I/O error.\n`, 0]);
});
