/** Messages from the creator to single fans. */
import type { FanId } from "../ids.ts";
import type { Answered, Api } from "./api.ts";
import { messageScopes } from "./scopes.ts";

/** What became of a message. `why` is a sentence without its full stop; Fanvue may repeat in it what was sent. */
export type Delivery =
  | { readonly is: "sent" }
  /** This fan takes no messages from the creator, or is gone. */
  | { readonly is: "refused"; readonly why: string }
  /** It surely was not sent, for a reason that has nothing to do with the fan. */
  | { readonly is: "failed"; readonly why: string }
  /** Nobody knows whether it was sent. */
  | { readonly is: "unanswered"; readonly why: string };

/**
 * Sends one message. Fanvue has no key against doubles, so a message whose answer got lost is not sent again; where it
 * was clearly refused, the fan may have no chat with the creator yet, which is then opened. Throws SourceError as all
 * calls do, and then it was not sent, once Fanvue was reached before.
 * https://api.fanvue.com/docs/api-reference/reference/chat-messages/create-a-message
 */
export async function sendMessage(api: Api, fan: FanId, text: string): Promise<Delivery> {
  const first = await tryToSend(api, fan, text);
  if (first.is !== "refused") return first;
  const opened = await openChat(api, fan);
  return opened.is === "open" ? tryToSend(api, fan, text) : opened;
}

async function tryToSend(api: Api, fan: FanId, text: string): Promise<Delivery> {
  const answer = await api.ask({
    method: "POST",
    path: `/chats/${fan}/message`,
    json: { text },
    scopes: messageScopes,
  });
  if (answer.ok) return { is: "sent" };
  const { status, why } = answer;
  if (status === undefined || status >= 500) return { is: "unanswered", why };
  return { is: speaksOfFan(status) ? "refused" : "failed", why };
}

/** Whether a clear no is about this fan: contactability and unknown users, not our token, our scopes or our pace. */
const speaksOfFan = (status: number): boolean => status === 400 || status === 404;

const alreadyOpen = 409;

async function openChat(
  api: Api,
  fan: FanId,
): Promise<{ readonly is: "open" } | Extract<Delivery, { is: "refused" | "failed" }>> {
  const answer: Answered = await api.ask({
    method: "POST",
    path: "/chats",
    json: { userUuid: fan },
    repeatable: true,
    scopes: messageScopes,
  });
  if (answer.ok || answer.status === alreadyOpen) return { is: "open" };
  const { status, why } = answer;
  return { is: status !== undefined && speaksOfFan(status) ? "refused" : "failed", why };
}
