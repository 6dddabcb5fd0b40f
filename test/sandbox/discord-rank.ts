/** The questions of rank and permission that Discord answers from its world. */
import { PermissionFlagsBits } from "discord-api-types/v10";
import type { DiscordWorld, SandboxRole } from "./discord-world.ts";

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
