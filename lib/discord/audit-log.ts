/**
 * Who took a role from those who have it on record, and who threw out whoever is gone: the server's audit log tells for
 * 45 days.
 * https://discord.com/developers/docs/resources/audit-log
 */
import { AuditLogEvent, Routes } from "discord-api-types/v10";
import type { DiscordUserId } from "../ids.ts";
import { type Fetched, fetchShaped, maxFailuresInRow, reasonOf } from "./fetch.ts";
import type { Guild } from "./guild.ts";
import type { DiscordRest } from "./rest.ts";
import { auditLogShape, type AuditLog } from "./shapes.ts";

/** A member who is without a role that is theirs on record, or somebody who is not on the server. */
export interface Loss {
  /** Undefined: the whole server. */
  readonly roleId: string | undefined;
  readonly account: DiscordUserId;
  /** By Discord's clock: what was done up to then is no matter. */
  readonly afterMs: number;
}

export type Cause =
  | { readonly is: "person"; readonly atMs: number }
  /** Another bot than this one. */
  | { readonly is: "bot"; readonly name: string; readonly atMs: number }
  /** Our own doing, or nothing that the log tells of: they went and came back, say. */
  | { readonly is: "none" }
  | { readonly is: "unknown"; readonly because: string };

/** What the log says of each loss, or that the bot may not read it. */
export type Causes = ReadonlyMap<Loss, Cause> | "forbidden";

/** The kind of entry that tells of a loss. */
const actionOf = ({ roleId }: Loss): number =>
  roleId === undefined ? AuditLogEvent.MemberKick : AuditLogEvent.MemberRoleUpdate;

/** The losses of one kind are looked for together. */
interface Search {
  readonly rest: DiscordRest;
  readonly guild: Guild;
  readonly action: number;
}

const pageSize = 100;
/** Up to so many members are asked for one by one; more are looked for in so many pages of the whole log first. */
const maxAskedAlone = 20;
const maxPages = 10;

/** Asks the log for each loss; sends nothing where there is none. */
export async function fetchCauses(rest: DiscordRest, guild: Guild, losses: readonly Loss[]): Promise<Causes> {
  const found = new Map<Loss, Cause>();
  for (const [action, ofOneKind] of Map.groupBy(losses, actionOf)) {
    const causes = await fetchOneKind({ rest, guild, action }, ofOneKind);
    if (causes === "forbidden") return causes;
    for (const [loss, cause] of causes) found.set(loss, cause);
  }
  return found;
}

async function fetchOneKind(search: Search, losses: readonly Loss[]): Promise<Causes> {
  const isCrowd = new Set(losses.map(({ account }) => account)).size > maxAskedAlone;
  const found = isCrowd ? await searchPages(search, losses) : new Map<Loss, Cause>();
  if (found === "forbidden") return found;
  const left = losses.filter((loss) => !found.has(loss));
  const alone = await searchByMember(search, left);
  return alone === "forbidden" ? alone : new Map([...found, ...alone]);
}

const each = (losses: readonly Loss[], cause: Cause): ReadonlyMap<Loss, Cause> =>
  new Map(losses.map((loss) => [loss, cause]));

const unread = (log: Exclude<Fetched<AuditLog>, { is: "value" }>): Cause => ({
  is: "unknown",
  because: reasonOf(log, "its audit log").because,
});

// ---- The two ways of asking -------------------------------------------------------------------------------------

/** The newest pages of the whole log. A loss of which they do not tell is missing, unless the log ends there. */
async function searchPages(search: Search, losses: readonly Loss[]): Promise<Causes> {
  const found = new Map<Loss, Cause>();
  let left = losses;
  let before: string | undefined;
  for (let page = 0; page < maxPages && left.length > 0; page += 1) {
    const log = await fetchLog(search, before === undefined ? {} : { before });
    if (isForbidden(log)) return "forbidden";
    if (log.is !== "value") return new Map([...found, ...each(left, unread(log))]);
    for (const [loss, cause] of causesIn(log.value, left, search)) found.set(loss, cause);
    const entries = log.value.audit_log_entries;
    const oldest = entries.at(-1);
    const isPast = ({ afterMs }: Loss) => oldest !== undefined && madeAtMs(oldest) <= afterMs;
    for (const loss of left) if (!found.has(loss) && isPast(loss)) found.set(loss, { is: "none" });
    left = left.filter((loss) => !found.has(loss));
    if (entries.length < pageSize) return new Map([...found, ...each(left, { is: "none" })]);
    before = oldest?.id;
  }
  return found;
}

const notReached: Cause = {
  is: "unknown",
  because:
    "Discord's audit log was not asked for everybody who lost a role or is gone; the next run goes on.",
};

/** One request per member, for so many of them; by the next run these have their role again, or are known to be without. */
async function searchByMember(search: Search, losses: readonly Loss[]): Promise<Causes> {
  const found = new Map(each(losses, notReached));
  let failuresInRow = 0;
  const members = [...Map.groupBy(losses, ({ account }) => account)].slice(0, maxAskedAlone);
  for (const [account, own] of members) {
    const log = await fetchLog(search, { target_id: account });
    if (isForbidden(log)) return "forbidden";
    const told =
      log.is === "value"
        ? [...each(own, { is: "none" }), ...causesIn(log.value, own, search)]
        : each(own, unread(log));
    for (const [loss, cause] of told) found.set(loss, cause);
    failuresInRow = log.is === "value" ? 0 : failuresInRow + 1;
    if (failuresInRow >= maxFailuresInRow) break;
  }
  return found;
}

// ---- One answer -------------------------------------------------------------------------------------------------

const fetchLog = (
  { rest, guild, action }: Search,
  query: Readonly<Record<string, string>>,
): Promise<Fetched<AuditLog>> =>
  fetchShaped(rest, Routes.guildAuditLog(guild.id), auditLogShape, {
    action_type: String(action),
    limit: String(pageSize),
    ...query,
  });

const isForbidden = (log: Fetched<AuditLog>) => log.is === "refused" && log.status === 403;

type Entry = AuditLog["audit_log_entries"][number];

/** The losses of which this answer tells: the newest entry that speaks of the role, or of a kick, decides. */
function causesIn(
  log: AuditLog,
  losses: readonly Loss[],
  { guild, action }: Search,
): ReadonlyMap<Loss, Cause> {
  const entries = log.audit_log_entries.filter(({ action_type: type }) => type === action);
  const byMember = Map.groupBy(entries, ({ target_id }) => target_id);
  const found = new Map<Loss, Cause>();
  for (const loss of losses) {
    const newest = byMember
      .get(loss.account)
      ?.filter((entry) => speaksOf(entry, loss) && madeAtMs(entry) > loss.afterMs)
      .toSorted((one, other) => (BigInt(one.id) > BigInt(other.id) ? -1 : 1))
      .at(0);
    if (newest !== undefined) found.set(loss, causeOf(newest, loss, log, guild));
  }
  return found;
}

/** https://discord.com/developers/docs/reference#snowflakes */
const discordEpochMs = 1_420_070_400_000;
const madeAtMs = ({ id }: Entry): number => Number(BigInt(id) >> 22n) + discordEpochMs;

const speaksOf = (entry: Entry, { roleId }: Loss): boolean =>
  roleId === undefined || changeOf(entry, roleId) !== undefined;

const changeOf = ({ changes = [] }: Entry, roleId: string): "$add" | "$remove" | undefined =>
  changes
    .filter((change) => "new_value" in change)
    .find(({ new_value: roles }) => roles.some(({ id }) => id === roleId))?.key;

function causeOf(entry: Entry, { roleId }: Loss, { users }: AuditLog, guild: Guild): Cause {
  // Given since: whatever took the role then was no removal by hand.
  if (roleId !== undefined && changeOf(entry, roleId) === "$add") return { is: "none" };
  if (entry.user_id === null || entry.user_id === guild.botId) return { is: "none" };
  const actor = users.find(({ id }) => id === entry.user_id);
  const atMs = madeAtMs(entry);
  return actor?.bot === true ? { is: "bot", name: actor.username, atMs } : { is: "person", atMs };
}
