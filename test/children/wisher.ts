/**
 * A process that asks its parent for a sync as the link server does, says whether it has one, and ends with it.
 *   node test/children/wisher.ts FAN
 */
import { createDaemonSyncs } from "../../lib/daemon/wishes.ts";
import { parseFanId } from "../../lib/ids.ts";
import { findParent } from "../../lib/parent.ts";

const parent = findParent();
const fan = parseFanId(process.argv[2] ?? "");
process.stdout.write(parent === undefined ? "no parent\n" : "a parent\n");
if (parent !== undefined && fan !== undefined) createDaemonSyncs(parent).ask(fan, "matrix");
