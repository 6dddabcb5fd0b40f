/** The address by which the bot is invited, with the permissions that a config needs and no others. */
import { OAuth2Scopes, PermissionFlagsBits } from "discord-api-types/v10";
import type { DiscordConfig } from "../config/shape.ts";

interface Needing extends Pick<DiscordConfig, "guildId" | "token" | "oauth" | "places" | "autoJoin"> {
  /** Notices to the owner go to a channel of the server. */
  readonly posts: boolean;
}

/**
 * The address to open; undefined where the config does not tell which application is meant.
 * https://discord.com/developers/docs/topics/oauth2#bot-authorization-flow
 */
export function inviteUrl(config: Needing): string | undefined {
  const clientId = applicationIdOf(config);
  if (clientId === undefined) return undefined;
  const query = new URLSearchParams({
    client_id: clientId,
    scope: [OAuth2Scopes.Bot, OAuth2Scopes.ApplicationsCommands].join(" "),
    permissions: String(permissionsFor(config)),
    guild_id: config.guildId,
  });
  return `https://discord.com/oauth2/authorize?${query.toString()}`;
}

/** What the bot must be allowed: to see who took a role away by hand always, the rest where the config uses it. */
export function permissionsFor({
  places,
  autoJoin,
  posts,
}: Pick<Needing, "places" | "autoJoin" | "posts">): bigint {
  const { ManageRoles, ViewAuditLog, KickMembers, CreateInstantInvite, ViewChannel, SendMessages } =
    PermissionFlagsBits;
  const needed = [
    ManageRoles,
    ViewAuditLog,
    ...(places.some(({ onExpiry }) => onExpiry === "evict") ? [KickMembers] : []),
    ...(autoJoin.enabled ? [CreateInstantInvite] : []),
    ...(posts ? [ViewChannel, SendMessages] : []),
  ];
  return needed.reduce((all, each) => all | each, 0n);
}

const snowflake = /^[1-9]\d{14,19}$/;

/** The application's id is public; a bot's token begins with it in base64. */
function applicationIdOf({ oauth, token }: Pick<Needing, "oauth" | "token">): string | undefined {
  const [first = ""] = token.split(".");
  const told = [oauth?.clientId ?? "", Buffer.from(first, "base64").toString("latin1")];
  return told.find((id) => snowflake.test(id));
}
