/**
 * An installation for one test: Fanvue's stand-in, a bot and an owner of rooms on the real homeserver, and the files
 * that tie them together.
 */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";

import { runScript, temporaryFolder, type ScriptResult } from "../harness.ts";
import { runSync } from "../in-process.ts";
import type { SandboxFan } from "../sandbox/fanvue-world.ts";
import { startFanvue, type FanvueSandbox } from "../sandbox/fanvue.ts";
import type { Synapse } from "./homeserver.ts";
import type { NewRoom, People, Person } from "./people.ts";

/** What all tests share. */
export interface Street {
  readonly synapse: Synapse;
  readonly people: People;
  /** A word that no other test uses. */
  readonly fresh: (word: string) => string;
}

export interface Member extends Person {
  readonly fan: SandboxFan;
}

/** What the config says of a room beside its rule, which is "subscribers" where nothing else is said. */
type PlaceOptions = Readonly<Record<string, unknown>>;

export interface House {
  readonly bot: Person;
  readonly owner: Person;
  readonly fanvue: FanvueSandbox;
  /** Rooms and their rules as they stand in the config; saved before each run. */
  readonly rooms: Record<string, unknown>;
  readonly matrix: Record<string, unknown>;
  /** Added to the config. */
  readonly config: Record<string, unknown>;
  /** A subscriber with an account. */
  readonly subscriber: (name: string) => Promise<Member>;
  /** A subscriber with this account. */
  readonly linked: (person: Person) => Member;
  /** A subscriber of whom nothing is known but a Matrix id. */
  readonly linkedId: (id: string) => SandboxFan;
  /** A room of the owner, in which the bot has power 60 and only moderators invite. */
  newRoom(options?: NewRoom): Promise<string>;
  /** The same, and in the config by its id. */
  newPlace(options?: NewRoom, place?: PlaceOptions): Promise<string>;
  begin(...members: readonly Pick<Member, "fan">[]): void;
  end(...members: readonly Pick<Member, "fan">[]): void;
  /** The sync without a process of its own, many times as fast. */
  sync(...args: readonly string[]): Promise<ScriptResult>;
  /** As an operator runs it. */
  syncByScript(...args: readonly string[]): Promise<ScriptResult>;
  /** Runs `sync` and expects that all is in order; gives the report. */
  syncWell(...args: readonly string[]): Promise<string>;
  links(...args: readonly string[]): Promise<ScriptResult>;
  /** What the bot asked the homeserver to change, oldest first: "POST /rooms/…/invite 200". */
  writes(): readonly string[];
}

interface TestLike {
  after(fn: () => void | Promise<void>): void;
}

/** Subscribers without a Matrix account: beside them a few who lapse are no slump that holds removals. */
const crowd = 25;

export const subscription = { type: "subscription" };

export async function openHouse(test: TestLike, street: Street): Promise<House> {
  const { synapse, people, fresh } = street;
  const folder = temporaryFolder(test);
  const fanvue = await startFanvue({ rate: { limit: 1_000_000 } });
  test.after(() => fanvue.stop());
  fanvue.world.addFans(crowd, (fan) => {
    fanvue.world.subscribe(fan);
  });
  const [bot, owner] = await Promise.all([
    people.register(fresh("bot")),
    people.registerUnlimited(fresh("owner")),
  ]);

  const rooms: Record<string, unknown> = {};
  const matrix: Record<string, unknown> = {
    homeserver: synapse.url,
    user_id: bot.id,
    access_token: bot.token,
  };
  const config: Record<string, unknown> = {};
  const book = new Map<string, string[]>();
  const dataDir = join(folder, "data");
  mkdirSync(dataDir, { mode: 0o700 });
  save(join(dataDir, "fanvue-token.json"), JSON.stringify(fanvue.issueToken()));

  const saveFiles = () => {
    const whole = { fanvue: fanvueSection(fanvue), matrix, rooms, snapshot_max_age: "0s", ...config };
    save(join(folder, "config.yaml"), stringify(whole, { aliasDuplicateObjects: false }));
    save(join(folder, "addressbook.yaml"), stringify(Object.fromEntries(book)));
  };
  const run = (script: string, args: readonly string[]) => {
    saveFiles();
    return runScript(script, args, { cwd: folder });
  };
  const sync = (args: readonly string[]) => {
    saveFiles();
    return runSync({ folder, dataDir }, "matrix", args);
  };
  const linkedId = (id: string) => {
    const fan = fanvue.world.addFan();
    fanvue.world.subscribe(fan);
    book.set(fan.uuid, [id]);
    return fan;
  };
  const linked = (person: Person): Member => ({ ...person, fan: linkedId(person.id) });

  const house: House = {
    bot,
    owner,
    fanvue,
    rooms,
    matrix,
    config,
    linkedId,
    linked,
    subscriber: async (name) => linked(await people.register(fresh(name))),
    async newRoom(options = {}) {
      const levels = { invite: 50, ...options.levels };
      const room = await owner.createRoom({ name: "VIP", ...options, levels });
      await owner.invite(room, bot.id);
      await bot.join(room);
      await owner.setPower(room, bot.id, 60);
      return room;
    },
    async newPlace(options, place = {}) {
      const room = await house.newRoom(options);
      rooms[room] = { ...subscription, ...place };
      return room;
    },
    begin(...members) {
      for (const { fan } of members) fanvue.world.subscribe(fan);
    },
    end(...members) {
      for (const { fan } of members) fanvue.world.lapse(fan);
    },
    sync: (...args) => sync(args),
    syncByScript: (...args) => run("sync-matrix", args),
    async syncWell(...args) {
      const { code, stdout, stderr } = await sync(args);
      assert.deepEqual({ code, complaints: complaintsIn(stderr) }, { code: 0, complaints: [] }, stdout);
      return stdout;
    },
    links: (...args) => run("links", args),
    writes: () => writesIn(synapse.log(), bot.id),
  };
  return house;
}

/** The hash under which a run holds something. */
export function heldHash({ stdout }: ScriptResult): string {
  const hash = /--approve ([0-9a-f]{12})/.exec(stdout)?.[1];
  assert.ok(hash, stdout);
  return hash;
}

function save(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, 0o600);
}

function fanvueSection({ app, apiUrl, authUrl }: FanvueSandbox) {
  return {
    client_id: app.clientId,
    client_secret: app.clientSecret,
    redirect_uri: app.redirectUris[0],
    api_url: apiUrl,
    auth_url: authUrl,
  };
}

/** Log lines that are more than news of the progress, and whatever is no log line. */
const complaintsIn = (stderr: string) =>
  stderr.split("\n").filter((line) => line !== "" && !line.startsWith('{"level":30,'));

/** Synapse writes a line for each request that it has answered. */
function writesIn(log: string, user: string): readonly string[] {
  const line =
    /- \{([^}]+)\} Processed request: .* (\d{3}) "(POST|PUT|DELETE) \/_matrix\/client\/v3([^ ?]+)/g;
  return [...log.matchAll(line)]
    .filter(([, who]) => who === user)
    .map(([, , status = "", method = "", path = ""]) => `${method} ${decodeURIComponent(path)} ${status}`);
}
