/** Loads what is on record of one account, from the database alone. */
import type { Sql } from "../db.ts";
import { type DiscordUserId, type Mxid, parseMxid } from "../ids.ts";
import { loadAccountLinks } from "../link/account-links.ts";
import { loadFacts } from "../snapshot/saved.ts";
import { loadAccountInPlaces } from "../store/account.ts";
import { fansOf, type MemberRecord } from "./membership.ts";

/** The address books count as they stood at the last sync. */
export function loadMemberRecord(sql: Sql, account: DiscordUserId | Mxid): MemberRecord {
  const target = parseMxid(account) === undefined ? "discord" : "matrix";
  const links = loadAccountLinks(sql, account);
  return {
    account,
    links,
    facts: loadFacts(sql, fansOf({ account, links })),
    places: loadAccountInPlaces(sql, target, account),
  };
}
