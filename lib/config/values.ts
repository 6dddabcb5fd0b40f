/** What single values of a config may be, each with the sentence that says otherwise. Whole numbers come as bigints. */
import { validate as isCron } from "node-cron";
import * as z from "zod";
import { dayMs, hourMs, minuteMs } from "../durations.ts";
import { nearest } from "../nearest.ts";

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: minuteMs, h: hourMs, d: dayMs };

const isAbsent = (value: unknown) => value === undefined || value === null;
/** Long values are not repeated: a token that was put in the wrong line is long. */
const longestShown = 30;

/** A value as a fault may repeat it. */
export function shown(value: unknown): string {
  const text = scalarText(value);
  if (text === undefined) return `This ${kindOf(value)}`;
  return text.length > longestShown || /[\s\p{Cc}]/u.test(text) ? "This value" : `"${text}"`;
}

const scalarText = (value: unknown): string | undefined => {
  if (typeof value === "string") return value;
  const isScalar = typeof value === "bigint" || typeof value === "number" || typeof value === "boolean";
  return isScalar ? String(value) : undefined;
};

const kindOf = (value: unknown): string => {
  if (Array.isArray(value)) return "list";
  return scalarText(value) === undefined ? "map" : "single value";
};

const missing = "is missing. Write a value behind it.";

/** A value read by `read`; undefined from it is a fault, told by `sentence`. */
function value<T>(read: (raw: string) => T | undefined, sentence: (raw: unknown) => string): z.ZodType<T> {
  return z.unknown().transform((raw, context): T => {
    const text = scalarText(raw);
    const result = text === undefined ? undefined : read(text);
    if (result !== undefined) return result;
    context.addIssue({ code: "custom", message: isAbsent(raw) ? missing : sentence(raw), input: raw });
    return z.NEVER;
  });
}

/** Text of at least one character. */
export const text = value(
  (raw) => (raw.trim() === "" ? undefined : raw),
  (raw) => (raw === "" ? "is empty. Write a value behind it." : "is no text. Write it in quotes."),
);

/** An address that begins with http:// or https://; comes back without a slash at its end. */
export const webAddress = value(
  (raw) => (isWebAddress(raw) ? raw.replace(/\/+$/, "") : undefined),
  () => "is no web address. Write it whole, beginning with https://.",
);

/** The same, left exactly as it is: OAuth compares redirect addresses letter by letter. */
export const exactWebAddress = value(
  (raw) => (isWebAddress(raw) ? raw : undefined),
  () => "is no web address. Write it whole, beginning with https:// or http://.",
);

const isWebAddress = (raw: string) => /^https?:\/\/[^\s/]/i.test(raw) && URL.canParse(raw);

/** Where a site of our own is reached: scheme, name and port, as it stands at the root. */
export const siteAddress = value(
  (raw) => (isWebAddress(raw) && isRoot(new URL(raw)) ? new URL(raw).origin : undefined),
  (raw) =>
    `${shown(raw)} is not where a whole site is reached. Write it without a path, such as "https://link.example.org".`,
);

const isRoot = ({ pathname, search, hash, username, password }: URL) =>
  pathname === "/" && [search, hash, username, password].every((part) => part === "");

/** A color as the web writes it, in six digits. */
export const color = value(
  (raw) => (/^#[0-9a-f]{6}$/i.test(raw) ? raw.toLowerCase() : undefined),
  (raw) => `${shown(raw)} is no color. Write six hexadecimal digits in quotes, such as "#b4307a".`,
);

/** An id by its parser from the model. */
export const id = <T>(parse: (raw: string) => T | undefined, what: string, remedy: string): z.ZodType<T> =>
  value(parse, (raw) => `${shown(raw)} is no ${what}. ${remedy}`);

/** A whole number from `min` to `max`. */
export function wholeNumber({ min, max }: { readonly min: number; readonly max: number }): z.ZodType<number> {
  return value(
    (raw) => {
      const number = /^-?\d+$/.test(raw) ? Number(raw) : NaN;
      return number >= min && number <= max ? number : undefined;
    },
    (raw) => `${shown(raw)} is no whole number from ${String(min)} to ${String(max)}. Write one.`,
  );
}

/** An amount of money in cents. */
export const cents = value(
  (raw) => {
    const number = /^\d+$/.test(raw) ? Number(raw) : NaN;
    return Number.isSafeInteger(number) ? number : undefined;
  },
  (raw) =>
    Number(raw) < 0
      ? `${shown(raw)} is a negative amount. Write the cents a fan must have spent, such as 5000 for $50.`
      : `${shown(raw)} is no whole number of cents. Write it without point or currency, such as 5000 for $50.`,
);

/** A number from `min` to `max`, fractions allowed. */
export const amount = ({ min, max }: { readonly min: number; readonly max: number }): z.ZodType<number> =>
  value(
    (raw) => {
      const number = /^\d*\.?\d+$/.test(raw) ? Number(raw) : NaN;
      return number >= min && number <= max ? number : undefined;
    },
    (raw) => `${shown(raw)} is no number from ${String(min)} to ${String(max)}. Write one.`,
  );

/** A length of time such as 90s, 2m, 1h or 1d, or a number of seconds; comes back in milliseconds. */
export const durationMs = value(
  (raw) => {
    const parts = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(raw.trim());
    const ms = Math.round(Number(parts?.[1]) * (unitsMs[parts?.[2] ?? "s"] ?? NaN));
    return ms <= 365 * dayMs ? ms : undefined;
  },
  (raw) => `${shown(raw)} is no length of time. Write it like 90s, 2m, 1h or 1d.`,
);

const flags: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  false: false,
  no: false,
  off: false,
};

/** true or false; also yes, no, on and off, which YAML 1.1 took for the same, and which an environment gives as text. */
export const flag: z.ZodType<boolean> = value(
  (raw) => flags[raw.toLowerCase()],
  (raw) => `${shown(raw)} is neither true nor false. Write one of the two.`,
);

/** When something is run, in cron's five or six fields; "off" gives an empty text. */
export const cronExpression = value(
  (raw) => {
    if (raw === "off" || raw === "false") return "";
    return isCron(raw) && !namesTwoKindsOfDays(raw) ? raw : undefined;
  },
  (raw) =>
    typeof raw === "string" && isCron(raw)
      ? "names days of the month and days of the week, which programs understand differently. Put * in one of the two places."
      : 'is no cron expression. Write five fields in quotes, such as "*/5 * * * *" for every five minutes, or off.',
);

/** To cron those are the days that are either, to node-cron the days that are both. */
function namesTwoKindsOfDays(raw: string): boolean {
  const [dayOfMonth = "*", , dayOfWeek = "*"] = raw.trim().split(/\s+/).slice(-3);
  return [dayOfMonth, dayOfWeek].every((field) => !/^[*?]/.test(field));
}

/** One of some words. `misplaced` says of words that are right elsewhere where that is. */
export function choice<const Word extends string>(
  words: readonly [Word, ...Word[]],
  misplaced: Readonly<Record<string, string>> = {},
): z.ZodType<Word> {
  return value(
    (raw) => words.find((word) => word === raw),
    (raw) => {
      const word = scalarText(raw) ?? "";
      const elsewhere = Object.hasOwn(misplaced, word) ? misplaced[word] : undefined;
      if (elsewhere !== undefined) return `"${word}" is ${elsewhere}. Write ${listed(words)}.`;
      const near = nearest(word, words);
      const guess = near === undefined ? "." : `; did you mean ${near}?`;
      return `${shown(raw)} is not known here${guess} Write ${listed(words)}.`;
    },
  );
}

/** "a", "a or b", "a, b or c". */
export const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1) ?? ""}`;

/**
 * A map with these keys and no others; an unknown key is told with its nearest neighbour, be it among these keys or
 * among `beside`, which are looked at elsewhere.
 */
export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape, beside: readonly string[] = []) {
  const known = [...Object.keys(shape), ...beside];
  return z
    .object(shape, { error: ({ input }) => notA("map of keys and values", input) })
    .catchall(
      z.custom<unknown>(() => false, { error: ({ path }) => unknownKey(String(path?.at(-1)), known) }),
    );
}

/** A list of equal things. */
export const list = <T>(item: z.ZodType<T>): z.ZodType<T[]> =>
  z.array(item, { error: ({ input }) => notA("list, one item per line behind a dash", input) });

export const notA = (wanted: string, input: unknown): string =>
  isAbsent(input) ? missing : `is a ${kindOf(input)}, not a ${wanted}. Compare it with config.yaml.example.`;

/** A map as written. */
export type Raw = Readonly<Record<string, unknown>>;
export const isMap = (raw: unknown): raw is Raw =>
  typeof raw === "object" && raw !== null && !Array.isArray(raw);

/** What is wrong with a key that nobody knows. */
export function unknownKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  return near === undefined
    ? `is no known key. Remove it, or write ${listed(known)}.`
    : `is no known key; did you mean ${near}? Correct or remove it.`;
}
