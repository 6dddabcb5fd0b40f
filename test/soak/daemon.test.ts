/**
 * A minute of trouble for the real daemon: it is killed itself, as are its scripts and listeners, the services go away and
 * come back, the disk is full, the config changes, while fans come, go and link themselves. In the end everybody has what they are
 * entitled to, nobody else does, nothing is left open, and no two syncs were ever at work at once.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { confirm, ready } from "../attacks/ways.ts";
import {
  type DaemonStage,
  type Process,
  processes,
  processesIn,
  type RunningDaemon,
  setDaemonStage,
  until,
} from "../daemon-stage.ts";
import { noLimits, type Person } from "../installation.ts";
import { isSubscriber } from "../sandbox/fanvue-world.ts";
import { drops } from "../sandbox/faults.ts";

/** A round every other second: one follows the other. */
const sync = "*/2 * * * * *";
const troubleMs = 50_000;

const canFillDisk = spawnSync("prlimit", ["--version"]).status === 0;

interface Trouble {
  readonly stage: DaemonStage;
  /** The one that runs now. */
  daemon: RunningDaemon;
  /** What those said that were killed before. */
  readonly saidBefore: string[];
  readonly untilMs: number;
  /** Fans whom somebody has linked, and whose link was confirmed to them. */
  readonly linked: Person[];
  /** Fans who may have been linked by a confirmation that never arrived. */
  readonly maybeLinked: Person[];
  readonly counts: {
    kills: number;
    daemonKills: number;
    waited: number;
    outages: number;
    fullDisks: number;
    faults: string[];
  };
}

const isOver = ({ untilMs }: Trouble) => performance.now() > untilMs;
const nap = (mostMs: number) => pause(randomInt(mostMs / 4, mostMs));

// ---- What goes wrong --------------------------------------------------------------------------------------------

/** Kills syncs at any moment, and now and then a listener, which comes back later each time. */
async function killAtRandom(trouble: Trouble): Promise<void> {
  const { counts } = trouble;
  for (let times = 1; !isOver(trouble); times += 1) {
    await nap(4500);
    const isMeant = (name: string) => times % 8 === 0 || !/server|listener/.test(name);
    const [pid] = [...trouble.daemon.children()].flatMap(([name, pid]) => (isMeant(name) ? [pid] : []));
    if (pid === undefined) continue;
    try {
      process.kill(pid, "SIGKILL");
      counts.kills += 1;
    } catch {
      // It had ended by itself.
    }
  }
}

async function breakServices(trouble: Trouble): Promise<void> {
  const { fanvue, discord, matrix } = trouble.stage.town;
  while (!isOver(trouble)) {
    await nap(12_000);
    for (const { faults } of [fanvue.api, discord, matrix]) faults.push({ path: /./, fault: drops() });
    await nap(4000);
    for (const { faults } of [fanvue.api, discord, matrix]) faults.length = 0;
    trouble.counts.outages += 1;
  }
}

/** No file of the daemon and of the scripts that it starts may be written: what a full disk refuses, too. */
async function fillDisk(trouble: Trouble): Promise<void> {
  // The one that runs now, which may be killed at any moment.
  const limit = (bytes: number | "unlimited") =>
    spawnSync("prlimit", ["--pid", String(trouble.daemon.pid), `--fsize=${bytes}:`]);
  while (canFillDisk && !isOver(trouble)) {
    await nap(15_000);
    limit(0);
    await pause(5000);
    limit("unlimited");
    trouble.counts.fullDisks += 1;
  }
}

/** A new role, once, and faulty configs in between; while the config is in order, the daemon is killed. */
async function changeConfig(trouble: Trouble): Promise<void> {
  const { stage } = trouble;
  const path = join(stage.folder, "config.yaml");
  for (let times = 0; !isOver(trouble); times += 1) {
    await nap(6000);
    writeFileSync(path, "roles: {", { mode: 0o600 });
    trouble.daemon.process.kill("SIGHUP");
    await nap(3000);
    if (times === 1) Object.assign(stage.config.roles ?? {}, { [stage.roles.spending]: spenders });
    stage.saveConfig();
    trouble.daemon.process.kill("SIGHUP");
    await nap(3000);
    await killDaemon(trouble);
  }
}

/** Its scripts have to notice by themselves. It is started anew at once, and again where the disk is full, as a service is. */
async function killDaemon(trouble: Trouble): Promise<void> {
  trouble.daemon.process.kill("SIGKILL");
  trouble.counts.daemonKills += 1;
  await startAgain(trouble);
  const isUp = async () => {
    const { exitCode } = trouble.daemon.process;
    if (exitCode !== null) {
      assert.equal(exitCode, 75, trouble.daemon.log());
      await startAgain(trouble);
    }
    return (await trouble.daemon.health()) !== undefined;
  };
  await until("it is up again", isUp, trouble.daemon);
}

async function startAgain(trouble: Trouble): Promise<void> {
  await trouble.daemon.result;
  trouble.saidBefore.push(trouble.daemon.log());
  trouble.daemon = trouble.stage.startDaemon("--verbose");
}
const spenders = { type: "spending", min_lifetime_spend_cents: 10_000 };

// ---- What goes on meanwhile -------------------------------------------------------------------------------------

/** Subscriptions end and begin. */
async function comeAndGo(trouble: Trouble, people: readonly Person[]): Promise<void> {
  const subscribed = new Set(people);
  while (!isOver(trouble)) {
    await nap(1500);
    const person = people[randomInt(people.length)];
    if (person === undefined) continue;
    if (subscribed.delete(person)) trouble.stage.lapse("subscription", person);
    else {
      subscribed.add(person);
      trouble.stage.entitle("subscription", person);
    }
    trouble.stage.acceptInvites();
  }
}

/** Fans link themselves on the pages, which may be down at any moment. */
async function linkThemselves(trouble: Trouble): Promise<void> {
  const { stage, linked, maybeLinked } = trouble;
  for (let count = 0; !isOver(trouble); count += 1) {
    await nap(4000);
    const person = stage.addPerson(`self-${count}`, { linked: false });
    stage.entitle("subscription", person);
    maybeLinked.push(person);
    try {
      await confirm(await ready(stage, person));
      linked.push(person);
    } catch {
      // The pages were down.
    }
  }
}

/** The operator links fans. What is told to be done must be done. */
async function linkByHand(trouble: Trouble): Promise<void> {
  const { stage, linked, maybeLinked } = trouble;
  for (let count = 0; !isOver(trouble); count += 1) {
    await nap(8000);
    const person = stage.addPerson(`hand-${count}`, { linked: false });
    stage.entitle("subscription", person);
    maybeLinked.push(person);
    const { code } = await stage.run("links", "add", person.fan.uuid, person.discord);
    if (code === 0) linked.push(person);
  }
}

/**
 * Looks all the time for two syncs at once of one daemon, and for anybody who lacks what they never lost. A sync that was
 * left by a killed daemon may still be ending beside the next one's, and is counted; the journal tells below that they did
 * not write at the same time.
 */
async function watch(trouble: Trouble, keepers: readonly Person[]): Promise<void> {
  const { stage, counts } = trouble;
  while (!isOver(trouble)) {
    const { daemon } = trouble;
    const isSync = ({ command, state }: Process) =>
      !state.startsWith("Z") && /\/scripts\/(fetch-earnings|sync-\w+)\.ts\b/.test(command);
    const all = processesIn(stage).filter(isSync);
    const syncs = all.filter(({ parent }) => parent === daemon.pid);
    if (syncs.length > 1) counts.faults.push(`at once: ${syncs.map(({ command }) => command).join(" and ")}`);
    if (all.length > syncs.length && syncs.length > 0) counts.waited += 1;
    const holders = new Set(stage.holders("subscription"));
    const guests = new Set(stage.guests("subscription"));
    for (const { name } of keepers)
      if (!holders.has(name) || !guests.has(name)) counts.faults.push(`${name} lost something`);
    await pause(150);
  }
}

// ---- Afterwards -------------------------------------------------------------------------------------------------

/** Two rounds later, all of whose scripts ended in order. */
async function calm(trouble: Trouble): Promise<void> {
  const { daemon, stage } = trouble;
  for (let rounds = 0; rounds < 2; rounds += 1) {
    const fromMs = Date.now();
    const isQuiet = async () => {
      const scripts = Object.values((await daemon.health())?.scripts ?? {});
      return scripts.every(({ endedAt, exitCode }) => exitCode === 0 && Date.parse(endedAt ?? "") > fromMs);
    };
    await until("a round goes well", isQuiet, daemon, 60_000);
    stage.acceptInvites();
  }
}

/** Runs of the journal that began before an earlier one on the same platform had ended. */
function overlaps(stage: DaemonStage): readonly unknown[] {
  const runs = stage.rows(
    "SELECT run_id, target, started_at_ms, ended_at_ms FROM runs ORDER BY started_at_ms, run_id",
  );
  return runs.filter((run, index) =>
    runs
      .slice(0, index)
      .filter((earlier) => earlier["target"] === run["target"])
      .some((earlier) => Number(earlier["ended_at_ms"] ?? 0) > Number(run["started_at_ms"])),
  );
}

/** Scripts that began in the log while another sync was at work. */
function overlapsInLog(log: string): readonly string[] {
  const under = new Set<string>();
  const found: string[] = [];
  for (const line of log.split("\n")) {
    const { script, msg } = readLine(line);
    if (script === undefined || !/^(fetch-|sync-)/.test(script)) continue;
    if (msg === "begins" && under.size > 0) found.push(`${script} beside ${[...under].join(", ")}`);
    if (msg === "begins") under.add(script);
    if (msg === "ended") under.delete(script);
  }
  return found;
}

function readLine(line: string): { readonly script?: string; readonly msg?: string } {
  // The last line of one that was killed may be cut.
  return line.startsWith("{") && line.endsWith("}")
    ? (JSON.parse(line) as { script?: string; msg?: string })
    : {};
}

const names = (people: readonly Person[]) => people.map(({ name }) => name).sort();

describe("the daemon in trouble", () => {
  it("loses nothing, leaves nothing, and never runs two syncs at once", { timeout: 240_000 }, async (t) => {
    const stage = await setDaemonStage(t, {
      sync,
      platforms: ["discord", "matrix"],
      pages: true,
      config: { limits: noLimits },
    });
    const keepers = ["kim", "kay"].map((name) => stage.addPerson(name));
    const others = ["ana", "bo", "cleo", "dan", "eve", "fay"].map((name) => stage.addPerson(name));
    for (const person of [...keepers, ...others]) stage.entitle("subscription", person);
    for (const person of keepers) stage.entitle("spending", person);
    stage.saveBooks();
    for (const { code } of await stage.syncBoth()) assert.equal(code, 0);
    stage.acceptInvites();

    const first = stage.startDaemon("--verbose");
    await until("it is up", async () => (await first.health()) !== undefined, first);
    const trouble: Trouble = {
      stage,
      daemon: first,
      saidBefore: [],
      untilMs: performance.now() + troubleMs,
      linked: [],
      maybeLinked: [],
      counts: { kills: 0, daemonKills: 0, waited: 0, outages: 0, fullDisks: 0, faults: [] },
    };
    await Promise.all([
      killAtRandom(trouble),
      breakServices(trouble),
      fillDisk(trouble),
      changeConfig(trouble),
      comeAndGo(trouble, others),
      linkThemselves(trouble),
      linkByHand(trouble),
      watch(trouble, keepers),
    ]);
    await calm(trouble);

    const { daemon } = trouble;
    const zombies = processes().filter(({ parent, state }) => parent === daemon.pid && state.startsWith("Z"));
    assert.deepEqual(zombies, []);
    const { code, stderr } = await daemon.stop();
    assert.equal(code, 143, stderr.slice(-2000));
    assert.deepEqual(processesIn(stage), [], "nothing is left running");
    const logs = [...trouble.saidBefore, stderr];
    const said = logs.join("");
    assert.doesNotMatch(said, /this is a bug|TypeError|UnhandledPromise/);

    const { counts, linked, maybeLinked } = trouble;
    assert.match(said, /all goes on as before/);
    if (counts.fullDisks > 0) assert.match(said, /Cannot (write|lock)/);
    assert.deepEqual(counts.faults, []);
    assert.deepEqual(overlaps(stage), []);
    assert.deepEqual(logs.flatMap(overlapsInLog), []);
    assert.deepEqual(stage.rows("PRAGMA integrity_check"), [{ integrity_check: "ok" }]);

    // A quiet run finds nothing to do, and nothing open.
    for (const { code: quiet, stdout } of await stage.syncBoth()) {
      assert.equal(quiet, 0, stdout);
      assert.match(stdout, /Nothing to do/);
    }
    assert.deepEqual(stage.rows("SELECT * FROM steps WHERE state = 'planned' OR unsure = 1"), []);

    const inDatabase = new Set(stage.rows("SELECT account FROM links").map(({ account }) => account));
    assert.deepEqual(
      names(linked.filter(({ discord }) => !inDatabase.has(discord))),
      [],
      "links that were told are gone",
    );
    const members = [...keepers, ...others, ...maybeLinked.filter(({ discord }) => inDatabase.has(discord))];
    const entitled = members.filter(({ fan }) => isSubscriber(fan));
    assert.deepEqual(stage.holders("subscription"), names(entitled));
    assert.deepEqual(
      stage.guests("subscription"),
      names(entitled.filter((person) => stage.books.matrix.has(person.fan.uuid))),
    );
    assert.deepEqual(stage.holders("spending"), names(keepers), "the new config counts");
    process.stdout.write(
      `daemon: ${counts.kills} kills, ${counts.daemonKills} of itself (after which syncs waited for each other ${counts.waited} times), ${counts.outages} outages, ${counts.fullDisks} full disks, ` +
        `${linked.length} links, ${stage.rows("SELECT run_id FROM runs").length} runs; nobody lost anything\n`,
    );
  });
});
