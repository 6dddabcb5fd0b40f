/** Who is taken out, and who never is. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { heldHash, openHouse, type Street } from "./house.ts";

export function removals(street: () => Street): void {
  it("whose entitlement ends is taken out, invited or in, and invited again once they pay again", async (test) => {
    const house = await openHouse(test, street());
    const { owner } = house;
    const room = await house.newPlace();
    const joined = await house.subscriber("joined");
    const invited = await house.subscriber("invited");
    const keeper = await house.subscriber("keeper");
    await house.syncWell();
    await joined.join(room);
    await keeper.join(room);

    house.end(joined, invited);
    assert.match(await house.syncWell(), /2 taken out/);
    const taken = await owner.state(room);
    for (const { id } of [joined, invited]) {
      const event = taken.find(({ state_key }) => state_key === id);
      assert.deepEqual([event?.content["membership"], event?.sender], ["leave", house.bot.id]);
      assert.equal(event?.content["reason"], "Fanvue membership ended");
    }
    assert.equal((await owner.members(room))[keeper.id], "join");
    assert.match(await house.syncWell(), /Nothing to do/);

    house.begin(joined, invited);
    assert.match(await house.syncWell(), /2 let in/);
    const members = await owner.members(room);
    assert.deepEqual(
      [joined, invited].map(({ id }) => members[id]),
      ["invite", "invite"],
    );
  });

  it("`on_expiry: ignore` leaves everybody in, and needs no power to remove", async (test) => {
    const house = await openHouse(test, street());
    const room = await house.newPlace({ levels: { kick: 90 } }, { on_expiry: "ignore" });
    const joined = await house.subscriber("joined");
    const invited = await house.subscriber("invited");
    await house.syncWell();
    await joined.join(room);
    house.end(joined, invited);
    assert.match(await house.syncWell(), /2 kept though lapsed/);
    const members = await house.owner.members(room);
    assert.deepEqual([members[joined.id], members[invited.id]], ["join", "invite"]);
  });

  it("strangers stay, and go where the room says so: the first ones when the operator agrees", async (test) => {
    const house = await openHouse(test, street());
    const { owner } = house;
    const { people, fresh } = street();
    const [keeps, removes] = [await house.newPlace(), await house.newPlace({}, { strangers: "remove" })];
    const enter = async (name: string, rooms: readonly string[]) => {
      const stranger = await people.register(fresh(name));
      for (const room of rooms) {
        await owner.invite(room, stranger.id);
        await stranger.join(room);
      }
      return stranger.id;
    };
    const first = await enter("first", [keeps, removes]);
    const held = await house.sync();
    assert.equal(held.code, 3, held.stdout);
    assert.equal((await owner.members(removes))[first], "join");
    assert.match(await house.syncWell("--approve", heldHash(held)), /1 taken out/);

    const second = await enter("second", [keeps, removes]);
    assert.match(await house.syncWell(), /1 taken out/);
    const [kept, removed] = [await owner.members(keeps), await owner.members(removes)];
    assert.deepEqual(
      [first, second].map((id) => kept[id]),
      ["join", "join"],
    );
    assert.deepEqual(
      [first, second].map((id) => removed[id]),
      ["leave", "leave"],
    );
    assert.deepEqual([removed[owner.id], removed[house.bot.id]], ["join", "join"]);
  });

  it("administrators, moderators, equals, creators of a room of version 12 and the bot are never touched", async (test) => {
    const house = await openHouse(test, street());
    const { owner, bot } = house;
    const creator = await house.subscriber("creator");
    const staff = new Map(
      await Promise.all(
        [100, 60, 50].map(
          async (level) => [await house.subscriber(`level-${String(level)}`), level] as const,
        ),
      ),
    );
    const ordinary = await house.subscriber("ordinary");
    const old = await house.newPlace({ version: "11" });
    const present = await house.newPlace({ version: "12", additionalCreators: [creator.id] });
    for (const room of [old, present]) {
      for (const one of [creator, ...staff.keys(), ordinary]) {
        await owner.invite(room, one.id);
        await one.join(room);
      }
      for (const [{ id }, level] of staff) await owner.setPower(room, id, level);
    }
    const [boss, self] = [house.linked(owner), house.linked(bot)];
    await house.syncWell();
    const before = await Promise.all([owner.state(old), owner.state(present)]);

    house.end(creator, ...staff.keys(), ordinary, boss, self);
    const { code, stdout } = await house.sync();
    assert.equal(code, 0, stdout);
    assert.match(stdout, /this is the bot itself/);
    assert.match(stdout, /a creator of the room/);
    assert.match(stdout, /has power level 60, the bot 60/);
    const after = await Promise.all([owner.state(old), owner.state(present)]);
    // In the room of version 11 the second creator is nobody special.
    const changed = after.map((events, index) =>
      events.filter((event) => !before[index]?.some(({ event_id }) => event_id === event.event_id)),
    );
    assert.deepEqual(
      changed.map((events) => events.map(({ state_key }) => state_key).sort()),
      [[creator.id, ordinary.id].sort(), [ordinary.id]],
    );
  });
}
