/** Links that end, or move to another place on record, and what becomes of the access that came with them. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { assertClean, settle, startInstallation } from "../installation.ts";

describe("what came with a link", () => {
  it("is taken back although the account was unblocked before any sync", async (test) => {
    const home = await startInstallation(test);
    const ana = home.addPerson("ana", { linked: false });
    const ben = home.addPerson("ben");
    for (const person of [ana, ben]) home.entitle("subscription", person);
    home.saveBooks();
    assertClean(await home.run("links", "add", ana.fan.uuid, ana.discord));
    await settle(home);
    assertClean(await home.run("links", "remove", ana.discord));
    const { code, stdout } = await home.run("links", "unblock", ana.discord);
    assert.equal(code, 0);
    assert.match(stdout, /is still taken back/);
    assertClean(await home.sync("discord"));
    assert.deepEqual(home.holders("subscription"), ["ben"]);
  });

  it("stays when the address book that told of it goes, once its links were taken over", async (test) => {
    const home = await startInstallation(test);
    home.entitle("subscription", home.addPerson("ana"));
    home.saveBooks();
    assertClean(await home.sync("discord"));
    const book = join(home.folder, "discord_addressbook.yaml");
    const other = join(home.folder, "addressbook.yaml");
    assertClean(await home.run("links", "import", book));
    rmSync(book);
    assertClean(await home.sync("discord"));
    assert.deepEqual(home.holders("subscription"), ["ana"]);
    rmSync(other);
    const { code, stderr } = await home.run("sync-discord");
    assert.equal(code, 2);
    assert.match(stderr, /had one entry at the last run and is missing now[^]*links -- import/);
  });
});
