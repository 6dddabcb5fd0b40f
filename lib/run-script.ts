/** Running a script of this project in a process of its own, and ending it without leaving anything behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { z } from "zod";
import { exitCodes } from "./errors.ts";
import type { Log } from "./log.ts";
import { parentEnvironment } from "./parent.ts";

/** How a script ended: by itself, or by a signal; or why it never began. */
export type ScriptEnd =
  { readonly code: number } | { readonly signal: NodeJS.Signals } | { readonly trouble: string };

export interface RunOptions {
  /** Gets what the script logs, line by line. */
  readonly log: Log;
  /** Gets what it prints, line by line. Default: that is logged, too. */
  readonly onLine?: (line: string) => void;
  /** When aborted, the script is asked to end, and made to where it does not. */
  readonly signal: AbortSignal;
  /** How long it has for that. Default 30 s. */
  readonly graceMs?: number;
  /** The text of the config that it is to work by; default: what stands in the file. */
  readonly configText?: string;
}

const defaultGraceMs = 30_000;

/** Node reads TypeScript by itself, in a third less time than with tsx to help it. What is new in Node is no trouble of ours. */
export const nodeOptions = ["--disable-warning=ExperimentalWarning"] as const;

/** The words that run a script: as a service, as a process of the daemon, or to be measured. */
export const scriptCommand = (
  path: string,
  args: readonly string[],
  nodePath: string = process.execPath,
): readonly [string, ...string[]] => [nodePath, ...nodeOptions, path, ...args];

/** Runs a script to its end. It does not outlive this process. Never rejects, whatever refuses to run it. */
export async function runScript(
  path: string,
  args: readonly string[],
  options: RunOptions,
): Promise<ScriptEnd> {
  if (options.signal.aborted) return { trouble: "it was to end before it began" };
  try {
    return await endOf(start(scriptCommand(path, args), options), options);
  } catch (error) {
    return { trouble: error instanceof Error ? error.message : String(error) };
  }
}

function start([node, ...words]: readonly [string, ...string[]], { configText }: RunOptions): ChildProcess {
  // Ctrl-C goes to a whole group of processes; the script has its own, so that it hears of the end once and not twice.
  return spawn(node, words, {
    stdio: [configText === undefined ? "ignore" : "pipe", "pipe", "pipe", "ipc"],
    env: { ...process.env, ...parentEnvironment(configText) },
    detached: true,
  });
}

async function endOf(child: ChildProcess, options: RunOptions): Promise<ScriptEnd> {
  const { log, signal, graceMs = defaultGraceMs, configText } = options;
  const onLine =
    options.onLine ??
    ((line: string) => {
      log.info(line);
    });
  const { promise: ended, resolve } = Promise.withResolvers<ScriptEnd>();
  // Before all else, and for good: an error that nobody listens to ends this process. Where files or processes have run
  // out there is neither a process nor a pipe, and this event is all that tells of it.
  child.on("error", (error) => {
    if (child.pid === undefined) resolve({ trouble: error.message });
  });
  child.once("close", (code: number | null, killedBy: NodeJS.Signals | null) => {
    resolve(killedBy === null ? { code: code ?? exitCodes.bug } : { signal: killedBy });
  });
  // One that ends before it has read that is told of by its end.
  child.stdin?.on("error", () => undefined).end(configText);
  forwardLines(child.stdout, onLine);
  forwardLines(child.stderr, (line) => {
    repeatLogLine(line, { log, isEnding: signal.aborted });
  });
  let graceTimer: NodeJS.Timeout | undefined;
  const end = () => {
    child.kill("SIGTERM");
    graceTimer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  };
  // A server that is ended the hard way takes the script with it; harder where that had its time already.
  const endAtOnce = () => void child.kill(signal.aborted ? "SIGKILL" : "SIGTERM");
  signal.addEventListener("abort", end, { once: true });
  process.once("exit", endAtOnce);
  try {
    return await ended;
  } finally {
    clearTimeout(graceTimer);
    signal.removeEventListener("abort", end);
    process.off("exit", endAtOnce);
  }
}

/** Node's types do not say that there is no stream where a process could not be started. */
function forwardLines(stream: Readable | null | undefined, take: (line: string) => void): void {
  if (stream == null) return;
  // What cannot be read is lost; the end of the script is what counts.
  stream.on("error", () => undefined);
  createInterface({ input: stream }).on("line", (line) => {
    if (line !== "") take(line);
  });
}

/** https://getpino.io/#/docs/api?id=loggerlevels-object. Our own log says when, and who. */
const logLine = z.looseObject({ level: z.int(), msg: z.string() }).transform(({ level, msg, ...more }) => ({
  level,
  msg,
  fields: Object.fromEntries(Object.entries(more).filter(([key]) => key !== "time" && key !== "name")),
}));
const [infoLevel, warnLevel, errorLevel] = [30, 40, 50];

/**
 * What the script logged keeps its level; whatever else is on its standard error is a sentence on what went wrong. Once
 * it was asked to end, it says that it was stopped, which is no trouble.
 */
function repeatLogLine(line: string, { log, isEnding }: { log: Log; isEnding: boolean }): void {
  const sentence = { level: isEnding ? infoLevel : warnLevel, msg: line, fields: {} };
  const { level, msg, fields } = logLine.safeParse(jsonIn(line)).data ?? sentence;
  if (level >= errorLevel) log.error(fields, msg);
  else if (level >= warnLevel) log.warn(fields, msg);
  else if (level >= infoLevel) log.info(fields, msg);
  else log.debug(fields, msg);
}

function jsonIn(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
