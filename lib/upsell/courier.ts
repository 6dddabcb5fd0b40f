/** Carries one offer: asks Discord whether it is still due, and writes to the person. */
import {
  type Client,
  DiscordAPIError,
  type DMChannel,
  RESTJSONErrorCodes as codes,
  type User,
} from "discord.js";
import type { DiscordConfig, UpsellConfig } from "../config/shape.ts";
import type { Offer } from "../store/offers.ts";
import { offerForBoost, offerForPurchase } from "./events.ts";
import { skuOf } from "./occasions.ts";
import { fillOffer } from "./offer-text.ts";
import { inWords, type Later, laterAfter, type Refused, refusalIn } from "./refusals.ts";
import { findStop } from "./stops.ts";

export type Addressee = Pick<User, "id" | "createDM" | "send">;

/** What Discord shows of an offer just before it is sent. */
export type Standing =
  | { readonly is: "due"; readonly user: Addressee; readonly text: string }
  /** Stopped boosting, or gave the purchase back: may come again. */
  | { readonly is: "over"; readonly because: string }
  /** Will never be due: is no person, or not on Discord any more. */
  | { readonly is: "never"; readonly because: string }
  | Later;

export type Delivery =
  | { readonly is: "sent" }
  /** Asked for no messages while nobody listened, so none was sent. */
  | { readonly is: "stopped" }
  | Refused
  | Later
  /** Nobody knows whether it arrived. */
  | { readonly is: "unanswered"; readonly because: string };

export interface Courier {
  fetchStanding(offer: Offer): Promise<Standing>;
  send(to: Extract<Standing, { is: "due" }>): Promise<Delivery>;
}

export interface CourierOptions {
  readonly client: Client<true>;
  readonly discord: DiscordConfig;
  readonly upsell: UpsellConfig;
  readonly now: () => number;
}

export function createCourier(options: CourierOptions): Courier {
  return {
    async fetchStanding(offer) {
      try {
        return await standingOf(offer, options);
      } catch (error) {
        return laterAfter(error);
      }
    },
    async send({ user, text }) {
      let channel: DMChannel;
      try {
        channel = await user.createDM();
        if ((await findStop(channel)) !== undefined) return { is: "stopped" };
      } catch (error) {
        // Nothing is said by opening a channel: without an answer it may be tried again.
        return refusalIn(error) ?? laterAfter(error);
      }
      try {
        await channel.send({ content: text, allowedMentions: { parse: [] } });
        return { is: "sent" };
      } catch (error) {
        return refusalIn(error) ?? { is: "unanswered", because: inWords(error) };
      }
    },
  };
}

// ---- Whether it is still due ------------------------------------------------------------------------------------

async function standingOf(offer: Offer, options: CourierOptions): Promise<Standing> {
  const { client, discord, upsell } = options;
  const guild = await client.guilds.fetch({ guild: discord.guildId, cache: false });
  const member = await guild.members
    .fetch({ user: offer.account, force: true, cache: false })
    .catch(undefinedIf(codes.UnknownMember, codes.UnknownUser));
  const isDue =
    skuOf(offer.occasion) === undefined
      ? member !== undefined && offerForBoost(member, upsell) !== undefined
      : await hasBought(offer, options);
  if (!isDue) return { is: "over", because: "what it was for has ended" };
  const user =
    member?.user ??
    (await client.users.fetch(offer.account, { cache: false }).catch(undefinedIf(codes.UnknownUser)));
  if (user === undefined) return { is: "never", because: "the account is gone" };
  if (user.bot) return { is: "never", because: "it is a bot" };
  const names = { name: member?.displayName ?? user.displayName, server: guild.name };
  return { is: "due", user, text: fillOffer(upsell.offerMessage, names) };
}

const undefinedIf =
  (...known: readonly number[]) =>
  (error: unknown): undefined => {
    if (error instanceof DiscordAPIError && known.some((code) => code === error.code)) return undefined;
    throw error;
  };

async function hasBought({ account, occasion }: Offer, { client, upsell, now }: CourierOptions) {
  const sku = skuOf(occasion);
  if (sku === undefined) return false;
  const purchases = await client.application.entitlements.fetch({
    user: account,
    skus: [sku],
    excludeEnded: true,
    cache: false,
  });
  return purchases.some((purchase) => offerForPurchase(purchase, upsell, now())?.account === account);
}
