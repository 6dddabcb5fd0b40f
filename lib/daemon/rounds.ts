/** Rounds: the scripts of the chain, one after the other. One round at a time; what comes meanwhile is not queued. */
import type { Log } from "../log.ts";
import type { ScriptEnd } from "../run-script.ts";
import type { SyncScript } from "./duties.ts";
import { endsRound, isGood } from "./script-end.ts";
import { rest, retryPauseMs } from "./timing.ts";

export interface RoundsOptions {
  /** The scripts, asked for when a round begins. */
  readonly scripts: () => readonly SyncScript[];
  /** Runs one of them to its end. Never rejects. */
  readonly run: (script: SyncScript) => Promise<ScriptEnd>;
  /** Called when a round begins; what it returns is called when all of it went well. */
  readonly onBegin: () => () => void;
  readonly log: Log;
  /** When aborted, no other script begins. */
  readonly signal: AbortSignal;
}

export interface Rounds {
  /** Begins a round after a pause; one that is under way goes on instead, and this one is left out. */
  begin(pauseMs: number): void;
  /** Begins a round at once, or right after the one under way; one that fails is tried again after growing pauses. */
  beginSoon(): void;
  /** How many were left out so far. */
  leftOut(): number;
  /** Resolves once no round is under way or to be tried again. */
  idle(): Promise<void>;
}

type RoundEnd = "good" | "failed" | "mistake";

export function createRounds({ scripts, run, onBegin, log, signal }: RoundsOptions): Rounds {
  let underWay: Promise<void> | undefined;
  /** Ends the pause before the round under way. */
  let hurry = new AbortController();
  /** Somebody waits for the next round: after how many that failed for them. */
  let askedAfter: number | undefined;
  /** Ends the pause before a round that is tried again. */
  let retry: { readonly over: AbortController; readonly done: Promise<void> } | undefined;
  let leftOut = 0;

  async function runAll(): Promise<RoundEnd> {
    let end: RoundEnd = "good";
    for (const script of scripts()) {
      if (signal.aborted) return "failed";
      const scriptEnd = await run(script);
      if (endsRound(scriptEnd)) {
        log.error(
          `${script} could not use the config, an address book or the database, which all scripts need: this round ends here.`,
        );
        return "mistake";
      }
      if (!isGood(scriptEnd)) end = "failed";
    }
    return end;
  }

  async function round(pauseMs: number): Promise<void> {
    const leftOutBefore = leftOut;
    hurry = new AbortController();
    if (pauseMs > 0) await rest(pauseMs, AbortSignal.any([signal, hurry.signal]));
    const tries = askedAfter;
    askedAfter = undefined;
    const onGood = onBegin();
    const end = await runAll();
    const missed = leftOut - leftOutBefore;
    if (missed > 0)
      log.info({ leftOut: missed }, "The round took so long that its next times were left out.");
    if (end === "good") {
      onGood();
      retry?.over.abort();
    } else if (end === "failed" && tries !== undefined) tryAgain(tries);
  }

  function tryAgain(tries: number): void {
    const pauseMs = retryPauseMs(tries);
    if (pauseMs === undefined || signal.aborted || retry !== undefined) return;
    const over = new AbortController();
    const done = rest(pauseMs, AbortSignal.any([signal, over.signal])).then(() => {
      retry = undefined;
      if (!over.signal.aborted) ask(tries + 1);
    });
    retry = { over, done };
  }

  function begin(pauseMs: number): void {
    if (signal.aborted) return;
    if (underWay !== undefined) {
      leftOut += 1;
      return;
    }
    underWay = round(pauseMs).then(() => {
      underWay = undefined;
      if (askedAfter !== undefined) begin(0);
    });
  }

  function ask(tries: number): void {
    if (signal.aborted) return;
    askedAfter = Math.min(askedAfter ?? tries, tries);
    if (underWay === undefined) begin(0);
    else hurry.abort();
  }

  return {
    begin,
    beginSoon() {
      ask(0);
    },
    leftOut: () => leftOut,
    async idle() {
      while (underWay !== undefined || retry !== undefined) await Promise.all([underWay, retry?.done]);
    },
  };
}
