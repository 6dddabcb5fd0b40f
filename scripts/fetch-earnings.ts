/**
 * Reads the ledger of earnings from Fanvue: its whole history at first, later what is new. The syncs do the same by
 * themselves; run this before the first dry run, and whenever you want the long first reading out of the way.
 *
 *   npx tsx scripts/fetch-earnings.ts
 *
 * It may be stopped at any time: what was read is kept, and the next run goes on from there.
 *
 * Exit: 0 the ledger is up to date, 2 bad options or config, 5 Fanvue could not be read.
 */
import { command } from "../lib/cli.ts";
import { openDatabase } from "../lib/db.ts";
import { exitCodes, SourceError } from "../lib/errors.ts";
import { tellingOfFanvue } from "../lib/notices/of-fanvue.ts";
import { openSource } from "../lib/open-source.ts";
import { updateLedger } from "../lib/snapshot.ts";

await command({
  name: "fetch-earnings",
  summary: "Reads the ledger of earnings from Fanvue.",
  options: {},
  async run(context) {
    const { dataDir, options, print, progress } = context;
    const database = openDatabase(dataDir);
    const fanvue = await openSource(context, database, { remember: true });
    const read = () => updateLedger({ fanvue, database, now: Date.now, save: true, progress });
    const ledger = await tellingOfFanvue(read, { ...context, fanvue, database, now: Date.now });
    if (!ledger.known) {
      throw new SourceError(
        `The ledger of earnings could not be read to its end: ${ledger.why}.`,
        "Run `npm run fetch-earnings` again: it goes on where it stopped.",
      );
    }
    const added = ledger.value.added.length;
    const rows = ledger.value.rows.length;
    const requests = fanvue.requests();
    if (options.json) print(JSON.stringify({ added, rows, requests: { fanvue: requests } }, undefined, 2));
    else print(`The ledger of earnings has ${rows} rows, ${added} of them new (${requests} requests).`);
    return exitCodes.inOrder;
  },
});
