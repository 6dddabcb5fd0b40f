/** YAML files of the operator as trees that remember their lines, so that every fault can be told with its place. */
import { readFileSync, statSync } from "node:fs";
import {
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
  type YAMLMap,
} from "yaml";
import { BadInputError } from "../errors.ts";

export type Branch = MapBranch | ListBranch | ScalarBranch;
export interface MapBranch {
  readonly kind: "map";
  readonly line: number;
  /** As written: a key may stand here twice. */
  readonly entries: readonly Entry[];
}
export interface ListBranch {
  readonly kind: "list";
  readonly line: number;
  readonly items: readonly Branch[];
}
export interface ScalarBranch {
  readonly kind: "scalar";
  readonly line: number;
  /** Whole numbers are bigints, so that Discord's ids keep all their digits without quotes. */
  readonly value: string | number | bigint | boolean | null;
}
export interface Entry {
  readonly key: string;
  readonly line: number;
  readonly value: Branch;
}

/** Something in a file that cannot be used, as a sentence with its remedy. */
export interface LineFault {
  readonly line: number;
  readonly sentence: string;
}

/**
 * Reads a file of text. undefined where there is none; throws a BadInputError where there is something that cannot be
 * read, such as a folder.
 */
export function loadText(path: string): { readonly text: string; readonly mode: number } | undefined {
  try {
    const stat = statSync(path);
    if (stat.isDirectory())
      throw new BadInputError(
        `${path}: this is a folder, not a file.`,
        "Move it out of the way, or name a file.",
      );
    return { text: readFileSync(path, "utf8"), mode: stat.mode };
  } catch (error) {
    if (error instanceof BadInputError) throw error;
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return undefined;
    throw new BadInputError(
      `${path}: the file cannot be read (${String(code)}).`,
      "Let the user who runs the scripts read it, for example with chown or chmod.",
      error,
    );
  }
}

/** Parses one YAML document. `root` is undefined where the text holds nothing, or faults. */
export function parseYaml(text: string): {
  readonly root: Branch | undefined;
  readonly faults: readonly LineFault[];
} {
  const counter = new LineCounter();
  const document = parseDocument(text, {
    intAsBigInt: true,
    lineCounter: counter,
    prettyErrors: false,
    // Told apart from other faults by the readers: a config refuses a key written twice, a book takes both.
    uniqueKeys: false,
  });
  const faults = [...document.errors, ...document.warnings].map(({ code, pos }) => ({
    line: counter.linePos(pos[0]).line,
    sentence: syntaxFault(code),
  }));
  if (faults.length > 0) return { root: undefined, faults: firstPerLine(faults) };
  return plant(document, (node) => counter.linePos(node.range?.[0] ?? 0).line);
}

/** The fault of a file, as it is shown. */
export const located = (file: string, { line, sentence }: LineFault): string =>
  `${file}:${String(line)}: ${sentence}`;

// ---- From YAML's nodes to branches ------------------------------------------------------------------------------

/** Far more than any config has; only aliases of aliases get there. */
const maxBranches = 1_000_000;

function plant(
  document: Document.Parsed,
  lineOf: (node: Node) => number,
): { root: Branch | undefined; faults: LineFault[] } {
  const faults: LineFault[] = [];
  const around = new Set<Node>();
  let branches = 0;

  const nothing = (line: number): ScalarBranch => ({ kind: "scalar", line, value: null });
  const fault = (line: number, sentence: string): ScalarBranch => {
    faults.push({ line, sentence });
    return nothing(line);
  };

  function branchOf(written: unknown, line: number): Branch {
    if (!isNode(written)) return nothing(line);
    const node = isAlias(written) ? written.resolve(document) : written;
    if (node === undefined || around.has(node))
      return fault(lineOf(written), "an alias leads to itself or to nothing. Write the value out.");
    branches += 1;
    if (branches > maxBranches)
      return faults.length > 0
        ? nothing(line)
        : fault(lineOf(written), "aliases make this file endless. Write the values out.");
    if (isScalar(node)) return { kind: "scalar", line: lineOf(node), value: scalarValue(node.value) };
    around.add(node);
    const branch: Branch = isMap(node)
      ? { kind: "map", line: lineOf(node), entries: entriesOf(node) }
      : isSeq(node)
        ? { kind: "list", line: lineOf(node), items: node.items.map((item) => branchOf(item, lineOf(node))) }
        : nothing(line);
    around.delete(node);
    return branch;
  }

  function entriesOf(map: YAMLMap): Entry[] {
    const entries: Entry[] = [];
    const merged: Entry[] = [];
    for (const { key, value } of map.items) {
      const line = isNode(key) ? lineOf(key) : lineOf(map);
      const name = isScalar(key) ? scalarValue(key.value) : null;
      if (name === null) {
        fault(line, "a key is no single word. Write it as KEY: VALUE.");
        continue;
      }
      const branch = branchOf(value, line);
      if (name === "<<" && isScalar(key) && key.type === Scalar.PLAIN) merged.push(...mergedEntries(branch));
      else entries.push({ key: String(name), line, value: branch });
    }
    const own = new Set(entries.map(({ key }) => key));
    return [...entries, ...merged.filter(({ key }) => !own.has(key))];
  }

  return { root: document.contents === null ? undefined : branchOf(document.contents, 1), faults };
}

/** `<<: *other` takes over the keys of another map, or of several: https://yaml.org/type/merge.html */
const mergedEntries = (branch: Branch): readonly Entry[] => {
  if (branch.kind === "map") return branch.entries;
  return branch.kind === "list" ? branch.items.flatMap(mergedEntries) : [];
};

function scalarValue(value: unknown): ScalarBranch["value"] {
  const isPlain =
    typeof value === "string" ||
    typeof value === "number" ||
    typeof value === "bigint" ||
    typeof value === "boolean";
  return isPlain ? value : null;
}

// ---- Faults of syntax -------------------------------------------------------------------------------------------

/** In our own words: the parser's may quote what stands there, and that may be a secret. */
const syntaxFaults: Partial<Record<ErrorCode, string>> = {
  TAB_AS_INDENT: "a tab stands in the indentation. Indent with spaces.",
  BAD_SCALAR_START:
    "a value begins with a character that means something to YAML (@ or `). Put the value in quotes.",
  BAD_INDENT:
    "the indentation does not fit the lines above. Indent keys that belong together alike; what begins with # needs quotes.",
  MISSING_CHAR: "a quote, bracket or colon is missing here or shortly before. Add it.",
  BAD_DQ_ESCAPE: "a backslash in double quotes means something to YAML. Use single quotes.",
  BLOCK_AS_IMPLICIT_KEY: "there are two colons on one line. Put the value in quotes, or begin a new line.",
  MULTILINE_IMPLICIT_KEY: "a line is no KEY: VALUE. Add the colon, or indent it under the key it belongs to.",
  BAD_ALIAS: "an alias (*NAME) leads to nothing. Write the value out, or put it in quotes if it is no alias.",
  MULTIPLE_DOCS: "a second document begins (---). Remove this line.",
  TAG_RESOLVE_FAILED: "a tag (!NAME) stands before a value. Put the value in quotes.",
  UNEXPECTED_TOKEN:
    "something stands here that YAML does not expect. Put the value in quotes, or check the indentation.",
};
const syntaxFault = (code: ErrorCode): string =>
  syntaxFaults[code] ?? "this is no valid YAML. Compare it with config.yaml.example.";

const firstPerLine = (faults: readonly LineFault[]): readonly LineFault[] =>
  faults.filter(({ line }, index) => faults.findIndex((other) => other.line === line) === index);
