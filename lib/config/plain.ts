/** From a tree of YAML to plain values: the environment filled in, lines and secrets noted, keys written twice refused. */
import { type Findings, openFindings, type Path, pathKey, type Places } from "./findings.ts";
import type { Branch, MapBranch, ScalarBranch } from "./yaml.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const reference = /\$\{([A-Za-z_]\w*)\}/g;
/** Values behind such keys are never repeated anywhere. */
const isSecret = (path: Path): boolean => /token|secret/i.test(String(path.at(-1)));
/** Shorter ones would blacken half a sentence. */
const shortestSecret = 4;

/** The values of a whole file. Whole numbers stay bigints; `${NAME}` in a text is taken from `env`. */
export function toPlain(
  root: Branch,
  { file, env }: { readonly file: string; readonly env: Environment },
): { readonly value: unknown; readonly findings: Findings } {
  const lines = new Map<string, number>();
  const secrets = new Map<string, string>();
  const places: Places = { file, lines, secrets };
  const findings = openFindings(places);

  function plain(branch: Branch, path: Path): unknown {
    if (branch.kind === "map") return plainMap(branch, path);
    if (branch.kind === "scalar") return plainScalar(branch, path);
    return branch.items.map((item, index) => {
      lines.set(pathKey([...path, index]), item.line);
      return plain(item, [...path, index]);
    });
  }

  function plainMap(branch: MapBranch, path: Path): Readonly<Record<string, unknown>> {
    const seen = new Map<string, number>();
    const entries: [string, unknown][] = [];
    for (const { key, line, value } of branch.entries) {
      const at = [...path, key];
      const before = seen.get(key);
      if (before !== undefined) {
        findings.fault(at, `stands in line ${String(before)} already, and here again. Keep one.`, line);
        continue;
      }
      seen.set(key, line);
      lines.set(pathKey(at), line);
      entries.push([key, plain(value, at)]);
    }
    return Object.fromEntries(entries);
  }

  function plainScalar({ value }: ScalarBranch, path: Path): unknown {
    const filled = typeof value === "string" ? fillIn(value, path) : value;
    const text = String(filled);
    // What the environment lacks still stands there as ${NAME}, which is none.
    if (isSecret(path) && text.length >= shortestSecret && !text.includes("${") && !secrets.has(text))
      secrets.set(text, "[secret]");
    return filled;
  }

  function fillIn(text: string, path: Path): string {
    return text.replace(reference, (written, name: string) => {
      const value = env[name];
      if (value === undefined) {
        findings.fault(
          path,
          `the environment has no ${name}. Set it and start this again, or write the value in place of ${written}.`,
        );
        return written;
      }
      if (value.length >= shortestSecret) secrets.set(value, written);
      return value;
    });
  }

  return { value: plain(root, []), findings };
}
