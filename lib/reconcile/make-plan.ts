/** The reading half of the pipeline: from Fanvue and the platform to what may go and what is held. Writes nothing to a platform. */
import { createHash } from "node:crypto";
import type { Config } from "../config/shape.ts";
import type { Sql } from "../db.ts";
import { BadInputError } from "../errors.ts";
import { guard, type Guarded, type GuardGiven, heldIsNew } from "../guard.ts";
import type { Account, FanId, PlaceId } from "../ids.ts";
import {
  isOurs,
  type Grant,
  type Place,
  type PlaceMemory,
  type PlaceState,
  type Plan,
  type Step,
  type Want,
} from "../model.ts";
import {
  type Confirmed,
  confirmRemovals,
  confirmSteps,
  type ConfirmGiven,
  evidenceNeeded,
} from "../plan/confirm.ts";
import { diff } from "../plan/diff.ts";
import { gatherEvidence, needsOf, type Snapshot, takeFanSnapshot, takeSnapshot } from "../snapshot.ts";
import { loadCurrentHeld, loadHeld } from "../store/held.ts";
import { loadArrivals, loadForeignGrants, loadPlaceMemory } from "../store/places.ts";
import { loadSourceSizes, loadUnreadableFans } from "../store/sources.ts";
import { wantFromRules } from "../want.ts";
import type { Job } from "./job.ts";
import { accountsOn, type Links, loadLinks, lookAgainAt } from "./links.ts";

export interface Planned {
  readonly startedAtMs: number;
  readonly links: Links;
  /** Undefined where Fanvue was not asked. */
  readonly snapshot: Snapshot | undefined;
  readonly have: ReadonlyMap<Place, PlaceState>;
  readonly memories: ReadonlyMap<Place, PlaceMemory>;
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
  const { config, database, target } = job;
  const startedAtMs = job.now();
  const links = await loadLinks(job);
  const snapshot = await readSource(job, links);

  const known = await database.read((sql) => loadMemories(sql, job, new Map()));
  const linked = new Set([...accountsOn(job.platform, links.resolved), ...accountsOwned(known)]);
  const have = await target.read(job.chosen, linked, onRecordIn(known), unsettledIn(known));
  const memory = await database.read((sql) => loadMemory(sql, job, have));

  const want = wishesOf(
    job.fan,
    wantFromRules({
      places: job.places,
      platform: job.platform,
      links: links.resolved,
      facts: snapshot.facts,
      owned: new Set([...accountsOwned(memory.places), ...accountsIn(memory.leftBehind)]),
      nowMs: job.now(),
    }),
  );
  const { unreadableSinceMs, foreignGrants } = memory;
  const { protectedAccounts, unknownAfterDays } = config;
  const given = { want, memories: memory.places, foreignGrants, unreadableSinceMs, unknownAfterDays };
  const { leftBehind } = memory;
  const plan = diff({ ...given, have, leftBehind, protectedAccounts, nowMs: job.now() });
  const unreadable = new Set(snapshot.unreadable);
  const readAgain = reader(job, { ...given, facts: snapshot.facts }, unreadable);
  const proposed = job.fan === undefined ? plan : onlyGrants(plan, want);
  const confirmed = confirmRemovals(proposed, await readAgain(proposed));
  const guarded = await release(job, {
    plan: confirmed.plan,
    have,
    memories: memory.places,
    limits: config.limits,
    sizes: snapshot.sizes,
    acceptedSizes: memory.acceptedSizes,
    clockSkewMs: clockSkewMs(job),
    hash: (text) => createHash("sha256").update(text).digest("hex"),
  });
  return {
    startedAtMs,
    links,
    snapshot,
    have,
    memories: memory.places,
    confirmed,
    confirmedAtMs: job.now(),
    guarded,
    heldIsNew: heldIsNew(guarded.held, memory.lastHeld?.held),
    foreignGrants: memory.allLocated ? memory.foreignGrants : [],
    unreadable,
    stillStands: lookAgainAt(job, links.books),
    confirmAgain: async (removals) => {
      const late = { ...plan, steps: removals, observations: new Map() };
      return confirmSteps(removals, await readAgain(late));
    },
  };
}

// ---- Source -------------------------------------------------------------------------------------------------------

/** One snapshot covers what all configured places of all platforms need, so that a chain of scripts shares it. */
function readSource(job: Job, links: Links): Promise<Snapshot> {
  const { config, fanvue, database, now, log, progress } = job;
  const places = [...(config.discord?.places ?? []), ...(config.matrix?.places ?? [])];
  const needs = needsOf(places, { subscribers: asksWhoSubscribes(config) });
  if (job.fan !== undefined) return takeFanSnapshot({ fanvue, database, needs, fan: job.fan, now });
  return takeSnapshot({
    fanvue,
    database,
    needs,
    linkedFans: new Set(links.resolved.links.map(({ fan }) => fan)),
    now,
    maxAgeMs: config.snapshotMaxAgeMs,
    followersMaxAgeMs: config.followersMaxAgeMs,
    save: !job.dryRun,
    log,
    progress,
  });
}

/** Beside the rules: codes and personal links go to fans by their names, and offers to those who do not subscribe. */
const asksWhoSubscribes = ({ link, upsell }: Pick<Config, "link" | "upsell">): boolean =>
  upsell?.toSubscribers === false || (link.publicUrl !== undefined && (link.inboxCode || link.personalLinks));

/** Reads again what the removals of a plan rest on, and notes what could not be read. */
function reader(
  job: Job,
  given: Omit<ConfirmGiven, "evidence" | "links" | "nowMs">,
  unreadable: Set<string>,
): (plan: Plan) => Promise<ConfirmGiven> {
  return async (plan) => {
    const needed = evidenceNeeded(plan, given);
    const gathered = await gatherEvidence({ fanvue: job.fanvue, ...needed, now: job.now });
    for (const sentence of gathered.unreadable) unreadable.add(sentence);
    const links = (await loadLinks(job)).resolved;
    return { ...given, links, evidence: gathered.evidence, nowMs: job.now() };
  };
}

/** Our clock minus the services' in ms, the one that is farthest off; undefined when none told. */
export function clockSkewMs({ fanvue, target }: Job): number | undefined {
  return [fanvue.clockSkewMs(), target.clockSkewMs()]
    .filter((skewMs) => skewMs !== undefined)
    .sort((a, b) => Math.abs(b) - Math.abs(a))
    .at(0);
}

// ---- Memory -------------------------------------------------------------------------------------------------------

function loadMemory(sql: Sql, job: Job, have: ReadonlyMap<Place, PlaceState>) {
  const places = loadMemories(sql, job, have);
  const configured = new Set([...places.values()].flatMap(({ placeId }) => placeId ?? []));
  for (const state of have.values()) if ("placeId" in state) configured.add(state.placeId);
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
      ([place, { placeId }]) => placeId !== undefined || placeIdNow(have.get(place)) !== undefined,
    ),
  };
}

/** On record only because it is to be taken out of a room that goes with a space: nothing ever justified it there. */
const isLeftBehind = ({ settled, basis }: Grant): boolean => !settled && basis.length === 0;

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
): ReadonlyMap<Place, PlaceMemory> {
  const arrivals = loadArrivals(sql, target.name);
  return new Map(
    places.map((place) => [
      place,
      loadPlaceMemory(sql, target.name, placeIdNow(have.get(place)), place.id, now(), arrivals),
    ]),
  );
}

function placeIdNow(state: PlaceState | undefined): PlaceId | undefined {
  return state !== undefined && "placeId" in state ? state.placeId : undefined;
}

/** Who certainly was let in: a grant without outcome may never have been given, and nobody misses it then. */
const onRecordIn = (memories: ReadonlyMap<Place, PlaceMemory>): ReadonlyMap<Place, ReadonlySet<Account>> =>
  new Map(
    [...memories].map(([place, { grants }]) => {
      const ours = [...grants.values()].filter((grant) => isOurs(grant) && grant.settled);
      return [place, new Set(ours.map(({ account }) => account))];
    }),
  );

const unsettledIn = (
  memories: ReadonlyMap<Place, PlaceMemory>,
): ReadonlyMap<Place, ReadonlyMap<Account, number>> =>
  new Map(
    [...memories].map(([place, { grants }]) => {
      const open = [...grants.values()].filter((grant) => isOurs(grant) && !grant.settled);
      return [place, new Map(open.map(({ account, sinceMs }) => [account, sinceMs]))];
    }),
  );

const accountsOwned = (memories: ReadonlyMap<Place, PlaceMemory>): ReadonlySet<Account> =>
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
  if (job.approve === undefined) return guard(given);
  const hash = job.approve;
  const stored = await job.database.read((sql) => loadHeld(sql, job.target.name, hash));
  if (stored !== undefined) return guard({ ...given, approved: stored });
  const { held, accepts } = guard(given);
  if (held?.hash === hash) return guard({ ...given, approved: { held, accepts } });
  throw new BadInputError(
    `Nothing that waits for approval has the hash ${hash}.`,
    `Run npm run ${job.script} -- --dry-run to see what is held now, and its hash.`,
  );
}
