/** Reading of the server: the bot, the roles, the members. */
import { RESTJSONErrorCodes, Routes } from "discord-api-types/v10";
import { z } from "zod";
import type { DiscordUserId, GuildId } from "../ids.ts";
import type { Reason } from "../model.ts";
import { fetchShaped, isRefusal, maxFailuresInRow, reasonOf } from "./fetch.ts";
import type { DiscordRest } from "./rest.ts";
import { guildShape, memberCountsShape, memberShape, roleShape, userShape } from "./shapes.ts";

export interface Role {
  readonly id: string;
  readonly name: string;
  readonly position: number;
  readonly permissions: bigint;
  /** Belongs to a bot, an integration, the boosters or a shop: Discord alone hands it out. */
  readonly isManaged: boolean;
}

export interface Guild {
  readonly id: GuildId;
  readonly name: string;
  readonly ownerId: string;
  readonly botId: DiscordUserId;
  readonly roles: ReadonlyMap<string, Role>;
  /** The role that Discord made for this bot, which the bot cannot be without. */
  readonly botRoleId: string | undefined;
}

export interface Member {
  readonly id: DiscordUserId;
  readonly isBot: boolean;
  readonly isBooster: boolean;
  readonly roles: ReadonlySet<string>;
}

export type Read<T> = { readonly value: T } | { readonly unreadable: Reason };

// ---- Server and roles -------------------------------------------------------------------------------------------

const codes = RESTJSONErrorCodes;

const handedOutByDiscord = [
  "bot_id",
  "integration_id",
  "premium_subscriber",
  "subscription_listing_id",
  "guild_connections",
];

function toRole(raw: z.infer<typeof roleShape>): Role {
  const tags = Object.keys(raw.tags ?? {});
  return {
    id: raw.id,
    name: raw.name,
    position: raw.position,
    permissions: BigInt(raw.permissions),
    isManaged: raw.managed === true || tags.some((tag) => handedOutByDiscord.includes(tag)),
  };
}

/** The bot, the server and its roles: what must be known before any member is looked at. */
export async function fetchGuild(rest: DiscordRest, guildId: GuildId): Promise<Read<Guild>> {
  const me = await fetchShaped(rest, Routes.user("@me"), userShape);
  if (me.is !== "value") return { unreadable: reasonOf(me, "the bot's own account") };
  const guild = await fetchShaped(rest, Routes.guild(guildId), guildShape);
  if (guild.is !== "value") return { unreadable: reasonOf(guild, "the server") };
  const roles = await fetchShaped(rest, Routes.guildRoles(guildId), z.array(roleShape));
  if (roles.is !== "value") return { unreadable: reasonOf(roles, "the server's roles") };
  return {
    value: {
      id: guildId,
      name: guild.value.name,
      ownerId: guild.value.owner_id,
      botId: me.value.id,
      roles: new Map(roles.value.map((role) => [role.id, toRole(role)])),
      botRoleId: roles.value.find((role) => role.tags?.["bot_id"] === me.value.id)?.id,
    },
  };
}

// ---- Members ----------------------------------------------------------------------------------------------------

const toMember = (raw: z.infer<typeof memberShape>): Member => ({
  id: raw.user.id,
  isBot: raw.user.bot === true,
  isBooster: raw.premium_since != null,
  roles: new Set(raw.roles),
});

/** How many members one request shows at most. */
export const pageSize = 1000;

export type Members = ReadonlyMap<DiscordUserId, Member>;
export type MemberList =
  | { readonly is: "whole"; readonly members: Members }
  /** The bot lacks the privileged intent that the list needs. */
  | { readonly is: "forbidden" }
  | { readonly is: "unreadable"; readonly reason: Reason };

const oddList = (because: string): MemberList => ({
  is: "unreadable",
  reason: {
    because: `Discord's list of members cannot be trusted: ${because}.`,
    remedy: "Nothing was changed; the next run reads it again.",
    isPassing: true,
  },
});

/**
 * The whole member list, by pages. A list that repeats itself, or in which the bot or its own role is missing, is not
 * whole. https://discord.com/developers/docs/resources/guild#list-guild-members
 */
export async function fetchMemberList(rest: DiscordRest, guild: Guild): Promise<MemberList> {
  const members = new Map<DiscordUserId, Member>();
  let after = 0n;
  for (;;) {
    const query = { limit: String(pageSize), after: String(after) };
    const page = await fetchShaped(rest, Routes.guildMembers(guild.id), z.array(memberShape), query);
    if (page.is !== "value" && isRefusal(page, codes.MissingAccess)) return { is: "forbidden" };
    if (page.is !== "value") return { is: "unreadable", reason: reasonOf(page, "the list of members") };
    let last = after;
    for (const member of page.value.map(toMember)) {
      const id = BigInt(member.id);
      if (id <= after) return oddList("it repeats itself");
      if (id > last) last = id;
      const twin = members.get(member.id);
      members.set(member.id, twin === undefined ? member : merged(twin, member));
    }
    if (page.value.length < pageSize) return checkList(members, guild);
    after = last;
  }
}

/** Two rows of one member in one page: whatever either of them shows, the member has. */
const merged = (one: Member, other: Member): Member => ({
  id: one.id,
  isBot: one.isBot || other.isBot,
  isBooster: one.isBooster || other.isBooster,
  roles: new Set([...one.roles, ...other.roles]),
});

function checkList(members: Members, guild: Guild): MemberList {
  const bot = members.get(guild.botId);
  if (bot === undefined) return oddList("the bot itself is missing in it");
  if (guild.botRoleId !== undefined && !bot.roles.has(guild.botRoleId))
    return oddList("it shows the bot without the bot's own role");
  return { is: "whole", members };
}

/** How many hold each role by Discord's own count; undefined where it does not tell. */
export async function fetchMemberCounts(
  rest: DiscordRest,
  guild: Guild,
): Promise<ReadonlyMap<string, number> | undefined> {
  const counts = await fetchShaped(rest, Routes.guildRoleMemberCounts(guild.id), memberCountsShape);
  return counts.is === "value" ? new Map(Object.entries(counts.value)) : undefined;
}

export type MemberAlone =
  | { readonly is: "member"; readonly member: Member }
  | { readonly is: "absent" }
  /** `isForAll`: any other member would be answered alike. */
  | { readonly is: "unknown"; readonly because: string; readonly isForAll: boolean };

/** One member by id; works without the privileged intent. */
export async function fetchMember(rest: DiscordRest, guild: Guild, id: DiscordUserId): Promise<MemberAlone> {
  const answer = await fetchShaped(rest, Routes.guildMember(guild.id, id), memberShape);
  if (answer.is === "value") return { is: "member", member: toMember(answer.value) };
  if (isRefusal(answer, codes.UnknownMember, codes.UnknownUser)) return { is: "absent" };
  const isForbidden = answer.is === "refused" && answer.status === 403;
  return {
    is: "unknown",
    because: reasonOf(answer, "this member").because,
    isForAll: isForbidden || isRefusal(answer, codes.UnknownGuild),
  };
}

/** Members by id, one request each. Whoever is in neither of the two maps is not on the server. */
export async function fetchEach(
  rest: DiscordRest,
  guild: Guild,
  ids: Iterable<DiscordUserId>,
): Promise<{ readonly members: Members; readonly unread: ReadonlyMap<DiscordUserId, string> }> {
  const members = new Map<DiscordUserId, Member>();
  const unread = new Map<DiscordUserId, string>();
  let failuresInRow = 0;
  let giveUp: string | undefined;
  for (const id of ids) {
    if (giveUp !== undefined) {
      unread.set(id, giveUp);
      continue;
    }
    const read = await fetchMember(rest, guild, id);
    if (read.is === "member") members.set(id, read.member);
    if (read.is === "unknown") unread.set(id, read.because);
    failuresInRow = read.is === "unknown" ? failuresInRow + 1 : 0;
    if (read.is === "unknown" && (read.isForAll || failuresInRow >= maxFailuresInRow)) giveUp = read.because;
  }
  return { members, unread };
}
