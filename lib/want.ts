/** Who is wanted where: links resolved from all their sources, and the wishes that follow from rules or from a peer. */
import { compareIds, type Account, type DiscordUserId, type FanId, type Mxid, type Platform } from "./ids.ts";
import type { Facts } from "./facts.ts";
import type { Link, Place, PlaceState, Rule, Step, Verdict, Want, Wish } from "./model.ts";
import { anyOf, dayOf, evaluate, ruleKey } from "./rules.ts";

// ---- Links ------------------------------------------------------------------------------------------------------

export interface StoredLink {
  readonly fan: FanId;
  readonly platform: Platform;
  readonly account: DiscordUserId | Mxid;
  readonly source: "proved" | "operator";
}
export interface BookLink {
  readonly book: string;
  readonly fan: FanId;
  readonly platform: Platform;
  readonly account: DiscordUserId | Mxid;
}
/** Of a pair, of an account altogether, or of a fan altogether, whatever its cause. */
export type Block = { readonly createdAtMs: number } & (
  | { readonly platform: Platform; readonly account: DiscordUserId | Mxid; readonly fan: FanId | undefined }
  | { readonly platform: undefined; readonly account: undefined; readonly fan: FanId }
);
export interface LinkSources {
  readonly stored: readonly StoredLink[];
  readonly blocks: readonly Block[];
  /** What stands in the books now, and all that ever stood there. */
  readonly bookLinksNow: readonly BookLink[];
  readonly bookLinksEver: readonly BookLink[];
}

export interface ResolvedLinks {
  /** Links that hold, and missing ones, of both platforms; sorted by account, then fan. */
  readonly links: readonly Link[];
  readonly byAccount: ReadonlyMap<Account, readonly Link[]>;
  /** Accounts without a link that had one which the fan or the operator cut, and when. */
  readonly cutAtMs: ReadonlyMap<Account, number>;
  /** One sentence per row of a book that a proved link outranks. */
  readonly conflicts: readonly string[];
}

const pairKey = (account: Account | undefined, fan: FanId | undefined): string =>
  `${account ?? "*"} ${fan ?? "*"}`;
const byBook = (a: BookLink, b: BookLink): number => compareIds(a.book, b.book);

/** Brings the links of database and books together: a block outranks a proof, a proof outranks a book. */
export function resolveLinks(sources: LinkSources): ResolvedLinks {
  const blocked = new Set(sources.blocks.map((block) => pairKey(block.account, block.fan)));
  const isBlocked = ({ account, fan }: { account: Account; fan: FanId }) =>
    [pairKey(account, undefined), pairKey(account, fan), pairKey(undefined, fan)].some((key) =>
      blocked.has(key),
    );
  const stored = sources.stored.filter((link) => !isBlocked(link));
  const proved = stored.filter((link) => link.source === "proved");
  const provedFans = Map.groupBy(proved, (link) => link.account);
  const outranked = ({ account, fan }: BookLink) =>
    provedFans.get(account)?.every((link) => link.fan !== fan) ?? false;

  const links = new Map<string, Link>();
  const add = (link: Link) => {
    const key = pairKey(link.account, link.fan);
    if (!links.has(key)) links.set(key, link);
  };
  for (const link of proved) add(asLink(link, false));
  for (const link of stored) add(asLink(link, false));
  const standing = sources.bookLinksNow.filter((link) => !isBlocked(link)).sort(byBook);
  for (const link of standing) if (!outranked(link)) add(asLink(link, false));
  const once = sources.bookLinksEver.filter((link) => !isBlocked(link)).sort(byBook);
  for (const link of once) if (!outranked(link)) add(asLink(link, true));

  const sorted = [...links].sort(([a], [b]) => compareIds(a, b)).map(([, link]) => link);
  const byAccount = Map.groupBy(sorted, (link): Account => link.account);
  const conflicts = standing.filter(outranked).map((link) => conflictOf(link, provedFans.get(link.account)));
  // A row that a proof outranks is no link, but it keeps the fan from counting as somebody who cut all of theirs.
  const rows = [...standing, ...once].filter(outranked).map((row) => asLink(row, false));
  return { links: sorted, byAccount, cutAtMs: cutAccounts(sources.blocks, [...sorted, ...rows]), conflicts };
}

const asLink = (link: StoredLink | BookLink, missing: boolean): Link => ({
  fan: link.fan,
  platform: link.platform,
  account: link.account,
  ...("book" in link ? { source: "book", book: link.book } : { source: link.source }),
  missing,
});

const conflictOf = ({ book, account, fan }: BookLink, proved: readonly StoredLink[] = []): string =>
  `${book} gives ${account} to fan ${fan}, but fan ${proved.map((link) => link.fan).join(" and ")} proved to own it: the row is ignored.`;

/** Fans count by their Discord accounts only, since it is Discord roles that Fanvue lists mirror. */
function cutAccounts(blocks: readonly Block[], links: readonly Link[]): ReadonlyMap<Account, number> {
  const linked = new Set<Account>(
    links.flatMap((link) => (link.platform === "discord" ? [link.account, link.fan] : [link.account])),
  );
  const cut = new Map<Account, number>();
  for (const { account, fan, platform, createdAtMs } of blocks)
    for (const id of platform === "matrix" ? [account] : [account, fan])
      if (id !== undefined && !linked.has(id)) cut.set(id, Math.max(createdAtMs, cut.get(id) ?? 0));
  return cut;
}

/**
 * The verdict on one account: any of its fans may say yes. A link that is missing in its book is unknown, a link that
 * was cut is a "no" that needs no other evidence.
 */
export function verdictOfLinks(
  account: Account,
  { cutAtMs }: ResolvedLinks,
  links: readonly Link[] | undefined,
  judge: (link: Link) => Verdict,
): Verdict {
  if (links === undefined || links.length === 0) return unlinked(account, cutAtMs.get(account));
  return anyOf(links.map((link) => (link.missing ? missingLink(link) : judge(link))));
}

const unlinked = (account: Account, cutAtMs: number | undefined): Verdict =>
  cutAtMs === undefined
    ? { is: "unknown", because: `no link of ${account} is on record any more` }
    : { is: "no", because: `unlinked on ${dayOf(cutAtMs)}`, requested: true };

const missingLink = ({ book, account }: Link): Verdict => ({
  is: "unknown",
  because: `no longer in ${book ?? "its address book"}; \`npm run links -- remove ${account}\` if that is meant`,
});

// ---- Wishes -----------------------------------------------------------------------------------------------------

/**
 * What is wanted in `places` (all of one platform) by their rules, for every linked account and every account in
 * `owned`: those of which a grant is on record in any of the places.
 */
export function wantFromRules(given: {
  readonly places: readonly Place[];
  readonly platform: Platform;
  readonly links: ResolvedLinks;
  readonly facts: Facts;
  readonly owned: ReadonlySet<Account>;
  readonly nowMs: number;
}): Want {
  const { places, platform, links, facts, owned, nowMs } = given;
  const accounts = Map.groupBy(
    links.links.filter((link) => link.platform === platform),
    (link): Account => link.account,
  );
  for (const account of owned) if (!accounts.has(account)) accounts.set(account, []);

  const holders = [...accounts].map(([account, own]) => ({
    account,
    own,
    fans: own.map((link) => link.fan),
  }));
  const wishesBy = (rules: readonly Rule[]) =>
    wishesFor(holders, links, ({ fan }) => anyOf(rules.map((rule) => evaluate(rule, fan, facts, nowMs))));
  const known = new Map<string, ReadonlyMap<Account, Wish>>();
  return new Map(
    places.map((place) => {
      const key = place.rules.map(ruleKey).join("\n");
      const wishes = known.get(key) ?? wishesBy(place.rules);
      known.set(key, wishes);
      return [place, wishes];
    }),
  );
}

/** An account that somebody linked, or that has something of ours. */
interface Holder {
  readonly account: Account;
  readonly own: readonly Link[];
  readonly fans: readonly FanId[];
}

function wishesFor(
  holders: readonly Holder[],
  links: ResolvedLinks,
  judge: (link: Link) => Verdict,
): ReadonlyMap<Account, Wish> {
  const wishes = new Map<Account, Wish>();
  for (const holder of holders) {
    const { account, own } = holder;
    const verdict = verdictOfLinks(account, links, own, judge);
    wishes.set(account, { account, fans: fansBehind(verdict, holder, judge), verdict });
  }
  return wishes;
}

/** Behind a yes stand the fans who are entitled, behind everything else all of the account's fans. */
function fansBehind(
  verdict: Verdict,
  { own, fans }: Holder,
  judge: (link: Link) => Verdict,
): readonly FanId[] {
  if (verdict.is !== "yes" || fans.length === 1) return fans;
  return own.filter((link) => !link.missing && judge(link).is === "yes").map((link) => link.fan);
}

/** What is wanted in Fanvue lists that mirror a Discord role: the fans of whose linked accounts one holds it. */
export function wantFromPeer(given: {
  readonly mirrors: readonly { readonly place: Place; readonly peer: PlaceState }[];
  readonly links: ResolvedLinks;
  /** Fans of whom a grant is on record in any of the lists. */
  readonly owned: ReadonlySet<Account>;
}): Want {
  const { mirrors, links, owned } = given;
  const fans = byDiscordFan(links);
  for (const fan of owned) if (!fans.has(fan)) fans.set(fan, []);
  return new Map(
    mirrors.map(({ place, peer }) => {
      const wishes = new Map<Account, Wish>();
      for (const [fan, own] of fans) {
        const verdict = verdictOfLinks(fan, links, own, (link) => holdsRole(peer, link.account, place));
        wishes.set(fan, { account: fan, fans: own.slice(0, 1).map((link) => link.fan), verdict });
      }
      return [place, wishes];
    }),
  );
}

const byDiscordFan = (links: ResolvedLinks) =>
  Map.groupBy(
    links.links.filter((link) => link.platform === "discord"),
    (link): Account => link.fan,
  );

function holdsRole(peer: PlaceState, account: Account, place: Place): Verdict {
  if ("unreadable" in peer) return { is: "unknown", because: peer.unreadable.because };
  const standing = peer.members.get(account);
  if (standing === undefined && peer.coverage === "linked")
    return { is: "unknown", because: `${account} was not looked at` };
  switch (standing?.is) {
    case "in":
      return {
        is: "yes",
        because: `${account} has the role ${peer.name}`,
        basis: [`mirror:${place.mirrors?.role ?? ""}`],
      };
    case "unknown":
      return { is: "unknown", because: standing.because };
    case "invited":
      return { is: "unknown", because: `${account} has not accepted yet` };
    case undefined:
    case "out":
    case "absent":
    case "knocking":
    case "banned":
    case "left":
    case "removed":
      return { is: "no", because: `${account} does not have the role ${peer.name}` };
  }
}

// ---- The last look ----------------------------------------------------------------------------------------------

/**
 * The last look before a step: gives a function that says why a step is no longer wanted, undefined when it still is.
 * A grant needs a link that stands; a removal needs that no other link has come since `judged`, or gone missing.
 */
export function lastLook(links: ResolvedLinks, judged: ResolvedLinks): (step: Step) => string | undefined {
  const byFan = byDiscordFan(links);
  const known = new Set(judged.links.map(({ account, fan }) => pairKey(account, fan)));
  const isNew = ({ account, fan }: Link) => !known.has(pairKey(account, fan));
  return (step) => {
    const own = links.byAccount.get(step.account) ?? byFan.get(step.account) ?? [];
    return step.verb === "grant" ? grantFault(step, own) : removalFault(step, own, isNew);
  };
}

const grantFault = (step: Step, own: readonly Link[]): string | undefined =>
  own.some((link) => !link.missing && step.fans.includes(link.fan))
    ? undefined
    : `the link of ${step.account} no longer stands`;

function removalFault(step: Step, own: readonly Link[], isNew: (link: Link) => boolean): string | undefined {
  if (step.requested === true && own.length > 0) return `${step.account} was linked again`;
  if (own.some((link) => link.missing)) return `a link of ${step.account} went missing`;
  if (own.some((link) => !step.fans.includes(link.fan))) return `${step.account} was linked to another fan`;
  const [fresh] = own.filter(isNew);
  if (fresh !== undefined) return `${fresh.account} was linked to fan ${fresh.fan} meanwhile`;
  return undefined;
}
