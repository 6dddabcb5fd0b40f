/** Keys that are read and checked while nothing, or little, acts on them yet: who writes one is told so. */
import type { Findings } from "./findings.ts";
import type { Raw } from "./values.ts";

/** At the top of the file, each with what is to be said of it. */
const deafKeys: Readonly<Record<string, string>> = {
  schedule: "has no effect yet but in /membership, which tells by it when the next sync is due.",
};

export function warnOfDeafKeys(raw: Raw, findings: Findings): void {
  for (const [key, sentence] of Object.entries(deafKeys))
    if (raw[key] !== undefined) findings.warn([key], sentence);
}
