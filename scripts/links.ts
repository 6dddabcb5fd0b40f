/**
 * Says which accounts belong to which fans, and changes that.
 *
 *   npm run links -- list                         all links with their source, and what is blocked
 *   npm run links -- add FAN ACCOUNT              link a Discord id or a Matrix id to a fan's Fanvue uuid
 *   npm run links -- remove ACCOUNT               end all its links (--fan FAN: this one); what we gave is taken back
 *   npm run links -- import FILE                  add all links of a file in the address books' format, or none
 *   npm run links -- export [FILE]                print the links that hold in that format, or write a new file
 *   npm run links -- reinvite ACCOUNT             let somebody in again who had left, or whom a person took out
 *   npm run links -- transfer ACCOUNT FAN         give an account that another fan has to this fan
 *   npm run links -- block ACCOUNT|FAN            no links for it (--fan FAN: not to this one); what they gave is taken back
 *   npm run links -- unblock ACCOUNT|FAN          lift that again, and what links remove blocked; links nothing
 *   npm run links -- invite --fan FAN|HANDLE      print a personal link that proves the fan's account, once, for --days N (7)
 *   npm run links -- invite --all-subscribers --send    send each subscriber without a link theirs by Fanvue message, at
 *                                                 most 100 an hour, nobody twice; --dry-run: who would get one
 *   npm run links -- history [ACCOUNT|FAN]        what happened to links, newest first
 *
 * Exit: 0 in order, 2 bad words, options or files, 4 a message was not sent, 5 Fanvue not reached, 75 the database is busy.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { command, type Context, type OptionTable } from "../lib/cli.ts";
import { type Database, openDatabase } from "../lib/db.ts";
import { exitCodes } from "../lib/errors.ts";
import { administer } from "../lib/link-admin/administer.ts";
import type { Campaign } from "../lib/link-admin/invite-all.ts";
import { campaignExitCode, campaignJson, campaignText } from "../lib/link-admin/invite-report.ts";
import { inviteUsages, parseInvite } from "../lib/link-admin/invite-request.ts";
import { inviteOne } from "../lib/link-admin/invite.ts";
import { parseRequest, usages } from "../lib/link-admin/request.ts";

await command({
  name: "links",
  summary: "Says which Discord and Matrix accounts belong to which fans, and changes that.",
  words: [...usages, ...inviteUsages],
  options: {
    fan: {
      type: "string",
      value: "FAN",
      description: "with remove, block, unblock: the link to this fan only; with invite: for whom",
    },
    "all-subscribers": { type: "boolean", description: "with invite: for each subscriber without a link" },
    send: { type: "boolean", description: "with invite: by Fanvue message" },
    days: { type: "string", value: "N", description: "with invite: for how long it is good (default 7)" },
    "dry-run": { type: "boolean", description: "with invite: show who would get one, send nothing" },
  },
  async run(context) {
    const { positionals, options, config, dataDir, log, print } = context;
    const database = openDatabase(dataDir);
    const office = { database, configPath: config.path, nowMs: Date.now(), json: options.json };
    const invitation = parseInvite(positionals, options);
    if (invitation?.to === "all subscribers") {
      // Nothing else here asks Fanvue, and what that takes is a good part of what there is to load.
      const { inviteAll } = await import("../lib/link-admin/invite-all.ts");
      const report = await inviteAll(invitation, campaignOf(context, database));
      print(options.json ? campaignJson(report) : campaignText(report, Date.now()));
      if (report.trouble !== undefined) log.error(`${report.trouble.message} ${report.trouble.remedy}`);
      return campaignExitCode(report);
    }
    const { text, warnings } =
      invitation === undefined
        ? await administer(parseRequest(positionals, options.fan), office)
        : await inviteOne(invitation, config, office);
    for (const warning of warnings) log.warn(warning);
    print(text);
    return exitCodes.inOrder;
  },
});

function campaignOf(context: Context<OptionTable>, database: Database): Campaign {
  // What is under way when the run is stopped is finished: an answer that is not awaited leaves open whether it was sent.
  const unbroken = { ...context, signal: new AbortController().signal };
  return {
    ...context,
    database,
    async openFanvue() {
      const { openSource } = await import("../lib/open-source.ts");
      return openSource(unbroken, database, { remember: true });
    },
    now: Date.now,
    rest: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
  };
}
