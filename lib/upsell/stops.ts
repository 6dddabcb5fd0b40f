/** Who wants no more offers says so by direct message: heard as it comes, and looked for where nobody listened. */
import type { Client, DMChannel, User } from "discord.js";
import type { Database } from "../db.ts";
import { dayMs } from "../durations.ts";
import { parseDiscordUserId } from "../ids.ts";
import type { Log } from "../log.ts";
import { plainText } from "../plain-text.ts";
import { loadOfferRefusal, loadReceiversSince, saveOfferRefusal } from "../store/offers.ts";
import { inWords, speaksOfOnePerson } from "./refusals.ts";

/** Such a sentence that begins with "stop" asks for it; a longer one may tell a story, unless it says STOP. */
const mostWords = 8;
/** What may stand before the word: "ok stop", "hi, could you please stop", "thank you but stop". */
const lead: ReadonlySet<string> = new Set(
  (
    "please pls plz kindly just ok okay hi hello hey yes no thanks thank so and now but sir omg the " +
    "i you u can could would will want need like to said asked"
  ).split(" "),
);
const negation = /^(?:not|never|non|no|(?:do|does|will|can|wo|ca)n['’]?t)$/u;
const otherWords =
  /\b(?:un-?sub\p{L}*|opt(?:ing)?[ -]?out|remove me|leave me alone|no more (?:offers?|messages?|dms?)|(?:do not|don['’]?t|never) (?:message|dm|pm|write|contact|text|send)(?: to)? me)\b/u;

/**
 * Whether a direct message says that its writer wants none any more: it says STOP and not "don't STOP", or a short part
 * of it begins with "stop" however it is written, or it says the same in other words, such as "unsubscribe". Whoever is
 * not sure is rather left alone.
 */
export const asksToStop = (text: string): boolean =>
  text
    .normalize("NFKC")
    .replaceAll(address, " ")
    .replaceAll(/\bs\.t\.o\.p\b/giu, "STOP")
    .split(partEnd)
    .map(wordsOf)
    .some(saysStop);

function saysStop(words: readonly string[]): boolean {
  const small = words.map((word) => word.toLowerCase());
  if (otherWords.test(small.join(" "))) return true;
  if (words.some((word, index) => word === "STOP" && !negation.test(small[index - 1] ?? ""))) return true;
  const begin = small.findIndex((word) => !lead.has(word));
  return small[begin] === "stop" && words.length - begin <= mostWords;
}

/** Mentions and links: their words are nobody's. */
const address = /<[@#][!&]?\d+>|\b(?:https?:\/\/|www\.)\S+/giu;
const partEnd = /[.,;:!?。、…()–—\n\r]+|\s-+\s/u;
/** "don't" and "stop-motion" are one word each; everything between words is punctuation or markup. */
const anyWord = /[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu;

const wordsOf = (part: string): readonly string[] => plainText(part).match(anyWord) ?? [];

export interface StopOptions {
  readonly database: Database;
  readonly now: () => number;
  readonly log: Log;
}

/** Remembers for ever that somebody wants no more offers, and confirms it once. Never throws for want of an answer. */
export async function honourStop(
  author: Pick<User, "id" | "send">,
  { database, now, log }: StopOptions,
): Promise<void> {
  const account = parseDiscordUserId(author.id);
  if (account === undefined) return;
  const isNew = await database.write((sql) => {
    if (loadOfferRefusal(sql, account) === "stop") return false;
    saveOfferRefusal(sql, account, "stop", now());
    return true;
  });
  if (!isNew) return;
  log.info({ account }, "Somebody wants no more offers.");
  await author.send({ content: confirmation, allowedMentions: { parse: [] } }).catch(() => {
    log.warn({ account }, "That no more offers come could not be confirmed; it holds nevertheless.");
  });
}

const confirmation = "All right: you will get no more offers from me by direct message.";

// ---- Where nobody listened --------------------------------------------------------------------------------------

/**
 * Whoever asked to stop among the last 100 messages of a channel, if anybody: the gateway does not tell of messages that
 * came while nobody listened. https://discord.com/developers/docs/resources/message#get-channel-messages
 */
export async function findStop({ messages, recipientId }: DMChannel): Promise<User | undefined> {
  const written = await messages.fetch({ limit: 100, cache: false });
  return written.find(({ author, content }) => author.id === recipientId && asksToStop(content))?.author;
}

/** Later answers to an offer are found before the next one is sent: opening every channel there ever was takes hours. */
const answersWithinMs = 7 * dayMs;

/** Honours what was written by those who were sent an offer in the last days. Needs two requests for each. */
export async function honourMissedStops(
  client: Client,
  options: StopOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const { database, now, log, signal } = options;
  const isOver = () => signal.aborted;
  const receivers = await database.read((sql) => loadReceiversSince(sql, now() - answersWithinMs));
  for (const account of receivers) {
    if (isOver()) return;
    try {
      const author = await findStop(await client.users.createDM(account));
      if (author !== undefined) await honourStop(author, options);
    } catch (error) {
      if (speaksOfOnePerson(error)) continue;
      if (!isOver()) log.warn(`What people answered meanwhile could not be read: ${inWords(error)}.`);
      return;
    }
  }
}
