/** Who holds Discord roles that Fanvue lists are filled from. Reads only, so the bot need not be able to manage them. */
import type { DiscordConfig } from "../config/shape.ts";
import {
  type Account,
  compareIds,
  type DiscordUserId,
  parseDiscordUserId,
  type PlaceId,
  type RoleId,
} from "../ids.ts";
import type { Log } from "../log.ts";
import type { PlaceState, Reason, Standing } from "../model.ts";
import type { HoldersAsk, RoleHolders } from "../target.ts";
import { type Census, takeCensus } from "./census.ts";
import { fetchEach, fetchGuild, type Guild, type Members, type Role } from "./guild.ts";
import { openRest } from "./rest.ts";

export interface HoldersDeps {
  readonly log: Log;
  /** Ends reading at once. */
  readonly signal: AbortSignal;
  /** For one attempt at one request; default 15 s. */
  readonly timeoutMs?: number;
}

/** So many are looked at again in one run, one by one; whoever is left over keeps their place until a later one. */
const maxSingleReads = 1000;

type States = ReadonlyMap<RoleId, PlaceState>;

/** Opens the server of the config. Nothing is sent before the first reading. */
export function openRoleHolders(config: DiscordConfig, deps: HoldersDeps): RoleHolders {
  const { log, signal } = deps;
  const { apiUrl, token, guildId } = config;
  const rest = openRest({ apiUrl, token, log, signal, timeoutMs: deps.timeoutMs });
  let warnings: readonly string[] = [];

  async function read({ roles, linked, onRecord }: HoldersAsk): Promise<States> {
    const guild = await fetchGuild(rest, guildId);
    if ("unreadable" in guild) return allUnreadable(roles, guild.unreadable);
    const census = await takeCensus({
      rest,
      guild: guild.value,
      roles: new Set(roles),
      linked: discordUsers(linked),
      onRecord: new Map([...onRecord].map(([role, accounts]) => [role, new Set(discordUsers(accounts))])),
      log,
    });
    signal.throwIfAborted();
    if ("unreadable" in census) return allUnreadable(roles, census.unreadable);
    warnings = census.value.coverage === "linked" ? [lacksIntent] : [];
    return statesOf(roles, guild.value, (role) => stateOf(role, census.value, discordUsers(linked)));
  }

  /** One by one: whoever is asked for is read, and nobody else is judged. */
  async function readAgain({ roles, linked }: Pick<HoldersAsk, "roles" | "linked">): Promise<States> {
    const guild = await fetchGuild(rest, guildId);
    if ("unreadable" in guild) return allUnreadable(roles, guild.unreadable);
    const accounts = discordUsers(linked).toSorted(compareIds).slice(0, maxSingleReads);
    const looks = await fetchEach(rest, guild.value, accounts);
    signal.throwIfAborted();
    return statesOf(roles, guild.value, (role) => ({
      placeId: placeIdOf(role),
      name: role.name,
      members: new Map(accounts.map((id) => [id, standingOf(id, role, looks)])),
      coverage: "linked",
      warnings: [],
    }));
  }

  return {
    read,
    readAgain,
    warnings: () => warnings,
    requests: () => rest.requests(),
    clockSkewMs: () => rest.clockSkewMs(),
  };
}

const lacksIntent =
  "Discord does not show the bot the member list, so members without a link who hold a role are not counted: turn on " +
  '"Server Members Intent" on the Bot page of https://discord.com/developers/applications.';

const discordUsers = (accounts: ReadonlySet<Account>): readonly DiscordUserId[] =>
  [...accounts].map(parseDiscordUserId).filter((id) => id !== undefined);

const allUnreadable = (roles: readonly RoleId[], unreadable: Reason): States =>
  new Map(roles.map((role) => [role, { unreadable }]));

// A role's id is the place's real id on Discord.
const placeIdOf = (role: Role) => role.id as PlaceId;

const statesOf = (
  roles: readonly RoleId[],
  guild: Guild,
  stateOf: (role: Role) => PlaceState,
): ReadonlyMap<RoleId, PlaceState> =>
  new Map(
    roles.map((id) => {
      const role = readableRole(id, guild);
      return [id, "because" in role ? { unreadable: role } : stateOf(role)];
    }),
  );

/** The role, or why nobody can be said to hold it. */
function readableRole(id: RoleId, guild: Guild): Role | Reason {
  const role = guild.roles.get(id);
  if (role === undefined)
    return {
      because: `The server has no role ${id}; it was deleted, or never was.`,
      remedy: "Put the id of an existing role in the config, or take the entry out.",
    };
  if (role.id === guild.id)
    return {
      because: `The role ${id} is @everyone (its id is the server's), which everybody has.`,
      remedy: "Put the id of a role of its own in the config.",
    };
  return role;
}

function stateOf(role: Role, census: Census, linked: readonly DiscordUserId[]): PlaceState {
  const doubt = census.doubtful.get(role.id);
  if (doubt !== undefined) return { unreadable: doubt };
  // Bots are no fans, and nobody misses them on a list.
  const holders = (census.holders.get(role.id) ?? []).filter(({ isBot }) => !isBot);
  const members = new Map<Account, Standing>(holders.map(({ id }) => [id, { is: "in" }]));
  for (const id of linked) members.set(id, standingOf(id, role, census));
  return {
    placeId: placeIdOf(role),
    name: role.name,
    members,
    coverage: census.coverage,
    warnings: [],
  };
}

interface Looks {
  readonly members: Members;
  readonly unread: ReadonlyMap<DiscordUserId, string>;
}

function standingOf(id: DiscordUserId, role: Role, { members, unread }: Looks): Standing {
  const because = unread.get(id);
  if (because !== undefined) return { is: "unknown", because };
  const member = members.get(id);
  if (member === undefined) return { is: "absent" };
  return { is: member.roles.has(role.id) ? "in" : "out" };
}
