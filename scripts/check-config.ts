/**
 * Reads config.yaml and the address books, and says in plain words what was understood. Talks to nobody, writes nothing.
 *
 *   npx tsx scripts/check-config.ts                        check config.yaml
 *   npx tsx scripts/check-config.ts --config other.yaml    check another file
 *   npx tsx scripts/check-config.ts --json                 the same as a document, for programs
 *
 * Secrets are never shown. Exit: 0 in order, 2 something in config or books cannot be used.
 */
import { command } from "../lib/cli.ts";
import { loadAddressBooks } from "../lib/config/address-book.ts";
import { describeConfig, describeConfigJson } from "../lib/describe-config.ts";
import { exitCodes } from "../lib/errors.ts";

await command({
  name: "check-config",
  summary: "Says in plain words what config.yaml and the address books mean.",
  options: {},
  run({ options, config, print }) {
    const books = loadAddressBooks(config.path);
    print(
      options.json
        ? JSON.stringify(describeConfigJson(config, books), undefined, 2)
        : describeConfig(config, books),
    );
    return Promise.resolve(exitCodes.inOrder);
  },
});
