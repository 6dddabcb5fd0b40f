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
import { loadAccountLinks } from "./account-links.ts";
import type { AccountProof, FanLink, FanProof, LinkBook, LinkResult } from "./proofs.ts";

/** The links of a database, with the address books as they stood at the last sync. */
export const openLinkBook = (database: Database, now: () => number = Date.now): LinkBook => ({
  ofFan: (fan) => database.read((sql) => loadFanLinks(sql, fan)),
  wouldLink: (fan, account) => database.read((sql) => judge(sql, pairOf(fan, account))),
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

function judge(sql: Sql, pair: LinkPair): LinkResult {
  if (isBlockedByOperator(sql, pair)) return { is: "blocked" };
  const { links } = loadAccountLinks(sql, pair.account);
  const own = links.find(({ fan }) => fan === pair.fan);
  if (own !== undefined && own.source !== "book")
    return { is: own.source === "proved" ? "already" : "linked" };
  // A book's rows of other fans stand back behind a proof.
  if (loadStoredLinks(sql, pair.account).length > 0) return { is: "taken", by: "another fan" };
  // Its rows of this fan do not: whom they give an account may not give a second one to somebody else.
  const hasAnother = loadFanLinks(sql, pair.fan).some(
    ({ platform, account }) => platform === pair.platform && account !== pair.account,
  );
  return hasAnother ? { is: "taken", by: "another account" } : { is: "linked" };
}

/** What is refused again and again is on record once a day: forms are sent faster than a database is written. */
function oldRefusal(sql: Sql, pair: LinkPair, nowMs: number): LinkResult | undefined {
  const result = judge(sql, pair);
  const isRefusal = result.is === "blocked" || result.is === "taken";
  return isRefusal && isRecordedSince(sql, { event: "refused", ...pair }, nowMs - dayMs) ? result : undefined;
}

/** A proof that was made anew counts as a wish to be let in again, also where the link stood. */
function link(sql: Sql, fan: FanProof, account: AccountProof, nowMs: number): LinkResult {
  const pair = pairOf(fan, account);
  const old = oldRefusal(sql, pair, nowMs);
  if (old !== undefined) return old;
  const result = judge(sql, pair);
  if (result.is === "blocked" || result.is === "taken") {
    const detail = result.is === "blocked" ? "blocked" : `taken by ${result.by}`;
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
