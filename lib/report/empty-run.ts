/** The run of a script that has nothing to do: its report has all fields. */
import type { Run } from "./run.ts";

export const emptyRun = (
  { script, target }: Pick<Run, "script" | "target">,
  { dryRun, nowMs }: { readonly dryRun: boolean; readonly nowMs: number },
): Run => ({
  script,
  target,
  dryRun,
  isWhole: false,
  startedAtMs: nowMs,
  endedAtMs: nowMs,
  snapshot: { readAtMs: undefined, subscribers: undefined, unreadable: [] },
  have: new Map(),
  memories: new Map(),
  plan: { steps: [], skips: [], observations: new Map() },
  go: [],
  held: undefined,
  heldIsNew: false,
  outcomes: [],
  handles: new Map(),
  foreignGrants: [],
  warnings: [],
  requests: { fanvue: 0, discord: 0, matrix: 0 },
  brokenOff: undefined,
});
