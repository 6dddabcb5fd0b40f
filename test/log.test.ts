import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

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
