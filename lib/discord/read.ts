/** From what Discord shows to the state of each place. */
import type { DiscordConfig } from "../config/shape.ts";
import type { Log } from "../log.ts";
import { type Account, type DiscordUserId, parseDiscordUserId, type PlaceId } from "../ids.ts";
import type { Place, PlaceState, Reason, Standing } from "../model.ts";
import {
  fetchGuild,
  fetchMember,
  fetchMemberCounts,
  fetchMemberList,
  type Guild,
  type Member,
  type MemberAlone,
  type Members,
  type Read,
  type Role,
} from "./guild.ts";
import type { DiscordRest } from "./rest.ts";
import { botOf, dangersOf, manageableRole, standingIn, type Touch } from "./standing.ts";

export interface ReadRequest {
  readonly rest: DiscordRest;
  readonly config: DiscordConfig;
  readonly places: readonly Place[];
  readonly linked: ReadonlySet<Account>;
  readonly log: Log;
}

/** Whom we looked at: everybody, or the linked accounts one by one. */
interface Census {
  readonly coverage: "everybody" | "linked";
  readonly bot: Member;
  readonly members: Members;
  /** Linked accounts that could not be read, and why. */
  readonly unread: ReadonlyMap<DiscordUserId, string>;
  /** Roles of which clearly fewer holders were listed than Discord counts. */
  readonly doubtful: ReadonlyMap<string, Reason>;
  readonly warnings: readonly string[];
}

/** The states of all places; throws a PlatformError only for what ends the run. */
export async function readPlaces(request: ReadRequest): Promise<ReadonlyMap<Place, PlaceState>> {
  const { rest, config, places } = request;
  const guild = await fetchGuild(rest, config.guildId);
  if ("unreadable" in guild) return everyPlace(places, guild.unreadable);
  const linked = [...request.linked].map(parseDiscordUserId).filter((id) => id !== undefined);
  const census = await takeCensus(request, guild.value, linked);
  if ("unreadable" in census) return everyPlace(places, census.unreadable);
  const touch: Touch = {
    guild: guild.value,
    bot: botOf(census.value.bot, guild.value),
    placeRoles: new Set([...config.places, ...places].map(({ id }) => id)),
    protectBoosters: config.protectBoosters,
  };
  return new Map(places.map((place) => [place, stateOf(place, census.value, linked, touch)]));
}

const everyPlace = (places: readonly Place[], unreadable: Reason): ReadonlyMap<Place, PlaceState> =>
  new Map(places.map((place) => [place, { unreadable }]));

// ---- The state of one place -------------------------------------------------------------------------------------

// A role's id is the place's real id on Discord.
const placeIdOf = (role: Role) => role.id as PlaceId;

function stateOf(place: Place, census: Census, linked: readonly DiscordUserId[], touch: Touch): PlaceState {
  const role = manageableRole(place, touch.guild, touch.bot);
  if ("because" in role) return { unreadable: role };
  const doubt = census.doubtful.get(role.id);
  if (doubt !== undefined) return { unreadable: doubt };
  const members = new Map<Account, Standing>();
  for (const member of census.members.values())
    if (member.roles.has(role.id)) members.set(member.id, standingIn(role.id, member, touch));
  for (const id of linked) members.set(id, standingOf(id, role, census, touch));
  return {
    placeId: placeIdOf(role),
    name: role.name,
    members,
    coverage: census.coverage,
    warnings: [...census.warnings, ...dangersOf(role)],
  };
}

function standingOf(id: DiscordUserId, role: Role, census: Census, touch: Touch): Standing {
  const unread = census.unread.get(id);
  if (unread !== undefined) return { is: "unknown", because: unread };
  const member = census.members.get(id);
  return member === undefined ? { is: "absent" } : standingIn(role.id, member, touch);
}

// ---- The members ------------------------------------------------------------------------------------------------

async function takeCensus(
  request: ReadRequest,
  guild: Guild,
  linked: readonly DiscordUserId[],
): Promise<Read<Census>> {
  const list = await fetchMemberList(request.rest, guild);
  if (list.is === "unreadable") return { unreadable: list.reason };
  if (list.is === "forbidden") return oneByOne(request, guild, linked);
  const doubtful = await doubtfulRoles(request, guild, list.members);
  if (doubtful.size === 0) return whole(guild, list.members, doubtful);
  // The count may have moved while we read: only what is amiss twice in a row is held against the list.
  const again = await fetchMemberList(request.rest, guild);
  if (again.is === "unreadable") return { unreadable: again.reason };
  if (again.is === "forbidden") return oneByOne(request, guild, linked);
  const still = await doubtfulRoles(request, guild, again.members);
  return whole(guild, again.members, new Map([...still].filter(([id]) => doubtful.has(id))));
}

function whole(guild: Guild, members: Members, doubtful: ReadonlyMap<string, Reason>): Read<Census> {
  const bot = members.get(guild.botId);
  if (bot === undefined) throw new Error("a member list without the bot passed as whole");
  return { value: { coverage: "everybody", bot, members, unread: new Map(), doubtful, warnings: [] } };
}

/** Holders may miss in the list: this many, or this share of them, is taken for people coming and going. */
const toleratedHolders = 2;
const toleratedShare = 0.02;

/** Roles of places whose holders the list shows clearly too few of. */
async function doubtfulRoles(
  { rest, places, log }: ReadRequest,
  guild: Guild,
  members: Members,
): Promise<ReadonlyMap<string, Reason>> {
  const counts = await fetchMemberCounts(rest, guild);
  if (counts === undefined)
    log.debug("Discord does not tell how many hold each role; the list is not compared");
  const doubtful = new Map<string, Reason>();
  for (const { id } of places) {
    const counted = counts?.get(id) ?? 0;
    const listed = [...members.values()].filter(({ roles }) => roles.has(id)).length;
    if (counted - listed <= Math.max(toleratedHolders, counted * toleratedShare)) continue;
    doubtful.set(id, {
      because: `Discord counts ${counted} holders of the role "${guild.roles.get(id)?.name ?? id}" but listed ${listed}.`,
      remedy: "Nothing was changed there; the next run reads it again.",
    });
  }
  return doubtful;
}

// ---- Without the list -------------------------------------------------------------------------------------------

const intentWarning =
  "Discord does not show the bot the member list, so only linked accounts are looked at: turn on " +
  '"Server Members Intent" on the Bot page of https://discord.com/developers/applications.';

/** Failures in a row after which the rest is not asked for. */
const maxFailuresInRow = 5;

async function oneByOne(
  { rest }: ReadRequest,
  guild: Guild,
  linked: readonly DiscordUserId[],
): Promise<Read<Census>> {
  const bot = await fetchMember(rest, guild, guild.botId);
  if (bot.is !== "member") return { unreadable: botUnseen(bot) };
  const seen = await fetchEach(rest, guild, linked);
  const census: Census = {
    coverage: "linked",
    bot: bot.member,
    ...seen,
    doubtful: new Map(),
    warnings: [intentWarning],
  };
  return { value: census };
}

async function fetchEach(
  rest: DiscordRest,
  guild: Guild,
  linked: readonly DiscordUserId[],
): Promise<Pick<Census, "members" | "unread">> {
  const members = new Map<DiscordUserId, Member>();
  const unread = new Map<DiscordUserId, string>();
  let failuresInRow = 0;
  let giveUp: string | undefined;
  for (const id of linked) {
    if (giveUp !== undefined) {
      unread.set(id, giveUp);
      continue;
    }
    const read = await fetchMember(rest, guild, id);
    if (read.is === "member") members.set(id, read.member);
    if (read.is === "unknown") unread.set(id, read.because);
    failuresInRow = read.is === "unknown" ? failuresInRow + 1 : 0;
    if (read.is === "unknown" && (read.isForbidden || failuresInRow >= maxFailuresInRow))
      giveUp = read.because;
  }
  return { members, unread };
}

const botUnseen = (read: Exclude<MemberAlone, { is: "member" }>): Reason => ({
  because:
    read.is === "absent"
      ? "The bot is not in the server."
      : `The bot's own roles could not be read. ${read.because}`,
  remedy: "Invite the bot to the server, or run again.",
});
