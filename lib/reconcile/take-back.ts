/** The plan that takes back, at the operator's word, what was given in a place that is no longer configured. */
import type { Sql } from "../db.ts";
import { BadInputError } from "../errors.ts";
import type { Account, PlaceId } from "../ids.ts";
import {
  type Place,
  placeIdByConfig,
  type PlaceMemory,
  type PlaceState,
  type Step,
  type Verdict,
  type Wish,
} from "../model.ts";
import { diff } from "../plan/diff.ts";
import { loadForeignGrants, loadPlaceMemory } from "../store/places.ts";
import type { Job } from "./job.ts";
import { loadLinks } from "./links.ts";
import type { Planned } from "./make-plan.ts";

/**
 * Everybody who is ours in the place is to lose it. No brake counts that, since it is asked for; the protected, staff
 * and whoever is not ours are left alone as ever. Nothing of Fanvue is read.
 * Throws a BadInputError for a place in which nothing is ours, or that the config still names.
 */
export async function planTakeBack(job: Job, id: string): Promise<Planned> {
  const { database, target, config } = job;
  const startedAtMs = job.now();
  const links = await loadLinks(job);
  const placeId = await database.read((sql) => formerPlace(sql, job, id));
  const place: Place = { ...former, target: target.name, id };
  const memory = await database.read((sql) => loadPlaceMemory(sql, target.name, placeId, id, job.now()));
  const memories = new Map([[place, memory], ...(await database.read((sql) => memoriesOfOthers(sql, job)))]);
  const have = await readAlone(job, { place, placeId, memories });
  const plan = diff({
    want: new Map([
      [place, wantNobody(memory)],
      ...job.places.map((other) => [other, untold(memory)] as const),
    ]),
    have,
    memories,
    leftBehind: new Map(),
    protectedAccounts: config.protectedAccounts,
    unreadableSinceMs: new Map(),
    unknownAfterDays: config.unknownAfterDays,
    nowMs: job.now(),
  });
  return {
    startedAtMs,
    links,
    grounds: undefined,
    have,
    memories,
    confirmed: { plan, unreadableFans: new Set(), readableFans: new Set() },
    confirmedAtMs: job.now(),
    guarded: { ...nothingHeld, go: plan.steps },
    heldIsNew: false,
    foreignGrants: [],
    unreadable: new Set(),
    stillStands: () => Promise.resolve(undefined),
    confirmAgain: (removals) => Promise.resolve(new Set(removals)),
  };
}

const former = { rules: [], onExpiry: "revoke", graceDays: 0, strangers: "keep", adopt: false } as const;

const nothingHeld = {
  approved: new Set<Step>(),
  held: undefined,
  accepts: { rules: [], sizes: [] },
  applied: [],
  strangersWait: new Set<never>(),
  acceptSizes: [],
};

function formerPlace(sql: Sql, { target, places }: Job, id: string): PlaceId {
  const configured = new Set(
    places.flatMap((place) => {
      const led = loadPlaceMemory(sql, target.name, undefined, place.id, 0).placeId;
      return [placeIdByConfig(place), led].filter((placeId) => placeId !== undefined);
    }),
  );
  if (places.some((place) => place.id === id) || [...configured].some((placeId) => placeId === id)) {
    throw new BadInputError(
      `--take-back ${id}: the config still names this place.`,
      "Take it out of the config first. To end a single link: npm run links -- remove ACCOUNT",
    );
  }
  const ids = new Set(loadForeignGrants(sql, target.name, configured).map(({ placeId }) => placeId));
  const placeId = [...ids].find((known) => known === id);
  if (placeId !== undefined) return placeId;
  throw new BadInputError(
    `--take-back ${id}: nothing that was given there is on record.`,
    ids.size === 0 ? "There is nothing to take back." : `There is something in: ${[...ids].join(", ")}.`,
  );
}

/** Where the places of the config led last: a former space takes nobody out of a room that is one of them. */
const memoriesOfOthers = (sql: Sql, { target, places, now }: Job) =>
  places.map(
    (place) => [place, loadPlaceMemory(sql, target.name, placeIdByConfig(place), place.id, now())] as const,
  );

/** Reads the place beside all that are configured: an alias of the config may lead to the very room. */
async function readAlone(
  { target, places }: Job,
  {
    place,
    placeId,
    memories,
  }: {
    readonly place: Place;
    readonly placeId: PlaceId;
    readonly memories: ReadonlyMap<Place, PlaceMemory>;
  },
): Promise<ReadonlyMap<Place, PlaceState>> {
  const states = await target.read([...places, place], new Set(memories.get(place)?.grants.keys()));
  const lost = places.find((other) => !isLocated(other, states.get(other), memories.get(other)));
  if (lost !== undefined) {
    throw new BadInputError(
      `--take-back ${place.id}: where ${lost.id} of the config leads cannot be told now, and it may be this very place.`,
      "Mend that first (the sync says why), then try again.",
    );
  }
  const state = states.get(place);
  return new Map(state === undefined ? [] : [[place, emptyIfGone(place, placeId, state)]]);
}

/** In a place that is no more nobody is: what was given there needs no taking back. */
function emptyIfGone({ id }: Place, placeId: PlaceId, state: PlaceState): PlaceState {
  if (!("unreadable" in state) || state.unreadable.isGone !== true) return state;
  const warnings = [`${state.unreadable.because} What was given there is struck off the record.`];
  return { placeId, name: id, members: new Map(), coverage: "everybody", warnings };
}

const isLocated = (place: Place, state: PlaceState | undefined, memory: PlaceMemory | undefined): boolean =>
  placeIdByConfig(place) !== undefined ||
  memory?.placeId !== undefined ||
  (state !== undefined && !("unreadable" in state));

/** Whoever only was found there holds the place by somebody else's hand. */
function wantNobody(memory: PlaceMemory): Wishes {
  const ours = new Map([...memory.grants].filter(([, { origin }]) => origin !== "found"));
  const because = "the operator takes this place back";
  return wishesOf({ grants: ours }, { is: "no", because, requested: true });
}

const untold = (memory: PlaceMemory): Wishes =>
  wishesOf(memory, { is: "unknown", because: "Fanvue was not asked" });

type Wishes = ReadonlyMap<Account, Wish>;

const wishesOf = ({ grants }: Pick<PlaceMemory, "grants">, verdict: Verdict): Wishes =>
  new Map([...grants].map(([account, { fans }]) => [account, { account, fans, verdict }]));
