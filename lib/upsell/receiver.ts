/** What is on record of the one to whom an offer is due. */
import { fansOf } from "../commands/membership.ts";
import { type AddressBook, checkBooks } from "../config/address-book.ts";
import type { Sql } from "../db.ts";
import type { DiscordUserId } from "../ids.ts";
import type { Rule } from "../model.ts";
import { evaluate } from "../rules.ts";
import { loadFacts } from "../snapshot/saved.ts";
import { loadBlocks, loadBookLinks, loadBooks, loadStoredLinks } from "../store/links.ts";
import { loadOfferRefusal } from "../store/offers.ts";
import { type ResolvedLinks, resolveLinks, verdictOfLinks } from "../want.ts";
import type { Receiver } from "./occasions.ts";

const subscription: Rule = { kind: "subscription", freeTrial: true };

/**
 * By the stored links, the address books as they stand now, and the saved snapshot.
 * Throws a BadInputError when a book that was there at the last sync is missing or empty.
 */
export function loadReceiver(
  sql: Sql,
  account: DiscordUserId,
  books: readonly AddressBook[],
  nowMs: number,
): Receiver {
  checkBooks(books, loadBooks(sql));
  const refusal = loadOfferRefusal(sql, account);
  const links = loadLinksOf(sql, account, books);
  const fans = fansOf({ account, links });
  if (fans.length === 0) return { refusal, membership: undefined };
  const facts = loadFacts(sql, fans);
  const subscribes = verdictOfLinks(account, links, links.byAccount.get(account), ({ fan }) =>
    facts === undefined
      ? { is: "unknown", because: "nothing was read yet" }
      : evaluate(subscription, fan, facts, nowMs),
  );
  return { refusal, membership: { subscribes, readAtMs: facts?.readAtMs } };
}

const loadLinksOf = (sql: Sql, account: DiscordUserId, books: readonly AddressBook[]): ResolvedLinks =>
  resolveLinks({
    stored: loadStoredLinks(sql, account),
    blocks: loadBlocks(sql, account),
    bookLinksNow: books.flatMap(({ book, links }) =>
      links.filter((link) => link.account === account).map((link) => ({ book, ...link })),
    ),
    bookLinksEver: loadBookLinks(sql, account),
  });
