/**
 * Lists and roles that follow each other, in both directions, while Discord or Fanvue fails: nobody is taken off a list or
 * out of a role by it, whatever is asked for and however it goes wrong.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";

import { syncInProcess } from "../in-process.ts";
import { type ListStage, startLists } from "../list-stage.ts";
import { answers, cutBody, drops, emptyPage, everyField, notJson, onlyFirst } from "../sandbox/faults.ts";
import type { Generation } from "../sandbox/fanvue-pages.ts";
import type { Fault, FaultKind } from "../sandbox/server.ts";
import { endpointsOf } from "./cases.ts";
import { assertDiscreet, watch } from "./trial.ts";

const people = ["ana", "bea", "cleo", "dora", "emma", "fran"];
const onVips = ["ana", "bea", "cleo"];
const inCrew = ["cleo", "dora", "emma", "fran"];

export async function breakLists(test: TestContext, generation: Generation): Promise<void> {
  const stage = await startLists(test, { people });
  stage.home.town.fanvue.quirks.generations = [generation];
  stage.home.town.fanvue.world.addToList(stage.vips, ...onVips.map((name) => stage.person(name).fan));
  stage.giveRole(...inCrew.map(stage.person));
  await stage.sync();
  stage.home.acceptInvites();
  assert.equal(seatsIn(stage).size, 2 * onVips.length + inCrew.length);

  if (generation === "v1") await failDiscord(stage);
  await failFanvue(stage, generation);
  await failToConfirm(stage);
  await failToWrite(stage);
}

const seatsIn = (stage: ListStage): ReadonlySet<string> =>
  new Set([
    ...stage.home.holders("custom").map((name) => `${name} has the role`),
    ...stage.home.guests("custom").map((name) => `${name} is in the room`),
    ...stage.onList(stage.crew).map((name) => `${name} is on the list`),
  ]);

type Named = Readonly<Record<string, () => FaultKind>>;

const refusals: Named = {
  "answers 500": () => answers(500, { message: "Internal Server Error", code: 0 }),
  "answers 401": () => answers(401, { message: "401: Unauthorized", code: 0 }),
  "answers 403": () => answers(403, { message: "Missing Access", code: 50_001 }),
  "answers 404": () => answers(404, { message: "404: Not Found", code: 0 }),
  "answers with a web page": notJson,
  "answers with half a body": cutBody,
  "drops the connection": drops,
};

/** All that is asked of Discord to know who holds a role. */
const discordReadings: readonly { readonly path: RegExp; readonly more?: Named }[] = [
  { path: /\/users\/(@|%40)me$/ },
  { path: /\/guilds\/\d+$/ },
  {
    path: /\/guilds\/\d+\/roles$/,
    more: { "answers an empty list": emptyPage, "answers one": () => onlyFirst(1) },
  },
  {
    path: /\/guilds\/\d+\/members$/,
    more: {
      "answers an empty list": emptyPage,
      "answers one member": () => onlyFirst(1),
      "shows nobody with a role": () => everyField("roles", () => []),
      "leaves out the roles": () => everyField("roles", () => undefined),
    },
  },
  { path: /\/roles\/member-counts$/, more: { "counts nobody": () => ({ kind: "edit", edit: () => ({}) }) } },
];

async function struckBy<T>(faults: Fault[], fault: Fault, what: string, run: () => Promise<T>): Promise<T> {
  faults.push(fault);
  try {
    const ended = await run();
    assert.ok((fault.struck ?? 0) > 0, `${what} was never met: ${JSON.stringify(ended)}`);
    return ended;
  } finally {
    faults.length = 0;
  }
}

/** Nothing changes, and nothing that went wrong is taken for a bug. */
async function failDiscord(stage: ListStage): Promise<void> {
  const { faults } = stage.home.town.discord;
  for (const { path, more = {} } of discordReadings)
    for (const [name, make] of Object.entries({ ...refusals, ...more })) {
      const what = `lists: Discord ${String(path)} ${name}`;
      const { text } = await watch(
        () => seatsIn(stage),
        what,
        () => struckBy(faults, { path, fault: make() }, what, () => syncInProcess(stage.home, "lists")),
      );
      assertDiscreet(text, what);
      assert.doesNotMatch(text, /^Held until/m, what);
    }
}

async function failFanvue(stage: ListStage, generation: Generation): Promise<void> {
  const { faults } = stage.home.town.fanvue;
  const memory = new Map([["api_prefix", generation === "v1" ? "/v1" : "none"]]);
  const endpoints = endpointsOf(generation).filter(({ name }) => /custom list/.test(name));
  assert.equal(endpoints.length, 2);
  for (const endpoint of endpoints)
    for (const kind of endpoint.faults.filter(({ name }) => name !== "never answers"))
      for (const which of ["lists", "discord"] as const) {
        const what = `${which}: ${endpoint.name} ${kind.name} (${generation})`;
        const fault = { path: endpoint.path, fault: kind.make() };
        const run = () => syncInProcess(stage.home, which, { memory: new Map(memory) });
        const { text } = await watch(
          () => seatsIn(stage),
          what,
          () => struckBy(faults, fault, what, run),
        );
        assertDiscreet(text, what);
        assert.doesNotMatch(text, /^Held until/m, what);
      }
}

/** Somebody has lost the role in truth, but the look at them fails. */
async function failToConfirm(stage: ListStage): Promise<void> {
  const { home, person, takeRole, giveRole } = stage;
  const path = /\/guilds\/\d+\/members\/\d+$/;
  takeRole(person("fran"));
  const more: Named = {
    "answers that there is no such server": () => answers(404, { message: "Unknown Guild", code: 10_004 }),
    "leaves out the roles": () => everyField("roles", () => undefined),
  };
  for (const [name, make] of Object.entries({ ...refusals, ...more })) {
    const what = `lists: a single member ${name}`;
    const run = () => syncInProcess(home, "lists");
    const { text } = await watch(
      () => seatsIn(stage),
      what,
      () => struckBy(home.town.discord.faults, { path, fault: make() }, what, run),
    );
    assertDiscreet(text, what);
  }
  await stage.sync();
  assert.ok(!seatsIn(stage).has("fran is on the list"), "it was nothing else that kept her");
  giveRole(person("fran"));
  await stage.sync();
}

/** What cannot be written is written by the next run, and burdens nobody else. */
async function failToWrite(stage: ListStage): Promise<void> {
  const { home, person, giveRole, takeRole } = stage;
  const { faults } = home.town.fanvue;
  const path = /\/members(\/[^/]+)?$/;
  const isOn = (name: string) => seatsIn(stage).has(`${name} is on the list`);
  for (const [name, make] of Object.entries(refusals)) {
    const what = `lists: a write ${name}`;
    const others = () => new Set([...seatsIn(stage)].filter((seat) => !seat.startsWith("emma")));
    const breakWrite = (method: string) =>
      watch(others, what, () =>
        struckBy(faults, { method, path, fault: make() }, what, () => syncInProcess(home, "lists")),
      );
    giveRole(person("ana"));
    await breakWrite("POST");
    takeRole(person("emma"));
    await breakWrite("DELETE");
    await stage.sync();
    assert.deepEqual([isOn("ana"), isOn("emma")], [true, false], what);
    takeRole(person("ana"));
    giveRole(person("emma"));
    await stage.sync();
    assert.deepEqual([isOn("ana"), isOn("emma")], [false, true], what);
  }
  assert.deepEqual(home.rows("SELECT count(*) AS n FROM steps WHERE state = 'planned' OR unsure = 1"), [
    { n: 0 },
  ]);
}
