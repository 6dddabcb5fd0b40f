/** Pure judgement over what was read of a server: may the bot manage a role, and who may be touched. */
import { PermissionFlagsBits } from "discord-api-types/v10";
import { parseRoleId } from "../ids.ts";
import type { OnExpiry, Reason, Standing } from "../model.ts";
import type { Guild, Member, Role } from "./guild.ts";

/** The bot as a member, with what its roles let it do. */
export interface Bot {
  readonly highest: Role | undefined;
  readonly permissions: bigint;
}

/** Roles stand by position; of two at the same position the older one, of the lower id, stands higher. */
function isAbove(one: Role, other: Role): boolean {
  if (one.position !== other.position) return one.position > other.position;
  return BigInt(one.id) < BigInt(other.id);
}

function highestOf(member: Member, guild: Guild): Role | undefined {
  let highest: Role | undefined;
  for (const id of member.roles) {
    const role = guild.roles.get(id);
    if (role !== undefined && (highest === undefined || isAbove(role, highest))) highest = role;
  }
  return highest;
}

/** https://discord.com/developers/docs/topics/permissions#permission-overwrites (of the whole server, no channel) */
export function botOf(member: Member, guild: Guild): Bot {
  const own = [guild.id, ...member.roles].map((id) => guild.roles.get(id)?.permissions ?? 0n);
  return { highest: highestOf(member, guild), permissions: own.reduce((all, each) => all | each, 0n) };
}

/** Whether the bot has a permission in the whole server. */
export const may = (bot: Bot, permission: bigint): boolean =>
  (bot.permissions & (PermissionFlagsBits.Administrator | permission)) !== 0n;

// ---- Places -----------------------------------------------------------------------------------------------------

/** The role of a place, or why the bot cannot manage it. */
export function manageableRole(
  place: { readonly id: string; readonly onExpiry: OnExpiry },
  guild: Guild,
  bot: Bot,
): Role | Reason {
  const id = parseRoleId(place.id);
  if (id === undefined)
    return {
      because: `"${place.id}" is no role id.`,
      remedy: "In Discord, turn on developer mode, right-click the role and copy its id.",
    };
  if (place.id === guild.id)
    return {
      because: `The role ${id} is @everyone (its id is the server's), which everybody has.`,
      remedy: "Put the id of a role of its own in the config.",
    };
  const role = guild.roles.get(id);
  if (role === undefined)
    return {
      because: `The server has no role ${id}; it was deleted, or never was.`,
      remedy: "Put the id of an existing role in the config, or take the entry out.",
      isGone: true,
    };
  return hindrance(role, place.onExpiry, bot) ?? role;
}

function hindrance(role: Role, onExpiry: OnExpiry, bot: Bot): Reason | undefined {
  if (role.isManaged)
    return {
      because: `The role "${role.name}" belongs to a bot, an integration, a shop or the boosters; only Discord hands it out.`,
      remedy: "Make a plain role and put its id in the config.",
    };
  if (!may(bot, PermissionFlagsBits.ManageRoles))
    return {
      because: `The bot may not hand out "${role.name}": it lacks the permission Manage Roles.`,
      remedy: "Give the bot's role Manage Roles in Server Settings, Roles.",
    };
  if (bot.highest === undefined || !isAbove(bot.highest, role))
    return {
      because: `The role "${role.name}" is not below the bot's highest role, so the bot cannot hand it out.`,
      remedy: `Drag the bot's role above "${role.name}" in Server Settings, Roles.`,
    };
  if (onExpiry === "evict" && !may(bot, PermissionFlagsBits.KickMembers))
    return {
      because: `on_expiry of "${role.name}" is kick, but the bot lacks the permission Kick Members.`,
      remedy: "Give the bot's role Kick Members in Server Settings, Roles, or set on_expiry to remove_role.",
    };
  return undefined;
}

/** What a role for fans should not carry: power over others. */
export function dangersOf(role: Role): readonly string[] {
  const carried = [...staffPermissions].filter(([bit]) => (role.permissions & bit) !== 0n);
  if (carried.length === 0) return [];
  const words = carried.map(([, name]) => name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ")).join(", ");
  return [
    `The role "${role.name}" carries ${words}, and whoever is given it has that power. Switch it off for this role in Server Settings, Roles.`,
  ];
}

// ---- People -----------------------------------------------------------------------------------------------------

/** By bit, since some have two names; the newer one comes last. */
const staffPermissions: ReadonlyMap<bigint, string> = new Map(
  Object.entries(PermissionFlagsBits)
    .filter(([name]) => /^(Administrator|KickMembers|BanMembers|ModerateMembers|Manage.+)$/.test(name))
    .map(([name, bit]) => [bit, name]),
);
const staffBits = [...staffPermissions.keys()].reduce((all, bit) => all | bit, 0n);
const isStaffRole = (role: Role) => (role.permissions & staffBits) !== 0n;

export interface Touch {
  readonly guild: Guild;
  readonly bot: Bot;
  /** Roles that are places themselves: what they allow makes nobody staff. */
  readonly placeRoles: ReadonlySet<string>;
  readonly protectBoosters: boolean;
}

/** Why nothing may be taken from a member; undefined: it may. */
export function untouchable(
  member: Member,
  { guild, bot, placeRoles, protectBoosters }: Touch,
): string | undefined {
  if (member.id === guild.botId) return "is this bot itself";
  if (member.id === guild.ownerId) return "owns the server";
  if (member.isBot) return "is a bot";
  for (const id of member.roles) {
    const role = guild.roles.get(id);
    // A role made between two readings may be anything.
    if (role === undefined) return "has a role that Discord did not list";
    if (!placeRoles.has(id) && isStaffRole(role)) return `is staff by the role "${role.name}"`;
  }
  const highest = highestOf(member, guild);
  if (highest !== undefined && (bot.highest === undefined || !isAbove(bot.highest, highest)))
    return `ranks as high as the bot by the role "${highest.name}"`;
  if (protectBoosters && member.isBooster) return "boosts the server";
  return undefined;
}

/** How a member of the server stands in a role. */
export function standingIn(roleId: string, member: Member, touch: Touch): Standing {
  if (!member.roles.has(roleId)) return { is: "out" };
  const reason = untouchable(member, touch);
  return reason === undefined ? { is: "in" } : { is: "in", untouchable: reason };
}
