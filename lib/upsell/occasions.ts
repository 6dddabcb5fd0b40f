/** Who deserves an offer, for what, and why not. Pure. */
import { EntitlementType } from "discord-api-types/v10";
import type { UpsellConfig } from "../config/shape.ts";
import { dayMs } from "../durations.ts";
import { type DiscordUserId, parseDiscordUserId } from "../ids.ts";
import type { Verdict } from "../model.ts";
import type { Offer, RefusalReason } from "../store/offers.ts";

/** Whoever boosts gets one offer for it, whoever buys one for each SKU. */
export type Occasion = "boost" | `sku:${string}`;
export interface OfferDue extends Offer {
  readonly occasion: Occasion;
}

type Occasions = Pick<UpsellConfig, "onBoost" | "requiredEntitlementIds">;

/** All occasions that the config names. */
export const occasionsOf = ({ onBoost, requiredEntitlementIds }: Occasions): readonly Occasion[] => [
  ...(onBoost ? (["boost"] as const) : []),
  ...requiredEntitlementIds.map((sku) => `sku:${sku}` as const),
];

/** The SKU of an occasion; undefined: it is a boost. */
export const skuOf = (occasion: string): string | undefined =>
  occasion.startsWith("sku:") ? occasion.slice("sku:".length) : undefined;

export interface BoostingMember {
  readonly id: DiscordUserId;
  readonly isBot: boolean;
  readonly isBooster: boolean;
}

/** The offer that is due to a member for boosting, if any. */
export const boostBy = (member: BoostingMember, { onBoost }: Occasions): OfferDue | undefined =>
  onBoost && member.isBooster && !member.isBot ? { account: member.id, occasion: "boost" } : undefined;

/** https://discord.com/developers/docs/resources/entitlement#entitlement-object */
export interface Purchase {
  readonly skuId: string;
  readonly type: number | null;
  /** The buyer, also where `guild_id` says that it is for a server; undefined: nobody is named to whom to write. */
  readonly userId: string | undefined;
  readonly isDeleted: boolean;
  readonly endsAtMs: number | undefined;
}

/** The offer that is due to a buyer, if any: not for a test, and not for what is over. */
export function purchaseBy(
  { skuId, type, userId, isDeleted, endsAtMs }: Purchase,
  { requiredEntitlementIds }: Occasions,
  nowMs: number,
): OfferDue | undefined {
  const isOver = isDeleted || (endsAtMs !== undefined && endsAtMs <= nowMs);
  if (isOver || type === EntitlementType.TestModePurchase) return undefined;
  if (userId === undefined || !requiredEntitlementIds.includes(skuId)) return undefined;
  const account = parseDiscordUserId(userId);
  return account === undefined ? undefined : { account, occasion: `sku:${skuId}` };
}

// ---- Whether it may be sent -------------------------------------------------------------------------------------

/** What is on record of the one to whom an offer is due. */
export interface Receiver {
  readonly refusal: RefusalReason | undefined;
  /** Undefined: linked to no fan. */
  readonly membership: { readonly subscribes: Verdict; readonly readAtMs: number | undefined } | undefined;
}

export type MaySend =
  | { readonly is: "yes" }
  | { readonly is: "never"; readonly because: string }
  /** `needsSync`: no sync has run for so long that none seems to run at all. */
  | { readonly is: "not yet"; readonly because: string; readonly needsSync: boolean };

/**
 * Whether somebody may be sent an offer that was noticed at `noticedAtMs`, by what is on record of them. That a linked
 * person does not subscribe is shown only by what was read since: they may have subscribed, linked and boosted at once.
 */
export function maySend(
  { refusal, membership }: Receiver,
  { toSubscribers }: Pick<UpsellConfig, "toSubscribers">,
  noticedAtMs: number,
  nowMs: number,
): MaySend {
  if (refusal === "stop") return { is: "never", because: "wants no messages" };
  if (refusal === "closed") return { is: "never", because: "takes no direct messages" };
  if (toSubscribers || membership === undefined) return { is: "yes" };
  const { subscribes, readAtMs } = membership;
  if (readAtMs === undefined || nowMs - readAtMs > dayMs)
    return {
      is: "not yet",
      because: "is linked, and no sync has run for more than a day",
      needsSync: true,
    };
  switch (subscribes.is) {
    case "yes":
      return { is: "never", because: "is linked and subscribes already" };
    case "no":
      return readAtMs > noticedAtMs
        ? { is: "yes" }
        : {
            is: "not yet",
            because: "is linked, and may have subscribed since the last sync",
            needsSync: false,
          };
    case "unknown":
      return {
        is: "not yet",
        because: `is linked, and may subscribe: ${subscribes.because}`,
        needsSync: false,
      };
  }
}
