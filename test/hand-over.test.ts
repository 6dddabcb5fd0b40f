/** A service that runs as a user of its own, and root who types commands beside it. Needs root. */
import assert from "node:assert/strict";
import { chownSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openDatabase } from "../lib/db.ts";
import { BusyError } from "../lib/errors.ts";
import { storeToken } from "../lib/fanvue/token.ts";
import { lockPath, withLock } from "../lib/lock.ts";
import { saveMeta } from "../lib/store/meta.ts";
import { temporaryFolder } from "./harness.ts";

/** A user who is not root. */
const nobody = 65_534;
const asRoot = { skip: process.getuid?.() === 0 ? false : "only root can give files away" };

const noWait = { waitMs: 0, busy: () => new BusyError("It is busy.", "Wait.") };

/** Compares what a folder holds, and whose that is. */
function assertTheirs(folder: string, names: readonly string[]): void {
  const owners = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => {
    const { uid, gid } = statSync(join(folder, name));
    return [name, uid, gid];
  });
  assert.deepEqual(
    owners.sort(),
    names.map((name) => [name, nobody, nobody]),
  );
}

test(
  "what root writes belongs to the owner of the folder: database, token, locks and folders",
  asRoot,
  async (t) => {
    const folder = temporaryFolder(t);
    chownSync(folder, nobody, nobody);
    const dataDir = join(folder, "all", "data");
    await openDatabase(dataDir).write((sql) => {
      saveMeta(sql, "answer", "42");
    });
    const token = { accessToken: "a", refreshToken: "r", expiresAtMs: 0, scopes: [], creatorUuid: undefined };
    await storeToken(dataDir, token, new AbortController().signal);
    await withLock(lockPath(dataDir, "daemon"), noWait, () => {
      assertTheirs(folder, [
        "all",
        "all/data",
        "all/data/fanvue-sync.db",
        "all/data/fanvue-token.json",
        "all/data/locks",
        "all/data/locks/daemon.lock",
        "all/data/locks/daemon.lock-journal",
        "all/data/locks/database.lock",
        "all/data/locks/fanvue-token.lock",
      ]);
    });
  },
);
