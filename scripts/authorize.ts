/**
 * Connects the creator's Fanvue account, once; run it again when Fanvue no longer accepts the authorization or when
 * the config needs more of Fanvue than before.
 *
 *   npx tsx scripts/authorize.ts
 *
 * It shows an address to open in a browser. After you have agreed there, the browser comes back to fanvue.redirect_uri:
 * if that is on this machine, the script receives it, else paste the address that the browser shows.
 * The tokens are kept in data/fanvue-token.json, readable by you only.
 *
 * Exit: 0 connected, 2 bad options or config or the wrong account, 5 refused by you or by Fanvue.
 */
import { command } from "../lib/cli.ts";
import { openDatabase } from "../lib/db.ts";
import { exitCodes } from "../lib/errors.ts";
import { scopesFor } from "../lib/fanvue/scopes.ts";
import { connectAccount } from "../lib/open-source.ts";

await command({
  name: "authorize",
  summary: "Connects the creator's Fanvue account.",
  options: {},
  async run(context) {
    const { dataDir, config, options, print } = context;
    const me = await connectAccount(context, openDatabase(dataDir), { remember: true });
    const { handle, displayName, uuid } = me;
    if (options.json)
      print(JSON.stringify({ handle, displayName, uuid, scopes: scopesFor(config) }, undefined, 2));
    else print(`Fanvue is connected as @${handle} (${displayName}).`);
    return exitCodes.inOrder;
  },
});
