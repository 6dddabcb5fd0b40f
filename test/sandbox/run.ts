/**
 * Keeps the three stand-ins up, for trying things out by hand.
 *
 *   npm run sandbox                    writes config, address books and a token into data/sandbox
 *   npm run sandbox -- FOLDER          writes them elsewhere
 *
 * Ctrl-C ends it. Each start begins with the same town of twelve fans.
 */
import { relative, resolve } from "node:path";

import { startTown, writeInstallation, type Town } from "./town.ts";

const say = (...lines: string[]) => process.stdout.write(lines.map((line) => `${line}\n`).join(""));

function tellNextSteps(town: Town, folder: string): void {
  const shown = relative(process.cwd(), folder) || ".";
  const options = `--config ${shown}/config.yaml --data ${shown}`;
  say(
    `A town of ${String(town.fans.length)} fans is up:`,
    `  Fanvue   ${town.fanvue.apiUrl} (API), ${town.fanvue.authUrl} (authorization)`,
    `  Discord  ${town.discord.apiUrl}`,
    `  Matrix   ${town.matrix.url}`,
    "",
    "In another terminal, see what would be done, and then do it:",
    `  npm run sync-discord -- ${options} --dry-run`,
    `  npm run sync-discord -- ${options}`,
    `  npm run sync-matrix -- ${options}`,
    `  npm run sync-lists -- ${options}`,
    "",
    "Ctrl-C ends the town.",
  );
}

const untilStopped = () =>
  new Promise<void>((resolveStop) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => {
        resolveStop();
      });
  });

const folder = resolve(process.argv[2] ?? "data/sandbox");
const stopped = untilStopped();
const town = await startTown();
try {
  writeInstallation(town, folder);
  tellNextSteps(town, folder);
  await stopped;
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
} finally {
  await town.stop();
}
