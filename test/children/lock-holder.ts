/**
 * A process that takes a lock and keeps it until its standard input ends or it is killed.
 *   node test/children/lock-holder.ts LOCK_FILE WAIT_MS
 * Says "held" or "busy" on a line, or else the exit code of what went wrong, and what that was.
 */
import { once } from "node:events";
import { BusyError, OperatorError } from "../../lib/errors.ts";
import { withLock } from "../../lib/lock.ts";

const [path = "", waitMs = "0"] = process.argv.slice(2);
const busy = () => new BusyError("busy", "wait");

try {
  await withLock(path, { waitMs: Number(waitMs), busy }, async () => {
    process.stdout.write("held\n");
    await once(process.stdin.resume(), "end");
  });
} catch (error) {
  if (!(error instanceof OperatorError)) throw error;
  const said = error instanceof BusyError ? "busy" : `${error.exitCode} ${error.message}`;
  process.stdout.write(`${said}\n`);
}
