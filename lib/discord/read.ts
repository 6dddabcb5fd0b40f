/** From what Discord shows to the state of each place. */
import { PermissionFlagsBits } from "discord-api-types/v10";
import type { DiscordConfig } from "../config/shape.ts";
import type { Log } from "../log.ts";
import { type Account, type DiscordUserId, parseDiscordUserId, type PlaceId } from "../ids.ts";
import type { Place, PlaceState, Reason, Standing } from "../model.ts";
import { type Cause, type Causes, fetchCauses, type Loss } from "./audit-log.ts";
import { type Census, takeCensus } from "./census.ts";
import { fetchGuild, type Guild, type Role } from "./guild.ts";
import type { DiscordRest } from "./rest.ts";
import { botOf, dangersOf, manageableRole, may, standingIn, type Touch } from "./standing.ts";

export interface ReadRequest {
  readonly rest: DiscordRest;
  readonly config: DiscordConfig;
  readonly places: readonly Place[];
  /** The accounts of which a standing is needed. */
  readonly linked: ReadonlySet<Account>;
  /** By place, who is ours there as far as the journal knows. */
  readonly onRecord?: ReadonlyMap<Place, ReadonlySet<Account>>;
  /** By place, whose grant has no outcome, and since when it was planned. */
  readonly unsettled?: ReadonlyMap<Place, ReadonlyMap<Account, number>>;
  /** Who gave us a login to bring them into the server with. */
  readonly joinable?: ReadonlySet<DiscordUserId> | undefined;
  readonly log: Log;
}

export interface Reading {
  readonly states: ReadonlyMap<Place, PlaceState>;
  /** What the operator should know of the server as a whole, each with its remedy. */
  readonly warnings: readonly string[];
  /** Undefined where the server could not be read. */
  readonly seen: Seen | undefined;
}

/** The server, and how many members its list showed; undefined where the bot may not see the list. */
export interface Seen {
  readonly guild: Guild;
  readonly listed: number | undefined;
}

/** Reads the states of all places; throws a PlatformError only for what ends the run. */
export async function readPlaces(request: ReadRequest): Promise<Reading> {
  const { rest, config, places, log, joinable = new Set() } = request;
  const guild = await fetchGuild(rest, config.guildId);
  if ("unreadable" in guild) return nothingRead(places, guild.unreadable);
  const linked = discordUsers(request.linked);
  const onRecord = new Map(
    [...(request.onRecord ?? [])].map(([place, accounts]) => [place.id, new Set(discordUsers(accounts))]),
  );
  const roles = new Set(places.map(({ id }) => id));
  const census = await takeCensus({ rest, guild: guild.value, roles, linked, onRecord, log });
  if ("unreadable" in census) return nothingRead(places, census.unreadable);
  const touch: Touch = {
    guild: guild.value,
    bot: botOf(census.value.bot, guild.value),
    placeRoles: new Set([...config.places, ...places].map(({ id }) => id)),
    protectBoosters: config.protectBoosters,
  };
  const managed = new Map(places.map((place) => [place, roleOf(place, census.value, touch)]));
  const losses = [...managed].flatMap(([place, role]) =>
    "because" in role
      ? []
      : lossesOf(role, census.value, onRecord.get(place.id), request.unsettled?.get(place)),
  );
  const causes = await causesOf(rest, touch, [...losses, ...wayfarersOf(census.value, linked, joinable)]);
  const view: View = { census: census.value, touch, linked, joinable, causes };
  return {
    states: new Map([...managed].map(([place, role]) => [place, stateOf(role, view)])),
    warnings: warningsOf(view, config),
    seen: { guild: guild.value, listed: listedIn(census.value) },
  };
}

const nothingRead = (places: readonly Place[], unreadable: Reason): Reading => ({
  states: new Map(places.map((place) => [place, { unreadable }])),
  warnings: [],
  seen: undefined,
});

const discordUsers = (accounts: ReadonlySet<Account>): readonly DiscordUserId[] =>
  [...accounts].map(parseDiscordUserId).filter((id) => id !== undefined);

const listedIn = ({ coverage, members }: Census): number | undefined =>
  coverage === "everybody" ? members.size : undefined;

// ---- What is gone from whom -------------------------------------------------------------------------------------

/** Who is on the server without a role that is theirs on record, or that a run may have given them. */
function lossesOf(
  { id: roleId }: Role,
  { members }: Census,
  onRecord: ReadonlySet<DiscordUserId> = new Set(),
  unsettled: ReadonlyMap<Account, number> = new Map(),
): readonly Loss[] {
  const isLost = (account: DiscordUserId) => members.get(account)?.roles.has(roleId) === false;
  return [
    ...[...onRecord].map((account) => ({ roleId, account })),
    ...discordUsers(new Set(unsettled.keys())).map((account) => ({
      roleId,
      account,
      sinceMs: unsettled.get(account) ?? 0,
    })),
  ].filter(({ account }) => isLost(account));
}

/** Who may be brought in: first it has to be known whether a person threw them out. */
const wayfarersOf = (
  { members, unread }: Census,
  linked: readonly DiscordUserId[],
  joinable: ReadonlySet<DiscordUserId>,
): readonly Loss[] =>
  linked
    .filter((id) => joinable.has(id) && !members.has(id) && !unread.has(id))
    .map((account) => ({ roleId: undefined, account }));

/** A refusal that can be foreseen is not asked for. */
const causesOf = (rest: DiscordRest, { guild, bot }: Touch, losses: readonly Loss[]): Promise<Causes> =>
  may(bot, PermissionFlagsBits.ViewAuditLog)
    ? fetchCauses(rest, guild, losses)
    : Promise.resolve("forbidden");

// ---- The state of one place -------------------------------------------------------------------------------------

/** All that the states are made of. */
interface View {
  readonly census: Census;
  readonly touch: Touch;
  readonly linked: readonly DiscordUserId[];
  readonly joinable: ReadonlySet<DiscordUserId>;
  readonly causes: Causes;
}

/** The role of a place, or why it cannot be managed or its members cannot be told. */
function roleOf(place: Place, { doubtful }: Census, { guild, bot }: Touch): Role | Reason {
  const role = manageableRole(place, guild, bot);
  return "because" in role ? role : (doubtful.get(role.id) ?? role);
}

// A role's id is the place's real id on Discord.
const placeIdOf = (role: Role) => role.id as PlaceId;

function stateOf(role: Role | Reason, view: View): PlaceState {
  if ("because" in role) return { unreadable: role };
  const { census, touch, linked } = view;
  const causes = causesFor(role.id, view);
  const kicks = causesFor(undefined, view);
  const members = new Map<Account, Standing>();
  for (const member of census.holders.get(role.id) ?? [])
    members.set(member.id, standingIn(role.id, member, touch));
  for (const id of linked) members.set(id, standingOf(id, role, causes.get(id) ?? kicks.get(id), view));
  return {
    placeId: placeIdOf(role),
    name: role.name,
    members,
    coverage: census.coverage,
    warnings: [...dangersOf(role), ...rivalsOf(role, [...causes.values()])],
  };
}

/** By account, who took this role, or without one: who threw them out. */
const causesFor = (roleId: string | undefined, { causes }: View): ReadonlyMap<DiscordUserId, Cause> =>
  new Map(
    [...(causes === "forbidden" ? [] : causes)]
      .filter(([loss]) => loss.roleId === roleId)
      .map(([{ account }, cause]) => [account, cause]),
  );

function standingOf(
  id: DiscordUserId,
  role: Role,
  cause: Cause | undefined,
  { census, touch, joinable }: View,
): Standing {
  const unread = census.unread.get(id);
  if (unread !== undefined) return { is: "unknown", because: unread };
  const member = census.members.get(id);
  if (cause?.is === "unknown") return cause;
  if (member === undefined) return joinable.has(id) ? absentee(cause) : { is: "absent" };
  return cause?.is === "person" ? { is: "removed" } : standingIn(role.id, member, touch);
}

/** Other bots throw out on a moderator's word. */
const absentee = (cause: Cause | undefined): Standing =>
  cause?.is === "person" || cause?.is === "bot"
    ? { is: "absent", joinable: true, kicked: true }
    : { is: "absent", joinable: true };

/** Other bots that took the role from whom it is theirs on record. */
function rivalsOf(role: Role, causes: readonly Cause[]): readonly string[] {
  const names = causes.flatMap((cause) => (cause.is === "bot" ? [cause.name] : []));
  return [...Map.groupBy(names, (name) => name)].map(
    ([name, { length: count }]) =>
      `The bot "${name}" took the role "${role.name}" from ${count} to whom it was given here; whoever is entitled gets it back. ` +
      "Keep that bot away from this role, or the two undo each other's work.",
  );
}

// ---- The server as a whole --------------------------------------------------------------------------------------

const lacksIntent =
  "Discord does not show the bot the member list, so only linked accounts are looked at: turn on " +
  '"Server Members Intent" on the Bot page of https://discord.com/developers/applications.';
const lacksAuditLog =
  "The bot may not read the server's audit log, so a role that a moderator takes from an entitled fan is given back: " +
  "give the bot's role View Audit Log in Server Settings, Roles.";
const lacksInvite =
  "discord.auto_join is on, but the bot may bring nobody into the server: " +
  "give the bot's role Create Invite in Server Settings, Roles.";

function warningsOf({ census, touch, causes }: View, { autoJoin }: DiscordConfig): readonly string[] {
  const mayInvite = may(touch.bot, PermissionFlagsBits.CreateInstantInvite);
  return [
    ...(census.coverage === "linked" ? [lacksIntent] : []),
    ...(causes === "forbidden" ? [lacksAuditLog] : []),
    ...(autoJoin.enabled && !mayInvite ? [lacksInvite] : []),
  ];
}
