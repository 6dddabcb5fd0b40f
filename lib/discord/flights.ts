/** Several steps at a time, and never two of one member at once. */
import { PlatformError } from "../errors.ts";
import type { Account } from "../ids.ts";
import type { Step } from "../model.ts";
import type { Outcome } from "../target.ts";

/**
 * The first goes alone: from its answer the library learns which limit the others share, and those that it sends before it
 * knows run into that. https://discord.com/developers/docs/topics/rate-limits
 */
const maxInFlight = (hasLanded: boolean) => (hasLanded ? 4 : 1);

/** Steps of one account that are one act. */
export type Together = readonly [Step, ...Step[]];
/** Carries them out; one outcome each. Throws only for what ends the run. */
export type Perform = (steps: Together) => AsyncIterable<Outcome>;

/** Puts together what is one act: who is brought in gets all roles at once. The steps of it follow each other. */
export async function* together(steps: AsyncIterable<Step>): AsyncGenerator<Together, void, undefined> {
  let joining: [Step, ...Step[]] | undefined;
  for await (const step of steps) {
    if (step.joins && joining?.[0].account === step.account) {
      joining.push(step);
      continue;
    }
    if (joining !== undefined) yield joining;
    joining = step.joins ? [step] : undefined;
    if (joining === undefined) yield [step];
  }
  if (joining !== undefined) yield joining;
}

// ---- Several at a time ------------------------------------------------------------------------------------------

type Event =
  | { readonly is: "pulled"; readonly next: IteratorResult<Together, unknown> }
  | ({ readonly is: "landed"; readonly flight: Flight } & Landing)
  | { readonly is: "broken"; readonly end: End };
/** What ends the run. */
interface End {
  readonly error: unknown;
}
interface Flight {
  readonly account: Account;
  readonly settled: Promise<Event>;
}
interface Landing {
  readonly outcomes: readonly Outcome[];
  readonly end?: End;
}

/** A step during which the run ended: it was not carried out, and it is our doing. */
function endedDuring(step: Step, error: unknown): Outcome {
  const sentence = error instanceof PlatformError ? error.message : "The run ended by a bug.";
  return { step, result: "failed", blame: "us", sentence };
}

async function carryOut(steps: Together, perform: Perform): Promise<Landing> {
  const outcomes: Outcome[] = [];
  try {
    for await (const outcome of perform(steps)) outcomes.push(outcome);
    return { outcomes };
  } catch (error) {
    const told = new Set(outcomes.map(({ step }) => step));
    const untold = steps.filter((step) => !told.has(step)).map((step) => endedDuring(step, error));
    return { outcomes: [...outcomes, ...untold], end: { error } };
  }
}

/** Starts as soon as nothing else of the same member is under way. */
function takeOff(steps: Together, flights: Set<Flight>, perform: Perform): void {
  const { account } = steps[0];
  const before = [...flights].filter((flight) => flight.account === account).map(({ settled }) => settled);
  const flight: Flight = {
    account,
    settled: Promise.all(before)
      .then(() => carryOut(steps, perform))
      .then((landing): Event => ({ is: "landed", flight, ...landing })),
  };
  flights.add(flight);
}

const pullFrom = (source: AsyncIterator<Together>): Promise<Event> =>
  source.next().then(
    (next): Event => ({ is: "pulled", next }),
    (error: unknown): Event => ({ is: "broken", end: { error } }),
  );

/**
 * Pulls steps and yields their outcomes in the order in which they come. Once the signal is aborted, nothing more is
 * pulled; what is under way is waited for. An error that ends the run is thrown when all that was under way is told.
 */
export async function* performAll(
  steps: AsyncIterable<Step>,
  perform: Perform,
  signal: AbortSignal,
): AsyncGenerator<Outcome, void, undefined> {
  const source = together(steps);
  const flights = new Set<Flight>();
  let pull: Promise<Event> | undefined;
  let hasLanded = false;
  let isDry = false;
  let end: End | undefined;
  try {
    for (;;) {
      const mayPull = !isDry && !signal.aborted && end === undefined && flights.size < maxInFlight(hasLanded);
      if (mayPull) pull ??= pullFrom(source);
      const waiting = [...flights].map(({ settled }) => settled);
      if (pull !== undefined) waiting.push(pull);
      if (waiting.length === 0) break;
      const event = await Promise.race(waiting);
      if (event.is === "landed") {
        flights.delete(event.flight);
        hasLanded = true;
      } else pull = undefined;
      if (event.is !== "pulled") end ??= event.end;
      else if (event.next.done === true) isDry = true;
      else takeOff(event.next.value, flights, perform);
      if (event.is === "landed") yield* event.outcomes;
    }
  } finally {
    await Promise.all([...flights].map(({ settled }) => settled));
    await source.return();
  }
  if (end !== undefined) throw end.error;
}
