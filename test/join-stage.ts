/** A server with auto-join, and people who are on Discord but not on it. */
import assert from "node:assert/strict";

import { openDatabase } from "../lib/db.ts";
import { loginsIn } from "../lib/discord-logins.ts";
import { parseDiscordUserId, parseFanId } from "../lib/ids.ts";
import { addLink } from "../lib/store/links.ts";
import { saveLogin } from "../lib/store/logins.ts";
import {
  assertClean,
  noLimits,
  startInstallation,
  type Installation,
  type Kind,
  type Person,
} from "./installation.ts";
import { issueLogin } from "./sandbox/discord-logins.ts";
import { addRole, roleIdAt } from "./sandbox/discord-world.ts";

/** Roles for subscribers and spenders, and one that only comes with being brought in. */
export async function startJoinServer(
  test: Parameters<typeof startInstallation>[0],
  subscriptionExpires: "remove_role" | "kick" = "remove_role",
) {
  const home = await startInstallation(test, { config: { limits: noLimits } });
  const { world } = home.town.discord;
  const member = addRole(world, { id: roleIdAt(900), name: "member" }).id;
  const { subscription, spending } = home.roles;
  Object.assign(home.config.discord ?? {}, {
    oauth_client_id: world.application.id,
    oauth_client_secret: world.application.clientSecret,
    oauth_redirect_uri: "http://localhost:8080/callback",
  });
  Object.assign(home.config.roles ?? {}, {
    [subscription]: { type: "subscription", on_expiry: subscriptionExpires },
  });
  home.config["auto_join"] = { enabled: true, roles: [member, subscription] };
  home.saveConfig();

  const database = openDatabase(home.dataDir);
  const logins = loginsIn(database);
  const names: ReadonlyMap<string, string> = new Map([
    [member, "member"],
    [subscription, "subscription"],
    [spending, "spending"],
  ]);
  const idOf = ({ discord }: Person) => parseDiscordUserId(discord) ?? assert.fail();
  return {
    home,
    world,
    member,
    logins,
    /** A fan who is on Discord, but not on the server. Save the books afterwards. */
    addOutsider: (name: string, ...kinds: readonly Kind[]): Person => {
      const person = home.addPerson(name);
      world.members.delete(person.discord);
      for (const kind of kinds) home.entitle(kind, person);
      return person;
    },
    giveLogin: async (person: Person): Promise<void> => {
      const { accessToken, refreshToken, expiresAtMs, scopes } = issueLogin(world, person.discord);
      const login = { accessToken, refreshToken, expiresAtMs, scopes };
      await database.write((sql) => {
        saveLogin(sql, idOf(person), login, Date.now());
      });
    },
    hasLogin: async (person: Person) => (await logins.accounts()).has(idOf(person)),
    /** The link page does this. */
    proveLink: async (person: Person): Promise<void> => {
      const fan = parseFanId(person.fan.uuid) ?? assert.fail();
      const link = { fan, platform: "discord", account: idOf(person), source: "proved" } as const;
      await database.write((sql) => {
        addLink(sql, link, Date.now());
      });
    },
    /** Names of somebody's roles, sorted; undefined for whoever is not on the server. */
    rolesOf: ({ discord }: Person) =>
      [...(world.members.get(discord)?.roles ?? ["absent"])].map((id) => names.get(id) ?? id).sort(),
    /** The changes that were asked for since the last time: the method, and whether of the member or of one role. */
    changes: changesOf(home),
  };
}

function changesOf({ town }: Installation): () => readonly string[] {
  let seen = 0;
  return () => {
    const requests = town.discord.requests.slice(seen);
    seen = town.discord.requests.length;
    return requests
      .filter(({ method, path }) => method !== "GET" && path.includes("/members/"))
      .map(({ method, path }) => `${method} ${path.includes("/roles/") ? "role" : "member"}`);
  };
}

/** A sync without a fault, and its report. */
export async function clean(home: Installation): Promise<string> {
  const result = await home.sync("discord");
  assertClean(result);
  return result.stdout;
}
