/** The links as the link pages may change them: by proof of both sides, one account of a platform for each fan. */
import type { Database, Sql } from "../db.ts";
import { dayMs } from "../durations.ts";
import { compareIds, type DiscordUserId, type FanId, type Mxid } from "../ids.ts";
import { isRecordedSince, saveLinkEvent } from "../store/link-events.ts";
import { endInvites } from "../store/link-invites.ts";
import {
  addLink,
  isBlockedByOperator,
  isProvedSince,
  type LinkPair,
  loadBookLinks,
  loadStoredLinks,
  newsMs,
  removeLink,
} from "../store/links.ts";
import { saveLogin } from "../store/logins.ts";
import { hasShareElsewhere, holdsOthersShare } from "../store/take-backs.ts";
import { loadAccountLinks } from "./account-links.ts";
import type { AccountProof, FanLink, FanProof, LinkBook, LinkResult } from "./proofs.ts";

/** The links of a database, with the address books as they stood at the last sync. */
export const openLinkBook = (database: Database, now: () => number = Date.now): LinkBook => ({
  ofFan: (fan) => database.read((sql) => loadFanLinks(sql, fan)),
  wouldLink: (fan, account) => database.read((sql) => judge(sql, pairOf(fan, account), now())),
  link: async (fan, account) =>
    (await database.read((sql) => oldRefusal(sql, pairOf(fan, account), now()))) ??
    (await database.write((sql) => link(sql, fan, account, now()))),
  unlink: (fan, account) => database.write((sql) => unlink(sql, fan, account, now())),
});

const pairOf = ({ fan }: FanProof, { platform, account }: AccountProof): LinkPair => ({
  fan,
  platform,
  account,
});

/** Also those that went missing in their book: the fan has what they gave, and may want to end them. */
function loadFanLinks(sql: Sql, fan: FanId): readonly FanLink[] {
  const accounts = [...loadStoredLinks(sql, fan), ...loadBookLinks(sql, fan)].map(({ account }) => account);
  return [...new Set(accounts)]
    .sort(compareIds)
    .flatMap((account) => loadAccountLinks(sql, account).links.filter((own) => own.fan === fan))
    .map(({ platform, account, source }) => ({ platform, account, source }));
}

// ---- Linking ----------------------------------------------------------------------------------------------------

function judge(sql: Sql, pair: LinkPair, nowMs: number): LinkResult {
  if (isBlockedByOperator(sql, pair)) return { is: "blocked" };
  const { links } = loadAccountLinks(sql, pair.account);
  const own = links.find(({ fan }) => fan === pair.fan);
  if (own !== undefined && own.source !== "book")
    return { is: own.source === "proved" ? "already" : "linked" };
  const waits = awaitedTakeBack(sql, pair, nowMs);
  if (waits !== undefined) return { is: "waits", for: waits };
  // A book's rows of other fans stand back behind a proof.
  if (loadStoredLinks(sql, pair.account).length > 0) return { is: "taken", by: "another fan" };
  // Its rows of this fan do not: whom they give an account may not give a second one to somebody else.
  const hasAnother = loadFanLinks(sql, pair.fan).some(
    ({ platform, account }) => platform === pair.platform && account !== pair.account,
  );
  return hasAnother ? { is: "taken", by: "another account" } : { is: "linked" };
}

/** So long a sync is waited for that takes back what an unlinked account has. */
const takeBackMs = 7 * dayMs;

/**
 * What came through a link is taken back before the account, or the fan, is linked anew: otherwise one membership would let
 * in one account after the other, and an account that moved on to another fan would lose by that fan's standing alone, with
 * days of grace and behind the brakes, what unlinking ends at once.
 */
function awaitedTakeBack(
  sql: Sql,
  pair: LinkPair,
  nowMs: number,
): "this account" | "another account" | undefined {
  const sinceMs = nowMs - takeBackMs;
  if (holdsOthersShare(sql, pair, sinceMs)) return "this account";
  return hasShareElsewhere(sql, pair, sinceMs) ? "another account" : undefined;
}

/** What is refused again and again is on record once a day: forms are sent faster than a database is written. */
function oldRefusal(sql: Sql, pair: LinkPair, nowMs: number): LinkResult | undefined {
  const result = judge(sql, pair, nowMs);
  return refusalOf(result) !== undefined && isRecordedSince(sql, { event: "refused", ...pair }, nowMs - dayMs)
    ? result
    : undefined;
}

/** Why nothing is linked, for the record; undefined: it is. */
function refusalOf(result: LinkResult): string | undefined {
  switch (result.is) {
    case "linked":
    case "already":
      return undefined;
    case "blocked":
      return "blocked";
    case "taken":
      return `taken by ${result.by}`;
    case "waits":
      return `what ${result.for} has is to be taken back first`;
  }
}

/** A proof that was made anew counts as a wish to be let in again, also where the link stood. */
function link(sql: Sql, fan: FanProof, account: AccountProof, nowMs: number): LinkResult {
  const pair = pairOf(fan, account);
  const old = oldRefusal(sql, pair, nowMs);
  if (old !== undefined) return old;
  const result = judge(sql, pair, nowMs);
  const detail = refusalOf(result);
  if (detail !== undefined) {
    saveLinkEvent(sql, { event: "refused", ...pair, detail }, nowMs);
    return result;
  }
  const isRepeated = isProvedSince(sql, pair, nowMs - newsMs);
  addLink(sql, { ...pair, source: "proved" }, nowMs);
  endInvites(sql, pair.fan, nowMs);
  if (account.platform === "discord" && account.login !== undefined) {
    saveLogin(sql, account.account, account.login, nowMs);
  }
  return isRepeated ? { is: "already", isRepeated } : result;
}

/** A fan may end what they proved. What the operator alone entered is the operator's to end. */
function unlink(sql: Sql, fan: FanId, account: DiscordUserId | Mxid, nowMs: number): boolean {
  const own = loadStoredLinks(sql, account).find(
    (stored) => stored.fan === fan && stored.source === "proved",
  );
  if (own === undefined) return false;
  const { platform } = own;
  removeLink(sql, { fan, platform, account }, "unlinked by the fan", nowMs);
  return true;
}
