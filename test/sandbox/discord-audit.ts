/** The server's audit log: every change is written down in it with who made it, and read from it. */
import {
  type APIAuditLogEntry,
  type APIAuditLogChange,
  AuditLogEvent,
  PermissionFlagsBits,
  type RESTGetAPIAuditLogResult,
} from "discord-api-types/v10";
import { type ApiUser, apiUser } from "./discord-bodies.ts";
import { invalidForm, missingPermissions, notASnowflake } from "./discord-errors.ts";
import { botMay } from "./discord-rank.ts";
import { type Call, isSnowflake, type Route } from "./discord-routes.ts";
import {
  type DiscordWorld,
  nextId,
  type SandboxAuditEntry,
  type SandboxMember,
  tell,
} from "./discord-world.ts";
import type { Reply } from "./server.ts";

export const auditRoutes: readonly Route[] = [
  { path: "/guilds/{guild_id}/audit-logs", handlers: { GET: getAuditLog } },
];

// ---- Changes ----------------------------------------------------------------------------------------------------

interface By {
  readonly actor: string;
  readonly reason?: string | undefined;
}

/** Changes a member's roles and writes down what did change; nothing, where all was so already. */
export function recordRoles(
  world: DiscordWorld,
  member: SandboxMember,
  {
    actor,
    reason,
    ...change
  }: By & { readonly added?: readonly string[]; readonly removed?: readonly string[] },
): void {
  const added = (change.added ?? []).filter((id) => !member.roles.has(id));
  const removed = (change.removed ?? []).filter((id) => member.roles.has(id));
  if (added.length + removed.length === 0) return;
  for (const id of added) member.roles.add(id);
  for (const id of removed) member.roles.delete(id);
  const account = member.user.id;
  world.auditLog.push({ id: nextId(world), action: "role update", actor, account, added, removed, reason });
  tell(world, { is: "member updated", member });
}

/** Throws a member out, for good where it is a ban, and writes it down. */
export function recordKick(
  world: DiscordWorld,
  member: SandboxMember,
  { actor, reason, action = "kick" }: By & { readonly action?: "kick" | "ban" },
): void {
  const account = member.user.id;
  world.members.delete(account);
  if (action === "ban") world.bans.add(account);
  world.auditLog.push({ id: nextId(world), action, actor, account, added: [], removed: [], reason });
  tell(world, { is: "member removed", member });
}

// ---- Reading ----------------------------------------------------------------------------------------------------

const eventOf = {
  kick: AuditLogEvent.MemberKick,
  ban: AuditLogEvent.MemberBanAdd,
  "role update": AuditLogEvent.MemberRoleUpdate,
} as const;

function changesOf(world: DiscordWorld, { added, removed }: SandboxAuditEntry): APIAuditLogChange[] {
  const named = (ids: readonly string[]) =>
    ids.map((id) => ({ name: world.roles.get(id)?.name ?? "deleted role", id }));
  return [
    ...(added.length > 0 ? [{ key: "$add", new_value: named(added) } as const] : []),
    ...(removed.length > 0 ? [{ key: "$remove", new_value: named(removed) } as const] : []),
  ];
}

const apiEntry = (world: DiscordWorld, entry: SandboxAuditEntry): APIAuditLogEntry => ({
  id: entry.id,
  user_id: entry.actor,
  target_id: entry.account,
  action_type: eventOf[entry.action],
  ...(entry.action === "role update" ? { changes: changesOf(world, entry) } : {}),
  ...(entry.reason === undefined ? {} : { reason: entry.reason }),
});

/**
 * The newest first, unless `after` is given: then the oldest of those behind it first.
 * https://discord.com/developers/docs/resources/audit-log#get-guild-audit-log
 */
function getAuditLog({ world, request: { query } }: Call): Reply {
  if (!botMay(world, PermissionFlagsBits.ViewAuditLog)) return missingPermissions;
  const bad = ["user_id", "target_id", "before", "after"].find(
    (name) => !isSnowflake(query.get(name) ?? "0"),
  );
  if (bad !== undefined) return notASnowflake(bad, query.get(bad) ?? "");
  const limit = Number(query.get("limit") ?? "50");
  if (!Number.isInteger(limit) || limit < 1 || limit > 100)
    return invalidForm("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.");
  const found = world.auditLog.filter((entry) => isAskedFor(entry, query));
  const page = (query.has("after") ? found : found.toReversed()).slice(0, limit);
  const users = new Set(page.flatMap(({ actor, account }) => [actor, account]));
  const body: Omit<RESTGetAPIAuditLogResult, "users"> & { readonly users: readonly ApiUser[] } = {
    audit_log_entries: page.map((entry) => apiEntry(world, entry)),
    users: [...users].flatMap((id) => usersNamed(world, id)),
    integrations: [],
    webhooks: [],
    guild_scheduled_events: [],
    threads: [],
    application_commands: [],
    auto_moderation_rules: [],
  };
  return { status: 200, body };
}

function isAskedFor(entry: SandboxAuditEntry, query: URLSearchParams): boolean {
  const is = (name: string, value: string) => (query.get(name) ?? value) === value;
  const before = query.get("before");
  return (
    is("user_id", entry.actor) &&
    is("target_id", entry.account) &&
    is("action_type", String(eventOf[entry.action])) &&
    (before === null || BigInt(entry.id) < BigInt(before)) &&
    BigInt(entry.id) > BigInt(query.get("after") ?? "0")
  );
}

function usersNamed(world: DiscordWorld, id: string): readonly ApiUser[] {
  const user = world.users.get(id);
  return user === undefined ? [] : [apiUser(user)];
}
