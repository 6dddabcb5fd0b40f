/**
 * A stand-in for Discord's REST API, version 10: enough of it to read a server and to change its members, with the real
 * service's statuses, error bodies, rate headers and audit log. discord.js talks to it when `rest.api` is its `apiUrl`.
 */
import { createHash } from "node:crypto";
import {
  type APIGuildMember,
  type APIRole,
  type APIUser,
  PermissionFlagsBits,
  RESTJSONErrorCodes,
} from "discord.js";
import {
  botMay,
  botOutranks,
  botOutranksMember,
  createDiscordWorld,
  type DiscordWorld,
  type SandboxMember,
  type SandboxRole,
} from "./discord-world.ts";
import { type Fault, type Recorded, type Reply, type SandboxRequest, serve } from "./server.ts";

export interface DiscordSandbox {
  /** For `discord.api_url`: without the version. */
  readonly apiUrl: string;
  readonly world: DiscordWorld;
  /** Every request since the start, oldest first. */
  readonly requests: Recorded[];
  /** Push to break things, empty to mend them. */
  readonly faults: Fault[];
  stop(): Promise<void>;
}

export interface DiscordSandboxOptions {
  /** Default: a server with its owner and the bot. */
  readonly world?: DiscordWorld;
  readonly now?: () => number;
  readonly port?: number;
}

/** Starts Discord on 127.0.0.1. */
export async function startDiscord(options: DiscordSandboxOptions = {}): Promise<DiscordSandbox> {
  const world = options.world ?? createDiscordWorld();
  const now = options.now ?? Date.now;
  const limiter = createLimiter(world, now);
  const server = await serve((request) => limiter(request, () => answer(world, request)), {
    now,
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  return { ...server, apiUrl: `${server.url}/api`, world };
}

// ---- Errors -----------------------------------------------------------------------------------------------------

const refuse = (status: number, code: number, message: string): Reply => ({
  status,
  body: { message, code },
});

const codes = RESTJSONErrorCodes;
const unauthorized = refuse(401, codes.GeneralError, "401: Unauthorized");
const notFound = refuse(404, codes.GeneralError, "404: Not Found");
const wrongMethod = refuse(405, codes.GeneralError, "405: Method Not Allowed");
const wrongVersion = refuse(400, codes.InvalidAPIVersion, "Invalid API version provided");
const unknownGuild = refuse(404, codes.UnknownGuild, "Unknown Guild");
const unknownMember = refuse(404, codes.UnknownMember, "Unknown Member");
const unknownUser = refuse(404, codes.UnknownUser, "Unknown User");
const unknownRole = refuse(404, codes.UnknownRole, "Unknown Role");
const missingAccess = refuse(403, codes.MissingAccess, "Missing Access");
const missingPermissions = refuse(403, codes.MissingPermissions, "Missing Permissions");

const invalidForm = (field: string, code: string, message: string): Reply => ({
  status: 400,
  body: {
    message: "Invalid Form Body",
    code: codes.InvalidFormBodyOrContentType,
    errors: { [field]: { _errors: [{ code, message }] } },
  },
});
const notASnowflake = (field: string, value: string) =>
  invalidForm(field, "NUMBER_TYPE_COERCE", `Value "${value}" is not snowflake.`);

// ---- Rate limits ------------------------------------------------------------------------------------------------

/** Ids in a path make no bucket of their own, but the server's does. */
function bucketOf(world: DiscordWorld, { method, path }: SandboxRequest): { name: string; isRead: boolean } {
  const kind = path.replaceAll(/\d{15,20}/g, (id) => (id === world.guild.id ? id : ":id"));
  // Giving and taking one role count together.
  const verb = method === "DELETE" && kind.includes("/roles/") ? "PUT" : method;
  const name = createHash("sha1").update(`${verb} ${kind}`).digest("hex").slice(0, 32);
  return { name, isRead: method === "GET" };
}

/** https://discord.com/developers/docs/topics/rate-limits#header-format-rate-limit-header-examples */
function createLimiter(world: DiscordWorld, now: () => number) {
  const buckets = new Map<string, { left: number; resetAtMs: number }>();
  return (request: SandboxRequest, handle: () => Reply): Reply => {
    const { name, isRead } = bucketOf(world, request);
    const { limit, windowMs } = isRead ? world.limits.read : world.limits.write;
    const current = buckets.get(name);
    const bucket =
      current === undefined || current.resetAtMs <= now()
        ? { left: limit, resetAtMs: now() + windowMs }
        : current;
    buckets.set(name, bucket);
    const seconds = Math.max(0, bucket.resetAtMs - now()) / 1000;
    const isOver = bucket.left <= 0;
    if (!isOver) bucket.left -= 1;
    const headers = {
      "x-ratelimit-limit": String(limit),
      "x-ratelimit-remaining": String(bucket.left),
      "x-ratelimit-reset": String(bucket.resetAtMs / 1000),
      "x-ratelimit-reset-after": seconds.toFixed(3),
      "x-ratelimit-bucket": name,
    };
    if (isOver) return tooFast(seconds, headers);
    const reply = handle();
    return { ...reply, headers: { ...headers, ...reply.headers } };
  };
}

const tooFast = (seconds: number, headers: Readonly<Record<string, string>>): Reply => ({
  status: 429,
  body: { message: "You are being rate limited.", retry_after: seconds, global: false },
  headers: { ...headers, "retry-after": seconds.toFixed(3), "x-ratelimit-scope": "user" },
});

// ---- Routes -----------------------------------------------------------------------------------------------------

interface Call {
  readonly world: DiscordWorld;
  readonly request: SandboxRequest;
  /** What stands in the path behind the server's id: a user id and a role id, as far as given. */
  readonly userId: string;
  readonly roleId: string;
  /** What moderators read in the audit log. */
  readonly reason: string | undefined;
}
type Handler = (call: Call) => Reply;

const guildRoutes: readonly {
  readonly path: RegExp;
  readonly handlers: Readonly<Record<string, Handler>>;
}[] = [
  { path: /^$/, handlers: { GET: getGuild } },
  { path: /^\/roles$/, handlers: { GET: getRoles } },
  { path: /^\/roles\/member-counts$/, handlers: { GET: getMemberCounts } },
  { path: /^\/members$/, handlers: { GET: listMembers } },
  { path: /^\/members\/([^/]+)$/, handlers: { GET: getMember, DELETE: kick } },
  { path: /^\/members\/([^/]+)\/roles\/([^/]+)$/, handlers: { PUT: giveRole, DELETE: takeRole } },
];

function answer(world: DiscordWorld, request: SandboxRequest): Reply {
  const path = /^\/api\/v(\d+)(\/.*)$/.exec(decodeURIComponent(request.path));
  if (path === null) return notFound;
  if (path[1] !== "10") return wrongVersion;
  if (request.headers["authorization"] !== `Bot ${world.bot.token}`) return unauthorized;
  const rest = path[2] ?? "";
  if (rest === "/users/@me") return request.method === "GET" ? getMe(world) : wrongMethod;
  const guild = /^\/guilds\/([^/]+)(.*)$/.exec(rest);
  return guild === null ? notFound : answerGuild(world, request, guild[1] ?? "", guild[2] ?? "");
}

const isSnowflake = (text: string) => /^\d{1,20}$/.test(text);

function answerGuild(world: DiscordWorld, request: SandboxRequest, guildId: string, path: string): Reply {
  if (!isSnowflake(guildId)) return notASnowflake("guild_id", guildId);
  if (guildId !== world.guild.id) return unknownGuild;
  if (!world.members.has(world.bot.id)) return missingAccess;
  for (const route of guildRoutes) {
    const match = route.path.exec(path);
    if (match === null) continue;
    const [, userId = "", roleId = ""] = match;
    if (match.length > 1 && !isSnowflake(userId)) return notASnowflake("user_id", userId);
    if (match.length > 2 && !isSnowflake(roleId)) return notASnowflake("role_id", roleId);
    const written = request.headers["x-audit-log-reason"];
    const reason = written === undefined ? undefined : decodeURIComponent(written);
    return route.handlers[request.method]?.({ world, request, userId, roleId, reason }) ?? wrongMethod;
  }
  return notFound;
}

// ---- Reading ----------------------------------------------------------------------------------------------------

/** The library's types with plain numbers for flags, whose enums have no member for "none". */
type Plain<T> = { [Key in keyof T]: T[Key] extends number ? number : T[Key] };
type ApiUser = Plain<
  Pick<APIUser, "id" | "username" | "avatar" | "discriminator" | "global_name" | "bot"> &
    Required<Pick<APIUser, "public_flags" | "flags" | "primary_guild">>
>;
type ApiMember = Plain<Omit<APIGuildMember, "user">> & { readonly user: ApiUser };
type ApiRole = Plain<Omit<APIRole, "color">> & { readonly color: number };

const apiUser = (user: SandboxMember["user"]): ApiUser => ({
  id: user.id,
  username: user.username,
  avatar: null,
  discriminator: "0",
  public_flags: 0,
  flags: 0,
  ...(user.bot ? { bot: true } : {}),
  global_name: null,
  primary_guild: null,
});

const iso = (ms: number) => new Date(ms).toISOString().replace("Z", "000+00:00");

const apiMember = (member: SandboxMember): ApiMember => ({
  avatar: null,
  banner: null,
  communication_disabled_until: null,
  flags: 0,
  joined_at: iso(member.joinedAtMs),
  nick: member.nick ?? null,
  pending: false,
  premium_since: member.premiumSinceMs === undefined ? null : iso(member.premiumSinceMs),
  roles: [...member.roles],
  user: apiUser(member.user),
  mute: false,
  deaf: false,
});

const apiRole = (role: SandboxRole): ApiRole => ({
  id: role.id,
  name: role.name,
  permissions: String(role.permissions),
  position: role.position,
  color: 0,
  colors: { primary_color: 0, secondary_color: null, tertiary_color: null },
  hoist: false,
  managed: role.managed,
  mentionable: false,
  icon: null,
  unicode_emoji: null,
  ...(Object.keys(role.tags).length > 0 ? { tags: role.tags } : {}),
  flags: 0,
});

function getMe(world: DiscordWorld): Reply {
  const { id, username } = world.bot;
  const body = {
    ...apiUser({ id, username, bot: true }),
    mfa_enabled: true,
    locale: "en-US",
    verified: true,
  };
  return { status: 200, body };
}

function getGuild({ world }: Call): Reply {
  const { id, name, ownerId } = world.guild;
  return { status: 200, body: { ...plainGuild, id, name, owner_id: ownerId, roles: apiRoles(world) } };
}

const apiRoles = (world: DiscordWorld) => [...world.roles.values()].map(apiRole);

function getRoles({ world }: Call): Reply {
  return { status: 200, body: apiRoles(world) };
}

/** Everyone's own role is not counted. */
function getMemberCounts({ world }: Call): Reply {
  if (!world.features.memberCounts) return notFound;
  const counts = new Map([...world.roles.keys()].filter((id) => id !== world.guild.id).map((id) => [id, 0]));
  for (const { roles } of world.members.values())
    for (const id of roles) counts.set(id, (counts.get(id) ?? 0) + 1);
  return { status: 200, body: Object.fromEntries(counts) };
}

/** Ids have no leading zeros, so the longer one is the greater one. */
const byId = (one: string, other: string) => one.length - other.length || (one < other ? -1 : 1);

function listMembers({ world, request }: Call): Reply {
  if (!world.intents.guildMembers) return missingAccess;
  const limit = Number(request.query.get("limit") ?? "1");
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    return invalidForm("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 1000.");
  const after = request.query.get("after") ?? "0";
  if (!isSnowflake(after)) return notASnowflake("after", after);
  const ids = [...world.members.keys()].filter((id) => byId(id, after) > 0 && id !== after).sort(byId);
  const page = ids
    .slice(0, limit)
    .map((id) => world.members.get(id))
    .filter((member) => member !== undefined);
  return { status: 200, body: page.map(apiMember) };
}

function getMember({ world, userId }: Call): Reply {
  const member = world.members.get(userId);
  return member === undefined ? absent(world, userId) : { status: 200, body: apiMember(member) };
}

const absent = (world: DiscordWorld, userId: string): Reply =>
  world.deletedUsers.has(userId) ? unknownUser : unknownMember;

// ---- Writing ----------------------------------------------------------------------------------------------------

/** The refusal that giving and taking a role have in common. */
function roleRefusal({ world, userId, roleId }: Call): Reply | undefined {
  if (!world.members.has(userId)) return absent(world, userId);
  const role = world.roles.get(roleId);
  if (role === undefined || roleId === world.guild.id) return unknownRole;
  const isAllowed =
    botMay(world, PermissionFlagsBits.ManageRoles) && botOutranks(world, role) && !role.managed;
  return isAllowed ? undefined : missingPermissions;
}

const noContent: Reply = { status: 204 };

function giveRole(call: Call): Reply {
  return roleRefusal(call) ?? changeRole(call, "added");
}

function takeRole(call: Call): Reply {
  return roleRefusal(call) ?? changeRole(call, "removed");
}

function changeRole({ world, userId, roleId, reason }: Call, how: "added" | "removed"): Reply {
  const roles = world.members.get(userId)?.roles;
  if (roles === undefined) return unknownMember;
  if (roles.has(roleId) === (how === "added")) return noContent;
  if (how === "added") roles.add(roleId);
  else roles.delete(roleId);
  world.auditLog.push({
    action: "role update",
    actor: world.bot.id,
    account: userId,
    added: how === "added" ? [roleId] : [],
    removed: how === "removed" ? [roleId] : [],
    reason,
  });
  return noContent;
}

function kick({ world, userId, reason }: Call): Reply {
  if (!world.members.has(userId)) return absent(world, userId);
  if (!botMay(world, PermissionFlagsBits.KickMembers)) return missingPermissions;
  if (!botOutranksMember(world, userId)) return missingPermissions;
  world.members.delete(userId);
  world.auditLog.push({
    action: "kick",
    actor: world.bot.id,
    account: userId,
    added: [],
    removed: [],
    reason,
  });
  return noContent;
}

// ---- A server's other particulars -------------------------------------------------------------------------------

const plainGuild = {
  icon: null,
  description: null,
  home_header: null,
  splash: null,
  discovery_splash: null,
  features: [],
  banner: null,
  application_id: null,
  region: "rotterdam",
  afk_channel_id: null,
  afk_timeout: 300,
  system_channel_id: null,
  system_channel_flags: 0,
  widget_enabled: false,
  widget_channel_id: null,
  verification_level: 1,
  default_message_notifications: 1,
  mfa_level: 0,
  explicit_content_filter: 2,
  max_presences: null,
  max_members: 500_000,
  max_stage_video_channel_users: 50,
  max_video_channel_users: 25,
  vanity_url_code: null,
  premium_tier: 0,
  premium_subscription_count: 0,
  preferred_locale: "en-US",
  rules_channel_id: null,
  safety_alerts_channel_id: null,
  public_updates_channel_id: null,
  premium_progress_bar_enabled: false,
  nsfw: false,
  nsfw_level: 0,
  emojis: [],
  stickers: [],
  incidents_data: null,
};
