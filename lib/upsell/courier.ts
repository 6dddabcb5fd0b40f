/** Carries one offer: asks Discord whether it is still due, and writes to the person. */
import {
  type Client,
  DiscordAPIError,
  type DMChannel,
  RateLimitError,
  RESTJSONErrorCodes as codes,
  type User,
} from "discord.js";
import type { DiscordConfig, UpsellConfig } from "../config/shape.ts";
import type { PlatformError } from "../errors.ts";
import type { Offer } from "../store/offers.ts";
import { refusedToken } from "./connect.ts";
import { offerForBoost, offerForPurchase } from "./events.ts";
import { skuOf } from "./occasions.ts";
import { fillOffer } from "./offer-text.ts";
import { findStop } from "./stops.ts";

/** What Discord shows of an offer just before it is sent. */
export type Standing =
  | { readonly is: "due"; readonly user: User; readonly text: string }
  /** Stopped boosting, or gave the purchase back: may come again. */
  | { readonly is: "over"; readonly because: string }
  /** Will never be due: is no person, or not on Discord any more. */
  | { readonly is: "never"; readonly because: string }
  | Later;

/** Nothing was sent; to be tried again after `pauseMs`. */
export interface Later {
  readonly is: "later";
  readonly because: string;
  readonly pauseMs: number;
  /** What ends the listener, since every other try would meet it. */
  readonly end?: PlatformError;
  /** Discord has had enough of new direct messages, which a restart does not change. */
  readonly isTooFast?: true;
}

export type Delivery =
  | { readonly is: "sent" }
  /** Direct messages of this person are closed to the bot. */
  | { readonly is: "refused" }
  /** Asked for no messages while nobody listened, so none was sent. */
  | { readonly is: "stopped" }
  | { readonly is: "failed"; readonly because: string }
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

// ---- What became of it ------------------------------------------------------------------------------------------

const minuteMs = 60_000;
/** Discord does not say for how long it has had enough of new direct messages. */
export const tooFastPauseMs = 60 * minuteMs;
export const tooFast = "Discord has had enough of new direct messages";
/** The filter may come to know the address better. */
const badLinkPauseMs = 60 * minuteMs;

/** What Discord's clear answer means; undefined where it gave none. */
function refusalIn(error: unknown): Exclude<Delivery, { is: "sent" | "stopped" | "unanswered" }> | undefined {
  if (error instanceof RateLimitError) return laterAfter(error);
  if (!(error instanceof DiscordAPIError)) return undefined;
  switch (error.code) {
    case codes.CannotSendMessagesToThisUser:
    case codes.CannotSendMessagesToThisUserDueToHavingNoMutualGuilds:
      return { is: "refused" };
    case codes.OpeningDirectMessagesTooFast:
      return {
        is: "later",
        because: tooFast,
        pauseMs: tooFastPauseMs,
        isTooFast: true,
      };
    case codes.MessageBlockedByHarmfulLinksFilter:
      // That speaks of the text, which is the same for everybody.
      return {
        is: "later",
        because: "Discord takes a link in upsell.offer_message for harmful",
        pauseMs: badLinkPauseMs,
      };
    default:
      // Neither does a refused token speak of the person.
      return error.status === 401 || error.status === 429
        ? laterAfter(error)
        : { is: "failed", because: inWords(error) };
  }
}

const laterAfter = (error: unknown): Later => ({
  is: "later",
  because: inWords(error),
  pauseMs: error instanceof RateLimitError ? Math.max(error.retryAfter, error.timeToReset) : minuteMs,
  ...(error instanceof DiscordAPIError && error.status === 401 ? { end: refusedToken() } : {}),
});

function inWords(error: unknown): string {
  if (error instanceof RateLimitError) return "Discord asks for a pause";
  if (error instanceof DiscordAPIError)
    return `Discord refused with status ${error.status}, code ${error.code}`;
  return `Discord did not answer (${error instanceof Error ? error.message : String(error)})`;
}
