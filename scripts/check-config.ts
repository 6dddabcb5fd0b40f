/**
 * Reads config.yaml and the address books, and says in plain words what was understood. Writes nothing anywhere.
 *
 *   npx tsx scripts/check-config.ts                        check config.yaml, and print the address to invite the Discord
 *                                                          bot with and the redirect addresses to register; talks
 *                                                          to nobody
 *   npx tsx scripts/check-config.ts --online               ask Discord and the homeserver, too: which roles and rooms the
 *                                                          bots can manage, and which doors stand open
 *   npx tsx scripts/check-config.ts --config other.yaml    check another file
 *   npx tsx scripts/check-config.ts --json                 the same as a document, for programs
 *
 * Secrets are never shown. Exit: 0 in order, 2 something in config or books cannot be used, 4 a role or a room cannot be
 * managed.
 */
import { checkOnline, checksJson, describeChecks, isManageable } from "../lib/check-online.ts";
import { command } from "../lib/cli.ts";
import { loadAddressBooks } from "../lib/config/address-book.ts";
import { callbacksOf, describeCallbacks } from "../lib/config/callbacks.ts";
import { describeConfig, describeConfigJson } from "../lib/describe-config.ts";
import { exitCodes } from "../lib/errors.ts";

await command({
  name: "check-config",
  summary: "Says in plain words what config.yaml and the address books mean.",
  options: {
    online: { type: "boolean", description: "ask Discord and the homeserver about the roles and rooms, too" },
  },
  async run({ options, config, print, log, signal }) {
    const books = loadAddressBooks(config.path);
    const checks = options.online ? await checkOnline(config, { log, signal }) : [];
    if (options.json) {
      const online = options.online ? { online: checksJson(checks) } : {};
      const callbacks = callbacksOf(config);
      print(JSON.stringify({ ...describeConfigJson(config, books), callbacks, ...online }, undefined, 2));
    } else {
      const online = options.online ? [describeChecks(checks)] : [];
      print([describeConfig(config, books), describeCallbacks(config), ...online].join("\n\n"));
    }
    return isManageable(checks) ? exitCodes.inOrder : exitCodes.stepFailed;
  },
});
