/** The two homeservers that parity is about: Synapse and its stand-in, under one interface. */
import assert from "node:assert/strict";

import { synapseLimits } from "../sandbox/matrix-limits.ts";
import { startMatrix } from "../sandbox/matrix.ts";
import { freePort, serverName } from "./homeserver.ts";
import type { Street } from "./house.ts";
import { createPerson, type Person } from "./people.ts";

export interface RoomOptions {
  readonly joinRule?: string;
  readonly version?: string;
  readonly alias?: string;
}

/** One of the two, with what a client cannot do on the stand-in. The people here are slowed down by nothing. */
export interface Side {
  person(name: string): Promise<Person>;
  /** Limits hold for this one. */
  limitedPerson(name: string): Promise<Person>;
  room(owner: Person, options?: RoomOptions): Promise<string>;
  setPower(owner: Person, room: string, who: Person, level: number): Promise<void>;
  upgrade(owner: Person, room: string): Promise<void>;
  /** Lets the members of another room in. */
  restrict(owner: Person, room: string, joinRule: string, other: string): Promise<void>;
  blockInvites(who: Person): Promise<void>;
  logout(who: Person): Promise<void>;
  /** The name of a homeserver that cannot be reached. */
  deadServer(): Promise<string>;
}

interface TestLike {
  after(fn: () => Promise<void>): void;
}

export function synapseSide({ people, fresh }: Street): Side {
  return {
    person: (name) => people.registerUnlimited(fresh(name)),
    limitedPerson: (name) => people.register(fresh(name)),
    room: (owner, options) => owner.createRoom(options),
    setPower: (owner, room, who, level) => owner.setPower(room, who.id, level),
    async upgrade(owner, room) {
      await owner.upgrade(room, "12");
    },
    restrict: (owner, room, joinRule, other) =>
      owner.setState(room, "m.room.join_rules", restriction(joinRule, other)),
    blockInvites: (who) => who.blockInvites(),
    logout: (who) => who.logout(),
    deadServer: async () => `127.0.0.1:${String(await freePort())}`,
  };
}

export async function standInSide(test: TestLike): Promise<Side> {
  const sandbox = await startMatrix({ serverName });
  test.after(() => sandbox.stop());
  const { world } = sandbox;
  const userOf = (who: Person) => world.users.get(who.id) ?? assert.fail(who.id);
  const person = (name: string) => {
    const { id, token } = world.addUser(name);
    return Promise.resolve(createPerson(sandbox.url, id, token));
  };
  return {
    person,
    limitedPerson(name) {
      Object.assign(world.limits, synapseLimits);
      return person(name);
    },
    room: (owner, options = {}) => Promise.resolve(world.createRoom({ creator: owner.id, ...options })),
    setPower(_owner, room, who, level) {
      world.setPower(room, who.id, level);
      return Promise.resolve();
    },
    upgrade(owner, room) {
      world.tombstone(room, world.createRoom({ creator: owner.id }));
      return Promise.resolve();
    },
    restrict({ id }, room, joinRule, other) {
      world.put(room, { type: "m.room.join_rules", sender: id, content: restriction(joinRule, other) });
      return Promise.resolve();
    },
    blockInvites(who) {
      userOf(who).blocksInvites = true;
      return Promise.resolve();
    },
    logout(who) {
      userOf(who).token = undefined;
      return Promise.resolve();
    },
    deadServer() {
      world.deadServers.add("dead.test");
      return Promise.resolve("dead.test");
    },
  };
}

const restriction = (joinRule: string, room: string) => ({
  join_rule: joinRule,
  allow: [{ type: "m.room_membership", room_id: room }],
});
