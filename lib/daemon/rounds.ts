/** Rounds: the scripts of the chain, one after the other. One round at a time; what comes meanwhile is not queued. */
import type { Log } from "../log.ts";
import type { SyncScript } from "./duties.ts";
import { endsRound } from "./ends.ts";
import type { ScriptEnd } from "../run-script.ts";
import { rest } from "./pauses.ts";

export interface RoundsOptions {
  /** The scripts, asked for when a round begins. */
  readonly scripts: () => readonly SyncScript[];
  /** Runs one of them to its end. Never rejects. */
  readonly run: (script: SyncScript) => Promise<ScriptEnd>;
  readonly log: Log;
  /** When aborted, no other script begins. */
  readonly signal: AbortSignal;
}

export interface Rounds {
  /** Begins a round after a pause; one that is under way goes on instead, and this one is left out. */
  begin(pauseMs: number): void;
  /** Begins a round at once, or right after the one under way. */
  beginSoon(): void;
  /** How many were left out so far. */
  leftOut(): number;
  /** Resolves once no round is under way. */
  idle(): Promise<void>;
}

export function createRounds({ scripts, run, log, signal }: RoundsOptions): Rounds {
  let underWay: Promise<void> | undefined;
  let isAnotherWanted = false;
  let leftOut = 0;

  async function runAll(): Promise<void> {
    for (const script of scripts()) {
      if (signal.aborted) return;
      if (!endsRound(await run(script))) continue;
      log.error(
        `${script} could not use the config, an address book or the database, which all scripts need: this round ends here.`,
      );
      return;
    }
  }

  async function round(pauseMs: number): Promise<void> {
    const leftOutBefore = leftOut;
    if (pauseMs > 0) await rest(pauseMs, signal);
    await runAll();
    const missed = leftOut - leftOutBefore;
    if (missed > 0)
      log.info({ leftOut: missed }, "The round took so long that its next times were left out.");
  }

  function begin(pauseMs: number): void {
    if (signal.aborted) return;
    if (underWay !== undefined) {
      leftOut += 1;
      return;
    }
    underWay = round(pauseMs).then(() => {
      underWay = undefined;
      if (!isAnotherWanted) return;
      isAnotherWanted = false;
      begin(0);
    });
  }

  return {
    begin,
    beginSoon() {
      if (underWay === undefined) begin(0);
      else isAnotherWanted = true;
    },
    leftOut: () => leftOut,
    async idle() {
      while (underWay !== undefined) await underWay;
    },
  };
}
