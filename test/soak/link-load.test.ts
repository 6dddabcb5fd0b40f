/**
 * Two hundred visitors at once, for half a minute, while one sync after the other writes to the same database: nobody meets
 * an error, and neither side loses what the other wrote. Twenty of them go the whole way to a link, one fan after the other;
 * the rest only make the crowd around them: they open the start page, go out, and come back with what is refused at once.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, describe, it } from "node:test";

import { openGrounds, type Grounds } from "../attacks/grounds.ts";
import { newVisitor, formOf, type Visitor } from "../attacks/visitor.ts";
import { confirm, ready } from "../attacks/ways.ts";
import type { Person } from "../installation.ts";

const visitors = 200;
const durationMs = 30_000;
/** So many of them go the whole way; each of the others' returns ends at a page that it has expired. */
const linkers = 20;
const fans = 200;

const ends: (() => unknown)[] = [];
after(async () => {
  for (const end of ends.reverse()) await end();
});

interface Load {
  readonly grounds: Grounds;
  readonly untilMs: number;
  /** How long each answer took. */
  readonly took: number[];
}

/** A visitor whose answers are timed. */
function timed({ grounds, took }: Load): Visitor {
  const { port, address } = grounds.open;
  const visitor = newVisitor({ port, host: new URL(address).host, from: undefined, judge: () => undefined });
  const plain = visitor.send;
  visitor.send = async (path, sent) => {
    const startedAtMs = performance.now();
    const answer = await plain(path, sent);
    took.push(performance.now() - startedAtMs);
    return answer;
  };
  return visitor;
}

/** Opens the start page, goes out, and comes back with an answer that is good in no visit. */
async function wander(load: Load): Promise<void> {
  while (performance.now() < load.untilMs) {
    const visitor = timed(load);
    const page = await visitor.get("/");
    assert.equal(page.status, 200);
    const { fields } = formOf(page, "/fanvue/sign-in");
    assert.equal((await visitor.post("/fanvue/sign-in", fields)).headers.location, "/away/fanvue");
    assert.equal((await visitor.get("/callback?code=nobodys&state=nobodys")).status, 410);
  }
}

/** Links one fan after the other; gives those who were told that they are linked. */
async function linkAll(load: Load, waiting: Person[]): Promise<readonly Person[]> {
  const linked: Person[] = [];
  while (performance.now() < load.untilMs) {
    const person = waiting.pop();
    if (person === undefined) break;
    const visitor = await ready({ ...load.grounds.open, visitor: () => timed(load) }, person);
    await confirm(visitor);
    linked.push(person);
  }
  return linked;
}

/** One sync after the other; gives how many there were. */
async function syncAlways({ grounds, untilMs }: Load): Promise<number> {
  let runs = 0;
  for (; performance.now() < untilMs; runs += 1) {
    const { code, stdout, stderr } = await grounds.home.run("sync-discord");
    // The run that a new link asks for may hold the platform meanwhile.
    assert.ok(code === 0 || code === 75, stdout + stderr);
  }
  return runs;
}

const share = (sorted: readonly number[], of: number): string =>
  (sorted[Math.floor((sorted.length - 1) * of)] ?? 0).toFixed(1);

describe("the linking site under load", () => {
  it(`${String(visitors)} visitors at once beside syncs, without an error or a loss`, async () => {
    const grounds = await openGrounds({ after: (end) => void ends.push(end) });
    const people = Array.from({ length: fans }, (_, index) => grounds.newFan(`load-${String(index)}`));
    await grounds.sync();
    const load: Load = { grounds, untilMs: performance.now() + durationMs, took: [] };

    const waiting = [...people];
    const wanderers = Array.from({ length: visitors - linkers }, () => wander(load));
    const linking = Array.from({ length: linkers }, () => linkAll(load, waiting));
    const [runs, links] = await Promise.all([syncAlways(load), Promise.all(linking), ...wanderers]);
    const memory = memoryMb(grounds.open.pid);
    const { code, stderr } = await grounds.open.stop();

    const linked = links.flat();
    const inDatabase = new Set(grounds.home.rows("SELECT account FROM links").map(({ account }) => account));
    assert.ok(linked.length > 0 && runs > 0);
    assert.deepEqual(
      linked.filter(({ discord }) => !inDatabase.has(discord)),
      [],
      "links that were confirmed are gone",
    );
    assert.equal(inDatabase.size, linked.length);
    const counted = "SELECT count(*) AS events FROM link_events WHERE event = 'added'";
    assert.deepEqual(grounds.home.rows(counted), [{ events: linked.length }]);
    assert.deepEqual(grounds.home.rows("PRAGMA integrity_check"), [{ integrity_check: "ok" }]);
    assert.deepEqual(
      { code, worse: stderr.split("\n").filter((line) => /^\{"level":[56]0,/.test(line)) },
      { code: 143, worse: [] },
    );

    await grounds.sync();
    assert.deepEqual(
      grounds.home.rows("SELECT * FROM steps WHERE state = 'planned'"),
      [],
      "the journal is settled",
    );
    assert.deepEqual(grounds.home.holders("subscription"), linked.map(({ name }) => name).sort());

    const sorted = load.took.sort((a, b) => a - b);
    process.stdout.write(
      `load: ${String(sorted.length)} requests in ${String(durationMs / 1000)} s by ${String(linkers)} visitors who link and ${String(visitors - linkers)} who only look, ` +
        `p50 ${share(sorted, 0.5)} ms, p99 ${share(sorted, 0.99)} ms; ${String(linked.length)} links; ` +
        `${String(runs)} syncs beside; ${memory} MB\n`,
    );
  });
});

/** Of a process, where the system tells. */
function memoryMb(pid: number | undefined): string {
  const path = `/proc/${String(pid)}/status`;
  const kb = existsSync(path) ? /VmRSS:\s+(\d+)/.exec(readFileSync(path, "utf8"))?.[1] : undefined;
  return kb === undefined ? "?" : (Number(kb) / 1024).toFixed(0);
}
