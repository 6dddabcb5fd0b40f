/** The same from crontab: the daemon at each start of the machine, or the scripts by themselves. */
import { join } from "node:path";
import type { Config } from "../config/shape.ts";
import { listenersOf, roundOf } from "./duties.ts";
import { type ServicePlace, shellWord } from "./unit.ts";

export interface Crontab {
  /** The daemon, which does the rest. */
  readonly daemon: readonly string[];
  /** Each script by itself. */
  readonly scripts: readonly string[];
}

type Place = Pick<ServicePlace, "projectDir" | "configPath" | "dataDir">;

/** What a config asks for as lines of a crontab, either way. */
export function crontabOf(
  config: Pick<Config, "discord" | "matrix" | "listSync" | "link" | "schedule">,
  place: Place,
): Crontab {
  const run = (script: string) => `npm run --silent ${script}${filesOf(place)}`;
  const line = (when: string, command: string, log: string) =>
    `${when} ${forCron(`umask 077; cd ${shellWord(place.projectDir)} && ${command} >> ${log} 2>&1`)}`;
  const syncs = roundOf(config).filter((script) => script.startsWith("sync-"));
  const chain = syncs.length > 1 ? `{ ${syncs.map(run).join("; ")}; }` : syncs.map(run).join("");
  const when = timesFor(config.schedule.sync);
  return {
    daemon: [line("@reboot", run("daemon"), "daemon.log")],
    scripts: [
      ...(syncs.length === 0 || when === undefined ? [] : [line(when, chain, "sync.log")]),
      ...listenersOf(config).map((listener) => line("@reboot", run(listener), `${listener}.log`)),
    ],
  };
}

/** cron knows no seconds. */
function timesFor(sync: string | undefined): string | undefined {
  return sync === undefined || sync.trim().split(/\s+/).length !== 6 ? sync : "* * * * *";
}

/** In a crontab % ends the command: https://man7.org/linux/man-pages/man5/crontab.5.html */
const forCron = (command: string): string => command.replaceAll("%", "\\%");

/** Nothing where a script finds both by itself. */
function filesOf({ projectDir, configPath, dataDir }: Place): string {
  const isUsual = configPath === join(projectDir, "config.yaml") && dataDir === join(projectDir, "data");
  return isUsual ? "" : ` -- --config ${shellWord(configPath)} --data ${shellWord(dataDir)}`;
}
