/** A run as the reports see it, what came of its steps, and its exit code. */
import { exitCodes, type ExitCode } from "../errors.ts";
import type { FanId, TargetName } from "../ids.ts";
import type { Grant, Place, PlaceMemory, PlaceState, Plan, Step } from "../model.ts";
import type { Held } from "../model/brakes.ts";
import type { Outcome } from "../target.ts";

export interface Run {
  /** The script as typed after `npm run`, for the commands that the report names. */
  readonly script: string;
  readonly target: TargetName;
  readonly dryRun: boolean;
  /** Whether it can tell of all places of the target what holds there now. */
  readonly isWhole: boolean;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly snapshot: {
    /** Undefined: there was none to read (lists that mirror a role only). */
    readonly readAtMs: number | undefined;
    readonly subscribers: number | undefined;
    /** One sentence per source that could not be read. */
    readonly unreadable: readonly string[];
  };
  readonly have: ReadonlyMap<Place, PlaceState>;
  readonly memories: ReadonlyMap<Place, PlaceMemory>;
  /** After `confirmRemovals`. */
  readonly plan: Plan;
  /** The steps that the guard let go. */
  readonly go: readonly Step[];
  readonly held: Held | undefined;
  /** Whether the held set is new or grew. */
  readonly heldIsNew: boolean;
  /** Empty in a dry run. */
  readonly outcomes: readonly Outcome[];
  /** What people call the fans. */
  readonly handles: ReadonlyMap<FanId, string>;
  /** Ours in places that are no longer configured. */
  readonly foreignGrants: readonly Grant[];
  /** One sentence per link that no longer stands in its book, per row that a proved link outranks, and the like. */
  readonly warnings: readonly string[];
  readonly requests: { readonly fanvue: number; readonly discord: number; readonly matrix: number };
  /** Why the run ended before its last step; a sentence. */
  readonly brokenOff: string | undefined;
}

/** What came of a step, in a word, and what there is to say about it. */
export interface StepResult {
  readonly outcome: "planned" | "held" | "done" | "refused" | "failed" | "dropped" | "not reached";
  readonly note: string | undefined;
}

/** Gives a function that tells what came of each step of the plan. */
export function resultsOf(run: Run): (step: Step) => StepResult {
  const held = new Set(run.held?.steps);
  const outcomes = new Map(run.outcomes.map((outcome) => [outcome.step, outcome]));
  const unheard: StepResult = { outcome: run.dryRun ? "planned" : "not reached", note: undefined };
  return (step) => {
    if (held.has(step)) return { outcome: "held", note: undefined };
    const outcome = outcomes.get(step);
    if (outcome === undefined) return unheard;
    return { outcome: outcome.result, note: "sentence" in outcome ? outcome.sentence : undefined };
  };
}

/** The exit code of a run: the highest of what it met. */
export function exitCodeFor(run: Run): ExitCode {
  if (run.snapshot.unreadable.length > 0) return exitCodes.sourceUnreadable;
  if (run.brokenOff !== undefined || hasUnreadablePlace(run) || run.outcomes.some((it) => isFailure(it, run)))
    return exitCodes.stepFailed;
  return run.heldIsNew ? exitCodes.removalsHeld : exitCodes.inOrder;
}

const hasUnreadablePlace = ({ have }: Run): boolean =>
  [...have.values()].some((state) => "unreadable" in state);

/** A member's own refusal is news once. */
const isFailure = ({ step, result }: Outcome, { memories }: Run): boolean =>
  result === "failed" ||
  (result === "refused" && memories.get(step.place)?.refusals.has(step.account) !== true);
