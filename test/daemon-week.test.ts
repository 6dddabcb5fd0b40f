/** A week of the daemon under a fake clock: when rounds begin, what is left out, and what a new config changes. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { basename, join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, mock, test, type TestContext } from "node:test";
import pino from "pino";
import { startDaemon } from "../lib/daemon/daemon.ts";
import { openDatabase } from "../lib/db.ts";
import { parseDiscordUserId, parseFanId } from "../lib/ids.ts";
import type { ScriptEnd } from "../lib/run-script.ts";
import { addLink } from "../lib/store/links.ts";
import { temporaryFolder } from "./harness.ts";
import { freePort } from "./synapse/homeserver.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const dayMs = 24 * 60 * minuteMs;
const intervalMs = 5 * minuteMs;
const stepMs = 5 * secondMs;

const ownTimeZone = process.env["TZ"];
process.env["TZ"] = "Europe/Berlin";
after(() => {
  if (ownTimeZone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = ownTimeZone;
});

const configText = (sync: string, more = "", healthPort?: number) => `
fanvue: { client_id: app, client_secret: hush, redirect_uri: "http://localhost:8080/callback" }
discord: { token: token, guild_id: 123456789012345678 }
roles: { 987654321098765432: { type: unlock, content_id: 00000000-0000-4000-8000-000000000001 } }
matrix: { homeserver: "https://hs.org", user_id: "@bot:hs.org", access_token: token }
rooms: { "#a:hs.org": { type: subscription } }
list_sync: { a: { discord_role_id: 111111111111111111, fanvue_list: { name: a }, primary: discord } }
schedule: { sync: "${sync}"${healthPort === undefined ? "" : `, health_port: ${healthPort}`} }
${more}`;

/** Not by fetch, which needs timers. */
async function healthAt(
  port: number,
): Promise<{ readonly status: number; readonly troubles: readonly string[] }> {
  const [response] = (await once(
    get({ host: "127.0.0.1", port, path: "/healthz", agent: false }),
    "response",
  )) as [IncomingMessage];
  const { troubles } = JSON.parse(await text(response)) as { troubles: string[] };
  return { status: response.statusCode ?? 0, troubles };
}

interface Ran {
  readonly script: string;
  readonly atMs: number;
  /** The config that it was to work by. */
  readonly configText: string;
}

interface Week {
  /** The scripts of rounds. */
  readonly ran: readonly Ran[];
  /** How many syncs there were for single fans. */
  readonly fanSyncs: () => number;
  readonly listenerStarts: () => number;
  /** The most syncs that ran at the same time. */
  readonly mostAtOnce: () => number;
  readonly logged: readonly string[];
  /** Lets time pass; with wishes for fans that come at any moment, or finely, so that each script takes its time. */
  pass(ms: number, options?: { readonly wishes?: boolean; readonly finely?: boolean }): Promise<void>;
  saveConfig(text: string): void;
  /** Links so many fans, as an operator does. */
  link(count: number): Promise<void>;
  readonly reload: () => Promise<void>;
  /** Another data folder stands in the place of the daemon's. */
  replaceFolder(): void;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

interface WeekOptions {
  readonly from: string;
  /** How the n-th run of a script ends, and how long it takes; default: in order, after 5 s. */
  readonly run?: (script: string, times: number) => { readonly end?: ScriptEnd; readonly tookMs?: number };
}

/** The same chances in every run. https://en.wikipedia.org/wiki/Linear_congruential_generator */
function createChance(): () => number {
  let state = 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const linkAt = (index: number) => ({
  platform: "discord" as const,
  account: parseDiscordUserId(`3000000000000${String(index).padStart(5, "0")}`) ?? assert.fail(),
  fan: parseFanId(`00000000-0000-4000-8000-${String(index).padStart(12, "0")}`) ?? assert.fail(),
  source: "operator" as const,
});

const settle = async () => {
  for (let times = 0; times < 3; times += 1) await new Promise(setImmediate);
};

async function startWeek(t: TestContext, { from, run = () => ({}) }: WeekOptions): Promise<Week> {
  const folder = temporaryFolder(t);
  const configPath = join(folder, "config.yaml");
  const saveConfig = (text: string) => {
    writeFileSync(configPath, text, { mode: 0o600 });
  };
  saveConfig(configText("*/5 * * * *"));
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.parse(from) });
  t.after(() => {
    mock.timers.reset();
  });
  const stop = new AbortController();
  const chance = createChance();
  const ran: Ran[] = [];
  let fanSyncs = 0;
  let listenerStarts = 0;
  let isOwner = true;
  const times = new Map<string, number>();
  let atOnce = 0;
  let most = 0;
  const logged: string[] = [];
  const daemon = await startDaemon({
    configPath,
    dataDir: join(folder, "data"),
    environment: {},
    ownsFolder: () => isOwner,
    scriptArgs: [],
    random: chance,
    log: pino({ level: "info" }, { write: (line: string) => void logged.push(line) }),
    signal: stop.signal,
    async run(path, args, { signal, configText = "" }) {
      const script = basename(path, ".ts");
      if (script === "upsell-listener") {
        listenerStarts += 1;
        return await whenAborted(signal);
      }
      const isOfRound = !args.includes("--fan");
      const count = isOfRound ? (times.get(script) ?? 0) + 1 : 0;
      if (isOfRound) {
        ran.push({ script, atMs: Date.now(), configText });
        times.set(script, count);
      } else fanSyncs += 1;
      most = Math.max(most, (atOnce += 1));
      const { end = { code: 0 }, tookMs = stepMs } = run(script, count);
      await new Promise((resolve) => setTimeout(resolve, tookMs));
      atOnce -= 1;
      return end;
    },
  });
  await settle();
  const database = openDatabase(join(folder, "data"));
  const link = (count: number) =>
    database.write((sql) => {
      for (let index = 0; index < count; index += 1) addLink(sql, linkAt(index), Date.now());
    });
  return {
    ran,
    fanSyncs: () => fanSyncs,
    listenerStarts: () => listenerStarts,
    mostAtOnce: () => most,
    logged,
    async pass(ms, { wishes = false, finely = false } = {}) {
      const untilMs = Date.now() + ms;
      while (Date.now() < untilMs) {
        if (wishes && chance() < 0.01) await link(1);
        // Finely where rounds are, coarsely elsewhere.
        mock.timers.tick(finely || Date.now() % intervalMs < minuteMs ? stepMs : minuteMs);
        await settle();
      }
    },
    saveConfig,
    link,
    reload: daemon.reload,
    replaceFolder: () => void (isOwner = false),
    ended: daemon.ended,
    async stop() {
      stop.abort();
      await settle();
      mock.timers.tick(dayMs);
      await daemon.ended;
    },
  };
}

const whenAborted = (signal: AbortSignal): Promise<ScriptEnd> =>
  new Promise((resolve) => {
    signal.addEventListener("abort", () => {
      resolve({ code: 143 });
    });
  });

const chain = ["fetch-earnings", "sync-discord", "sync-matrix", "sync-lists"];

/** When rounds began: whatever it runs, fetch-earnings is the first. */
const beginnings = ({ ran }: Week) =>
  ran.filter(({ script }) => script === "fetch-earnings").map(({ atMs }) => atMs);

const gaps = (times: readonly number[]) => times.slice(1).map((ms, index) => ms - (times[index] ?? 0));

describe("a week of the daemon", { timeout: 60_000 }, () => {
  test("has a round every five minutes, in order, never two syncs at once, also where clocks are set back", async (t) => {
    const from = "2026-10-19T00:00:00Z";
    const week = await startWeek(t, { from });
    await week.pass(7 * dayMs, { wishes: true });
    const begun = beginnings(week);
    // One at the start, at once, and one at each time of the schedule, the last of which has just come.
    assert.equal(begun[0], Date.parse(from));
    const late = begun.slice(1).map((ms) => ms % intervalMs);
    assert.equal(begun.length, 1 + (7 * dayMs) / intervalMs - (late.length < 2016 ? 1 : 0));
    assert.equal(week.mostAtOnce(), 1);
    assert.ok(week.fanSyncs() > 500);
    assert.deepEqual(
      week.ran.slice(0, 4 * (begun.length - 1)).map(({ script }) => script),
      begun.slice(1).flatMap(() => chain),
    );
    // A tenth of the interval, and the two scripts of a fan that are under way then.
    const latestMs = 30 * secondMs + 3 * stepMs;
    assert.ok(Math.max(...late) <= latestMs, `the latest began ${String(Math.max(...late))} ms late`);
    assert.ok(new Set(late).size >= 6, "they are spread");
    assert.ok(Math.max(...gaps(begun)) <= intervalMs + latestMs, "no hour is left out");
    await week.stop();
  });

  test("leaves out and counts what comes during a long round, and queues none of it", async (t) => {
    const week = await startWeek(t, {
      from: "2026-06-01T00:00:00Z",
      run: (script, times) => (script === "sync-matrix" && times === 3 ? { tookMs: 3 * intervalMs } : {}),
    });
    await week.pass(61 * minuteMs);
    assert.equal(week.mostAtOnce(), 1);
    const begun = beginnings(week);
    assert.equal(begun.length, 1 + 12 - 3);
    const told = week.logged.filter((line) => line.includes("its next times were left out"));
    assert.equal(told.length, 1);
    assert.match(told.join(""), /"leftOut":3/);
    await week.stop();
  });

  test("goes on with the chain after failures and kills, but not where all scripts need what is faulty", async (t) => {
    const ends: Readonly<Record<string, readonly ScriptEnd[]>> = {
      "fetch-earnings": [{ code: 5 }, { signal: "SIGKILL" }, { code: 75 }, { code: 0 }, { code: 0 }],
      "sync-discord": [{ code: 4 }, { code: 3 }, { code: 75 }, { code: 2 }, { code: 1 }],
      "sync-matrix": [{ trouble: "spawn EAGAIN" }],
    };
    const week = await startWeek(t, {
      from: "2026-06-01T00:00:00Z",
      run: (script, times) => ({ end: ends[script]?.[times - 1] ?? { code: 0 }, tookMs: secondMs }),
    });
    await week.pass(21 * minuteMs);
    const rounds = beginnings(week).map((ms, index, all) =>
      week.ran
        .filter(({ atMs }) => atMs >= ms && atMs < (all[index + 1] ?? Infinity))
        .map(({ script }) => script),
    );
    assert.deepEqual(rounds, [chain, chain, chain, chain.slice(0, 2), chain]);
    const told = week.logged.filter((line) => line.includes('"level":50'));
    assert.equal(told.length, 1, told.join(""));
    assert.match(told.join(""), /sync-discord could not use the config, an address book or the database/);
    assert.match(week.logged.join(""), /sync-matrix could not be started: spawn EAGAIN/);
    assert.match(week.logged.join(""), /fetch-earnings was ended by SIGKILL/);
    await week.stop();
  });

  test("follows a new config, and keeps the old one where the new one is faulty", async (t) => {
    const week = await startWeek(t, { from: "2026-06-01T00:00:00Z" });
    await week.pass(61 * minuteMs);
    const before = beginnings(week).length;
    week.saveConfig(configText("*/5 * * * *", "rolls: {}"));
    await week.reload();
    assert.match(week.logged.at(-1) ?? "", /"level":50.*all goes on as before.*rolls: is no known key/);
    await week.pass(61 * minuteMs);
    assert.equal(beginnings(week).length - before, 12);
    assert.equal(week.ran.at(-1)?.configText, configText("*/5 * * * *"));

    week.saveConfig(configText("*/20 * * * *", "trust_proxy: true"));
    await week.reload();
    assert.match(week.logged.join(""), /The config was read again\. Changed: schedule, trust_proxy\./);
    await week.pass(61 * minuteMs);
    assert.equal(beginnings(week).length - before, 12 + 3);
    assert.equal(week.ran.at(-1)?.configText, configText("*/20 * * * *", "trust_proxy: true"));

    week.saveConfig(configText("off"));
    const unheard = () =>
      week.logged.filter((line) => line.includes("all goes on by what stood in it")).length;
    const toldBefore = unheard();
    await week.pass(61 * minuteMs);
    assert.equal(unheard() - toldBefore, 1, "once, and not at every round");
    assert.equal(beginnings(week).length - before, 12 + 3 + 3);
    await week.reload();
    await week.pass(dayMs);
    assert.equal(beginnings(week).length - before, 12 + 3 + 3);
    await week.stop();
  });

  test("is well all night and all weekend by a schedule that rests then, and not after three times without a good run", async (t) => {
    let code = 0;
    const week = await startWeek(t, {
      from: "2026-06-05T13:31:00Z",
      run: () => ({ end: { code }, tookMs: 1 }),
    });
    const port = await freePort();
    week.saveConfig(configText("*/20 8-20 * * 1-5", "", port));
    await week.reload();
    await week.pass(10 * minuteMs);
    // Friday afternoon, in Berlin; on to Monday morning.
    for (let hours = 0; hours < 65; hours += 1) {
      await week.pass(60 * minuteMs);
      assert.deepEqual(await healthAt(port), { status: 200, troubles: [] });
    }
    code = 5;
    const late: number[] = [];
    for (let times = 0; times < 6; times += 1) {
      await week.pass(20 * minuteMs);
      late.push((await healthAt(port)).troubles.length);
    }
    assert.deepEqual(late, [0, 0, 4, 4, 4, 4]);
    // From now on each minute: nothing is late by that.
    week.saveConfig(configText("* * * * *", "", port));
    await week.reload();
    assert.equal((await healthAt(port)).status, 200);
    await week.stop();
  });

  test("sees to a few new links one by one, and to many at once by one round", async (t) => {
    const week = await startWeek(t, { from: "2026-06-01T00:00:00Z" });
    await week.pass(minuteMs);
    const before = week.ran.length;
    await week.link(20);
    await week.pass(3.9 * minuteMs, { finely: true });
    // Each with the script of the platform, and that of the lists.
    assert.deepEqual([week.fanSyncs(), week.ran.length - before], [40, 0]);
    await week.pass(2 * minuteMs, { finely: true });
    const later = beginnings(week).length;
    await week.link(21);
    await week.pass(minuteMs, { finely: true });
    assert.deepEqual([week.fanSyncs(), beginnings(week).length - later], [40, 1]);
    await week.stop();
  });

  test("sees by one round to many links that came one after the other, too", async (t) => {
    const week = await startWeek(t, { from: "2026-06-01T00:00:00Z" });
    await week.pass(minuteMs);
    const before = beginnings(week).length;
    await week.link(15);
    await week.pass(15 * secondMs, { finely: true });
    const byThen = week.fanSyncs();
    assert.ok(byThen >= 2 && byThen < 8, `${byThen} of 30`);
    await week.link(15);
    await week.pass(2 * minuteMs, { finely: true });
    assert.equal(beginnings(week).length - before, 1);
    assert.ok(week.fanSyncs() < 10, "those that waited have been seen to");
    await week.stop();
  });

  test("begins a round, and the listeners anew, where a new config concerns them", async (t) => {
    const week = await startWeek(t, { from: "2026-06-01T00:00:00Z" });
    await week.pass(minuteMs);
    const counts = () => [beginnings(week).length, week.listenerStarts()];
    assert.deepEqual(counts(), [1, 1]);
    const change = async (more: string) => {
      week.saveConfig(configText("*/5 * * * *", more));
      await week.reload();
      await week.pass(30 * secondMs, { finely: true });
    };
    await change("trust_proxy: true");
    assert.deepEqual(counts(), [1, 1]);
    await change("protected: [333333333333333333]");
    assert.deepEqual(counts(), [2, 1]);
    await change("upsell: { required_entitlement_ids: [], upsell_on_boost: true, offer_message: Hello }");
    assert.deepEqual(counts(), [3, 2]);
    await week.stop();
  });

  test("has one round after a sleep of the machine, however many times passed", async (t) => {
    const week = await startWeek(t, { from: "2026-06-01T00:00:00Z" });
    await week.pass(13 * minuteMs);
    const before = beginnings(week).length;
    // Timers stand still while a machine sleeps.
    mock.timers.setTime(Date.now() + 8 * 60 * minuteMs);
    await settle();
    await week.pass(2 * minuteMs);
    assert.equal(beginnings(week).length - before, 1);
    await week.stop();
  });

  test("ends where its data folder is replaced, and says so", async (t) => {
    const week = await startWeek(t, { from: "2026-06-01T00:00:00Z" });
    await week.pass(minuteMs);
    week.replaceFolder();
    const ended = assert.rejects(week.ended, {
      name: "OperatorError",
      exitCode: 75,
      message: /The data folder .* was replaced or taken away/,
    });
    await week.pass(minuteMs);
    await ended;
    const before = week.ran.length;
    await week.pass(dayMs);
    assert.equal(week.ran.length, before);
  });

  test("ends while a script is under way, and begins nothing any more", async (t) => {
    const week = await startWeek(t, { from: "2026-06-01T00:00:00Z" });
    const before = week.ran.length;
    await week.stop();
    assert.deepEqual([before, week.ran.length], [1, 1]);
  });
});
