/** Keys that are read and checked while nothing acts on them yet: who writes one is told so. */
import type { Findings } from "./findings.ts";
import type { Raw } from "./values.ts";

/** At the top of the file. */
const deafKeys = ["auto_join", "list_sync", "upsell", "schedule", "link", "notify", "trust_proxy"];

export function warnOfDeafKeys(raw: Raw, findings: Findings): void {
  for (const key of deafKeys) if (raw[key] !== undefined) findings.warn([key], "has no effect yet.");
}
