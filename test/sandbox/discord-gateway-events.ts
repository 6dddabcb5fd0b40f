/** What the gateway tells: the world, and what happens in it, as dispatched events. */
import {
  ApplicationFlags,
  ChannelType,
  GatewayDispatchEvents,
  type GatewayEntitlementModifyDispatch,
  type GatewayGuildCreateDispatch,
  type GatewayGuildMemberAddDispatch,
  type GatewayGuildMemberRemoveDispatch,
  type GatewayGuildMembersChunkDispatch,
  type GatewayGuildMemberUpdateDispatch,
  GatewayIntentBits,
  type GatewayMessageCreateDispatch,
  type GatewayReadyDispatch,
  type GatewayResumedDispatch,
} from "discord-api-types/v10";
import { apiEntitlement, apiMember, apiMessage, apiUser, iso, type Loose } from "./discord-bodies.ts";
import {
  type CommandInteraction,
  commandInteraction,
  generalChannelId,
} from "./discord-gateway-interactions.ts";
import type { IdentifyData, RequestMembersData } from "./discord-gateway-commands.ts";
import { apiGuild } from "./discord-guild.ts";
import type { DiscordWorld, SandboxEntitlement, SandboxMember, WorldEvent } from "./discord-world.ts";

type Dispatch =
  | GatewayReadyDispatch
  | GatewayResumedDispatch
  | GatewayGuildCreateDispatch
  | GatewayGuildMemberAddDispatch
  | GatewayGuildMemberUpdateDispatch
  | GatewayGuildMemberRemoveDispatch
  | GatewayGuildMembersChunkDispatch
  | GatewayEntitlementModifyDispatch
  | GatewayMessageCreateDispatch;
type Unnumbered<Payload> = Payload extends { t: infer Name; d: infer Data }
  ? { readonly t: Name; readonly d: Loose<Data> }
  : never;

/** An event before it is numbered for a session. */
export type GatewayEvent =
  | Unnumbered<Dispatch>
  | { readonly t: GatewayDispatchEvents.InteractionCreate; readonly d: CommandInteraction };

// ---- A session's beginning --------------------------------------------------------------------------------------

const apiVersion = 10;

/** https://discord.com/developers/docs/events/gateway-events#ready */
export function ready(world: DiscordWorld, sessionId: string, { shard }: IdentifyData): GatewayEvent {
  const { bot, guild, application, members } = world;
  const flags: number = world.intents.guildMembers ? ApplicationFlags.GatewayGuildMembersLimited : 0;
  return {
    t: GatewayDispatchEvents.Ready,
    d: {
      v: apiVersion,
      user: { ...apiUser({ ...bot, bot: true }), verified: true, mfa_enabled: true, email: null },
      guilds: members.has(bot.id) ? [{ id: guild.id, unavailable: true }] : [],
      session_id: sessionId,
      resume_gateway_url: world.gatewayUrl,
      application: { id: application.id, flags, flags_new: String(flags) },
      ...(shard === undefined ? {} : { shard }),
    },
  };
}

/**
 * Without the intent for presences the only member told of is the bot, however small the server:
 * https://discord.com/developers/docs/events/gateway-events#guild-create
 */
export function guildCreate(
  world: DiscordWorld,
  { large_threshold: largeThreshold = 50 }: IdentifyData,
): GatewayEvent {
  const bot = world.members.get(world.bot.id);
  const d: Loose<GatewayGuildCreateDispatch["d"]> = {
    ...apiGuild(world),
    hub_type: null,
    joined_at: iso(bot?.joinedAtMs ?? world.now()),
    large: world.members.size > largeThreshold,
    unavailable: false,
    member_count: world.members.size,
    members: bot === undefined ? [] : [apiMember(bot)],
    channels: [generalChannel],
    threads: [],
    voice_states: [],
    presences: [],
    stage_instances: [],
    guild_scheduled_events: [],
    soundboard_sounds: [],
  };
  return { t: GatewayDispatchEvents.GuildCreate, d };
}

const generalChannel = {
  id: generalChannelId,
  type: ChannelType.GuildText,
  name: "general",
  position: 0,
  topic: null,
  nsfw: false,
  parent_id: null,
  last_message_id: null,
  rate_limit_per_user: 0,
} as const;

// ---- Members on request -----------------------------------------------------------------------------------------

const membersPerChunk = 1000;
const maxMembersAskedFor = 100;

/** https://discord.com/developers/docs/events/gateway-events#request-guild-members */
export function memberChunks(
  world: DiscordWorld,
  intents: number,
  { guild_id: guildId, nonce, user_ids: ids, query = "", limit = 0 }: RequestMembersData,
): readonly GatewayEvent[] {
  if (guildId !== world.guild.id) return [];
  const asksForAll = ids === undefined && query === "" && limit === 0;
  if (asksForAll && (intents & GatewayIntentBits.GuildMembers) === 0) return [];
  const asked = ids?.slice(0, maxMembersAskedFor);
  const members =
    asked === undefined ? membersBy(world, query, asksForAll ? undefined : limit) : present(world, asked);
  const count = Math.max(1, Math.ceil(members.length / membersPerChunk));
  const missing = asked?.filter((id) => !world.members.has(id)) ?? [];
  return Array.from({ length: count }, (_, index) => ({
    t: GatewayDispatchEvents.GuildMembersChunk,
    d: {
      guild_id: guildId,
      members: members.slice(index * membersPerChunk, (index + 1) * membersPerChunk).map(apiMember),
      chunk_index: index,
      chunk_count: count,
      not_found: missing,
      ...(nonce === undefined ? {} : { nonce }),
    },
  }));
}

const present = ({ members }: DiscordWorld, ids: readonly string[]): readonly SandboxMember[] =>
  ids.map((id) => members.get(id)).filter((member) => member !== undefined);

function membersBy(
  { members }: DiscordWorld,
  query: string,
  limit: number | undefined,
): readonly SandboxMember[] {
  const found = [...members.values()].filter(({ user, nick }) =>
    [user.username, nick ?? ""].some((name) => name.toLowerCase().startsWith(query.toLowerCase())),
  );
  return limit === undefined ? found : found.slice(0, Math.min(Math.max(1, limit), maxMembersAskedFor));
}

// ---- What happens -----------------------------------------------------------------------------------------------

export interface Told {
  readonly event: GatewayEvent;
  /** Who hears it: sessions with this intent; undefined: all. */
  readonly intent: GatewayIntentBits | undefined;
}

/** What the gateway makes of something that happened, and which intent it takes to hear it. */
export function eventFor(world: DiscordWorld, happened: WorldEvent): Told | undefined {
  switch (happened.is) {
    case "member added":
      return memberTold(world, happened.member, GatewayDispatchEvents.GuildMemberAdd);
    case "member updated":
      return memberTold(world, happened.member, GatewayDispatchEvents.GuildMemberUpdate);
    case "member removed":
      return {
        event: {
          t: GatewayDispatchEvents.GuildMemberRemove,
          d: { guild_id: world.guild.id, user: apiUser(happened.member.user) },
        },
        intent: GatewayIntentBits.GuildMembers,
      };
    case "entitlement created":
      return entitlementTold(world, happened.entitlement, GatewayDispatchEvents.EntitlementCreate);
    case "entitlement updated":
      return entitlementTold(world, happened.entitlement, GatewayDispatchEvents.EntitlementUpdate);
    case "entitlement deleted":
      return entitlementTold(world, happened.entitlement, GatewayDispatchEvents.EntitlementDelete);
    case "message written":
      // What is written in channels of the server, nobody here listens for.
      if (world.channels.has(happened.message.channelId)) return undefined;
      return {
        event: {
          t: GatewayDispatchEvents.MessageCreate,
          d: { ...apiMessage(world, happened.message), channel_type: ChannelType.DM },
        },
        intent: GatewayIntentBits.DirectMessages,
      };
    case "command used":
      return {
        event: {
          t: GatewayDispatchEvents.InteractionCreate,
          d: commandInteraction(world, happened.interaction),
        },
        intent: undefined,
      };
    case "command answered":
      return undefined;
  }
}

function memberTold(
  world: DiscordWorld,
  member: SandboxMember,
  t: GatewayDispatchEvents.GuildMemberAdd | GatewayDispatchEvents.GuildMemberUpdate,
): Told {
  // The bot hears of itself in any case.
  const intent = member.user.id === world.bot.id ? undefined : GatewayIntentBits.GuildMembers;
  return { event: { t, d: { ...apiMember(member), guild_id: world.guild.id } }, intent };
}

const entitlementTold = (
  world: DiscordWorld,
  entitlement: SandboxEntitlement,
  t: GatewayEntitlementModifyDispatch["t"],
): Told => ({ event: { t, d: apiEntitlement(world, entitlement) }, intent: undefined });
