/**
 * A whole installation for tests of scripts: the town's three stand-ins, a folder with config, address books and token,
 * and people whose entitlements begin and end on a word.
 */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { stringify } from "yaml";

import { runScript, startScript, temporaryFolder, type RunningScript, type ScriptResult } from "./harness.ts";
import { runSync, syncInProcess, type SyncName } from "./in-process.ts";
import { addMember, addRole, holdersOf, roleIdAt, userIdAt } from "./sandbox/discord-world.ts";
import type { SandboxFan, SandboxList, SandboxRow } from "./sandbox/fanvue-world.ts";
import type { Generation } from "./sandbox/fanvue-pages.ts";
import { startTown, type Town } from "./sandbox/town.ts";

/** Every kind of rule; each has a role and a room of its own. */
export const kinds = ["subscription", "spending", "top_spender", "unlock", "custom", "smart"] as const;
export type Kind = (typeof kinds)[number];

/** A fan with an account on both platforms. */
export interface Person {
  readonly name: string;
  readonly fan: SandboxFan;
  readonly discord: string;
  readonly mxid: string;
}

type Places = Record<string, unknown>;

/** What stands in config.yaml. Tests change it and call `saveConfig`. */
export interface ConfigFile {
  fanvue: Record<string, unknown>;
  discord?: Record<string, unknown>;
  roles?: Places;
  matrix?: Record<string, unknown>;
  rooms?: Places;
  [more: string]: unknown;
}

/** Accounts by fan, as the two address books hold them. */
export interface Books {
  readonly discord: Map<string, string[]>;
  readonly matrix: Map<string, string[]>;
}

export interface Installation {
  readonly folder: string;
  readonly dataDir: string;
  readonly town: Town;
  readonly config: ConfigFile;
  readonly books: Books;
  /** Role ids and room ids by the kind of rule that opens them. */
  readonly roles: Readonly<Record<Kind, string>>;
  readonly rooms: Readonly<Record<Kind, string>>;
  /** The rooms as the config names them. */
  readonly aliases: Readonly<Record<Kind, string>>;
  /** The custom list of the kind "custom". */
  readonly list: SandboxList;
  /** The bot's own Matrix id. */
  readonly bot: string;
  saveConfig(): void;
  saveBooks(): void;
  /** A follower with accounts in both address books, a member of the server. Save the books afterwards. */
  addPerson(name: string, options?: { readonly linked?: boolean }): Person;
  entitle(kind: Kind, person: Person): void;
  /** Ends it so that Fanvue says so clearly. */
  lapse(kind: Kind, person: Person): void;
  run(script: string, ...args: readonly string[]): Promise<ScriptResult>;
  start(script: string, ...args: readonly string[]): RunningScript;
  /** What `run` does with that sync, many times as fast: without a process of its own. */
  sync(which: SyncName, ...args: readonly string[]): Promise<ScriptResult>;
  /** The same with both, one after the other. */
  syncBoth(...args: readonly string[]): Promise<readonly [ScriptResult, ScriptResult]>;
  /** Names of those who have the role, or who are in or invited to the room, of a kind of rule; sorted. */
  holders(kind: Kind): readonly string[];
  guests(kind: Kind): readonly string[];
  /** Whoever is invited to a room of the config, and is a person of ours, joins. */
  acceptInvites(): void;
  /** All that the platforms hold, in a form to be compared. */
  platforms(): unknown;
  /** Name and bytes of every file of the data folder; undefined when there is no folder. */
  files(): ReadonlyMap<string, string> | undefined;
  /** What a query gives on the database as it lies on the disk. */
  rows(query: string): readonly Readonly<Record<string, unknown>>[];
}

export interface InstallationOptions {
  /** The only one that Fanvue offers; default both, of which the newer is taken. */
  readonly generation?: Generation;
  /** Added to the config. */
  readonly config?: Readonly<Record<string, unknown>>;
}

interface TestLike {
  after(fn: () => void | Promise<void>): void;
}

export const minSpendCents = 17_357;

/** Starts the stand-ins and writes an installation that points at them: nobody is linked yet. */
export async function startInstallation(
  test: TestLike,
  options: InstallationOptions = {},
): Promise<Installation> {
  const folder = temporaryFolder(test);
  const town = await startTown();
  test.after(() => town.stop());
  if (options.generation !== undefined) town.fanvue.quirks.generations = [options.generation];
  town.fanvue.rate.limit = 1_000_000;
  const dataDir = join(folder, "data");
  mkdirSync(dataDir, { mode: 0o700 });
  save(join(dataDir, "fanvue-token.json"), JSON.stringify(town.fanvue.issueToken()));

  const roles = openRoles(town);
  const { rooms, aliases, bot } = openRooms(town);
  const story = entitlements(town);
  const config = { ...configOf(town, { roles, aliases, bot, list: story.list }), ...options.config };
  const people: Person[] = [];
  const books: Books = { discord: new Map(), matrix: new Map() };
  const nameOf = (account: string) =>
    people.find(({ discord, mxid }) => account === discord || account === mxid)?.name ?? account;
  const script = { cwd: folder };

  const installation: Installation = {
    folder,
    dataDir,
    town,
    config,
    books,
    roles,
    rooms,
    aliases,
    list: story.list,
    bot,
    saveConfig() {
      save(join(folder, "config.yaml"), stringify(config, { aliasDuplicateObjects: false }));
    },
    saveBooks() {
      save(join(folder, "discord_addressbook.yaml"), stringify(Object.fromEntries(books.discord)));
      save(join(folder, "addressbook.yaml"), stringify(Object.fromEntries(books.matrix)));
    },
    addPerson(name, { linked = true } = {}) {
      const person = createPerson(town, name, 100 + people.length);
      people.push(person);
      if (linked) {
        books.discord.set(person.fan.uuid, [person.discord]);
        books.matrix.set(person.fan.uuid, [person.mxid]);
      }
      return person;
    },
    entitle: story.begin,
    lapse: story.end,
    run: (name, ...args) => runScript(name, args, script),
    start: (name, ...args) => startScript(name, args, script),
    sync: (which, ...args) => runSync(installation, which, args),
    syncBoth: async (...args) => [
      await runSync(installation, "discord", args),
      await runSync(installation, "matrix", args),
    ],
    holders: (kind) => holdersOf(town.discord.world, roles[kind]).map(nameOf).sort(),
    guests: (kind) =>
      [...town.matrix.world.members(rooms[kind], "join"), ...town.matrix.world.members(rooms[kind], "invite")]
        .filter((id) => id !== bot)
        .map(nameOf)
        .sort(),
    acceptInvites() {
      for (const room of Object.values(rooms))
        for (const id of town.matrix.world.members(room, "invite")) town.matrix.world.join(room, id);
    },
    platforms: () => platformsOf(town),
    files: () => filesOf(dataDir),
    rows: (query) => rowsOf(join(dataDir, "fanvue-sync.db"), query),
  };
  installation.saveConfig();
  installation.saveBooks();
  return installation;
}

export interface Peopled extends Installation {
  /** Entitled by one kind of rule, and named after it. */
  readonly cast: Readonly<Record<Kind, Person>>;
  /** Entitled by every kind of rule. */
  readonly keeper: Person;
}

/** As startInstallation, with people. Nothing is synced yet. */
export async function startPeopled(test: TestLike, options: InstallationOptions = {}): Promise<Peopled> {
  const home = await startInstallation(test, options);
  const cast = byKind((kind) => {
    const person = home.addPerson(kind);
    home.entitle(kind, person);
    return person;
  });
  const keeper = home.addPerson("keeper");
  for (const kind of kinds) home.entitle(kind, keeper);
  home.saveBooks();
  return { ...home, cast, keeper };
}

/** The same, once everybody has been let in and has accepted. Throws when somebody was not. */
export async function startSynced(test: TestLike, options: InstallationOptions = {}): Promise<Peopled> {
  const home = await startPeopled(test, options);
  await settle(home);
  return home;
}

/** Syncs both platforms and lets everybody accept. Throws when that does not end in order. */
export async function settle(home: Installation): Promise<void> {
  for (const platform of ["discord", "matrix"] as const) {
    const { code, text } = await syncInProcess(home, platform);
    if (code !== 0) throw new Error(`sync-${platform} ended with ${String(code)}\n${text}`);
  }
  home.acceptInvites();
}

export const byKind = <T>(make: (kind: Kind) => T): Readonly<Record<Kind, T>> => ({
  subscription: make("subscription"),
  spending: make("spending"),
  top_spender: make("top_spender"),
  unlock: make("unlock"),
  custom: make("custom"),
  smart: make("smart"),
});

/** Limits so wide that nothing but the evidence protects anybody. */
export const noLimits = {
  max_removal_share: 1,
  min_removals_per_place: 1000,
  min_removals_per_target: 1000,
  max_source_drop_share: 1,
  min_source_drop: 1000,
};

/** Exit code 0 and nothing to complain of; how far it got may be told on the way. */
export function assertClean({ code, stdout, stderr }: ScriptResult): void {
  const complaints = stderr.split("\n").filter((line) => line !== "" && !line.includes('"level":30,'));
  assert.deepEqual({ code, complaints }, { code: 0, complaints: [] }, stdout);
}

/** Ended with that code and a sentence on stderr: no stack, no talk of a bug. */
export function assertToldOnStderr({ code, stderr }: ScriptResult, expected: number, sentence: RegExp): void {
  assert.match(stderr, sentence);
  assert.doesNotMatch(stderr, /^\s+at |this is a bug|Error:/m);
  assert.equal(code, expected, stderr);
}

function save(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, 0o600);
}

// ---- The platforms ----------------------------------------------------------------------------------------------

function openRoles({ discord }: Town): Readonly<Record<Kind, string>> {
  let index = 100;
  return byKind((kind) => {
    index += 1;
    return addRole(discord.world, { id: roleIdAt(index), name: kind, position: index - 90 }).id;
  });
}

function openRooms({ matrix }: Town) {
  const { world } = matrix;
  const bot = `@fanvue-sync:${world.serverName}`;
  const rooms = byKind((kind) =>
    world.createRoom({ creator: bot, name: kind, alias: `${kind}-room`, powerLevels: { invite: 50 } }),
  );
  return { rooms, aliases: byKind((kind) => `#${kind}-room:${world.serverName}`), bot };
}

function createPerson({ fanvue, discord, matrix }: Town, name: string, index: number): Person {
  const fan = fanvue.world.addFan(`fan-${name}`);
  fanvue.world.follow(fan);
  const id = userIdAt(index);
  addMember(discord.world, { id, username: name });
  return { name, fan, discord: id, mxid: matrix.world.addUser(name).id };
}

const sorted = <T>(map: ReadonlyMap<string, T>): [string, T][] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1));

function platformsOf({ fanvue, discord, matrix }: Town): unknown {
  return {
    discord: sorted(discord.world.members).map(([id, { roles, nick }]) => [id, [...roles].sort(), nick]),
    bans: [...discord.world.bans].sort(),
    auditLog: discord.world.auditLog,
    matrix: sorted(matrix.world.rooms).map(([id, { state }]) => [id, sorted(state)]),
    lists: sorted(fanvue.world.customLists).map(([id, { name, members }]) => [id, name, [...members].sort()]),
    messages: fanvue.world.messages,
  };
}

function filesOf(dataDir: string): ReadonlyMap<string, string> | undefined {
  if (!existsSync(dataDir)) return undefined;
  const entries = readdirSync(dataDir, { recursive: true, withFileTypes: true });
  return new Map(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(dataDir.length + 1), readFileSync(path, "base64")]),
  );
}

function rowsOf(path: string, query: string): readonly Readonly<Record<string, unknown>>[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database
      .prepare(query)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    database.close();
  }
}

// ---- Fanvue -----------------------------------------------------------------------------------------------------

interface Entitlements {
  readonly list: SandboxList;
  readonly begin: (kind: Kind, person: Person) => void;
  readonly end: (kind: Kind, person: Person) => void;
}

function entitlements(town: Town): Entitlements {
  const { world } = town.fanvue;
  const list = world.createList("The inner room");
  const payments = new Map<string, SandboxRow>();
  const pay = (kind: Kind, fan: SandboxFan, row: SandboxRow) => payments.set(`${kind} ${fan.uuid}`, row);
  const refund = (kind: Kind, fan: SandboxFan) => {
    const row = payments.get(`${kind} ${fan.uuid}`);
    if (row === undefined) throw new Error(`${fan.handle} has paid nothing for ${kind}`);
    world.refund(row);
  };
  const change = (fn: () => void) => {
    fn();
    world.touch();
  };
  const begins: Readonly<Record<Kind, (fan: SandboxFan) => void>> = {
    subscription: (fan) => {
      world.subscribe(fan);
    },
    spending: (fan) => pay("spending", fan, world.tip(fan, minSpendCents + 4321)),
    top_spender: (fan) => {
      change(() => (fan.isTopSpender = true));
    },
    unlock: (fan) => pay("unlock", fan, world.buyPost(fan, town.post)),
    custom: (fan) => {
      world.addToList(list, fan);
    },
    smart: (fan) => {
      change(() => (fan.muted = true));
    },
  };
  const ends: Readonly<Record<Kind, (fan: SandboxFan) => void>> = {
    subscription: (fan) => {
      world.lapse(fan);
    },
    spending: (fan) => {
      refund("spending", fan);
    },
    top_spender: (fan) => {
      change(() => (fan.isTopSpender = false));
    },
    unlock: (fan) => {
      refund("unlock", fan);
    },
    custom: (fan) => {
      world.removeFromList(list, fan);
    },
    smart: (fan) => {
      change(() => (fan.muted = false));
    },
  };
  return {
    list,
    begin: (kind, { fan }) => {
      begins[kind](fan);
    },
    end: (kind, { fan }) => {
      ends[kind](fan);
    },
  };
}

// ---- The config -------------------------------------------------------------------------------------------------

interface Parts {
  readonly roles: Readonly<Record<Kind, string>>;
  readonly aliases: Readonly<Record<Kind, string>>;
  readonly bot: string;
  readonly list: SandboxList;
}

function configOf(town: Town, { roles, aliases, bot, list }: Parts): ConfigFile {
  const { fanvue, discord, matrix } = town;
  const rules = byKind((kind) => ruleOf(kind, town, list));
  const placesOf = (ids: Readonly<Record<Kind, string>>) =>
    Object.fromEntries(kinds.map((kind) => [ids[kind], rules[kind]]));
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
    roles: placesOf(roles),
    matrix: { homeserver: matrix.url, user_id: bot, access_token: "sandbox-matrix-token" },
    rooms: placesOf(aliases),
    snapshot_max_age: "0s",
    followers_max_age: "0s",
  };
}

/** A rule as the config writes it. */
export function ruleOf(
  kind: Kind,
  town: Pick<Town, "post">,
  list: SandboxList,
): Readonly<Record<string, unknown>> {
  switch (kind) {
    case "subscription":
      return { type: "subscription", active_subscription: true };
    case "spending":
      return { type: "spending", min_lifetime_spend_cents: minSpendCents };
    case "top_spender":
      return { type: "top_spender" };
    case "unlock":
      return { type: "unlock", content_id: town.post };
    case "custom":
      return { type: "fanvue_list", list_uuid: list.uuid, list_type: "custom" };
    case "smart":
      return { type: "fanvue_list", list_uuid: "muted", list_type: "smart" };
  }
}
