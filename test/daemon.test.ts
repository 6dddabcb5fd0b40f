/** The parts of the daemon: what a config asks of it, who goes first, how it waits, and how it judges itself. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, mock, test, type TestContext } from "node:test";
import pino from "pino";
import { loadConfig } from "../lib/config/load.ts";
import type { Config } from "../lib/config/shape.ts";
import { changesBetween } from "../lib/daemon/config.ts";
import { listenersOf, roundOf, scriptPath, scriptsFor } from "../lib/daemon/duties.ts";
import { endInWords, endsRound, isGood, isUneventful } from "../lib/daemon/script-end.ts";
import { type DatabaseFacts, loadFacts, watchDatabase } from "../lib/daemon/database.ts";
import { createRecords, type DaemonState, type Health, healthOf } from "../lib/daemon/health.ts";
import { createHealthPage } from "../lib/daemon/health-page.ts";
import { createJobQueue } from "../lib/daemon/job-queue.ts";
import { createRounds } from "../lib/daemon/rounds.ts";
import { createSupervisor } from "../lib/daemon/supervisor.ts";
import { followTimes, jitterMs, restartPauseMs } from "../lib/daemon/timing.ts";
import { openDatabase } from "../lib/db.ts";
import { parseDiscordUserId, parseFanId, parseMxid } from "../lib/ids.ts";
import { parentEnvironment } from "../lib/parent.ts";
import { runScript, scriptCommand, type ScriptEnd } from "../lib/run-script.ts";
import { addLink, inviteAgain, removeLink } from "../lib/store/links.ts";
import { temporaryFolder } from "./harness.ts";
import { freePort } from "./synapse/homeserver.ts";

const silent = pino({ level: "silent" });
const minuteMs = 60_000;

const fanAt = (index: number) =>
  parseFanId(`00000000-0000-4000-8000-${String(index).padStart(12, "0")}`) ?? assert.fail();
const [ana, bea] = [fanAt(1), fanAt(2)];

const fanvue =
  'fanvue: { client_id: app, client_secret: hush, redirect_uri: "http://localhost:8080/callback" }\n';
const discord = "discord: { token: token, guild_id: 123456789012345678 }\n";
const matrix = 'matrix: { homeserver: "https://hs.org", user_id: "@bot:hs.org", access_token: token }\n';

function write(folder: string, content: string): string {
  const path = join(folder, "config.yaml");
  writeFileSync(path, fanvue + content, { mode: 0o600 });
  return path;
}
const configOf = (t: TestContext, content: string): Config =>
  loadConfig(write(temporaryFolder(t), content), {});

const settle = async () => {
  for (let times = 0; times < 5; times += 1) await new Promise(setImmediate);
};

// ---- Pure -------------------------------------------------------------------------------------------------------

describe("what a config asks of the daemon", () => {
  const mirror =
    "list_sync: { a: { discord_role_id: 111111111111111111, fanvue_list: { name: a }, primary: discord } }\n";

  test("is to sync where there are places, and to read the ledger where a rule needs it", (t) => {
    const subscribers = "roles: { 987654321098765432: { type: subscription } }\n";
    const spenders = 'rooms: { "#a:hs.org": { type: spending, min_lifetime_spend_cents: 5000 } }\n';
    assert.deepEqual(roundOf(configOf(t, "")), []);
    assert.deepEqual(roundOf(configOf(t, discord + matrix)), []);
    assert.deepEqual(roundOf(configOf(t, discord + subscribers)), ["sync-discord"]);
    assert.deepEqual(roundOf(configOf(t, matrix + spenders)), ["fetch-earnings", "sync-matrix"]);
    assert.deepEqual(roundOf(configOf(t, discord + subscribers + matrix + spenders + mirror)), [
      "fetch-earnings",
      "sync-discord",
      "sync-matrix",
      "sync-lists",
    ]);
  });

  test("is to keep up the link pages where they are meant, and the listener where there is a server", (t) => {
    const oauth =
      'discord: { token: token, guild_id: 123456789012345678, oauth_client_id: a, oauth_client_secret: b, oauth_redirect_uri: "http://localhost:8080/callback" }\n';
    assert.deepEqual(listenersOf(configOf(t, matrix)), []);
    assert.deepEqual(listenersOf(configOf(t, `${matrix}link: { port: 8080 }\n`)), ["link-server"]);
    assert.deepEqual(listenersOf(configOf(t, discord)), ["upsell-listener"]);
    assert.deepEqual(listenersOf(configOf(t, oauth)), ["link-server", "upsell-listener"]);
  });

  test("is to fill lists for a new link, too, where a role decides on one", (t) => {
    assert.deepEqual(scriptsFor("discord", configOf(t, discord)), ["sync-discord"]);
    assert.deepEqual(scriptsFor("discord", configOf(t, discord + mirror)), ["sync-discord", "sync-lists"]);
    assert.deepEqual(scriptsFor("matrix", configOf(t, discord + mirror)), ["sync-matrix"]);
  });

  test("is to run scripts that are there", () => {
    const all = [
      "fetch-earnings",
      "sync-discord",
      "sync-matrix",
      "sync-lists",
      "link-server",
      "upsell-listener",
    ] as const;
    assert.deepEqual(
      all.filter((name) => !existsSync(scriptPath(name))),
      [],
    );
  });

  test("can be compared with what another one asks, and who works by what differs", (t) => {
    const more = "link: { port: 8080 }\nprotected: [333333333333333333]\nschedule: { sync: '0 4 * * *' }\n";
    const before = configOf(t, discord + more);
    const compare = (content: string) => {
      const { parts, readers } = changesBetween(before, configOf(t, content));
      return [[...parts], [...readers].sort()];
    };
    assert.deepEqual(compare(`${discord}${more}# us\n`), [[], []]);
    assert.deepEqual(compare(discord + more.replace("333", "444")), [["protected"], ["syncs"]]);
    assert.deepEqual(compare(discord + more.replace("sync:", "health_port: 8099, sync:")), [
      ["schedule"],
      [],
    ]);
    assert.deepEqual(compare(discord + more.replace("0 4", "0 5")), [
      ["schedule"],
      ["link-server", "upsell-listener"],
    ]);
    assert.deepEqual(compare(`${discord}${more}limits: { min_removals_per_place: 3 }\n`), [
      ["limits"],
      ["syncs"],
    ]);
    assert.deepEqual(compare(`${discord}${more}${mirror}`), [["list_sync"], ["syncs"]]);
  });
});

test("the end of a script is good in order and with removals held, and ends a round only where all need what is faulty", () => {
  const ends: readonly ScriptEnd[] = [
    ...[0, 1, 2, 3, 4, 5, 75].map((code) => ({ code })),
    { signal: "SIGKILL" },
    { trouble: "spawn EAGAIN" },
  ];
  assert.deepEqual(ends.filter(isGood), [{ code: 0 }, { code: 3 }]);
  assert.deepEqual(ends.filter(endsRound), [{ code: 2 }]);
  assert.equal(
    endInWords({ code: 4 }),
    "ended with exit code 4 (a step failed, or a place could not be read)",
  );
  assert.equal(endInWords({ code: 143 }), "ended with exit code 143");
  assert.equal(endInWords({ signal: "SIGKILL" }), "was ended by SIGKILL");
});

test("a report is told only to those who look closer where it has nothing to tell", () => {
  const report = (closing: string, more: readonly string[] = []) => [
    "sync-discord · Fanvue as of 28 Nov 2026 14:48 UTC · 11 subscribers",
    "",
    "subscription (200000000000000101)  3 in  no change",
    ...more,
    "",
    closing,
  ];
  const quiet = report("Nothing to do · requests: 2 to fanvue · 0 s");
  assert.ok(isUneventful({ code: 0 }, quiet));
  assert.ok(isUneventful({ code: 0 }, report("2 held · requests: 2 to fanvue · 0 s")));
  assert.ok(isUneventful({ code: 0 }, ["The ledger of earnings has 90 rows, 0 of them new (3 requests)."]));
  assert.ok(!isUneventful({ code: 0 }, ["The ledger of earnings has 90 rows, 10 of them new (3 requests)."]));
  assert.ok(!isUneventful({ code: 0 }, report("1 let in, 2 held · requests: 2 to fanvue · 0 s")));
  assert.ok(
    !isUneventful({ code: 0 }, report("Nothing to do · 0 s", ["  ! The bot stands below the role."])),
  );
  for (const code of [3, 4, 143]) assert.ok(!isUneventful({ code }, quiet));
  assert.ok(!isUneventful({ signal: "SIGKILL" }, []));
});

test("the pause before a round is a tenth of the interval at most, and never more than half a minute", () => {
  assert.equal(jitterMs(5 * minuteMs, 0), 0);
  assert.equal(jitterMs(5 * minuteMs, 0.5), 15_000);
  assert.equal(jitterMs(24 * 60 * minuteMs, 0.9999), 29_997);
  assert.equal(jitterMs(2000, 0.5), 100);
});

test("a listener that keeps crashing comes back ever later, and soon again once it was up for long", () => {
  const pauses: number[] = [];
  for (let times = 0; times < 11; times += 1) pauses.push(restartPauseMs(pauses.at(-1), 1000));
  assert.deepEqual(
    pauses.map((ms) => ms / 1000),
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300],
  );
  assert.equal(restartPauseMs(300_000, 9 * minuteMs), 300_000);
  assert.equal(restartPauseMs(300_000, 10 * minuteMs), 1000);
});

// ---- Health -----------------------------------------------------------------------------------------------------

describe("the daemon's health", () => {
  const startedAtMs = Date.parse("2026-06-01T12:00:00Z");
  const stateOf = (records: DaemonState["records"], more: Partial<DaemonState> = {}): DaemonState => ({
    startedAtMs,
    schedule: { sync: "*/5 * * * *", runsMs: [startedAtMs + 5 * minuteMs, startedAtMs + 10 * minuteMs] },
    roundsLeftOut: 0,
    records,
    listeners: new Map([["link-server", { isUp: false, restarts: 3, failures: 2 }]]),
    facts: {
      snapshotEndedAtMs: startedAtMs - 30_000,
      held: { discord: { hash: "e5f13b92ceda", count: 2 } },
      wishes: [{ fan: ana, platform: "discord" }],
      linksVersion: 7,
    },
    ...more,
  });

  test("is well until three times of the schedule have passed without a good run of each script", () => {
    const records = createRecords(() => startedAtMs);
    const troubles = () => healthOf(stateOf(records.all()), startedAtMs).troubles;
    records.expect(["sync-discord", "sync-matrix"]);
    for (let times = 0; times < 2; times += 1) records.struck();
    assert.deepEqual(troubles(), []);
    records.struck();
    assert.deepEqual(troubles(), [
      "sync-discord had no good run for 3 times of the schedule.",
      "sync-matrix had no good run for 3 times of the schedule.",
    ]);
    for (const script of ["sync-discord", "sync-matrix"] as const) records.began(script);
    records.ended("sync-discord", { code: 3 });
    records.ended("sync-matrix", { code: 4 });
    assert.deepEqual(troubles(), ["sync-matrix had no good run for 3 times of the schedule."]);
    records.ended("sync-matrix", { code: 0 });
    assert.deepEqual(troubles(), []);
    for (let times = 0; times < 2; times += 1) records.struck();
    // A new schedule has its own times.
    records.expect(["fetch-earnings", "sync-discord"]);
    for (let times = 0; times < 2; times += 1) records.struck();
    assert.deepEqual(troubles(), []);
    records.struck();
    assert.equal(troubles().length, 2);
  });

  test("is not well while a listener keeps failing, or the database cannot be read", () => {
    const health = (more: Partial<DaemonState>) => healthOf(stateOf(new Map(), more), startedAtMs);
    const failing = new Map([["link-server", { isUp: true, restarts: 3, failures: 3 }]] as const);
    assert.deepEqual(health({ listeners: failing }).troubles, ["link-server failed 3 times in a row."]);
    const { healthy, troubles, held, snapshotAgeSeconds } = health({ facts: "unreadable" });
    assert.deepEqual([healthy, troubles], [false, ["The database cannot be read."]]);
    assert.deepEqual([held, snapshotAgeSeconds], [undefined, null]);
    assert.ok(health({ facts: undefined }).healthy, "before the first look");
  });

  test("does not wait for rounds that do not come", () => {
    const state = stateOf(new Map(), { schedule: undefined });
    assert.ok(healthOf(state, startedAtMs + 1e9).healthy);
  });

  test("tells of runs, listeners, the snapshot and what is held, and of no fan", () => {
    let nowMs = startedAtMs + 1000;
    const records = createRecords(() => nowMs);
    records.expect(["sync-discord", "sync-matrix", "sync-lists"]);
    records.began("sync-discord");
    nowMs += 1000;
    records.ended("sync-discord", { code: 4 });
    records.began("sync-matrix");
    records.ended("sync-matrix", { signal: "SIGKILL" });
    records.began("sync-lists");
    const health = healthOf(stateOf(records.all()), nowMs);
    assert.deepEqual(health, {
      healthy: true,
      troubles: [],
      startedAt: "2026-06-01T12:00:00.000Z",
      schedule: "*/5 * * * *",
      nextRound: "2026-06-01T12:05:00.000Z",
      roundsLeftOut: 0,
      scripts: {
        "sync-discord": {
          startedAt: "2026-06-01T12:00:01.000Z",
          endedAt: "2026-06-01T12:00:02.000Z",
          exitCode: 4,
          endedBy: null,
          lastGoodRunEndedAt: null,
        },
        "sync-matrix": {
          startedAt: "2026-06-01T12:00:02.000Z",
          endedAt: "2026-06-01T12:00:02.000Z",
          exitCode: null,
          endedBy: "SIGKILL",
          lastGoodRunEndedAt: null,
        },
        "sync-lists": {
          startedAt: "2026-06-01T12:00:02.000Z",
          endedAt: null,
          exitCode: null,
          endedBy: null,
          lastGoodRunEndedAt: null,
        },
      },
      listeners: { "link-server": { up: false, restarts: 3 } },
      snapshotAgeSeconds: 32,
      held: { discord: { hash: "e5f13b92ceda", count: 2 } },
    });
    assert.ok(!JSON.stringify(health).includes(ana));
  });
});

describe("the health page", () => {
  const healthWith = (healthy: boolean): Health => ({
    healthy,
    troubles: [],
    startedAt: "",
    schedule: null,
    nextRound: null,
    roundsLeftOut: 0,
    scripts: {},
    listeners: {},
    snapshotAgeSeconds: null,
  });

  async function ask(port: number, path: string, options: { method?: string; host?: string } = {}) {
    const { method = "GET", host = `127.0.0.1:${port}` } = options;
    const sent = request({ host: "127.0.0.1", port, path, method, headers: { host } }).end();
    const [response] = (await once(sent, "response")) as [NodeJS.ReadableStream & { statusCode: number }];
    return { status: response.statusCode, body: await text(response) };
  }

  test("answers 200 or 503, to this machine's own names and nothing but a look", async (t) => {
    let healthy = true;
    const page = createHealthPage(() => healthWith(healthy), silent);
    t.after(() => page.move(undefined));
    const port = await freePort();
    await page.move(port);
    const well = await ask(port, "/healthz");
    assert.equal(well.status, 200);
    assert.deepEqual(JSON.parse(well.body), healthWith(true));
    assert.deepEqual(await ask(port, "/healthz", { method: "HEAD", host: "localhost" }), {
      status: 200,
      body: "",
    });
    healthy = false;
    assert.equal((await ask(port, "/healthz?now")).status, 503);
    assert.equal((await ask(port, "/healthz", { method: "POST" })).status, 405);
    assert.equal((await ask(port, "/")).status, 404);
    for (const host of ["evil.example", "127.0.0.1.evil.example", `evil.example:${port}`])
      assert.equal((await ask(port, "/healthz", { host })).status, 403, host);
  });

  /** What is answered to a first line that no program of good will sends. */
  async function statusFor(port: number, firstLine: string): Promise<string> {
    const socket = connect({ host: "127.0.0.1", port });
    socket.end(`${firstLine}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    return /^HTTP\/1\.1 (\d+)/.exec(await text(socket))?.[1] ?? "none";
  }

  test("stands whatever is asked of it, and tells of what goes wrong inside", async (t) => {
    const lines: string[] = [];
    let isBroken = false;
    const page = createHealthPage(
      () => {
        if (isBroken) throw new Error("broken");
        return healthWith(true);
      },
      pino({}, { write: (line: string) => void lines.push(line) }),
    );
    t.after(() => page.move(undefined));
    const port = await freePort();
    await page.move(port);
    for (const address of ["//", "//[", "http://a:99999/", "*", "/%", "/healthz/..", "/\\healthz"])
      assert.match(await statusFor(port, `GET ${address} HTTP/1.1`), /^40[04]$/, address);
    assert.equal(await statusFor(port, "CONNECT a:99999 HTTP/1.1"), "none");
    assert.equal(await statusFor(port, "GET /healthz?x=//[ HTTP/1.1"), "200");
    isBroken = true;
    assert.equal(await statusFor(port, "GET /healthz HTTP/1.1"), "500");
    assert.match(lines.join(""), /"level":50.*could not be answered/);
    isBroken = false;
    assert.equal(await statusFor(port, "GET /healthz HTTP/1.1"), "200");
  });

  test("moves to another port, and stays where it is when that is taken", async (t) => {
    const [here, there] = [await freePort(), await freePort()];
    const [page, other] = [
      createHealthPage(() => healthWith(true), silent),
      createHealthPage(() => healthWith(true), silent),
    ];
    t.after(() => Promise.all([page.move(undefined), other.move(undefined)]));
    await page.move(here);
    await other.move(there);
    await assert.rejects(page.move(there), {
      exitCode: 75,
      message: `The health page cannot be served at 127.0.0.1, port ${there}: another program listens there.`,
    });
    assert.equal((await ask(here, "/healthz")).status, 200);
    await other.move(undefined);
    await page.move(there);
    assert.equal((await ask(there, "/healthz")).status, 200);
    await assert.rejects(ask(here, "/healthz"), { code: "ECONNREFUSED" });
  });
});

// ---- Who runs when ----------------------------------------------------------------------------------------------

describe("the queue of all syncs", () => {
  function start() {
    const queue = createJobQueue();
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    const take = (name: string, haste: "urgent" | "patient") =>
      queue.add(() => {
        begun.push(name);
        const { promise, resolve } = Promise.withResolvers<undefined>();
        ends.push(() => {
          resolve(undefined);
        });
        return promise;
      }, haste);
    const end = async () => {
      ends.shift()?.();
      await settle();
    };
    return { queue, begun, take, end };
  }

  test("takes one at a time, and who is in haste before whoever can wait", async () => {
    const { queue, begun, take, end } = start();
    void take("round 1", "patient");
    void take("round 2", "patient");
    void take("fan 1", "urgent").then(() => take("fan 2", "urgent"));
    assert.deepEqual(begun, ["round 1"]);
    for (let times = 0; times < 4; times += 1) await end();
    assert.deepEqual(begun, ["round 1", "fan 1", "fan 2", "round 2"]);
    assert.ok(!queue.isBusy());
  });

  test("lets who can wait have a turn after ten others", async () => {
    const { begun, take, end } = start();
    for (let count = 0; count < 25; count += 1) void take("fan", "urgent");
    void take("round", "patient");
    for (let times = 0; times < 26; times += 1) await end();
    assert.equal(begun.indexOf("round"), 10);
    assert.equal(begun.length, 26);
  });

  test("is free again after work that fails", async () => {
    const queue = createJobQueue();
    await assert.rejects(
      queue.add(() => Promise.reject(new Error("no")), "urgent"),
      /no/,
    );
    assert.equal(await queue.add(() => Promise.resolve(5), "patient"), 5);
  });
});

describe("rounds", () => {
  /** Rounds of one script that ends when the test says so, under a fake clock. */
  function start(t: TestContext) {
    mock.timers.enable({ apis: ["setTimeout"] });
    t.after(() => {
      mock.timers.reset();
    });
    const stop = new AbortController();
    const ends: ((end: ScriptEnd) => void)[] = [];
    let served = 0;
    const rounds = createRounds({
      scripts: () => ["sync-discord"],
      run: () => new Promise((resolve) => ends.push(resolve)),
      onBegin: () => () => (served += 1),
      log: silent,
      signal: stop.signal,
    });
    const end = async (code: number) => {
      ends.at(-1)?.({ code });
      await settle();
    };
    const pass = async (ms: number) => {
      mock.timers.tick(ms);
      await settle();
    };
    return { rounds, stop, end, pass, begun: () => ends.length, served: () => served };
  }

  test("that somebody waits for come out of their pause, and are one and not two", async (t) => {
    const { rounds, end, pass, begun, served } = start(t);
    rounds.begin(30_000);
    await settle();
    assert.equal(begun(), 0);
    rounds.beginSoon();
    await settle();
    assert.equal(begun(), 1);
    await end(0);
    await pass(60 * minuteMs);
    assert.deepEqual([begun(), served()], [1, 1]);
    rounds.begin(0);
    await settle();
    rounds.beginSoon();
    await end(0);
    assert.equal(begun(), 3, "the one under way may have read before what is new");
    await end(0);
    await rounds.idle();
  });

  test("that somebody waits for are tried again ever later when they fail, until one goes well", async (t) => {
    const { rounds, end, pass, begun, served } = start(t);
    rounds.beginSoon();
    await settle();
    await end(5);
    await pass(14_999);
    assert.equal(begun(), 1);
    await pass(1);
    assert.equal(begun(), 2);
    await end(4);
    // Meanwhile one comes by the clock, and goes well.
    rounds.begin(0);
    await settle();
    assert.equal(served(), 0);
    await end(0);
    await pass(60 * minuteMs);
    assert.deepEqual([begun(), served()], [3, 1]);
    await rounds.idle();
  });

  test("by the clock that fail wait for the clock, and what the operator has to mend waits, too", async (t) => {
    const { rounds, end, pass, begun } = start(t);
    rounds.begin(0);
    await settle();
    await end(5);
    rounds.beginSoon();
    await settle();
    await end(2);
    await pass(60 * minuteMs);
    assert.equal(begun(), 2);
    await rounds.idle();
  });
});

describe("listeners", () => {
  /** Listeners that end when the test says so, under a fake clock. */
  function start(t: TestContext) {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 0 });
    t.after(() => {
      mock.timers.reset();
    });
    const stop = new AbortController();
    const lines: string[] = [];
    const runs: { readonly name: string; readonly atMs: number; end(end: ScriptEnd): void }[] = [];
    const listeners = createSupervisor({
      run(name, signal) {
        const { promise, resolve } = Promise.withResolvers<ScriptEnd>();
        runs.push({ name, atMs: Date.now(), end: resolve });
        signal.addEventListener("abort", () => {
          resolve({ code: 143 });
        });
        return promise;
      },
      now: Date.now,
      log: pino({ level: "info" }, { write: (line: string) => void lines.push(line) }),
      signal: stop.signal,
    });
    return { listeners, stop, lines, runs };
  }

  test("come back after a crash, each time later, with a word in the log", async (t) => {
    const { listeners, lines, runs } = start(t);
    listeners.keep(["link-server"]);
    await settle();
    for (const [end, pauseMs] of [
      [{ code: 1 }, 1000],
      [{ code: 2 }, 2000],
      [{ signal: "SIGKILL" }, 4000],
      [{ trouble: "spawn EAGAIN" }, 8000],
    ] as const) {
      runs.at(-1)?.end(end);
      await settle();
      const begun = runs.length;
      assert.deepEqual(listeners.status().get("link-server"), {
        isUp: false,
        restarts: begun - 1,
        failures: begun,
      });
      mock.timers.tick(pauseMs - 1);
      await settle();
      assert.equal(runs.length, begun);
      mock.timers.tick(1);
      await settle();
      assert.equal(runs.length, begun + 1);
      assert.deepEqual(listeners.status().get("link-server"), {
        isUp: true,
        restarts: begun,
        failures: begun,
      });
    }
    mock.timers.tick(10 * minuteMs);
    assert.equal(listeners.status().get("link-server")?.failures, 0, "it has stayed up");
    runs.at(-1)?.end({ code: 1 });
    await settle();
    assert.match(
      lines[0] ?? "",
      /"level":40.*link-server ended with exit code 1 \(a bug\)\. It is started again in 1 s\./,
    );
    assert.match(lines.at(-1) ?? "", /It is started again in 1 s\./);
  });

  test("that have nothing to do are left alone", async (t) => {
    const { listeners, lines, runs } = start(t);
    listeners.keep(["upsell-listener"]);
    await settle();
    runs[0]?.end({ code: 0 });
    await settle();
    mock.timers.tick(60 * minuteMs);
    await settle();
    assert.equal(runs.length, 1);
    assert.match(lines.join(""), /has nothing to do by this config/);
    await listeners.idle();
  });

  test("go on where nothing of theirs has changed, and begin anew once they have ended, also in a pause", async (t) => {
    const { listeners, stop, runs } = start(t);
    const begun = () => runs.map(({ name }) => name);
    listeners.keep(["link-server", "upsell-listener"]);
    await settle();
    runs[0]?.end({ code: 1 });
    await settle();
    listeners.keep(["link-server", "upsell-listener"], new Set(["link-server"]));
    await settle();
    assert.deepEqual(begun(), ["link-server", "upsell-listener", "link-server"]);
    listeners.keep(["link-server"]);
    listeners.keep(["link-server", "upsell-listener"]);
    assert.equal(runs.length, 3, "the listener that was ended and is wanted again has not ended yet");
    await settle();
    assert.deepEqual(begun().slice(3), ["upsell-listener"]);
    stop.abort();
    await listeners.idle();
    listeners.keep(["link-server"], new Set(["link-server"]));
    await settle();
    assert.equal(runs.length, 4);
  });

  test("do not wait for each other's end", async (t) => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 0 });
    t.after(() => {
      mock.timers.reset();
    });
    const begun: string[] = [];
    const listeners = createSupervisor({
      run(name, signal) {
        begun.push(name);
        return new Promise((resolve) => {
          // The link pages take their time to end.
          if (name === "upsell-listener")
            signal.addEventListener("abort", () => {
              resolve({ code: 143 });
            });
        });
      },
      now: Date.now,
      log: silent,
      signal: new AbortController().signal,
    });
    const both = ["link-server", "upsell-listener"] as const;
    listeners.keep(both);
    await settle();
    listeners.keep(both, new Set(both));
    await settle();
    assert.deepEqual(begun, ["link-server", "upsell-listener", "upsell-listener"]);
  });
});

test("the times of a schedule are not waited for in vain where the clock was set back", (t) => {
  mock.timers.enable({ apis: ["Date"], now: Date.parse("2026-06-01T12:01:00Z") });
  t.after(() => {
    mock.timers.reset();
  });
  const waits: { readonly ms: number; readonly fn: () => void }[] = [];
  t.mock.method(globalThis, "setTimeout", (fn: () => void, ms: number) => waits.push({ ms, fn }));
  let struck = 0;
  followTimes("*/5 * * * *", () => (struck += 1));
  const timePasses = (toTime: string) => {
    mock.timers.setTime(Date.parse(`2026-06-01T${toTime}Z`));
    waits.at(-1)?.fn();
    return waits.at(-1)?.ms;
  };
  assert.equal(waits[0]?.ms, minuteMs);
  assert.equal(timePasses("12:04:30"), 30_000);
  assert.equal(timePasses("09:03:10"), minuteMs);
  assert.equal(timePasses("09:04:10"), 50_000);
  assert.equal(struck, 0);
  timePasses("09:05:00");
  assert.equal(struck, 1);
});

// ---- Links ------------------------------------------------------------------------------------------------------

describe("what the newest links ask for", () => {
  const account = parseDiscordUserId("300000000000000001") ?? assert.fail();
  const mxid = parseMxid("@ana:hs.org") ?? assert.fail();
  const proved = { source: "proved", platform: "discord", account, fan: ana } as const;
  const entered = { source: "operator", platform: "matrix", account: mxid, fan: bea } as const;

  test("is a sync for those that were made since, by a fan or the operator", async (t) => {
    const database = openDatabase(temporaryFolder(t));
    const before = await database.read((sql) => loadFacts(sql, undefined));
    assert.deepEqual(before, { snapshotEndedAtMs: undefined, held: {}, wishes: [], linksVersion: 0 });
    const after = await database.write((sql) => {
      addLink(sql, proved, 1);
      addLink(sql, entered, 2);
      removeLink(sql, { ...entered, fan: undefined }, "links remove", 3);
      return loadFacts(sql, before.linksVersion);
    });
    assert.deepEqual(after.wishes, [
      { fan: ana, platform: "discord" },
      { fan: bea, platform: "matrix" },
    ]);
    assert.deepEqual(await database.read((sql) => loadFacts(sql, after.linksVersion).wishes), []);
    assert.deepEqual(await database.read((sql) => loadFacts(sql, undefined).wishes), []);
  });

  test("is a sync for the new fan of a transfer, and for all fans of who is let in again", async (t) => {
    const database = openDatabase(temporaryFolder(t));
    const { linksVersion } = await database.write((sql) => {
      addLink(sql, proved, 1);
      return loadFacts(sql, undefined);
    });
    const transferred = await database.write((sql) => {
      removeLink(sql, { platform: "discord", account, fan: ana }, "links transfer", 2);
      addLink(sql, { ...proved, source: "operator", fan: bea }, 2);
      return loadFacts(sql, linksVersion);
    });
    assert.deepEqual(transferred.wishes, [{ fan: bea, platform: "discord" }]);
    const again = await database.write((sql) => {
      inviteAgain(sql, "discord", account, 3);
      return loadFacts(sql, transferred.linksVersion);
    });
    assert.deepEqual(again.wishes, [{ fan: bea, platform: "discord" }]);
  });
});

describe("a database that changes under the daemon", () => {
  const account = (index: number) => parseDiscordUserId(`30000000000000000${index}`) ?? assert.fail();
  const link = (dataDir: string, index: number) =>
    openDatabase(dataDir).write((sql) =>
      addLink(
        sql,
        { source: "proved", platform: "discord", account: account(index), fan: fanAt(index) },
        index,
      ),
    );

  /** A watch under a fake clock; `look` lets it look once more. */
  async function watch(t: TestContext, dataDir: string) {
    mock.timers.enable({ apis: ["setTimeout"] });
    const stop = new AbortController();
    const seen: (DatabaseFacts | undefined)[] = [];
    const lines: string[] = [];
    let older = 0;
    const done = watchDatabase({
      database: openDatabase(dataDir),
      isBusy: () => false,
      onFacts: (facts) => seen.push(facts),
      onOlder: () => (older += 1),
      ownsFolder: () => true,
      log: pino({}, { write: (line: string) => void lines.push(line) }),
      signal: stop.signal,
    });
    const look = async () => {
      mock.timers.tick(2000);
      await settle();
      await settle();
    };
    t.after(async () => {
      stop.abort();
      await done;
      mock.timers.reset();
    });
    await look();
    return { look, lines, fans: () => seen.at(-1)?.wishes.map(({ fan }) => fan), older: () => older };
  }

  test("asks for a sync of who is new, and for a round alone where it has become older or was away", async (t) => {
    const dataDir = temporaryFolder(t);
    for (const index of [1, 2]) await link(dataDir, index);
    const path = join(dataDir, "fanvue-sync.db");
    const backup = readFileSync(path);
    const { look, fans, older } = await watch(t, dataDir);
    assert.deepEqual(fans(), []);
    for (const index of [3, 4]) await link(dataDir, index);
    await look();
    assert.deepEqual(fans(), [fanAt(3), fanAt(4)]);
    assert.equal(older(), 0);

    writeFileSync(path, backup);
    await look();
    assert.deepEqual([fans(), older()], [[], 1]);
    await link(dataDir, 5);
    await look();
    assert.deepEqual([fans(), older()], [[fanAt(5)], 1]);

    rmSync(path);
    await look();
    assert.equal(older(), 1);
    writeFileSync(path, backup);
    await look();
    assert.deepEqual([fans(), older()], [[], 2]);
  });

  test("is told once where it cannot be read, and asks for what is new afterwards", async (t) => {
    const dataDir = temporaryFolder(t);
    await link(dataDir, 1);
    const path = join(dataDir, "fanvue-sync.db");
    const { look, fans, lines, older } = await watch(t, dataDir);
    await link(dataDir, 2);
    const good = readFileSync(path);
    writeFileSync(path, "half a database");
    await look();
    writeFileSync(path, "half a database!");
    await look();
    assert.equal(fans(), undefined);
    assert.equal(lines.length, 1);
    writeFileSync(path, good);
    await look();
    assert.deepEqual([fans(), older()], [[fanAt(2)], 0]);
  });
});

// ---- The accepted config ----------------------------------------------------------------------------------------

describe("a script that gets its config from the daemon", { timeout: 20_000 }, () => {
  const script = scriptPath("sync-matrix");

  /** What it says to this text, whatever stands in the file. */
  async function run(
    folder: string,
    configText: string,
  ): Promise<{ readonly end: ScriptEnd; readonly said: string }> {
    const lines: string[] = [];
    const end = await runScript(
      script,
      ["--config", join(folder, "config.yaml"), "--data", join(folder, "data")],
      {
        log: pino({}, { write: (line: string) => void lines.push(line) }),
        signal: new AbortController().signal,
        configText,
      },
    );
    return { end, said: lines.join("") };
  }

  test("works by it, under the file's own name, and leaves no copy of it", async (t) => {
    const folder = temporaryFolder(t);
    const path = write(folder, matrix);
    const inOrder = await run(folder, `${fanvue}limits:\n`);
    assert.deepEqual(inOrder.end, { code: 0 });
    assert.match(inOrder.said, /The config has no matrix section/);
    assert.doesNotMatch(inOrder.said, /limits: is empty/, "the daemon tells of that");
    const faulty = await run(folder, `${fanvue}rolls: {}\n${"# ä\n".repeat(200_000)}`);
    assert.deepEqual(faulty.end, { code: 2 });
    assert.ok(faulty.said.includes(`${path}:2: rolls: is no known key`), faulty.said);
    assert.deepEqual(readdirSync(folder), ["config.yaml"]);
  });

  test("does nothing where it does not arrive whole", async (t) => {
    const folder = temporaryFolder(t);
    write(folder, matrix);
    const [node, ...words] = scriptCommand(script, ["--config", join(folder, "config.yaml")]);
    const child = spawn(node, words, {
      cwd: folder,
      env: { ...process.env, ...parentEnvironment("limits: {}") },
      stdio: ["pipe", "pipe", "pipe", "ipc"],
    });
    child.stdin?.end("limits:");
    assert.ok(child.stderr);
    const [said] = await Promise.all([text(child.stderr), once(child, "close")]);
    assert.match(said, /The config that the daemon works by did not arrive\./);
    assert.equal(child.exitCode, 75);
  });
});
