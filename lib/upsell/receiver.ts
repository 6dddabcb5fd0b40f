/** What is on record of the one to whom an offer is due. */
import { fansOf } from "../commands/membership.ts";
import { type AddressBook, checkBooks } from "../config/address-book.ts";
import type { UpsellConfig } from "../config/shape.ts";
import type { Sql } from "../db.ts";
import type { DiscordUserId } from "../ids.ts";
import type { Rule } from "../model.ts";
import { evaluate } from "../rules.ts";
import { loadFacts } from "../snapshot/saved.ts";
import { loadBlocks, loadBookLinks, loadBooks, loadStoredLinks } from "../store/links.ts";
import { loadNoticedAtMs, loadOfferRefusal, type Offer } from "../store/offers.ts";
import { type ResolvedLinks, resolveLinks, verdictOfLinks } from "../want.ts";
import { type MaySend, maySend, type Receiver } from "./occasions.ts";

const subscription: Rule = { kind: "subscription", freeTrial: true };

export interface SendingBy {
  readonly books: readonly AddressBook[];
  readonly upsell: UpsellConfig;
  readonly nowMs: number;
}

/**
 * Whether an offer may be sent, by what is on record; one that is not counts as noticed now.
 * Throws a BadInputError when a book that was there at the last sync is missing or empty.
 */
export const mayBeSent = (sql: Sql, offer: Offer, { books, upsell, nowMs }: SendingBy): MaySend =>
  maySend(
    loadReceiver(sql, offer.account, books, nowMs),
    upsell,
    loadNoticedAtMs(sql, offer) ?? nowMs,
    nowMs,
  );

/**
 * By the stored links, the address books as they stand now, and the saved snapshot. */
function loadReceiver(
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
