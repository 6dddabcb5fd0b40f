/** list_sync, in both directions: lists that decide on roles and rooms, and lists that are filled from roles. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";

import { startLists, type ListStage } from "./list-stage.ts";
import { addMember } from "./sandbox/discord-world.ts";
import { leave, moderatorId } from "./sandbox/discord-people.ts";
import { everyField, notJson, passes } from "./sandbox/faults.ts";
import type { Fault } from "./sandbox/server.ts";

const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index)}`);

/** How many fans each request to put somebody on a list named, in their order. */
const addsSent = ({ home }: ListStage): readonly number[] =>
  home.town.fanvue.requests
    .filter(({ method, path }) => method === "POST" && path.endsWith("/members"))
    .map(({ json }) => z.object({ userUuids: z.array(z.string()) }).parse(json).userUuids.length);

describe("a list that decides", () => {
  it("gives its members the role and the room, and takes both back", async (test) => {
    const { home, sync, person, vips } = await startLists(test, { people: ["ana", "bea"] });
    const { world } = home.town.fanvue;
    const both = () => [home.holders("custom"), home.guests("custom")];
    world.addToList(vips, person("ana").fan, person("bea").fan);
    const report = await sync();
    assert.match(report, /^vips: custom \(\d+\) {2}0 in {2}\+2 -0$/m);
    assert.match(report, /^lounge: custom \(#custom-room:matrix\.example\) {2}1 in {2}\+2 -0$/m);
    home.acceptInvites();
    assert.deepEqual(both(), [
      ["ana", "bea"],
      ["ana", "bea"],
    ]);
    world.removeFromList(vips, person("ana").fan);
    await sync();
    assert.deepEqual(both(), [["bea"], ["bea"]]);
  });

  it("is a rule like any other to sync-discord and sync-matrix", async (test) => {
    const { home, person, vips } = await startLists(test, { people: ["ana"] });
    home.town.fanvue.world.addToList(vips, person("ana").fan);
    await home.syncBoth();
    assert.deepEqual([home.holders("custom"), home.guests("custom")], [["ana"], ["ana"]]);
  });

  it("may be a smart one", async (test) => {
    const { home, sync, person } = await startLists(test, { people: ["ana", "bea"] });
    home.config["list_sync"] = {
      quiet: { discord_role_id: home.roles.smart, fanvue_list_uuid: "muted", fanvue_list_type: "smart" },
    };
    home.saveConfig();
    home.entitle("smart", person("ana"));
    await sync();
    assert.deepEqual(home.holders("smart"), ["ana"]);
  });

  it("that does not exist makes its entry unreadable: nobody loses anything, and the others go on", async (test) => {
    const { home, sync, person, vips, crew, giveRole, onList } = await startLists(test, {
      people: ["ana", "bea"],
    });
    const { world } = home.town.fanvue;
    world.addToList(vips, person("ana").fan);
    await sync();
    world.customLists.delete(vips.uuid);
    world.touch();
    giveRole(person("bea"));
    const report = await sync(4);
    assert.match(
      report,
      /could not be read\n {2}! Fanvue has no custom list .*\. Nobody loses anything by that\./,
    );
    assert.deepEqual(home.holders("custom"), ["ana"]);
    assert.deepEqual(onList(crew), ["bea"]);
    // What was read well serves the next script, the missing list included.
    home.config["snapshot_max_age"] = "1h";
    home.saveConfig();
    await sync(4);
    home.town.fanvue.api.requests.length = 0;
    const again = await home.sync("discord");
    assert.deepEqual([again.code, home.town.fanvue.api.requests.length], [4, 0], again.stdout);
  });
});

describe("a list that is filled from a role", () => {
  it("holds the fans of the holders, takes out who lost the role or left, and leaves others alone", async (test) => {
    const { home, sync, person, crew, giveRole, takeRole, onList } = await startLists(test, {
      people: ["ana", "bea", "cleo", "dora"],
    });
    const { town } = home;
    town.fanvue.world.addToList(crew, town.fans[0] ?? assert.fail());
    const [stranger = ""] = onList(crew);
    giveRole(person("ana"), person("bea"), person("cleo"));
    const unlinked = addMember(town.discord.world, { id: moderatorId, username: "nobody" });
    unlinked.roles.add(home.roles.spending);

    const report = await sync();
    assert.match(report, /^crew: Crew {2}1 in {2}\+3 -0$/m);
    assert.match(report, /1 with the role but without a link, so they cannot be put on the list/);
    assert.deepEqual(onList(crew), ["ana", "bea", "cleo", stranger].sort());

    takeRole(person("ana"));
    leave(town.discord.world, person("bea").discord);
    const taken = await sync();
    assert.match(taken, /- .*300000000000000100 does not have the role spending/);
    assert.deepEqual(onList(crew), ["cleo", stranger].sort());
    assert.match(await sync(), /Nothing to do/);
  });

  it("gets a hundred at a time", async (test) => {
    const stage = await startLists(test, { people: names("fan", 230) });
    stage.giveRole(...names("fan", 230).map(stage.person));
    await stage.sync();
    assert.equal(stage.onList(stage.crew).length, 230);
    assert.deepEqual(addsSent(stage), [100, 100, 30]);
  });

  for (const how of ["refuse", "skip"] as const)
    it(`goes on without a fan whom Fanvue does not know (${how})`, async (test) => {
      const stage = await startLists(test, { people: ["ana", "bea", "cleo"] });
      const { home, sync, person, crew, giveRole, onList } = stage;
      home.town.fanvue.quirks.unknownFansInAdd = how;
      giveRole(person("ana"), person("bea"), person("cleo"));
      home.town.fanvue.world.fans.delete(person("bea").fan.uuid);
      const report = await sync(4);
      assert.match(report, /refused: .*(unknown users|you cannot write to)/);
      assert.deepEqual(onList(crew), ["ana", "cleo"]);
      assert.deepEqual(addsSent(stage), how === "refuse" ? [3, 1, 1, 1] : [3]);
      // The same refusal is no news, and is not asked for again before its time.
      assert.match(await sync(0), /1 refused before/);
      assert.equal(addsSent(stage).length, how === "refuse" ? 4 : 1);
    });

  it("believes the list, not the answer: who is not shown on it afterwards has not been put there", async (test) => {
    const { home, sync, person, crew, giveRole, onList } = await startLists(test, { people: ["ana"] });
    giveRole(person("ana"));
    home.town.fanvue.faults.push({
      method: "POST",
      path: /\/members$/,
      fault: { kind: "answer", reply: { status: 201, body: { added: 1, skipped: 0 } } },
      times: 1,
    });
    assert.match(await sync(4), /failed: Fanvue said yes, but does not show the fan on the list\./);
    await sync();
    assert.deepEqual(onList(crew), ["ana"]);
  });

  it("keeps who is not shown while Fanvue counts more fans on it than it shows", async (test) => {
    const { home, sync, person, crew, giveRole, takeRole, onList } = await startLists(test, {
      people: ["ana", "bea"],
    });
    giveRole(person("ana"), person("bea"));
    await sync();
    crew.claimedCount = 3;
    crew.members.delete(person("ana").fan.uuid);
    home.town.fanvue.world.touch();
    const report = await sync();
    assert.match(
      report,
      /Fanvue counts 3 fans on this list and shows 1\. Who is missing keeps their place\./,
    );
    assert.match(report, /1 not readable here/);
    takeRole(person("bea"));
    await sync();
    assert.deepEqual(onList(crew), []);
    assert.deepEqual(home.rows("SELECT count(*) AS n FROM grants"), [{ n: 1 }], "ana is ours still");
  });

  it("is told by each member read again, not by the list of members alone", async (test) => {
    const { home, sync, person, crew, giveRole, onList } = await startLists(test, { people: ["ana", "bea"] });
    giveRole(person("ana"), person("bea"));
    await sync();
    const { discord } = person("ana");
    home.town.discord.faults.push({
      path: /\/members$/,
      fault: {
        kind: "edit",
        edit: (body) =>
          z
            .array(z.looseObject({ user: z.looseObject({ id: z.string() }) }))
            .parse(body)
            .map((member) => (member.user.id === discord ? { ...member, roles: [] } : member)),
      },
    });
    const report = await sync();
    assert.match(report, /read again: 300000000000000100 has the role spending/);
    assert.deepEqual(onList(crew), ["ana", "bea"]);
  });

  it("loses nobody while the role cannot be read, was deleted, or is everybody's", async (test) => {
    const { home, sync, person, crew, crewRole, giveRole, onList } = await startLists(test, {
      people: names("fan", 4),
    });
    const { discord } = home.town;
    giveRole(...names("fan", 4).map(person));
    await sync();
    const all = onList(crew);
    discord.faults.push({ path: /\/members$/, fault: everyField("roles", () => []) });
    assert.match(await sync(4), /^crew {2}could not be read$/m);
    discord.faults[0] = { path: /\/members$/, fault: notJson() };
    assert.match(await sync(4), /^crew {2}could not be read$/m);
    discord.faults.length = 0;

    const role = discord.world.roles.get(crewRole) ?? assert.fail();
    discord.world.roles.delete(crewRole);
    for (const member of discord.world.members.values()) member.roles.delete(crewRole);
    assert.match(await sync(4), /The server has no role \d+; it was deleted, or never was\./);
    discord.world.roles.set(crewRole, role);
    giveRole(...names("fan", 4).map(person));

    home.config["list_sync"] = {
      crew: { discord_role_id: discord.world.guild.id, fanvue_list_uuid: crew.uuid, primary: "discord" },
    };
    home.saveConfig();
    assert.match(await sync(4), /is @everyone/);
    assert.deepEqual(onList(crew), all);
  });

  it("without the members intent looks at the linked fans alone", async (test) => {
    const { home, sync, person, crew, giveRole, takeRole, onList } = await startLists(test, {
      people: ["ana", "bea", "cleo"],
    });
    home.town.discord.world.intents.guildMembers = false;
    giveRole(person("ana"), person("bea"));
    await sync();
    assert.deepEqual(onList(crew), ["ana", "bea"]);
    takeRole(person("ana"));
    await sync();
    assert.deepEqual(onList(crew), ["bea"]);
  });

  it("needs no power over the role: one that stands above the bot, or belongs to Discord, will do", async (test) => {
    const { home, sync, person, crew, crewRole, giveRole, onList } = await startLists(test, {
      people: ["ana"],
    });
    const role = home.town.discord.world.roles.get(crewRole) ?? assert.fail();
    role.position = 100;
    role.managed = true;
    giveRole(person("ana"));
    await sync();
    assert.deepEqual(onList(crew), ["ana"]);
  });

  it("keeps the fans behind protected accounts", async (test) => {
    const { home, sync, person, crew, giveRole, takeRole, onList } = await startLists(test, {
      people: ["ana", "bea"],
    });
    giveRole(person("ana"), person("bea"));
    await sync();
    home.config["protected"] = [person("ana").discord];
    home.saveConfig();
    takeRole(person("ana"), person("bea"));
    assert.match(await sync(3), /1 protected/);
    await sync(0, "--approve", hashOf(await sync(0, "--dry-run")));
    assert.deepEqual(onList(crew), ["ana"]);
  });

  it("loses at once who unlinked, and nobody by a line that was lost in the address book", async (test) => {
    const { home, sync, person, crew, giveRole, onList } = await startLists(test, {
      people: ["ana", "bea", "cleo"],
    });
    giveRole(person("ana"), person("bea"), person("cleo"));
    await sync();
    home.books.discord.delete(person("bea").fan.uuid);
    home.saveBooks();
    assert.match(await sync(), /no longer links/);
    assert.deepEqual(onList(crew), ["ana", "bea", "cleo"]);
    const removed = await home.run("links", "remove", person("ana").discord);
    assert.equal(removed.code, 0, removed.stderr);
    await sync();
    assert.deepEqual(onList(crew), ["bea", "cleo"]);
  });

  it("brakes: more than may be taken out in a day wait, also a list that becomes another one", async (test) => {
    const fans = names("fan", 12);
    const { home, sync, person, crew, crewRole, giveRole, takeRole, onList } = await startLists(test, {
      people: fans,
      config: { limits: { max_source_drop_share: 1, min_source_drop: 1000 } },
    });
    giveRole(...fans.map(person));
    await sync();
    takeRole(...fans.slice(0, 3).map(person));
    const report = await sync(3);
    assert.match(report, /Crew: 3 removals in 24 hours, 2 are allowed \(0 had access a day ago\)/);
    assert.match(
      report,
      /- \S+ \(fan-\w+\) +\d+ does not have the role spending/,
      "it calls them by their names",
    );
    assert.equal(onList(crew).length, 12);
    assert.match(await sync(), /as before/);
    await sync(0, "--approve", hashOf(report));
    assert.equal(onList(crew).length, 9);

    const other = home.town.fanvue.world.createList("Crew of another year");
    home.config["list_sync"] = {
      crew: { discord_role_id: crewRole, fanvue_list_uuid: other.uuid, primary: "discord" },
    };
    home.saveConfig();
    const moved = await sync(3);
    assert.match(moved, /crew leads to .* now; when last applied it led to/);
    assert.deepEqual(onList(other), []);
    await sync(0, "--approve", hashOf(moved));
    assert.equal(onList(other).length, 9);
    const foreign = await sync();
    assert.match(foreign, /is no longer configured; 9 accounts still have the access/);
    const [, old = ""] = /--take-back '([^']+)'/.exec(foreign) ?? [];
    assert.equal(old, crew.uuid);
    await sync(0, "--take-back", old);
    assert.deepEqual(onList(crew), []);
    assert.equal(onList(other).length, 9);
  });

  it("tells who is left on it where no list is filled any more, and takes them off without Discord", async (test) => {
    const { home, sync, person, crew, giveRole, onList } = await startLists(test, { people: ["ana", "bea"] });
    giveRole(person("ana"), person("bea"));
    await sync();
    const { discord, list_sync: entries } = home.config;
    delete home.config["list_sync"];
    delete home.config.discord;
    home.saveConfig();
    const report = await sync();
    assert.match(report, /^The config has no list_sync section: there is nothing to do\.\n/);
    assert.match(report, new RegExp(`2 accounts still have .*\n.*sync-lists -- --take-back '${crew.uuid}'`));
    await sync(0, "--take-back", crew.uuid);
    assert.deepEqual(onList(crew), []);
    assert.doesNotMatch(await sync(), /no longer configured/);

    Object.assign(home.config, { discord, list_sync: entries });
    home.saveConfig();
    await sync();
    assert.deepEqual(onList(crew), ["ana", "bea"]);
    home.config["list_sync"] = {
      lounge: { matrix_room: home.aliases.custom, fanvue_list_uuid: home.list.uuid },
    };
    home.saveConfig();
    assert.match(await sync(), /2 accounts still have/, "told of where other entries are left, too");
  });

  it("is struck off the record where it was deleted on Fanvue, and is known by another entry's name", async (test) => {
    const { home, sync, person, crew, crewRole, giveRole } = await startLists(test, { people: ["ana"] });
    giveRole(person("ana"));
    await sync();
    home.config["list_sync"] = {
      team: { discord_role_id: crewRole, fanvue_list_uuid: crew.uuid, primary: "discord" },
    };
    home.saveConfig();
    assert.match(await sync(2, "--take-back", crew.uuid), /the config still names this place/);
    delete home.config["list_sync"];
    home.saveConfig();
    home.town.fanvue.world.customLists.delete(crew.uuid);
    assert.match(await sync(0, "--take-back", crew.uuid), /struck off the record/);
    assert.doesNotMatch(await sync(), /no longer configured/);
  });
});

const hashOf = (report: string): string =>
  /--approve (\S+)/.exec(report)?.[1] ?? assert.fail(`nothing is held:\n${report}`);

describe("sync-lists", () => {
  it("approves what several platforms hold by one word, and an unknown one by none", async (test) => {
    const { home, sync, person, vips, crew, giveRole, takeRole, onList } = await startLists(test, {
      people: ["ana", "bea"],
      config: {},
    });
    home.town.fanvue.world.addToList(vips, person("ana").fan);
    giveRole(person("bea"));
    await sync();
    home.acceptInvites();
    home.town.fanvue.world.removeFromList(vips, person("ana").fan);
    takeRole(person("bea"));
    const report = await sync(3);
    assert.match(report, /The list "The inner room": 0 now, 1 when last accepted/);
    assert.match(report, /The role "spending": 0 now, 1 when last accepted/);
    const hash = hashOf(report);
    assert.match(hash, /^[0-9a-f]{12}\+[0-9a-f]{12}\+[0-9a-f]{12}$/);
    const wrong = await home.sync("lists", "--approve", "000000000000");
    assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
    assert.match(wrong.stderr, /Nothing that waits for approval has the hash 000000000000/);
    assert.deepEqual([home.holders("custom"), onList(crew)], [["ana"], ["bea"]]);
    // A part of it releases that part alone.
    await sync(0, "--approve", hash.split("+").at(-1) ?? "");
    assert.deepEqual([home.holders("custom"), onList(crew)], [["ana"], []]);
    await sync(0, "--approve", hash);
    assert.deepEqual([home.holders("custom"), home.guests("custom")], [[], []]);
  });

  it("--only takes an entry by its name, and --fan looks at that fan alone", async (test) => {
    const { home, sync, person, vips, crew, giveRole, takeRole, onList } = await startLists(test, {
      people: ["ana", "bea"],
    });
    home.town.fanvue.world.addToList(vips, person("ana").fan);
    giveRole(person("ana"), person("bea"));
    await sync(0, "--only", "vips");
    assert.deepEqual([home.holders("custom"), home.guests("custom"), onList(crew)], [["ana"], [], []]);
    const wrong = await home.sync("lists", "--only", "vip");
    assert.match(wrong.stderr, /Did you mean vips\?/);
    await sync(0, "--fan", person("ana").fan.uuid);
    assert.deepEqual(onList(crew), ["ana"]);
    takeRole(person("ana"));
    await sync(0, "--fan", person("ana").fan.uuid);
    assert.deepEqual(onList(crew), ["ana"], "a run for one fan takes nothing away");
  });

  it("is looked at by check-config --online: also the roles that fill lists", async (test) => {
    const { home, crewRole } = await startLists(test);
    const well = await home.run("check-config", "--online");
    assert.match(well.stdout, /Discord \(for lists\), as it is now:\n {2}spending \(crew\): in order/);
    home.town.discord.world.roles.delete(crewRole);
    const amiss = await home.run("check-config", "--online");
    assert.deepEqual(amiss.code, 4, amiss.stderr);
    assert.match(amiss.stdout, / {2}crew: cannot be managed\n {4}! The server has no role/);
  });

  it("goes on with the other platforms where one is down", async (test) => {
    const { home, sync, person, vips, crew, giveRole, onList } = await startLists(test, { people: ["ana"] });
    home.town.fanvue.world.addToList(vips, person("ana").fan);
    giveRole(person("ana"));
    home.config.matrix = { ...home.config.matrix, access_token: "revoked" };
    home.saveConfig();
    const report = await sync(4);
    assert.match(report, /access token/i);
    assert.deepEqual([home.holders("custom"), home.guests("custom"), onList(crew)], [["ana"], [], ["ana"]]);
  });

  it("says of each platform what keeps it, also where none could be looked at", async (test) => {
    const { home, sync } = await startLists(test);
    home.config.matrix = { ...home.config.matrix, access_token: "revoked" };
    home.config.discord = { ...home.config.discord, token: "revoked" };
    home.saveConfig();
    const said = await sync(4);
    assert.match(said, /The homeserver refuses the bot's account/);
    assert.equal(said.match(/Discord does not accept the bot's token/g)?.length, 1);
  });

  it("that is killed at its second hundred has its whole plan on disk, and the next run ends it", async (test) => {
    const fans = names("fan", 150);
    const { home, sync, person, crew, giveRole, takeRole, onList } = await startLists(test, { people: fans });
    giveRole(...fans.map(person));
    const running = home.start("sync-lists");
    const killed: Fault = {
      method: "POST",
      path: /\/members$/,
      skip: 1,
      fault: passes(),
      onStrike: () => running.process.kill("SIGKILL"),
    };
    home.town.fanvue.faults.push(killed);
    assert.equal((await running.result).signal, "SIGKILL");
    home.town.fanvue.faults.length = 0;
    const planned = home.rows(
      "SELECT count(*) AS n FROM steps WHERE verb = 'grant' AND because LIKE '%has the role%'",
    );
    assert.deepEqual(planned, [{ n: 150 }]);
    // Whom the killed run put there is ours, though it never heard so.
    takeRole(person("fan0"), person("fan149"));
    await sync();
    assert.equal(onList(crew).length, 148);
    assert.deepEqual(home.rows("SELECT settled, count(*) AS n FROM grants GROUP BY settled"), [
      { settled: 1, n: 148 },
    ]);
    assert.deepEqual(home.rows("SELECT count(*) AS n FROM steps WHERE state = 'planned'"), [{ n: 0 }]);
  });

  it("a dry run shows all of it and writes nothing", async (test) => {
    const { home, sync, person, vips, giveRole } = await startLists(test, { people: ["ana"] });
    home.town.fanvue.world.addToList(vips, person("ana").fan);
    giveRole(person("ana"));
    const [platforms, files] = [home.platforms(), home.files()];
    const report = await sync(0, "--dry-run");
    assert.match(report, /3 to be let in/);
    assert.deepEqual(home.platforms(), platforms);
    assert.deepEqual(home.files(), files);
  });
});
