/**
 * Prints a unit of systemd that runs the daemon, with this machine's paths filled in, and the lines for a crontab for those
 * who prefer that; and, on standard error, how to set it up, step by step. Changes nothing, but makes the data folder.
 *
 *   npm run --silent service > fanvue-sync.service            write the unit to a file, to be looked at
 *   npm run --silent service -- --user me                     to run as this user (default: who owns the data folder)
 *   npm run --silent service -- --json                        the same as a document
 *
 * Exit: 0 printed, 2 bad options or config, or a folder that the user cannot enter.
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { command } from "../lib/cli.ts";
import { makeDataFolder } from "../lib/db/disk.ts";
import { exitCodes } from "../lib/errors.ts";
import { crontabOf, crontabText } from "../lib/service/crontab.ts";
import { checkPaths, chooseUser, foreignFiles, setupSteps } from "../lib/service/setup.ts";
import { unitText } from "../lib/service/unit.ts";

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
    // systemd does not start a service whose folder is not there.
    makeDataFolder(dataDir);
    const daemonPath = fileURLToPath(new URL("daemon.ts", import.meta.url));
    const paths = {
      projectDir: dirname(dirname(daemonPath)),
      nodePath: process.execPath,
      daemonPath,
      configPath: config.path,
      dataDir: resolve(dataDir),
    };
    const user = chooseUser(options.user, dataDir);
    checkPaths(paths, user);
    const isRoot = process.getuid?.() === 0 && process.env["SUDO_USER"] === undefined;
    const steps = setupSteps(user, foreignFiles(user, paths), isRoot);
    const unit = unitText({ ...paths, user: user.name }, steps);
    const crontab = crontabOf(config, paths);
    if (options.json) {
      print(JSON.stringify({ steps, unit, crontab }, undefined, 2));
    } else {
      print(`${unit}\n\n${crontabText(crontab)}`);
      const numbered = steps.map((step, index) => `  ${index + 1}. ${step}`);
      process.stderr.write(`${["To set it up:", ...numbered].join("\n")}\n`);
    }
    return Promise.resolve(exitCodes.inOrder);
  },
});
