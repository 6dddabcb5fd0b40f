/** What tests of whole scripts share: a temporary installation and a way to run scripts in it, as a person would. */
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const projectDir = dirname(dirname(fileURLToPath(import.meta.url)));

/** Halves the time that a script takes to start: tests start hundreds of them. `npm test` uses it for the tests, too. */
export const compileCache = join(projectDir, "node_modules", ".cache", "node");

/**
 * Has Node compile the WebAssembly of SQLite once and in a hurry. To do it again and well, as it otherwise does beside the
 * script, pays for hours of work: a script that ends after a second uses a third less of the processor without.
 */
export const forShortRuns = ["--liftoff-only"];

export interface ScriptResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningScript {
  readonly process: ChildProcess;
  readonly result: Promise<ScriptResult>;
}

export interface ScriptOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: what makes short runs cheap. */
  readonly nodeOptions?: readonly string[];
}

/** Starts `scripts/NAME.ts` in a folder, with nothing on its standard input. */
export function startScript(
  name: string,
  args: readonly string[],
  { cwd, env, nodeOptions = forShortRuns }: ScriptOptions,
): RunningScript {
  const script = join(projectDir, "scripts", `${name}.ts`);
  const child = spawn(process.execPath, [...nodeOptions, script, ...args], {
    cwd,
    env: { ...process.env, NODE_NO_WARNINGS: "1", NODE_COMPILE_CACHE: compileCache, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text.stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text.stderr += chunk));
  const result = new Promise<ScriptResult>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      resolve({ code, signal, ...text });
    });
  });
  return { process: child, result };
}

/** Runs `scripts/NAME.ts` to its end. */
export function runScript(
  name: string,
  args: readonly string[],
  options: ScriptOptions,
): Promise<ScriptResult> {
  return startScript(name, args, options).result;
}

/** Linux's folder in memory, and how much room it must have to be used. */
const memoryFolder = "/dev/shm";
const neededBytes = 1024 ** 3;

function hasRoom(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= neededBytes;
  } catch {
    return false;
  }
}

/**
 * A new folder for what a test writes: in memory, where that can be and nobody has named another place. All that is kept
 * is written durably, so that most tests would wait for the disk, and for each other at the disk, to survive a power cut.
 */
export function makeTemporaryFolder(prefix = "fanvue-sync-"): string {
  const isFree = process.env["TMPDIR"] === undefined && hasRoom(memoryFolder);
  return mkdtempSync(join(isFree ? memoryFolder : tmpdir(), prefix));
}

/** A folder that is gone after the test. */
export function temporaryFolder(test: { after(fn: () => void): void }): string {
  const folder = makeTemporaryFolder();
  test.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}
