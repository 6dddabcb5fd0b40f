/**
 * SIGHUP, which ends a process that does not listen to it. Importing this file is listening: it comes before all else, and
 * imports next to nothing.
 */
import { closeSync, openSync } from "node:fs";
import { isatty } from "node:tty";

let react: (() => void) | undefined;
let cameEarly = false;

/** Somebody sits there, who may close it. With nohup, say, nothing of this process belongs to a terminal. */
const isOnTerminal = [0, 1, 2].some((file) => isatty(file));

process.on("SIGHUP", () => {
  if (isOnTerminal && isTerminalGone()) endUnseen();
  else if (react === undefined) cameEarly = true;
  else react();
});

/** Calls back whenever the signal comes, unless it says that the terminal in which this runs was closed, and if it came before. */
export function onHangUp(fn: () => void): void {
  react = fn;
  if (cameEarly) fn();
}

function endUnseen(): void {
  // What can no longer be shown must not get in the way of an end in order.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  process.kill(process.pid, "SIGTERM");
}

/** https://man7.org/linux/man-pages/man4/tty.4.html: a process without a controlling terminal cannot open this. */
function isTerminalGone(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return false;
  } catch {
    return true;
  }
}
