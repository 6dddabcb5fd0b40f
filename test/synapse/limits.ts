/** Limits as they are on a homeserver whose operator changed nothing, and other homeservers that do not answer. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { it } from "node:test";

import { freePort, serverName } from "./homeserver.ts";
import { openHouse, type House, type Street } from "./house.ts";

const invitationsOf = (house: House) => house.writes().filter((write) => write.includes("/invite"));

export function limits(street: () => Street): void {
  it("a room's limit is waited out, as long as the homeserver asks, and everybody is invited", async (test) => {
    const house = await openHouse(test, street());
    const room = await house.newPlace();
    const members = await Promise.all(["a", "b", "c"].map(house.subscriber));
    await exhaustRoom(house, street(), room);
    const startedMs = performance.now();
    assert.match(await house.syncWell(), /3 let in/);
    // One may go at once, if late; from then on it is one in 3.3 s.
    assert.ok(performance.now() - startedMs > 6_000);
    const standing = await house.owner.members(room);
    assert.deepEqual(
      members.map(({ id }) => standing[id]),
      ["invite", "invite", "invite"],
    );
    const refused = invitationsOf(house).filter((write) => write.endsWith(" 429"));
    assert.ok(refused.length > 0 && refused.length <= 6, String(refused.length));
  });

  it("a member who must wait for minutes does not hold up the others, and the next run goes on", async (test) => {
    const house = await openHouse(test, street());
    const room = await house.newPlace();
    const busy = await house.subscriber("busy");
    const others = await Promise.all(["z1", "z2", "z3"].map(house.subscriber));
    await exhaustReceiver(street(), busy.id);
    const startedMs = performance.now();
    const { code, stdout } = await house.sync();
    assert.equal(code, 0, stdout);
    assert.ok(performance.now() - startedMs < 60_000);
    assert.match(stdout, /The homeserver asks to wait [56] minutes; the next run goes on\./);
    const standing = await house.owner.members(room);
    assert.deepEqual(
      others.map(({ id }) => standing[id]),
      ["invite", "invite", "invite"],
    );
    assert.equal(standing[busy.id], undefined);
    assert.match((await house.sync("--dry-run")).stdout, /1 to be let in/);
  });

  it("a member whose homeserver is down is refused for them, told once, and stops nobody", async (test) => {
    const house = await openHouse(test, street());
    const room = await house.newPlace();
    const server = `127.0.0.1:${String(await freePort())}`;
    const far = `@Far.Away:${server}`;
    house.linkedId(far);
    const near = await house.subscriber("near");
    const { stdout } = await house.sync();
    assert.ok(stdout.includes(`refused: Their homeserver ${server} does not answer.`), stdout);
    const standing = await house.owner.members(room);
    assert.deepEqual([standing[far], standing[near.id]], [undefined, "invite"]);
    const writes = house.writes();
    assert.match(await house.syncWell(), /1 refused before/);
    assert.deepEqual(house.writes(), writes);
  });

  it("a homeserver that takes the call and says nothing stops nobody either", async (test) => {
    const sockets = new Set<Socket>();
    const mute = createServer((socket) => sockets.add(socket.on("error", () => socket.destroy())));
    mute.listen(0, "127.0.0.1");
    await once(mute, "listening");
    test.after(() => {
      for (const socket of sockets) socket.destroy();
      mute.close();
    });
    const address = mute.address();
    assert.ok(typeof address === "object" && address !== null);
    const server = `127.0.0.1:${String(address.port)}`;

    const house = await openHouse(test, street());
    const room = await house.newPlace();
    house.linkedId(`@aaa:${server}`);
    const near = await house.subscriber("near");
    const { stdout } = await house.sync();
    assert.ok(stdout.includes(`refused: Their homeserver ${server} does not answer.`), stdout);
    assert.equal((await house.owner.members(room))[near.id], "invite");
    assert.ok(sockets.size > 0);
  });

  it("a banned account of another homeserver is known without asking that one", async (test) => {
    const house = await openHouse(test, street());
    const room = await house.newPlace();
    const far = `@Troll:127.0.0.1:${String(await freePort())}`;
    house.linkedId(far);
    await house.owner.ban(room, far);
    assert.match(await house.syncWell(), /1 banned/);
    assert.deepEqual(invitationsOf(house), []);
  });
}

// ---- Filling the buckets ----------------------------------------------------------------------------------------

/** Ten invitations in a row are all that a room bears, whoever sends them. Two send them, so that it is not their own limit. */
async function exhaustRoom({ owner }: House, { people, fresh }: Street, room: string): Promise<void> {
  const helpers = await Promise.all(["one", "two"].map((name) => people.register(fresh(name))));
  for (const helper of helpers) {
    await owner.invite(room, helper.id);
    await helper.join(room);
    await owner.setPower(room, helper.id, 50);
  }
  for (let tries = 0; tries < 8; tries += 1) {
    for (const helper of helpers) {
      const friend = `@${fresh("friend")}:${serverName}`;
      const { status } = await helper.ask("POST", ["rooms", room, "invite"], { user_id: friend });
      if (status === 429) return;
      assert.equal(status, 200);
    }
  }
  assert.fail("the room bears more than it should");
}

/** Five invitations in a row are all that a person bears; after that it is one in five and a half minutes. */
async function exhaustReceiver({ people, fresh }: Street, user: string): Promise<void> {
  const host = await people.register(fresh("host"));
  for (let count = 0; count < 5; count += 1) await host.invite(await host.createRoom(), user);
}
