/** The sections of a config.yaml beside roles and rooms: what each may hold, and what is left out means. */
import {
  parseDiscordUserId,
  parseGuildId,
  parseMxid,
  parseRoleId,
  parseRoomAlias,
  parseRoomId,
} from "../ids.ts";
import type { Limits } from "../model/brakes.ts";
import { listId, listName, listType } from "./lists.ts";
import type {
  Config,
  DiscordConfig,
  FanvueConfig,
  ListSync,
  MatrixConfig,
  NotifyConfig,
  ScheduleConfig,
  UpsellConfig,
} from "./shape.ts";
import {
  amount,
  choice,
  color,
  cronExpression,
  durationMs,
  exactWebAddress,
  flag,
  id,
  list,
  section,
  siteAddress,
  text,
  webAddress,
  wholeNumber,
} from "./values.ts";

// ---- Ids --------------------------------------------------------------------------------------------------------

const copyIt = "Switch on Discord's developer mode, right-click it and choose Copy ID.";
const guildId = id(parseGuildId, "Discord server's id", copyIt);
const snowflake = id(parseDiscordUserId, "Discord id", copyIt);
export const roleId = id(parseRoleId, "Discord role's id", copyIt);
const mxid = id(parseMxid, "Matrix user's id", 'Write it whole and in quotes, such as "@bot:example.org".');
export const room = id(
  (raw) => parseRoomId(raw) ?? parseRoomAlias(raw),
  "Matrix room",
  'Write its alias or id whole and in quotes, such as "#vip:example.org".',
);
const anyAccount = id(
  (raw) => parseDiscordUserId(raw) ?? parseMxid(raw),
  "account",
  "Write a Discord user's id, or a Matrix user's such as \"@alice:example.org\" in quotes.",
);

// ---- Platforms --------------------------------------------------------------------------------------------------

const port = wholeNumber({ min: 1, max: 65_535 });
const count = wholeNumber({ min: 0, max: 1_000_000 });
const share = amount({ min: 0, max: 1 });

export const fanvueSection = section({
  client_id: text,
  client_secret: text,
  redirect_uri: exactWebAddress,
  api_url: webAddress.optional(),
  auth_url: webAddress.optional(),
  api_prefix: choice(["auto", "", "/v1"]).optional(),
}).transform((written): FanvueConfig => ({
  clientId: written.client_id,
  clientSecret: written.client_secret,
  redirectUri: written.redirect_uri,
  apiUrl: written.api_url ?? "https://api.fanvue.com",
  authUrl: written.auth_url ?? "https://auth.fanvue.com",
  apiPrefix: written.api_prefix ?? "auto",
}));

/** What `oauth` needs; `build` sees to it that all three are there or none. */
export const oauthKeys = ["oauth_client_id", "oauth_client_secret", "oauth_redirect_uri"] as const;

export const discordSection = section({
  token: text,
  guild_id: guildId,
  oauth_client_id: text.optional(),
  oauth_client_secret: text.optional(),
  oauth_redirect_uri: exactWebAddress.optional(),
  oauth_server_host: text.optional(),
  oauth_server_port: port.optional(),
  api_url: webAddress.optional(),
  protect_boosters: flag.optional(),
}).transform((written): Omit<DiscordConfig, "places" | "autoJoin"> => {
  const { oauth_client_id, oauth_client_secret, oauth_redirect_uri } = written;
  const oauth =
    oauth_client_id === undefined || oauth_client_secret === undefined || oauth_redirect_uri === undefined
      ? undefined
      : {
          clientId: oauth_client_id,
          clientSecret: oauth_client_secret,
          redirectUri: oauth_redirect_uri,
          serverHost: written.oauth_server_host ?? "127.0.0.1",
          serverPort: written.oauth_server_port ?? 8080,
        };
  return {
    token: written.token,
    guildId: written.guild_id,
    apiUrl: written.api_url ?? "https://discord.com/api",
    protectBoosters: written.protect_boosters ?? false,
    oauth,
  };
});

export const matrixSection = section({ homeserver: webAddress, user_id: mxid, access_token: text }).transform(
  (written): Omit<MatrixConfig, "places"> => ({
    homeserver: written.homeserver,
    userId: written.user_id,
    accessToken: written.access_token,
  }),
);

// ---- What is done beside roles and rooms ------------------------------------------------------------------------

export const autoJoinSection = section({
  enabled: flag.optional(),
  roles: list(roleId).optional(),
}).transform((written): DiscordConfig["autoJoin"] => ({
  enabled: written.enabled ?? false,
  roles: written.roles ?? [],
}));

export const listSyncEntry = section({
  discord_role_id: roleId.optional(),
  matrix_room: room.optional(),
  fanvue_list_uuid: listId.optional(),
  fanvue_list_type: listType.optional(),
  fanvue_list: section({ name: listName, create: flag.optional() }).optional(),
  primary: choice(["fanvue", "discord"]).optional(),
}).transform((written): Omit<ListSync, "name" | "list"> & { list: ListSync["list"] | undefined } => {
  const { fanvue_list_uuid, fanvue_list_type = "custom", fanvue_list } = written;
  const byName = fanvue_list && ({ type: "named", id: fanvue_list.name } as const);
  return {
    role: written.discord_role_id,
    room: written.matrix_room,
    list: fanvue_list_uuid === undefined ? byName : { type: fanvue_list_type, id: fanvue_list_uuid },
    makes: fanvue_list?.create ?? false,
    primary: written.primary ?? "fanvue",
  };
});

export const upsellSection = section({
  required_entitlement_ids: list(snowflake).optional(),
  upsell_on_boost: flag.optional(),
  offer_message: text,
  max_per_hour: count.optional(),
  max_per_day: count.optional(),
  to_subscribers: flag.optional(),
}).transform((written): UpsellConfig => ({
  requiredEntitlementIds: written.required_entitlement_ids ?? [],
  onBoost: written.upsell_on_boost ?? false,
  offerMessage: written.offer_message,
  maxPerHour: written.max_per_hour ?? 10,
  maxPerDay: written.max_per_day ?? 20,
  toSubscribers: written.to_subscribers ?? false,
}));

// ---- Care and running -------------------------------------------------------------------------------------------

export const protectedSection = list(anyAccount).transform(
  (accounts): Config["protectedAccounts"] => new Set(accounts),
);

export const limitsSection = section({
  max_removal_share: share.optional(),
  min_removals_per_place: count.optional(),
  min_removals_per_target: count.optional(),
  removal_root_factor: amount({ min: 0, max: 1000 }).optional(),
  max_source_drop_share: share.optional(),
  min_source_drop: count.optional(),
}).transform((written): Limits => ({
  maxRemovalShare: written.max_removal_share ?? 0.2,
  minRemovalsPerPlace: written.min_removals_per_place ?? 2,
  minRemovalsPerTarget: written.min_removals_per_target ?? 5,
  removalRootFactor: written.removal_root_factor ?? 2,
  maxSourceDropShare: written.max_source_drop_share ?? 0.3,
  minSourceDrop: written.min_source_drop ?? 5,
}));

export const scheduleSection = section({
  sync: cronExpression.optional(),
  health_port: port.optional(),
}).transform(({ sync = "*/5 * * * *", health_port }): ScheduleConfig => ({
  sync: sync === "" ? undefined : sync,
  healthPort: health_port,
}));

/** `host` and `port` follow the original's oauth_server_… where they are left out. */
export const linkSection = section({
  public_url: siteAddress.optional(),
  host: text.optional(),
  port: port.optional(),
  name: text.optional(),
  color: color.optional(),
  sign_in: flag.optional(),
  inbox_code: flag.optional(),
  personal_links: flag.optional(),
});

export const notifySection = section({
  discord_channel_id: snowflake.optional(),
  matrix_room: room.optional(),
}).transform((written): NotifyConfig => ({
  discordChannelId: written.discord_channel_id,
  matrixRoom: written.matrix_room,
}));

/** Keys at the top of the file that hold one value. */
export const snapshotMaxAge = durationMs;
export const followersMaxAge = durationMs;
export const unknownAfterDays = wholeNumber({ min: 1, max: 3650 });
export const trustProxy = flag;
