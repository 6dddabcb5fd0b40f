/** The owner is told what needs them: once, again after a day, and when all is well again. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import { openDatabase } from "../lib/db.ts";
import { judgeNotices, type Seen } from "../lib/notices/judge.ts";
import type { Scope } from "../lib/notices/scopes.ts";
import { troublesOfRun, type Trouble } from "../lib/notices/troubles.ts";
import { emptyRun } from "../lib/report/empty-run.ts";
import type { StoredNotice } from "../lib/store/notices.ts";
import { placeIdOf, placesSchema, situationOf } from "./cases/load.ts";
import { assertClean, type Installation, startPeopled, settle } from "./installation.ts";
import { addRole, roleIdAt } from "./sandbox/discord-world.ts";
import { answers } from "./sandbox/faults.ts";

const hourMs = 60 * 60 * 1000;
const trouble = (key: string, more: Partial<Trouble> = {}): Trouble => ({
  key,
  scope: "held discord",
  text: `${key} is amiss.`,
  ...more,
});

/** Run after run: what is told at that hour, where these troubles stand. */
function story() {
  let known: readonly StoredNotice[] = [];
  return (
    hour: number,
    troubles: readonly Trouble[],
    {
      whole = ["held discord"],
      configured = ["fanvue", "held discord", "held matrix"],
      isPosted = true,
    }: { whole?: readonly Scope[]; configured?: readonly Scope[]; isPosted?: boolean } = {},
  ): string | undefined => {
    const seen: Seen = { troubles, whole: new Set(whole) };
    const { message, told, untold } = judgeNotices({
      known,
      seen,
      configured: new Set(configured),
      nowMs: hour * hourMs,
    });
    const changes = isPosted ? told : untold;
    const kept = new Map(known.map((notice) => [notice.key, notice]));
    for (const key of changes.over) kept.delete(key);
    for (const notice of changes.standing) kept.set(notice.key, notice);
    known = [...kept.values()];
    return message;
  };
}
const needsYou = (...lines: readonly string[]) => ["fanvue-sync needs you:", ...lines].join("\n");
const well = "fanvue-sync: all is well again.";

describe("what the owner is told", () => {
  it("is each trouble once, again after a day, and that all is well again", () => {
    const run = story();
    assert.equal(run(0, []), undefined);
    assert.equal(run(1, [trouble("a")]), needsYou("• a is amiss."));
    assert.equal(run(2, [trouble("a")]), undefined);
    assert.equal(run(3, [trouble("a"), trouble("b")]), needsYou("• b is amiss."));
    assert.equal(run(24, [trouble("a"), trouble("b")]), undefined);
    assert.equal(run(25, [trouble("a"), trouble("b")]), needsYou("• Still: a is amiss."));
    assert.equal(run(26, [trouble("b")]), undefined);
    assert.equal(run(27, []), well);
    assert.equal(run(28, []), undefined);
    assert.equal(run(29, [trouble("a")]), needsYou("• a is amiss."));
  });

  it("is told at once again where more of it is new", () => {
    const run = story();
    run(0, [trouble("held")]);
    assert.equal(run(1, [trouble("held", { isNews: true })]), needsYou("• held is amiss."));
    assert.equal(run(2, [trouble("held")]), undefined);
  });

  it("is no trouble that passes within half an hour", () => {
    const run = story();
    const outage = trouble("outage", { isPassing: true });
    assert.equal(run(0, [outage]), undefined);
    assert.equal(run(0.25, []), undefined, "nor that all is well, for nobody heard that it was not");
    assert.equal(run(1, [outage]), undefined);
    assert.equal(run(1.25, [outage]), undefined);
    assert.equal(run(1.5, [outage]), needsYou("• outage is amiss."));
    assert.equal(run(1.75, []), well);
  });

  it("is over only by a run that could tell, and all is well only when nothing stands any more", () => {
    const run = story();
    const other = trouble("other", { scope: "held matrix" });
    run(0, [trouble("a")]);
    run(0, [other], { whole: ["held matrix"] });
    assert.equal(run(1, [], { whole: ["fanvue"] }), undefined);
    assert.equal(run(2, []), undefined);
    assert.equal(run(3, [other], { whole: ["held matrix"] }), undefined);
    assert.equal(run(4, [], { whole: ["held matrix"] }), well);
  });

  it("is over when the config no longer has what it was about", () => {
    const run = story();
    run(0, [trouble("a"), trouble("b", { scope: "place discord 1" })], {
      configured: ["held discord", "place discord 1"],
    });
    assert.equal(run(1, [trouble("a")]), undefined);
    assert.equal(run(2, [], { whole: ["fanvue"], configured: ["fanvue"] }), well);
  });

  it("is told by the next run where it could not be posted", () => {
    const run = story();
    assert.equal(run(0, [trouble("a")], { isPosted: false }), needsYou("• a is amiss."));
    assert.equal(run(1, [trouble("a")]), needsYou("• a is amiss."));
    assert.equal(run(2, [], { isPosted: false }), well);
    assert.equal(run(3, []), well);
    assert.equal(run(4, []), undefined);
  });
});

const channel = "444444444444444444";

/** An installation whose owner hears in a channel and in a room. */
async function startNotified(test: TestContext) {
  const home = await startPeopled(test);
  const { discord, matrix } = home.town;
  discord.world.channels.set(channel, { id: channel, botMayWrite: true });
  const room = matrix.world.createRoom({ creator: home.bot, name: "Operators", alias: "operators" });
  home.config["notify"] = {
    discord_channel_id: channel,
    matrix_room: `#operators:${matrix.world.serverName}`,
  };
  home.saveConfig();
  const inChannel = () =>
    discord.world.messages.filter(({ channelId }) => channelId === channel).map(({ content }) => content);
  const inRoom = () =>
    matrix.world.messages.filter((said) => said.room === room).map(({ content }) => String(content["body"]));
  return { home, inChannel, inRoom };
}

/** Whether anybody may join the room "smart". */
const setDoor = (home: Installation, rule: "public" | "invite") => {
  home.town.matrix.world.put(home.rooms.smart, {
    type: "m.room.join_rules",
    stateKey: "",
    sender: home.bot,
    content: { join_rule: rule },
  });
};

const age = (home: Installation, days: number) =>
  openDatabase(home.dataDir).write((sql) => {
    sql.run("UPDATE notices SET told_at_ms = told_at_ms - ?", [days * 24 * hourMs]);
  });

describe("a sync", () => {
  it("tells of removals that are held, with the hash and what to type, and that all is well again", async (test) => {
    const { home, inChannel, inRoom } = await startNotified(test);
    await settle(home);
    assert.deepEqual([inChannel(), inRoom()], [[], []]);
    home.lapse("custom", home.cast.custom);
    home.lapse("custom", home.keeper);
    const held = await home.sync("discord");
    assert.equal(held.code, 3);
    const [, hash = ""] = /--approve (\S+)/.exec(held.stdout) ?? [];
    const [told = ""] = inChannel();
    assert.match(
      told,
      /^fanvue-sync needs you:\n• 2 changes wait for your approval on Discord\. Until then nobody loses/,
    );
    assert.match(told, /The list "The inner room": 0 now, 2 when last accepted/);
    assert.ok(told.includes(`npm run sync-discord -- --approve ${hash}`), told);
    assert.deepEqual(inRoom(), [told]);
    for (const { discord, fan } of [home.cast.custom, home.keeper])
      assert.ok(![discord, fan.uuid, fan.handle].some((name) => told.includes(name)), "it names nobody");

    await home.sync("discord");
    await home.sync("discord", "--dry-run");
    assert.equal(inChannel().length, 1);
    await age(home, 1);
    await home.sync("discord");
    assert.match(inChannel()[1] ?? "", /^fanvue-sync needs you:\n• Still: 2 changes wait/);
    assertClean(await home.sync("discord", "--approve", hash));
    assert.deepEqual(inChannel().slice(2), ["fanvue-sync: all is well again."]);
    assert.equal(inRoom().length, 3);
  });

  it("tells of a place that cannot be managed and of a door that stands open, at once; of an outage only when it lasts", async (test) => {
    const { home, inChannel } = await startNotified(test);
    const { discord } = home.town;
    await settle(home);
    discord.faults.push({ path: /\/members$/, fault: answers(500) });
    assert.equal((await home.sync("discord")).code, 4);
    assert.deepEqual(inChannel(), []);
    discord.faults.length = 0;

    const role = discord.world.roles.get(home.roles.custom) ?? assert.fail();
    const { position } = role;
    role.position = 999;
    await home.sync("discord");
    assert.match(
      inChannel()[0] ?? "",
      /• \d+ cannot be looked after\. The role "custom" is not below the bot's highest role/,
    );
    setDoor(home, "public");
    await home.sync("matrix");
    assert.match(inChannel()[1] ?? "", /• Anybody may join the room smart without an invitation\./);
    role.position = position;
    await home.sync("discord");
    assert.equal(inChannel().length, 2, "the door stands open still");
    setDoor(home, "invite");
    await home.sync("matrix");
    assert.deepEqual(inChannel().slice(2), ["fanvue-sync: all is well again."]);
  });

  it("does not say that all is well while it cannot tell whether changes still wait", async (test) => {
    const { home, inChannel } = await startNotified(test);
    const { discord, fanvue } = home.town;
    await settle(home);
    home.lapse("custom", home.cast.custom);
    home.lapse("custom", home.keeper);
    assert.equal((await home.sync("discord")).code, 3);
    assert.equal(inChannel().length, 1);

    fanvue.faults.push({ path: /./, fault: answers(500) });
    assert.equal((await home.sync("discord")).code, 5);
    fanvue.faults.length = 0;
    discord.faults.push({ path: /\/members$/, fault: answers(500) });
    assert.equal((await home.sync("discord")).code, 4);
    discord.faults.length = 0;
    discord.world.roles.delete(home.roles.smart);
    assert.equal((await home.sync("discord")).code, 4);
    assert.equal(inChannel().length, 2);
    assert.match(inChannel()[1] ?? "", /^fanvue-sync needs you:\n• \d+ cannot be looked after\./);
    assertClean(await home.run("fetch-earnings"));
    assert.equal(inChannel().length, 2);
  });

  it("tells of an open door once, though the homeserver stumbles now and then", async (test) => {
    const { home, inChannel } = await startNotified(test);
    const { matrix } = home.town;
    await settle(home);
    setDoor(home, "public");
    await home.sync("matrix");
    matrix.faults.push({ path: /\/rooms\/[^/]+\/state$/, fault: answers(500) });
    assert.equal((await home.sync("matrix")).code, 4);
    matrix.faults.length = 0;
    await home.sync("matrix");
    assert.equal(inChannel().length, 1);
    assert.match(inChannel()[0] ?? "", /Anybody may join/);
  });

  it("forgets an entry that was taken out of the config, and calls a list by its entry", async (test) => {
    const { home, inChannel } = await startNotified(test);
    await settle(home);
    home.config["list_sync"] = {
      vips: {
        discord_role_id: addRole(home.town.discord.world, { id: roleIdAt(50), name: "vips", position: 1 }).id,
        fanvue_list_uuid: "123e4567-e89b-42d3-a456-426614174000",
      },
    };
    home.saveConfig();
    const { code, stdout } = await home.sync("lists");
    assert.equal(code, 4);
    assert.match(stdout, /^vips: \d+ {2}could not be read$/m);
    assert.match(inChannel()[0] ?? "", /• vips: \d+ cannot be looked after\./);
    delete home.config["list_sync"];
    home.saveConfig();
    assertClean(await home.sync("discord"));
    assert.deepEqual(inChannel().slice(1), ["fanvue-sync: all is well again."]);
  });

  it("leaves alone what another config over the same data has to tell", async (test) => {
    const { home, inChannel, inRoom } = await startNotified(test);
    await settle(home);
    home.lapse("custom", home.cast.custom);
    home.lapse("custom", home.keeper);
    assert.equal((await home.sync("discord")).code, 3);
    const whole = { ...home.config };
    delete home.config["discord"];
    delete home.config["roles"];
    home.config["notify"] = { matrix_room: "#operators:matrix.example" };
    home.saveConfig();
    assert.equal((await home.sync("matrix")).code, 3);
    Object.assign(home.config, whole);
    home.saveConfig();
    await home.sync("discord");
    assert.equal(inChannel().length, 1);
    assert.ok(!inRoom().some((text) => text.includes("all is well")), inRoom().join("\n"));
  });

  it("tells of two rooms whose names differ by a number only, each by itself", () => {
    const told = (room: string) =>
      `Whoever is taken out of the space Club stays in ${room}. The bot has power 0.`;
    const [place] = situationOf(placesSchema.parse({ club: {} })).places.values();
    assert.ok(place);
    const state = {
      placeId: placeIdOf("club"),
      name: "Club",
      members: new Map(),
      coverage: "everybody",
    } as const;
    const run = emptyRun({ script: "sync-matrix", target: "matrix" }, { dryRun: false, nowMs: 0 });
    const keys = (...warnings: readonly string[]) =>
      troublesOfRun({ ...run, have: new Map([[place, { ...state, warnings }]]) }).map(({ key }) => key);
    assert.equal(new Set(keys(told("Lounge 1"), told("Lounge 2"))).size, 2);
    const counted = (count: number) => `Fanvue counts ${String(count)} fans on this list and shows 3.`;
    assert.deepEqual(keys(counted(7)), keys(counted(8)));
  });

  it("tells once where two scripts end at the same moment", async (test) => {
    const { home, inChannel } = await startNotified(test);
    await settle(home);
    home.town.fanvue.faults.push({ path: /./, fault: answers(401, { error: "Unauthorized" }) });
    await Promise.all([home.sync("discord"), home.sync("matrix"), home.run("fetch-earnings")]);
    assert.equal(inChannel().length, 1);
  });

  it("tells when Fanvue access has to be renewed, whichever script meets it first", async (test) => {
    const { home, inChannel } = await startNotified(test);
    const { fanvue } = home.town;
    fanvue.faults.push({ path: /./, fault: answers(401, { error: "Unauthorized" }) });
    for (const script of ["fetch-earnings", "sync-discord"]) assert.equal((await home.run(script)).code, 5);
    assert.equal(inChannel().length, 1);
    assert.match(
      inChannel()[0] ?? "",
      /npm run authorize.* Until then nobody loses anything, and nobody new gets in\./,
    );
    fanvue.faults.length = 0;
    assertClean(await home.run("fetch-earnings"));
    assert.deepEqual(inChannel().slice(1), ["fanvue-sync: all is well again."]);
  });

  it("is not held up by a notice that cannot be posted, and says why", async (test) => {
    const { home, inChannel, inRoom } = await startNotified(test);
    const { discord } = home.town;
    await settle(home);
    const place = discord.world.channels.get(channel) ?? assert.fail();
    place.botMayWrite = false;
    home.config["notify"] = { discord_channel_id: channel };
    home.saveConfig();
    home.lapse("custom", home.cast.custom);
    home.lapse("custom", home.keeper);
    const held = await home.sync("discord");
    assert.equal(held.code, 3);
    assert.match(
      held.stderr,
      /could not be posted in the Discord channel \d+: The bot may not write there\./,
    );
    place.botMayWrite = true;
    assertClean(await home.sync("discord"));
    assert.equal(inChannel().length, 1);
    assert.deepEqual(inRoom(), []);
  });
});
