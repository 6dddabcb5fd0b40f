/** What a listener would do, by reading alone. */
import { loadAddressBooks } from "../config/address-book.ts";
import type { Config } from "../config/shape.ts";
import type { Database } from "../db.ts";
import type { Reason } from "../model.ts";
import { isStarted, loadOffers, loadOfferState, type Offer } from "../store/offers.ts";
import { type CatchUpOptions, type Findings, readingsOf } from "./catch-up.ts";
import { skuOf } from "./occasions.ts";
import { mayBeSent } from "./receiver.ts";

interface PreviewRow extends Offer {
  readonly would: "get an offer" | "be recorded without a message" | "wait" | "get none";
  readonly because: string | undefined;
}

export interface Preview {
  readonly dryRun: true;
  readonly offers: readonly PreviewRow[];
  readonly unread: readonly Reason[];
}

export interface PreviewOptions extends CatchUpOptions {
  readonly database: Database;
  /** The address books lie beside it. */
  readonly config: Pick<Config, "path">;
}

/**
 * Who would get an offer if the listener were started now; writes and sends nothing.
 * Throws a BadInputError for an address book that cannot be read, or was lost since the last sync.
 */
export async function fetchPreview(options: PreviewOptions): Promise<Preview> {
  const { database, config, upsell, now } = options;
  const { books } = loadAddressBooks(config.path);
  const readings: Findings[] = [];
  for (const reading of readingsOf(upsell)) readings.push(await reading(options));
  const found = readings.flatMap((findings) => findings.found);
  const unread = readings.flatMap((findings) => findings.unread);
  const offers = await database.read((sql) => {
    const rowOf = (offer: Offer): PreviewRow => {
      const may = mayBeSent(sql, offer, { books, upsell, nowMs: now() });
      if (may.is === "yes") return { ...offer, would: "get an offer", because: undefined };
      return { ...offer, would: may.is === "never" ? "get none" : "wait", because: may.because };
    };
    const fresh = found.filter((offer) => loadOfferState(sql, offer) === undefined);
    return [
      ...loadOffers(sql, "waiting").map(rowOf),
      ...fresh.map((offer) =>
        isStarted(sql, offer.occasion)
          ? rowOf(offer)
          : ({
              ...offer,
              would: "be recorded without a message",
              because: "from before the first start",
            } as const),
      ),
    ];
  });
  return { dryRun: true, offers, unread };
}

/** For people. */
export function previewText({ offers, unread }: Preview): string {
  const lines = offers.map(({ account, occasion, would, because }) => {
    const sku = skuOf(occasion);
    const what = sku === undefined ? "for boosting" : `for buying ${sku}`;
    return `${account} would ${would} ${what}${because === undefined ? "" : ` (${because})`}`;
  });
  return [
    ...(lines.length === 0 ? ["Nobody would get an offer."] : lines),
    ...unread.map(({ because, remedy }) => `${because} ${remedy}`),
    "This was a dry run: nothing was sent or written.",
  ].join("\n");
}
