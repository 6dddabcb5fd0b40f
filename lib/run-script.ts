/** Running a script of this project in a process of its own, and ending it without leaving anything behind. */
import { spawn } from "node:child_process";
import { once } from "node:events";
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
  /** Gets what the script prints and logs, line by line. */
  readonly log: Log;
  /** When aborted, the script is asked to end, and made to where it does not. */
  readonly signal: AbortSignal;
  /** How long it has for that. Default 30 s. */
  readonly graceMs?: number;
  /** The text of the config that it is to work by; default: what stands in the file. */
  readonly configText?: string;
  /** Gets what the script tells its parent. */
  readonly onMessage?: (message: unknown) => void;
}

const defaultGraceMs = 30_000;

/** Node reads TypeScript by itself, in a third less time than with tsx to help it. What is new in Node is no trouble of ours. */
export const nodeOptions = ["--disable-warning=ExperimentalWarning"] as const;

/** Runs a script to its end. It does not outlive this process. Throws only where the signal was aborted before. */
export async function runScript(
  path: string,
  args: readonly string[],
  { log, signal, graceMs = defaultGraceMs, configText, onMessage }: RunOptions,
): Promise<ScriptEnd> {
  signal.throwIfAborted();
  // Ctrl-C goes to a whole group of processes; the script has its own, so that it hears of the end once and not twice.
  const child = spawn(process.execPath, [...nodeOptions, path, ...args], {
    stdio: [configText === undefined ? "ignore" : "pipe", "pipe", "pipe", "ipc"],
    env: { ...process.env, ...parentEnvironment(configText) },
    detached: true,
  });
  if (onMessage !== undefined) child.on("message", onMessage);
  // One that ends before it has read that is told of by its end.
  child.stdin?.on("error", () => undefined).end(configText);
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
  // A server that is ended the hard way takes the script with it; harder where that had its time already.
  const endAtOnce = () => void child.kill(signal.aborted ? "SIGKILL" : "SIGTERM");
  signal.addEventListener("abort", end, { once: true });
  process.once("exit", endAtOnce);
  try {
    await once(child, "close");
    const { exitCode, signalCode } = child;
    return signalCode === null ? { code: exitCode ?? exitCodes.bug } : { signal: signalCode };
  } catch (error) {
    return { trouble: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(graceTimer);
    signal.removeEventListener("abort", end);
    process.off("exit", endAtOnce);
  }
}

function forwardLines(stream: Readable | null, take: (line: string) => void): void {
  // Node's types do not say that what was asked to be a pipe is one.
  if (stream === null) return;
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
