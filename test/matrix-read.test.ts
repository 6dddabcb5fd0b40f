/** The Matrix target: what a room's state says of its members. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mxid, placeOf, startHome, readable, unreadable } from "./sandbox/matrix-home.ts";

test("a room is read with one request, whatever its version, by id or alias", async (t) => {
  const { sandbox, world, open, newRoom } = await startHome(t);
  const old = newRoom({ version: "10" });
  const present = newRoom({ version: "12" });
  const named = newRoom({ alias: "gold" });
  assert.match(old, /:matrix\.example$/);
  assert.doesNotMatch(present, /:/);
  const places = [placeOf(old), placeOf(present), placeOf("#gold:matrix.example")];
  const states = await open().read(places, new Set());
  assert.deepEqual(
    places.map((place) => readable(states.get(place)).placeId),
    [old, present, named],
  );
  assert.equal(sandbox.requests.filter((one) => one.path.endsWith("/state")).length, 3);
  assert.equal(world.rooms.size, 3);
});

test("each membership has its standing, and leaving is told apart from being taken out", async (t) => {
  const { world, bot, owner, newRoom, fan, readRoom } = await startHome(t);
  const room = newRoom({ joinRule: "knock" });
  const invite = (name: string, by = owner) => {
    const who = fan(name);
    world.invite(room, by, who);
    return who;
  };
  const join = (name: string) => {
    const who = invite(name);
    world.join(room, who);
    return who;
  };
  join("joined");
  invite("invited");
  world.knock(room, fan("knocker"));
  world.ban(room, owner, join("banned"));
  world.leave(room, join("leaver"));
  world.leave(room, invite("decliner"));
  world.kick(room, bot, join("kicked_by_bot"));
  world.kick(room, bot, invite("invite_taken_back_by_bot", bot));
  world.kick(room, owner, join("kicked_by_owner"));
  fan("never_there");

  const { members, coverage } = readable(await readRoom(room));
  const standings = Object.fromEntries([...members].map(([who, standing]) => [who, standing.is]));
  assert.deepEqual(standings, {
    "@owner:matrix.example": "in",
    "@bot:matrix.example": "in",
    "@joined:matrix.example": "in",
    "@invited:matrix.example": "invited",
    "@knocker:matrix.example": "knocking",
    "@banned:matrix.example": "banned",
    "@leaver:matrix.example": "left",
    "@decliner:matrix.example": "left",
    "@kicked_by_bot:matrix.example": "out",
    "@invite_taken_back_by_bot:matrix.example": "out",
    "@kicked_by_owner:matrix.example": "removed",
  });
  assert.equal(coverage, "everybody");
});

test("a membership that nobody has heard of is unknown", async (t) => {
  const { world, owner, newRoom, fan, readRoom } = await startHome(t);
  const room = newRoom();
  const odd = fan("odd");
  const broken = fan("broken");
  world.put(room, { type: "m.room.member", stateKey: odd, sender: odd, content: { membership: "hover" } });
  world.put(room, { type: "m.room.member", stateKey: broken, sender: owner, content: {} });
  const { members } = readable(await readRoom(room));
  assert.equal(members.get(odd)?.is, "unknown");
  assert.equal(members.get(broken)?.is, "unknown");
});

test("user ids are compared exactly, capitals and all", async (t) => {
  const { world, owner, newRoom, readRoom } = await startHome(t);
  const room = newRoom();
  for (const id of ["@Mara:old.example", "@mara:old.example"]) world.invite(room, owner, id);
  world.join(room, "@Mara:old.example");
  const { members } = readable(await readRoom(room));
  assert.equal(members.get(mxid("@Mara:old.example"))?.is, "in");
  assert.equal(members.get(mxid("@mara:old.example"))?.is, "invited");
});

test("the bot, its betters and equals, and all staff are untouchable; ordinary members are not", async (t) => {
  const { world, bot, owner, newRoom, fan, readRoom } = await startHome(t);
  const room = newRoom({ version: "11" });
  const levels = { fan: 0, helper: 49, moderator: 50, equal: 60, admin: 100 };
  for (const [name, level] of Object.entries(levels)) {
    const who = fan(name);
    world.invite(room, owner, who);
    world.join(room, who);
    world.setPower(room, who, level);
  }
  const { members } = readable(await readRoom(room));
  const why = (id: string) => {
    const standing = members.get(mxid(id));
    return standing !== undefined && "untouchable" in standing ? standing.untouchable : undefined;
  };
  assert.equal(why("@fan:matrix.example"), undefined);
  assert.equal(why("@helper:matrix.example"), undefined);
  assert.equal(why("@moderator:matrix.example"), "counts as staff with power level 50");
  assert.equal(why("@equal:matrix.example"), "has power level 60, the bot 60");
  assert.equal(why("@admin:matrix.example"), "has power level 100, the bot 60");
  assert.equal(why(bot), "this is the bot itself");
  assert.equal(why(owner), "has power level 100, the bot 60");
});

test("a lower level for kicking makes more people staff", async (t) => {
  const { world, owner, newRoom, fan, readRoom } = await startHome(t);
  const room = newRoom();
  const helper = fan("helper");
  world.invite(room, owner, helper);
  world.setPower(room, helper, 30);
  assert.deepEqual(readable(await readRoom(room)).members.get(helper), { is: "invited" });
  world.setLevels(room, { kick: 25 });
  assert.deepEqual(readable(await readRoom(room)).members.get(helper), {
    is: "invited",
    untouchable: "counts as staff with power level 30",
  });
});

test("creators of a version 12 room are untouchable, and a bot that is one may do everything", async (t) => {
  const { world, bot, owner, newRoom, fan, readRoom } = await startHome(t);
  const friend = fan("friend");
  const room = newRoom({ version: "12", additionalCreators: [friend] });
  world.invite(room, owner, friend);
  const { members } = readable(await readRoom(room));
  assert.deepEqual(members.get(owner), { is: "in", untouchable: "a creator of the room" });
  assert.deepEqual(members.get(friend), { is: "invited", untouchable: "a creator of the room" });

  const own = world.createRoom({ creator: bot, powerLevels: { invite: 1000, kick: 1000 } });
  assert.equal(readable(await readRoom(own)).placeId, own);
});

test("in older rooms additional creators mean nothing", async (t) => {
  const { world, owner, newRoom, fan, readRoom } = await startHome(t);
  const friend = fan("friend");
  const room = newRoom({ version: "11", additionalCreators: [friend] });
  world.invite(room, owner, friend);
  assert.deepEqual(readable(await readRoom(room)).members.get(friend), { is: "invited" });
});

test("without power levels the creator has 100 and everybody else nothing", async (t) => {
  const { world, bot, newRoom, readRoom } = await startHome(t);
  const own = world.createRoom({ creator: bot, version: "10", powerLevels: null });
  assert.equal(readable(await readRoom(own)).placeId, own);
  const others = newRoom({ version: "10", powerLevels: null });
  assert.match(
    unreadable(await readRoom(others)).because,
    /may not remove members .* level 0, this needs 50/,
  );
});

test("levels that old rooms hold as text are understood", async (t) => {
  const { world, bot, owner, newRoom, readRoom } = await startHome(t);
  const room = newRoom({ version: "9" });
  world.setLevels(room, { invite: "50", kick: " 50", users: { [bot]: "75", [owner]: "100" } });
  assert.deepEqual(readable(await readRoom(room)).members.get(owner), {
    is: "in",
    untouchable: "has power level 100, the bot 75",
  });
});

test("power levels that make no sense make the room unreadable instead of being guessed", async (t) => {
  const { world, newRoom, readRoom } = await startHome(t);
  const room = newRoom();
  world.setLevels(room, { users: "nobody" });
  assert.match(unreadable(await readRoom(room)).because, /m\.room\.power_levels event cannot be understood/);
});

test("a place's name is the room's name, else its alias, else what is configured", async (t) => {
  const { world, owner, newRoom, readRoom } = await startHome(t);
  const room = newRoom({ name: "Gold lounge", alias: "gold" });
  assert.equal(readable(await readRoom(room)).name, "Gold lounge");
  world.put(room, { type: "m.room.name", sender: owner, content: { name: "" } });
  assert.equal(readable(await readRoom(room)).name, "#gold:matrix.example");
  world.put(room, { type: "m.room.canonical_alias", sender: owner, content: {} });
  assert.equal(readable(await readRoom(room)).name, room);
});

test("a space is a place like a room", async (t) => {
  const { newRoom, readRoom } = await startHome(t);
  const space = newRoom({ isSpace: true });
  assert.equal(readable(await readRoom(space)).placeId, space);
});

test("a room with 2,000 members is read whole", async (t) => {
  const { world, newRoom, readRoom } = await startHome(t);
  const room = newRoom();
  for (let count = 0; count < 2_000; count += 1) {
    const who = `@fan${String(count)}:elsewhere.example`;
    world.put(room, { type: "m.room.member", stateKey: who, sender: who, content: { membership: "join" } });
  }
  const { members } = readable(await readRoom(room));
  assert.equal(members.size, 2_002);
  assert.deepEqual(members.get(mxid("@fan1999:elsewhere.example")), { is: "in" });
});
