/** The runs of one script over several targets, as one run to report. */
import type { TargetName } from "../ids.ts";
import type { Held } from "../model/brakes.ts";
import type { Run } from "./run.ts";

/** At least one run; places, steps and outcomes stand in the order of the runs. */
export function mergeRuns(target: TargetName, runs: readonly Run[]): Run {
  const [first] = runs;
  if (first === undefined) throw new Error("there is no run to report");
  if (runs.length === 1) return { ...first, target };
  const all = <T>(pick: (run: Run) => Iterable<T>): T[] => runs.flatMap((run) => [...pick(run)]);
  const once = (pick: (run: Run) => Iterable<string>): string[] => [...new Set(all(pick))];
  const sum = (name: keyof Run["requests"]) => runs.reduce((total, run) => total + run.requests[name], 0);
  const source = runs.find(({ snapshot }) => snapshot.readAtMs !== undefined) ?? first;
  const brokenOff = once(({ brokenOff }) => (brokenOff === undefined ? [] : [brokenOff]));
  return {
    ...first,
    target,
    isWhole: runs.every(({ isWhole }) => isWhole),
    endedAtMs: Math.max(...runs.map(({ endedAtMs }) => endedAtMs)),
    snapshot: { ...source.snapshot, unreadable: once(({ snapshot }) => snapshot.unreadable) },
    have: new Map(all(({ have }) => have)),
    memories: new Map(all(({ memories }) => memories)),
    plan: {
      steps: all(({ plan }) => plan.steps),
      skips: all(({ plan }) => plan.skips),
      observations: new Map(all(({ plan }) => plan.observations)),
    },
    go: all(({ go }) => go),
    held: mergeHeld(all(({ held }) => (held === undefined ? [] : [held]))),
    heldIsNew: runs.some(({ heldIsNew }) => heldIsNew),
    outcomes: all(({ outcomes }) => outcomes),
    handles: new Map(all(({ handles }) => handles)),
    foreignGrants: all(({ foreignGrants }) => foreignGrants),
    warnings: once(({ warnings }) => warnings),
    requests: { fanvue: sum("fanvue"), discord: sum("discord"), matrix: sum("matrix") },
    brokenOff: brokenOff.length === 0 ? undefined : brokenOff.join(" "),
  };
}

/** Each target stores its own set; together they are approved by their hashes, joined by a plus. */
function mergeHeld(sets: readonly Held[]): Held | undefined {
  if (sets.length === 0) return undefined;
  return {
    hash: sets.map(({ hash }) => hash).join("+"),
    steps: sets.flatMap(({ steps }) => steps),
    reasons: sets.flatMap(({ reasons }) => reasons),
  };
}
