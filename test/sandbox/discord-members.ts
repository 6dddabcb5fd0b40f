/** Members: reading them, bringing them in, their roles, throwing them out. */
import { PermissionFlagsBits } from "discord-api-types/v10";
import { recordKick, recordRoles } from "./discord-audit.ts";
import { apiMember } from "./discord-bodies.ts";
import {
  banned,
  invalidForm,
  invalidUserToken,
  missingAccess,
  missingField,
  missingPermissions,
  missingScope,
  notASnowflake,
  tooManyGuilds,
  unknownMember,
  unknownRole,
  unknownUser,
} from "./discord-errors.ts";
import { botMay, botOutranks, botOutranksMember } from "./discord-rank.ts";
import { type Call, isSnowflake, objectOf, type Route } from "./discord-routes.ts";
import { addMember, type DiscordWorld, type SandboxMember, tell } from "./discord-world.ts";
import type { Reply } from "./server.ts";

export const memberRoutes: readonly Route[] = [
  { path: "/guilds/{guild_id}/members", handlers: { GET: listMembers } },
  {
    path: "/guilds/{guild_id}/members/{user_id}",
    handlers: { GET: getMember, PUT: bringIn, DELETE: kick },
  },
  {
    path: "/guilds/{guild_id}/members/{user_id}/roles/{role_id}",
    handlers: { PUT: (call) => changeRole(call, "added"), DELETE: (call) => changeRole(call, "removed") },
  },
];

const noContent: Reply = { status: 204 };

// ---- Reading ----------------------------------------------------------------------------------------------------

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

function getMember({ world, ids }: Call): Reply {
  const member = world.members.get(ids.user_id);
  return member === undefined ? absent(world, ids.user_id) : { status: 200, body: apiMember(member) };
}

const absent = (world: DiscordWorld, userId: string): Reply =>
  world.deletedUsers.has(userId) ? unknownUser : unknownMember;

// ---- Roles ------------------------------------------------------------------------------------------------------

/** Why the bot may not hand out a role. */
function roleRefusal(world: DiscordWorld, roleId: string): Reply | undefined {
  const role = world.roles.get(roleId);
  if (role === undefined || roleId === world.guild.id) return unknownRole;
  const isAllowed =
    botMay(world, PermissionFlagsBits.ManageRoles) && botOutranks(world, role) && !role.managed;
  return isAllowed ? undefined : missingPermissions;
}

function changeRole({ world, ids, reason }: Call, how: "added" | "removed"): Reply {
  const member = world.members.get(ids.user_id);
  if (member === undefined) return absent(world, ids.user_id);
  const refusal = roleRefusal(world, ids.role_id);
  if (refusal !== undefined) return refusal;
  recordRoles(world, member, { actor: world.bot.id, [how]: [ids.role_id], reason });
  return noContent;
}

// ---- Coming and going -------------------------------------------------------------------------------------------

function kick({ world, ids, reason }: Call): Reply {
  const member = world.members.get(ids.user_id);
  if (member === undefined) return absent(world, ids.user_id);
  if (!botMay(world, PermissionFlagsBits.KickMembers)) return missingPermissions;
  if (!botOutranksMember(world, ids.user_id)) return missingPermissions;
  recordKick(world, member, { actor: world.bot.id, reason });
  return noContent;
}

interface Invitation {
  readonly accessToken: string;
  readonly roles: readonly string[];
}

function invitationOf(json: unknown): Invitation | Reply {
  const { access_token: accessToken, roles = [] } = objectOf(json);
  if (typeof accessToken !== "string") return missingField("access_token");
  if (!Array.isArray(roles))
    return invalidForm("roles", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
  return { accessToken, roles: roles.map(String) };
}

/** https://discord.com/developers/docs/resources/guild#add-guild-member */
function bringIn({ world, ids, request }: Call): Reply {
  const invitation = invitationOf(request.json);
  if ("status" in invitation) return invitation;
  const refusal = joinRefusal(world, ids.user_id, invitation);
  if (refusal !== undefined) return refusal;
  // Of somebody who is there, nothing is changed.
  if (world.members.has(ids.user_id)) return noContent;
  if (world.fullUsers.has(ids.user_id)) return tooManyGuilds;
  const roles = [...new Set(invitation.roles)];
  const member = enter(world, ids.user_id, roles);
  return { status: 201, body: apiMember(member) };
}

function joinRefusal(
  world: DiscordWorld,
  userId: string,
  { accessToken, roles }: Invitation,
): Reply | undefined {
  if (!botMay(world, PermissionFlagsBits.CreateInstantInvite)) return missingPermissions;
  if (!world.users.has(userId) || world.deletedUsers.has(userId)) return unknownUser;
  const login = [...world.logins].find(
    (each) => each.accessToken === accessToken && each.expiresAtMs > world.now(),
  );
  const isTheirs = login?.account === userId && login.clientId === world.application.id;
  if (login === undefined || !isTheirs) return invalidUserToken;
  if (!login.scopes.includes("guilds.join")) return missingScope;
  if (world.bans.has(userId)) return banned;
  return roles.map((id) => roleRefusal(world, id)).find((each) => each !== undefined);
}

/** Somebody comes in and is told of. */
export function enter(world: DiscordWorld, userId: string, roles: readonly string[] = []): SandboxMember {
  const user = world.users.get(userId);
  const member = addMember(world, { ...(user ?? { id: userId }), roles });
  member.joinedAtMs = world.now();
  tell(world, { is: "member added", member });
  return member;
}
