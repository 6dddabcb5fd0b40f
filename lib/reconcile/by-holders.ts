/** Wishes of lists that mirror Discord roles: the fans of whoever holds the role. */
import type { Facts, SourceSize } from "../facts.ts";
import type { Account, FanId, RoleId } from "../ids.ts";
import { isIn, isOurs, type Place, type PlaceState, type Reason, type Skip } from "../model.ts";
import { loadHandles } from "../store/snapshot.ts";
import type { HoldersAsk, RoleHolders } from "../target.ts";
import { type ResolvedLinks, wantFromPeer } from "../want.ts";
import type { Grounds, Memories } from "./grounds.ts";
import type { Job } from "./job.ts";
import { accountsOn, type Links, loadLinks } from "./links.ts";

/** Nothing of Fanvue decides on such lists. */
const noFacts: Facts = {
  readAtMs: 0,
  subscribers: { known: false, why: "no rule needs it" },
  followers: { known: false, why: "no rule needs it" },
  insights: new Map(),
  lists: new Map(),
  unlocks: { known: false, why: "no rule needs it" },
};
const noEvidence = { readAtMs: 0, insights: new Map(), rows: new Map(), lists: new Map() };

type States = ReadonlyMap<RoleId, PlaceState>;

export async function groundsByHolders(
  job: Job,
  links: Links,
  { holders, memories }: { readonly holders: RoleHolders; readonly memories: Memories },
): Promise<Grounds> {
  const states = await readHolders(job, links.resolved, { holders, memories });
  const { chosen, fan } = job;
  return {
    readAtMs: undefined,
    subscribers: undefined,
    handles: await job.database.read(loadHandles),
    facts: noFacts,
    sizes: fan === undefined ? sizesOf(states, links.resolved) : [],
    unreadable: [],
    groundless: groundlessAmong(chosen, states),
    skips: fan === undefined ? chosen.flatMap((place) => unlinkedIn(place, states, links.resolved)) : [],
    protectedAccounts: fansOf(job.config.protectedAccounts, links.resolved),
    want: (owned) => wantFromPeer({ mirrors: mirrorsOf(job.places, states), links: links.resolved, owned }),
    async readAgain(plan, given) {
      const again = (await loadLinks(job)).resolved;
      const removals = plan.steps.filter(({ verb }) => verb !== "grant");
      const losing = new Set(removals.map(({ account }) => account));
      // An unlinked fan has no account to be looked at: that they asked for it is evidence enough.
      const fans = new Set(
        removals.filter(({ requested }) => requested !== true).map(({ account }) => account),
      );
      const read: States =
        fans.size === 0 ? new Map() : await holders.readAgain(askFor(job, again, { fans, memories }));
      const mirrored = wantFromPeer({ mirrors: mirrorsOf(job.places, read), links: again, owned: losing });
      return { ...given, links: again, evidence: noEvidence, mirrored, nowMs: job.now() };
    },
  };
}

/** Everybody, or, where it is about one fan, their accounts alone. */
function readHolders(
  job: Job,
  links: ResolvedLinks,
  { holders, memories }: { readonly holders: RoleHolders; readonly memories: Memories },
): Promise<States> {
  if (job.fan === undefined) return holders.read(askFor(job, links, { memories }));
  return holders.readAgain(askFor(job, links, { memories, fans: new Set([job.fan]) }));
}

/** `fans`: only theirs; default all. */
function askFor(
  { places }: Job,
  links: ResolvedLinks,
  { memories, fans }: { readonly memories: Memories; readonly fans?: ReadonlySet<Account> },
): HoldersAsk {
  const own = links.links.filter(({ platform, fan }) => platform === "discord" && fans?.has(fan) !== false);
  return {
    roles: rolesOf(places),
    linked: new Set(own.map(({ account }) => account)),
    onRecord: onRecordIn(memories, links),
  };
}

const rolesOf = (places: readonly Place[]): readonly RoleId[] => [
  ...new Set(places.flatMap(({ mirrors }) => mirrors?.role ?? [])),
];

/** Who held a role when their fan was put on its list. A fan with several accounts may have held it by any of them. */
function onRecordIn(memories: Memories, { links }: ResolvedLinks): HoldersAsk["onRecord"] {
  const accounts = Map.groupBy(
    links.filter(({ platform }) => platform === "discord"),
    ({ fan }): Account => fan,
  );
  const onRecord = new Map<RoleId, Set<Account>>();
  for (const [{ mirrors }, { grants }] of memories) {
    if (mirrors === undefined) continue;
    const held = onRecord.get(mirrors.role) ?? new Set();
    onRecord.set(mirrors.role, held);
    for (const grant of grants.values()) {
      const [only, second] = accounts.get(grant.account) ?? [];
      if (isOurs(grant) && grant.settled && only !== undefined && second === undefined)
        held.add(only.account);
    }
  }
  return onRecord;
}

const mirrorsOf = (places: readonly Place[], states: States) =>
  places.map((place) => ({ place, peer: peerOf(place, states) }));

const peerOf = ({ mirrors }: Place, states: States): PlaceState =>
  (mirrors && states.get(mirrors.role)) ?? {
    unreadable: { because: "The role was not read.", remedy: "Run again." },
  };

const groundlessAmong = (places: readonly Place[], states: States): ReadonlyMap<Place, Reason> =>
  new Map(
    places.flatMap((place): [Place, Reason][] => {
      const peer = peerOf(place, states);
      return "unreadable" in peer ? [[place, peer.unreadable]] : [];
    }),
  );

/** Only linked holders count: whoever has no link never was on a list, and is not always shown. */
function sizesOf(states: States, links: ResolvedLinks): readonly SourceSize[] {
  const linked = new Set<Account>(accountsOn("discord", links));
  return [...states].flatMap(([role, state]) => {
    if ("unreadable" in state) return [];
    const holders = [...state.members].filter(([account, standing]) => isIn(standing) && linked.has(account));
    return [{ source: `role:${role}`, name: `The role "${state.name}"`, size: holders.length }];
  });
}

/** Who holds a role and is on no list, since nobody knows who they are on Fanvue. */
function unlinkedIn(place: Place, states: States, links: ResolvedLinks): readonly Skip[] {
  const peer = peerOf(place, states);
  if ("unreadable" in peer) return [];
  const because = `has the role ${peer.name} and no link to a fan`;
  return [...peer.members]
    .filter(([account, standing]) => isIn(standing) && !links.byAccount.has(account))
    .map(([account]) => ({ place, account, why: "unlinked", because }));
}

/** The fans behind protected accounts. */
function fansOf(accounts: ReadonlySet<Account>, { links }: ResolvedLinks): ReadonlySet<FanId> {
  return new Set(links.filter(({ account }) => accounts.has(account)).map(({ fan }) => fan));
}
