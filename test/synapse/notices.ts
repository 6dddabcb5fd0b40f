/** Notices to the owner, in a room of the real homeserver; and a list that decides on a room. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { z } from "zod";

import type { Synapse } from "./homeserver.ts";
import { openHouse, type Street } from "./house.ts";
import type { Person } from "./people.ts";

const messages = z.object({
  chunk: z.array(
    z.object({
      type: z.string(),
      content: z.looseObject({ body: z.string().optional(), msgtype: z.string().optional() }),
    }),
  ),
});

/** What was said in a room, oldest first: its kind and its text. */
async function saidIn(room: string, reader: Person, { url }: Synapse): Promise<readonly string[]> {
  const page = `${url}/_matrix/client/v3/rooms/${encodeURIComponent(room)}/messages?dir=b&limit=50`;
  const answer = await fetch(page, { headers: { authorization: `Bearer ${reader.token}` } });
  return messages
    .parse(await answer.json())
    .chunk.filter(({ type }) => type === "m.room.message")
    .map(({ content: { msgtype, body } }) => `${msgtype ?? ""} ${body ?? ""}`)
    .toReversed();
}

export function notices(street: () => Street): void {
  it("the owner is told in a room of an open door, and that it is shut", async (test) => {
    const house = await openHouse(test, street());
    const { owner, config } = house;
    const alias = street().fresh("operators");
    const operators = await house.newRoom({ alias });
    config["notify"] = { matrix_room: `#${alias}:matrix.test` };
    const place = await house.newPlace({ name: "VIP", joinRule: "public" });
    assert.equal((await house.sync()).code, 0);
    await house.sync();
    const door = "Anybody may join the room VIP without an invitation.";
    const said = () => saidIn(operators, owner, street().synapse);
    const [first = "", ...more] = await said();
    assert.ok(first.startsWith(`m.notice fanvue-sync needs you:\n• ${door}`), first);
    assert.deepEqual(more, []);
    await owner.setState(place, "m.room.join_rules", { join_rule: "invite" });
    await house.syncWell();
    assert.deepEqual((await said()).slice(1), ["m.notice fanvue-sync: all is well again."]);
  });

  it("a notice for a room that the bot may not write in fails no run, and says what to do", async (test) => {
    const house = await openHouse(test, street());
    const elsewhere = await house.owner.createRoom({ name: "Elsewhere" });
    house.config["notify"] = { matrix_room: elsewhere };
    await house.newPlace({ joinRule: "public" });
    const { code, stderr } = await house.sync();
    assert.equal(code, 0);
    assert.match(
      stderr,
      /A notice to you could not be posted in the Matrix room !.*Invite @bot.* to that room/,
    );
  });

  it("a list that decides on a room lets its members in, and takes them out", async (test) => {
    const house = await openHouse(test, street());
    const { fanvue, owner, config } = house;
    const room = await house.newRoom();
    const list = fanvue.world.createList("Lounge");
    config["list_sync"] = { lounge: { matrix_room: room, fanvue_list: { name: "Lounge" } } };
    const [ana, bea] = [await house.subscriber("ana"), await house.subscriber("bea")];
    fanvue.world.addToList(list, ana.fan, bea.fan);
    assert.match(await house.syncWell(), /^lounge: .*\+2 -0$/m);
    for (const member of [ana, bea]) await member.join(room);
    fanvue.world.removeFromList(list, ana.fan);
    await house.syncWell();
    const members = await owner.members(room);
    assert.deepEqual([members[ana.id], members[bea.id]], ["leave", "join"]);
  });
}
