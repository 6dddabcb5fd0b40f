/** What a listener would do, by reading alone. */
import type { Database } from "../db.ts";
import type { Reason } from "../model.ts";
import { countOffers, loadOffers, loadOfferState, type Offer } from "../store/offers.ts";
import { fetchOccasions, isStarted, type LookOptions } from "./catch-up.ts";
import { maySend, skuOf } from "./occasions.ts";
import { loadReceiver } from "./receiver.ts";

interface PreviewRow extends Offer {
  readonly would: "get an offer" | "be recorded without a message" | "wait" | "get none";
  readonly because: string | undefined;
}

export interface Preview {
  readonly dryRun: true;
  readonly offers: readonly PreviewRow[];
  readonly unread: readonly Reason[];
}

/** Who would get an offer if the listener were started now; writes and sends nothing. */
export async function fetchPreview(options: LookOptions & { readonly database: Database }): Promise<Preview> {
  const { database, upsell, now } = options;
  const { found, unread } = await fetchOccasions(options);
  const offers = await database.read((sql) => {
    const rowOf = (offer: Offer): PreviewRow => {
      const may = maySend(loadReceiver(sql, offer.account, now()), upsell, now());
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

/** How the offers stand, for the end of a run. */
export const loadSummary = (database: Database) => database.read(countOffers);
