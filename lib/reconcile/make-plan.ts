/** The reading half of the pipeline: from Fanvue and the platform to what may go and what is held. Writes nothing to a platform. */
import type { Sql } from "../db.ts";
import { NothingHeldError } from "../errors.ts";
import { guard, type Guarded, type GuardGiven, heldIsNew } from "../guard.ts";
import type { Account, FanId, PlaceId } from "../ids.ts";
import {
  isOurs,
  type Grant,
  type Place,
  placeIdByConfig,
  type PlaceState,
  type Plan,
  type Presence,
  type Skip,
  type Step,
  type Want,
} from "../model.ts";
import { type Confirmed, confirmRemovals, confirmSteps } from "../plan/confirm.ts";
import { diff } from "../plan/diff.ts";
import { loadCurrentHeld, loadHeld } from "../store/held.ts";
import { loadForeignGrants, loadPlaceMemory, loadWhereabouts } from "../store/places.ts";
import { loadSourceSizes, loadUnreadableFans } from "../store/sources.ts";
import type { Since } from "../target.ts";
import { groundsByHolders } from "./by-holders.ts";
import { groundsByRules } from "./by-rules.ts";
import { isLeftBehind } from "./foreign.ts";
import type { Grounds, Memories } from "./grounds.ts";
import { hashOf } from "./hash.ts";
import { isPartial, type Job } from "./job.ts";
import { accountsOn, type Links, loadLinks, lookAgainAt } from "./links.ts";

export interface Planned {
  readonly startedAtMs: number;
  readonly links: Links;
  /** Undefined where neither Fanvue nor a role was asked. */
  readonly grounds: Pick<Grounds, "readAtMs" | "subscribers" | "handles"> | undefined;
  readonly have: ReadonlyMap<Place, PlaceState>;
  readonly memories: Memories;
  readonly confirmed: Confirmed;
  readonly confirmedAtMs: number;
  readonly guarded: Guarded;
  readonly heldIsNew: boolean;
  readonly foreignGrants: readonly Grant[];
  /** What of Fanvue could not be read so far, a sentence each; a late confirmation may add to it. */
  readonly unreadable: ReadonlySet<string>;
  /** The last look before a step: why it may not go, or undefined. */
  readonly stillStands: (step: Step) => Promise<string | undefined>;
  /** Reads the ground of these removals again and gives those that are still to go. */
  readonly confirmAgain: (removals: readonly Step[]) => Promise<ReadonlySet<Step>>;
}

/** Reads, decides, confirms and guards: the plan is whole before the first write. */
export async function makePlan(job: Job): Promise<Planned> {
  const { config, database, holders } = job;
  const startedAtMs = job.now();
  const links = await loadLinks(job);
  const known = await database.read((sql) => loadMemories(sql, job, new Map()));
  const grounds = await (holders === undefined
    ? groundsByRules(job, links)
    : groundsByHolders(job, links, { holders, memories: known }));

  const have = await readPlaces(job, links, { grounds, known });
  const memory = await database.read((sql) => loadMemory(sql, job, have));
  const owned = new Set([...accountsOwned(memory.places), ...accountsIn(memory.leftBehind)]);
  const want = wishesOf(job.fan, grounds.want(owned));
  const { facts, protectedAccounts } = grounds;
  const { unreadableSinceMs, foreignGrants, leftBehind } = memory;
  const { unknownAfterDays } = config;
  const given = { want, memories: memory.places, foreignGrants, unreadableSinceMs, unknownAfterDays };
  const plan = diff({ ...given, have, leftBehind, protectedAccounts, nowMs: job.now() });
  const unreadable = new Set(grounds.unreadable);
  const readAgain = (some: Plan) =>
    grounds.readAgain(some, { ...given, facts }, (sentence) => unreadable.add(sentence));
  const proposed = job.fan === undefined ? plan : onlyGrants(plan, want);
  const confirmed = withSkips(confirmRemovals(proposed, await readAgain(proposed)), grounds.skips);
  const guarded = await release(job, {
    plan: confirmed.plan,
    have,
    memories: memory.places,
    limits: config.limits,
    sizes: grounds.sizes,
    acceptedSizes: memory.acceptedSizes,
    clockSkewMs: clockSkewMs(job),
    isPartial: isPartial(job),
    hash: hashOf,
  });
  return {
    startedAtMs,
    links,
    grounds,
    have,
    memories: memory.places,
    confirmed,
    confirmedAtMs: job.now(),
    guarded,
    heldIsNew: heldIsNew(guarded.held, memory.lastHeld?.steps),
    foreignGrants: memory.allLocated ? memory.foreignGrants : [],
    unreadable,
    stillStands: lookAgainAt(job, links),
    confirmAgain: async (removals) => {
      const late = { ...plan, steps: removals, observations: new Map() };
      return confirmSteps(removals, await readAgain(late));
    },
  };
}

const withSkips = (confirmed: Confirmed, skips: readonly Skip[]): Confirmed => ({
  ...confirmed,
  plan: { ...confirmed.plan, skips: [...confirmed.plan.skips, ...skips] },
});

// ---- Places -------------------------------------------------------------------------------------------------------

/**
 * The states of the chosen places. All are read, since two names of the config may lead to the same place; one that has
 * no ground to judge by is as good as unread.
 */
async function readPlaces(
  job: Job,
  links: Links,
  { grounds, known }: { readonly grounds: Grounds; readonly known: Memories },
): Promise<ReadonlyMap<Place, PlaceState>> {
  const { places, chosen, target, platform, troubles } = job;
  const linked = new Set([...accountsOn(platform, links.resolved), ...accountsOwned(known)]);
  const record = {
    onRecord: onRecordIn(known),
    unsettled: unsettledIn(known),
    presences: presencesIn(known),
  };
  const states = await target.read(places, linked, record);
  return new Map(
    chosen.map((place) => {
      const trouble = place.entry === undefined ? undefined : troubles.get(place.entry);
      if (trouble !== undefined) return [place, { unreadable: trouble }];
      const state = states.get(place) ?? notTold(place);
      const groundless = grounds.groundless.get(place);
      if (groundless === undefined || "unreadable" in state) return [place, state];
      return [place, { unreadable: groundless }];
    }),
  );
}

const notTold = ({ id }: Place): PlaceState => ({
  unreadable: { because: `Nothing was told of ${id}.`, remedy: "Run again." },
});

/** Our clock minus the services' in ms, the one that is farthest off; undefined when none told. */
export function clockSkewMs({ fanvue, target, holders }: Job): number | undefined {
  return [fanvue.clockSkewMs(), target.clockSkewMs(), holders?.clockSkewMs()]
    .filter((skewMs) => skewMs !== undefined)
    .sort((a, b) => Math.abs(b) - Math.abs(a))
    .at(0);
}

// ---- Memory -------------------------------------------------------------------------------------------------------

function loadMemory(sql: Sql, job: Job, have: ReadonlyMap<Place, PlaceState>) {
  const places = loadMemories(sql, job, have);
  const led = [...places.values()].flatMap(({ placeId }) => placeId ?? []);
  const lead = job.places.flatMap((place) => placeIdNow(place, have.get(place)) ?? []);
  const configured = new Set([...led, ...lead]);
  const foreign = loadForeignGrants(sql, job.target.name, configured);
  return {
    places,
    leftBehind: byPlace(foreign.filter(isLeftBehind)),
    unreadableSinceMs: loadUnreadableFans(sql),
    acceptedSizes: loadSourceSizes(sql, job.target.name),
    lastHeld: loadCurrentHeld(sql, job.target.name),
    foreignGrants: foreign.filter((grant) => !isLeftBehind(grant)),
    /** While a configured place cannot be located, what looks foreign may be in that very place. */
    allLocated: [...places].every(
      ([place, { placeId }]) => placeId !== undefined || placeIdNow(place, have.get(place)) !== undefined,
    ),
  };
}

type GrantsByPlace = ReadonlyMap<PlaceId, ReadonlyMap<Account, Grant>>;

const byPlace = (grants: readonly Grant[]): GrantsByPlace =>
  new Map(
    [...Map.groupBy(grants, ({ placeId }) => placeId)].map(([placeId, some]) => [
      placeId,
      new Map(some.map((grant) => [grant.account, grant])),
    ]),
  );

const accountsIn = (grants: GrantsByPlace): readonly Account[] =>
  [...grants.values()].flatMap((some) => [...some.keys()]);

/** What is remembered of every configured place: where it leads now where it was read, else where it led last. */
function loadMemories(
  sql: Sql,
  { places, target, now }: Job,
  have: ReadonlyMap<Place, PlaceState>,
): Memories {
  const whereabouts = loadWhereabouts(sql, target.name);
  return new Map(
    places.map((place) => [
      place,
      loadPlaceMemory(sql, target.name, placeIdNow(place, have.get(place)), place.id, now(), whereabouts),
    ]),
  );
}

const placeIdNow = (place: Place, state: PlaceState | undefined): PlaceId | undefined =>
  state !== undefined && "placeId" in state ? state.placeId : placeIdByConfig(place);

/** Who certainly was let in: a grant without outcome may never have been given, and nobody misses it then. */
const onRecordIn = (memories: Memories): Since => sinceIn(memories, ({ settled }) => settled);
const unsettledIn = (memories: Memories): Since => sinceIn(memories, ({ settled }) => !settled);

const sinceIn = (memories: Memories, isMeant: (grant: Grant) => boolean): Since =>
  new Map(
    [...memories].map(([place, { grants }]) => {
      const ours = [...grants.values()].filter((grant) => isOurs(grant) && isMeant(grant));
      return [place, new Map(ours.map(({ account, sinceMs }) => [account, sinceMs]))];
    }),
  );

/** They are the same in every place of a target. */
const presencesIn = (memories: Memories): ReadonlyMap<Account, Presence> =>
  [...memories.values()].at(0)?.presences ?? new Map();

const accountsOwned = (memories: Memories): ReadonlySet<Account> =>
  new Set([...memories.values()].flatMap(({ grants }) => [...grants.keys()]));

// ---- One fan only -------------------------------------------------------------------------------------------------

/** All wishes, or those of one fan's accounts. */
function wishesOf(fan: FanId | undefined, want: Want): Want {
  if (fan === undefined) return want;
  return new Map(
    [...want].map(([place, wishes]) => [
      place,
      new Map([...wishes].filter(([, { fans }]) => fans.includes(fan))),
    ]),
  );
}

/** The grants of a plan, for the accounts that are wished for; nothing is observed of anybody. */
function onlyGrants(plan: Plan, want: Want): Plan {
  const isWished = ({ place, account }: { place: Place; account: Account }) =>
    want.get(place)?.has(account) === true;
  return {
    steps: plan.steps.filter((step) => step.verb === "grant" && isWished(step)),
    skips: plan.skips.filter(isWished),
    observations: new Map(),
  };
}

// ---- Brakes -------------------------------------------------------------------------------------------------------

/** The guard, with what the operator approves: a set that a real run stored, or the very one that a dry run showed. */
async function release(job: Job, given: GuardGiven): Promise<Guarded> {
  const { approve } = job;
  if (approve.length === 0) return guard(given);
  const stored = await job.database.read((sql) =>
    approve.map((hash) => loadHeld(sql, job.target.name, hash)).find((held) => held !== undefined),
  );
  if (stored !== undefined) return guard({ ...given, approved: stored });
  const { held, accepts } = guard(given);
  if (held !== undefined && approve.includes(held.hash))
    return guard({ ...given, approved: { steps: held.steps, accepts } });
  throw new NothingHeldError(
    `Nothing that waits for approval has the hash ${approve.join(" or ")}.`,
    `Run npm run ${job.script} -- --dry-run to see what is held now, and its hash.`,
  );
}
