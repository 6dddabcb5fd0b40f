/** Whom a reading looked at: the whole list of members, checked against what else is known, or the linked ones one by one. */
import type { DiscordUserId } from "../ids.ts";
import type { Log } from "../log.ts";
import type { Reason } from "../model.ts";
import {
  fetchEach,
  fetchMember,
  fetchMemberCounts,
  fetchMemberList,
  type Guild,
  type Member,
  type MemberAlone,
  type Members,
  type Read,
} from "./guild.ts";
import type { DiscordRest } from "./rest.ts";

export interface CensusRequest {
  readonly rest: DiscordRest;
  readonly guild: Guild;
  /** The roles that are places. */
  readonly roles: ReadonlySet<string>;
  readonly linked: readonly DiscordUserId[];
  /** By role, who has it as far as the journal knows. */
  readonly onRecord: ReadonlyMap<string, ReadonlySet<DiscordUserId>>;
  readonly log: Log;
}

export interface Census {
  readonly coverage: "everybody" | "linked";
  readonly bot: Member;
  readonly members: Members;
  /** The members with each of the asked roles. */
  readonly holders: Holders;
  /** Accounts that could not be read, and why. */
  readonly unread: ReadonlyMap<DiscordUserId, string>;
  /** Roles of which the members cannot be told, though those of others can, and why. */
  readonly doubtful: ReadonlyMap<string, Reason>;
}

type Holders = ReadonlyMap<string, readonly Member[]>;
type Doubts = ReadonlyMap<string, Reason>;

/** Looks at everybody, or at the linked accounts alone where the bot may not see the list. */
export async function takeCensus(request: CensusRequest): Promise<Read<Census>> {
  const { rest, guild } = request;
  const first = await fetchMemberList(rest, guild);
  if (first.is === "unreadable") return { unreadable: first.reason };
  if (first.is === "forbidden") return oneByOne(request);
  const counts = await countHolders(request);
  const suspects = countDoubts(request, first.members, counts);
  if (suspects.size === 0) return compareWithRecord(request, first.members, { counts, doubts: suspects });
  // The count may have moved while we read: only what is amiss twice in a row is held against the list.
  const second = await fetchMemberList(rest, guild);
  if (second.is === "unreadable") return { unreadable: second.reason };
  if (second.is === "forbidden") return oneByOne(request);
  const countsAgain = (await countHolders(request)) ?? counts;
  const still = countDoubts(request, second.members, countsAgain);
  const doubts = new Map([...still].filter(([role]) => suspects.has(role)));
  return compareWithRecord(request, second.members, { counts: countsAgain, doubts });
}

/** One look at each member, however many roles are asked for. */
function holdersAmong(members: Members, roles: ReadonlySet<string>): Holders {
  const holders = new Map<string, Member[]>([...roles].map((role) => [role, []]));
  for (const member of members.values()) for (const role of member.roles) holders.get(role)?.push(member);
  return holders;
}

// ---- Against Discord's own count --------------------------------------------------------------------------------

/** Holders may miss in the list: this many, or this share of them, is taken for people coming and going. */
const toleratedHolders = 2;
const toleratedShare = 0.02;

type Counts = ReadonlyMap<string, number>;

async function countHolders({ rest, guild, log }: CensusRequest): Promise<Counts | undefined> {
  const counts = await fetchMemberCounts(rest, guild);
  if (counts === undefined)
    log.debug("Discord does not tell how many hold each role; the list is not compared");
  return counts;
}

/** Roles of which the list shows clearly fewer holders than Discord counts. */
function countDoubts({ guild, roles }: CensusRequest, members: Members, counts: Counts | undefined): Doubts {
  if (counts === undefined) return new Map();
  const doubts = new Map<string, Reason>();
  for (const [role, { length: listed }] of holdersAmong(members, roles)) {
    const counted = counts.get(role) ?? 0;
    if (counted - listed <= Math.max(toleratedHolders, counted * toleratedShare)) continue;
    doubts.set(role, {
      because: `Discord counts ${counted} holders of the role "${nameOf(role, guild)}" but listed ${listed}.`,
      remedy: "Nothing was changed there; the next run reads it again.",
      isPassing: true,
    });
  }
  return doubts;
}

const nameOf = (role: string, guild: Guild) => guild.roles.get(role)?.name ?? role;

// ---- Against the journal ----------------------------------------------------------------------------------------

/** So many who all lost the same role are rather a list gone wrong, and so many are asked for one by one. */
const manyOnRecord = 3;

interface Witness {
  readonly counts: Counts | undefined;
  readonly doubts: Doubts;
}

/** A role of which the list shows none of those who have it on record. */
interface Vanished {
  readonly role: string;
  readonly onRecord: number;
  /** Those to be looked at one by one. */
  readonly sample: readonly DiscordUserId[];
}

/**
 * Roles that are amiss by the record, where Discord's own count is no second witness for the list. Where it is, many have
 * really lost the role, or left; few are looked at all the same, since the count may be off by as many.
 */
function vanishedRoles(
  { guild, roles, onRecord }: CensusRequest,
  listed: Members,
  { counts, doubts }: Witness,
): readonly Vanished[] {
  return [...onRecord].flatMap(([role, accounts]) => {
    const isShown = [...accounts].some((id) => listed.get(id)?.roles.has(role) === true);
    const isTold = doubts.has(role) || !roles.has(role) || !guild.roles.has(role);
    const isMany = accounts.size >= manyOnRecord;
    const isWitnessed = counts !== undefined && (isMany || (counts.get(role) ?? 0) === 0);
    if (accounts.size === 0 || isShown || isTold || isWitnessed) return [];
    return [{ role, onRecord: accounts.size, sample: sampleOf(accounts, listed) }];
  });
}

/** Whom the list shows without the role tells more of the list than who has left; they come first. */
const sampleOf = (accounts: ReadonlySet<DiscordUserId>, listed: Members): readonly DiscordUserId[] =>
  [...accounts]
    .toSorted((one, other) => Number(listed.has(other)) - Number(listed.has(one)))
    .slice(0, manyOnRecord);

/** Of few, the look at each puts the list right. Of many, only some are looked at, and speak for the others. */
function doubtOf(
  { role, onRecord, sample }: Vanished,
  listed: Members,
  looks: Looks,
  guild: Guild,
): Reason | undefined {
  const bearsOut = (id: DiscordUserId) =>
    !looks.unread.has(id) &&
    looks.members.has(id) === listed.has(id) &&
    looks.members.get(id)?.roles.has(role) !== true;
  if (onRecord < manyOnRecord || sample.every(bearsOut)) return undefined;
  return {
    because:
      `Discord's list shows none of the ${onRecord} who hold the role "${nameOf(role, guild)}" on record, ` +
      `and a look at ${sample.length} of them did not bear that out.`,
    remedy: "Nothing was changed there; the next run reads it again.",
    isPassing: true,
  };
}

type Looks = Awaited<ReturnType<typeof fetchEach>>;

/** The census that a whole list gives, where it does not contradict what is on record. */
async function compareWithRecord(
  request: CensusRequest,
  listed: Members,
  witness: Witness,
): Promise<Read<Census>> {
  const { rest, guild, roles } = request;
  const bot = listed.get(guild.botId);
  if (bot === undefined) throw new Error("a member list without the bot passed as whole");
  const vanished = vanishedRoles(request, listed, witness);
  const asked = new Set(vanished.flatMap(({ sample }) => sample));
  const looks = await fetchEach(rest, guild, asked);
  const doubtful = new Map(witness.doubts);
  for (const each of vanished) {
    const doubt = doubtOf(each, listed, looks, guild);
    if (doubt !== undefined) doubtful.set(each.role, doubt);
  }
  const members = new Map([...[...listed].filter(([id]) => !asked.has(id)), ...looks.members]);
  const holders = holdersAmong(members, roles);
  return { value: { coverage: "everybody", bot, members, holders, unread: looks.unread, doubtful } };
}

// ---- Without the list -------------------------------------------------------------------------------------------

async function oneByOne({ rest, guild, roles, linked }: CensusRequest): Promise<Read<Census>> {
  const bot = await fetchMember(rest, guild, guild.botId);
  if (bot.is !== "member") return { unreadable: botUnseen(bot) };
  const { members, unread } = await fetchEach(rest, guild, linked);
  const holders = holdersAmong(members, roles);
  return {
    value: { coverage: "linked", bot: bot.member, members, holders, unread, doubtful: new Map() },
  };
}

const botUnseen = (read: Exclude<MemberAlone, { is: "member" }>): Reason => ({
  because:
    read.is === "absent"
      ? "The bot is not in the server."
      : `The bot's own roles could not be read. ${read.because}`,
  remedy: "Invite the bot to the server, or run again.",
});
