/** What a member's own membership comes to: pure judgement over what is on record of them. */
import { dayMs } from "../durations.ts";
import type { Facts } from "../facts.ts";
import type { DiscordUserId, FanId, Mxid } from "../ids.ts";
import type { Link, Place, Verdict } from "../model.ts";
import { anyOf, evaluate } from "../rules.ts";
import type { AccountInPlace } from "../store/account.ts";
import { type ResolvedLinks, verdictOfLinks } from "../want.ts";

/** What is on record of one account. */
export interface MemberRecord {
  readonly account: DiscordUserId | Mxid;
  /** Of this account only. */
  readonly links: ResolvedLinks;
  /** What the newest snapshot says of its fans; undefined: there is none yet. */
  readonly facts: Facts | undefined;
  /** By role or room. */
  readonly places: ReadonlyMap<string, AccountInPlace>;
}

/** How it stands with one member and one role. */
export type RoleStatus =
  /** Entitled, and has it; `untilMs` where an end is known. */
  | { readonly is: "has it"; readonly untilMs: number | undefined }
  | { readonly is: "comes with the next sync" | "removed by a person" | "left by choice" | "not entitled" }
  | { readonly is: "refused before"; readonly nextTryAtMs: number }
  /** Not entitled any more, and has it still: for a while, for good, until the next sync, or by the team's own hand. */
  | { readonly is: "in grace"; readonly untilMs: number }
  | { readonly is: "kept" | "ends with the next sync" | "not ours" }
  | { readonly is: "unknown"; readonly has: boolean };

/** The fans whom an account is linked to; empty: it is not linked. */
export const fansOf = ({ account, links }: Pick<MemberRecord, "account" | "links">): readonly FanId[] =>
  linksOf({ account, links }).map(({ fan }) => fan);

const linksOf = ({ account, links }: Pick<MemberRecord, "account" | "links">): readonly Link[] =>
  links.byAccount.get(account) ?? [];

/** Their Fanvue names, as far as the snapshot knows them, sorted. */
export function handlesOf(record: MemberRecord): readonly string[] {
  const { facts } = record;
  const rows = [facts?.subscribers, facts?.followers].flatMap((list) =>
    list?.known === true ? [list.value] : [],
  );
  const handles = fansOf(record).flatMap((fan) => rows.flatMap((list) => list.get(fan)?.handle ?? []));
  return [...new Set(handles)].filter((handle) => handle !== "").sort();
}

/**
 * How it stands with this member and a role; undefined for one that comes only with being brought into the server and
 * that the member does not have.
 */
export function roleStatus(
  record: MemberRecord,
  role: { readonly place: Place; readonly has: boolean },
  nowMs: number,
): RoleStatus | undefined {
  const { place, has } = role;
  if (place.onlyOnJoin === true && !has) return undefined;
  const verdict = verdictOn(place, record, nowMs);
  const memory = record.places.get(place.id);
  switch (verdict.is) {
    case "unknown":
      return { is: "unknown", has };
    case "yes":
      return has ? { is: "has it", untilMs: verdict.endsAtMs } : whyNot(memory, nowMs);
    case "no":
      return has ? whyStill(place, verdict, memory, nowMs) : { is: "not entitled" };
  }
}

function verdictOn(place: Place, record: MemberRecord, nowMs: number): Verdict {
  const { account, links, facts } = record;
  if (facts === undefined) return { is: "unknown", because: "nothing was read yet" };
  return verdictOfLinks(account, links, linksOf(record), ({ fan }) =>
    anyOf(place.rules.map((rule) => evaluate(rule, fan, facts, nowMs))),
  );
}

/** Entitled, and without the role. */
function whyNot(memory: AccountInPlace | undefined, nowMs: number): RoleStatus {
  if (memory?.departure === "removed") return { is: "removed by a person" };
  if (memory?.departure === "left") return { is: "left by choice" };
  const nextTryAtMs = memory?.nextTryAtMs;
  return nextTryAtMs !== undefined && nextTryAtMs > nowMs
    ? { is: "refused before", nextTryAtMs }
    : { is: "comes with the next sync" };
}

/** Not entitled any more, and with the role. */
function whyStill(
  place: Place,
  verdict: Extract<Verdict, { is: "no" }>,
  memory: AccountInPlace | undefined,
  nowMs: number,
): RoleStatus {
  if (memory?.origin === undefined || memory.origin === "found") return { is: "not ours" };
  if (place.onExpiry === "keep") return { is: "kept" };
  const endedAtMs = verdict.endedAtMs ?? memory.lapsedSinceMs ?? nowMs;
  const untilMs = endedAtMs + place.graceDays * dayMs;
  return untilMs > nowMs ? { is: "in grace", untilMs } : { is: "ends with the next sync" };
}
