/**
 * The stand-in of `test/sandbox/matrix.ts` answers as Synapse does: the same requests to both give the same status, the
 * same error code, and leave the same memberships behind.
 */
import assert from "node:assert/strict";
import { it } from "node:test";

import { serverName } from "./homeserver.ts";
import type { Street } from "./house.ts";
import { type RoomOptions, type Side, standInSide, synapseSide } from "./parity-sides.ts";
import type { Person, Reply } from "./people.ts";

/** By what was asked: "403 M_FORBIDDEN"; or, of a room in the end, who is in it in which way. */
type Findings = Record<string, unknown>;

function brief({ status, body: { errcode } }: Reply): string {
  return typeof errcode === "string" ? `${String(status)} ${errcode}` : String(status);
}

export function parity(street: () => Street): void {
  const both = (what: string, run: (side: Side) => Promise<Findings>) => {
    it(`the stand-in does as Synapse: ${what}`, async (test) => {
      const [real, ours] = await Promise.all([run(synapseSide(street())), run(await standInSide(test))]);
      assert.ok(Object.keys(real).length > 0);
      assert.deepEqual(ours, real);
    });
  };
  both("what may be done to whom", tryEveryStanding);
  both("what a bot may do, in the room or not", tryEveryBot);
  both("rooms, aliases and users that do not exist, and requests that make no sense", tryNonsense);
  both("tokens that are dead or missing", tryTokens);
  both("invitations that repeat, are blocked or lead to a server that is down", tryInvitations);
  both("rooms that restrict who joins, and knocks", tryDoors);
  both("rooms for the members of another room", tryRestricted);
  both("a room that was upgraded", tryUpgraded);
  both("the limit on invitations", tryLimit);
}

// ---- Cases ------------------------------------------------------------------------------------------------------

const act = (who: Person, action: string, room: string, target: Person) =>
  who.ask("POST", ["rooms", room, action], { user_id: target.id });
const actAlone = (who: Person, action: string, room: string) =>
  who.ask("POST", action === "knock" ? ["knock", room] : ["rooms", room, action], {});

/** How a member came to stand in the room, and the power that they were given. */
const histories: Readonly<Record<string, readonly string[]>> = {
  "never there": [],
  invited: ["invite"],
  "in the room": ["invite", "join"],
  gone: ["invite", "join", "leave"],
  declined: ["invite", "leave"],
  "thrown out": ["invite", "join", "kick"],
  "asked again": ["invite", "join", "leave", "invite"],
  banned: ["ban"],
  "banned from inside": ["invite", "join", "ban"],
  "banned, and free again": ["ban", "unban"],
  knocking: ["knock"],
  "as powerful": ["invite", "join", "power 60"],
  "more powerful": ["invite", "join", "power 70"],
};
const deedsOfOthers = ["invite", "kick", "ban", "unban"];
const ownDeeds = ["join", "leave", "knock"];

async function tryEveryStanding(side: Side): Promise<Findings> {
  const [owner, bot] = [await side.person("owner"), await side.person("bot")];
  const deeds = [...deedsOfOthers, ...ownDeeds];
  const people = new Map<string, Person>();
  for (const deed of deeds) people.set(deed, await side.person(`to-${deed}`));
  const rooms = Object.entries(histories).map(async ([standing, history]) => {
    const findings: Findings = {};
    const room = await openRoom(side, owner, bot, { joinRule: "knock" });
    for (const [deed, member] of people) {
      for (const step of history) await live(side, { step, owner, member, room });
      const isOwn = ownDeeds.includes(deed);
      const reply = isOwn ? await actAlone(member, deed, room) : await act(bot, deed, room, member);
      findings[`${standing}: ${deed}`] = brief(reply);
    }
    findings[`${standing}: memberships`] = await membershipsOf(owner, room, people);
    return findings;
  });
  return merged(await Promise.all(rooms));
}

const merged = (findings: readonly Findings[]): Findings =>
  Object.fromEntries(findings.flatMap((some) => Object.entries(some)));

/** A room in which the bot has power 60, as in real life. */
async function openRoom(side: Side, owner: Person, bot: Person, options: RoomOptions): Promise<string> {
  const room = await side.room(owner, options);
  await owner.invite(room, bot.id);
  await bot.join(room);
  await side.setPower(owner, room, bot, 60);
  return room;
}

async function live(
  side: Side,
  { step, owner, member, room }: { step: string; owner: Person; member: Person; room: string },
): Promise<void> {
  const [word = "", level] = step.split(" ");
  if (level !== undefined) return side.setPower(owner, room, member, Number(level));
  const isOwn = ownDeeds.includes(word);
  const reply = isOwn ? await actAlone(member, word, room) : await act(owner, word, room, member);
  assert.equal(reply.status, 200, `${step}: ${JSON.stringify(reply.body)}`);
}

/** Membership and whose doing it is, by the name that the people have in the test. */
async function membershipsOf(
  reader: Person,
  room: string,
  people: ReadonlyMap<string, Person>,
): Promise<Findings> {
  const events = await reader.state(room);
  const entries = [...people].map(([name, { id }]) => {
    const event = events.find(({ type, state_key }) => type === "m.room.member" && state_key === id);
    if (event === undefined) return [name, "none"] as const;
    const isOwn = event.sender === id;
    return [name, `${String(event.content["membership"])}, ${isOwn ? "own doing" : "by another"}`] as const;
  });
  return Object.fromEntries(entries);
}

const botHistories: Readonly<Record<string, readonly string[]>> = {
  ...histories,
  "in the room": ["invite", "join", "power 0"],
};

async function tryEveryBot(side: Side): Promise<Findings> {
  const [owner, inside, outside] = [
    await side.person("owner"),
    await side.person("inside"),
    await side.person("outside"),
  ];
  const rooms = Object.entries(botHistories).map(async ([standing, history]) => {
    const findings: Findings = {};
    const bot = await side.person(`bot-${standing.replaceAll(/[^a-z]/g, "-")}`);
    const room = await side.room(owner, { joinRule: "knock" });
    for (const step of ["invite", "join"]) await live(side, { step, owner, member: inside, room });
    for (const step of history) await live(side, { step, owner, member: bot, room });
    for (const read of [["state"], ["state", "m.room.create", ""], ["members"], ["joined_members"]]) {
      findings[`${standing}: ${read.join(" ")}`] = brief(await bot.ask("GET", ["rooms", room, ...read]));
    }
    findings[`${standing}: invite`] = brief(await act(bot, "invite", room, outside));
    findings[`${standing}: kick`] = brief(await act(bot, "kick", room, inside));
    findings[`${standing}: ban`] = brief(await act(bot, "ban", room, outside));
    const people = new Map(Object.entries({ inside, outside, bot }));
    findings[`${standing}: memberships`] = await membershipsOf(owner, room, people);
    return findings;
  });
  return merged(await Promise.all(rooms));
}

async function tryNonsense(side: Side): Promise<Findings> {
  const [owner, ana] = [await side.person("owner"), await side.person("ana")];
  const room = await side.room(owner);
  const invite = (body: unknown, where = room) => owner.ask("POST", ["rooms", where, "invite"], body);
  const resolve = (alias: string) => owner.ask("GET", ["directory", "room", alias]);
  const findings: Findings = {};
  for (const gone of ["!gone:matrix.test", "!gone", "no room id"]) {
    const path = ["rooms", gone];
    findings[`state of ${gone}`] = brief(await owner.ask("GET", [...path, "state"]));
    findings[`one state of ${gone}`] = brief(await owner.ask("GET", [...path, "state", "m.room.name", ""]));
    findings[`members of ${gone}`] = brief(await owner.ask("GET", [...path, "members"]));
    findings[`joined members of ${gone}`] = brief(await owner.ask("GET", [...path, "joined_members"]));
    findings[`invite to ${gone}`] = brief(await act(owner, "invite", gone, ana));
    findings[`kick from ${gone}`] = brief(await act(owner, "kick", gone, ana));
    findings[`ban from ${gone}`] = brief(await act(owner, "ban", gone, ana));
    findings[`unban from ${gone}`] = brief(await act(owner, "unban", gone, ana));
    findings[`join ${gone}`] = brief(await actAlone(ana, "join", gone));
    findings[`leave ${gone}`] = brief(await actAlone(ana, "leave", gone));
  }
  for (const alias of ["#nowhere:matrix.test", "#no-server", "nowhere", room]) {
    findings[`alias ${alias === room ? "that is an id" : alias}`] = brief(await resolve(alias));
  }
  findings["state that the room does not have"] = brief(
    await owner.ask("GET", ["rooms", room, "state", "m.room.topic", ""]),
  );
  findings["an endpoint that does not exist"] = brief(await owner.ask("GET", ["nothing", "here"]));
  findings["a method that does not exist"] = brief(await owner.ask("DELETE", ["rooms", room, "invite"]));
  for (const body of [{}, { user_id: "ana" }, { user_id: "@ana" }, [], "text"]) {
    findings[`invite ${JSON.stringify(body)}`] = brief(await invite(body));
  }
  findings["invite without a word"] = brief(await invite(undefined));
  findings["invite oneself"] = brief(await invite({ user_id: owner.id }));
  findings["kick oneself"] = brief(await act(owner, "kick", room, owner));
  return findings;
}

async function tryTokens(side: Side): Promise<Findings> {
  const [owner, bot, ana] = [await side.person("owner"), await side.person("bot"), await side.person("ana")];
  const room = await openRoom(side, owner, bot, { alias: `tokens-${owner.id.slice(1, -12)}` });
  const findings: Findings = {};
  const tryAll = async (what: string) => {
    findings[`${what}: whoami`] = brief(await bot.ask("GET", ["account", "whoami"]));
    findings[`${what}: state`] = brief(await bot.ask("GET", ["rooms", room, "state"]));
    const alias = `#tokens-${owner.id.slice(1, -12)}:${serverName}`;
    findings[`${what}: alias`] = brief(await bot.ask("GET", ["directory", "room", alias]));
    findings[`${what}: joined rooms`] = brief(await bot.ask("GET", ["joined_rooms"]));
    findings[`${what}: invite`] = brief(await act(bot, "invite", room, ana));
    findings[`${what}: kick`] = brief(await act(bot, "kick", room, ana));
  };
  await tryAll("alive");
  await side.logout(bot);
  await tryAll("dead");
  return findings;
}

async function tryInvitations(side: Side): Promise<Findings> {
  const [owner, ana, blocker] = [
    await side.person("owner"),
    await side.person("ana"),
    await side.person("blocker"),
  ];
  const room = await side.room(owner);
  const invite = (user_id: string, reason?: string) =>
    owner.ask("POST", ["rooms", room, "invite"], { user_id, ...(reason === undefined ? {} : { reason }) });
  const eventOf = async ({ id }: Person) =>
    (await owner.state(room)).find(({ state_key }) => state_key === id)?.event_id;

  const findings: Findings = {};
  findings["invite"] = brief(await invite(ana.id, "one"));
  const first = await eventOf(ana);
  findings["the same again"] = brief(await invite(ana.id, "one"));
  findings["which changes"] = (await eventOf(ana)) === first ? "nothing" : "the event";
  findings["for another reason"] = brief(await invite(ana.id, "two"));
  findings["which then changes"] = (await eventOf(ana)) === first ? "nothing" : "the event";
  await side.blockInvites(blocker);
  findings["blocked"] = brief(await invite(blocker.id));
  findings["of a server that is down"] = brief(await invite(`@far:${await side.deadServer()}`));
  findings["of nobody"] = brief(await invite(`@nobody:${serverName}`));
  const members = await owner.ask("GET", ["rooms", room, "members"]);
  const chunk = members.body["chunk"];
  findings["members"] = Array.isArray(chunk) ? chunk.length : members.body;
  return findings;
}

async function tryDoors(side: Side): Promise<Findings> {
  const [owner, bot] = [await side.person("owner"), await side.person("bot")];
  const findings: Findings = {};
  for (const joinRule of ["invite", "public", "knock"]) {
    const room = await openRoom(side, owner, bot, { joinRule });
    const [joins, knocks, hopes] = [
      await side.person(`joins-${joinRule}`),
      await side.person(`knocks-${joinRule}`),
      await side.person(`hopes-${joinRule}`),
    ];
    findings[`${joinRule}: join`] = brief(await actAlone(joins, "join", room));
    findings[`${joinRule}: knock`] = brief(await actAlone(knocks, "knock", room));
    findings[`${joinRule}: knock again`] = brief(await actAlone(knocks, "knock", room));
    findings[`${joinRule}: another knock`] = brief(await actAlone(hopes, "knock", room));
    findings[`${joinRule}: invite who knocks`] = brief(await act(bot, "invite", room, knocks));
    findings[`${joinRule}: come in`] = brief(await actAlone(knocks, "join", room));
    findings[`${joinRule}: turn away who knocks`] = brief(await act(bot, "kick", room, hopes));
    const people = new Map(Object.entries({ joins, knocks, hopes }));
    findings[`${joinRule}: memberships`] = await membershipsOf(owner, room, people);
  }
  return findings;
}

async function tryRestricted(side: Side): Promise<Findings> {
  const [owner, bot] = [await side.person("owner"), await side.person("bot")];
  const [inside, outside, former] = [
    await side.person("inside"),
    await side.person("outside"),
    await side.person("former"),
  ];
  const club = await side.room(owner);
  for (const member of [inside, former]) {
    await owner.invite(club, member.id);
    await member.join(club);
  }
  const people = new Map(Object.entries({ inside, outside, former }));
  const findings: Findings = {};
  for (const joinRule of ["restricted", "knock_restricted"]) {
    const room = await openRoom(side, owner, bot, {});
    await side.restrict(owner, room, joinRule, club);
    findings[`${joinRule}: a member joins`] = brief(await actAlone(inside, "join", room));
    findings[`${joinRule}: another member joins`] = brief(await actAlone(former, "join", room));
    findings[`${joinRule}: no member joins`] = brief(await actAlone(outside, "join", room));
    findings[`${joinRule}: no member knocks`] = brief(await actAlone(outside, "knock", room));
    findings[`${joinRule}: thrown out of here only`] = brief(await act(bot, "kick", room, inside));
    findings[`${joinRule}: walks in again`] = brief(await actAlone(inside, "join", room));
    if (joinRule === "knock_restricted") await owner.kick(club, former.id);
    findings[`${joinRule}: thrown out`] = brief(await act(bot, "kick", room, former));
    findings[`${joinRule}: comes back`] = brief(await actAlone(former, "join", room));
    findings[`${joinRule}: memberships`] = await membershipsOf(owner, room, people);
  }
  return findings;
}

async function tryUpgraded(side: Side): Promise<Findings> {
  const [owner, bot, ana] = [await side.person("owner"), await side.person("bot"), await side.person("ana")];
  const room = await openRoom(side, owner, bot, { version: "11" });
  await side.upgrade(owner, room);
  const state = await bot.state(room);
  const tombstone = state.find(({ type }) => type === "m.room.tombstone");
  return {
    "names its successor": /^!/.test(String(tombstone?.content["replacement_room"])),
    "the tombstone's text": tombstone?.content["body"],
    invite: brief(await act(bot, "invite", room, ana)),
    kick: brief(await act(bot, "kick", room, ana)),
    levels: levelsOf(state.find(({ type }) => type === "m.room.power_levels")?.content),
  };
}

const levelsOf = (content: Findings | undefined) => ({
  invite: content?.["invite"],
  kick: content?.["kick"],
  events_default: content?.["events_default"],
});

async function tryLimit(side: Side): Promise<Findings> {
  const host = await side.limitedPerson("host");
  const room = await side.room(host);
  for (let count = 1; count <= 20; count += 1) {
    const body = { user_id: `@guest-${String(count)}:${serverName}` };
    const reply = await host.ask("POST", ["rooms", room, "invite"], body);
    if (reply.status === 200) continue;
    return {
      "told after some": count > 5,
      answer: brief(reply),
      "says how long, in milliseconds": Number(reply.body["retry_after_ms"]) > 100,
      "and in whole seconds": /^\d+$/.test(reply.retryAfter ?? ""),
    };
  }
  return { limit: "none" };
}
