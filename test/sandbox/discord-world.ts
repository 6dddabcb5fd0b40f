/**
 * What the Discord stand-in knows: one server, its roles and members, the bot. Plain data that a test changes directly,
 * and the questions of rank and permission that Discord answers from it.
 */
import { PermissionFlagsBits } from "discord.js";

export interface SandboxRole {
  readonly id: string;
  name: string;
  position: number;
  permissions: bigint;
  managed: boolean;
  tags: {
    bot_id?: string;
    integration_id?: string;
    subscription_listing_id?: string;
    premium_subscriber?: null;
    available_for_purchase?: null;
    guild_connections?: null;
  };
}

export interface SandboxUser {
  readonly id: string;
  username: string;
  bot: boolean;
}

export interface SandboxMember {
  readonly user: SandboxUser;
  readonly roles: Set<string>;
  premiumSinceMs: number | undefined;
  nick: string | undefined;
  joinedAtMs: number;
}

export interface SandboxAuditEntry {
  readonly action: "kick" | "role update";
  readonly actor: string;
  readonly account: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly reason: string | undefined;
}

/** A bucket of requests, as Discord's rate limits have them. */
export interface SandboxLimit {
  limit: number;
  windowMs: number;
}

export interface DiscordWorld {
  readonly guild: { id: string; name: string; ownerId: string };
  readonly bot: { id: string; token: string; username: string };
  readonly roles: Map<string, SandboxRole>;
  readonly members: Map<string, SandboxMember>;
  readonly bans: Set<string>;
  /** Users whose account is gone. */
  readonly deletedUsers: Set<string>;
  readonly intents: { guildMembers: boolean };
  /** Whether `roles/member-counts` exists. */
  readonly features: { memberCounts: boolean };
  /** Of reading and of writing, per kind of route. Generous; tests make them tight. */
  readonly limits: { read: SandboxLimit; write: SandboxLimit };
  readonly auditLog: SandboxAuditEntry[];
}

// ---- Making a world ---------------------------------------------------------------------------------------------

/** Ids that look like Discord's: 18 digits, growing. */
export const userIdAt = (index: number): string => String(300_000_000_000_000_000n + BigInt(index));
export const roleIdAt = (index: number): string => String(200_000_000_000_000_000n + BigInt(index));

/** A server with an owner and the bot; the bot's role may hand out roles and kick, and stands at position 50. */
export function createDiscordWorld(): DiscordWorld {
  const guild = {
    id: "100000000000000001",
    name: "Velvet Lounge",
    ownerId: "110000000000000001",
  };
  const bot = { id: "120000000000000001", token: "sandbox-bot-token", username: "fanvue-sync" };
  const world: DiscordWorld = {
    guild,
    bot,
    roles: new Map(),
    members: new Map(),
    bans: new Set(),
    deletedUsers: new Set(),
    intents: { guildMembers: true },
    features: { memberCounts: true },
    limits: { read: { limit: 1000, windowMs: 1000 }, write: { limit: 1000, windowMs: 1000 } },
    auditLog: [],
  };
  addRole(world, {
    id: guild.id,
    name: "@everyone",
    position: 0,
    permissions: PermissionFlagsBits.ViewChannel,
  });
  const botRole = addRole(world, {
    id: "130000000000000001",
    name: bot.username,
    position: 50,
    permissions: PermissionFlagsBits.ManageRoles | PermissionFlagsBits.KickMembers,
    managed: true,
    tags: { bot_id: bot.id },
  });
  addMember(world, { id: guild.ownerId, username: "owner" });
  addMember(world, { id: bot.id, username: bot.username, bot: true, roles: [botRole.id] });
  return world;
}

/** Adds a role; by default a plain one below the bot's. */
export function addRole(
  world: DiscordWorld,
  role: Partial<SandboxRole> & { readonly id: string },
): SandboxRole {
  const whole: SandboxRole = {
    name: `role ${role.id}`,
    position: 1,
    permissions: 0n,
    managed: false,
    tags: {},
    ...role,
  };
  world.roles.set(whole.id, whole);
  return whole;
}

export function addMember(
  world: DiscordWorld,
  member: {
    readonly id: string;
    readonly username?: string;
    readonly bot?: boolean;
    readonly roles?: Iterable<string>;
    readonly premiumSinceMs?: number;
  },
): SandboxMember {
  const whole: SandboxMember = {
    user: { id: member.id, username: member.username ?? `user-${member.id}`, bot: member.bot ?? false },
    roles: new Set(member.roles),
    premiumSinceMs: member.premiumSinceMs,
    nick: undefined,
    joinedAtMs: Date.UTC(2026, 0, 1),
  };
  world.members.set(whole.user.id, whole);
  return whole;
}

/** Whoever holds a role, sorted by id: what tests compare. */
export const holdersOf = (world: DiscordWorld, roleId: string): readonly string[] =>
  [...world.members.values()]
    .filter(({ roles }) => roles.has(roleId))
    .map(({ user }) => user.id)
    .sort();

// ---- Rank and permission ----------------------------------------------------------------------------------------

/** Negative where the first stands higher. */
const byRank = (one: SandboxRole, other: SandboxRole) =>
  other.position - one.position || (BigInt(one.id) < BigInt(other.id) ? -1 : 1);

const rolesOf = (world: DiscordWorld, id: string): readonly SandboxRole[] =>
  [...(world.members.get(id)?.roles ?? [])]
    .map((roleId) => world.roles.get(roleId))
    .filter((role) => role !== undefined)
    .sort(byRank);

/** Whether the bot has a permission in the whole server. */
export function botMay(world: DiscordWorld, permission: bigint): boolean {
  const everyone = world.roles.get(world.guild.id)?.permissions ?? 0n;
  const all = rolesOf(world, world.bot.id).reduce((bits, role) => bits | role.permissions, everyone);
  return (all & (PermissionFlagsBits.Administrator | permission)) !== 0n;
}

/** Whether the bot's highest role stands above a role. */
export function botOutranks(world: DiscordWorld, role: SandboxRole | undefined): boolean {
  const [highest] = rolesOf(world, world.bot.id);
  if (highest === undefined) return false;
  return role === undefined || (role.id !== highest.id && byRank(highest, role) < 0);
}

/** Whether the bot may throw a member out, as far as rank goes. */
export const botOutranksMember = (world: DiscordWorld, id: string): boolean =>
  id !== world.guild.ownerId && botOutranks(world, rolesOf(world, id)[0]);
