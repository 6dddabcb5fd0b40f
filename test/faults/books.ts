/** What can happen to an address book between two runs. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { assertToldOnStderr, noLimits, startSynced, type Peopled } from "../installation.ts";
import { syncInProcess } from "../in-process.ts";
import { assertDiscreet, platforms, trial } from "./trial.ts";

const books = ["discord_addressbook.yaml", "addressbook.yaml"] as const;

const overwrite = (text: string) => (path: string) => {
  writeFileSync(path, text);
};

/** All of these stop the run. */
const losses: readonly { readonly name: string; readonly happen: (path: string) => void }[] = [
  {
    name: "is renamed",
    happen: (path) => {
      renameSync(path, `${path}.old`);
    },
  },
  { name: "is emptied", happen: overwrite("") },
  { name: "holds nothing but a comment", happen: overwrite("# moved to the other machine\n") },
  { name: "holds an empty map", happen: overwrite("{}\n") },
  { name: "holds a list", happen: overwrite("- nobody\n- nowhere\n") },
  { name: "holds no YAML", happen: overwrite('"unclosed: [\n\t- {\n') },
  { name: "holds bytes that are no text", happen: overwrite("\u0000\u0001\u0002") },
  {
    name: "is cut in the middle of a row",
    happen(path) {
      const text = readFileSync(path, "utf8");
      const lastRow = text.lastIndexOf("\n", text.lastIndexOf("\n  - ") - 1);
      writeFileSync(path, text.slice(0, lastRow + 20));
    },
  },
  {
    name: "has become a folder",
    happen(path) {
      rmSync(path);
      mkdirSync(path);
    },
  },
];

/** Whatever happens to a book, nobody loses access, and the run says what happened to which file. */
export async function loseBooks(test: TestContext): Promise<void> {
  const home = await startSynced(test, { config: { limits: noLimits } });
  for (const book of books)
    for (const { name, happen } of losses) {
      const path = join(home.folder, book);
      happen(path);
      for (const platform of platforms) {
        const what = `${book} ${name} (${platform})`;
        const { code, text } = await trial(home, what, () => syncInProcess(home, platform));
        assert.equal(code, 2, `${what}\n${text}`);
        assert.ok(text.includes(book), `${what}\n${text}`);
        assertDiscreet(text, what);
      }
      rmSync(path, { recursive: true, force: true });
      home.saveBooks();
    }
  await syncAsEver(home);
}

/** A book that lost rows, but not all: those people are unknown, which the report says. */
export async function loseRows(test: TestContext): Promise<void> {
  const home = await startSynced(test, { config: { limits: noLimits } });
  const { keeper } = home;
  for (const book of [home.books.discord, home.books.matrix])
    for (const fan of book.keys()) if (fan !== keeper.fan.uuid) book.delete(fan);
  home.saveBooks();
  for (const platform of platforms) {
    const what = `a book without all rows but one (${platform})`;
    const { code, text } = await trial(home, what, () => syncInProcess(home, platform));
    assert.equal(code, 0, text);
    assert.match(text, /addressbook\.yaml no longer links .* more\. They keep what they have/);
  }
}

export async function loseBookBeforeScript(test: TestContext): Promise<void> {
  const home = await startSynced(test, { config: { limits: noLimits } });
  renameSync(join(home.folder, "addressbook.yaml"), join(home.folder, "addressbook.yml"));
  for (const platform of platforms) {
    const result = await trial(home, "renamed book", () => home.run(`sync-${platform}`));
    assertToldOnStderr(result, 2, /addressbook\.yaml/);
    assert.equal(result.stdout, "");
  }
}

async function syncAsEver(home: Peopled): Promise<void> {
  for (const platform of platforms) assert.equal((await syncInProcess(home, platform)).code, 0);
}
