/** The signal that only the daemon hears. */
import { closeSync, openSync } from "node:fs";

/**
 * SIGHUP asks to read the config again, unless it says that the terminal in which the daemon runs was closed. Before it
 * means anything, at the start, there is nothing to read again.
 */
export function onHangUp(): { means(reload: () => Promise<void>): void } {
  let react: (() => Promise<void>) | undefined;
  process.on("SIGHUP", () => {
    if (process.stderr.isTTY && isTerminalGone()) endUnseen();
    else void react?.();
  });
  return {
    means(reload) {
      react = reload;
    },
  };
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
