/** Posting in a channel of the server. */
import { randomUUID } from "node:crypto";
import {
  MessageFlags,
  type RESTPostAPIChannelMessageJSONBody,
  RESTJSONErrorCodes,
  Routes,
} from "discord-api-types/v10";
import type { DiscordConfig } from "../config/shape.ts";
import type { Log } from "../log.ts";
import { isRefusal } from "./fetch.ts";
import { type Failure, openRest } from "./rest.ts";

export interface ChannelMessage {
  readonly channel: string;
  readonly text: string;
}

/** https://discord.com/developers/docs/resources/message#create-message */
const mostCharacters = 2000;

/**
 * Posts a text, cut where it is longer than Discord takes; names in it call nobody. Gives why it could not be posted, a
 * sentence with its remedy; undefined: it was. Throws a PlatformError where the bot's token is refused.
 */
export async function postInChannel(
  { apiUrl, token }: DiscordConfig,
  { channel, text }: ChannelMessage,
  deps: { readonly log: Log; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const rest = openRest({ apiUrl, token, ...deps });
  const body = {
    content: shortened(text),
    allowed_mentions: { parse: [] },
    flags: MessageFlags.SuppressEmbeds,
    // Sent again after an answer that got lost, it is posted once.
    nonce: randomUUID().slice(0, 25),
    enforce_nonce: true,
  } satisfies RESTPostAPIChannelMessageJSONBody;
  const answer = await rest.post(Routes.channelMessages(channel), body);
  return answer.is === "answer" ? undefined : whyNot(answer);
}

function shortened(text: string): string {
  if (text.length <= mostCharacters) return text;
  const more = "\n… and more: the report of the sync has it all.";
  return `${text.slice(0, mostCharacters - more.length)}${more}`;
}

const codes = RESTJSONErrorCodes;

function whyNot(failure: Failure): string {
  if (isRefusal(failure, codes.UnknownChannel))
    return "There is no such channel. Check notify.discord_channel_id in the config.";
  if (isRefusal(failure, codes.MissingAccess, codes.MissingPermissions))
    return "The bot may not write there. Allow its role View Channel and Send Messages in the channel's settings.";
  return `${otherwise(failure)} The next run tries again.`;
}

function otherwise(failure: Failure): string {
  switch (failure.is) {
    case "unanswered":
      return `Discord did not take the message because ${failure.because}.`;
    case "stopped":
      return "The run was stopped before.";
    case "refused":
      return `Discord refused the message (status ${failure.status}, code ${failure.code}).`;
  }
}
