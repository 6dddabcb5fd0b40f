/**
 * A process that takes a lock and keeps it until its standard input ends or it is killed.
 *   node test/children/lock-holder.ts LOCK_FILE WAIT_MS
 * Says "held" or "busy" on a line.
 */
import { once } from "node:events";
import { BusyError } from "../../lib/errors.ts";
import { withLock } from "../../lib/lock.ts";

const [path = "", waitMs = "0"] = process.argv.slice(2);
const busy = () => new BusyError("busy", "wait");

try {
  await withLock(path, { waitMs: Number(waitMs), busy }, async () => {
    process.stdout.write("held\n");
    await once(process.stdin.resume(), "end");
  });
} catch (error) {
  if (!(error instanceof BusyError)) throw error;
  process.stdout.write("busy\n");
}
