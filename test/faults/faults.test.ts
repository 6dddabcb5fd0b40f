/**
 * Promise 2: nobody loses access because we failed to read. Every request to Fanvue meets every fault, while people hold
 * access by every kind of rule, under limits so wide that no brake hides a removal.
 */
import assert from "node:assert/strict";
import { after, describe, it, type TestContext } from "node:test";

import type { Platform } from "../../lib/ids.ts";
import { noLimits, startSynced, type Kind, type Peopled } from "../installation.ts";
import type { Generation } from "../sandbox/fanvue-pages.ts";
import type { Fault } from "../sandbox/server.ts";
import { loseBookBeforeScript, loseBooks, loseRows } from "./books.ts";
import {
  endpointsOf,
  noLists,
  refused401,
  singleSubscriber,
  type Endpoint,
  type FaultName,
} from "./cases.ts";
import { assertDiscreet, assertToldWhy, platforms, seatsOf, syncThrough, tally, trial } from "./trial.ts";
import { breakLists } from "./lists.ts";
import { breakWholeScripts, keepScriptWaiting } from "./whole-scripts.ts";

after(() => {
  const { tried, removed } = tally;
  process.stdout.write(`faults: ${String(tried)} tried, ${String(removed)} removed somebody\n`);
});

const generations: readonly Generation[] = ["v1", "unprefixed"];

describe("promise 2: nobody loses access because we failed to read", { concurrency: 4 }, () => {
  // It does nothing but wait, so it comes first.
  it("when a whole script waits for Fanvue in vain", keepScriptWaiting);

  for (const generation of generations) {
    it(`when Fanvue's ${generation} API fails while everybody is entitled`, async (test) => {
      const home = await startWideOpen(test, generation);
      for (const endpoint of endpointsOf(generation))
        await test.test(endpoint.name, async () => {
          for (const [index, fault] of endpoint.faults.entries())
            for (const platform of platformsFor(endpoint, { generation, index }))
              await failWhileReading(home, { endpoint, fault, generation, platform });
        });
    });

    it(`when Fanvue's ${generation} API fails to bear out that somebody has lapsed`, async (test) => {
      const home = await startWideOpen(test, generation);
      for (const endpoint of endpointsOf(generation)) {
        const { evidence } = endpoint;
        if (evidence === undefined) continue;
        await test.test(endpoint.name, async () => {
          for (const platform of platforms) {
            for (const kind of evidence.kinds) home.lapse(kind, home.cast[kind]);
            const half = evidence.faults.filter(
              (_, index) => platforms[index % platforms.length] === platform,
            );
            for (const fault of half) await failToConfirm(home, { endpoint, fault, generation, platform });
            await seeThemGo(home, evidence.kinds, { endpoint, generation, platform });
          }
        });
      }
    });
  }

  it("when a single subscriber cannot be read again", async (test) => {
    const paying = { type: "subscription", free_trial: false };
    const home = await startSynced(test, { generation: "v1", config: { limits: noLimits } });
    Object.assign(home.config.roles ?? {}, { [home.roles.subscription]: paying });
    Object.assign(home.config.rooms ?? {}, { [home.aliases.subscription]: paying });
    home.saveConfig();
    const about = { endpoint: singleSubscriber, generation: "v1" } as const;
    for (const platform of platforms) await syncThrough(home, platform, about);

    const { subscription } = home.cast.subscription.fan;
    assert.ok(subscription);
    subscription.paidCents = 0;
    home.town.fanvue.world.touch();
    for (const platform of platforms) {
      for (const fault of singleSubscriber.faults) await failToConfirm(home, { ...about, fault, platform });
      await syncThrough(home, platform, about);
    }
    assert.deepEqual([home.holders("subscription"), home.guests("subscription")], [["keeper"], ["keeper"]]);
  });

  it("when an address book is renamed, emptied, cut or no book any more", loseBooks);
  it("when rows vanish from the address books", loseRows);
  for (const generation of generations)
    it(`when lists and roles follow each other, and Fanvue (${generation}) or Discord fails`, (test) =>
      breakLists(test, generation));
  it("when an address book is renamed before a script", loseBookBeforeScript);
  for (const generation of generations)
    it(`when a whole script meets faults of Fanvue's ${generation} API`, (test) =>
      breakWholeScripts(test, generation));
});

interface Case {
  readonly endpoint: Endpoint;
  readonly fault: FaultName;
  readonly generation: Generation;
  readonly platform: Platform;
}

/**
 * Fanvue is read before a platform is, so each fault meets both platforms and both generations, but not every pair of
 * these: one platform where the other generation has the same endpoint and meets the other platform there.
 */
const platformsFor = (
  { only }: Endpoint,
  { generation, index }: { readonly generation: Generation; readonly index: number },
): readonly Platform[] =>
  only === undefined
    ? platforms.filter((_, turn) => (turn + index + generations.indexOf(generation)) % 2 === 0)
    : platforms;

/** Everybody is in; lists have members whom nobody knows, too, as lists do. */
async function startWideOpen(test: TestContext, generation: Generation): Promise<Peopled> {
  const home = await startSynced(test, { generation, config: { limits: noLimits } });
  const others = home.town.fans.slice(0, 3);
  home.town.fanvue.world.addToList(home.list, ...others);
  for (const fan of others) fan.muted = true;
  home.town.fanvue.world.touch();
  return home;
}

const nameOf = ({ endpoint, fault, generation, platform }: Case) =>
  `${endpoint.name} ${fault.name} (${generation}, ${platform})`;

/** The fault is there from the first request on. */
async function failWhileReading(home: Peopled, about: Case): Promise<void> {
  const { world, faults } = home.town.fanvue;
  const what = nameOf(about);
  // Figures are asked for again where money has moved.
  world.tip(home.cast.spending.fan, 100);
  const fault: Fault = { path: about.endpoint.path, fault: about.fault.make() };
  faults.push(fault);
  const ending = await trial(home, what, () => syncThrough(home, about.platform, about));
  faults.length = 0;
  assert.ok((fault.struck ?? 0) > 0, `${what} was never met`);
  assert.doesNotMatch(ending.text, /^Held until/m, what);
  if (about.fault === noLists) {
    assert.equal(ending.code, 4, `${what}\n${ending.text}`);
    assert.match(ending.text, /could not be read\n {2}! Fanvue has no custom list/, what);
    return;
  }
  if (about.fault.isReadable !== true) {
    assertToldWhy(ending, what);
    return;
  }
  assertDiscreet(ending.text, what);
  assert.equal(ending.code, 0, `${what}\n${ending.text}`);
}

/** Somebody has lapsed in truth, but what bears it out cannot be read, once the snapshot was. */
async function failToConfirm(home: Peopled, about: Case): Promise<void> {
  const { fanvue } = home.town;
  const what = `${nameOf(about)}, as evidence`;
  const fault: Fault = { path: about.endpoint.path, fault: about.fault.make() };
  const breakNow = () => fanvue.faults.push(fault);
  onceThePlatformIsRead(home, about.platform, breakNow);
  const ending = await trial(home, what, () => syncThrough(home, about.platform, about));
  fanvue.faults.length = 0;
  assert.ok((fault.struck ?? 0) > 0, `${what} was never met`);
  assert.doesNotMatch(ending.text, /^Held until/m, what);
  // A single subscriber who cannot be read is told of in the account's own line.
  if (
    about.fault.isReadable !== true &&
    (about.endpoint !== singleSubscriber || about.fault === refused401)
  ) {
    assertToldWhy(ending, what);
    return;
  }
  assertDiscreet(ending.text, what);
  assert.match(ending.text, /left alone: .*\d+ unknown/, what);
  assert.equal(ending.code, 0, `${what}\n${ending.text}`);
}

/** The same without a fault, so that it was nothing else that kept them; then they are let in again. */
async function seeThemGo(home: Peopled, lapsed: readonly Kind[], about: Omit<Case, "fault">): Promise<void> {
  const { platform } = about;
  const before = seatsOf(home);
  const { code, text } = await syncThrough(home, platform, about);
  assert.equal(code, 0, text);
  const expected = lapsed.map((kind) =>
    platform === "discord" ? `${kind} has the role ${kind}` : `${kind} is in the room ${kind}`,
  );
  const now = seatsOf(home);
  assert.deepEqual([...before].filter((seat) => !now.has(seat)).sort(), expected.sort());

  for (const kind of lapsed) home.entitle(kind, home.cast[kind]);
  await syncThrough(home, platform, about);
  home.acceptInvites();
  assert.deepEqual(seatsOf(home), before);
}

/** Between the snapshot and the evidence, the platform is read. */
function onceThePlatformIsRead(home: Peopled, platform: Platform, happens: () => void): void {
  const { discord, matrix } = home.town;
  const [{ faults }, path] = platform === "discord" ? [discord, /\/members$/] : [matrix, /\/whoami$/];
  const edit = (body: unknown) => {
    happens();
    return body;
  };
  faults.push({ path, times: 1, fault: { kind: "edit", edit } });
}
