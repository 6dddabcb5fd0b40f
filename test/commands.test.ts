/** The slash commands: what a member is told of their own membership, and nothing of anybody else's. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { Client, Events, GatewayIntentBits } from "discord.js";
import pino from "pino";
import { stringify } from "yaml";
import {
  fansOf,
  handlesOf,
  type MemberRecord,
  roleStatus,
  type RoleStatus,
} from "../lib/commands/membership.ts";
import { loadMemberRecord } from "../lib/commands/record.ts";
import { serveCommands } from "../lib/commands/serve.ts";
import { linkedText, membershipText, notLinkedText } from "../lib/commands/texts.ts";
import { loadConfig } from "../lib/config/load.ts";
import type { Config } from "../lib/config/shape.ts";
import { type Database, openDatabase, type Sql } from "../lib/db.ts";
import { BadInputError } from "../lib/errors.ts";
import type { EarningsRow, Subscriber } from "../lib/facts.ts";
import {
  type DiscordUserId,
  type FanId,
  parseContentId,
  parseDiscordUserId,
  parseFanId,
  parseListId,
} from "../lib/ids.ts";
import { listKey, type Place, type Rule } from "../lib/model.ts";
import { needsKey, needsOf } from "../lib/snapshot/needs.ts";
import { endLeavings, loadAccountInPlaces } from "../lib/store/account.ts";
import { placeIdIn } from "../lib/store/columns.ts";
import { appendEarnings } from "../lib/store/earnings.ts";
import { addLink, removeLink, saveBooks } from "../lib/store/links.ts";
import { saveGrant } from "../lib/store/ownership.ts";
import { saveObservations } from "../lib/store/places.ts";
import { saveInsights, saveSnapshot } from "../lib/store/snapshot.ts";
import { temporaryFolder } from "./harness.ts";
import { startDiscord } from "./sandbox/discord.ts";
import { useCommand } from "./sandbox/discord-gateway-interactions.ts";
import { addMember, addRole, roleIdAt } from "./sandbox/discord-world.ts";

const dayMs = 24 * 60 * 60 * 1000;
const nowMs = Date.UTC(2026, 10, 23, 12);

function must<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}
const fanOf = (digit: string): FanId => must(parseFanId(`${digit.repeat(8)}-0000-4000-8000-000000000000`));
const accountOf = (digit: string): DiscordUserId => must(parseDiscordUserId(digit.repeat(18)));
const [ana, bo] = [fanOf("a"), fanOf("b")];
const [anasAccount, bosAccount] = [accountOf("1"), accountOf("2")];
const vipList = { type: "custom", id: must(parseListId("vips")) } as const;
const post = must(parseContentId("the-post"));

const rules = {
  subscription: { kind: "subscription", freeTrial: true },
  spending: { kind: "spending", minCents: 50_000 },
  top_spender: { kind: "top_spender" },
  unlock: { kind: "unlock", contentId: post },
  fanvue_list: { kind: "fanvue_list", list: vipList },
} as const satisfies Record<string, Rule>;

const roleId = "323456789012345678";
const roleBy = (rule: Rule, options: Partial<Place> = {}): Place => ({
  target: "discord",
  id: roleId,
  rules: [rule],
  onExpiry: "revoke",
  graceDays: 0,
  strangers: "keep",
  adopt: true,
  ...options,
});
const placeId = placeIdIn({ place_id: roleId });
const key = needsKey(needsOf(Object.values(rules).map((rule) => roleBy(rule))));

const subscriber = (row: Partial<Subscriber> = {}): Subscriber => ({
  handle: "ana_x",
  displayName: "Ana",
  isTopSpender: false,
  status: "active",
  periodEndsAtMs: undefined,
  isFree: false,
  ...row,
});

interface Story {
  readonly subscribers?: ReadonlyMap<FanId, Subscriber>;
  /** Beside this, the list holds nobody; Fanvue's count of it. */
  readonly listed?: readonly FanId[];
  readonly listCount?: number;
}

function saveStory(
  sql: Sql,
  { subscribers = new Map(), listed = [], listCount = listed.length }: Story,
): void {
  saveSnapshot(sql, {
    endedAtMs: nowMs,
    needsKey: key,
    subscribers,
    followers: { readAtMs: nowMs, byFan: new Map() },
    lists: new Map([[listKey(vipList), { members: new Set(listed), count: listCount }]]),
  });
}

/** What is on record of Ana, who is linked, after this was written down. */
async function recordOf(t: TestContext, write: (sql: Sql) => void = () => undefined): Promise<MemberRecord> {
  return openDatabase(temporaryFolder(t)).write((sql) => {
    addLink(sql, { fan: ana, platform: "discord", account: anasAccount, source: "proved" }, nowMs);
    write(sql);
    return loadMemberRecord(sql, anasAccount);
  });
}

const statusOf = (record: MemberRecord, rule: Rule, has = false, options: Partial<Place> = {}) =>
  roleStatus(record, { place: roleBy(rule, options), has }, nowMs)?.is;

const purchase = (row: Partial<EarningsRow>): EarningsRow => ({
  source: "post",
  kind: "purchase",
  dateMs: nowMs - dayMs,
  fan: ana,
  orderId: "order-1",
  reversesOrderId: undefined,
  postId: post,
  messageId: undefined,
  grossCents: 900,
  netCents: 720,
  ...row,
});

describe("the record of a member", () => {
  it("knows links of the database and of the books as the last sync saw them, and heeds blocks", async (t) => {
    await openDatabase(temporaryFolder(t)).write((sql) => {
      const linked = (account: DiscordUserId) => fansOf(loadMemberRecord(sql, account));
      const book = (...fans: readonly FanId[]) => [
        {
          path: "/b.yaml",
          links: fans.map((fan) => ({ fan, platform: "discord" as const, account: anasAccount })),
        },
      ];
      assert.deepEqual(linked(anasAccount), []);
      saveBooks(sql, book(ana), nowMs);
      assert.deepEqual([linked(anasAccount), linked(bosAccount)], [[ana], []]);
      addLink(sql, { fan: bo, platform: "discord", account: bosAccount, source: "operator" }, nowMs);
      assert.deepEqual(linked(bosAccount), [bo]);
      removeLink(sql, { platform: "discord", account: anasAccount }, "links remove", nowMs);
      assert.deepEqual([linked(anasAccount), linked(bosAccount)], [[], [bo]]);
    });
  });

  it("takes a link that vanished from its book for unknown", async (t) => {
    const record = await openDatabase(temporaryFolder(t)).write((sql) => {
      const link = { fan: ana, platform: "discord", account: anasAccount } as const;
      saveBooks(sql, [{ path: "/b.yaml", links: [link] }], nowMs - 1);
      saveBooks(sql, [{ path: "/b.yaml", links: [{ ...link, account: bosAccount }] }], nowMs);
      saveStory(sql, { subscribers: new Map([[ana, subscriber()]]) });
      return loadMemberRecord(sql, anasAccount);
    });
    assert.deepEqual(fansOf(record), [ana]);
    assert.equal(statusOf(record, rules.subscription, true), "unknown");
  });

  it("holds the facts of the member's own fans only, with the doubts of the whole", async (t) => {
    const both = new Map([
      [ana, subscriber()],
      [bo, subscriber({ handle: "bo_x" })],
    ]);
    const sure = await recordOf(t, (sql) => {
      saveStory(sql, { subscribers: both, listed: [bo], listCount: 1 });
    });
    assert.deepEqual(sure.facts?.subscribers, { known: true, value: new Map([[ana, subscriber()]]) });
    assert.deepEqual(handlesOf(sure), ["ana_x"]);
    assert.equal(statusOf(sure, rules.fanvue_list), "not entitled");
    const doubtful = await recordOf(t, (sql) => {
      saveStory(sql, { listed: [bo], listCount: 2 });
    });
    assert.equal(statusOf(doubtful, rules.fanvue_list), "unknown");
  });

  it("tells by every kind of rule whether the last snapshot entitles", async (t) => {
    const entitled = await recordOf(t, (sql) => {
      saveStory(sql, {
        subscribers: new Map([[ana, subscriber({ isTopSpender: true })]]),
        listed: [ana, bo],
      });
      const insight = {
        status: "subscriber",
        lastPurchaseAtMs: undefined,
        renewsAtMs: undefined,
        readAtMs: nowMs,
      };
      saveInsights(sql, new Map([[ana, { ...insight, totalCents: 50_000 }]]));
      appendEarnings(sql, [purchase({}), purchase({ fan: bo, orderId: "order-2" })]);
    });
    for (const rule of Object.values(rules))
      assert.equal(statusOf(entitled, rule), "comes with the next sync", rule.kind);

    const lapsed = await recordOf(t, (sql) => {
      saveStory(sql, { subscribers: new Map([[bo, subscriber()]]), listed: [bo] });
      // A reversal whose fan Fanvue no longer tells takes back the order that it names.
      const reversal = purchase({
        kind: "reversal",
        fan: undefined,
        reversesOrderId: "order-1",
        dateMs: nowMs,
      });
      appendEarnings(sql, [purchase({}), reversal]);
    });
    for (const rule of [rules.subscription, rules.unlock, rules.fanvue_list])
      assert.equal(statusOf(lapsed, rule), "not entitled", rule.kind);
    for (const rule of [rules.spending, rules.top_spender])
      assert.equal(statusOf(lapsed, rule), "unknown", `${rule.kind}, of which nothing is known`);
  });

  it("decides nothing on what the last snapshot was not to hold", async (t) => {
    const record = await recordOf(t, (sql) => {
      saveSnapshot(sql, {
        endedAtMs: nowMs,
        needsKey: "",
        subscribers: undefined,
        followers: undefined,
        lists: new Map(),
      });
      appendEarnings(sql, [purchase({ fan: bo })]);
    });
    for (const rule of Object.values(rules)) assert.equal(statusOf(record, rule, true), "unknown", rule.kind);
  });

  it("decides nothing before the first snapshot", async (t) => {
    const record = await recordOf(t);
    assert.equal(record.facts, undefined);
    assert.deepEqual(roleStatus(record, { place: roleBy(rules.subscription), has: true }, nowMs), {
      is: "unknown",
      has: true,
    });
  });
});

describe("how it stands with a role", () => {
  const seat = { target: "discord", placeId, account: anasAccount } as const;
  const granted = (sql: Sql) => {
    saveGrant(sql, seat, { origin: "granted", fans: [ana], basis: ["subscription"] }, nowMs - 9 * dayMs);
  };
  const observed = (sql: Sql, seen: object) => {
    const nobody = { adopt: [], found: [], gone: [], basis: [], departed: [], returned: [], arrivals: [] };
    const lapses = { presences: [], kicksOver: [], departureEnded: [], lapsed: [], entitledAgain: [] };
    const rooms = { behind: [], behindNoMore: [] };
    saveObservations(sql, "discord", { placeId, ...nobody, ...lapses, ...rooms, ...seen }, nowMs - dayMs);
  };
  const subscribed = (sql: Sql, row: Partial<Subscriber> = {}) => {
    saveStory(sql, { subscribers: new Map([[ana, subscriber(row)]]) });
  };
  const ended = (sql: Sql) => {
    subscribed(sql, { status: "cancelled", periodEndsAtMs: nowMs - 2 * dayMs });
  };

  interface Case {
    readonly story: (sql: Sql) => void;
    readonly has: boolean;
    readonly place?: Partial<Place>;
    readonly status: RoleStatus | undefined;
  }
  const cases: Readonly<Record<string, Case>> = {
    "entitled, and there": { story: subscribed, has: true, status: { is: "has it", untilMs: undefined } },
    "entitled until a day that is known": {
      story: (sql) => {
        subscribed(sql, { status: "cancelled", periodEndsAtMs: nowMs + dayMs });
      },
      has: true,
      status: { is: "has it", untilMs: nowMs + dayMs },
    },
    "entitled, not there yet": { story: subscribed, has: false, status: { is: "comes with the next sync" } },
    "taken by a moderator": {
      story: (sql) => {
        subscribed(sql);
        observed(sql, { departed: [{ account: anasAccount, how: "removed" }] });
      },
      has: false,
      status: { is: "removed by a person" },
    },
    "left by choice": {
      story: (sql) => {
        subscribed(sql);
        observed(sql, { departed: [{ account: anasAccount, how: "left" }] });
      },
      has: false,
      status: { is: "left by choice" },
    },
    "entitled anew after a departure": {
      story: (sql) => {
        subscribed(sql);
        observed(sql, { departed: [{ account: anasAccount, how: "removed" }] });
        observed(sql, { departureEnded: [anasAccount] });
      },
      has: false,
      status: { is: "comes with the next sync" },
    },
    "refused by Discord": {
      story: (sql) => {
        subscribed(sql);
        sql.run("INSERT INTO refusals VALUES ('discord', ?, ?, '30001', 'x', 1, ?)", [
          placeId,
          anasAccount,
          nowMs + dayMs,
        ]);
      },
      has: false,
      status: { is: "refused before", nextTryAtMs: nowMs + dayMs },
    },
    "in grace since the end that Fanvue tells": {
      story: (sql) => {
        ended(sql);
        granted(sql);
      },
      has: true,
      place: { graceDays: 3 },
      status: { is: "in grace", untilMs: nowMs + dayMs },
    },
    "in grace since the lapse was noticed": {
      story: (sql) => {
        saveStory(sql, {});
        granted(sql);
        observed(sql, { lapsed: [anasAccount] });
      },
      has: true,
      place: { graceDays: 3 },
      status: { is: "in grace", untilMs: nowMs + 2 * dayMs },
    },
    "after the grace": {
      story: (sql) => {
        ended(sql);
        granted(sql);
      },
      has: true,
      place: { graceDays: 2 },
      status: { is: "ends with the next sync" },
    },
    "kept for good": {
      story: (sql) => {
        ended(sql);
        granted(sql);
      },
      has: true,
      place: { onExpiry: "keep", graceDays: 3 },
      status: { is: "kept" },
    },
    "found there at the beginning": {
      story: (sql) => {
        ended(sql);
        saveGrant(sql, seat, { origin: "found", fans: [ana], basis: [] }, nowMs);
      },
      has: true,
      status: { is: "not ours" },
    },
    "given by the team": { story: ended, has: true, status: { is: "not ours" } },
    "never theirs": { story: ended, has: false, status: { is: "not entitled" } },
    "of those who are brought in, and there": {
      story: subscribed,
      has: true,
      place: { onlyOnJoin: true },
      status: { is: "has it", untilMs: undefined },
    },
    "of those who are brought in, and not there": {
      story: subscribed,
      has: false,
      place: { onlyOnJoin: true },
      status: undefined,
    },
  };
  for (const [name, { story, has, place, status }] of Object.entries(cases))
    it(name, async (t) => {
      const record = await recordOf(t, story);
      assert.deepEqual(roleStatus(record, { place: roleBy(rules.subscription, place), has }, nowMs), status);
    });

  it("leaving by choice is forgotten on request, being taken out by a person is not", async (t) => {
    const other = placeIdIn({ place_id: "323456789012345679" });
    const left = await openDatabase(temporaryFolder(t)).write((sql) => {
      for (const account of [anasAccount, bosAccount])
        observed(sql, { departed: [{ account, how: "left" }] });
      observed(sql, { placeId: other, departed: [{ account: anasAccount, how: "removed" }] });
      endLeavings(sql, "discord", anasAccount, nowMs);
      return [anasAccount, bosAccount].map((account) =>
        [...loadAccountInPlaces(sql, "discord", account)].map(([id, { departure }]) => [id, departure]),
      );
    });
    assert.deepEqual(left, [[[other, "removed"]], [[placeId, "left"]]]);
  });
});

describe("what a member reads", () => {
  const every: readonly RoleStatus[] = [
    { is: "has it", untilMs: undefined },
    { is: "has it", untilMs: nowMs },
    { is: "comes with the next sync" },
    { is: "removed by a person" },
    { is: "left by choice" },
    { is: "refused before", nextTryAtMs: nowMs },
    { is: "in grace", untilMs: nowMs },
    { is: "kept" },
    { is: "ends with the next sync" },
    { is: "not ours" },
    { is: "not entitled" },
    { is: "unknown", has: true },
    { is: "unknown", has: false },
  ];

  it("is one sentence for each way it can stand", () => {
    const text = membershipText({
      handles: ["ana_x"],
      roles: every.map((status, index) => ({ name: `R${String(index)}`, status })),
      lookedAtMs: nowMs,
      nextLookAtMs: nowMs + 300_000,
    });
    const lines = text.split("\n");
    assert.equal(lines[0], "This Discord account is linked to the Fanvue account **@ana\\_x**.");
    assert.equal(
      lines.at(-1),
      "Your membership was last looked at <t:1795435200:R>. The next look is <t:1795435500:R>.",
    );
    assert.equal(lines[4], "- **R3**: a moderator took this role from you. Please ask the team.");
    assert.equal(lines[7], "- **R6**: what gave it to you has ended. You keep it until <t:1795435200:D>.");
    assert.equal(
      new Set(lines.slice(1, -1).map((line) => line.replace(/^- \*\*R\d+\*\*/, ""))).size,
      every.length,
    );
    assert.doesNotMatch(text, /spent|USD|[$€]/);
  });

  it("fits in one message, however many roles there are, and says how many are left out", () => {
    const roles = every.map(() => ({ name: "x".repeat(100), status: { is: "not entitled" } as const }));
    const text = membershipText({
      handles: [],
      roles: [...roles, ...roles],
      lookedAtMs: undefined,
      nextLookAtMs: undefined,
    });
    const shown = text.split("\n").filter((line) => line.startsWith("- ")).length;
    assert.ok(text.length <= 2000 && text.length > 1800, String(text.length));
    assert.match(
      text,
      new RegExp(`\\n… and ${String(26 - shown)} more\\.\\nYour membership has not been looked at yet\\.$`),
    );
  });

  it("cannot be given another look by the name of a role", () => {
    const roles = [{ name: "**VIP** `x` _y_", status: { is: "kept" } as const }];
    const text = membershipText({ handles: [], roles, lookedAtMs: undefined, nextLookAtMs: undefined });
    assert.match(text, /- \*\*\\\*\\\*VIP\\\*\\\* \\`x\\` \\_y\\_\*\*: /);
  });

  it("leads to the link page, or to the team where there is none", () => {
    assert.match(
      notLinkedText("https://link.example.org"),
      /Link it here: <https:\/\/link\.example\.org\/>$/,
    );
    assert.match(notLinkedText(undefined), /ask the team/);
    assert.match(linkedText(["ana"], undefined), /\*\*@ana\*\* already\.\nTo link another one, please ask/);
    assert.match(linkedText([], "https://l.org"), /already\.\nTo link another one: <https:\/\/l\.org\/>$/);
  });
});

describe("on a server", async () => {
  const folder = temporaryFolder({ after });
  const discord = await startDiscord();
  after(() => discord.stop());
  const client = new Client({ intents: [GatewayIntentBits.Guilds], rest: { api: discord.apiUrl } });
  after(() => client.destroy());
  const database = openDatabase(folder);
  const logged: string[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => void logged.push(line) });
  const [vip, gold, gone] = [roleIdAt(11), roleIdAt(12), roleIdAt(13)];

  function configWith(more: object, guildId = discord.world.guild.id): Config {
    const path = join(folder, "config.yaml");
    const text = stringify({
      fanvue: { client_id: "app", client_secret: "hush", redirect_uri: "http://localhost:8080/callback" },
      discord: { token: discord.world.bot.token, guild_id: guildId, api_url: discord.apiUrl },
      roles: {
        [vip]: { type: "subscription" },
        [gold]: { type: "spending", min_lifetime_spend_cents: 12_300 },
        [gone]: { type: "top_spender" },
      },
      ...more,
    });
    writeFileSync(path, text, { mode: 0o600 });
    return loadConfig(path, {});
  }
  const requestsDuring = async (act: () => Promise<unknown>) => {
    const sent = discord.requests.length;
    await act();
    return discord.requests.slice(sent);
  };
  /** Serves as this config says, alone or beside others; gives the methods of the requests that this took. */
  const serve = async (config: Config, options: { from?: Database; beside?: boolean } = {}) => {
    const { from = database, beside = false } = options;
    if (!beside) client.removeAllListeners(Events.InteractionCreate);
    logged.length = 0;
    assert.ok(client.isReady());
    const service = { client, config, database: from, now: () => nowMs + 60_000, log };
    return (await requestsDuring(() => serveCommands(service))).map(({ method }) => method);
  };
  const failing = (error: Error): Database => {
    const fail = () => Promise.reject(error);
    return { path: "", exists: () => true, read: fail, write: fail };
  };
  const ask = async (account: DiscordUserId, name: string) => {
    const { text, isEphemeral } = await useCommand(discord.world, account, name);
    assert.ok(isEphemeral, "others saw the answer");
    return text;
  };

  before(async () => {
    addRole(discord.world, { id: vip, name: "V*I*P", position: 1 });
    addRole(discord.world, { id: gold, name: "Gold", position: 2 });
    addMember(discord.world, { id: anasAccount, username: "ana", roles: [gold] });
    addMember(discord.world, { id: bosAccount, username: "bo" });
    await database.write((sql) => {
      addLink(sql, { fan: ana, platform: "discord", account: anasAccount, source: "proved" }, nowMs);
      saveStory(sql, { subscribers: new Map([[ana, subscriber()]]) });
      const insight = {
        status: "subscriber",
        lastPurchaseAtMs: undefined,
        renewsAtMs: undefined,
        readAtMs: nowMs,
      };
      saveInsights(sql, new Map([[ana, { ...insight, totalCents: 100 }]]));
    });
    const ready = new Promise((resolve) => client.once(Events.ClientReady, resolve));
    await Promise.all([ready, client.login(discord.world.bot.token)]);
  });

  it("the commands are added once, mended where they differ, and others stay", async () => {
    const { commands } = discord.world;
    const own = { version: "1", description: "Says hello.", options: [], permissions: undefined };
    commands.set("1", { ...own, id: "1", name: "hello" });
    commands.set("2", { ...own, id: "2", name: "link" });
    assert.deepEqual(await serve(configWith({})), ["GET", "POST", "POST"]);
    const byName = Object.fromEntries(
      [...commands.values()].map(({ name, description }) => [name, description]),
    );
    assert.deepEqual(Object.keys(byName).sort(), ["hello", "link", "membership"]);
    assert.equal(byName["hello"], "Says hello.");
    assert.match(byName["link"] ?? "", /where to link/);
    assert.deepEqual(await serve(configWith({})), ["GET"]);
    assert.deepEqual(logged, []);
  });

  it("members read of their own roles only, by the names on the server, without a request but the answer", async () => {
    await serve(configWith({ schedule: { sync: "off" } }));
    const anas = [
      "This Discord account is linked to the Fanvue account **@ana\\_x**.",
      "- **V\\*I\\*P**: it is yours, and comes with the next look.",
      "- **Gold**: you have it, but not by your membership.",
      "Your membership was last looked at <t:1795435200:R>.",
    ].join("\n");
    const bos =
      "This Discord account is not linked to a Fanvue account. Please ask the team of this server to link it.";
    const requests = await requestsDuring(async () => {
      assert.equal(await ask(anasAccount, "membership"), anas);
      assert.equal(await ask(bosAccount, "membership"), bos);
    });
    const isAnswer = ({ method, path }: (typeof requests)[number]) =>
      method === "POST" && /\/interactions\/.*\/callback$/.test(path);
    assert.deepEqual(requests.map(isAnswer), [true, true]);
  });

  it("/link leads to the page", async () => {
    await serve(configWith({ link: { public_url: "https://link.example.org" } }));
    assert.match(await ask(bosAccount, "link"), /Link it here: <https:\/\/link\.example\.org\/>$/);
    assert.match(await ask(anasAccount, "link"), /already\.\nTo link another one: <https/);
  });

  it("/membership tells somebody who had left, and is back, that their role comes", async () => {
    await serve(configWith({}));
    await database.write((sql) => {
      const departed =
        "INSERT INTO departures (target, place_id, account, noticed_at_ms, how) VALUES (?, ?, ?, 1, ?)";
      sql.run(departed, ["discord", vip, anasAccount, "left"]);
    });
    const told = await ask(anasAccount, "membership");
    assert.match(told, /V\\\*I\\\*P\*\*: you had left; now that you are back, it comes with the next look\./);
    assert.doesNotMatch(told, /\/link/);
  });

  it("what is on another server is left to others, and a refusal to set commands up is only logged", async () => {
    const other = await serve(configWith({}, "999999999999999999"), {
      from: failing(new Error("was asked")),
    });
    assert.deepEqual(other, ["GET"]);
    assert.match(logged.join(""), /could not be set up: Discord refused with status \d+, code \d+/);
    await serve(configWith({}), { beside: true });
    assert.equal(client.listenerCount(Events.InteractionCreate), 2);
    assert.match(await ask(bosAccount, "membership"), /not linked/);
    assert.deepEqual(logged, []);
  });

  it("a trouble of ours is told in plain words, and logged without the interaction's token", async () => {
    await serve(configWith({}), {
      from: failing(new BadInputError("The file is damaged.", "Put a copy back.")),
    });
    assert.equal(
      await ask(anasAccount, "membership"),
      "Sorry, something went wrong here. Please try again in a few minutes.",
    );
    assert.match(
      logged.join(""),
      /\/membership could not be answered: The file is damaged\. Put a copy back\./,
    );

    await serve(configWith({}));
    const reply = { status: 404, body: { code: 10062, message: "Unknown interaction" } };
    discord.faults.push({ path: /callback/, fault: { kind: "answer", reply }, times: 1 });
    assert.match(await ask(anasAccount, "membership"), /^Sorry/);
    assert.match(logged.join(""), /could not be answered: Discord refused with status 404, code 10062\./);
    const tokens = discord.world.interactions.map(({ token }) => token);
    assert.ok(tokens.every((token) => !logged.join("").includes(token)));
  });
});
