/**
 * A process that runs a script once while it can open no file any more, and once when it can again, and prints the ends.
 *   ulimit -n 40; node test/children/no-files.ts
 */
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { runScript } from "../../lib/run-script.ts";

const stop = new AbortController();
const log = pino(
  {},
  {
    write: () => {
      stop.abort();
    },
  },
);
const run = () =>
  runScript(join(import.meta.dirname, "stubborn.ts"), [], {
    log,
    signal: stop.signal,
    configText: "limits:",
  });

const files: number[] = [];
try {
  for (;;) files.push(openSync(import.meta.filename, "r"));
} catch {
  process.stdout.write(`${JSON.stringify(await run())}\n`);
}
for (const file of files) closeSync(file);
process.stdout.write(`${JSON.stringify(await run())}\n`);
