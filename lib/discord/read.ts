/** From what Discord shows to the state of each place. */
import { PermissionFlagsBits } from "discord-api-types/v10";
import type { DiscordConfig } from "../config/shape.ts";
import type { Log } from "../log.ts";
import { type Account, type DiscordUserId, parseDiscordUserId, type PlaceId } from "../ids.ts";
import type { Place, PlaceState, Presence, Reason, Standing } from "../model.ts";
import type { TargetRecord } from "../target.ts";
import { type Cause, type Causes, fetchCauses, type Loss } from "./audit-log.ts";
import { type Census, takeCensus } from "./census.ts";
import { fetchGuild, type Guild, type Role } from "./guild.ts";
import type { DiscordRest } from "./rest.ts";
import { botOf, dangersOf, manageableRole, may, standingIn, type Touch } from "./standing.ts";

export interface ReadRequest extends TargetRecord {
  readonly rest: DiscordRest;
  readonly config: DiscordConfig;
  readonly places: readonly Place[];
  /** The accounts of which a standing is needed. */
  readonly linked: ReadonlySet<Account>;
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
  const { rest, config, places, log, joinable = new Set(), presences = new Map() } = request;
  const guild = await fetchGuild(rest, config.guildId);
  if ("unreadable" in guild) return nothingRead(places, guild.unreadable);
  const linked = discordUsers(request.linked);
  const onRecord = new Map(
    [...(request.onRecord ?? [])].map(([place, held]) => [place.id, new Set(discordUsers(held.keys()))]),
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
      : [request.onRecord, request.unsettled].flatMap((since) =>
          lossesOf(role, census.value, since?.get(place)),
        ),
  );
  const gone = goneOf({ census: census.value, linked, joinable, presences });
  const causes = await causesOf(rest, touch, [...losses, ...gone]);
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

const discordUsers = (accounts: Iterable<Account>): readonly DiscordUserId[] =>
  [...accounts].map(parseDiscordUserId).filter((id) => id !== undefined);

const listedIn = ({ coverage, members }: Census): number | undefined =>
  coverage === "everybody" ? members.size : undefined;

// ---- What is gone from whom -------------------------------------------------------------------------------------

/** Our clock and Discord's may be that far apart. */
const clockToleranceMs = 5 * 60_000;

/**
 * Who is on the server without a role that is theirs on record, or that a run may have given them. What a person did
 * before that was not done to it.
 */
const lossesOf = (
  { id: roleId }: Role,
  { members }: Census,
  since: ReadonlyMap<Account, number> = new Map(),
): readonly Loss[] =>
  discordUsers(since.keys())
    .filter((account) => members.get(account)?.roles.has(roleId) === false)
    .map((account) => ({ roleId, account, afterMs: (since.get(account) ?? 0) - clockToleranceMs }));

interface Looked {
  readonly census: Census;
  readonly linked: readonly DiscordUserId[];
  readonly joinable: ReadonlySet<DiscordUserId>;
  readonly presences: ReadonlyMap<Account, Presence>;
}

/**
 * Who is not on the server, and may have been thrown out by a person: whoever was there when last looked for is asked
 * after once, as long as the log tells; whoever may be brought in each time, unless they are known to be barred.
 */
const goneOf = ({ census: { members, unread }, linked, joinable, presences }: Looked): readonly Loss[] =>
  linked
    .filter((id) => !members.has(id) && !unread.has(id))
    .filter((id) => {
      const is = presences.get(id)?.is;
      return joinable.has(id) ? is !== "kicked" : is === "there";
    })
    .map((account) => ({
      roleId: undefined,
      account,
      afterMs: presences.get(account)?.kicksKnownToMs ?? 0,
    }))
    // Of many, some are asked for in a run: those first of whom least is known.
    .toSorted((one, other) => one.afterMs - other.afterMs);

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
  if (member === undefined) return absentee(joinable.has(id), cause);
  if (cause?.is === "unknown") return cause;
  return cause?.is === "person" ? { is: "removed" } : standingIn(role.id, member, touch);
}

/** Other bots throw out on a moderator's word. Of whom the log does not tell for now, the next run asks again. */
function absentee(isJoinable: boolean, cause: Cause | undefined): Standing {
  if (cause?.is === "unknown") return isJoinable ? cause : { is: "absent" };
  const absent: Standing = isJoinable ? { is: "absent", joinable: true } : { is: "absent" };
  if (cause === undefined) return absent;
  return { ...absent, kick: cause.is === "none" ? "none" : { atMs: cause.atMs } };
}

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
  "The bot may not read the server's audit log, so it cannot tell whom a moderator kicks, and a role that one takes from an " +
  "entitled fan is given back: " +
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
