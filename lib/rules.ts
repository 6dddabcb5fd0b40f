/** What the rules say of a fan: by the snapshot (`evaluate`), and by what was read again before a removal (`confirm`). */
import type { FanId, ListKey } from "./ids.ts";
import type { Evidence, Facts, Insight, Known, ListMembers, Subscriber, Unlock } from "./facts.ts";
import {
  listInWords,
  listKey,
  type Grant,
  type ListRef,
  type Place,
  type Rule,
  type Verdict,
} from "./model.ts";

type RuleOf<Kind extends Rule["kind"]> = Extract<Rule, { kind: Kind }>;

/** A rule as a key: what a grant's basis and a verdict name. Equal rules have equal keys. */
export function ruleKey(rule: Rule): string {
  switch (rule.kind) {
    case "subscription":
      return rule.freeTrial ? "subscription" : "subscription:paid";
    case "spending":
      return `spending:${rule.minCents}`;
    case "top_spender":
      return "top_spender";
    case "unlock":
      return `unlock:${rule.contentId}`;
    case "fanvue_list":
      return `fanvue_list:${listKey(rule.list)}`;
  }
}

/** A rule in words, as in "fans who spent 100.00 USD or more". */
export function describeRule(rule: Rule): string {
  switch (rule.kind) {
    case "subscription":
      return rule.freeTrial ? "subscribers" : "subscribers who pay";
    case "spending":
      return `fans who spent ${dollars(rule.minCents)} USD or more`;
    case "top_spender":
      return "top spenders";
    case "unlock":
      return `fans who unlocked ${rule.contentId}`;
    case "fanvue_list":
      return `fans on the ${listInWords(rule.list)}`;
  }
}

/** Text that is equal for places whose members are chosen alike, whatever the order of their rules. */
export function rulesHash(place: Place): string {
  const who = place.mirrors === undefined ? place.rules.map(ruleKey) : [`mirror:${place.mirrors.role}`];
  const strangers = place.strangers === "remove" ? ["strangers:remove"] : [];
  return [...new Set(who)].sort().concat(strangers).join("\n");
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 9 Dec 2026, in UTC. */
export function dayOf(timeMs: number): string {
  const date = new Date(timeMs);
  return `${date.getUTCDate()} ${months[date.getUTCMonth()] ?? "?"} ${date.getUTCFullYear()}`;
}

const dollars = (cents: number): string => (cents / 100).toFixed(2);

// ---- Verdicts ---------------------------------------------------------------------------------------------------

const yes = (rule: Rule, because: string, endsAtMs?: number): Verdict => ({
  is: "yes",
  because,
  basis: [ruleKey(rule)],
  ...(endsAtMs === undefined ? {} : { endsAtMs }),
});

const no = (because: string, endedAtMs?: number): Verdict => ({
  is: "no",
  because,
  ...(endedAtMs === undefined ? {} : { endedAtMs }),
});

const unknown = (because: string): Verdict => ({ is: "unknown", because });

/** Fanvue tells nothing of this fan, as of a deleted account. */
const unreadable = (fan: FanId, because: string): Verdict => ({
  is: "unknown",
  because,
  unreadableFans: [fan],
});

/** yes if any is yes, else unknown if any is unknown, else no. No verdicts at all is unknown. */
export function anyOf(verdicts: readonly Verdict[]): Verdict {
  const first = verdicts[0];
  if (first === undefined) return unknown("no rule speaks of this place");
  if (verdicts.length === 1) return first;
  return anyYes(verdicts) ?? anyUnknown(verdicts) ?? allNo(verdicts);
}

const joined = (verdicts: readonly Verdict[]) => [...new Set(verdicts.map((v) => v.because))].join("; ");

/** The latest of the times, undefined if one is not known: nobody is hurried by a date that is not there. */
const latest = (times: readonly (number | undefined)[]) =>
  times.reduce((a, b) => (a === undefined || b === undefined ? undefined : Math.max(a, b)));

function anyYes(verdicts: readonly Verdict[]): Verdict | undefined {
  const found = verdicts.filter((verdict) => verdict.is === "yes");
  if (found.length === 0) return undefined;
  const endsAtMs = latest(found.map((verdict) => verdict.endsAtMs));
  return {
    is: "yes",
    because: joined(found),
    basis: [...new Set(found.flatMap((verdict) => verdict.basis))],
    ...(endsAtMs === undefined ? {} : { endsAtMs }),
  };
}

function anyUnknown(verdicts: readonly Verdict[]): Verdict | undefined {
  const found = verdicts.filter((verdict) => verdict.is === "unknown");
  if (found.length === 0) return undefined;
  const fans = found.map((verdict) => verdict.unreadableFans);
  if (fans.includes(undefined)) return unknown(joined(found));
  return {
    is: "unknown",
    because: joined(found),
    unreadableFans: [...new Set(fans.flatMap((some) => some ?? []))],
  };
}

function allNo(verdicts: readonly Verdict[]): Verdict {
  const found = verdicts.filter((verdict) => verdict.is === "no");
  return no(joined(found), latest(found.map((verdict) => verdict.endedAtMs)));
}

// ---- By the snapshot --------------------------------------------------------------------------------------------

/** What the snapshot says. A "no" is a presumption only: `confirm` decides. */
export function evaluate(rule: Rule, fan: FanId, facts: Facts, nowMs: number): Verdict {
  switch (rule.kind) {
    case "subscription":
      return subscriptionInList(rule, fan, facts, nowMs);
    case "spending":
      return spent(rule, fan, facts.insights.get(fan));
    case "top_spender":
      return topSpenderInLists(rule, fan, facts);
    case "unlock":
      return unlocked(rule, fan, facts);
    case "fanvue_list":
      return onList(rule, fan, facts.lists.get(listKey(rule.list)));
  }
}

function subscriptionInList(rule: RuleOf<"subscription">, fan: FanId, facts: Facts, nowMs: number): Verdict {
  if (!facts.subscribers.known) return unknown(facts.subscribers.why);
  const row = facts.subscribers.value.get(fan);
  return row === undefined ? no("not among the subscribers") : subscriptionOf(rule, row, nowMs);
}

const isFreeRow = (rule: RuleOf<"subscription">, row: Subscriber | undefined): boolean =>
  !rule.freeTrial && row?.isFree === true;

/** Cancelled subscriptions last until the end of what was paid for; paused and pending ones decide nothing. */
function subscriptionOf(rule: RuleOf<"subscription">, row: Subscriber, nowMs: number): Verdict {
  if (isFreeRow(rule, row)) return no("subscribes for free, which does not count here");
  const endsAtMs = row.periodEndsAtMs;
  switch (row.status) {
    case undefined:
    case "active":
      return yes(rule, "subscriber");
    case "cancelled":
      if (endsAtMs === undefined) return unknown("subscription cancelled, its end is not told");
      if (endsAtMs > nowMs) return yes(rule, `subscriber until ${dayOf(endsAtMs)}`, endsAtMs);
      return no(`subscription ended ${dayOf(endsAtMs)}`, endsAtMs);
    default:
      return unknown(`subscription is "${row.status}"`);
  }
}

function spent(rule: RuleOf<"spending">, fan: FanId, insight: Insight | undefined): Verdict {
  if (insight === undefined) return unreadable(fan, "spending could not be read");
  if (insight.totalCents === undefined) return noFigure(fan, insight);
  const text = `spent ${dollars(insight.totalCents)} of ${dollars(rule.minCents)} USD`;
  return insight.totalCents >= rule.minCents ? yes(rule, text) : no(text);
}

const noFigure = (fan: FanId, { status }: Insight): Verdict =>
  status === "not_contactable"
    ? unreadable(fan, "Fanvue says this fan cannot be contacted")
    : unknown("Fanvue gave no figure of spending");

function topSpenderInLists(rule: RuleOf<"top_spender">, fan: FanId, facts: Facts): Verdict {
  const { subscribers, followers } = facts;
  const rows = [subscribers, followers].flatMap((list) => (list.known ? [list.value.get(fan)] : []));
  const row = rows.find((some) => some !== undefined);
  if (row !== undefined) return topSpender(rule, row);
  if (!subscribers.known) return unknown(subscribers.why);
  if (!followers.known) return unknown(followers.why);
  return unreadable(fan, "neither among the subscribers nor the followers");
}

const topSpender = (rule: RuleOf<"top_spender">, row: { isTopSpender: boolean }): Verdict =>
  row.isTopSpender ? yes(rule, "top spender") : no("not a top spender");

function unlocked(rule: RuleOf<"unlock">, fan: FanId, facts: Facts): Verdict {
  if (!facts.unlocks.known) return unknown(facts.unlocks.why);
  const unlock: Unlock | undefined = facts.unlocks.value.get(rule.contentId)?.get(fan);
  switch (unlock) {
    case "bought":
      return yes(rule, `unlocked ${rule.contentId}`);
    case "ambiguous":
      return unknown("a refund that may concern this purchase");
    case "reversed":
      return no(`the unlock of ${rule.contentId} was refunded`);
    case undefined:
      return no(`has not unlocked ${rule.contentId}`);
  }
}

function onList(rule: RuleOf<"fanvue_list">, fan: FanId, list: Known<ListMembers> | undefined): Verdict {
  const { id, type } = rule.list;
  if (type === "named") return unknown(`there is no list "${id}" yet`);
  if (list === undefined) return unknown(`the list ${id} was not read`);
  if (!list.known) return unknown(list.why);
  const { members, count, name } = list.value;
  const called = name === undefined ? id : `"${name}"`;
  if (members.has(fan)) return yes(rule, `on the list ${called}`);
  if (count !== undefined && count !== members.size)
    return unknown(`the list ${called} counts ${count} fans but showed ${members.size}`);
  return no(`not on the list ${called}`);
}

// ---- By the evidence --------------------------------------------------------------------------------------------

/** By which rules an account got into a place. */
export type Basis = Pick<Grant, "basis">;

/** What the evidence says. `grant` is the account's grant on record in the place, which an unlock asks for. */
export function confirm(
  rule: Rule,
  fan: FanId,
  facts: Facts,
  evidence: Evidence,
  grant: Basis | undefined,
  nowMs: number,
): Verdict {
  switch (rule.kind) {
    case "subscription":
      return confirmSubscription(rule, fan, evidence, nowMs);
    case "spending":
      return confirmSpending(rule, fan, evidence);
    case "top_spender":
      return confirmTopSpender(rule, fan, evidence);
    case "unlock":
      return confirmUnlock(rule, fan, facts, grant);
    case "fanvue_list":
      return confirmList(rule, fan, evidence);
  }
}

function confirmSubscription(
  rule: RuleOf<"subscription">,
  fan: FanId,
  evidence: Evidence,
  nowMs: number,
): Verdict {
  const row = evidence.rows.get(fan);
  const subscriber = row?.known === true && "status" in row.value ? row.value : undefined;
  const byRow = subscriber === undefined ? undefined : subscriptionOf(rule, subscriber, nowMs);
  if (byRow !== undefined && (byRow.is !== "no" || isFreeRow(rule, subscriber))) return byRow;
  const byInsight = subscriptionByInsight(rule, fan, evidence.insights.get(fan), nowMs);
  if (byInsight.is === "unknown") return byRow ?? byInsight;
  if (byInsight.is === "yes" && !rule.freeTrial)
    return unknown("subscribes, but whether for money is not told");
  return byInsight;
}

function subscriptionByInsight(
  rule: RuleOf<"subscription">,
  fan: FanId,
  insight: Known<Insight> | undefined,
  nowMs: number,
): Verdict {
  if (insight === undefined) return unknown("was not read again");
  if (!insight.known) return unreadable(fan, insight.why);
  const { status, renewsAtMs } = insight.value;
  switch (status) {
    case "subscriber":
      return yes(rule, "subscriber");
    case "expired":
    case "follower":
      return renewsAtMs !== undefined && renewsAtMs <= nowMs
        ? no(`subscription ended ${dayOf(renewsAtMs)}`, renewsAtMs)
        : no(status === "expired" ? "subscription ended" : "follows, but does not subscribe");
    case "not_contactable":
      return unreadable(fan, "Fanvue says this fan cannot be contacted");
    default:
      return unknown(`Fanvue calls this fan "${status}"`);
  }
}

function confirmSpending(rule: RuleOf<"spending">, fan: FanId, evidence: Evidence): Verdict {
  const insight = evidence.insights.get(fan);
  if (insight === undefined) return unknown("was not read again");
  return insight.known ? spent(rule, fan, insight.value) : unreadable(fan, insight.why);
}

function confirmTopSpender(rule: RuleOf<"top_spender">, fan: FanId, evidence: Evidence): Verdict {
  const row = evidence.rows.get(fan);
  if (row === undefined) return unknown("was not read again");
  return row.known ? topSpender(rule, row.value) : unreadable(fan, row.why);
}

/** A purchase that is missing in the ledger proves nothing against whoever once got in by it. */
function confirmUnlock(rule: RuleOf<"unlock">, fan: FanId, facts: Facts, grant: Basis | undefined): Verdict {
  const verdict = unlocked(rule, fan, facts);
  if (verdict.is !== "no" || !facts.unlocks.known) return verdict;
  if (facts.unlocks.value.get(rule.contentId)?.get(fan) === "reversed") return verdict;
  if (grant !== undefined && !grant.basis.includes(ruleKey(rule))) return verdict;
  return unknown(`the ledger shows no unlock of ${rule.contentId}, and no refund of it either`);
}

function confirmList(rule: RuleOf<"fanvue_list">, fan: FanId, evidence: Evidence): Verdict {
  const list = evidence.lists.get(listKey(rule.list));
  const verdict = onList(rule, fan, list);
  if (verdict.is !== "no") return verdict;
  if (list?.known !== true || list.value.count === undefined)
    return unknown(`Fanvue does not say how many fans are on the list ${rule.list.id}`);
  return rule.list.type === "custom" ? verdict : confirmOffSmartList(fan, evidence, verdict);
}

/** Smart lists leave out whom Fanvue cannot contact, though nothing has changed for that fan. */
function confirmOffSmartList(fan: FanId, evidence: Evidence, verdict: Verdict): Verdict {
  const insight = evidence.insights.get(fan);
  if (insight === undefined) return unknown("was not read again");
  if (!insight.known) return unreadable(fan, insight.why);
  return insight.value.status === "not_contactable"
    ? unreadable(fan, "Fanvue says this fan cannot be contacted")
    : verdict;
}

// ---- What to read again -----------------------------------------------------------------------------------------

/** What has to be read again. */
export interface EvidenceNeeded {
  /** Fans whose insight is needed. */
  readonly fans: ReadonlySet<FanId>;
  /** Fans whose row in the subscribers or followers is needed. */
  readonly rows: ReadonlySet<FanId>;
  readonly lists: ReadonlyMap<ListKey, ListRef>;
}

/** What `confirm` will ask for these fans under these rules. */
export function evidenceNeededFor(
  asked: Iterable<{ readonly rules: readonly Rule[]; readonly fans: readonly FanId[] }>,
  facts: Facts,
): EvidenceNeeded {
  const fans = new Set<FanId>();
  const rows = new Set<FanId>();
  const lists = new Map<ListKey, ListRef>();
  for (const { rules, fans: some } of asked)
    for (const rule of rules) {
      if (rule.kind === "fanvue_list" && rule.list.type !== "named") lists.set(listKey(rule.list), rule.list);
      for (const fan of some) {
        if (asksForInsight(rule)) fans.add(fan);
        if (asksForRow(rule, fan, facts)) rows.add(fan);
      }
    }
  return { fans, rows, lists };
}

const asksForInsight = (rule: Rule): boolean =>
  rule.kind === "subscription" ||
  rule.kind === "spending" ||
  (rule.kind === "fanvue_list" && rule.list.type === "smart");

/** A subscriber's row tells more than the insight where it is still listed, or where money counts. */
const asksForRow = (rule: Rule, fan: FanId, facts: Facts): boolean =>
  rule.kind === "top_spender" ||
  (rule.kind === "subscription" &&
    (!rule.freeTrial || (facts.subscribers.known && facts.subscribers.value.has(fan))));
