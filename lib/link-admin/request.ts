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

export type LinksRequest =
  | { readonly verb: "list" }
  | ({ readonly verb: "add"; readonly fan: FanId } & PlatformAccount)
  | ({ readonly verb: "remove"; readonly fan: FanId | undefined } & PlatformAccount)
  | { readonly verb: "import"; readonly file: string }
  | { readonly verb: "export"; readonly file: string | undefined }
  | ({ readonly verb: "reinvite" } & PlatformAccount);

/** How each request is written, and how many words may follow it. */
const verbs = {
  list: { usage: "list", least: 0, most: 0 },
  add: { usage: "add FAN ACCOUNT", least: 2, most: 2 },
  remove: { usage: "remove ACCOUNT [--fan FAN]", least: 1, most: 1 },
  import: { usage: "import FILE", least: 1, most: 1 },
  export: { usage: "export [FILE]", least: 0, most: 1 },
  reinvite: { usage: "reinvite ACCOUNT", least: 1, most: 1 },
} as const;
type Verb = keyof typeof verbs;

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
  if (fanOption !== undefined && verb !== "remove") {
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
      return { verb, ...readPair(first, second) };
    case "remove":
      return {
        verb,
        ...readAccount(first),
        fan: fanOption === undefined ? undefined : readFan(fanOption),
      };
    case "import":
      return { verb, file: first };
    case "export":
      return { verb, file: rest[0] };
    case "reinvite":
      return { verb, ...readAccount(first) };
  }
}

function unknownVerb(word: string): BadInputError {
  const known = Object.keys(verbs);
  const near = nearest(word, known);
  const remedy =
    near === undefined ? `Write one of: ${known.join(", ")}.` : `Did you mean: npm run links -- ${near}?`;
  return new BadInputError(`links knows no "${word}".`, remedy);
}

function readPair(fanText: string, accountText: string): PlatformAccount & { readonly fan: FanId } {
  if (parseFanId(accountText) !== undefined && parseAccount(fanText) !== undefined) {
    throw new BadInputError(
      "The fan and the account stand in the wrong order.",
      `Write: npm run links -- add ${accountText} ${fanText}`,
    );
  }
  return { fan: readFan(fanText), ...readAccount(accountText) };
}

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
