/** Which removals become evictions, and the order of a plan. */
import {
  compareIds,
  type Account,
  type Place,
  type PlaceMemory,
  type Skip,
  type Step,
  type Verb,
  type Want,
} from "../model.ts";

const verbRank: Record<Verb, number> = { grant: 0, revoke: 1, evict: 2 };

/** Spaces go before their rooms: who is out of the room but not yet of the space would walk back in. */
const turnOf = ({ isSpace, within }: Step): number => (isSpace !== true ? 2 : within === undefined ? 0 : 1);

/** Grants, revokes, evictions; spaces before rooms; then place, then account. */
export function sortSteps(steps: readonly Step[]): readonly Step[] {
  return [...steps].sort(
    (a, b) =>
      verbRank[a.verb] - verbRank[b.verb] ||
      turnOf(a) - turnOf(b) ||
      compareIds(a.placeId, b.placeId) ||
      compareIds(a.account, b.account),
  );
}

export interface EvictionGiven {
  readonly skips: readonly Skip[];
  /** The places that this run plans. */
  readonly planned: ReadonlySet<Place>;
  /** Of all configured places of the target. */
  readonly want: Want;
  readonly memories: ReadonlyMap<Place, PlaceMemory>;
  /** Whether the evidence says that no rule of the place speaks for the account. */
  readonly isOver: (place: Place, account: Account) => boolean;
}

/**
 * One eviction per account, in its first place, which takes all of its places; revokes in its stead where a rule still
 * justifies the account, or where it keeps an access that this run does not take. `steps` come in the order of places.
 */
export function settleEvictions(steps: readonly Step[], given: EvictionGiven): readonly Step[] {
  const evictions = Map.groupBy(
    steps.filter((step) => step.verb === "evict"),
    (step) => step.account,
  );
  if (evictions.size === 0) return steps;
  const stays = stayingElsewhere(given);
  return [
    ...steps.filter((step) => step.verb !== "evict"),
    ...[...evictions].flatMap(([account, group]) =>
      stays(account) ? group.map((step): Step => ({ ...step, verb: "revoke" })) : merged(group),
    ),
  ];
}

function merged(group: readonly Step[]): readonly Step[] {
  const [first] = group;
  if (first === undefined) return [];
  const holds = [...new Set(group.flatMap((step) => step.hold ?? []))];
  const because = [...new Set(group.map((step) => step.because))].join("; ");
  const fans = [...new Set(group.flatMap((step) => step.fans))];
  return [{ ...first, because, fans, ...(holds.length > 0 ? { hold: holds.join("; ") } : {}) }];
}

const staysIn: ReadonlySet<Skip["why"]> = new Set([
  "untouchable",
  "protected",
  "not ours",
  "kept",
  "in grace",
]);

function stayingElsewhere(given: EvictionGiven): (account: Account) => boolean {
  const { skips, planned, want, memories, isOver } = given;
  const staying = new Set(skips.filter((skip) => staysIn.has(skip.why)).map((skip) => skip.account));
  return (account) =>
    staying.has(account) ||
    [...want].some(([place, wishes]) => {
      const unseen = !planned.has(place) && memories.get(place)?.grants.has(account) === true;
      return unseen || wishes.get(account)?.verdict.is !== "no" || !isOver(place, account);
    });
}
