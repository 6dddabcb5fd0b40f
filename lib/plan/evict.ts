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

/** Takes the place alone in the stead of throwing out, and says why the account may stay on the server. */
export const asRevoke = (step: Step, why: string): Step =>
  step.verb === "evict"
    ? { ...step, verb: "revoke", because: `${step.because}; not thrown out of the server: ${why}` }
    : step;

/**
 * One eviction per account, in its first place, which takes all of its places; revokes in its stead, which say so, where a
 * rule still justifies the account, or where it keeps, or may keep, an access that this run does not take. `steps` come in
 * the order of places.
 */
export function settleEvictions(steps: readonly Step[], given: EvictionGiven): readonly Step[] {
  const evictions = Map.groupBy(
    steps.filter((step) => step.verb === "evict"),
    (step) => step.account,
  );
  if (evictions.size === 0) return steps;
  const whyStays = reasonsToStay(given);
  return [
    ...steps.filter((step) => step.verb !== "evict"),
    ...[...evictions].flatMap(([account, group]) => {
      const why = whyStays(account);
      return why === undefined ? merged(group) : group.map((step) => asRevoke(step, why));
    }),
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

/** Why an account may stay on the server, in the same words whatever the order of places; undefined: nothing speaks for it. */
function reasonsToStay(given: EvictionGiven): (account: Account) => string | undefined {
  const { skips, planned, want, foreignGrants, isOver } = given;
  const places = [...want].sort(([a], [b]) => compareIds(a.id, b.id));
  const byRules = (account: Account): string | undefined => {
    const verdictOn = (place: Place) => want.get(place)?.get(account)?.verdict.is;
    const open = places.filter(([place]) => verdictOn(place) !== "no" || !isOver(place, account));
    const [place] = open.find(([it]) => verdictOn(it) === "yes") ?? open[0] ?? [];
    return place && `${verdictOn(place) === "yes" ? "is" : "may be"} entitled to ${place.id}`;
  };
  const kept = skips
    .filter(({ why }) => staysIn.has(why))
    .map(({ account, place, why }) => [account, `keeps or may keep ${place.id} (${why})`] as const);
  const leftOver = foreignGrants.map(
    ({ account, placeId }) => [account, `has ${placeId}, which is no longer configured`] as const,
  );
  const byHolding = new Map([...kept, ...leftOver].sort(([, a], [, b]) => compareIds(b, a)));
  // Somebody may hold a place that was not read by another hand than ours, of which nothing is on record.
  const unread = places.find(([place]) => !planned.has(place))?.[0];
  return (account) =>
    byRules(account) ?? byHolding.get(account) ?? (unread && `who has ${unread.id} was not read`);
}
