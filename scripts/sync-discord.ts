/**
 * Gives entitled fans the Discord roles of config.yaml and takes them back when the entitlement has ended.
 *
 *   npx tsx scripts/sync-discord.ts --dry-run                 show the plan, write nothing
 *   npx tsx scripts/sync-discord.ts                           carry it out
 *   npx tsx scripts/sync-discord.ts --only 987654321098765432  this role only (may be repeated)
 *   npx tsx scripts/sync-discord.ts --fan UUID                this fan only; gives what is due, takes nothing away
 *   npx tsx scripts/sync-discord.ts --approve HASH            release the held changes that were shown under this hash
 *   npx tsx scripts/sync-discord.ts --take-back ROLE_ID       take back a role that the config no longer names
 *   npx tsx scripts/sync-discord.ts --json                    the plan and its outcomes, for programs
 *
 * Exit: 0 in order, 2 bad options or config, 3 removals newly held, 4 a step failed or a role was unreadable,
 * 5 Fanvue could not be read, 75 another run is busy.
 */
import { command } from "../lib/cli.ts";
import { openDatabase } from "../lib/db.ts";
import { discordPart } from "../lib/sync-parts/discord.ts";
import { sync } from "../lib/sync.ts";
import { syncOptions } from "../lib/sync-options.ts";

await command({
  name: "sync-discord",
  summary:
    "Gives entitled fans the Discord roles of the config and takes them back when the entitlement has ended.",
  options: syncOptions,
  async run(context) {
    const { dataDir, log, signal } = context;
    const database = openDatabase(dataDir);
    return sync(context, {
      script: "sync-discord",
      target: "discord",
      database,
      parts: [discordPart({ database, log, signal })],
    });
  },
});
