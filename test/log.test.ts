import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./harness.ts";

const logModule = fileURLToPath(new URL("../lib/log.ts", import.meta.url));

/** What the log of a process writes, where stderr is no terminal. */
function logged(entry: object): string {
  const code = `import { createLog } from ${JSON.stringify(logModule)};
    createLog({ name: "try", verbose: true }).debug(${JSON.stringify(entry)}, "tried");`;
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
  assert.match(stderr, /"msg":"tried"/);
  return stderr;
}

test("error codes can be read in the log, what opens an account cannot", () => {
  const text = logged({
    failure: { code: 50_013 },
    code: "M_FORBIDDEN",
    access_token: "s1",
    oauth: { authorization_code: "s2", code_verifier: "s3" },
  });
  assert.match(text, /"code":50013/);
  assert.match(text, /"code":"M_FORBIDDEN"/);
  assert.doesNotMatch(text, /s1|s2|s3/);
});

test("a log that cannot be written, as on a full disk, does not end the work that it tells of", (t) => {
  const code = `import { createLog } from ${JSON.stringify(logModule)};
    const log = createLog({ name: "try", verbose: false });
    log.info("lost");
    setTimeout(() => { log.info("lost, too"); console.log("done"); }, 1);`;
  const file = openSync(join(temporaryFolder(t), "a.log"), "w");
  // No file may grow any more.
  const shell = `ulimit -f 0; exec '${process.execPath}' --input-type=module -e "$0"`;
  const { status, stdout } = spawnSync("bash", ["-c", shell, code], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", file],
  });
  closeSync(file);
  assert.deepEqual([status, stdout], [0, "done\n"]);
});
