/** The JSON of the homeserver that we rely on; anything beside it is tolerated and dropped. */
import { z } from "zod";
import { parseMxid, parseRoomId, type Mxid, type RoomId } from "../ids.ts";

const content = z.record(z.string(), z.unknown());

/** https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3accountwhoami */
export const whoamiAnswer = z.object({ user_id: z.string() });

const roomId = z.string().transform((text, context) => {
  const room = parseRoomId(text);
  if (room !== undefined) return room;
  context.issues.push({ code: "custom", input: text, message: "is not a room id" });
  return z.NEVER;
});
const userId = z.string().transform((text, context) => {
  const user = parseMxid(text);
  if (user !== undefined) return user;
  context.issues.push({ code: "custom", input: text, message: "is not a user id" });
  return z.NEVER;
});

/** https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3directoryroomroomalias */
export const directoryAnswer = z.object({ room_id: roomId });

/** https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3createroom */
export const createRoomAnswer = z.object({ room_id: roomId });

/** https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3joined_rooms */
export const joinedRoomsAnswer = z.object({ joined_rooms: z.array(roomId) });

/** https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3profileuserid */
export const profileAnswer = z.object({ displayname: z.string().nullish().catch(undefined) });

/** Our own mark in the direct rooms that the bot opens: for whom, and until when (ms since the epoch). Others' are none. */
export const directRoomContent = z.object({ guest: userId, until_ms: z.int() }).optional().catch(undefined);

/** https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3roomsroomidstate */
export const stateAnswer = z.array(
  z.object({ type: z.string(), state_key: z.string(), sender: z.string(), content }),
);
export type StateEvent = z.infer<typeof stateAnswer>[number];

/** Rooms before version 10 may hold levels as text. */
const level = z.union([
  z.int(),
  z
    .string()
    .regex(/^\s*[+-]?\d+\s*$/)
    .transform(Number),
]);

/** https://spec.matrix.org/v1.16/client-server-api/#mroompower_levels */
export const powerLevelsContent = z.object({
  users: z.record(z.string(), level).default({}),
  users_default: level.default(0),
  // For a warning only: what cannot be understood here makes no room unreadable.
  events: z.record(z.string(), level).catch({}),
  state_default: level.optional().catch(undefined),
  invite: level.default(0),
  kick: level.default(50),
});

/** https://spec.matrix.org/v1.16/client-server-api/#mroomcreate */
export const createContent = z.object({
  room_version: z.string().default("1"),
  creator: z.string().optional(),
  additional_creators: z.array(z.string()).default([]),
});

export const memberContent = z.object({ membership: z.string() });

/** One text of a state event's content, undefined where it is missing or something else. */
export function textIn(event: StateEvent | undefined, key: string): string | undefined {
  const value = event?.content[key];
  return typeof value === "string" && value !== "" ? value : undefined;
}

const servers = z.array(z.string()).min(1);
const condition = z.object({ type: z.literal("m.room_membership"), room_id: z.string() });

/** The room that a space's child event names, while it still names a server to join by. */
export function childIn(event: StateEvent): RoomId | undefined {
  return servers.safeParse(event.content["via"]).success ? parseRoomId(event.state_key) : undefined;
}

/** The rooms whose members a join rule lets in; conditions of other types are somebody's experiment. */
export function allowedIn(joinRules: StateEvent | undefined): readonly RoomId[] {
  const allow = z.array(z.unknown()).safeParse(joinRules?.content["allow"]);
  return (allow.data ?? []).flatMap((one) => parseRoomId(condition.safeParse(one).data?.room_id ?? "") ?? []);
}

/** The members' events of a room's state with their user ids; ids that nobody can have are left out. */
export function memberEvents(events: readonly StateEvent[]): readonly { account: Mxid; event: StateEvent }[] {
  return events.flatMap((event) => {
    if (event.type !== "m.room.member") return [];
    const account = parseMxid(event.state_key);
    return account === undefined ? [] : [{ account, event }];
  });
}
