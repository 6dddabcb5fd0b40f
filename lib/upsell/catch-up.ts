/** Who boosts and who has bought, as Discord shows it now: what was missed while nobody listened is found by it. */
import type { DiscordConfig, UpsellConfig } from "../config/shape.ts";
import type { Sql } from "../db.ts";
import { fetchEntitlements } from "../discord/entitlements.ts";
import { fetchGuild, fetchMemberList } from "../discord/guild.ts";
import { openRest } from "../discord/rest.ts";
import type { Log } from "../log.ts";
import type { Reason } from "../model.ts";
import { isStarted, noticeOffer, saveStarted } from "../store/offers.ts";
import { boostBy, type Occasion, type OfferDue, purchaseBy, skuOf, occasionsOf } from "./occasions.ts";

export interface Findings {
  readonly found: readonly OfferDue[];
  /** The occasions of which all is known. */
  readonly read: ReadonlySet<Occasion>;
  /** Why others could not be read. */
  readonly unread: readonly Reason[];
}

export interface CatchUpOptions {
  readonly discord: DiscordConfig;
  readonly upsell: UpsellConfig;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** Reads one thing that Discord shows. Throws a PlatformError where Discord refuses the token. */
export type Reading = (options: CatchUpOptions) => Promise<Findings>;

/** All readings that the configured occasions need; each may fail by itself. */
export const readingsOf = ({ onBoost, requiredEntitlementIds }: UpsellConfig): readonly Reading[] => [
  ...(onBoost ? [fetchBoosters] : []),
  ...(requiredEntitlementIds.length > 0 ? [fetchPurchases] : []),
];

const nothingFor = (unread: Reason): Findings => ({ found: [], read: new Set(), unread: [unread] });

const restFor = ({ discord: { apiUrl, token }, log, signal }: CatchUpOptions) =>
  openRest({ apiUrl, token, log, signal });

const intentOff: Reason = {
  because: "Discord does not show the bot who boosts: its Server Members Intent is off.",
  remedy: "Switch it on under Bot in https://discord.com/developers/applications.",
};

async function fetchBoosters(options: CatchUpOptions): Promise<Findings> {
  const rest = restFor(options);
  const guild = await fetchGuild(rest, options.discord.guildId);
  if ("unreadable" in guild) return nothingFor(guild.unreadable);
  const list = await fetchMemberList(rest, guild.value);
  if (list.is === "forbidden") return nothingFor(intentOff);
  if (list.is === "unreadable") return nothingFor(list.reason);
  const found = [...list.members.values()].flatMap((member) => boostBy(member, options.upsell) ?? []);
  return { found, read: new Set(["boost"]), unread: [] };
}

async function fetchPurchases(options: CatchUpOptions): Promise<Findings> {
  const { upsell, now } = options;
  const purchases = await fetchEntitlements(restFor(options), upsell.requiredEntitlementIds);
  if ("unreadable" in purchases) return nothingFor(purchases.unreadable);
  const found = purchases.value.flatMap((purchase) => purchaseBy(purchase, upsell, now()) ?? []);
  const read = occasionsOf(upsell).filter((occasion) => skuOf(occasion) !== undefined);
  return { found, read: new Set(read), unread: [] };
}

// ---- Putting it on record ---------------------------------------------------------------------------------------

/**
 * Puts on record whatever is not yet: as waiting, or as known where the occasion is looked for for the first time.
 * Gives how many wait because of it.
 */
export function recordFindings(sql: Sql, { found, read }: Findings, nowMs: number): number {
  const begun = new Set([...read].filter((occasion) => isStarted(sql, occasion)));
  const added = found.filter((offer) =>
    noticeOffer(sql, offer, begun.has(offer.occasion) ? "waiting" : "known", nowMs),
  );
  for (const occasion of read) if (!begun.has(occasion)) saveStarted(sql, occasion, nowMs);
  return added.filter(({ occasion }) => begun.has(occasion)).length;
}
