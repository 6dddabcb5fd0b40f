/**
 * Lets entitled fans into the Matrix rooms of config.yaml and takes those out whose entitlement has ended.
 *
 *   npx tsx scripts/sync-matrix.ts --dry-run                 show the plan, write nothing
 *   npx tsx scripts/sync-matrix.ts                           carry it out
 *   npx tsx scripts/sync-matrix.ts --only '#vip:hs.org'      this room only (may be repeated)
 *   npx tsx scripts/sync-matrix.ts --fan UUID                this fan only; gives what is due, takes nothing away
 *   npx tsx scripts/sync-matrix.ts --approve HASH            release the held changes that were shown under this hash
 *   npx tsx scripts/sync-matrix.ts --take-back ROOM_ID       take those out of a room that the config no longer names whom it let in
 *   npx tsx scripts/sync-matrix.ts --json                    the plan and its outcomes, for programs
 *
 * Exit: 0 in order, 2 bad options or config, 3 removals newly held, 4 a step failed or a room was unreadable,
 * 5 Fanvue could not be read, 75 another run is busy.
 */
import { command } from "../lib/cli.ts";
import { openDatabase } from "../lib/db.ts";
import { matrixPart } from "../lib/sync-parts/matrix.ts";
import { sync } from "../lib/sync.ts";
import { syncOptions } from "../lib/sync-options.ts";

await command({
  name: "sync-matrix",
  summary:
    "Lets entitled fans into the Matrix rooms of the config and takes those out whose entitlement has ended.",
  options: syncOptions,
  async run(context) {
    return sync(context, {
      script: "sync-matrix",
      target: "matrix",
      database: openDatabase(context.dataDir),
      parts: [matrixPart(context)],
    });
  },
});
