/** What a person types behind `npm run links -- invite`, read into a request. */
import { BadInputError } from "../errors.ts";
import { type FanId, parseFanId } from "../ids.ts";

export type InviteRequest =
  | { readonly to: "fan"; readonly fan: FanId | { readonly handle: string }; readonly days: number }
  | { readonly to: "all subscribers"; readonly dryRun: boolean; readonly days: number };

/** The options as they were typed. */
export interface InviteOptions {
  readonly fan: string | undefined;
  readonly days: string | undefined;
  readonly "all-subscribers": boolean;
  readonly send: boolean;
  readonly "dry-run": boolean;
}

/** For the help of the script. */
export const inviteUsages: readonly string[] = [
  "invite --fan FAN|HANDLE [--days N]",
  "invite --all-subscribers --send [--dry-run] [--days N]",
];

const write = `Write: ${inviteUsages.map((usage) => `npm run links -- ${usage}`).join(", or ")}`;
const defaultDays = 7;
/** Whoever gets hold of a link may use it: it should not lie around for long. */
const maxDays = 90;

/**
 * Reads the words and options; undefined: something else than `invite` is asked for. Throws a BadInputError that says
 * how it is written.
 */
export function parseInvite(words: readonly string[], options: InviteOptions): InviteRequest | undefined {
  const [verb = "list", word] = words;
  if (verb !== "invite") {
    refuseOptions(verb, options);
    return undefined;
  }
  if (word !== undefined) throw new BadInputError(`links invite cannot use "${word}".`, write);
  const days = readDays(options.days);
  return options["all-subscribers"] ? parseAll(options, days) : parseOne(options, days);
}

/** With other verbs, which have `--fan` only. */
function refuseOptions(verb: string, options: InviteOptions): void {
  const name = (["all-subscribers", "send", "dry-run", "days"] as const).find(
    (option) => options[option] !== undefined && options[option] !== false,
  );
  if (name !== undefined) throw new BadInputError(`links ${verb} takes no --${name}.`, write);
}

function parseOne(options: InviteOptions, days: number): InviteRequest {
  const { fan } = options;
  if (fan === undefined) throw new BadInputError("links invite does not know for whom.", write);
  if (options.send || options["dry-run"]) {
    throw new BadInputError(
      "A single link is printed and not sent: --send and --dry-run go with --all-subscribers.",
      write,
    );
  }
  const handle = fan.replace(/^@/, "");
  return { to: "fan", fan: parseFanId(fan) ?? { handle }, days };
}

function parseAll(options: InviteOptions, days: number): InviteRequest {
  if (options.fan !== undefined) {
    throw new BadInputError("--fan and --all-subscribers exclude each other.", write);
  }
  const dryRun = options["dry-run"];
  if (!options.send && !dryRun) {
    // A screen full of links that are each as good as a password is asking for trouble.
    throw new BadInputError(
      "The links of all subscribers are not printed: each is to be seen by its fan alone.",
      "Add --dry-run to see who would get one, --send to send each subscriber theirs by Fanvue message.",
    );
  }
  return { to: "all subscribers", dryRun, days };
}

function readDays(text: string | undefined): number {
  if (text === undefined) return defaultDays;
  const days = Number(text);
  if (/^\d+$/.test(text) && days >= 1 && days <= maxDays) return days;
  throw new BadInputError(
    `--days ${text} is not a number of days from 1 to ${maxDays}.`,
    `Without --days a link is good for ${defaultDays} days.`,
  );
}
