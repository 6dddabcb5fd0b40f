/** Offers to people whose account is linked: whether they subscribe is to be known first. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseFanId } from "../lib/ids.ts";
import { addLink, saveBooks } from "../lib/store/links.ts";
import { startBoosting } from "./sandbox/discord-people.ts";
import { account } from "./sandbox/discord-setup.ts";
import { becomes, heard, saveSubscribers, setStage, settled, until } from "./upsell-stage.ts";

const hourMs = 60 * 60_000;
const [ana, bo, cleo, dan] = [account(0), account(1), account(2), account(3)];
const fan = parseFanId("aaaaaaaa-0000-4000-8000-000000000000") ?? assert.fail();

describe("the upsell listener", { concurrency: 3, timeout: 20_000 }, () => {
  it("reckons with what was written into an address book since the last sync", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    const book = join(stage.folder, "discord_addressbook.yaml");
    writeFileSync(book, `${fan}:\n  - "${ana}"\n`);
    await stage.database.write((sql) => {
      saveSubscribers(sql, [fan], Date.now());
    });
    await stage.start();
    startBoosting(world, ana);
    await becomes(stage, 0, "known");

    writeFileSync(book, "no map");
    startBoosting(world, bo);
    const complaints = () => stage.logged.filter((line) => /^The offers wait: .*this is no map/.test(line));
    await until("the broken book is told of", () => complaints().length > 0);
    startBoosting(world, cleo);
    await becomes(stage, 2, "waiting");
    writeFileSync(book, `${fan}:\n  - "${ana}"\n  - "${bo}"\n`);
    startBoosting(world, dan);
    await becomes(stage, 3, "sent");
    assert.deepEqual([await stage.state(1), await stage.state(2)], ["known", "sent"]);
    assert.deepEqual([heard(stage, ana), heard(stage, bo), complaints().length], [[], [], 1]);
  });

  it("lets everybody wait while an address book of the last sync is gone", async (t) => {
    const stage = await setStage(t);
    await stage.database.write((sql) => {
      const path = join(stage.folder, "discord_addressbook.yaml");
      saveBooks(sql, [{ path, links: [{ fan, platform: "discord", account: ana }] }], 1);
    });
    await stage.start();
    startBoosting(stage.discord.world, bo);
    const isTold = (line: string) => line.includes("had one entry at the last run and is missing now");
    await until("the lost book is told of", () => stage.logged.some(isTold));
    assert.deepEqual([await stage.state(1), heard(stage, bo)], ["waiting", []]);
  });

  it("lets linked people wait of whom no sync has said whether they subscribe", async (t) => {
    const stage = await setStage(t);
    await stage.database.write((sql) => {
      addLink(sql, { fan, platform: "discord", account: ana, source: "proved" }, 1);
    });
    await stage.start();
    startBoosting(stage.discord.world, ana);
    await becomes(stage, 0, "waiting");
    await settled(stage);
    startBoosting(stage.discord.world, bo);
    await becomes(stage, 1, "sent");
    assert.equal(stage.logged.filter((line) => line.includes("waits until a sync has run")).length, 1);
    assert.deepEqual([await stage.state(0), heard(stage, ana)], ["waiting", []]);
  });

  it("lets linked people wait for a sync that has run since they boosted", async (t) => {
    const stage = await setStage(t);
    const { world } = stage.discord;
    const other = parseFanId("bbbbbbbb-0000-4000-8000-000000000000") ?? assert.fail();
    await stage.database.write((sql) => {
      for (const [index, id] of [fan, other].entries())
        addLink(sql, { fan: id, platform: "discord", account: account(index), source: "proved" }, 1);
      saveSubscribers(sql, [], Date.now() - 1);
    });
    await stage.start();
    for (const [index, id] of [ana, bo].entries()) {
      startBoosting(world, id);
      await becomes(stage, index, "waiting");
    }
    await settled(stage);
    assert.deepEqual([await stage.state(0), await stage.state(1)], ["waiting", "waiting"]);
    // Ana had subscribed before she boosted, and the sync finds it.
    await stage.database.write((sql) => {
      saveSubscribers(sql, [fan], Date.now() + 1);
    });
    startBoosting(world, cleo);
    await becomes(stage, 2, "sent");
    assert.deepEqual([await stage.state(0), await stage.state(1)], ["known", "sent"]);
    assert.deepEqual([heard(stage, ana), heard(stage, bo).length], [[], 1]);
  });

  it("says once that no sync runs for which linked people would have to wait", async (t) => {
    const stage = await setStage(t);
    await stage.database.write((sql) => {
      for (const id of [ana, bo])
        addLink(sql, { fan, platform: "discord", account: id, source: "proved" }, 1);
      saveSubscribers(sql, [], Date.now());
    });
    const isTold = (line: string) => line.startsWith("Offers to linked people wait, since no sync has run");
    await stage.start();
    startBoosting(stage.discord.world, ana);
    await becomes(stage, 0, "waiting");
    await settled(stage, 2);
    assert.ok(!stage.logged.some(isTold));
    stage.now = () => Date.now() + 25 * hourMs;
    startBoosting(stage.discord.world, bo);
    await becomes(stage, 1, "waiting");
    await settled(stage);
    assert.equal(stage.logged.filter(isTold).length, 1);
  });
});
