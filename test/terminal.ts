/** A terminal as far as our scripts use one: one that is lent to them, and what stands on it in the end. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";

/** The `script` of util-linux lends a terminal to a command; that of macOS has other options. */
const canLend = spawnSync("script", ["-qec", "true", "/dev/null"], { stdio: "ignore" }).status === 0;
/** For a test's options: why there is no terminal, if there is none. */
export const skipWithoutTerminal = canLend
  ? false
  : "there is no `script` of util-linux to fake a terminal with";

export interface Terminal {
  /** Its end closes the terminal. */
  readonly process: ChildProcess;
  /** All that was written so far. */
  written(): string;
  type(text: string): void;
  /** All that was written until the command had ended, and its exit code. */
  readonly ended: Promise<{ readonly written: string; readonly code: number | null }>;
}

/** Runs a command of the shell on a terminal of its own. */
export function startOnTerminal(
  command: string,
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Terminal {
  const child = spawn("script", ["-qec", `stty cols 110 rows 50; ${command}`, "/dev/null"], {
    cwd: options.cwd,
    env: { ...process.env, NODE_NO_WARNINGS: "1", TERM: "xterm", ...options.env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let written = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (written += chunk));
  return {
    process: child,
    written: () => written,
    type: (text) => void child.stdin.write(text),
    ended: new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        resolve({ written, code });
      });
    }),
  };
}

// ---- What stands on it ------------------------------------------------------------------------------------------

// eslint-disable-next-line no-control-regex -- control characters are what a terminal is told by
const control = /\u001b(?:\[([?\d;]*)([A-Za-z])|([78]))|[\r\n\b]|[^\u001b\r\n\b]+/gu;

interface Cursor {
  readonly row: number;
  readonly column: number;
}

/** The lines that are left after all that was written, without blanks at their ends. Lines never scroll away. */
export function screenAfter(written: string): readonly string[] {
  const lines: string[] = [];
  let at: Cursor = { row: 0, column: 0 };
  let saved = at;
  const put = (text: string) => {
    const line = (lines[at.row] ?? "").padEnd(at.column);
    lines[at.row] = line.slice(0, at.column) + text + line.slice(at.column + text.length);
    at = { ...at, column: at.column + text.length };
  };
  for (const [text, parameter = "", letter, saving] of written.matchAll(control)) {
    const count = Math.max(1, Number.parseInt(parameter, 10) || 1);
    if (text === "\r") at = { ...at, column: 0 };
    else if (text === "\n") at = { ...at, row: at.row + 1 };
    else if (text === "\b") at = { ...at, column: Math.max(0, at.column - 1) };
    else if (saving === "7") saved = at;
    else if (saving === "8") at = saved;
    else if (letter === undefined) put(text);
    else if (letter === "A") at = { ...at, row: Math.max(0, at.row - count) };
    else if (letter === "B") at = { ...at, row: at.row + count };
    else if (letter === "G") at = { ...at, column: count - 1 };
    else if (letter === "J") lines.splice(at.row);
    else if (letter === "K")
      lines[at.row] = parameter === "2" ? "" : (lines[at.row] ?? "").slice(0, at.column);
  }
  return Array.from(lines, (line: string | undefined) => (line ?? "").trimEnd());
}
