/** What it means when Discord does not send an offer: whom its answer speaks of, and when to try again. */
import { DiscordAPIError, RateLimitError, RESTJSONErrorCodes as codes } from "discord.js";
import { dayMs, hourMs } from "../durations.ts";
import type { PlatformError } from "../errors.ts";
import type { LastingTrouble } from "../store/offers.ts";
import { refusedToken } from "./connect.ts";

/** Nothing was sent, for a reason that speaks of no person: every other offer would meet it, too. */
export interface Later {
  readonly is: "later";
  readonly because: string;
  /** How long all of them wait; undefined: the longer, the more often it was in vain. */
  readonly pauseMs?: number;
  /** What a restart does not change, so it is kept on record. */
  readonly trouble?: LastingTrouble;
  /** What ends the listener. */
  readonly end?: PlatformError;
}

export type Refused =
  /** Direct messages of this person are closed to the bot. */
  | { readonly is: "refused" }
  /** This person cannot be sent this offer, for another reason. */
  | { readonly is: "failed"; readonly because: string }
  /** Discord does not say whom its refusal speaks of. */
  | { readonly is: "turned away"; readonly because: string };

/** How long the offers wait, and why, in a trouble that outlasts the listener. Discord does not say when it ends. */
export const lastingTroubles: Readonly<
  Record<LastingTrouble, { readonly pauseMs: number; readonly because: string }>
> = {
  "too fast": { pauseMs: hourMs, because: "Discord has had enough of new direct messages" },
  quarantined: {
    pauseMs: dayMs,
    because:
      "Discord has put the bot under quarantine, which it does with bots that it takes for spammers: it may write to " +
      "nobody new. Appeal at https://dis.gd/app-quarantine, and lower upsell.max_per_hour and max_per_day",
  },
};

/** "Your bot has been flagged by our anti-spam system": not among the codes that Discord describes. */
const quarantined = 20026;

/** The filter may come to know the address better. */
const badLinkPauseMs = hourMs;
const outagePauseMs = 60_000;

/** The refusals that speak of the person alone. */
const personal: ReadonlyMap<number | string, Refused> = new Map<number, Refused>([
  [codes.CannotSendMessagesToThisUser, { is: "refused" }],
  [codes.CannotSendMessagesToThisUserDueToHavingNoMutualGuilds, { is: "refused" }],
  [
    codes.ExplicitContentCannotBeSentToTheDesiredRecipient,
    {
      is: "failed",
      because: "Discord takes the text for explicit, and this person lets no such text through",
    },
  ],
  [codes.InvalidRecipients, { is: "failed", because: "there is no such account to write to" }],
  [codes.UnknownUser, { is: "failed", because: "there is no such account to write to" }],
]);

/** Whether Discord's refusal speaks of one person, so that another may be answered otherwise. */
export const speaksOfOnePerson = (error: unknown): boolean =>
  error instanceof DiscordAPIError && personal.has(error.code);

/** What Discord's clear answer to an offer means; undefined where it gave none. */
export function refusalIn(error: unknown): Refused | Later | undefined {
  if (error instanceof RateLimitError) return laterAfter(error);
  if (!(error instanceof DiscordAPIError)) return undefined;
  const speaksOfPerson = personal.get(error.code);
  if (speaksOfPerson !== undefined) return speaksOfPerson;
  switch (error.code) {
    case codes.OpeningDirectMessagesTooFast:
      return troubled("too fast");
    case quarantined:
      return troubled("quarantined");
    case codes.MessageBlockedByHarmfulLinksFilter:
      return {
        is: "later",
        because: "Discord takes a link in upsell.offer_message for harmful",
        pauseMs: badLinkPauseMs,
      };
    case codes.InvalidFormBodyOrContentType:
    case codes.CannotSendAnEmptyMessage:
      return { is: "turned away", because: `${inWords(error)}; change upsell.offer_message if it stays so` };
    default:
      return error.status === 401 || error.status === 429
        ? laterAfter(error)
        : { is: "turned away", because: `${inWords(error)}; ${whereToLook}` };
  }
}

const whereToLook =
  "if it stays so, see what https://discord.com/developers/applications says of the bot, and https://discordstatus.com";

const troubled = (trouble: LastingTrouble): Later => ({
  is: "later",
  trouble,
  ...lastingTroubles[trouble],
});

/** When to try again after an error that came before anything was said to anybody. */
export function laterAfter(error: unknown): Later {
  const later = { is: "later", because: inWords(error) } as const;
  if (error instanceof RateLimitError)
    return { ...later, pauseMs: Math.max(error.retryAfter, error.timeToReset) };
  if (!(error instanceof DiscordAPIError)) return { ...later, pauseMs: outagePauseMs };
  return error.status === 401 ? { ...later, end: refusedToken() } : later;
}

/** An error without its address, which may hold a token. */
export function inWords(error: unknown): string {
  if (error instanceof RateLimitError) return "Discord asks for a pause";
  if (error instanceof DiscordAPIError)
    return `Discord refused with status ${error.status}, code ${error.code}`;
  return `Discord did not answer (${error instanceof Error ? error.message : String(error)})`;
}
