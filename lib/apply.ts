/**
 * Carries a journalled plan out: looks once more before each step, hands it to the platform, and writes outcomes down.
 * The plan is on disk before this begins; a step without an outcome is read again by the next run.
 */
import { OperatorError } from "./errors.ts";
import type { Log, Progress } from "./log.ts";
import type { Step } from "./model.ts";
import type { Outcome, Target } from "./target.ts";

/** Five failures in a row that speak of the service or of us end the run. */
const maxFailuresInARow = 5;
const flushEveryMs = 1_000;
const flushEverySteps = 50;

/** The last look before a step, at its links and, for late removals, at Fanvue. */
export interface LastLook {
  /** Undefined when the step may go; otherwise why it may not. */
  readonly stillStands: (step: Step) => Promise<string | undefined>;
  /**
   * Called when the turn of a removal comes long after it was confirmed, with all removals that are left.
   * Gives those that are still to go.
   */
  readonly confirmAgain: (removals: readonly Step[]) => Promise<ReadonlySet<Step>>;
}

export interface Application {
  readonly target: Target;
  /** In the order of the plan: grants, revokes, evictions. */
  readonly steps: readonly Step[];
  readonly look: LastLook;
  readonly confirmedAtMs: number;
  /** A confirmation older than this is made again. */
  readonly confirmationMaxAgeMs: number;
  /** Writes outcomes to the journal, durably. */
  readonly save: (outcomes: readonly Outcome[]) => Promise<void>;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly log: Log;
}

export interface Applied {
  readonly outcomes: readonly Outcome[];
  /** Why the run ended before its last step: a sentence with its remedy. */
  readonly brokenOff: string | undefined;
}

/** Performs the steps; never throws for a platform's or member's failure, which are outcomes. */
export async function apply(application: Application): Promise<Applied> {
  const { target, steps, log, progress } = application;
  const breaker = createBreaker(application.signal);
  const journal = createJournal(application);
  const claimed: Outcome[] = [];
  let unproved = 0;
  try {
    for await (const outcome of target.perform(pull(application, breaker, journal))) {
      breaker.note(outcome);
      if (outcome.result === "done") claimed.push(outcome);
      if (awaitsVerification(outcome, target)) unproved += 1;
      else await journal.add(outcome);
      progress(`${target.name}: changes`, unproved + journal.count(), steps.length);
    }
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    log.error(error.message);
    breaker.end(`${error.message} ${error.remedy}`);
  } finally {
    // Also of a run that ended early: what was done was done.
    await journal.flush();
    for (const outcome of await readAgain(claimed, application)) await journal.add(outcome);
    await journal.flush();
  }
  return { outcomes: journal.outcomes(), brokenOff: breaker.reason() };
}

/**
 * Whether a step is done only once it was read again. A removal without outcome is read by the next run, and nobody is
 * harmed. A grant is ours from the moment it is given: were it on record only later, whoever left or lost it to a
 * moderator meanwhile would seem never to have had it, and get it again.
 */
const awaitsVerification = ({ result, step }: Outcome, target: Target): boolean =>
  result === "done" && step.verb !== "grant" && target.verify !== undefined;

/**
 * What the platform says was done, as it shows when read again: the removals, and of the grants, which are on record
 * already, those that it swallowed. A change that it swallowed has failed.
 */
async function readAgain(
  claimed: readonly Outcome[],
  { target, log }: Application,
): Promise<readonly Outcome[]> {
  if (claimed.length === 0 || target.verify === undefined) return [];
  const lost = await target.verify(claimed.map(({ step }) => step)).catch((error: unknown) => {
    if (!(error instanceof OperatorError)) throw error;
    log.warn(`What was done could not be read again. ${error.message}`);
    return new Map<Step, string>();
  });
  return claimed.flatMap((outcome): readonly Outcome[] => {
    const { step } = outcome;
    const sentence = lost.get(step);
    if (sentence !== undefined) return [{ step, result: "failed", blame: "service", sentence }];
    return awaitsVerification(outcome, target) ? [outcome] : [];
  });
}

/** Yields each step when the platform asks for it, unless its ground has gone by then. */
async function* pull(application: Application, breaker: Breaker, journal: Journal): AsyncGenerator<Step> {
  const { look, now, confirmationMaxAgeMs } = application;
  const acts = actsOf(application.steps);
  let confirmedAtMs = application.confirmedAtMs;
  let confirmed: ReadonlySet<Step> | undefined;
  for (const [index, act] of acts.entries()) {
    if (breaker.reason() !== undefined) return;
    const takes = act.some(({ verb }) => verb !== "grant");
    if (takes && now() - confirmedAtMs > confirmationMaxAgeMs) {
      confirmed = await look.confirmAgain(acts.slice(index).flat());
      confirmedAtMs = now();
    }
    const standing: Step[] = [];
    for (const step of act) {
      const objection =
        takes && confirmed?.has(step) === false
          ? "A later reading no longer says that this entitlement ended."
          : await look.stillStands(step);
      if (objection === undefined) standing.push(step);
      else await journal.add({ step, result: "dropped", sentence: objection });
    }
    yield* standing;
  }
}

/** Whoever is brought in gets all their roles at once: those steps are one act, when the first of them has its turn. */
const actsOf = (steps: readonly Step[]): readonly (readonly Step[])[] => [
  ...Map.groupBy(steps, (step) => (step.joins === true ? step.account : step)).values(),
];

// ---- When to end ------------------------------------------------------------------------------------------------

interface Breaker {
  note(outcome: Outcome): void;
  end(reason: string): void;
  reason(): string | undefined;
}

function createBreaker(signal: AbortSignal): Breaker {
  let failuresInARow = 0;
  let reason: string | undefined;
  return {
    note(outcome) {
      const isOurs =
        outcome.result === "failed" &&
        outcome.isSameRequest !== true &&
        (outcome.blame === "service" || outcome.blame === "us");
      if (outcome.result === "done") failuresInARow = 0;
      if (!isOurs) return;
      failuresInARow += 1;
      if (failuresInARow < maxFailuresInARow) return;
      reason ??= `${String(maxFailuresInARow)} steps in a row failed, so the rest was left for the next run. The last one: ${outcome.sentence}`;
    },
    end(why) {
      reason ??= why;
    },
    reason: () =>
      reason ?? (signal.aborted ? "The run was stopped before its end. Run it again." : undefined),
  };
}

// ---- Outcomes on their way to the disk ----------------------------------------------------------------------------

interface Journal {
  /** One for each step: the last. */
  outcomes(): readonly Outcome[];
  count(): number;
  add(outcome: Outcome): Promise<void>;
  flush(): Promise<void>;
}

/** Outcomes are gathered for a second or fifty steps, since each write stores the whole database. */
function createJournal({ save, now }: Pick<Application, "save" | "now">): Journal {
  const outcomes = new Map<Step, Outcome>();
  let unsaved: Outcome[] = [];
  let savedAtMs = now();

  async function flush(): Promise<void> {
    if (unsaved.length === 0) return;
    const batch = unsaved;
    unsaved = [];
    try {
      await save(batch);
    } catch (error) {
      unsaved = [...batch, ...unsaved];
      throw error;
    }
    savedAtMs = now();
  }

  return {
    outcomes: () => [...outcomes.values()],
    count: () => outcomes.size,
    async add(outcome) {
      outcomes.set(outcome.step, outcome);
      unsaved.push(outcome);
      if (unsaved.length >= flushEverySteps || now() - savedAtMs >= flushEveryMs) await flush();
    },
    flush,
  };
}
