/** Looks again, after a run's writes, whether they stuck. */
import { type DiscordUserId, parseDiscordUserId } from "../ids.ts";
import type { Step } from "../model.ts";
import { fetchEach, fetchMemberList, type Member, type Members, pageSize } from "./guild.ts";
import type { Seen } from "./read.ts";
import type { DiscordRest } from "./rest.ts";

/**
 * Reads the members of carried out steps once more, by whichever is fewer requests: one by one, or the whole list where
 * the reading before showed it. Gives the steps that did not stick, each with a sentence. Whoever cannot be read again
 * is taken at Discord's word. Throws a PlatformError only for what ends the run.
 */
export async function verifySteps(
  rest: DiscordRest,
  seen: Seen | undefined,
  done: readonly Step[],
): Promise<ReadonlyMap<Step, string>> {
  const accounts = [...new Set(done.map(({ account }) => account))]
    .map(parseDiscordUserId)
    .filter((id) => id !== undefined);
  const look = seen === undefined ? undefined : await lookAgain(rest, seen, accounts);
  if (look === undefined) return new Map();
  const amiss = new Map<Step, string>();
  for (const step of done) {
    const id = parseDiscordUserId(step.account);
    if (id === undefined || look.unread.has(id)) continue;
    const sentence = amissIn(step, look.members.get(id));
    if (sentence !== undefined) amiss.set(step, sentence);
  }
  return amiss;
}

interface Look {
  readonly members: Members;
  readonly unread: ReadonlyMap<DiscordUserId, string>;
}

/** A last page that is full is followed by an empty one. */
const pagesOf = (listed: number): number => Math.floor(listed / pageSize) + 1;

async function lookAgain(
  rest: DiscordRest,
  { guild, listed }: Seen,
  accounts: readonly DiscordUserId[],
): Promise<Look | undefined> {
  if (listed === undefined || accounts.length <= pagesOf(listed)) return fetchEach(rest, guild, accounts);
  const list = await fetchMemberList(rest, guild);
  return list.is === "whole" ? { members: list.members, unread: new Map() } : undefined;
}

/**
 * What a step should have changed and did not; `member` is undefined for whoever is not on the server. Who was given
 * something and left is no failure: the next run sees that they are gone.
 */
function amissIn({ verb, placeId }: Step, member: Member | undefined): string | undefined {
  if (member === undefined) return undefined;
  if (verb === "evict") return "Discord said yes, but the member is on the server still, or again.";
  const hasRole = member.roles.has(placeId);
  if (hasRole === (verb === "grant")) return undefined;
  return hasRole
    ? "Discord said yes, but the member has the role still, or again."
    : "Discord said yes, but the member does not have the role.";
}
