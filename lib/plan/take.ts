/** Who is taken out of a place: those of ours who are no longer entitled, and strangers where they may not stay. */
import { dayMs } from "../durations.ts";
import type { Account } from "../ids.ts";
import { isIn, isNewPlace, isOurs, type Step, type Verb, type Verdict, type Wish } from "../model.ts";
import { dayOf } from "../rules.ts";
import { skip, type Case, type Draft, type PlanGiven } from "./case.ts";
import { isStranger } from "./spaces.ts";

const foundHold = "linked holders who were not entitled when this place was first applied";

/** Takes back what is ours, or waits: for an approval, or for days of grace to pass. */
export function take(it: Case): void {
  const { draft, account, fans, grant, verdict } = it;
  // A role that comes with a join is ours where it came that way; whoever else holds it was never asked for.
  if (draft.place.onlyOnJoin === true && grant === undefined) return;
  const requested = verdict.is === "no" && verdict.requested === true;
  const isNew = grant === undefined && isNewPlace(draft.memory, draft.placeId);
  // What was asked for passes every brake: it may only ever take what is ours.
  if ((grant === undefined && !isNew) || (requested && !isOurs(grant))) {
    skip(it, "not ours", "was not given by this program");
    return;
  }
  const hold = isOurs(grant) ? undefined : foundHold;
  if (isUntouchable(it)) return;
  if (isNew) draft.seen.found.push({ account, fans });
  if (!requested && (isKept(it) || (hold === undefined && isInGrace(it)))) return;
  remove(it, { ...(hold === undefined ? {} : { hold }), ...(requested ? { requested } : {}) });
}

/** A fan of whom Fanvue has told nothing for long: only a person may decide that nothing will come any more. */
export function takeIfLongUnreadable(it: Case): void {
  const { draft, account, fans, standing, grant, verdict } = it;
  if (grant === undefined && mayYetBeFound(it)) draft.seen.found.push({ account, fans });
  const hold = isIn(standing) && grant !== undefined ? longUnreadable(verdict, draft.given) : undefined;
  if (hold === undefined) {
    skip(it, "unknown", verdict.because);
    return;
  }
  if (!isUntouchable(it) && !isKept(it)) remove(it, { hold });
}

/** A linked holder in a new place, of whom the rules cannot tell yet: one who turns out to have lapsed is held, not let be. */
const mayYetBeFound = ({ draft, fans, standing }: Case): boolean =>
  fans.length > 0 &&
  draft.place.adopt &&
  draft.place.onlyOnJoin !== true &&
  isIn(standing) &&
  !("untouchable" in standing) &&
  isNewPlace(draft.memory, draft.placeId);

/** The reason to hold a removal, once all fans behind a verdict have been unreadable long enough. */
export function longUnreadable(
  verdict: Verdict,
  given: Pick<PlanGiven, "unreadableSinceMs" | "unknownAfterDays" | "nowMs">,
): string | undefined {
  if (verdict.is !== "unknown" || verdict.unreadableFans === undefined) return undefined;
  const since = verdict.unreadableFans.map((fan) => given.unreadableSinceMs.get(fan) ?? Infinity);
  const latest = Math.max(...since);
  return latest + given.unknownAfterDays * dayMs <= given.nowMs
    ? `Fanvue has told nothing of this fan since ${dayOf(latest)}`
    : undefined;
}

function isUntouchable(it: Case): boolean {
  const { standing, draft, account } = it;
  if ("untouchable" in standing) skip(it, "untouchable", standing.untouchable);
  else if (draft.given.protectedAccounts.has(account)) skip(it, "protected", "on the protected list");
  else return false;
  return true;
}

function isKept(it: Case): boolean {
  if (it.draft.place.onExpiry !== "keep") return false;
  skip(it, "kept", it.verdict.because);
  return true;
}

function isInGrace(it: Case): boolean {
  const { draft, account, verdict } = it;
  const { place, memory, given, seen } = draft;
  if (place.graceDays === 0 || verdict.is !== "no") return false;
  const lapsedMs = memory.lapsedSinceMs.get(account);
  if (lapsedMs === undefined) seen.lapsed.push(account);
  const endsMs = (verdict.endedAtMs ?? lapsedMs ?? given.nowMs) + place.graceDays * dayMs;
  if (endsMs <= given.nowMs) return false;
  skip(it, "in grace", `${verdict.because}; keeps access until ${dayOf(endsMs)}`);
  return true;
}

/** What was asked for takes the access back and no more: nobody is thrown out for unlinking. */
function remove(it: Case, marks: Pick<Step, "hold" | "requested">): void {
  const { draft, account, verdict, grant } = it;
  const { place, placeId } = draft;
  const verb: Verb = place.onExpiry === "evict" && marks.requested !== true ? "evict" : "revoke";
  const fans = it.fans.length > 0 ? it.fans : (grant?.fans ?? []);
  draft.steps.push({ verb, place, placeId, account, fans, because: verdict.because, basis: [], ...marks });
}

// ---- Strangers --------------------------------------------------------------------------------------------------

const strangerHold = "strangers who were here when this place was first applied";

/** Strangers are counted (staff and the bot itself are none), and taken out where the place says so. They have no fans. */
export function lookAtStrangers(draft: Draft, wishes: ReadonlyMap<Account, Wish>): void {
  const { place, placeId, memory } = draft;
  for (const [account, standing] of draft.state.members) {
    const isKnock = standing.is === "knocking";
    if (!isIn(standing) && !isKnock) continue;
    if (!isStranger(wishes.get(account), memory.grants.get(account))) continue;
    const verdict: Verdict = { is: "no", because: "has no link to a fan" };
    const it: Case = { draft, account, fans: [], verdict, standing, grant: undefined };
    if (isKnock) {
      skip(it, "stranger knocking", verdict.because);
    } else if (place.strangers === "keep") {
      if (!("untouchable" in standing) || wishes.has(account)) skip(it, "stranger", verdict.because);
    } else if (!isUntouchable(it)) {
      const isFirst = isNewPlace(memory, placeId) || memory.strangersWait;
      const hold = isFirst ? { hold: strangerHold } : {};
      const because = verdict.because;
      draft.steps.push({ verb: "revoke", place, placeId, account, fans: [], because, basis: [], ...hold });
    }
  }
}
