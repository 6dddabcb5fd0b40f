/** The signals that ask a script to end. */
import { exitCodes, OperatorError } from "./errors.ts";
import { createLog } from "./log.ts";
import { findParent } from "./parent.ts";

const signalNumbers = { SIGINT: 2, SIGTERM: 15 } as const;
type EndSignal = keyof typeof signalNumbers;

/**
 * Ctrl-C on a terminal reaches all that runs there, and npm and tsx pass on to the script what they got: it comes twice or
 * more where a person pressed once. https://github.com/npm/run-script/blob/main/lib/signal-manager.js
 *
 * tsx does more: a script that is too busy to answer it within 60 ms is killed. That is why npm's scripts do without it.
 * https://github.com/privatenumber/tsx/blob/master/src/cli.ts
 */
const echoMs = 1000;

/** What a run that nobody waits for any more may take to end in order. */
const orphanGraceMs = 30_000;

export interface EndSignals {
  /** Aborted by the first SIGINT or SIGTERM, or when the process that we hold to is gone. */
  readonly signal: AbortSignal;
  /** Ends the listening. Returns the number of the signal that came, if any. */
  stop(): number | undefined;
}

/** The first signal asks the run to end in order; another one, which is no echo of the first, ends the process at once. */
export function listenForSignals(script: string): EndSignals {
  const controller = new AbortController();
  const parent = findParent();
  let first: { readonly name: EndSignal; readonly atMs: number } | undefined;

  function end(name: EndSignal): void {
    first ??= { name, atMs: performance.now() };
    controller.abort(
      new OperatorError("The run was stopped before its end.", "Run it again.", exitCodes.stepFailed),
    );
  }
  function onSignal(name: EndSignal): void {
    if (first === undefined) {
      if (parent === undefined) sayThatItStops(script);
      end(name);
    } else if (name !== first.name || performance.now() - first.atMs > echoMs) {
      process.exit(128 + signalNumbers[name]);
    }
  }
  function onGone(): void {
    // Nobody reads any more what is said, and the broken pipes must not break off the run.
    for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
    setTimeout(() => process.exit(128 + signalNumbers.SIGTERM), orphanGraceMs).unref();
    end("SIGTERM");
  }

  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const stopWatching = parent?.onGone(onGone);
  return {
    signal: controller.signal,
    stop() {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      stopWatching?.();
      return first && signalNumbers[first.name];
    },
  };
}

function sayThatItStops(script: string): void {
  const sentence = "Stopping after the step under way. Once more ends it at once.";
  if (process.stderr.isTTY) process.stderr.write(`${sentence}\n`);
  else createLog({ name: script, verbose: false }).info(sentence);
}
