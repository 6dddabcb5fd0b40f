/** A kill at any moment loses nothing acknowledged, corrupts nothing and blocks nobody. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { openDatabase, type Sql } from "../../lib/db.ts";
import { saveMeta } from "../../lib/store/meta.ts";
import { type Child, killChild, nextLine, startChild } from "../children/start.ts";
import { temporaryFolder } from "../harness.ts";

const kills = 40;
const fillerRows = 20_000;

const keys = (sql: Sql) => new Set(sql.all("SELECT key FROM meta").map((row) => row["key"]));

/** Enough rows that exporting and writing the file takes most of a writer's time. */
function fill(sql: Sql): void {
  for (let row = 0; row < fillerRows; row += 1) saveMeta(sql, `filler-${row}`, "x".repeat(60));
}

/** All lines a child still says until it ends. */
async function restOf(child: Child): Promise<string[]> {
  const lines: string[] = [];
  for (let line = await nextLine(child); line !== undefined; line = await nextLine(child)) lines.push(line);
  return lines;
}

test(`${kills} writers killed at random moments lose no acknowledged row and leave no lock`, async (t) => {
  const dataDir = temporaryFolder(t);
  await openDatabase(dataDir).write(fill);
  const acknowledged = new Set<string>();
  let orphans = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const writer = startChild(t, "database-writer", [dataDir, `kill${kill}`, "1000000"]);
    const first = await nextLine(writer);
    assert.ok(first !== undefined);
    acknowledged.add(first);
    // Nothing is waited for here: it chooses the moment.
    await pause(randomInt(120));
    const rest = restOf(writer);
    await killChild(writer);
    for (const key of await rest) acknowledged.add(key);

    if (existsSync(`${openDatabase(dataDir).path}.new`)) orphans += 1;
    const survivor = openDatabase(dataDir, { lockWaitMs: 0 });
    const found = await survivor.read(keys);
    assert.deepEqual(
      [...acknowledged].filter((key) => !found.has(key)),
      [],
    );
    const own = `after-kill-${kill}`;
    await survivor.write((sql) => {
      saveMeta(sql, own, "");
    });
    acknowledged.add(own);
    assert.deepEqual(readdirSync(dataDir).sort(), ["fanvue-sync.db", "locks"]);
  }
  t.diagnostic(
    `${kills} kills, ${orphans} of them while the file was being written, ${acknowledged.size} rows acknowledged, 0 lost`,
  );
});
