/** Who and what exists on the Matrix stand-in. Tests change it as people would, or put raw state where that is the point. */
import { createHash } from "node:crypto";
import type { MatrixLimits } from "./matrix-limits.ts";
import {
  hasPrivilegedCreators,
  membersOf,
  membershipAfter,
  membershipOf,
  refusalOf,
  stateKeyOf,
  stateOf,
  type MatrixRefusal,
  type MemberAction,
  type MemberChange,
  type Membership,
  type Room,
  type StateEvent,
} from "./matrix-room.ts";

export interface User {
  readonly id: string;
  /** Undefined: logged out. */
  token: string | undefined;
  /** Refuses all invitations (M_INVITE_BLOCKED). */
  blocksInvites: boolean;
  displayName?: string;
}

/** What was said in a room. */
export interface Message {
  readonly room: string;
  readonly sender: string;
  readonly type: string;
  readonly content: Readonly<Record<string, unknown>>;
  /** The sender's own id of the request: the same one again says nothing new. */
  readonly transaction: string;
  readonly eventId: string;
}

export interface NewRoom {
  readonly creator: string;
  /** Default 12, as in Synapse. */
  readonly version?: string;
  readonly name?: string;
  /** Without a domain: "vip" becomes #vip:SERVER. */
  readonly alias?: string;
  readonly joinRule?: string;
  readonly additionalCreators?: readonly string[];
  readonly isSpace?: boolean;
  /** Laid over the usual levels; null: the room has no m.room.power_levels event. */
  readonly powerLevels?: Readonly<Record<string, unknown>> | null;
}

export interface RawState {
  readonly type: string;
  readonly stateKey?: string;
  readonly sender: string;
  readonly content: Readonly<Record<string, unknown>>;
}

export interface MatrixWorld {
  readonly serverName: string;
  readonly users: Map<string, User>;
  readonly rooms: Map<string, Room>;
  /** Alias to room id. */
  readonly aliases: Map<string, string>;
  /** Oldest first. */
  readonly messages: Message[];
  /** Set to slow invitations and kicks down, see `synapseLimits`. */
  readonly limits: MatrixLimits;
  /** Other homeservers that do not answer ours. */
  readonly deadServers: Set<string>;
  /** Others that take the call and say nothing: whoever is invited from there keeps the room for themselves meanwhile. */
  readonly muteServers: Set<string>;
  /** Rooms that wait for one of those: nobody gets in or out. */
  readonly stuckRooms: Set<string>;
  /** Makes an account of this homeserver and logs it in. */
  addUser(localpart: string, token?: string): User & { readonly token: string };
  /** The creator's room; gives its id. */
  createRoom(options: NewRoom): string;
  room(id: string): Room;
  /** Tries a change by the rules of the room. */
  change(room: string, change: MemberChange & { readonly reason?: string }): MatrixRefusal | undefined;
  /** What people do; these throw where the rules forbid it. */
  invite(room: string, sender: string, target: string): void;
  join(room: string, user: string): void;
  knock(room: string, user: string): void;
  leave(room: string, user: string): void;
  kick(room: string, sender: string, target: string): void;
  ban(room: string, sender: string, target: string): void;
  unban(room: string, sender: string, target: string): void;
  setPower(room: string, user: string, level: number): void;
  /** Overwrites some fields of the power levels: `{ invite: 50 }`. */
  setLevels(room: string, levels: Readonly<Record<string, unknown>>): void;
  setJoinRule(room: string, rule: string): void;
  /** Closes a room in favour of another. */
  tombstone(room: string, replacement: string): void;
  /** Any state, past all rules. */
  put(room: string, state: RawState): void;
  membership(room: string, user: string): Membership | undefined;
  /** User ids with that membership, sorted. */
  members(room: string, membership: Membership): readonly string[];
}

/** The levels of a new private room, as Synapse sets them: its members may invite. */
const usualLevels = {
  users_default: 0,
  events: {
    "m.room.name": 50,
    "m.room.power_levels": 100,
    "m.room.history_visibility": 100,
    "m.room.canonical_alias": 50,
    "m.room.avatar": 50,
    "m.room.tombstone": 100,
    "m.room.server_acl": 100,
    "m.room.encryption": 100,
  },
  events_default: 0,
  state_default: 50,
  ban: 50,
  kick: 50,
  redact: 50,
  invite: 0,
  historical: 100,
};

export function createWorld(serverName: string, now: () => number): MatrixWorld {
  const users = new Map<string, User>();
  const rooms = new Map<string, Room>();
  const aliases = new Map<string, string>();
  let events = 0;

  function room(id: string): Room {
    const found = rooms.get(id);
    if (found === undefined) throw new Error(`the stand-in has no room ${id}`);
    return found;
  }

  function put(id: string, { type, stateKey = "", sender, content }: RawState): void {
    events += 1;
    const event: StateEvent = {
      type,
      state_key: stateKey,
      sender,
      content,
      origin_server_ts: now(),
      event_id: `$${fingerprint(`event ${String(events)}`)}`,
      room_id: id,
    };
    room(id).state.set(stateKeyOf(type, stateKey), event);
  }

  function change(id: string, wish: MemberChange & { readonly reason?: string }): MatrixRefusal | undefined {
    const { action, sender, target, reason } = wish;
    const where = room(id);
    const refusal = refusalOf(where, wish, meetsConditions);
    if (refusal !== undefined) return refusal;
    const membership = membershipAfter[action];
    const content = { membership, ...(reason === undefined ? {} : { reason }) };
    const old = stateOf(where, "m.room.member", target);
    const isSame =
      old?.sender === sender &&
      old.content["membership"] === membership &&
      old.content["reason"] === content.reason;
    if (isSame) return undefined;
    put(id, { type: "m.room.member", stateKey: target, sender, content });
    if (membership === "leave") where.stateAtDeparture.set(target, [...where.state.values()]);
    return undefined;
  }

  /** A restricted room lets in whoever is in one of the rooms it names. */
  function meetsConditions(where: Room, user: string): boolean {
    const allow = stateOf(where, "m.room.join_rules")?.content["allow"];
    if (!Array.isArray(allow)) return false;
    return (allow as unknown[]).some((condition) => {
      if (typeof condition !== "object" || condition === null || !("room_id" in condition)) return false;
      const other = rooms.get(String(condition.room_id));
      return other !== undefined && membershipOf(other, user) === "join";
    });
  }

  const does = (action: MemberAction) => (id: string, sender: string, target: string) => {
    const refusal = change(id, { action, sender, target });
    if (refusal !== undefined) throw new Error(`${action} is refused: ${refusal.error}`);
  };
  const doesAlone = (action: MemberAction) => (id: string, user: string) => {
    does(action)(id, user, user);
  };

  const creatorOf = (id: string) => stateOf(room(id), "m.room.create")?.sender ?? "";

  function setLevels(id: string, levels: Readonly<Record<string, unknown>>): void {
    const content = { ...stateOf(room(id), "m.room.power_levels")?.content, ...levels };
    put(id, { type: "m.room.power_levels", sender: creatorOf(id), content });
  }

  function createRoom(options: NewRoom): string {
    const { creator, version = "12", alias } = options;
    const isPrivileged = hasPrivilegedCreators(version);
    const name = fingerprint(`room ${String(rooms.size + 1)}`);
    const id = isPrivileged ? `!${name}` : `!${name.slice(0, 18)}:${serverName}`;
    rooms.set(id, { id, version, state: new Map(), stateAtDeparture: new Map() });
    const add = (type: string, content: Readonly<Record<string, unknown>>, stateKey = "") => {
      put(id, { type, stateKey, sender: creator, content });
    };
    add("m.room.create", {
      room_version: version,
      ...(Number(version) <= 10 ? { creator } : {}),
      ...(options.isSpace === true ? { type: "m.space" } : {}),
      ...(options.additionalCreators === undefined
        ? {}
        : { additional_creators: options.additionalCreators }),
    });
    add("m.room.member", { membership: "join" }, creator);
    if (options.powerLevels !== null) {
      const own = isPrivileged ? {} : { [creator]: 100 };
      add("m.room.power_levels", { ...usualLevels, users: own, ...options.powerLevels });
    }
    add("m.room.join_rules", { join_rule: options.joinRule ?? "invite" });
    add("m.room.history_visibility", { history_visibility: "shared" });
    add("m.room.guest_access", { guest_access: "can_join" });
    if (options.name !== undefined) add("m.room.name", { name: options.name });
    if (alias !== undefined) {
      const full = `#${alias}:${serverName}`;
      aliases.set(full, id);
      add("m.room.canonical_alias", { alias: full });
    }
    return id;
  }

  return {
    serverName,
    users,
    rooms,
    aliases,
    messages: [],
    limits: {},
    deadServers: new Set(),
    muteServers: new Set(),
    stuckRooms: new Set(),
    addUser(localpart, token = `token-of-${localpart}`) {
      const user = { id: `@${localpart}:${serverName}`, token, blocksInvites: false };
      users.set(user.id, user);
      return user;
    },
    createRoom,
    room,
    change,
    invite: does("invite"),
    kick: does("kick"),
    ban: does("ban"),
    unban: does("unban"),
    join: doesAlone("join"),
    knock: doesAlone("knock"),
    leave: doesAlone("leave"),
    setLevels,
    setPower(id, user, level) {
      const users = stateOf(room(id), "m.room.power_levels")?.content["users"];
      setLevels(id, { users: { ...(typeof users === "object" ? users : {}), [user]: level } });
    },
    setJoinRule(id, rule) {
      put(id, { type: "m.room.join_rules", sender: creatorOf(id), content: { join_rule: rule } });
    },
    tombstone(id, replacement) {
      const content = { body: "This room has been replaced", replacement_room: replacement };
      put(id, { type: "m.room.tombstone", sender: creatorOf(id), content });
      // Nobody is to write there, or be asked in, any more.
      setLevels(id, { invite: 50, events_default: 50 });
    },
    put,
    membership: (id, user) => membershipOf(room(id), user),
    members: (id, membership) =>
      membersOf(room(id))
        .filter((event) => event.content["membership"] === membership)
        .map((event) => event.state_key)
        .sort(),
  };
}

/** The same for the same input, in the form of Matrix's own hashes (43 characters, URL-safe). */
const fingerprint = (text: string) => createHash("sha256").update(text).digest("base64url");
