/** Spaces, the rooms that open to their members, and knocks. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { openHouse, subscription, type House, type Street } from "./house.ts";
import { serverName } from "./homeserver.ts";

/** A space of the owner in which the bot has power 60, with rooms that open to its members. */
async function openClub(house: House, names: readonly string[]) {
  const { owner, bot } = house;
  const created = await owner.ask("POST", ["createRoom"], {
    preset: "private_chat",
    name: "Club",
    creation_content: { type: "m.space" },
    power_level_content_override: { invite: 50 },
  });
  const space = created.body["room_id"];
  assert.ok(typeof space === "string", JSON.stringify(created.body));
  await owner.invite(space, bot.id);
  await bot.join(space);
  await owner.setPower(space, bot.id, 60);
  house.rooms[space] = subscription;
  const rooms = await Promise.all(
    names.map(async (name) => {
      const room = await house.newRoom({ name });
      const allow = [{ type: "m.room_membership", room_id: space }];
      await owner.setState(room, "m.room.join_rules", { join_rule: "restricted", allow });
      const child = ["rooms", space, "state", "m.space.child", room];
      assert.equal((await owner.ask("PUT", child, { via: [serverName] })).status, 200);
      return room;
    }),
  );
  return { space, rooms };
}

export function spaces(street: () => Street): void {
  it("one invitation opens a space and all its rooms, and nobody comes back once they are out of the space", async (test) => {
    const house = await openHouse(test, street());
    const { owner } = house;
    const { people, fresh } = street();
    const { space, rooms } = await openClub(house, ["Lounge", "Library", "Garden"]);
    // Whoever walks into many rooms soon meets a limit of their own.
    const [ana, bea] = [
      house.linked(await people.registerUnlimited(fresh("ana"))),
      house.linked(await people.registerUnlimited(fresh("bea"))),
    ];
    const friend = await people.register(fresh("friend"));
    const report = await house.syncWell();
    assert.match(report, /2 let in/);
    assert.doesNotMatch(report, /!.*(join|invite|read)/);
    for (const person of [ana, bea]) for (const room of [space, ...rooms]) await person.join(room);
    const [lounge = ""] = rooms;
    await owner.invite(lounge, friend.id);
    await friend.join(lounge);

    house.end(ana);
    const before = house.writes().length;
    assert.match(await house.syncWell(), /4 taken out/);
    // Synapse slows a sender down after ten events, kicks among them.
    const kicks = house
      .writes()
      .slice(before)
      .filter((line) => !line.endsWith(" 429"));
    assert.equal(kicks[0], `POST /rooms/${space}/kick 200`);
    assert.deepEqual(kicks.slice(1).sort(), rooms.map((room) => `POST /rooms/${room}/kick 200`).sort());
    for (const room of [space, ...rooms]) {
      const members = await owner.members(room);
      assert.deepEqual([members[ana.id], members[bea.id]], ["leave", "join"]);
      assert.equal((await ana.ask("POST", ["rooms", room, "join"], {})).status, 403);
    }
    assert.equal((await owner.members(lounge))[friend.id], "join");
    assert.match(await house.syncWell(), /Nothing to do/);
  });

  it("a room with rules of its own sends no invitation to whoever may enter through the space", async (test) => {
    const house = await openHouse(test, street());
    const { space, rooms } = await openClub(house, ["Lounge"]);
    const [lounge = ""] = rooms;
    house.rooms[lounge] = subscription;
    const ana = await house.subscriber("ana");
    assert.match(await house.syncWell(), /1 may enter by themselves/);
    assert.equal((await house.owner.members(lounge))[ana.id], undefined);
    for (const room of [space, lounge]) await ana.join(room);
    assert.match(await house.syncWell(), /Nothing to do/);
  });

  it("a knock is answered with an invitation, left to a person, or declined", async (test) => {
    const house = await openHouse(test, street());
    const { owner } = house;
    const leaves = await house.newPlace({ joinRule: "knock" });
    const declines = await house.newPlace({ joinRule: "knock" }, { knock: "decline" });
    const [ana, lapsed] = [await house.subscriber("ana"), await house.subscriber("lapsed")];
    const stranger = await street().people.register(street().fresh("stranger"));
    house.end(lapsed);
    for (const room of [leaves, declines])
      for (const person of [ana, lapsed, stranger])
        assert.equal((await person.ask("POST", ["knock", room], {})).status, 200);

    const report = await house.syncWell();
    assert.match(report, /2 let in, 1 turned away/);
    assert.match(report, /1 knocking without a link/);
    const standings = async (room: string) => {
      const members = await owner.members(room);
      return [ana, lapsed, stranger].map(({ id }) => members[id]);
    };
    assert.deepEqual(await standings(leaves), ["invite", "knock", "knock"]);
    assert.deepEqual(await standings(declines), ["invite", "leave", "knock"]);
    for (const room of [leaves, declines]) await ana.join(room);
  });

  it("a fan who left and knocks is asking", async (test) => {
    const house = await openHouse(test, street());
    const room = await house.newPlace({ joinRule: "knock" });
    const ana = await house.subscriber("ana");
    await house.syncWell();
    await ana.join(room);
    await ana.leave(room);
    assert.match(await house.syncWell(), /1 left by choice/);
    assert.equal((await ana.ask("POST", ["knock", room], {})).status, 200);
    assert.match(await house.syncWell(), /1 let in/);
    await ana.join(room);
  });
}
