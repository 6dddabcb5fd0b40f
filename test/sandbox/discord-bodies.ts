/** The stand-in's world as Discord writes it: users, members, roles. */
import type { APIEntitlement, APIGuildMember, APIMessage, APIRole, APIUser } from "discord-api-types/v10";
import type {
  DiscordWorld,
  SandboxEntitlement,
  SandboxMember,
  SandboxMessage,
  SandboxRole,
  SandboxUser,
} from "./discord-world.ts";

/** The library's types with plain numbers for flags, whose enums have no member for "none". */
export type Plain<T> = { [Key in keyof T]: T[Key] extends number ? number : T[Key] };
/** The same at any depth, with plain strings for words, too. */
export type Loose<T> = T extends number
  ? number
  : T extends string
    ? string
    : T extends object
      ? { [Key in keyof T]: Loose<T[Key]> }
      : T;
export type ApiUser = Plain<
  Pick<APIUser, "id" | "username" | "avatar" | "discriminator" | "global_name" | "bot"> &
    Required<Pick<APIUser, "public_flags" | "flags" | "primary_guild">>
>;
export type ApiMember = Plain<
  Omit<APIGuildMember, "user"> & Required<Pick<APIGuildMember, "avatar" | "banner">>
> & { readonly user: ApiUser };
export type ApiRole = Plain<Omit<APIRole, "color">> & { readonly color: number };
export type ApiMessage = Plain<Omit<APIMessage, "author" | "flags">> & {
  readonly author: ApiUser;
  readonly flags: number;
};

export const apiUser = (user: SandboxUser): ApiUser => ({
  id: user.id,
  username: user.username,
  avatar: null,
  discriminator: "0",
  public_flags: 0,
  flags: 0,
  ...(user.bot ? { bot: true } : {}),
  global_name: user.globalName ?? null,
  primary_guild: null,
});

/** As Discord writes times: microseconds and an offset. */
export const iso = (ms: number): string => new Date(ms).toISOString().replace("Z", "000+00:00");

export const apiMember = (member: SandboxMember): ApiMember => ({
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

export const apiRole = (role: SandboxRole): ApiRole => ({
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

export const apiMessage = ({ users }: DiscordWorld, message: SandboxMessage): ApiMessage => ({
  id: message.id,
  type: 0,
  content: message.content,
  channel_id: message.channelId,
  author: apiUser(users.get(message.author) ?? { id: message.author, username: "Deleted User", bot: false }),
  timestamp: iso(message.atMs),
  edited_timestamp: null,
  flags: 0,
  attachments: [],
  embeds: [],
  mentions: [],
  mention_roles: [],
  components: [],
  pinned: false,
  mention_everyone: false,
  tts: false,
  ...(message.nonce === undefined ? {} : { nonce: message.nonce }),
});

const isoOrNull = (ms: number | undefined) => (ms === undefined ? null : iso(ms));

export const apiEntitlement = (world: DiscordWorld, entitlement: SandboxEntitlement): APIEntitlement => ({
  id: entitlement.id,
  sku_id: entitlement.skuId,
  application_id: world.application.id,
  user_id: entitlement.account,
  ...(entitlement.guildId === undefined ? {} : { guild_id: entitlement.guildId }),
  type: entitlement.type,
  deleted: entitlement.deleted,
  starts_at: isoOrNull(entitlement.startsAtMs),
  ends_at: isoOrNull(entitlement.endsAtMs),
  consumed: false,
});
