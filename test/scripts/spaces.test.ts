/** Spaces and knocks, from the config to what the homeserver shows afterwards. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  assertClean,
  noLimits,
  ruleOf,
  startInstallation,
  type Installation,
  type Person,
} from "../installation.ts";
import { syncInProcess } from "../in-process.ts";

type Test = Parameters<typeof startInstallation>[0];

interface Club {
  readonly home: Installation;
  readonly space: string;
  /** Opens to the members of the space, and is no place. */
  readonly lounge: string;
  readonly addRoom: (name: string, opensTo?: string) => string;
  readonly subscriber: (name: string) => Person;
  /** Accepts the invitation to the space and goes on into these rooms. */
  readonly enter: (person: Person, ...rooms: readonly string[]) => void;
  readonly membersOf: (room: string) => readonly string[];
}

/** A config with one place: the space "club", for subscribers. */
async function startClub(test: Test, options: Readonly<Record<string, unknown>> = {}): Promise<Club> {
  const home = await startInstallation(test, { config: { limits: noLimits } });
  const { world } = home.town.matrix;
  const newRoom = (name: string, isSpace = false) =>
    world.createRoom({ creator: home.bot, name, alias: name, isSpace, powerLevels: { invite: 50 } });
  const space = newRoom("club", true);
  const addRoom = (name: string, opensTo?: string) => {
    const room = newRoom(name);
    const content = { via: [world.serverName] };
    world.put(space, { type: "m.space.child", stateKey: room, sender: home.bot, content });
    if (opensTo === undefined) return room;
    const allow = [{ type: "m.room_membership", room_id: opensTo }];
    const rule = { join_rule: "restricted", allow };
    world.put(room, { type: "m.room.join_rules", sender: home.bot, content: rule });
    return room;
  };
  home.config.rooms = {
    [`#club:${world.serverName}`]: { ...ruleOf("subscription", home.town, home.list), ...options },
  };
  home.saveConfig();
  return {
    home,
    space,
    lounge: addRoom("lounge", space),
    addRoom,
    subscriber(name) {
      const person = home.addPerson(name);
      home.entitle("subscription", person);
      home.saveBooks();
      return person;
    },
    enter({ mxid }, ...rooms) {
      world.join(space, mxid);
      for (const room of rooms) world.join(room, mxid);
    },
    membersOf: (room) =>
      [...world.members(room, "join"), ...world.members(room, "invite")]
        .filter((id) => id !== home.bot)
        .map((id) => id.slice(1, id.indexOf(":")))
        .sort(),
  };
}

const invitations = ({ town }: Installation) =>
  town.matrix.requests
    .filter((one) => one.method === "POST" && one.path.endsWith("/invite"))
    .map(({ path }) => decodeURIComponent(path).split("/").at(-2));

const kicks = ({ town }: Installation) =>
  town.matrix.requests
    .filter((one) => one.method === "POST" && one.path.endsWith("/kick"))
    .map(({ path }) => decodeURIComponent(path).split("/").at(-2));

describe("a space as a place", { concurrency: 2 }, () => {
  it("is the only one that invites where its rooms open to its members", async (test) => {
    const { home, space, lounge, subscriber } = await startClub(test);
    const { serverName } = home.town.matrix.world;
    const patron = ruleOf("spending", home.town, home.list);
    home.config.rooms = { ...home.config.rooms, [`#lounge:${serverName}`]: patron };
    home.saveConfig();
    const both = subscriber("both");
    home.entitle("spending", both);
    const patronOnly = home.addPerson("patron");
    home.entitle("spending", patronOnly);
    home.saveBooks();

    const result = await home.sync("matrix");
    assertClean(result);
    assert.deepEqual(invitations(home), [space, lounge]);
    assert.equal(home.town.matrix.world.membership(space, both.mxid), "invite");
    assert.equal(home.town.matrix.world.membership(lounge, patronOnly.mxid), "invite");
    assert.match(result.stdout, /left alone: 1 may enter by themselves/);
  });

  it("takes those who lapse out of itself first, then out of the rooms that open to it, and nobody else", async (test) => {
    const { home, space, lounge, addRoom, subscriber, enter, membersOf } = await startClub(test);
    const { world } = home.town.matrix;
    const aside = addRoom("aside");
    const [ana, bo] = [subscriber("ana"), subscriber("bo")];
    const friend = world.addUser("friend").id;
    assertClean(await home.sync("matrix"));
    for (const person of [ana, bo]) {
      enter(person, lounge);
      world.invite(aside, home.bot, person.mxid);
      world.join(aside, person.mxid);
    }
    world.invite(lounge, home.bot, friend);
    world.join(lounge, friend);
    home.lapse("subscription", ana);

    const plan = await home.sync("matrix", "--dry-run");
    assert.match(plan.stdout, /- @ana:\S+ \(fan-ana\) +subscription ended/);
    assert.match(plan.stdout, /- @ana:\S+ \(fan-ana\) +out of lounge, too: subscription ended/);
    assert.deepEqual(kicks(home), []);

    assertClean(await home.sync("matrix"));
    assert.deepEqual(kicks(home), [space, lounge]);
    assert.deepEqual([space, lounge, aside].map(membersOf), [["bo"], ["bo", "friend"], ["ana", "bo"]]);
    const journal = home.rows("SELECT place_id, state FROM steps WHERE verb = 'revoke' ORDER BY seq");
    assert.deepEqual(
      journal.map((row) => ({ ...row })),
      [
        { place_id: space, state: "done" },
        { place_id: lounge, state: "done" },
      ],
    );
    assertClean(await home.sync("matrix"));
    assert.equal(kicks(home).length, 2);
  });

  it("takes its invite-only rooms along under cascade", async (test) => {
    const { home, space, addRoom, subscriber, enter, membersOf } = await startClub(test, { cascade: true });
    const { world } = home.town.matrix;
    const aside = addRoom("aside");
    const ana = subscriber("ana");
    assertClean(await home.sync("matrix"));
    enter(ana);
    world.invite(aside, home.bot, ana.mxid);
    world.join(aside, ana.mxid);
    home.lapse("subscription", ana);
    assertClean(await home.sync("matrix"));
    assert.deepEqual([space, aside].map(membersOf), [[], []]);
  });

  it("remembers who is still to be taken out of a room, when that failed", async (test) => {
    const { home, space, lounge, subscriber, enter, membersOf } = await startClub(test);
    const { matrix } = home.town;
    const [ana, bo] = [subscriber("ana"), subscriber("bo")];
    assert.equal((await syncInProcess(home, "matrix")).code, 0);
    for (const person of [ana, bo]) enter(person, lounge);
    for (const person of [ana, bo]) home.lapse("subscription", person);
    const reply = { status: 500, body: { errcode: "M_UNKNOWN", error: "Internal server error" } };
    matrix.faults.push({
      path: new RegExp(`${lounge.slice(1, 20)}.*/kick$`),
      fault: { kind: "answer", reply },
    });

    assert.equal((await syncInProcess(home, "matrix")).code, 4);
    assert.deepEqual([space, lounge].map(membersOf), [[], ["ana", "bo"]]);
    matrix.faults.length = 0;
    home.entitle("subscription", bo);
    const { code, text } = await syncInProcess(home, "matrix");
    assert.equal(code, 0, text);
    assert.doesNotMatch(text, /no longer configured/);
    assert.deepEqual([space, lounge].map(membersOf), [["bo"], ["bo"]]);
    assert.match((await syncInProcess(home, "matrix")).text, /Nothing to do/);
  });

  it("holds its rooms together with itself, counts a person once, and releases all on approval", async (test) => {
    const { home, space, lounge, addRoom, subscriber, enter, membersOf } = await startClub(test);
    const annex = addRoom("annex", space);
    home.config["limits"] = { min_removals_per_place: 2, min_removals_per_target: 2 };
    home.saveConfig();
    const people = ["ana", "bo", "cy"].map(subscriber);
    assert.equal((await syncInProcess(home, "matrix")).code, 0);
    for (const person of people) enter(person, lounge, annex);
    for (const person of people) home.lapse("subscription", person);

    const held = await syncInProcess(home, "matrix");
    assert.equal(held.code, 3, held.text);
    assert.deepEqual(kicks(home), []);
    assert.match(held.text, /Held until you approve: 9 changes/);
    assert.match(held.text, /club: 3 removals in 24 hours, 2 are allowed/);
    const hash = /--approve ([0-9a-f]+)/.exec(held.text)?.[1] ?? "";
    assertClean(await home.sync("matrix", "--approve", hash));
    assert.deepEqual([space, lounge, annex].map(membersOf), [[], [], []]);
  });

  it("takes those along whom the operator unlinks", async (test) => {
    const { home, space, lounge, subscriber, enter, membersOf } = await startClub(test);
    const [ana, bo] = [subscriber("ana"), subscriber("bo")];
    assert.equal((await syncInProcess(home, "matrix")).code, 0);
    for (const person of [ana, bo]) enter(person, lounge);
    assertClean(await home.run("links", "remove", ana.mxid));
    const { code, text } = await syncInProcess(home, "matrix");
    assert.equal(code, 0, text);
    assert.deepEqual([space, lounge].map(membersOf), [["bo"], ["bo"]]);
  });

  it("takes its rooms from those who left it, once their entitlement or their link ends", async (test) => {
    const { home, space, lounge, subscriber, enter, membersOf } = await startClub(test);
    const { world } = home.town.matrix;
    const people = ["ana", "bo", "cy", "di", "eve"].map(subscriber);
    const [ana, bo, cy, di] = people;
    assert.ok(ana && bo && cy && di);
    assertClean(await home.sync("matrix"));
    for (const person of people) enter(person, lounge);
    for (const { mxid } of [ana, bo, di]) world.leave(space, mxid);
    assertClean(await home.sync("matrix"));
    // No run has seen yet that they left.
    world.leave(space, cy.mxid);
    // Whoever goes by themselves is not to be taken back.
    world.leave(lounge, di.mxid);
    assert.deepEqual(membersOf(lounge), ["ana", "bo", "cy", "eve"], "who is entitled may stay");

    home.lapse("subscription", ana);
    home.lapse("subscription", cy);
    assertClean(await home.run("links", "remove", bo.mxid));
    const { code, stdout } = await home.sync("matrix");
    assert.equal(code, 0, stdout);
    assert.deepEqual([space, lounge].map(membersOf), [["eve"], ["eve"]]);
    assert.match((await home.sync("matrix")).stdout, /Nothing to do/);
    const behind = home.rows(`SELECT account FROM grants WHERE place_id = '${lounge}'`);
    assert.deepEqual(behind, []);
  });

  it("takes a room with rules of its own, too, from those who are unlinked before they were seen in it", async (test) => {
    const { home, space, lounge, subscriber, enter, membersOf } = await startClub(test);
    const { world } = home.town.matrix;
    const own = { [`#lounge:${world.serverName}`]: ruleOf("subscription", home.town, home.list) };
    home.config.rooms = { ...home.config.rooms, ...own };
    home.saveConfig();
    const [ana, bo] = [subscriber("ana"), subscriber("bo")];
    assertClean(await home.sync("matrix"));
    for (const person of [ana, bo]) enter(person, lounge);
    assertClean(await home.run("links", "remove", ana.mxid));
    assertClean(await home.sync("matrix"));
    assert.deepEqual([space, lounge].map(membersOf), [["bo"], ["bo"]]);
  });

  it("and a room that opens to another take along who went through them between two runs", async (test) => {
    const { home, space, lounge, addRoom, subscriber, enter, membersOf } = await startClub(test);
    const { world } = home.town.matrix;
    const annex = addRoom("annex", lounge);
    const own = ruleOf("subscription", home.town, home.list);
    home.config.rooms = { ...home.config.rooms, [lounge]: own, [annex]: own };
    home.saveConfig();
    const people = ["ana", "bo", "cy"].map(subscriber);
    const [ana, bo] = people;
    assert.ok(ana && bo);
    assertClean(await home.sync("matrix"));
    for (const person of people) enter(person, lounge, annex);
    for (const room of [space, lounge]) world.leave(room, ana.mxid);
    assertClean(await home.run("links", "remove", ana.mxid));
    home.lapse("subscription", bo);
    for (let run = 0; run < 2; run += 1) assertClean(await home.sync("matrix"));
    assert.deepEqual([space, lounge, annex].map(membersOf), [["cy"], ["cy"], ["cy"]]);
  });

  it("is taken back with its rooms, but not with those that are places of the config", async (test) => {
    const { home, space, lounge, addRoom, subscriber, enter, membersOf } = await startClub(test);
    const { serverName } = home.town.matrix.world;
    const annex = addRoom("annex", space);
    const others = { [`#lounge:${serverName}`]: ruleOf("subscription", home.town, home.list) };
    home.config.rooms = { ...home.config.rooms, ...others };
    home.saveConfig();
    const ana = subscriber("ana");
    assert.equal((await syncInProcess(home, "matrix")).code, 0);
    enter(ana, lounge, annex);
    home.config.rooms = others;
    home.saveConfig();
    assertClean(await home.sync("matrix", "--take-back", space));
    assert.deepEqual([space, lounge, annex].map(membersOf), [[], ["ana"], []]);
  });

  it("leaves a room to whoever is entitled to it by another place", async (test) => {
    const { home, space, lounge, subscriber, enter, membersOf } = await startClub(test);
    const { fanvue, matrix } = home.town;
    const patron = ruleOf("spending", home.town, home.list);
    home.config.rooms = { ...home.config.rooms, [`#lounge:${matrix.world.serverName}`]: patron };
    home.saveConfig();
    const [ana, bo] = [subscriber("ana"), subscriber("bo")];
    assertClean(await home.sync("matrix"));
    for (const person of [ana, bo]) {
      enter(person, lounge);
      home.lapse("subscription", person);
    }
    home.entitle("spending", bo);
    fanvue.world.touch();
    const result = await home.sync("matrix");
    assertClean(result);
    assert.deepEqual([space, lounge].map(membersOf), [[], ["bo"]]);
  });
});

describe("knocks", { concurrency: 2 }, () => {
  async function startDoor(test: Test, options: Readonly<Record<string, unknown>> = {}) {
    const club = await startClub(test);
    const { home } = club;
    const { world } = home.town.matrix;
    const door = world.createRoom({
      creator: home.bot,
      name: "door",
      joinRule: "knock",
      powerLevels: { invite: 50 },
    });
    home.config.rooms = { [door]: { ...ruleOf("subscription", home.town, home.list), ...options } };
    home.saveConfig();
    const [entitled, not] = [club.subscriber("ana"), home.addPerson("bo")];
    home.saveBooks();
    const unknown = world.addUser("stranger").id;
    for (const id of [entitled.mxid, not.mxid, unknown]) world.knock(door, id);
    const membership = (id: string) => world.membership(door, id);
    const standings = () => [entitled.mxid, not.mxid, unknown].map(membership);
    return { home, door, standings };
  }

  it("of the entitled are answered with an invitation, of others left to a person, of strangers counted", async (test) => {
    const { home, standings } = await startDoor(test);
    const result = await home.sync("matrix");
    assertClean(result);
    assert.deepEqual(standings(), ["invite", "knock", "knock"]);
    assert.match(
      result.stdout,
      /left alone: 1 knocking without being entitled: let them in or decline yourself, .*1 knocking without a link/,
    );
    assert.match(result.stdout, /@bo:\S+: not among the subscribers/);
    assert.deepEqual(kicks(home), []);
  });

  it("of those who are not entitled are declined where the place says so, whatever the limits", async (test) => {
    const { home, standings } = await startDoor(test, { knock: "decline" });
    home.config["limits"] = { min_removals_per_place: 0, min_removals_per_target: 0 };
    home.saveConfig();
    const result = await home.sync("matrix");
    assertClean(result);
    assert.deepEqual(standings(), ["invite", "leave", "knock"]);
    assert.match(result.stdout, /- @bo:\S+ \(fan-bo\) +knock declined: /);
    assert.match(result.stdout, /1 let in, 1 turned away/);
    assert.deepEqual(
      home.rows("SELECT counted FROM losses").map((row) => row["counted"]),
      [0],
    );
  });

  it("are not declined while Fanvue cannot be read", async (test) => {
    const { home, standings } = await startDoor(test, { knock: "decline" });
    const reply = { status: 503, body: {} };
    home.town.fanvue.api.faults.push({ path: /subscribers|insights/, fault: { kind: "answer", reply } });
    assert.equal((await syncInProcess(home, "matrix")).code, 5);
    assert.deepEqual(standings(), ["knock", "knock", "knock"]);
  });
});
