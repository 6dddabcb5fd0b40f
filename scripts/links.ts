/**
 * Says which accounts belong to which fans, and changes that.
 *
 *   npm run links -- list                         all links with their source, and what is blocked
 *   npm run links -- add FAN ACCOUNT              link a Discord id or a Matrix id to a fan's Fanvue uuid
 *   npm run links -- remove ACCOUNT               end all links of an account; what we gave it is taken back
 *   npm run links -- remove ACCOUNT --fan FAN     end its link to this fan only
 *   npm run links -- import FILE                  add all links of a file in the address books' format, or none
 *   npm run links -- export [FILE]                print the links that hold in that format, or write a new file
 *   npm run links -- reinvite ACCOUNT             invite somebody again who had left
 *
 * Exit: 0 in order, 2 bad words, options or files, 75 the database is busy.
 */
import { command } from "../lib/cli.ts";
import { openDatabase } from "../lib/db.ts";
import { exitCodes } from "../lib/errors.ts";
import { administer } from "../lib/link-admin/administer.ts";
import { parseRequest, usages } from "../lib/link-admin/request.ts";

await command({
  name: "links",
  summary: "Says which Discord and Matrix accounts belong to which fans, and changes that.",
  words: usages,
  options: { fan: { type: "string", value: "FAN", description: "with remove: the link to this fan only" } },
  async run({ positionals, options, config, dataDir, log, print }) {
    const request = parseRequest(positionals, options.fan);
    const { text, warnings } = await administer(request, {
      database: openDatabase(dataDir),
      configPath: config.path,
      nowMs: Date.now(),
      json: options.json,
    });
    for (const warning of warnings) log.warn(warning);
    print(text);
    return exitCodes.inOrder;
  },
});
