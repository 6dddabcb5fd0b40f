/** What the library's members and entitlements come to. */
import type { Entitlement, GuildMember } from "discord.js";
import type { UpsellConfig } from "../config/shape.ts";
import { parseDiscordUserId } from "../ids.ts";
import { boostBy, type OfferDue, purchaseBy } from "./occasions.ts";

/** The offer that is due to a member for boosting, if any. */
export function offerForBoost(
  { id, user, premiumSinceTimestamp }: GuildMember,
  upsell: UpsellConfig,
): OfferDue | undefined {
  const account = parseDiscordUserId(id);
  if (account === undefined) return undefined;
  return boostBy({ id: account, isBot: user.bot, isBooster: premiumSinceTimestamp !== null }, upsell);
}

/** The offer that is due to a buyer, if any. */
export const offerForPurchase = (
  { skuId, type, userId, deleted, endsTimestamp }: Entitlement,
  upsell: UpsellConfig,
  nowMs: number,
): OfferDue | undefined =>
  purchaseBy(
    { skuId, type, userId, isDeleted: deleted, endsAtMs: endsTimestamp ?? undefined },
    upsell,
    nowMs,
  );
