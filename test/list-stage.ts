/** An installation whose lists and roles follow each other, for tests of sync-lists. */
import assert from "node:assert/strict";

import { type Installation, noLimits, type Person, startInstallation } from "./installation.ts";
import type { SandboxList } from "./sandbox/fanvue-world.ts";

export interface ListStage {
  readonly home: Installation;
  /** The list that decides on the role "custom" and the room "custom". */
  readonly vips: SandboxList;
  /** The list that is filled from the role "spending". */
  readonly crew: SandboxList;
  readonly crewRole: string;
  readonly person: (name: string) => Person;
  /** Gives or takes the role of the crew, as the team does by hand. */
  readonly giveRole: (...people: readonly Person[]) => void;
  readonly takeRole: (...people: readonly Person[]) => void;
  /** Names of who is on a list; sorted. */
  readonly onList: (list: SandboxList) => readonly string[];
  /** Syncs the lists; gives the report. Fails where it does not end with that code. */
  readonly sync: (code?: number, ...args: readonly string[]) => Promise<string>;
}

interface StageOptions {
  readonly people?: readonly string[];
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Nobody is on any list yet. `config`: more than list_sync; without it, limits hold nothing. */
export async function startLists(
  test: Parameters<typeof startInstallation>[0],
  { people = [], config = { limits: noLimits } }: StageOptions = {},
): Promise<ListStage> {
  const home = await startInstallation(test);
  const { world } = home.town.fanvue;
  const crew = world.createList("Crew");
  const crewRole = home.roles.spending;
  delete home.config.roles;
  delete home.config.rooms;
  Object.assign(home.config, config);
  home.config["list_sync"] = {
    vips: { discord_role_id: home.roles.custom, fanvue_list_uuid: home.list.uuid },
    lounge: { matrix_room: home.aliases.custom, fanvue_list_uuid: home.list.uuid },
    crew: { discord_role_id: crewRole, fanvue_list_uuid: crew.uuid, primary: "discord" },
  };
  home.saveConfig();
  const cast = new Map(people.map((name) => [name, home.addPerson(name)]));
  home.saveBooks();
  const nameOf = (uuid: string) =>
    [...cast].find(([, { fan }]) => fan.uuid === uuid)?.[0] ?? home.town.fanvue.world.fans.get(uuid)?.handle;
  const rolesOf = ({ discord }: Person) =>
    home.town.discord.world.members.get(discord)?.roles ?? assert.fail();
  return {
    home,
    vips: home.list,
    crew,
    crewRole,
    person: (name) => cast.get(name) ?? assert.fail(`there is no ${name}`),
    giveRole(...some) {
      for (const person of some) rolesOf(person).add(crewRole);
    },
    takeRole(...some) {
      for (const person of some) rolesOf(person).delete(crewRole);
    },
    onList: ({ members }) => [...members].map((uuid) => nameOf(uuid) ?? uuid).sort(),
    async sync(code = 0, ...args) {
      const ended = await home.sync("lists", ...args);
      assert.equal(ended.code, code, ended.stdout + ended.stderr);
      return ended.stdout + ended.stderr;
    },
  };
}
