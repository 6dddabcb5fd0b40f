/** The Matrix target: spaces, the rooms that go with them, and knocks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Mxid } from "../lib/ids.ts";
import type { PlaceState, SpaceRoom, Step } from "../lib/model.ts";
import {
  perform,
  performOne,
  placeOf,
  posts,
  rateLimited,
  readable,
  resultsOf,
  startHome,
  stepOf,
  unreadable,
  type Home,
} from "./sandbox/matrix-home.ts";

/** Puts a room into a space, and opens it to the members of others. */
function arrange({ world, owner }: Home) {
  return {
    addChild: (space: string, room: string, via: readonly string[] = [world.serverName]) => {
      world.put(space, { type: "m.space.child", stateKey: room, sender: owner, content: { via } });
    },
    openTo: (room: string, ...others: readonly string[]) => {
      const allow = others.map((id) => ({ type: "m.room_membership", room_id: id }));
      const content = { join_rule: "restricted", allow };
      world.put(room, { type: "m.room.join_rules", sender: owner, content });
    },
  };
}

const roomsOf = (state: PlaceState | undefined): readonly SpaceRoom[] => {
  const { rooms } = readable(state);
  assert.ok(rooms, "the place is no space");
  return rooms;
};
const namesOf = (state: PlaceState | undefined) =>
  roomsOf(state)
    .map(({ name }) => name)
    .sort();

const stateRequests = ({ sandbox }: Home) => sandbox.requests.filter((one) => one.path.endsWith("/state"));

// ---- What goes with a space -------------------------------------------------------------------------------------

test("the rooms that open to a space go with it, directly or through another one, and others do not", async (t) => {
  const home = await startHome(t);
  const { newRoom, readRoom } = home;
  const { addChild, openTo } = arrange(home);
  const space = newRoom({ isSpace: true, name: "Club" });
  const annex = newRoom({ isSpace: true, name: "Annex" });
  const [lounge, attic, aside] = ["Lounge", "Attic", "Aside"].map((name) => newRoom({ name }));
  assert.ok(lounge && attic && aside);
  for (const child of [annex, lounge, aside]) addChild(space, child);
  addChild(annex, attic);
  openTo(annex, space);
  openTo(lounge, space);
  openTo(attic, annex);
  const state = await readRoom(space);
  assert.deepEqual(namesOf(state), ["Annex", "Attic", "Lounge"]);
  assert.deepEqual(
    roomsOf(state)
      .map(({ name, isSpace }) => (isSpace ? name : ""))
      .join(""),
    "Annex",
  );
  assert.deepEqual(readable(state).warnings, []);
});

test("under cascade every room of the space goes with it", async (t) => {
  const home = await startHome(t);
  const { newRoom, readRoom } = home;
  const { addChild } = arrange(home);
  const space = newRoom({ isSpace: true });
  const inner = newRoom({ isSpace: true, name: "Inner" });
  const deep = newRoom({ name: "Deep" });
  addChild(space, inner);
  addChild(inner, deep);
  assert.deepEqual(namesOf(await readRoom(space)), []);
  assert.deepEqual(namesOf(await readRoom(space, { cascade: true })), ["Deep", "Inner"]);
});

test("a loop of spaces ends, and each room in it is read once", async (t) => {
  const home = await startHome(t);
  const { newRoom, open } = home;
  const { addChild, openTo } = arrange(home);
  const [one, two, three] = ["One", "Two", "Three"].map((name) => newRoom({ isSpace: true, name }));
  const shared = newRoom({ name: "Shared" });
  assert.ok(one && two && three);
  for (const [space, child] of [
    [one, two],
    [two, three],
    [three, one],
    [one, one],
  ] as const) {
    addChild(space, child);
    openTo(child, space);
  }
  for (const space of [one, two, three]) addChild(space, shared);
  openTo(shared, three);
  const places = [placeOf(one), placeOf(shared)];
  const states = await open().read(places, new Set());
  assert.deepEqual(namesOf(states.get(places[0] ?? assert.fail())), ["Shared", "Three", "Two"]);
  assert.equal(stateRequests(home).length, 4);
});

test("a child that was taken out of the space is none any more", async (t) => {
  const home = await startHome(t);
  const { newRoom, readRoom } = home;
  const { addChild } = arrange(home);
  const space = newRoom({ isSpace: true });
  addChild(space, newRoom({ name: "Gone" }), []);
  addChild(space, "not a room");
  assert.deepEqual(namesOf(await readRoom(space, { cascade: true })), []);
  assert.equal(stateRequests(home).length, 1);
});

test("a place that opens to a space goes with it, though the space does not show it", async (t) => {
  const home = await startHome(t);
  const { newRoom, open } = home;
  const { openTo } = arrange(home);
  const space = newRoom({ isSpace: true });
  const lounge = newRoom({ name: "Lounge" });
  openTo(lounge, space);
  const places = [placeOf(space), placeOf(lounge)] as const;
  const states = await open().read(places, new Set());
  assert.deepEqual(namesOf(states.get(places[0])), ["Lounge"]);
  assert.deepEqual([...(readable(states.get(places[1])).opensTo ?? [])], [space]);
});

test("rooms of a space that the bot cannot manage are named with what to do, and stop nothing", async (t) => {
  const home = await startHome(t);
  const { world, owner, bot, newRoom, readRoom } = home;
  const { addChild, openTo } = arrange(home);
  const space = newRoom({ isSpace: true, name: "Club" });
  const foreign = world.createRoom({ creator: owner, name: "Foreign" });
  const strict = newRoom({ name: "Strict" });
  const harmless = newRoom({ name: "Harmless" });
  for (const child of [foreign, strict, harmless]) addChild(space, child);
  for (const room of [strict, harmless]) world.setPower(room, bot, 0);
  openTo(strict, space);
  const state = await readRoom(space);
  assert.deepEqual(namesOf(state), []);
  const [first, second, ...more] = readable(state).warnings;
  assert.deepEqual(more, []);
  assert.equal(
    first,
    `The bot cannot look into one room of the space Club (${foreign}): whoever is taken out of the space may stay there. Invite ${bot} if only the space's members are to be there.`,
  );
  assert.match(
    second ?? "",
    /^Whoever is taken out of the space Club stays in Strict\. The bot may not remove members .* Give @bot/,
  );
});

test("while a room of a space gives no answer, the space waits; an answer that makes no sense is named", async (t) => {
  const home = await startHome(t);
  const { sandbox, newRoom, readRoom } = home;
  const { addChild } = arrange(home);
  const space = newRoom({ isSpace: true, name: "Club" });
  const room = newRoom();
  addChild(space, room);
  const path = new RegExp(`${room.slice(1, 20)}.*/state$`);
  sandbox.faults.push({ path, fault: { kind: "answer", reply: { status: 503, body: {} } } });
  const reason = unreadable(await readRoom(space));
  assert.match(reason.because, /^The room !.* in the space Club could not be read\./);
  sandbox.faults.splice(0, Infinity, { path, fault: { kind: "edit", edit: () => ({ not: "a list" }) } });
  assert.match(
    readable(await readRoom(space)).warnings.join(),
    /cannot look into one room of the space Club/,
  );
});

// ---- Open doors -------------------------------------------------------------------------------------------------

test("a room that opens to one which nobody guards, or whose rules let in others, is a warning", async (t) => {
  const home = await startHome(t);
  const { newRoom, open } = home;
  const { openTo } = arrange(home);
  const [free, club, narrow, lounge, wide] = ["Free", "Club", "Narrow", "Lounge", "Wide"].map((name) =>
    newRoom({ name }),
  );
  assert.ok(free && club && narrow && lounge && wide);
  openTo(lounge, free, club, narrow);
  openTo(wide, club, narrow);
  const subscription = { kind: "subscription", freeTrial: true } as const;
  const spending = { kind: "spending", minCents: 100 } as const;
  const places = [
    placeOf(club),
    placeOf(narrow, { rules: [spending] }),
    placeOf(lounge, { rules: [spending] }),
    placeOf(wide, { rules: [spending, subscription] }),
  ];
  const states = await open().read(places, new Set());
  const warnings = places.map((place) => readable(states.get(place)).warnings);
  assert.deepEqual(
    warnings[3]?.filter((one) => one.startsWith("Whoever")),
    [],
  );
  assert.deepEqual(
    warnings[2]?.filter((one) => one.startsWith("Whoever")),
    [
      `Whoever is in ${free} may join the room Lounge, and this program does not guard ${free}. Take it out of the access settings of the room Lounge, or put it into the config.`,
      `Whoever is in ${club} may join the room Lounge, whatever the rules of ${lounge} say. Set its access to "invite only" if it is not for all of them.`,
    ],
  );
});

test("open doors of the rooms in a space are told with the space", async (t) => {
  const home = await startHome(t);
  const { world, newRoom, readRoom } = home;
  const { addChild, openTo } = arrange(home);
  const space = newRoom({ isSpace: true, name: "Club" });
  const lounge = newRoom({ name: "Lounge" });
  addChild(space, lounge);
  openTo(lounge, space);
  world.setLevels(lounge, { invite: 0, state_default: 0, events: {} });
  assert.deepEqual(
    readable(await readRoom(space)).warnings.filter((one) => one.startsWith("Ordinary")),
    [
      "Ordinary members of the room Lounge in the space Club may invite others. Raise the level for invitations to 50 or more.",
      "Ordinary members of the room Lounge in the space Club may change who gets in. Raise the levels for its settings and permissions to 50 or more.",
    ],
  );
});

test("cascade on a room that is no space is a warning", async (t) => {
  const { newRoom, readRoom } = await startHome(t);
  const room = newRoom();
  assert.deepEqual(readable(await readRoom(room, { cascade: true })).warnings, [
    `cascade has no effect on ${room}, which is no space. Take it out.`,
  ]);
});

// ---- Out of the space first -------------------------------------------------------------------------------------

const outOf = (space: string, room: string, account: Mxid): Step[] => [
  { ...stepOf("revoke", space, account), isSpace: true },
  {
    ...stepOf("revoke", room, account),
    place: placeOf(space),
    within: { roomName: room, unless: [], isPlace: false },
  },
];

function twoInSpace(home: Home) {
  const { world, owner, newRoom, fan } = home;
  const space = newRoom({ isSpace: true });
  const room = newRoom();
  arrange(home).openTo(room, space);
  const fans = ["ana", "bo"].map(fan);
  for (const who of fans) {
    world.invite(space, owner, who);
    world.join(space, who);
    world.join(room, who);
  }
  const steps = fans.map((who) => outOf(space, room, who));
  return { space, room, steps: [...steps.map(([first]) => first), ...steps.map(([, second]) => second)] };
}

const isStep = (step: Step | undefined): step is Step => step !== undefined;

test("nobody is taken out of a room before the space is behind them, and a limit there holds up nobody else", async (t) => {
  const home = await startHome(t);
  const { sandbox, world, open } = home;
  const { space, room, steps } = twoInSpace(home);
  sandbox.faults.push({
    method: "POST",
    path: new RegExp(`${space.slice(1, 20)}.*/kick$`),
    fault: rateLimited({}, { retry_after_ms: 200 }),
    times: 1,
  });
  const outcomes = await perform(open(), steps.filter(isStep));
  assert.deepEqual([...new Set(outcomes.map(({ result }) => result))], ["done"]);
  const kicks = posts(sandbox, "kick").filter(({ status }) => status === 200);
  for (const who of ["@ana:matrix.example", "@bo:matrix.example"]) {
    const rooms = kicks
      .filter(({ json }) => (json as { user_id: string }).user_id === who)
      .map(({ path }) => decodeURIComponent(path).split("/").at(-2));
    assert.deepEqual(rooms, [space, room], who);
  }
  assert.deepEqual(world.members(room, "join"), ["@bot:matrix.example", "@owner:matrix.example"]);
});

test("where the kick from the space fails, the kick from the room goes all the same", async (t) => {
  const home = await startHome(t);
  const { world, bot, open } = home;
  const { space, room, steps } = twoInSpace(home);
  world.setPower(space, bot, 0);
  const outcomes = await perform(open(), steps.filter(isStep));
  const byRoom = Map.groupBy(outcomes, ({ step }) => step.placeId);
  assert.deepEqual(
    [space, room].map((id) => byRoom.get(stepOf("revoke", id, bot).placeId)?.map(({ result }) => result)),
    [
      ["failed", "failed"],
      ["done", "done"],
    ],
  );
});

// ---- Knocks -----------------------------------------------------------------------------------------------------

test("a knock is answered by an invitation and declined by a kick", async (t) => {
  const { world, newRoom, fan, open } = await startHome(t);
  const room = newRoom({ joinRule: "knock" });
  const [ana, bo] = ["ana", "bo"].map(fan);
  assert.ok(ana && bo);
  for (const who of [ana, bo]) world.knock(room, who);
  const outcomes = await perform(open(), [
    stepOf("grant", room, ana),
    { ...stepOf("revoke", room, bo), declines: true },
  ]);
  assert.deepEqual(resultsOf(outcomes), { [ana]: "done", [bo]: "done" });
  assert.equal(world.membership(room, ana), "invite");
  assert.equal(world.membership(room, bo), "leave");
});

test("a knock that could not be declined is not reported as done", async (t) => {
  const { sandbox, world, newRoom, fan, open } = await startHome(t);
  const room = newRoom({ joinRule: "knock" });
  const ana = fan("ana");
  world.knock(room, ana);
  const reply = { status: 403, body: { errcode: "M_FORBIDDEN", error: "no" } };
  sandbox.faults.push({ path: /kick$/, fault: { kind: "answer", reply } });
  const outcome = await performOne(open(), { ...stepOf("revoke", room, ana), declines: true });
  assert.equal(outcome.result, "failed");
});

// ---- Speed ------------------------------------------------------------------------------------------------------

test("many rooms are read with one request each, two where an alias is resolved, and several at once", async (t) => {
  const home = await startHome(t);
  const { sandbox, world, newRoom, open } = home;
  const ids = Array.from({ length: 20 }, (_, index) => newRoom({ alias: `room${String(index)}` }));
  for (const room of ids) {
    for (let count = 0; count < 50; count += 1) {
      const who = `@fan${String(count)}:elsewhere.example`;
      world.put(room, { type: "m.room.member", stateKey: who, sender: who, content: { membership: "join" } });
    }
  }
  const places = ids.map((id, index) =>
    placeOf(index % 2 === 0 ? id : `#room${String(index)}:${world.serverName}`),
  );
  const before = sandbox.requests.length;
  const states = await open().read(places, new Set());
  assert.ok(places.every((place) => readable(states.get(place)).members.size === 52));
  assert.equal(sandbox.requests.length - before, 1 + 10 + 20);
});

test("several rooms are read at once", async (t) => {
  const { sandbox, newRoom, open } = await startHome(t);
  const places = Array.from({ length: 4 }, () => placeOf(newRoom()));
  const begunMs: number[] = [];
  const onStrike = () => {
    begunMs.push(performance.now());
  };
  sandbox.faults.push({ path: /state$/, fault: { kind: "hang" }, onStrike });
  await open({ answerMs: 800 }).read(places, new Set());
  assert.equal(begunMs.length, 4);
  assert.ok(Math.max(...begunMs) - Math.min(...begunMs) < 700, "one after the other would take 800 ms each");
});
