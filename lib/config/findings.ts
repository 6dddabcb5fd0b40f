/** Gathers all that is wrong or odd in a config, so that the operator hears of everything at once. */
import type * as z from "zod";
import { located } from "./yaml.ts";

/** Keys from the top of the file down; numbers count the items of lists from 0. */
export type Path = readonly PropertyKey[];

export interface Findings {
  /** Something that cannot be used: what is wrong, and the remedy, to be read behind the key and a colon. */
  fault(path: Path, sentence: string, line?: number): void;
  /** Something odd that does no harm. */
  warn(path: Path, sentence: string): void;
  /** The value as the schema makes it; undefined, with faults noted, where it does not fit. */
  parse<T>(schema: z.ZodType<T>, value: unknown, path: Path): T | undefined;
  /** Everything found, in the order of the file, as whole sentences with file, line and key. */
  faults(): readonly string[];
  warnings(): readonly string[];
}

export interface Places {
  readonly file: string;
  /** Lines by `pathKey`. */
  readonly lines: ReadonlyMap<string, number>;
  /** What must not be repeated, and what stands for it. */
  readonly secrets: ReadonlyMap<string, string>;
}

interface Finding {
  readonly path: Path;
  readonly sentence: string;
  /** Where it differs from the line of the key. */
  readonly line?: number | undefined;
}

export const pathKey = (path: Path): string => JSON.stringify(path.map(String));

export function openFindings(places: Places): Findings {
  const faults: Finding[] = [];
  const warnings: Finding[] = [];
  return {
    fault: (path, sentence, line) => void faults.push({ path, sentence, line }),
    warn: (path, sentence) => void warnings.push({ path, sentence }),
    parse(schema, value, path) {
      const result = schema.safeParse(value);
      if (result.success) return result.data;
      for (const issue of result.error.issues) {
        const at = [...path, ...issue.path];
        // One fault is enough for one value: what the environment lacks is no wrong id besides.
        if (!faults.some((fault) => pathKey(fault.path) === pathKey(at)))
          faults.push({ path: at, sentence: issue.message });
      }
      return undefined;
    },
    faults: () => told(faults, places),
    warnings: () => told(warnings, places),
  };
}

function told(findings: readonly Finding[], places: Places): readonly string[] {
  return findings
    .map(({ path, sentence, line }) => ({
      line: line ?? lineOf(path, places),
      sentence: [nameOf(path), withoutSecrets(sentence, places)].filter((part) => part !== "").join(": "),
    }))
    .sort((a, b) => a.line - b.line)
    .map((fault) => located(places.file, fault));
}

/** The line of a key, or of the nearest key around it where it is missing. */
function lineOf(path: Path, { lines }: Places): number {
  for (let depth = path.length; depth > 0; depth -= 1) {
    const line = lines.get(pathKey(path.slice(0, depth)));
    if (line !== undefined) return line;
  }
  return 1;
}

/** `roles.123.rules[0].type`; keys with dots or spaces in them stand in quotes. */
export const nameOf = (path: Path): string =>
  path
    .map((key, index) => {
      if (typeof key === "number") return `[${String(key)}]`;
      const word = /^[\w-]+$/.test(String(key)) ? String(key) : `"${String(key)}"`;
      return index === 0 ? word : `.${word}`;
    })
    .join("");

const withoutSecrets = (text: string, { secrets }: Places): string =>
  [...secrets].reduce((clean, [secret, stand]) => clean.replaceAll(secret, stand), text);
