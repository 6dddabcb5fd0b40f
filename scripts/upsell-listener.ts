/**
 * Sends your offer by direct message to members who begin to boost your Discord server or buy one of your SKUs, and
 * answers the slash commands /membership and /link. Runs until you stop it with Ctrl+C.
 *
 *   npm run upsell-listener                  listen, and send what is due
 *   npm run upsell-listener -- --dry-run     say who would get an offer now; send and write nothing
 *   npm run upsell-listener -- --json        print the counts, or the dry run, as one JSON document
 *
 * Everybody gets one offer for each occasion, for ever. Those who boosted or had bought before the first start get none.
 * Without an upsell section in the config only the slash commands are served.
 *
 * Exit: 0 in order, 2 bad options or config, 4 Discord refuses the bot or could not be read, 75 another listener is
 * running with the same data folder; 130 or 143 when it was stopped by a signal.
 */
import { command, type Context } from "../lib/cli.ts";
import type { DiscordConfig } from "../lib/config/shape.ts";
import { openDatabase } from "../lib/db.ts";
import { type ExitCode, exitCodes } from "../lib/errors.ts";
import { countOffers } from "../lib/store/offers.ts";
import { listen } from "../lib/upsell/listen.ts";
import { fetchPreview, previewText } from "../lib/upsell/preview.ts";

const options = {
  "dry-run": { type: "boolean", description: "say who would get an offer now; send and write nothing" },
} as const;
type Run = Context<typeof options>;

const noServer = "The config has no discord section: there is nothing to do.";
const noOffers = "The config has no upsell section: there are no offers to send.";

await command({
  name: "upsell-listener",
  summary:
    "Sends your offer to members who boost your Discord server or buy your SKUs, and answers slash commands.",
  options,
  async run(context) {
    const { config, log, print } = context;
    const { discord } = config;
    for (const warning of config.warnings) log.warn(warning);
    if (discord === undefined) {
      print(context.options.json ? "{}" : noServer);
      return exitCodes.inOrder;
    }
    return context.options["dry-run"] ? preview(context, discord) : listenAndCount(context, discord);
  },
});

async function preview(context: Run, discord: DiscordConfig): Promise<ExitCode> {
  const { config, dataDir, log, signal, print } = context;
  const { upsell } = config;
  if (upsell === undefined) {
    print(context.options.json ? JSON.stringify({ dryRun: true, offers: [], unread: [] }) : noOffers);
    return exitCodes.inOrder;
  }
  const database = openDatabase(dataDir);
  const found = await fetchPreview({ config, discord, upsell, database, log, signal, now: Date.now });
  print(context.options.json ? JSON.stringify(found, undefined, 2) : previewText(found));
  return found.unread.length > 0 ? exitCodes.stepFailed : exitCodes.inOrder;
}

async function listenAndCount(context: Run, discord: DiscordConfig): Promise<ExitCode> {
  const { config, dataDir, log, signal, print } = context;
  const database = openDatabase(dataDir);
  try {
    await listen({ config, discord, dataDir, database, log, signal, now: Date.now });
    const { sent, waiting, refused } = await database.read(countOffers);
    if (context.options.json) print(JSON.stringify({ sent, waiting, refused }, undefined, 2));
    else print(`Offers so far: ${sent} sent, ${waiting} waiting, ${refused} not taken.`);
    return exitCodes.inOrder;
  } finally {
    endInTime();
  }
}

/** The library may be about to connect again, which nothing stops; it has nothing to lose. */
function endInTime(): void {
  setTimeout(() => process.exit(), 500).unref();
}
