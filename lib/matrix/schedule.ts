/** Carries steps out several at once; those that a limit makes wait do not hold up the rest. */
import type { Step } from "../model.ts";
import type { Outcome } from "../target.ts";
import { createLanes, type Lanes, type Waiting } from "./lanes.ts";
import { createMailbox } from "./mailbox.ts";

export type Attempt = Outcome | { readonly result: "limited"; readonly waitMs: number };

export interface ScheduleOptions {
  /** Tries a step once. What it throws ends everything, after the steps under way. */
  readonly attempt: (step: Step) => Promise<Attempt>;
  readonly atOnce: number;
  /** Steps that may take long and hold up others: they start when nothing else is left, one per room at a time. */
  readonly goesLast: (step: Step) => boolean;
  /** How long a step may wait for limits in all, in ms; one that would wait longer is dropped. */
  readonly patienceMs: number;
  /** When aborted, nothing more is begun. */
  readonly signal: AbortSignal;
}

type News =
  | { readonly of: "pulled"; readonly step: Step | undefined }
  | { readonly of: "attempted"; readonly waiting: Waiting; readonly attempt: Attempt }
  | { readonly of: "thrown"; readonly waiting: Waiting | undefined; readonly error: unknown };

/** Pulls a step only when there is room for one more. Gives one outcome per pulled step, in the order in which they end. */
export async function* schedule(
  steps: AsyncIterable<Step>,
  options: ScheduleOptions,
): AsyncGenerator<Outcome, void, undefined> {
  const { signal, atOnce } = options;
  const source = steps[Symbol.asyncIterator]();
  const lanes = createLanes(options.patienceMs);
  const mailbox = createMailbox<News>();
  const waiting = new Set<Waiting>();
  const state = { running: 0, runningFirst: 0, isPulling: false, isExhausted: false };
  const thrown: unknown[] = [];

  const post = (news: Promise<News>, whose?: Waiting) => {
    news.then(mailbox.post, (error: unknown) => {
      mailbox.post({ of: "thrown", waiting: whose, error });
    });
  };

  const startMsOf = (one: Waiting): number | undefined => {
    const othersAreLeft = !state.isExhausted || state.runningFirst > 0 || waiting.values().some(isFirst);
    return one.isLast && othersAreLeft ? undefined : lanes.startMs(one);
  };

  const startWhatMay = () => {
    for (const one of waiting) {
      if (state.running >= atOnce) return;
      const startMs = startMsOf(one);
      if (startMs === undefined || startMs > performance.now()) continue;
      waiting.delete(one);
      lanes.started(one);
      state.running += 1;
      if (isFirst(one)) state.runningFirst += 1;
      post(
        options.attempt(one.step).then((attempt) => ({ of: "attempted", waiting: one, attempt })),
        one,
      );
    }
    if (state.running >= atOnce || state.isPulling || state.isExhausted) return;
    state.isPulling = true;
    post(source.next().then((next) => ({ of: "pulled", step: next.done === true ? undefined : next.value })));
  };

  /** Takes note of what happened; gives the outcome where a step came to its end. */
  const take = (news: News): Outcome | undefined => {
    if (news.of === "thrown") thrown.push(news.error);
    if (news.of === "pulled") {
      state.isPulling = false;
      if (news.step === undefined) state.isExhausted = true;
      else waiting.add(lanes.wait(news.step, options.goesLast(news.step)));
      return undefined;
    }
    if (news.waiting === undefined) {
      state.isPulling = false;
      return undefined;
    }
    state.running -= 1;
    if (isFirst(news.waiting)) state.runningFirst -= 1;
    lanes.ended(news.waiting);
    if (news.of === "thrown" || news.attempt.result !== "limited") lanes.over(news.waiting);
    if (news.of === "thrown") return brokenOff(news.waiting.step, news.error);
    if (news.attempt.result === "limited") {
      lanes.limited(news.waiting, news.attempt.waitMs);
      waiting.add(news.waiting);
      return undefined;
    }
    if (news.attempt.result === "done") lanes.succeeded(news.waiting);
    return news.attempt;
  };

  signal.addEventListener("abort", mailbox.ring);
  try {
    for (;;) {
      const isEnding = signal.aborted || thrown.length > 0;
      if (!isEnding) startWhatMay();
      for (const outcome of dropHopeless(waiting, lanes, isEnding)) yield outcome;
      if (state.running === 0 && !state.isPulling && waiting.size === 0) break;
      const news = await mailbox.collect(
        state.running < atOnce ? nextStartInMs(waiting, startMsOf) : Infinity,
      );
      for (const outcome of news.map(take)) if (outcome !== undefined) yield outcome;
    }
  } finally {
    signal.removeEventListener("abort", mailbox.ring);
    await source.return?.();
  }
  if (thrown.length > 0) throw thrown[0];
}

const isFirst = ({ isLast }: Waiting): boolean => !isLast;

function nextStartInMs(
  waiting: ReadonlySet<Waiting>,
  startMsOf: (one: Waiting) => number | undefined,
): number {
  const starts = [...waiting].map((one) => startMsOf(one) ?? Infinity);
  return Math.min(...starts) - performance.now();
}

/** Takes out what cannot start before its patience ends; at the end of a run, all. */
function dropHopeless(waiting: Set<Waiting>, lanes: Lanes, isEnding: boolean): readonly Outcome[] {
  return [...waiting].flatMap((one): Outcome[] => {
    const waitMs = lanes.hopelessMs(one);
    if (!isEnding && waitMs === undefined) return [];
    waiting.delete(one);
    lanes.over(one);
    const sentence = isEnding ? "The run ended before its turn." : waitSentence(waitMs ?? 0);
    return [{ step: one.step, result: "dropped", sentence }];
  });
}

function waitSentence(waitMs: number): string {
  const minutes = Math.max(1, Math.ceil(waitMs / 60_000));
  return `The homeserver asks to wait ${String(minutes)} ${minutes === 1 ? "minute" : "minutes"}; the next run goes on.`;
}

function brokenOff(step: Step, error: unknown): Outcome {
  const sentence = error instanceof Error ? error.message : "The step broke off.";
  return { step, result: "failed", blame: "us", sentence };
}
