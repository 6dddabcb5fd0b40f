/** Keys that are read and checked while nothing acts on them yet: who writes one is told so. */
import type { Findings, Path } from "./findings.ts";
import type { Raw } from "./values.ts";

/** At the top of the file. */
export const deafKeys = ["auto_join", "list_sync", "upsell", "schedule", "link", "notify", "trust_proxy"];
/** Of a place. */
export const deafPlaceKeys = ["cascade", "knock"];

export function warnOfDeafKeys(raw: Raw, keys: readonly string[], path: Path, findings: Findings): void {
  for (const key of keys) if (raw[key] !== undefined) findings.warn([...path, key], "has no effect yet.");
}
