/** What a person sees on a terminal: the progress is gone in the end and the report is whole. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

import { startPeopled } from "../installation.ts";
import { screenAfter, skipWithoutTerminal, startOnTerminal } from "../terminal.ts";

const scripts = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "scripts");

it(
  "on a terminal the progress gives way to the whole report",
  { skip: skipWithoutTerminal },
  async (test) => {
    const home = await startPeopled(test);
    const { stdout } = await home.run("sync-discord", "--dry-run");
    const command = `'${process.execPath}' '${join(scripts, "sync-discord.ts")}' --dry-run --verbose`;
    const { written } = await startOnTerminal(command, { cwd: home.folder }).ended;
    assert.ok(written.includes("\u001b7"), "a progress bar was up");
    const screen = screenAfter(written);
    const head = screen.findIndex((line) => line.startsWith("sync-discord · only a plan"));
    assert.ok(head >= 0, screen.join("\n"));
    const [headline, ...rest] = stdout.trimEnd().split("\n");
    assert.match(headline ?? "", /^sync-discord · only a plan/);
    const body = (lines: readonly string[]) =>
      lines
        .filter((line) => !/ · \d+ s$/.test(line))
        .join("\n")
        .trim();
    assert.equal(body(screen.slice(head + 1)), body(rest), "nothing before, in or after it is touched");
    assert.ok(!screen.some((line) => /[█░]|\bleft$/.test(line)), "no rest of a bar");
  },
);
