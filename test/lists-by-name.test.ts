/** Lists that the config knows by their names on Fanvue, and those that are made for it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";

import { type ListStage, startLists } from "./list-stage.ts";
import type { SandboxList } from "./sandbox/fanvue-world.ts";

interface ByName extends ListStage {
  /** Writes an entry "vips", by which a list of that name decides on the role "custom". */
  readonly nameIt: (list: Readonly<Record<string, unknown>>) => void;
  /** Lists of that name. */
  readonly called: (name: string) => readonly SandboxList[];
}

async function startByName(test: TestContext): Promise<ByName> {
  const stage = await startLists(test, { people: ["ana"] });
  const { home } = stage;
  const { world } = home.town.fanvue;
  // The ids that were found are looked up again at each run.
  home.config["snapshot_max_age"] = "0s";
  return {
    ...stage,
    nameIt(list) {
      home.config["list_sync"] = { vips: { discord_role_id: home.roles.custom, fanvue_list: list } };
      home.saveConfig();
    },
    called: (name) => [...world.customLists.values()].filter((list) => list.name === name),
  };
}

describe("a list by its name", () => {
  it("is found, and a name that no list has is answered with the nearest", async (test) => {
    const { home, sync, vips, nameIt, person } = await startByName(test);
    nameIt({ name: "Inner roon" });
    assert.match(
      await sync(4),
      /Fanvue has no list called "Inner roon"\. There is one called "The inner room"\./,
    );
    nameIt({ name: vips.name });
    home.town.fanvue.world.addToList(vips, person("ana").fan);
    await sync();
    assert.deepEqual(home.holders("custom"), ["ana"]);
  });

  it("that another list has now is another rule: removals wait for an approval", async (test) => {
    const { home, sync, vips, nameIt, person } = await startByName(test);
    const { world } = home.town.fanvue;
    nameIt({ name: vips.name });
    world.addToList(vips, person("ana").fan);
    await sync();

    world.customLists.delete(vips.uuid);
    const other = world.createList(vips.name);
    world.addToList(other, ...home.town.fans.slice(0, 1));
    assert.match(await sync(3), /its rules have changed since they were last applied/);
    assert.deepEqual(home.holders("custom"), ["ana"]);

    const twin = world.createList("The other room");
    twin.name = vips.name;
    world.touch();
    assert.match(await sync(4), /Fanvue has more than one list called "The inner room"/);
    assert.deepEqual(home.holders("custom"), ["ana"]);
  });

  it("may not be filled under its name and ask under its uuid", async (test) => {
    const { home, sync, crew, person, giveRole, onList } = await startLists(test, { people: ["ana"] });
    home.config["list_sync"] = {
      crew: { discord_role_id: home.roles.spending, fanvue_list: { name: "Crew" }, primary: "discord" },
      asks: { discord_role_id: home.roles.custom, fanvue_list_uuid: crew.uuid },
    };
    home.saveConfig();
    giveRole(person("ana"));
    assert.match(
      await sync(4),
      /list_sync\.crew\.fanvue_list.* is filled here and decides in list_sync\.asks/,
    );
    assert.deepEqual(onList(crew), []);
  });
});

describe("a list that is to be made", () => {
  it("is made by sync-lists in a run that writes, and by nothing else", async (test) => {
    const { home, sync, nameIt, called, person } = await startByName(test);
    nameIt({ name: "New ones", create: true });
    assert.match(await sync(0, "--dry-run"), /there is no list "New ones" yet/);
    const other = await home.sync("discord");
    assert.match(other.stdout, /Fanvue has no list "New ones" yet\. npm run sync-lists makes it\./);
    assert.equal(other.code, 4);
    assert.deepEqual(called("New ones"), []);

    assert.match(await sync(), /The list \\"New ones\\" was made on Fanvue/);
    const [made = assert.fail("there is no such list")] = called("New ones");
    home.town.fanvue.world.addToList(made, person("ana").fan);
    await sync();
    assert.deepEqual(home.holders("custom"), ["ana"]);
    assert.equal(called("New ones").length, 1);
  });

  it("is made for the entries that --only names, also by a run for one fan", async (test) => {
    const { home, sync, called, person, giveRole, crewRole } = await startByName(test);
    home.config["list_sync"] = {
      vips: { discord_role_id: home.roles.custom, fanvue_list: { name: "New ones", create: true } },
      crew: { discord_role_id: crewRole, fanvue_list: { name: "Team", create: true }, primary: "discord" },
    };
    home.saveConfig();
    giveRole(person("ana"));
    assert.match(await sync(0, "--dry-run"), /a run without --dry-run makes it/);
    await sync(0, "--only", "vips");
    assert.deepEqual([called("New ones").length, called("Team").length], [1, 0]);
    await sync(0, "--fan", person("ana").fan.uuid);
    const [team = assert.fail("there is no such list")] = called("Team");
    assert.deepEqual([...team.members], [person("ana").fan.uuid]);
  });

  it("is not made by a run that a faulty address book ends", async (test) => {
    const { home, sync, nameIt, called } = await startByName(test);
    await sync();
    nameIt({ name: "New ones", create: true });
    writeFileSync(join(home.folder, "discord_addressbook.yaml"), "");
    assert.match(await sync(2), /discord_addressbook\.yaml/);
    assert.deepEqual(called("New ones"), []);
  });

  it("is made once where several runs begin together", async (test) => {
    const { home, nameIt, called } = await startByName(test);
    nameIt({ name: "New ones", create: true });
    const runs = await Promise.all([home.run("sync-lists"), home.run("sync-lists"), home.run("sync-lists")]);
    assert.deepEqual(
      runs.map(({ code }) => code),
      [0, 0, 0],
    );
    assert.equal(called("New ones").length, 1);
  });

  it("gets no twin when it has another name, or is not shown: who was put there stays on record", async (test) => {
    const { home, sync, called, person, giveRole, crewRole } = await startByName(test);
    const { world } = home.town.fanvue;
    home.config["list_sync"] = {
      crew: { discord_role_id: crewRole, fanvue_list: { name: "Team", create: true }, primary: "discord" },
    };
    home.saveConfig();
    giveRole(person("ana"));
    await sync();
    const [team = assert.fail("there is no such list")] = called("Team");

    team.name = "Our team";
    world.touch();
    assert.match(await sync(4), /The list "Team" is called "Our team" on Fanvue now\. Write that name/);
    world.customLists.delete(team.uuid);
    world.touch();
    const gone = /The list "Team" is no longer among your lists on Fanvue\. If you deleted it, make one/;
    assert.match(await sync(4, "--dry-run"), gone);
    assert.match(await sync(4), gone);
    assert.deepEqual([called("Team"), called("Our team")], [[], []]);

    world.customLists.set(team.uuid, team);
    team.name = "Team";
    world.touch();
    assert.match(await sync(), /no change/);
    assert.deepEqual([...team.members], [person("ana").fan.uuid]);
  });
});
