/** A stand-in for a Matrix homeserver, as far as rooms and their members go. It answers as Synapse does. */
import { createRoom } from "./matrix-direct.ts";
import { createLimiter, type Limiter } from "./matrix-limits.ts";
import {
  membersOf,
  membershipOf,
  stateOf,
  type MatrixRefusal,
  type MemberAction,
  type Room,
  type StateEvent,
} from "./matrix-room.ts";
import { createWorld, type MatrixWorld } from "./matrix-world.ts";
import { serve, type Reply, type Sandbox, type SandboxOptions, type SandboxRequest } from "./server.ts";

export interface MatrixSandbox extends Sandbox {
  readonly world: MatrixWorld;
}

export interface MatrixOptions extends SandboxOptions {
  /** Default matrix.example */
  readonly serverName?: string;
}

interface Call {
  readonly request: SandboxRequest;
  readonly world: MatrixWorld;
  readonly limiter: Limiter;
  /** The variable parts of the path, decoded. */
  readonly words: readonly string[];
  /** Who asks. */
  readonly user: string;
}

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly answer: (call: Call) => Reply | Promise<Reply>;
  /** Whether it answers those as well who do not say who they are. */
  readonly isOpen: boolean;
}

/** Starts an empty homeserver on 127.0.0.1. */
export async function startMatrix(options: MatrixOptions = {}): Promise<MatrixSandbox> {
  const now = options.now ?? Date.now;
  const world = createWorld(options.serverName ?? "matrix.example", now);
  const limiter = createLimiter(world.limits, now);
  const sandbox = await serve((request) => answer(request, world, limiter), options);
  return { ...sandbox, world };
}

const client = "^/_matrix/client/(?:v3|r0)";
const word = "([^/]+)";
const route = (method: string, path: string, answer: Route["answer"], isOpen = false): Route => ({
  method,
  path: new RegExp(`${client}${path.replaceAll("*", word)}$`),
  answer,
  isOpen,
});

const routes: readonly Route[] = [
  route("GET", "/account/whoami", ({ user }) => ok({ user_id: user, device_id: "SANDBOX", is_guest: false })),
  route("GET", "/directory/room/*", getAlias, true),
  route("GET", "/joined_rooms", getJoinedRooms),
  route("GET", "/rooms/*/state", getState),
  route("GET", "/rooms/*/state/*/?", getStateContent),
  route("GET", "/rooms/*/state/*/*", getStateContent),
  route("GET", "/rooms/*/members", getMembers),
  route("GET", "/rooms/*/joined_members", getJoinedMembers),
  route("POST", "/rooms/*/invite", actOn("invite")),
  route("POST", "/rooms/*/kick", actOn("kick")),
  route("POST", "/rooms/*/ban", actOn("ban")),
  route("POST", "/rooms/*/unban", actOn("unban")),
  route("POST", "/rooms/*/join", actAlone("join")),
  route("POST", "/rooms/*/leave", actAlone("leave")),
  route("POST", "/rooms/*/forget", forget),
  route("PUT", "/rooms/*/send/*/*", say),
  route("POST", "/createRoom", create),
  route("GET", "/profile/*", getProfile, true),
  route("POST", "/join/*", actAlone("join")),
  route("POST", "/knock/*", actAlone("knock")),
];

function answer(request: SandboxRequest, world: MatrixWorld, limiter: Limiter): Reply | Promise<Reply> {
  if (request.path === "/_matrix/client/versions") return ok({ versions: ["v1.12", "v1.13"] });
  const known = routes.filter((one) => one.path.test(request.path));
  const match = known.find((one) => one.method === request.method);
  if (match === undefined) {
    return problem({
      status: known.length === 0 ? 404 : 405,
      errcode: "M_UNRECOGNIZED",
      error: "Unrecognized request",
    });
  }
  const user = match.isOpen ? "" : userOf(request, world);
  if (typeof user !== "string") return problem(user);
  const words = (match.path.exec(request.path) ?? []).slice(1).map(decoded);
  return match.answer({ request, world, limiter, words, user });
}

// ---- Answers ----------------------------------------------------------------------------------------------------

const ok = (body: unknown): Reply => ({ status: 200, body });
const problem = ({ status, errcode, error }: MatrixRefusal): Reply => ({ status, body: { errcode, error } });
const forbidden = (error: string) => problem({ status: 403, errcode: "M_FORBIDDEN", error });
const unknown = (status: number, error: string) => problem({ status, errcode: "M_UNKNOWN", error });
const notFound = (error: string) => problem({ status: 404, errcode: "M_NOT_FOUND", error });

/** Both forms of the wait, as Synapse gives them. */
const limited = (waitMs: number, bodyOnly = false): Reply => ({
  status: 429,
  body: { errcode: "M_LIMIT_EXCEEDED", error: "Too Many Requests", retry_after_ms: waitMs },
  headers: bodyOnly ? {} : { "retry-after": String(Math.ceil(waitMs / 1000)) },
});

/** The ground decodes a path but for its separators, so these are left. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function userOf(request: SandboxRequest, world: MatrixWorld): string | MatrixRefusal {
  const token = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1];
  if (token === undefined) {
    return { status: 401, errcode: "M_MISSING_TOKEN", error: "Missing access token" };
  }
  const user = [...world.users.values()].find((one) => one.token === token);
  return user?.id ?? { status: 401, errcode: "M_UNKNOWN_TOKEN", error: "Invalid access token passed." };
}

// ---- Reading ----------------------------------------------------------------------------------------------------

/** The room's state for one who is or was in it; a reply where it is not for them. */
function visibleState({ world, words, user }: Call): readonly StateEvent[] | Reply {
  const room = world.rooms.get(words[0] ?? "");
  if (room !== undefined) {
    const membership = membershipOf(room, user);
    if (membership === "join") return [...room.state.values()];
    const departed = membership === "leave" ? room.stateAtDeparture.get(user) : undefined;
    if (departed !== undefined) return departed;
    const visibility = stateOf(room, "m.room.history_visibility")?.content["history_visibility"];
    if (visibility === "world_readable") return [...room.state.values()];
  }
  return forbidden(`User ${user} not in room ${words[0] ?? ""}, and room previews are disabled`);
}

/** An event as clients see it; `user_id` is older than the specification. */
const shown = (event: StateEvent) => ({ ...event, user_id: event.sender, unsigned: {} });

const isReply = (value: readonly StateEvent[] | Reply): value is Reply => "status" in value;

function getState(call: Call): Reply {
  const state = visibleState(call);
  return isReply(state) ? state : ok(state.map(shown));
}

function getStateContent(call: Call): Reply {
  const state = visibleState(call);
  if (isReply(state)) return state;
  const [, type, key = ""] = call.words;
  const event = state.find((one) => one.type === type && one.state_key === key);
  return event === undefined ? notFound("Event not found.") : ok(event.content);
}

/** The two filters are united, not intersected. */
function getMembers(call: Call): Reply {
  const state = visibleState(call);
  if (isReply(state)) return state;
  const wanted = call.request.query.get("membership");
  const unwanted = call.request.query.get("not_membership");
  const chunk = state.filter(({ type, content: { membership } }) => {
    if (type !== "m.room.member") return false;
    if (wanted === null && unwanted === null) return true;
    return membership === wanted || (unwanted !== null && membership !== unwanted);
  });
  return ok({ chunk: chunk.map(shown) });
}

function getJoinedMembers({ world, words, user }: Call): Reply {
  const room = world.rooms.get(words[0] ?? "");
  if (room === undefined || membershipOf(room, user) !== "join") {
    return forbidden(`User ${user} not in room ${words[0] ?? ""}, and room previews are disabled`);
  }
  const joined = membersOf(room).filter((event) => event.content["membership"] === "join");
  return ok({ joined: Object.fromEntries(joined.map((event) => [event.state_key, {}])) });
}

function getJoinedRooms({ world, user }: Call): Reply {
  const joined = [...world.rooms.values()].filter((room) => membershipOf(room, user) === "join");
  return ok({ joined_rooms: joined.map((room) => room.id) });
}

function getAlias({ world, words: [alias = ""] }: Call): Reply {
  if (!/^#.+:.+$/.test(alias)) {
    return problem({ status: 400, errcode: "M_INVALID_PARAM", error: "Room alias invalid" });
  }
  const room = world.aliases.get(alias);
  if (room === undefined) return notFound(`Room alias ${alias} not found`);
  return ok({ room_id: room, servers: [world.serverName] });
}

// ---- Changing ---------------------------------------------------------------------------------------------------

/** What one does to another. Limits come before anything else, even where nothing would change. */
function actOn(action: MemberAction) {
  return (call: Call): Reply | Promise<Reply> => {
    const { world, limiter, words, user: sender } = call;
    const body = readTarget(call.request);
    if ("status" in body) return problem(body);
    const { target, reason } = body;
    const room = world.rooms.get(words[0] ?? "");
    if (room === undefined) {
      const isTakingBack = action === "kick" || action === "unban";
      return isTakingBack ? unknown(404, "Not a known room") : forbidden("Unknown room");
    }
    const invite = { room: room.id, receiver: target, issuer: sender };
    const waitMs = (action === "invite" ? limiter.invite(invite) : undefined) ?? limiter.send(sender);
    if (waitMs !== undefined) return limited(waitMs, world.limits.bodyOnly);
    if (action === "invite" && world.muteServers.has(serverOf(target))) world.stuckRooms.add(room.id);
    if (world.stuckRooms.has(room.id)) return noAnswer();
    const refusal = action === "invite" ? inviteRefusal(world, room, target) : undefined;
    if (refusal !== undefined) return problem(refusal);
    const refused = world.change(room.id, {
      action,
      sender,
      target,
      ...(reason === undefined ? {} : { reason }),
    });
    return refused === undefined ? ok({}) : problem(refused);
  };
}

/** Whom a request is about; a request without a body counts as an empty one. */
function readTarget({
  text,
  json,
}: SandboxRequest): { target: string; reason: string | undefined } | MatrixRefusal {
  const body: unknown = text === "" ? {} : json;
  if (body === undefined) return { status: 400, errcode: "M_NOT_JSON", error: "Content not JSON." };
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return { status: 400, errcode: "M_BAD_JSON", error: "Content must be a JSON object." };
  }
  const target = "user_id" in body ? body.user_id : undefined;
  if (typeof target !== "string") {
    return { status: 400, errcode: "M_MISSING_PARAM", error: "Missing params: ['user_id']" };
  }
  if (!target.startsWith("@")) {
    const error = "Expected UserID string to start with '@'";
    return { status: 400, errcode: "M_INVALID_PARAM", error };
  }
  if (!target.includes(":")) {
    const error = "Expected UserID of the form '@localname:domain'";
    return { status: 400, errcode: "M_INVALID_PARAM", error };
  }
  const reason = "reason" in body && typeof body.reason === "string" ? body.reason : undefined;
  return { target, reason };
}

const noAnswer = (): Promise<Reply> => new Promise(() => undefined);
const serverOf = (user: string) => user.slice(user.indexOf(":") + 1);

/** What the invited one, or their homeserver, has to say. */
function inviteRefusal(world: MatrixWorld, room: Room, target: string): MatrixRefusal | undefined {
  if (world.users.get(target)?.blocksInvites === true) {
    const error = "You are not permitted to invite this user.";
    return { status: 403, errcode: "M_INVITE_BLOCKED", error };
  }
  const server = serverOf(target);
  if (!world.deadServers.has(server) || membershipOf(room, target) === "join") return undefined;
  return { status: 502, errcode: "M_UNKNOWN", error: `Can't connect to server ${server}` };
}

/** What one does alone, by id or alias. */
function actAlone(action: "join" | "leave" | "knock") {
  return ({ world, words: [idOrAlias = ""], user }: Call): Reply | Promise<Reply> => {
    const id = idOrAlias.startsWith("#") ? world.aliases.get(idOrAlias) : idOrAlias;
    if (id === undefined) return notFound(`Room alias ${idOrAlias} not found`);
    if (!world.rooms.has(id)) {
      const error = "Can't join remote room because no servers that are in the room have been provided.";
      return unknown(404, error);
    }
    if (world.stuckRooms.has(id)) return noAnswer();
    const refused = world.change(id, { action, sender: user, target: user });
    if (refused !== undefined) return problem(refused);
    return ok(action === "leave" ? {} : { room_id: id });
  };
}

// ---- Rooms of one's own -----------------------------------------------------------------------------------------

function create({ world, limiter, request, user: creator }: Call): Reply | Promise<Reply> {
  const invite = (id: string, guest: string): MatrixRefusal | "waiting" | undefined => {
    if (world.muteServers.has(serverOf(guest))) return "waiting";
    const refusal = inviteRefusal(world, world.room(id), guest);
    return refusal ?? world.change(id, { action: "invite", sender: creator, target: guest });
  };
  const created = createRoom({ world, limiter, creator, body: request.json, invite });
  switch (created.is) {
    case "room":
      return ok({ room_id: created.id });
    case "refused":
      return problem(created.refusal);
    case "limited":
      return limited(created.waitMs, world.limits.bodyOnly);
    case "waiting":
      return noAnswer();
  }
}

function say({
  world,
  limiter,
  request,
  words: [room = "", type = "", transaction = ""],
  user,
}: Call): Reply {
  const found = world.rooms.get(room);
  if (found === undefined || membershipOf(found, user) !== "join")
    return forbidden(`User ${user} not in room ${room}`);
  const said = world.messages.find((one) => one.sender === user && one.transaction === transaction);
  if (said !== undefined) return ok({ event_id: said.eventId });
  const waitMs = limiter.send(user);
  if (waitMs !== undefined) return limited(waitMs, world.limits.bodyOnly);
  const { json } = request;
  if (typeof json !== "object" || json === null)
    return problem({ status: 400, errcode: "M_NOT_JSON", error: "Content not JSON." });
  const eventId = `$message-${String(world.messages.length + 1)}`;
  world.messages.push({ room, sender: user, type, content: { ...json }, transaction, eventId });
  return ok({ event_id: eventId });
}

function forget({ world, words: [id = ""], user }: Call): Reply {
  const room = world.rooms.get(id);
  const membership = room && membershipOf(room, user);
  if (membership === "join" || membership === "invite") return unknown(400, `User ${user} in room ${id}`);
  room?.stateAtDeparture.delete(user);
  return ok({});
}

/** Of people elsewhere, their homeserver is asked. */
function getProfile({ world, words: [user = ""] }: Call): Reply | Promise<Reply> {
  const server = serverOf(user);
  if (world.muteServers.has(server)) return noAnswer();
  if (world.deadServers.has(server)) return unknown(502, "Failed to fetch profile");
  if (server !== world.serverName) return ok({});
  const known = world.users.get(user);
  if (known === undefined) return notFound("Profile was not found");
  return ok(known.displayName === undefined ? {} : { displayname: known.displayName });
}
