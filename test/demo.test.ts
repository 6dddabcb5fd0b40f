/** `npm run demo`: the whole story with its summary, and nothing left behind, also when somebody ends it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { text } from "node:stream/consumers";
import { createInterface } from "node:readline";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { temporaryFolder } from "./harness.ts";

const script = fileURLToPath(new URL("sandbox/demo.ts", import.meta.url));

/** What the demo has in there at the moment. */
const installationsIn = (folder: string) =>
  readdirSync(folder).filter((name) => name.startsWith("fanvue-sync-demo-"));

/** The demo's own temporary folder lies in `folder`. */
function start(test: TestContext, folder: string) {
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, NODE_NO_WARNINGS: "1", TMPDIR: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  test.after(() => child.kill("SIGKILL"));
  return child;
}

it("lets fans in, takes some out, harms nobody, and says so in its last line", async (test) => {
  const folder = temporaryFolder(test);
  const child = start(test, folder);
  const [told] = await Promise.all([text(child.stdout), once(child, "exit")]);
  const lastLine = told.trimEnd().split("\n").at(-1);
  assert.doesNotMatch(told, /(?!\n)\p{Cc}/u, "it is plain text where its output is no terminal");
  const summary = "demo: 12 fans let in, 3 taken out, 0 harmed by 4 faults, 2 removals held for approval";
  assert.equal(lastLine, summary, told);
  assert.equal(child.exitCode, 0);
  assert.deepEqual(installationsIn(folder), []);
});

it("stops its script and removes its folder when it is ended in the middle", async (test) => {
  const folder = temporaryFolder(test);
  const child = start(test, folder);
  for await (const line of createInterface(child.stdout)) if (line.startsWith("$ npm run sync")) break;
  assert.equal(installationsIn(folder).length, 1);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [143, null]);
  assert.deepEqual(installationsIn(folder), []);
});
