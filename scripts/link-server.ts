/**
 * Serves the web pages on which fans connect their Fanvue account with Discord or Matrix, each with proof of both.
 *
 *   npm run link-server                                  serve them until it is stopped (Ctrl-C)
 *   npx tsx scripts/link-server.ts --config other.yaml   with another config
 *   npx tsx scripts/link-server.ts --verbose             tell more while serving
 *
 * It listens on link.host and link.port (127.0.0.1 and 8080 where they are left out). Fans reach it at link.public_url,
 * by a reverse proxy with TLS that stands before it. Who has linked an account gets a sync of their own at once.
 *
 * Exit: 2 bad options or config; 75 another program listens there, or the disk is full; 130 or 143 when it was stopped.
 */
import { once } from "node:events";
import { command } from "../lib/cli.ts";
import { createOwnSyncs } from "../lib/daemon/fan-syncs.ts";
import { openDatabase } from "../lib/db.ts";
import { exitCodes } from "../lib/errors.ts";
import { createLinkApp } from "../lib/link/app.ts";
import { membershipFrom } from "../lib/link/membership.ts";
import { openProofs } from "../lib/link/open-proofs.ts";
import { openLinkBook } from "../lib/link/registry.ts";
import { serveLinkApp } from "../lib/link/server.ts";
import { siteAddress } from "../lib/link/site.ts";
import { openSource } from "../lib/open-source.ts";
import { findParent } from "../lib/parent.ts";

/** Visitors do not wait for a page as long as a script waits for another. */
const lockWaitMs = 10_000;
/** With a large database, as many take some seconds. */
const mostWaiting = 20;

await command({
  name: "link-server",
  summary: "Serves the web pages on which fans connect Fanvue with Discord or Matrix.",
  options: {},
  async run(context) {
    const { config, dataDir, log, signal, options, print } = context;
    for (const warning of config.warnings) log.warn(warning);
    const database = openDatabase(dataDir, { lockWaitMs, mostWaiting });
    const fanvue = await openSource(context, database, { remember: true });
    const { proofs, idle } = openProofs(config, { database, dataDir, fanvue, log, signal });
    // The daemon sees new links in the database, and never runs two syncs at once.
    const syncs = findParent() === undefined ? createOwnSyncs({ config, dataDir, log, signal }) : undefined;
    const address = siteAddress(config);
    const app = createLinkApp({
      config,
      proofs,
      linkBook: openLinkBook(database),
      membership: membershipFrom(config, { database, now: Date.now }),
      askForSync: (fan, platform) => {
        syncs?.ask({ fan, platform });
      },
      now: Date.now,
      log,
    });
    const { host, port } = config.link;
    const server = await serveLinkApp(app, { host, port, isSecure: address.startsWith("https:"), log });
    print(
      options.json
        ? JSON.stringify({ address: `${address}/link`, host, port })
        : `Fans connect their accounts at ${address}/link (served on ${host}, port ${port}).`,
    );
    if (!signal.aborted) await once(signal, "abort");
    await server.close();
    await Promise.all([idle(), syncs?.idle()]);
    return exitCodes.inOrder;
  },
});
