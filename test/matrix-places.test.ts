/** The Matrix target: rooms that cannot be managed, and rooms that stand open. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { placeOf, startHome, readable, unreadable, rateLimited } from "./sandbox/matrix-home.ts";

// ---- Places that cannot be managed ------------------------------------------------------------------------------

test("a room without the bot is unreadable and says whom to invite, also when the bot was there before", async (t) => {
  const { world, bot, owner, newRoom, readRoom } = await startHome(t);
  const without = world.createRoom({ creator: owner });
  const invitedOnly = world.createRoom({ creator: owner });
  world.invite(invitedOnly, owner, bot);
  const kickedOut = newRoom();
  world.kick(kickedOut, owner, bot);
  const peeked = world.createRoom({ creator: owner });
  const content = { history_visibility: "world_readable" };
  world.put(peeked, { type: "m.room.history_visibility", sender: owner, content });
  for (const room of [without, invitedOnly, kickedOut, peeked, "!gone:matrix.example"]) {
    const reason = unreadable(await readRoom(room));
    assert.match(reason.because, /^The bot is not in the room /);
    assert.match(reason.remedy, /^Invite @bot:matrix\.example/);
  }
});

test("an alias that leads nowhere, and a word that is neither id nor alias, say so", async (t) => {
  const { readRoom } = await startHome(t);
  const missing = unreadable(await readRoom("#nowhere:matrix.example"));
  assert.equal(missing.because, "No room has the alias #nowhere:matrix.example.");
  assert.match(unreadable(await readRoom("vip")).because, /neither a room id nor a room alias/);
});

test("ids with unusual characters reach the homeserver as they are", async (t) => {
  const { sandbox, world, newRoom, readRoom } = await startHome(t);
  const room = newRoom();
  world.aliases.set("#a/b?c#d é:matrix.example".replace(" ", "_"), room);
  assert.equal(readable(await readRoom("#a/b?c#d_é:matrix.example")).placeId, room);
  assert.ok(sandbox.requests.every((one) => one.status === 200));
});

test("a bot that may not invite makes the room unreadable, naming the level", async (t) => {
  const { world, bot, newRoom, readRoom } = await startHome(t);
  const room = newRoom();
  world.setLevels(room, { invite: 75 });
  assert.deepEqual(unreadable(await readRoom(room)), {
    because: "The bot may not invite in the room VIP: it has power level 60, this needs 75.",
    remedy: `Give ${bot} power level 75 or more in that room.`,
  });
});

test("removing needs power only where the config may remove", async (t) => {
  const { world, newRoom, readRoom } = await startHome(t);
  const room = newRoom();
  world.setLevels(room, { kick: 90 });
  assert.match(unreadable(await readRoom(room)).because, /may not remove members .* this needs 90/);
  assert.match(
    unreadable(await readRoom(room, { onExpiry: "keep", strangers: "remove" })).because,
    /may not remove members/,
  );
  assert.equal(readable(await readRoom(room, { onExpiry: "keep" })).placeId, room);
});

test("an upgraded room names its successor and is not followed", async (t) => {
  const { world, newRoom, readRoom } = await startHome(t);
  const room = newRoom();
  const successor = newRoom();
  world.tombstone(room, successor);
  const reason = unreadable(await readRoom(room));
  assert.equal(reason.because, `The room VIP was upgraded and goes on as ${successor}.`);
  assert.match(reason.remedy, new RegExp(`write ${successor} instead of ${room}`));
});

test("two places that are one room are both left alone", async (t) => {
  const { open, newRoom } = await startHome(t);
  const room = newRoom({ alias: "gold" });
  const places = [placeOf(room), placeOf("#gold:matrix.example"), placeOf(newRoom())];
  const states = await open().read(places, new Set());
  const [byId, byAlias, other] = places.map((place) => states.get(place));
  assert.match(unreadable(byId).because, /one and the same room/);
  assert.match(unreadable(byAlias).because, /one and the same room/);
  assert.equal(readable(other).coverage, "everybody");
});

test("a room that cannot be read stops nobody else", async (t) => {
  const { sandbox, open, newRoom } = await startHome(t);
  const bad = newRoom();
  const good = newRoom();
  const badState = new RegExp(`${bad}/state`);
  const places = [placeOf(bad), placeOf(good)];
  const faults = [
    { kind: "answer", reply: { status: 502, body: "<h1>Bad gateway</h1>" } },
    { kind: "cut" },
    { kind: "drop" },
    { kind: "hang" },
    { kind: "edit", edit: () => ({ not: "a list" }) },
    { kind: "edit", edit: (body: unknown) => (Array.isArray(body) ? body.slice(1) : body) },
    { kind: "answer", reply: { status: 200, body: "[" } },
    { kind: "answer", reply: { status: 200, body: null } },
  ] as const;
  for (const fault of faults) {
    sandbox.faults.splice(0, Infinity, { path: badState, fault });
    const states = await open({ answerMs: 100 }).read(places, new Set());
    assert.match(
      unreadable(states.get(places[0] ?? assert.fail())).because,
      /could not be read|cannot be judged/,
    );
    assert.equal(readable(states.get(places[1] ?? assert.fail())).placeId, good);
  }
});

test("a short outage and a short limit are waited for while reading", async (t) => {
  const { sandbox, newRoom, readRoom } = await startHome(t);
  const room = newRoom();
  sandbox.faults.push(
    { path: /state$/, fault: { kind: "answer", reply: { status: 503, body: {} } }, times: 1 },
    { path: /state$/, fault: { kind: "drop" }, times: 1 },
    { path: /state$/, fault: rateLimited({}, { retry_after_ms: 20 }), times: 1 },
  );
  assert.equal(readable(await readRoom(room)).placeId, room);
  assert.equal(sandbox.requests.filter((one) => one.path.endsWith("/state")).length, 4);
});

// ---- Open doors -------------------------------------------------------------------------------------------------

test("a room in which only the bot opens the door has no warnings", async (t) => {
  const { newRoom, readRoom } = await startHome(t);
  assert.deepEqual(readable(await readRoom(newRoom())).warnings, []);
});

test("every open door is a warning with what to do", async (t) => {
  const { world, owner, newRoom, readRoom } = await startHome(t);
  const room = newRoom({ joinRule: "public" });
  const content = { history_visibility: "world_readable" };
  world.put(room, { type: "m.room.history_visibility", sender: owner, content });
  world.setLevels(room, { invite: 0 });
  const { warnings } = readable(await readRoom(room));
  assert.deepEqual(warnings, [
    'Anybody may join the room VIP without an invitation. Set its access to "invite only" or "ask to join".',
    "Guests may join the room VIP. Forbid guest access in its settings.",
    'Anybody may read the room VIP without joining. Set its history to "members only" in its settings.',
    "Ordinary members of the room VIP may invite others. Raise the level for invitations to 50 or more.",
  ]);
});

test("a default level as high as the staff's is a warning, since nobody could be removed", async (t) => {
  const { world, newRoom, readRoom } = await startHome(t);
  const room = newRoom();
  world.setLevels(room, { users_default: 50, invite: 55 });
  const { warnings } = readable(await readRoom(room));
  assert.match(warnings.join("\n"), /cannot be told from its staff/);
});

test("a room version from the future is a warning, no more", async (t) => {
  const { newRoom, readRoom } = await startHome(t);
  const { warnings } = readable(await readRoom(newRoom({ version: "13" })));
  assert.match(warnings.join("\n"), /has version "13", which this program does not know/);
});
