/** The database file: nothing acknowledged is lost, nothing is replaced silently, nothing is torn. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { type Database, openDatabase, type Sql } from "../lib/db.ts";
import { BadInputError, BusyError, OperatorError } from "../lib/errors.ts";
import { lockPath } from "../lib/lock.ts";
import { loadLinkEvents } from "../lib/store/link-events.ts";
import { loadBlocks } from "../lib/store/links.ts";
import { loadMeta, saveMeta } from "../lib/store/meta.ts";
import { nextLine, startChild } from "./children/start.ts";
import { temporaryFolder } from "./harness.ts";

const put = (key: string, value: string) => (sql: Sql) => {
  saveMeta(sql, key, value);
};
const take = (key: string) => (sql: Sql) => loadMeta(sql, key);
const modeOf = (path: string) => fs.statSync(path).mode & 0o777;
const keys = (sql: Sql) => sql.all("SELECT key FROM meta ORDER BY key").map((row) => row["key"]);

/** A data folder with a database that holds `answer`. */
async function filled(
  t: Parameters<typeof temporaryFolder>[0],
): Promise<{ dataDir: string; database: Database }> {
  const dataDir = temporaryFolder(t);
  const database = openDatabase(dataDir);
  await database.write(put("answer", "42"));
  return { dataDir, database };
}

// ---- Reading and writing ----------------------------------------------------------------------------------------

test("reading where there is no file finds an empty database and creates nothing", async (t) => {
  const dataDir = join(temporaryFolder(t), "data");
  const database = openDatabase(dataDir);
  assert.equal(await database.read(take("answer")), undefined);
  assert.equal(database.exists(), false);
  assert.equal(fs.existsSync(dataDir), false);
});

test("what was written is there for another process's eyes", async (t) => {
  const { dataDir, database } = await filled(t);
  assert.equal(database.exists(), true);
  assert.equal(await openDatabase(dataDir).read(take("answer")), "42");
});

test("a reader sees what others wrote since, and reads the file again only then", async (t) => {
  const { dataDir, database } = await filled(t);
  let wholeReads = 0;
  const readFileSync = (file: number) => {
    wholeReads += 1;
    return fs.readFileSync(file);
  };
  const reader = openDatabase(dataDir, { fileSystem: { ...fs, readFileSync } });
  assert.equal(await reader.read(take("answer")), "42");
  assert.equal(await reader.read(take("answer")), "42");
  assert.equal(wholeReads, 1);
  await database.write(put("answer", "43"));
  assert.equal(await reader.read(take("answer")), "43");
  assert.equal(wholeReads, 2);
});

test("a writer builds on what others wrote since its last look", async (t) => {
  const { dataDir, database } = await filled(t);
  await openDatabase(dataDir).write(put("theirs", "1"));
  await database.write(put("ours", "2"));
  assert.deepEqual(await openDatabase(dataDir).read(keys), ["answer", "ours", "theirs"]);
});

test("a restored backup is noticed, although it was written as often as the file it replaces", async (t) => {
  const { database } = await filled(t);
  const backup = fs.readFileSync(database.path);
  await database.write(put("answer", "43"));
  fs.writeFileSync(database.path, backup);
  assert.equal(await database.read(take("answer")), "42");
  await database.write(put("answer", "44"));
  const other = fs.readFileSync(database.path);
  fs.writeFileSync(database.path, backup);
  await openDatabase(join(database.path, "..")).write(put("answer", "45"));
  assert.equal(fs.readFileSync(database.path).readUInt32BE(24), other.readUInt32BE(24));
  assert.equal(await database.read(take("answer")), "45");
});

test("a file that is moved away while we run is begun anew", async (t) => {
  const { database } = await filled(t);
  fs.renameSync(database.path, `${database.path}.moved`);
  assert.equal(await database.read(take("answer")), undefined);
});

test("a function that throws changes nothing, on the disk or in memory", async (t) => {
  const { database } = await filled(t);
  const before = fs.readFileSync(database.path);
  const failing = database.write((sql) => {
    saveMeta(sql, "answer", "wrong");
    throw new Error("on second thoughts");
  });
  await assert.rejects(failing, /on second thoughts/);
  assert.deepEqual(fs.readFileSync(database.path), before);
  assert.equal(await database.read(take("answer")), "42");
});

test("reading cannot write", async (t) => {
  const { database } = await filled(t);
  await assert.rejects(database.read(put("answer", "43")), /readonly/);
  assert.equal(await database.read(take("answer")), "42");
});

test("an async function is refused, since its writes would come after the transaction", async (t) => {
  const { database } = await filled(t);
  await assert.rejects(
    database.write(() => Promise.resolve("later")),
    TypeError,
  );
  assert.equal(await database.read(take("answer")), "42");
});

test("a transaction that is over takes no more statements", async (t) => {
  const { database } = await filled(t);
  const late = await database.write((sql) => () => {
    saveMeta(sql, "answer", "43");
  });
  assert.throws(late, /over/);
  assert.equal(await database.read(take("answer")), "42");
});

test("numbers that sql.js would round are refused", async (t) => {
  const { database } = await filled(t);
  const save = (number: number) => (sql: Sql) => {
    sql.run("INSERT INTO unreadable_fans VALUES ('a', ?)", [number]);
  };
  await assert.rejects(database.write(save(2 ** 53)), RangeError);
  await assert.rejects(database.write(save(Number.NaN)), RangeError);
  await database.write(save(2 ** 53 - 1));
  const row = await database.read((sql) => sql.get("SELECT since_ms FROM unreadable_fans"));
  assert.deepEqual(row, { since_ms: 2 ** 53 - 1 });
});

test("an absent row is undefined", async (t) => {
  const { database } = await filled(t);
  assert.equal(await database.read((sql) => sql.get("SELECT * FROM meta WHERE key = 'none'")), undefined);
});

test("foreign keys hold after a write, too", async (t) => {
  const { database } = await filled(t);
  const orphan = (sql: Sql) => {
    sql.run("INSERT INTO list_members (list, fan) VALUES ('none', 'x')");
  };
  await assert.rejects(database.write(orphan), /FOREIGN KEY/);
  await database.write(put("answer", "43"));
  await assert.rejects(database.write(orphan), /FOREIGN KEY/);
});

// ---- The file ---------------------------------------------------------------------------------------------------

test("the data folder is closed to others, and so are its files", async (t) => {
  const dataDir = join(temporaryFolder(t), "data");
  fs.mkdirSync(dataDir, { mode: 0o755 });
  for (const name of [".gitkeep", "sync.log", "sync.log.1.gz"]) fs.writeFileSync(join(dataDir, name), "");
  const database = openDatabase(dataDir);
  await database.write(put("answer", "42"));
  assert.equal(modeOf(dataDir), 0o700);
  assert.equal(modeOf(database.path), 0o600);
});

test("a data folder that holds other things, too, is not closed to others", async (t) => {
  const dataDir = join(temporaryFolder(t), "shared");
  fs.mkdirSync(dataDir, { mode: 0o755 });
  fs.writeFileSync(join(dataDir, "somebody's letter"), "");
  const database = openDatabase(dataDir);
  await database.write(put("answer", "42"));
  assert.equal(modeOf(dataDir), 0o755);
  assert.equal(modeOf(database.path), 0o600);
  assert.equal(modeOf(join(dataDir, "locks")), 0o700);
});

test("the file is a sound SQLite file of STRICT tables", async (t) => {
  const { database } = await filled(t);
  const sqlite = new DatabaseSync(database.path, { readOnly: true });
  t.after(() => {
    sqlite.close();
  });
  assert.deepEqual({ ...sqlite.prepare("PRAGMA integrity_check").get() }, { integrity_check: "ok" });
  const lax = sqlite.prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0");
  assert.deepEqual(
    lax
      .all()
      .map(({ name }) => name)
      .sort(),
    ["sqlite_schema", "sqlite_sequence"],
  );
});

test("what another SQLite program changes is noticed", async (t) => {
  const { database } = await filled(t);
  const sqlite = new DatabaseSync(database.path);
  sqlite.exec("UPDATE meta SET value = '43' WHERE key = 'answer'");
  sqlite.close();
  assert.equal(await database.read(take("answer")), "43");
});

/** Tries to use the file: it must be refused as an operator's error, with a remedy, and be left as it is. */
async function assertRefused(path: string, sentence: RegExp, remedy: RegExp): Promise<void> {
  const before = fs.readFileSync(path);
  const database = openDatabase(join(path, ".."));
  for (const attempt of [database.read(take("answer")), database.write(put("answer", "43"))]) {
    await assert.rejects(attempt, (error) => {
      assert.ok(error instanceof BadInputError, String(error));
      assert.match(error.message, sentence);
      assert.ok(error.message.includes(path));
      assert.match(error.remedy, remedy);
      return true;
    });
  }
  assert.deepEqual(fs.readFileSync(path), before);
  assert.deepEqual(fs.readdirSync(join(path, "..")).sort(), ["fanvue-sync.db", "locks"]);
}

const damages: Readonly<Record<string, (whole: Buffer) => Uint8Array>> = {
  "an empty file": () => Buffer.alloc(0),
  "a text": () => Buffer.from("not a database at all\n".repeat(500)),
  "a file cut within the header": (whole) => whole.subarray(0, 60),
  "a file cut at a page": (whole) => whole.subarray(0, 8192),
  "a file cut within a page": (whole) => whole.subarray(0, whole.length - 100),
  "a file with a page of rubbish": (whole) => Buffer.from(whole).fill(0xa5, 8192, 12288),
  "a file whose schema is rubbish": (whole) => Buffer.from(whole).fill(0xa5, 100, 4096),
};
for (const [name, damage] of Object.entries(damages)) {
  test(`${name} is refused as damaged and never replaced`, async (t) => {
    const { database } = await filled(t);
    fs.writeFileSync(database.path, damage(fs.readFileSync(database.path)));
    await assertRefused(
      database.path,
      /is damaged/,
      /from a backup, or move it away.+links that were removed/,
    );
  });
}

test("a file that a newer version wrote is refused", async (t) => {
  const { database } = await filled(t);
  const sqlite = new DatabaseSync(database.path);
  sqlite.exec("PRAGMA user_version = 999");
  sqlite.close();
  await assertRefused(database.path, /newer version/, /Update fanvue-sync/);
});

/** The version that a file tells, and how its tables were made. */
function schemaOf(path: string): string {
  const sqlite = new DatabaseSync(path, { readOnly: true });
  const version = sqlite.prepare("PRAGMA user_version").get();
  const tables = sqlite.prepare("SELECT sql FROM sqlite_schema ORDER BY name").all();
  sqlite.close();
  return JSON.stringify([version, tables]);
}

test("a file of the first version is brought up to date with all that it holds", async (t) => {
  const dataDir = temporaryFolder(t);
  const path = openDatabase(dataDir).path;
  const sqlite = new DatabaseSync(path);
  sqlite.exec(fs.readFileSync(join(import.meta.dirname, "cases", "first-version.sql"), "utf8"));
  sqlite.close();
  const database = openDatabase(dataDir);
  const all = (query: string) => database.read((sql) => sql.all(query));
  const departures = "SELECT account, how, noticed_at_ms, ended_at_ms FROM departures";
  assert.deepEqual(await all(departures), [
    { account: "@ana:hs.org", how: "left", noticed_at_ms: 5, ended_at_ms: null },
  ]);
  assert.deepEqual(await all("SELECT target, account, first_seen_ms FROM arrivals"), [
    { target: "discord", account: "100000000000000001", first_seen_ms: 3 },
  ]);
  assert.deepEqual(await all("SELECT * FROM presences"), [
    { target: "discord", account: "100000000000000001", state: "there", kicks_known_to_ms: 3 },
  ]);
  const block = { platform: "matrix", account: "@ana:hs.org", fan: undefined } as const;
  assert.deepEqual(await database.read((sql) => loadBlocks(sql)), [
    { ...block, reason: "links remove", cause: "operator", createdAtMs: 7 },
  ]);
  assert.deepEqual(await database.read((sql) => loadLinkEvents(sql, 9)), [
    { ...block, atMs: 7, event: "removed", detail: "links remove" },
  ]);
  await database.write(put("answer", "42"));
  const { database: fresh } = await filled(t);
  assert.equal(schemaOf(path), schemaOf(fresh.path));
  assert.equal(await openDatabase(dataDir).read(take("answer")), "42");
  assert.equal((await all(departures)).length, 1);
});

test("a file of another program is refused", async (t) => {
  const { database } = await filled(t);
  fs.rmSync(database.path);
  const sqlite = new DatabaseSync(database.path);
  sqlite.exec("CREATE TABLE transactions (id TEXT)");
  sqlite.close();
  await assertRefused(database.path, /another program/, /Move it away/);
});

test("a file in write-ahead mode is refused, since changes may lie beside it", async (t) => {
  const { database } = await filled(t);
  const sqlite = new DatabaseSync(database.path);
  sqlite.exec("PRAGMA journal_mode = WAL");
  sqlite.close();
  await assertRefused(database.path, /write-ahead/, /journal_mode = DELETE/);
});

test("a refused file that is mended is used again by the same process", async (t) => {
  const { database } = await filled(t);
  const whole = fs.readFileSync(database.path);
  fs.writeFileSync(database.path, "rubbish");
  await assert.rejects(database.read(take("answer")), BadInputError);
  fs.writeFileSync(database.path, whole);
  assert.equal(await database.read(take("answer")), "42");
});

test("a folder in the place of the file is named", async (t) => {
  const dataDir = temporaryFolder(t);
  const database = openDatabase(dataDir);
  fs.mkdirSync(database.path);
  await assert.rejects(database.read(take("answer")), /a folder stands where the file should be/);
  await assert.rejects(database.write(put("answer", "43")), /a folder stands where the file should be/);
});

test("a file in the place of the data folder is named", async (t) => {
  const dataDir = join(temporaryFolder(t), "data");
  fs.writeFileSync(dataDir, "");
  const database = openDatabase(dataDir);
  await assert.rejects(database.read(take("answer")), BadInputError);
  await assert.rejects(database.write(put("answer", "43")), /a file stands where a folder is needed/);
});

// ---- A disk that refuses ----------------------------------------------------------------------------------------

const refusal = (code: string) => () => {
  throw Object.assign(new Error(code), { code });
};
/** Those of 75 may end by themselves. */
const refusals: readonly [name: string, broken: Partial<typeof fs>, sentence: RegExp, exitCode: number][] = [
  ["a disk that is full at the write", { writeFileSync: refusal("ENOSPC") }, /the disk is full/, 75],
  ["a disk that is full at the flush", { fsyncSync: refusal("ENOSPC") }, /the disk is full/, 75],
  ["a disk that is full at the rename", { renameSync: refusal("ENOSPC") }, /the disk is full/, 75],
  ["a quota that is used up", { writeFileSync: refusal("EDQUOT") }, /the disk is full/, 75],
  ["a folder that we may not write", { rmSync: refusal("EACCES") }, /this user may not/, 2],
  ["a disk that is read-only", { mkdirSync: refusal("EROFS") }, /the disk is read-only/, 75],
  ["a disk that breaks", { writeFileSync: refusal("EIO") }, /EIO/, 75],
];
for (const [name, broken, sentence, exitCode] of refusals) {
  test(`${name}: a sentence, the old content stands, and no temp file is left`, async (t) => {
    const { dataDir, database } = await filled(t);
    const unlucky = openDatabase(dataDir, { fileSystem: { ...fs, ...broken } });
    await assert.rejects(unlucky.write(put("answer", "43")), (error) => {
      assert.ok(error instanceof OperatorError, String(error));
      assert.match(error.message, sentence);
      assert.equal(error.exitCode, exitCode);
      assert.notEqual(error.remedy, "");
      return true;
    });
    assert.equal(await unlucky.read(take("answer")), "42");
    assert.equal(await database.read(take("answer")), "42");
    assert.deepEqual(fs.readdirSync(dataDir).sort(), ["fanvue-sync.db", "locks"]);
  });
}

test("the file is flushed before it takes its name, and the folder after", async (t) => {
  const dataDir = temporaryFolder(t);
  const calls: string[] = [];
  const noted = {
    ...fs,
    fsyncSync: (file: number) => {
      calls.push(fs.fstatSync(file).isDirectory() ? "flush folder" : "flush file");
      fs.fsyncSync(file);
    },
    renameSync: (from: fs.PathLike, to: fs.PathLike) => {
      calls.push("rename");
      fs.renameSync(from, to);
    },
  };
  await openDatabase(dataDir, { fileSystem: noted }).write(put("answer", "42"));
  assert.deepEqual(calls, ["flush file", "rename", "flush folder"]);
});

test("the temp file of a writer that died is thrown away by the next write", async (t) => {
  const { dataDir, database } = await filled(t);
  fs.writeFileSync(`${database.path}.new`, "half a data");
  await database.write(put("answer", "43"));
  assert.deepEqual(fs.readdirSync(dataDir).sort(), ["fanvue-sync.db", "locks"]);
  assert.equal(await openDatabase(dataDir).read(take("answer")), "43");
});

// ---- Other processes --------------------------------------------------------------------------------------------

test("two processes that write a hundred rows each lose none", async (t) => {
  const dataDir = temporaryFolder(t);
  const writers = ["a", "b"].map((prefix) => startChild(t, "database-writer", [dataDir, prefix, "100"]));
  const acknowledged: string[] = [];
  const listen = async (writer: (typeof writers)[number]) => {
    for (let line = await nextLine(writer); line !== undefined; line = await nextLine(writer)) {
      acknowledged.push(line);
    }
  };
  await Promise.all(writers.map(listen));
  assert.equal(acknowledged.length, 200);
  assert.deepEqual(await openDatabase(dataDir).read(keys), acknowledged.sort());
});

test("writes of one process that overlap lose none", async (t) => {
  const dataDir = temporaryFolder(t);
  const databases = [openDatabase(dataDir), openDatabase(dataDir)];
  const names = Array.from({ length: 10 }, (_, number) => `row-${number}`);
  await Promise.all(
    names.flatMap((name) => databases.map((database, of) => database.write(put(`${name}-${of}`, "")))),
  );
  const expected = names.flatMap((name) => [`${name}-0`, `${name}-1`]).sort();
  assert.deepEqual(await openDatabase(dataDir).read(keys), expected);
});

test("writes of one process go in the order in which they were asked for, also after one that failed", async (t) => {
  const database = openDatabase(temporaryFolder(t));
  const order: number[] = [];
  const writes = Array.from({ length: 20 }, (_, number) =>
    database.write(() => {
      order.push(number);
      if (number === 3) throw new Error("not this one");
    }),
  );
  assert.equal((await Promise.allSettled(writes)).filter(({ status }) => status === "rejected").length, 1);
  assert.deepEqual(order, [...Array(20).keys()]);
});

test("a row of writes keeps neither other processes out nor the rest of this one", async (t) => {
  const { dataDir } = await filled(t);
  const [crowd, other] = [openDatabase(dataDir), openDatabase(dataDir)];
  let written = 0;
  let rounds = 0;
  const writes = Array.from({ length: 20 }, () => crowd.write(() => void (written += 1)));
  const counting = setInterval(() => void (rounds += 1), 1);
  t.after(() => {
    clearInterval(counting);
  });
  const writtenBefore = await other.write(() => written);
  await Promise.all(writes);
  assert.ok(writtenBefore < 10, String(writtenBefore));
  assert.ok(rounds >= 20, String(rounds));
});

test("more writes than may wait are told so at once, and those that wait go on", async (t) => {
  const database = openDatabase(temporaryFolder(t), { mostWaiting: 2 });
  const first = ["a", "b"].map((name) => database.write(put(name, "")));
  await assert.rejects(
    database.write(put("c", "")),
    (error) => error instanceof BusyError && /2 writes of this program wait already/.test(error.message),
  );
  await Promise.all(first);
  await database.write(put("d", ""));
  assert.deepEqual(await database.read(keys), ["a", "b", "d"]);
});

test("all that wait for another process give up together", async (t) => {
  const { dataDir } = await filled(t);
  const holder = startChild(t, "lock-holder", [lockPath(dataDir, "database"), "0"]);
  assert.equal(await nextLine(holder), "held");
  const database = openDatabase(dataDir, { lockWaitMs: 300 });
  const startedMs = performance.now();
  const waiting = Array.from({ length: 10 }, () => database.write(put("answer", "43")));
  for (const { status } of await Promise.allSettled(waiting)) assert.equal(status, "rejected");
  assert.ok(performance.now() - startedMs < 10 * 300);
});

test("who waits too long for another writer is told, and reading does not wait", async (t) => {
  const { dataDir } = await filled(t);
  const holder = startChild(t, "lock-holder", [lockPath(dataDir, "database"), "0"]);
  assert.equal(await nextLine(holder), "held");
  const database = openDatabase(dataDir, { lockWaitMs: 20 });
  await assert.rejects(database.write(put("answer", "43")), BusyError);
  assert.equal(await database.read(take("answer")), "42");
});
