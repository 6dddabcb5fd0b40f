/** The story of the demo, chapter by chapter. Each ends with a look at what the three services really hold. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";
import { z } from "zod";

import { Mismatch, roleName, roomName } from "./demo-watch.ts";
import type { Stage } from "./demo-stage.ts";
import { addMember } from "./discord-world.ts";
import type { SandboxFan } from "./fanvue-world.ts";
import { answers, cutBody, emptyPage } from "./faults.ts";
import type { FaultKind } from "./server.ts";

/** Whom the story is about. */
interface Cast {
  readonly subscribers: readonly SandboxFan[];
  readonly canceller: SandboxFan;
  readonly onTrial: SandboxFan;
  readonly lapsed: SandboxFan;
  readonly buyer: SandboxFan;
  readonly patron: SandboxFan;
  readonly follower: SandboxFan;
}

/** What the summary tells beside what was watched. */
export interface Tale {
  readonly faults: number;
  readonly held: number;
}

function castOf(fans: readonly SandboxFan[]): Cast {
  const [canceller, onTrial, lapsed, buyer, patron, follower] = fans.slice(-6);
  const all = { canceller, onTrial, lapsed, buyer, patron, follower };
  const isComplete = (cast: typeof all): cast is Omit<Cast, "subscribers"> =>
    Object.values(cast).every((fan) => fan !== undefined);
  if (!isComplete(all)) throw new Error("the town has too few fans for the story");
  return { subscribers: fans.slice(0, -6), ...all };
}

const handles = (...fans: readonly SandboxFan[]) => fans.map(({ handle }) => handle);

/** The whole story. Throws a Mismatch where the program does not do what it should. */
export async function tellStory(stage: Stage): Promise<Tale> {
  const cast = castOf(stage.town.fans);
  introduce(stage, cast);
  await lookFirst(stage);
  await letThemIn(stage, cast);
  await goOn(stage, cast);
  const faults = await breakFanvue(stage, cast);
  await recover(stage, cast);
  const held = await mistype(stage, cast);
  return { faults, held };
}

// ---- The town ---------------------------------------------------------------------------------------------------

const placesShape = z.record(z.string(), z.looseObject({ type: z.string() }));
const configShape = z.looseObject({ roles: placesShape, rooms: placesShape });

function introduce({ town, headline, say, edit, pathOf }: Stage, cast: Cast): void {
  // A demo is quicker than a crontab: each script is to read Fanvue anew, and nobody waits for a limit.
  edit("fanvue:", "snapshot_max_age: 1ms\nfanvue:");
  town.fanvue.rate.limit = 10_000;
  for (const alias of Object.values(town.rooms)) {
    town.matrix.world.setLevels(town.matrix.world.aliases.get(alias) ?? "", { invite: 50 });
  }

  const { subscribers, canceller, onTrial, lapsed, buyer, patron, follower } = cast;
  headline("fanvue-sync, a demo");
  say(
    "Fanvue, Discord and a Matrix homeserver are played by stand-ins on this computer: no account is needed, and " +
      "nothing leaves your machine. The scripts that run are the real ones, and so is what they print.",
    "",
    `Studio Meadow has ${String(town.fans.length)} fans. ${String(subscribers.length + 2)} of them subscribe; ` +
      `${canceller.handle} has cancelled and has a few days left, ${onTrial.handle} is on a free trial. ` +
      `${lapsed.handle} let a subscription lapse, ${buyer.handle} bought a post, ${patron.handle} tipped 250 USD, ` +
      `and ${follower.handle} just follows. On Discord there is an old-friend, too: nobody's fan, with a role from ` +
      "the creator's own hand.",
    "",
    "This is what the config asks for:",
    ...configLines(
      pathOf("config.yaml"),
      new Map(Object.entries(town.roles).map(([name, id]) => [id, name])),
    ),
  );
}

/** Roles and rooms with their rules, a line each. */
function configLines(path: string, names: ReadonlyMap<string, string>): readonly string[] {
  const { roles, rooms } = configShape.parse(parse(readFileSync(path, "utf8")));
  const line = (kind: string, places: z.infer<typeof placesShape>) => {
    const rules = Object.entries(places).map(([id, rule]) => `${names.get(id) ?? id} ← ${ruleText(rule)}`);
    return `  ${kind}  ${rules.join(" · ")}`;
  };
  return [line("roles", roles), line("rooms", rooms)];
}

function ruleText({ type, ...settings }: z.infer<typeof placesShape>[string]): string {
  const cents = settings["min_lifetime_spend_cents"];
  return typeof cents === "number" ? `${type} of ${String(cents / 100)} USD` : type;
}

// ---- A dry run --------------------------------------------------------------------------------------------------

async function lookFirst({ town, headline, say, run, watch, pathOf }: Stage): Promise<void> {
  headline("1 · Look first");
  say("First the ledger of purchases is read. A dry run then shows what would be done, and why.", "");
  await run("fetch-earnings", [], 0);
  const before = fingerprintOf(pathOf("data"));
  await run("sync-discord", ["--dry-run"], 0);
  watch.check();
  if (fingerprintOf(pathOf("data")) !== before) throw new Mismatch("the dry run wrote into the data folder.");
  const writes = [...town.discord.requests, ...town.matrix.requests].filter(({ method }) => method !== "GET");
  if (writes.length > 0) throw new Mismatch(`the dry run sent ${String(writes.length)} writes.`);
  say("Nobody got anything: no request changed a thing, and the data folder is as it was.");
}

/** Names and contents of the files of a folder. */
function fingerprintOf(folder: string): string {
  const hash = createHash("sha256");
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) hash.update(entry.name).update(readFileSync(join(entry.parentPath, entry.name)));
  }
  return hash.digest("hex");
}

// ---- The first real run -----------------------------------------------------------------------------------------

async function letThemIn(stage: Stage, cast: Cast): Promise<void> {
  const { headline, say, watch } = stage;
  headline("2 · Let them in");
  say("Now without --dry-run. The plan is written down before its first step.", "");
  const entitled = handles(...cast.subscribers, cast.canceller, cast.onTrial);
  watch.expect(roleName("subscribers"), ...entitled);
  watch.expect(roleName("patrons"), cast.patron.handle);
  watch.expect(roleName("backstage"), cast.buyer.handle);
  watch.expect(roleName("inner circle"), ...handles(...cast.subscribers.slice(0, 2)));
  watch.expect(roomName("subscribers"), ...entitled);
  await syncBoth(stage);
  say(
    "Discord and Matrix hold exactly that now, and old-friend keeps the role: the program takes back only what it " +
      "gave. Those who were invited to Matrix accept.",
  );
}

/** Both syncs, a look at what came of them, and everybody accepts their invitation. */
async function syncBoth({ town, run, watch }: Stage): Promise<void> {
  await run("sync-discord", [], 0);
  await run("sync-matrix", [], 0);
  watch.check();
  acceptInvitations(town);
}

function acceptInvitations({ matrix: { world }, rooms }: Stage["town"]): void {
  for (const alias of Object.values(rooms)) {
    const room = world.aliases.get(alias) ?? "";
    for (const mxid of world.members(room, "invite")) world.join(room, mxid);
  }
}

// ---- Life -------------------------------------------------------------------------------------------------------

async function goOn(stage: Stage, cast: Cast): Promise<void> {
  const { headline, say, watch } = stage;
  const { fanvue, discord, discordIds, post } = stage.town;
  const { world } = fanvue;
  const [generous] = cast.subscribers;
  const leaving = cast.subscribers.at(-1);
  const payment = world.earnings.find((row) => row.fan === cast.buyer.uuid && row.postUuid === post);
  if (generous === undefined || leaving === undefined || payment === undefined)
    throw new Error("the cast is too small");

  headline("3 · Life goes on");
  say(
    `  ${cast.follower.handle} subscribes and joins the Discord server.`,
    `  ${generous.handle} tips 250 USD.`,
    `  ${leaving.handle}'s subscription lapses.`,
    `  ${cast.canceller.handle}, who had cancelled, reaches the end of the paid month.`,
    `  ${cast.buyer.handle} gets the money for the post back.`,
    "Whoever is about to lose something is read again, and only a clear word of Fanvue takes it away.",
    "",
  );
  world.subscribe(cast.follower);
  addMember(discord.world, { id: discordIds.get(cast.follower) ?? "", username: cast.follower.handle });
  world.tip(generous, 25_000);
  world.lapse(leaving);
  world.lapse(cast.canceller);
  world.refund(payment);

  watch.expect(roleName("subscribers"), cast.follower.handle);
  watch.expect(roleName("patrons"), generous.handle);
  watch.expect(roomName("patrons"), generous.handle);
  watch.expectGone(roleName("subscribers"), ...handles(leaving, cast.canceller));
  watch.expectGone(roomName("subscribers"), ...handles(leaving, cast.canceller));
  watch.expectGone(roleName("backstage"), cast.buyer.handle);
  await syncBoth(stage);
  say("Who paid is in, whose time is over is out, and each line says why.");
}

// ---- Faults -----------------------------------------------------------------------------------------------------

interface Trouble {
  readonly what: string;
  readonly path: RegExp;
  readonly fault: () => FaultKind;
  readonly exitCode: number;
}

const troubles: readonly Trouble[] = [
  {
    what: "Fanvue answers every request with an error 500.",
    path: /^\/v1\//,
    fault: () => answers(500, {}),
    exitCode: 5,
  },
  {
    what: "The list of subscribers breaks off in the middle of a page.",
    path: /\/subscribers$/,
    fault: cutBody,
    exitCode: 5,
  },
  {
    what: "Worse: Fanvue says, politely and with status 200, that there are no subscribers at all.",
    path: /\/subscribers$/,
    fault: emptyPage,
    exitCode: 0,
  },
];

/** Gives the number of faults that were met. */
async function breakFanvue(stage: Stage, cast: Cast): Promise<number> {
  const { town, headline, say } = stage;
  headline("4 · Fanvue has a bad day");
  say(
    `In the middle of it ${cast.lapsed.handle} subscribes again. What cannot be read is unknown: unknown takes nothing ` +
      "away, and lets nobody in.",
  );
  town.fanvue.world.subscribe(cast.lapsed);
  for (const trouble of troubles) await suffer(stage, trouble);
  await loseAddressBook(stage);
  return troubles.length + 1;
}

async function suffer({ town, say, run, watch }: Stage, trouble: Trouble): Promise<void> {
  const { what, path, fault, exitCode } = trouble;
  say("", what, "");
  const standing = { path, fault: fault(), struck: 0 };
  town.fanvue.faults.push(standing);
  await run("sync-discord", [], exitCode);
  town.fanvue.faults.length = 0;
  if (standing.struck === 0) throw new Mismatch(`the fault was never met: ${what}`);
  watch.check();
  say("Everybody still has what they had.");
}

async function loseAddressBook({ say, run, watch, pathOf }: Stage): Promise<void> {
  const book = pathOf("discord_addressbook.yaml");
  say("", "And somebody tidies up: discord_addressbook.yaml, which says who is who, gets another name.", "");
  renameSync(book, `${book}.old`);
  await run("sync-discord", [], 2);
  renameSync(`${book}.old`, book);
  watch.check();
  say("A lost address book stops the run before anything is done. It gets its name back.");
}

async function recover(stage: Stage, cast: Cast): Promise<void> {
  const { headline, say, watch } = stage;
  headline("5 · Fanvue is well again");
  say(`Nothing needs repair. The next run finds ${cast.lapsed.handle}, who paid during the outage.`, "");
  watch.expect(roleName("subscribers"), cast.lapsed.handle);
  watch.expect(roomName("subscribers"), cast.lapsed.handle);
  await syncBoth(stage);
}

// ---- A slip -----------------------------------------------------------------------------------------------------

const heldShape = z.looseObject({
  held: z.object({ hash: z.string(), steps: z.array(z.unknown()) }).nullable(),
});

/** Gives how many removals were held. */
async function mistype(stage: Stage, cast: Cast): Promise<number> {
  const { headline, say, run, runUnseen, edit, watch } = stage;
  const right = "min_lifetime_spend_cents: 20000\n";
  const wrong = "min_lifetime_spend_cents: 2000000\n";
  headline("6 · A slip of the keyboard");
  say("In the config, 200 USD for the patrons become 20,000: two zeros too many.", "");
  edit(right, wrong);
  const { stdout } = await run("sync-discord", [], 3);
  const { held } = heldShape.parse(
    JSON.parse((await runUnseen("sync-discord", ["--dry-run", "--json"], 0)).stdout),
  );
  watch.check();
  if (held === null || !stdout.includes(held.hash)) throw new Mismatch("the removals were not held.");
  say(
    "The rule is not the one that was last applied, so whatever it would take away waits for a person. Had the creator " +
      `meant it, this would take these ${String(held.steps.length)} out, after one more look at Fanvue, and nobody else:`,
    `  npm run sync-discord -- --approve ${held.hash}`,
    `But it was a slip. It is mended, and ${cast.patron.handle} has noticed nothing.`,
    "",
  );
  edit(wrong, right);
  await run("sync-discord", [], 0);
  watch.check();
  return held.steps.length;
}
