/**
 * Rooms of the Matrix stand-in and the rules by which memberships change, in the order and the words of Synapse.
 * https://spec.matrix.org/v1.16/rooms/v12/#authorization-rules
 */
export type Membership = "join" | "invite" | "knock" | "leave" | "ban";
export type MemberAction = "invite" | "join" | "knock" | "leave" | "kick" | "ban" | "unban";

export interface StateEvent {
  readonly type: string;
  readonly state_key: string;
  readonly sender: string;
  readonly content: Readonly<Record<string, unknown>>;
  readonly origin_server_ts: number;
  readonly event_id: string;
  readonly room_id: string;
}

export interface Room {
  readonly id: string;
  readonly version: string;
  /** By type and state key, see `stateKeyOf`. */
  readonly state: Map<string, StateEvent>;
  /** The state as it was when somebody went, or declined: that is what they still may read. */
  readonly stateAtDeparture: Map<string, readonly StateEvent[]>;
}

export interface MatrixRefusal {
  readonly status: number;
  readonly errcode: string;
  readonly error: string;
}

export interface MemberChange {
  readonly action: MemberAction;
  readonly sender: string;
  readonly target: string;
}

const forbidden = (error: string): MatrixRefusal => ({ status: 403, errcode: "M_FORBIDDEN", error });
const badState = (error: string): MatrixRefusal => ({ status: 403, errcode: "M_BAD_STATE", error });

// ---- Reading a room ---------------------------------------------------------------------------------------------

export const stateKeyOf = (type: string, key: string) => `${type}\0${key}`;

export const stateOf = (room: Room, type: string, key = ""): StateEvent | undefined =>
  room.state.get(stateKeyOf(type, key));

export function membershipOf(room: Room, user: string): Membership | undefined {
  const membership = stateOf(room, "m.room.member", user)?.content["membership"];
  return typeof membership === "string" ? (membership as Membership) : undefined;
}

export const membersOf = (room: Room): readonly StateEvent[] =>
  [...room.state.values()].filter((event) => event.type === "m.room.member");

export const hasPrivilegedCreators = (version: string) => Number(version) >= 12;

function creatorsOf(room: Room): readonly unknown[] {
  const create = stateOf(room, "m.room.create");
  const others = create?.content["additional_creators"];
  return [create?.sender, ...(Array.isArray(others) ? (others as unknown[]) : [])];
}

export function powerOf(room: Room, user: string): number {
  if (hasPrivilegedCreators(room.version) && creatorsOf(room).includes(user)) return Number.POSITIVE_INFINITY;
  const levels = stateOf(room, "m.room.power_levels")?.content;
  if (levels === undefined) return stateOf(room, "m.room.create")?.sender === user ? 100 : 0;
  const users = levels["users"] as Readonly<Record<string, unknown>> | undefined;
  return Number(users?.[user] ?? levels["users_default"] ?? 0);
}

export function levelFor(room: Room, name: "invite" | "kick" | "ban" | "state_default"): number {
  const usual = { invite: 0, kick: 50, ban: 50, state_default: 50 }[name];
  return Number(stateOf(room, "m.room.power_levels")?.content[name] ?? usual);
}

const joinRuleOf = (room: Room): unknown =>
  stateOf(room, "m.room.join_rules")?.content["join_rule"] ?? "invite";

// ---- The rules --------------------------------------------------------------------------------------------------

export const membershipAfter: Readonly<Record<MemberAction, Membership>> = {
  invite: "invite",
  join: "join",
  knock: "knock",
  leave: "leave",
  kick: "leave",
  ban: "ban",
  unban: "leave",
};

/** Undefined: allowed. `mayEnter` says whether a restricted room's conditions are met. */
export function refusalOf(
  room: Room,
  change: MemberChange,
  mayEnter: (room: Room, user: string) => boolean,
): MatrixRefusal | undefined {
  return transitionRefusal(room, change) ?? authRefusal(room, change, mayEnter);
}

/** Synapse's own checks before the rules of the room. */
function transitionRefusal(room: Room, { action, target }: MemberChange): MatrixRefusal | undefined {
  const old = membershipOf(room, target);
  if (action === "unban" && old !== undefined && old !== "ban") {
    return badState(`Cannot unban user who was not banned (membership=${old})`);
  }
  if (old === "ban" && action !== "ban" && action !== "unban" && action !== "leave") {
    return badState(`Cannot ${action} user who was banned`);
  }
  if (action === "kick" && (old === undefined || old === "leave")) {
    return forbidden("The target user is not in the room");
  }
  return undefined;
}

function authRefusal(
  room: Room,
  change: MemberChange,
  mayEnter: (room: Room, user: string) => boolean,
): MatrixRefusal | undefined {
  const { action, sender, target } = change;
  if (action === "join") return joinRefusal(room, sender, mayEnter);
  if (action === "knock") return knockRefusal(room, sender);
  const own = membershipOf(room, sender);
  if (action === "leave" && (own === "invite" || own === "knock")) return undefined;
  // Leaving once more changes nothing.
  const hasLeft = own === "leave" && stateOf(room, "m.room.member", sender)?.sender === sender;
  if (action === "leave" && hasLeft) return undefined;
  if (own !== "join") return forbidden(`${sender} not in room ${room.id}.`);

  const level = powerOf(room, sender);
  const targetLevel = powerOf(room, target);
  if (action === "invite") {
    if (membershipOf(room, target) === "join") return forbidden(`${target} is already in the room.`);
    if (level < levelFor(room, "invite")) return forbidden("You don't have permission to invite users");
    return undefined;
  }
  if (action === "ban") {
    if (level < levelFor(room, "ban")) return forbidden("You don't have permission to ban");
    if (level <= targetLevel) return forbidden("You don't have permission to ban this user");
    return undefined;
  }
  if (action === "unban" && level < levelFor(room, "ban")) {
    return forbidden(`You cannot unban user ${target}.`);
  }
  if (target !== sender && (level < levelFor(room, "kick") || level <= targetLevel)) {
    return forbidden(`You cannot kick user ${target}.`);
  }
  return undefined;
}

function joinRefusal(
  room: Room,
  user: string,
  mayEnter: (room: Room, user: string) => boolean,
): MatrixRefusal | undefined {
  const own = membershipOf(room, user);
  if (own === "ban") return forbidden("You are banned from this room");
  if (own === "join" || own === "invite") return undefined;
  const rule = joinRuleOf(room);
  if (rule === "public") return undefined;
  if ((rule === "restricted" || rule === "knock_restricted") && mayEnter(room, user)) return undefined;
  return forbidden("You are not invited to this room.");
}

function knockRefusal(room: Room, user: string): MatrixRefusal | undefined {
  const rule = joinRuleOf(room);
  if (rule !== "knock" && rule !== "knock_restricted") {
    return forbidden("You don't have permission to knock");
  }
  const own = membershipOf(room, user);
  if (own === "join") return forbidden("You cannot knock on a room you are already in");
  if (own === "invite") return forbidden("You are already invited to this room");
  if (own === "ban") return forbidden("You are banned from this room");
  return undefined;
}
