/** Which removals become evictions, and the order of a plan. */
import { compareIds, type Account } from "../ids.ts";
import type { Grant, Place, Skip, Step, Verb, Want } from "../model.ts";

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
  /** The places that were read, and are planned, in this run. */
  readonly planned: ReadonlySet<Place>;
  /** Of all configured places of the target. */
  readonly want: Want;
  /** Grants of ours in places of the target that are no longer configured. */
  readonly foreignGrants: readonly Grant[];
  /** Whether the evidence says that no rule of the place speaks for the account. */
  readonly isOver: (place: Place, account: Account) => boolean;
}

/**
 * One eviction per account, in its first place, which takes all of its places; revokes in its stead where a rule still
 * justifies the account, or where it keeps, or may keep, an access that this run does not take. `steps` come in the
 * order of places.
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
  "unreadable",
]);

function stayingElsewhere(given: EvictionGiven): (account: Account) => boolean {
  const { skips, planned, want, foreignGrants, isOver } = given;
  const staying = new Set(
    [...skips.filter((skip) => staysIn.has(skip.why)), ...foreignGrants].map(({ account }) => account),
  );
  // Somebody may hold a place that was not read by another hand than ours, of which nothing is on record.
  const isPartial = [...want.keys()].some((place) => !planned.has(place));
  return (account) =>
    isPartial ||
    staying.has(account) ||
    [...want].some(([place, wishes]) => wishes.get(account)?.verdict.is !== "no" || !isOver(place, account));
}
