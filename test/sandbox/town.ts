/**
 * A small town to try things in: the three stand-ins, a dozen fans with accounts on both platforms, and the files of
 * an installation that points at them.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";

import { addMember, addRole, roleIdAt, userIdAt } from "./discord-world.ts";
import { discordDescription } from "./discord-description.ts";
import { startDiscord, type DiscordSandbox } from "./discord.ts";
import { dayMs, type SandboxFan, type SandboxList } from "./fanvue-world.ts";
import { startFanvue, type FanvueSandbox } from "./fanvue.ts";
import { startMatrix, type MatrixSandbox } from "./matrix.ts";

/** The first line of a config that may be written over. */
const mark = "# Written by `npm run sandbox`, which writes it anew at each start.";

export interface Town {
  readonly fanvue: FanvueSandbox;
  readonly discord: DiscordSandbox;
  readonly matrix: MatrixSandbox;
  /** In the order in which `tellStories` makes them up. */
  readonly fans: readonly SandboxFan[];
  /** Discord ids, and Matrix ids, by fan. */
  readonly discordIds: ReadonlyMap<SandboxFan, string>;
  readonly mxids: ReadonlyMap<SandboxFan, string>;
  readonly roles: Readonly<Record<"subscribers" | "patrons" | "backstage" | "inner circle", string>>;
  readonly rooms: Readonly<Record<"subscribers" | "patrons", string>>;
  /** The post that opens the role "backstage". */
  readonly post: string;
  readonly innerCircle: SandboxList;
  stop(): Promise<void>;
}

interface Stories {
  readonly fans: readonly SandboxFan[];
  readonly post: string;
  readonly innerCircle: SandboxList;
}

/** Six subscribers, then one who cancelled, one on a free trial, one whose time is over, a buyer, a patron, a follower. */
function tellStories({ world }: FanvueSandbox): Stories {
  const daysAgo = (days: number) => world.now() - days * dayMs;
  const post = world.uuid("post about the making of");

  const subscribers = world.addFans(6, (fan, index) => {
    world.subscribe(fan, { startedAtMs: daysAgo(20 - index) });
  });
  const canceller = world.addFan();
  world.subscribe(canceller, { startedAtMs: daysAgo(28) });
  world.cancel(canceller);
  const onTrial = world.addFan();
  world.subscribe(onTrial, { startedAtMs: daysAgo(2), paidCents: 0, days: 7 });
  const lapsed = world.addFan();
  world.subscribe(lapsed, { startedAtMs: daysAgo(28) });
  world.lapse(lapsed);
  const buyer = world.addFan();
  world.buyPost(buyer, post, 1500, daysAgo(5));
  const patron = world.addFan();
  world.tip(patron, 25_000, daysAgo(9));
  const follower = world.addFan();

  const fans = [...subscribers, canceller, onTrial, lapsed, buyer, patron, follower];
  for (const fan of fans) world.follow(fan);
  return { fans, post, innerCircle: world.createList("Inner circle", ...subscribers.slice(0, 2)) };
}

function buildGuild({ world }: DiscordSandbox, fans: readonly SandboxFan[]) {
  const role = (name: string, index: number) =>
    addRole(world, { id: roleIdAt(index), name, position: 10 + index }).id;
  const roles = {
    subscribers: role("subscribers", 0),
    patrons: role("patrons", 1),
    backstage: role("backstage", 2),
    "inner circle": role("inner circle", 3),
  };
  const discordIds = new Map(fans.map((fan, index) => [fan, userIdAt(index)]));
  // The last fan has an account, but has never joined the server.
  for (const [fan, id] of [...discordIds].slice(0, -1)) addMember(world, { id, username: fan.handle });
  // Nobody's fan: a friend of the house, whom the operator gave the role by hand.
  addMember(world, { id: userIdAt(500), username: "old-friend", roles: [roles.subscribers] });
  return { discordIds, roles };
}

function buildRooms({ world }: MatrixSandbox, fans: readonly SandboxFan[]) {
  const bot = world.addUser("fanvue-sync", "sandbox-matrix-token").id;
  const mxids = new Map(fans.slice(0, 10).map((fan) => [fan, world.addUser(fan.handle).id]));
  const open = (alias: string, name: string) => {
    world.createRoom({ creator: bot, name, alias });
    return `#${alias}:${world.serverName}`;
  };
  const rooms = { subscribers: open("subscribers", "Subscribers"), patrons: open("patrons", "Patrons") };
  return { mxids, rooms };
}

/** Starts the three stand-ins on free ports and peoples them. */
export async function startTown(): Promise<Town> {
  const fanvue = await startFanvue();
  const discord = await startDiscord({ description: discordDescription() });
  const matrix = await startMatrix();
  const stories = tellStories(fanvue);
  return {
    fanvue,
    discord,
    matrix,
    ...stories,
    ...buildGuild(discord, stories.fans),
    ...buildRooms(matrix, stories.fans),
    async stop() {
      const ends = await Promise.allSettled([fanvue.stop(), discord.stop(), matrix.stop()]);
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    },
  };
}

function configOf(town: Town) {
  const { fanvue, discord, matrix, roles, rooms } = town;
  const subscription = { type: "subscription", active_subscription: true };
  const patron = { type: "spending", min_lifetime_spend_cents: 20_000 };
  return {
    fanvue: {
      client_id: fanvue.app.clientId,
      client_secret: fanvue.app.clientSecret,
      redirect_uri: fanvue.app.redirectUris[0],
      api_url: fanvue.apiUrl,
      auth_url: fanvue.authUrl,
    },
    discord: {
      token: discord.world.bot.token,
      guild_id: discord.world.guild.id,
      api_url: discord.apiUrl,
    },
    roles: {
      [roles.subscribers]: subscription,
      [roles.patrons]: patron,
      [roles.backstage]: { type: "unlock", content_id: town.post },
      [roles["inner circle"]]: {
        type: "fanvue_list",
        list_uuid: town.innerCircle.uuid,
        list_type: "custom",
      },
    },
    matrix: {
      homeserver: matrix.url,
      user_id: `@fanvue-sync:${matrix.world.serverName}`,
      access_token: "sandbox-matrix-token",
    },
    rooms: { [rooms.subscribers]: subscription, [rooms.patrons]: patron },
    list_sync: {
      patrons: {
        discord_role_id: roles.patrons,
        fanvue_list: { name: "Patrons on Discord", create: true },
        primary: "discord",
      },
    },
  };
}

function refuseForeignFolder(folder: string): void {
  const path = join(folder, "config.yaml");
  if (!existsSync(path) || readFileSync(path, "utf8").startsWith(mark)) return;
  throw new Error(`${path} is somebody's own. Name another folder for the sandbox, or an empty one.`);
}

const bookOf = (accounts: ReadonlyMap<SandboxFan, string>) =>
  stringify(Object.fromEntries([...accounts].map(([fan, account]) => [fan.uuid, [account]])));

/**
 * Writes config.yaml, both address books and a token into `folder`, which serves as data folder, too. What an earlier
 * sandbox left there is removed: its stand-ins are gone. Throws for a folder with a config of somebody's own.
 */
export function writeInstallation(town: Town, folder: string): void {
  refuseForeignFolder(folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  rmSync(join(folder, "fanvue-sync.db"), { force: true });
  const save = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  };
  save("config.yaml", `${mark}\n${stringify(configOf(town), { aliasDuplicateObjects: false })}`);
  save("discord_addressbook.yaml", bookOf(town.discordIds));
  save("addressbook.yaml", bookOf(town.mxids));
  save("fanvue-token.json", JSON.stringify(town.fanvue.issueToken()));
}
