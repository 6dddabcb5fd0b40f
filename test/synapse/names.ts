/** Rooms and people under all kinds of names. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { heldHash, openHouse, subscription, type Street } from "./house.ts";

export function names(street: () => Street): void {
  it("rooms are found by alias and by id, with and without a domain part, encrypted or not", async (test) => {
    const house = await openHouse(test, street());
    const { fresh } = street();
    const old = await house.newPlace({ version: "10" });
    const present = await house.newPlace({ version: "12" });
    const encrypted = await house.newPlace({ isEncrypted: true });
    const alias = fresh("Gold/Raum=ü");
    const named = await house.newRoom({ alias });
    house.rooms[`#${alias}:matrix.test`] = subscription;
    assert.match(old, /:matrix\.test$/);
    assert.doesNotMatch(present, /:/);
    const ana = await house.subscriber("ana");
    const all = [old, present, encrypted, named];
    const membershipOfAna = async (room: string) => (await house.owner.members(room))[ana.id];

    assert.match(await house.syncWell(), /4 let in/);
    assert.deepEqual(await Promise.all(all.map(membershipOfAna)), ["invite", "invite", "invite", "invite"]);
    for (const room of all) await ana.join(room);
    house.end(ana);
    assert.match(await house.syncWell(), /4 taken out/);
    assert.deepEqual(await Promise.all(all.map(membershipOfAna)), ["leave", "leave", "leave", "leave"]);
  });

  it("an alias without a room says so", async (test) => {
    const house = await openHouse(test, street());
    house.rooms["#nowhere:matrix.test"] = subscription;
    const { code, stdout } = await house.sync();
    assert.equal(code, 4);
    assert.match(stdout, /No room has the alias #nowhere:matrix\.test\. Check the alias/);
  });

  it("where an alias leads to another room than before, its removals and grants wait for approval", async (test) => {
    const house = await openHouse(test, street());
    const { owner, rooms } = house;
    const alias = `#${street().fresh("moving")}:matrix.test`;
    const [first, second] = [await house.newRoom(), await house.newPlace({ name: "Elsewhere" })];
    await owner.nameRoom(alias, first);
    rooms[alias] = subscription;
    const lapsed = await house.subscriber("lapsed");
    await house.syncWell();

    await owner.unnameRoom(alias);
    await owner.nameRoom(alias, second);
    rooms[second] = undefined;
    house.end(lapsed);
    const late = await house.subscriber("late");
    const before = await Promise.all([first, second].map(owner.state));
    const held = await house.sync();
    assert.equal(held.code, 3, held.stdout);
    assert.match(held.stdout, /Held until you approve: 2 changes/);
    assert.ok(held.stdout.includes(`${alias} leads to ${second} now`), held.stdout);
    assert.deepEqual(await Promise.all([first, second].map(owner.state)), before);

    await house.syncWell("--approve", heldHash(held));
    const members = await owner.members(second);
    assert.deepEqual([members[late.id], members[lapsed.id]], ["invite", "leave"]);
    assert.equal((await owner.members(first))[late.id], undefined);
  });

  it("user ids are compared letter by letter: capitals and odd signs of old accounts stay what they are", async (test) => {
    const house = await openHouse(test, street());
    const { people, fresh } = street();
    const localparts = [fresh("Ana.B"), fresh("we!rd&(odd) signs").replaceAll(" ", "_"), fresh("Zoë#é")];
    const twin = await people.register(String(localparts[0]).toLowerCase());
    const ancients = await Promise.all(localparts.map(people.registerHistorical));
    const members = ancients.map(house.linked);
    const room = await house.newPlace();
    assert.match(await house.syncWell(), /3 let in/);
    for (const one of members) await one.join(room);
    await house.owner.invite(room, twin.id);
    await twin.join(room);

    const [first, ...others] = members;
    assert.ok(first);
    house.end(first);
    assert.match(await house.syncWell(), /1 taken out/);
    const standing = await house.owner.members(room);
    assert.equal(standing[first.id], "leave");
    assert.deepEqual(
      [...others, twin].map(({ id }) => standing[id]),
      ["join", "join", "join"],
    );
  });
}
