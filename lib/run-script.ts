/** Running a script of this project in a process of its own, and ending it without leaving anything behind. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { z } from "zod";
import type { Log } from "./log.ts";

export interface RunOptions {
  /** Gets what the script prints and logs, line by line. */
  readonly log: Log;
  /** When aborted, the script is asked to end, and made to where it does not. */
  readonly signal: AbortSignal;
  /** How long it has for that. Default 30 s. */
  readonly graceMs?: number;
}

const defaultGraceMs = 30_000;

/** Runs a script to its end; gives its exit code, or undefined where a signal ended it. Throws where it cannot be started. */
export async function runScript(
  path: string,
  args: readonly string[],
  { log, signal, graceMs = defaultGraceMs }: RunOptions,
): Promise<number | undefined> {
  signal.throwIfAborted();
  // The same way in which npm starts scripts. Ctrl-C goes to a whole group of processes; the script has its own, so that
  // it hears of the end once and not twice.
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), path, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  forwardLines(child.stdout, (line) => {
    log.info(line);
  });
  forwardLines(child.stderr, (line) => {
    repeatLogLine(line, { log, isEnding: signal.aborted });
  });
  let graceTimer: NodeJS.Timeout | undefined;
  const end = () => {
    child.kill("SIGTERM");
    graceTimer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  };
  // A server that is ended the hard way takes the script with it.
  const endAtOnce = () => void child.kill("SIGTERM");
  signal.addEventListener("abort", end, { once: true });
  process.once("exit", endAtOnce);
  try {
    await once(child, "close");
    return child.exitCode ?? undefined;
  } finally {
    clearTimeout(graceTimer);
    signal.removeEventListener("abort", end);
    process.off("exit", endAtOnce);
  }
}

function forwardLines(stream: Readable, take: (line: string) => void): void {
  createInterface({ input: stream }).on("line", (line) => {
    if (line !== "") take(line);
  });
}

/** https://getpino.io/#/docs/api?id=loggerlevels-object */
const logLine = z.object({ level: z.int(), msg: z.string() });
const [infoLevel, warnLevel, errorLevel] = [30, 40, 50];

/**
 * What the script logged keeps its level; whatever else is on its standard error is a sentence on what went wrong. Once
 * it was asked to end, it says that it was stopped, which is no trouble.
 */
function repeatLogLine(line: string, { log, isEnding }: { log: Log; isEnding: boolean }): void {
  const sentence = { level: isEnding ? infoLevel : warnLevel, msg: line };
  const { level, msg } = logLine.safeParse(jsonIn(line)).data ?? sentence;
  if (level >= errorLevel) log.error(msg);
  else if (level >= warnLevel) log.warn(msg);
  else log.info(msg);
}

function jsonIn(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
