/**
 * Keeps Fanvue lists equal to Discord roles and Matrix rooms, as list_sync of config.yaml says: with primary: fanvue the
 * members of a list get the role or into the room, with primary: discord the holders of a role get onto the list.
 *
 *   npx tsx scripts/sync-lists.ts --dry-run          show the plan, write nothing
 *   npx tsx scripts/sync-lists.ts                    carry it out
 *   npx tsx scripts/sync-lists.ts --only vips        this entry only (may be repeated)
 *   npx tsx scripts/sync-lists.ts --fan UUID         this fan only; gives what is due, takes nothing away
 *   npx tsx scripts/sync-lists.ts --approve HASH     release the held changes that were shown under this hash
 *   npx tsx scripts/sync-lists.ts --take-back UUID       take everybody whom it put there off a list that the config no longer names
 *   npx tsx scripts/sync-lists.ts --json             the plan and its outcomes, for programs
 *
 * Roles and rooms on which a list decides are looked after by sync-discord and sync-matrix as well, like any other.
 *
 * Exit: 0 in order, 2 bad options or config, 3 removals newly held, 4 a step failed or an entry was unreadable,
 * 5 Fanvue could not be read, 75 another run is busy.
 */
import { command } from "../lib/cli.ts";
import { openDatabase } from "../lib/db.ts";
import { discordPart } from "../lib/sync-parts/discord.ts";
import { listsPart } from "../lib/sync-parts/lists.ts";
import { matrixPart } from "../lib/sync-parts/matrix.ts";
import { sync } from "../lib/sync.ts";
import { syncOptions } from "../lib/sync-options.ts";

await command({
  name: "sync-lists",
  summary: "Keeps Fanvue lists equal to Discord roles and Matrix rooms, in both directions.",
  options: syncOptions,
  async run(context) {
    const { dataDir, log, signal } = context;
    const database = openDatabase(dataDir);
    const deps = { database, log, signal };
    return sync(context, {
      script: "sync-lists",
      target: "fanvue-lists",
      database,
      parts: [discordPart(deps), matrixPart(deps), listsPart(deps)],
      looksAfter: ({ entry }) => entry !== undefined,
      makesLists: true,
    });
  },
});
