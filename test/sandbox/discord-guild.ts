/** The bot itself, the server and its roles. */
import { type APIGuild, Locale } from "discord-api-types/v10";
import { type ApiRole, apiRole, type Plain } from "./discord-bodies.ts";
import { notFound } from "./discord-errors.ts";
import type { Call, Route } from "./discord-routes.ts";
import type { DiscordWorld } from "./discord-world.ts";
import type { Reply } from "./server.ts";

export const guildRoutes: readonly Route[] = [
  { path: "/guilds/{guild_id}", handlers: { GET: getGuild } },
  { path: "/guilds/{guild_id}/roles", handlers: { GET: getRoles } },
  { path: "/guilds/{guild_id}/roles/member-counts", handlers: { GET: getMemberCounts } },
];

/** With what Discord sends beside what the library's types have. */
type ApiGuild = Plain<
  Omit<APIGuild, "roles" | "features" | "region"> & Required<Pick<APIGuild, "safety_alerts_channel_id">>
> & {
  readonly roles: ApiRole[];
  readonly features: never[];
  readonly region: string;
  readonly nsfw: boolean;
  readonly home_header: null;
};

export const apiGuild = (world: DiscordWorld): ApiGuild => ({
  ...plainGuild,
  id: world.guild.id,
  name: world.guild.name,
  owner_id: world.guild.ownerId,
  roles: [...world.roles.values()].map(apiRole),
});

function getGuild({ world }: Call): Reply {
  return { status: 200, body: apiGuild(world) };
}

function getRoles({ world }: Call): Reply {
  return { status: 200, body: [...world.roles.values()].map(apiRole) };
}

/** Everyone's own role is not counted. */
function getMemberCounts({ world }: Call): Reply {
  if (!world.features.memberCounts) return notFound;
  const counts = new Map([...world.roles.keys()].filter((id) => id !== world.guild.id).map((id) => [id, 0]));
  for (const { roles } of world.members.values())
    for (const id of roles) counts.set(id, (counts.get(id) ?? 0) + 1);
  return { status: 200, body: Object.fromEntries(counts) };
}

/** A server's other particulars. */
const plainGuild: Omit<ApiGuild, "id" | "name" | "owner_id" | "roles"> = {
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
  preferred_locale: Locale.EnglishUS,
  hub_type: null,
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
