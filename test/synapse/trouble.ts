/** Rooms and tokens that cannot be used: one sentence with the remedy, before any write, and the rest goes on. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { assertToldOnStderr } from "../installation.ts";
import { openHouse, subscription, type Street } from "./house.ts";

export function trouble(street: () => Street): void {
  it("rooms without the bot, or without enough power, are told with their remedy, and the others go on", async (test) => {
    const house = await openHouse(test, street());
    const { owner, bot, rooms } = house;
    const good = await house.newPlace({ name: "Good" });
    const powerless = await house.newPlace({ name: "Powerless", levels: { invite: 70 } });
    const cannotRemove = await house.newPlace({ name: "Half", levels: { kick: 75 } });
    const without = await owner.createRoom({ name: "Without" });
    const waiting = await owner.createRoom({ name: "Waiting" });
    await owner.invite(waiting, bot.id);
    const kickedOut = await house.newPlace({ name: "Kicked out" });
    await owner.kick(kickedOut, bot.id);
    for (const room of [without, waiting]) rooms[room] = subscription;
    rooms["!gone:matrix.test"] = subscription;
    const ana = await house.subscriber("ana");

    const { code, stdout } = await house.sync();
    assert.equal(code, 4, stdout);
    const told = stdout.split("\n").filter((line) => line.startsWith("  ! "));
    assert.equal(told.length, 6, stdout);
    for (const sentence of [
      /The bot may not invite in the room Powerless: it has power level 60, this needs 70\. Give @bot.* power level 70/,
      /The bot may not remove members in the room Half: .* this needs 75\. Give/,
    ])
      assert.match(stdout, sentence);
    // Whoever was in a room may still read its name.
    for (const room of [without, waiting, "Kicked out", "!gone:matrix.test"]) {
      const sentence = `  ! The bot is not in the room ${room}. Invite ${bot.id} to the room,`;
      assert.ok(
        told.some((line) => line.startsWith(sentence)),
        stdout,
      );
    }
    assert.equal((await owner.members(good))[ana.id], "invite");
    for (const room of [powerless, cannotRemove, without, waiting, kickedOut])
      assert.equal((await owner.members(room))[ana.id], undefined);
    const invitations = house.writes().filter((write) => write.includes("/invite"));
    assert.deepEqual(invitations, [`POST /rooms/${good}/invite 200`]);
  });

  it("a dead token, or one of another account, ends the run with one sentence before any write", async (test) => {
    const house = await openHouse(test, street());
    const room = await house.newPlace();
    const ana = await house.subscriber("ana");
    house.matrix["access_token"] = house.owner.token;
    assertToldOnStderr(
      await house.sync(),
      4,
      new RegExp(`The access token belongs to ${house.owner.id}, but the config names ${house.bot.id}`),
    );
    await house.bot.logout();
    house.matrix["access_token"] = house.bot.token;
    const dead = await house.sync();
    assertToldOnStderr(dead, 4, /refuses the bot's account \(401 M_UNKNOWN_TOKEN/);
    assert.match(dead.stderr, /Log the bot in again and put its new access token into the config\./);
    assert.ok(!dead.stderr.includes(house.bot.token));
    assert.equal((await house.owner.members(room))[ana.id], undefined);
  });

  it("a room upgraded under us is told with its successor's id, and neither is changed", async (test) => {
    const house = await openHouse(test, street());
    const { owner, bot, rooms } = house;
    const { fresh } = street();
    const byId = await house.newPlace({ name: "By id", version: "11" });
    const name = fresh("club");
    const alias = `#${name}:matrix.test`;
    const byAlias = await house.newRoom({ name: "By alias", version: "11", alias: name });
    rooms[alias] = subscription;
    const ana = await house.subscriber("ana");
    await house.syncWell();
    for (const room of [byId, byAlias]) await ana.join(room);

    const successor = await owner.upgrade(byId, "12");
    const heir = await owner.upgrade(byAlias, "12");
    const late = await house.subscriber("late");
    house.end(ana);
    const before = await Promise.all([byId, byAlias, successor, heir].map(owner.state));
    const { code, stdout } = await house.sync();
    assert.equal(code, 4, stdout);
    assert.ok(stdout.includes(`The room By id was upgraded and goes on as ${successor}.`), stdout);
    assert.ok(stdout.includes(`write ${successor} instead of ${byId} into the config`), stdout);
    // The homeserver moves the alias along, so that it leads to where the bot is not.
    assert.ok(stdout.includes(`The bot is not in the room ${alias}. Invite ${bot.id}`), stdout);
    assert.deepEqual(await Promise.all([byId, byAlias, successor, heir].map(owner.state)), before);
    assert.equal((await owner.members(successor))[late.id], undefined);
  });
}
