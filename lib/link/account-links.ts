/** The links of one account, from the database alone. */
import type { Sql } from "../db.ts";
import type { DiscordUserId, Mxid } from "../ids.ts";
import { loadBlocks, loadBookLinks, loadBookLinksLastSeen, loadStoredLinks } from "../store/links.ts";
import { type ResolvedLinks, resolveLinks } from "../want.ts";

/** The address books count as they stood at the last sync. */
export const loadAccountLinks = (sql: Sql, account: DiscordUserId | Mxid): ResolvedLinks =>
  resolveLinks({
    stored: loadStoredLinks(sql, account),
    blocks: loadBlocks(sql, account),
    bookLinksNow: loadBookLinksLastSeen(sql, account),
    bookLinksEver: loadBookLinks(sql, account),
  });
