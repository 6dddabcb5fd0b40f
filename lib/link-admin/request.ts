/** What a person types behind `npm run links --`, read into a request. */
import { BadInputError } from "../errors.ts";
import {
  type DiscordUserId,
  type FanId,
  type Mxid,
  parseDiscordUserId,
  parseFanId,
  parseMxid,
  type Platform,
} from "../ids.ts";
import { nearest } from "../nearest.ts";

/** An account and the platform that its form tells. */
export interface PlatformAccount {
  readonly platform: Platform;
  readonly account: DiscordUserId | Mxid;
}

/** What can be blocked: an account (for one fan, where given), or a fan altogether. */
export type Blockable =
  | (PlatformAccount & { readonly fan: FanId | undefined })
  | { readonly platform: undefined; readonly account: undefined; readonly fan: FanId };

export type LinksRequest =
  | { readonly verb: "list" }
  | ({ readonly verb: "add"; readonly fan: FanId } & PlatformAccount)
  | ({ readonly verb: "remove"; readonly fan: FanId | undefined } & PlatformAccount)
  | { readonly verb: "import"; readonly file: string }
  | { readonly verb: "export"; readonly file: string | undefined }
  | ({ readonly verb: "reinvite" } & PlatformAccount)
  | ({ readonly verb: "transfer"; readonly fan: FanId } & PlatformAccount)
  | ({ readonly verb: "block" | "unblock" } & Blockable)
  | { readonly verb: "history"; readonly of: DiscordUserId | Mxid | FanId | undefined };

/** How each request is written, and how many words may follow it. */
const verbs = {
  list: { usage: "list", least: 0, most: 0 },
  add: { usage: "add FAN ACCOUNT", least: 2, most: 2 },
  remove: { usage: "remove ACCOUNT [--fan FAN]", least: 1, most: 1 },
  import: { usage: "import FILE", least: 1, most: 1 },
  export: { usage: "export [FILE]", least: 0, most: 1 },
  reinvite: { usage: "reinvite ACCOUNT", least: 1, most: 1 },
  transfer: { usage: "transfer ACCOUNT FAN", least: 2, most: 2 },
  block: { usage: "block ACCOUNT|FAN [--fan FAN]", least: 1, most: 1 },
  unblock: { usage: "unblock ACCOUNT|FAN [--fan FAN]", least: 1, most: 1 },
  history: { usage: "history [ACCOUNT|FAN]", least: 0, most: 1 },
} as const;
type Verb = keyof typeof verbs;
const takeFan: ReadonlySet<Verb> = new Set(["remove", "block", "unblock"]);

/** For the help of the script. */
export const usages: readonly string[] = Object.values(verbs).map(({ usage }) => usage);

const isVerb = (word: string): word is Verb => Object.hasOwn(verbs, word);
const write = (verb: Verb) => `Write: npm run links -- ${verbs[verb].usage}`;

/**
 * Reads the words and the value of `--fan`. No word at all asks for the list.
 * Throws a BadInputError that says how it is written for what cannot be understood.
 */
export function parseRequest(words: readonly string[], fanOption: string | undefined): LinksRequest {
  const [verb = "list", ...rest] = words;
  if (!isVerb(verb)) throw unknownVerb(verb);
  if (fanOption !== undefined && !takeFan.has(verb)) {
    throw new BadInputError(`links ${verb} takes no --fan.`, write(verb));
  }
  const { least, most } = verbs[verb];
  if (rest.length > most) {
    throw new BadInputError(`links ${verb} cannot use "${rest.at(-1) ?? ""}".`, write(verb));
  }
  if (rest.length < least) {
    throw new BadInputError(
      `links ${verb} needs ${least === 1 ? "a word" : "two words"} behind it.`,
      write(verb),
    );
  }
  const [first = "", second = ""] = rest;
  switch (verb) {
    case "list":
      return { verb };
    case "add":
      return { verb, ...readPair(second, first, `add ${second} ${first}`) };
    case "remove":
      return { verb, ...readAccount(first), fan: readOptionalFan(fanOption) };
    case "import":
      return { verb, file: first };
    case "export":
      return { verb, file: rest[0] };
    case "reinvite":
      return { verb, ...readAccount(first) };
    case "transfer":
      return { verb, ...readPair(first, second, `transfer ${second} ${first}`) };
    case "block":
    case "unblock":
      return { verb, ...readBlockable(verb, first, fanOption) };
    case "history":
      return { verb, of: rest[0] === undefined ? undefined : readParty(rest[0]) };
  }
}

function unknownVerb(word: string): BadInputError {
  const known = [...Object.keys(verbs), "invite"];
  const near = nearest(word, known);
  const remedy =
    near === undefined ? `Write one of: ${known.join(", ")}.` : `Did you mean: npm run links -- ${near}?`;
  return new BadInputError(`links knows no "${word}".`, remedy);
}

/** `swapped`: how to write it where the two stand the other way round. */
function readPair(
  accountText: string,
  fanText: string,
  swapped: string,
): PlatformAccount & { readonly fan: FanId } {
  if (parseFanId(accountText) !== undefined && parseAccount(fanText) !== undefined) {
    throw new BadInputError(
      "The fan and the account stand in the wrong order.",
      `Write: npm run links -- ${swapped}`,
    );
  }
  return { fan: readFan(fanText), ...readAccount(accountText) };
}

function readBlockable(verb: Verb, text: string, fanOption: string | undefined): Blockable {
  const fan = parseFanId(text);
  if (fan === undefined) return { ...readAccount(text), fan: readOptionalFan(fanOption) };
  if (fanOption === undefined) return { platform: undefined, account: undefined, fan };
  throw new BadInputError(`links ${verb} with a fan takes no --fan.`, write(verb));
}

const readParty = (text: string): DiscordUserId | Mxid | FanId =>
  parseFanId(text) ?? readAccount(text).account;

const readOptionalFan = (text: string | undefined): FanId | undefined =>
  text === undefined ? undefined : readFan(text);

function readFan(text: string): FanId {
  const fan = parseFanId(text);
  if (fan !== undefined) return fan;
  throw new BadInputError(
    `"${text}" is not the Fanvue uuid of a fan.`,
    "One looks like 123e4567-e89b-42d3-a456-426614174000.",
  );
}

function readAccount(text: string): PlatformAccount {
  const account = parseAccount(text);
  if (account !== undefined) return account;
  throw new BadInputError(
    `"${text}" is neither a Discord user's id nor a Matrix user's.`,
    "A Discord user's id is a number of 15 to 20 digits (Copy User ID in Discord), a Matrix user's looks like @name:server.org.",
  );
}

function parseAccount(text: string): PlatformAccount | undefined {
  const discord = parseDiscordUserId(text);
  if (discord !== undefined) return { platform: "discord", account: discord };
  const mxid = parseMxid(text);
  return mxid === undefined ? undefined : { platform: "matrix", account: mxid };
}
