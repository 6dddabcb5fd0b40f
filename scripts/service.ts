/**
 * Prints a unit of systemd that runs the daemon, with this machine's paths filled in, and the lines for a crontab for those
 * who prefer that. Changes nothing.
 *
 *   npm run --silent service                                  print them
 *   npm run --silent service -- --user me                     to run as this user (default: who owns the data folder)
 *   npm run --silent service | sudo tee /etc/systemd/system/fanvue-sync.service    install the unit
 *   npm run --silent service -- --json                        the same as a document
 *
 * Exit: 0 printed, 2 bad options or config.
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { command } from "../lib/cli.ts";
import { crontabOf } from "../lib/daemon/crontab.ts";
import { chooseUser } from "../lib/daemon/owner.ts";
import { serviceText } from "../lib/daemon/service-text.ts";
import { unitText } from "../lib/daemon/unit.ts";
import { exitCodes } from "../lib/errors.ts";

await command({
  name: "service",
  summary: "Prints a unit of systemd that runs the daemon, and lines for a crontab.",
  options: {
    user: {
      type: "string",
      value: "NAME",
      description: "who runs it (default: the owner of the data folder)",
    },
  },
  run({ config, dataDir, options, print }) {
    const daemonPath = fileURLToPath(new URL("daemon.ts", import.meta.url));
    const place = {
      projectDir: dirname(dirname(daemonPath)),
      nodePath: process.execPath,
      daemonPath,
      configPath: config.path,
      dataDir: resolve(dataDir),
      ...chooseUser(options.user, dataDir),
    };
    const unit = unitText(place);
    const crontab = crontabOf(config, place);
    print(options.json ? JSON.stringify({ unit, crontab }, undefined, 2) : serviceText(unit, crontab));
    return Promise.resolve(exitCodes.inOrder);
  },
});
