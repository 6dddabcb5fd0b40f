/** Who is invited, who is not asked twice, and who is asked again. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { openHouse, type Street } from "./house.ts";

export function invitations(street: () => Street): void {
  it("an entitled member is invited, and nothing is sent for whoever is invited or in", async (test) => {
    const house = await openHouse(test, street());
    const { owner } = house;
    const room = await house.newPlace();
    const ana = await house.subscriber("ana");
    const bea = await house.subscriber("bea");
    const lapsed = await house.subscriber("lapsed");
    house.end(lapsed);
    await owner.invite(room, bea.id);
    await bea.join(room);

    const planned = await house.syncByScript("--dry-run");
    assert.match(planned.stdout, /1 to be let in/);
    const before = await owner.state(room);
    assert.equal((await owner.members(room))[ana.id], undefined);

    const { code, stdout: report } = await house.syncByScript();
    assert.equal(code, 0, report);
    assert.match(report, /1 let in/);
    assert.match(report, new RegExp(`Taken over, .*: 1 holder\n {2}${bea.id}`));
    const members = await owner.members(room);
    assert.deepEqual([members[ana.id], members[bea.id], members[lapsed.id]], ["invite", "join", undefined]);
    const others = (await owner.state(room)).filter(({ state_key }) => state_key !== ana.id);
    assert.deepEqual(others, before);

    const writes = house.writes();
    assert.match(await house.syncWell(), /Nothing to do/);
    await ana.join(room);
    assert.match(await house.syncWell(), /Nothing to do/);
    assert.deepEqual(house.writes(), writes);
  });

  it("members see a fixed reason, and no figure", async (test) => {
    const house = await openHouse(test, street());
    const room = await house.newPlace();
    house.rooms[room] = { type: "spending", min_lifetime_spend_cents: 10_000 };
    const ana = await house.subscriber("ana");
    house.fanvue.world.tip(ana.fan, 12_345);
    assert.match(await house.syncWell(), /spent 133\.44/);
    const event = (await house.owner.state(room)).find(({ state_key }) => state_key === ana.id);
    assert.deepEqual(event?.content["reason"], "Fanvue membership");
    assert.doesNotMatch(JSON.stringify(event), /123|133/);
  });

  it("whoever left or declined is not asked again until the entitlement begins anew, or they ask", async (test) => {
    const house = await openHouse(test, street());
    const { owner } = house;
    const room = await house.newPlace();
    const [left, declined, asks] = await Promise.all(["left", "declined", "asks"].map(house.subscriber));
    assert.ok(left && declined && asks);
    await house.syncWell();
    await left.join(room);
    for (const one of [left, declined, asks]) await one.leave(room);
    const before = await owner.state(room);

    assert.match(await house.syncWell(), /3 left by choice/);
    house.end(left, declined);
    assert.equal((await house.links("reinvite", asks.id)).code, 0);
    await house.syncWell();
    const asked = await owner.members(room);
    assert.deepEqual(
      [left, declined, asks].map(({ id }) => asked[id]),
      ["leave", "leave", "invite"],
    );
    const others = (await owner.state(room)).filter(({ state_key }) => state_key !== asks.id);
    assert.deepEqual(
      others,
      before.filter(({ state_key }) => state_key !== asks.id),
    );

    house.begin(left, declined);
    await house.syncWell();
    const again = await owner.members(room);
    assert.deepEqual(
      [left, declined].map(({ id }) => again[id]),
      ["invite", "invite"],
    );
  });

  it("banned members, and those whom a person took out, are left alone", async (test) => {
    const house = await openHouse(test, street());
    const { owner } = house;
    const room = await house.newPlace();
    const banned = await house.subscriber("banned");
    const removed = await house.subscriber("removed");
    await owner.ban(room, banned.id);
    await owner.invite(room, removed.id);
    await owner.kick(room, removed.id);
    const before = await owner.state(room);
    assert.match(await house.syncWell(), /1 banned, .*1 removed by a person/);
    assert.deepEqual(await owner.state(room), before);
    assert.deepEqual(
      house.writes().filter((write) => !write.includes("/join ")),
      [],
    );
  });

  it("an invitation that the member blocks is a refusal of theirs, told once and not repeated", async (test) => {
    const house = await openHouse(test, street());
    const room = await house.newPlace();
    const blocker = await house.subscriber("blocker");
    const other = await house.subscriber("other");
    await blocker.blockInvites();
    const first = await house.sync();
    assert.match(first.stdout, /refused: They accept no invitations from us\./);
    assert.match(first.stdout, /1 let in/);
    const members = await house.owner.members(room);
    assert.deepEqual([members[blocker.id], members[other.id]], [undefined, "invite"]);
    const writes = house.writes();
    assert.match(await house.syncWell(), /1 refused before/);
    assert.deepEqual(house.writes(), writes);
  });
}
