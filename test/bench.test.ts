/** `npm run bench -- --quick`: that the bench itself works, and that a small creator's sync asks no more than it must. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("bench/bench.ts", import.meta.url));

it("measures both syncs of a thousand fans, the steady one close to the least", async (test) => {
  const child = spawn(process.execPath, [script, "--quick"], {
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  test.after(() => child.kill("SIGTERM"));
  const [told, complaints] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  assert.equal(child.exitCode, 0, complaints);
  const cells = told.split("\n").map((line) => line.trim().split(/ {2,}/));
  const syncs = cells.filter(([fans]) => fans === "1,000").map(([, subs, api, sync]) => [subs, api, sync]);
  assert.deepEqual(syncs, [
    ["250", "v1", "first"],
    ["250", "v1", "steady"],
  ]);
  assert.match(
    told,
    /^Matrix: 50 rooms with 2,000 members each, 25 of them by alias: 76 requests \(least 76\)/m,
  );
  assert.match(told, /^Discord: 200 members, 20 changes: 2\d requests \(least 22, 1\.\d\d times\), /m);
  assert.match(
    told,
    process.platform === "linux"
      ? /^Daemon at rest, 1,000 fans: daemon \d+ MB, link-server \d+ MB, upsell-listener \d+ MB\.$/m
      : /^Daemon: measured on Linux only\./m,
  );
  assert.match(
    told,
    /^bench: steady syncs stay within 1\.1 times the least, and rooms are read with one request/m,
  );
});
