/** What we need of Discord's answers; everything else in them is let through unread. */
import { z } from "zod";
import { parseDiscordUserId, type DiscordUserId } from "../ids.ts";

export const snowflake = z.string().regex(/^\d{1,20}$/);
const userId = z.custom<DiscordUserId>(
  (value) => typeof value === "string" && parseDiscordUserId(value) !== undefined,
  { error: "not a user id" },
);

/** https://discord.com/developers/docs/resources/user#user-object */
export const userShape = z.object({ id: userId });

/** Whoever gave us a login, with the names they go by; the global one not everybody has. */
export const loginOwnerShape = z.object({
  id: userId,
  username: z.string(),
  global_name: z.string().nullish(),
});

/** https://discord.com/developers/docs/resources/guild#guild-object */
export const guildShape = z.object({ id: snowflake, name: z.string(), owner_id: snowflake });

/**
 * A tag that is there with the value null means true:
 * https://discord.com/developers/docs/topics/permissions#role-object-role-tags-structure
 */
export const roleShape = z.object({
  id: snowflake,
  name: z.string(),
  position: z.int(),
  permissions: z.string().regex(/^\d+$/),
  managed: z.boolean().optional(),
  tags: z.record(z.string(), z.unknown()).optional(),
});

/** https://discord.com/developers/docs/resources/guild#guild-member-object */
export const memberShape = z.object({
  user: z.object({ id: userId, bot: z.boolean().optional() }),
  roles: z.array(snowflake),
  premium_since: z.string().nullish(),
});

/** Role id → how many hold it. */
export const memberCountsShape = z.record(z.string(), z.int());

const roleChange = z.object({
  key: z.enum(["$add", "$remove"]),
  new_value: z.array(z.object({ id: snowflake })),
});
const otherChange = z.object({
  key: z
    .string()
    .regex(/^(?!\$(add|remove)$)/)
    .nullable(),
});

/** https://discord.com/developers/docs/resources/audit-log#audit-log-object */
export const auditLogShape = z.object({
  audit_log_entries: z.array(
    z.object({
      id: snowflake,
      action_type: z.int(),
      user_id: snowflake.nullable(),
      target_id: z.string().nullable(),
      changes: z.array(z.union([roleChange, otherChange])).optional(),
    }),
  ),
  users: z.array(z.object({ id: snowflake, username: z.string(), bot: z.boolean().optional() })),
});
export type AuditLog = z.infer<typeof auditLogShape>;
