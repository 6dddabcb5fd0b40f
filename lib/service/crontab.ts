/** The same from crontab: the daemon at each start of the machine, or the scripts by themselves. */
import { join } from "node:path";
import type { Config } from "../config/shape.ts";
import { listenersOf, roundOf } from "../daemon/duties.ts";
import { nodeOptions } from "../run-script.ts";
import { type ServicePlace, shellWord } from "./unit.ts";

export interface Crontab {
  /** The daemon, which does the rest. */
  readonly daemon: readonly string[];
  /** Each script by itself. */
  readonly scripts: readonly string[];
  /** Why there is no line for the syncs among them, and what to do, where the schedule is not one of cron's. */
  readonly trouble?: string;
}

type Place = Pick<ServicePlace, "projectDir" | "nodePath" | "configPath" | "dataDir">;

/** What a config asks for as lines of a crontab, either way. */
export function crontabOf(
  config: Pick<Config, "discord" | "matrix" | "listSync" | "link" | "schedule">,
  place: Place,
): Crontab {
  // cron looks for programs in /usr/bin and /bin only, where there is neither npm nor this Node.
  const node = [shellWord(place.nodePath), ...nodeOptions].join(" ");
  const run = (script: string) => `${node} scripts/${script}.ts${filesOf(place)}`;
  const line = (when: string, command: string, log: string) =>
    `${when} ${forCron(`umask 077; cd ${shellWord(place.projectDir)} && ${command} >> ${log} 2>&1`)}`;
  const syncs = roundOf(config).filter((script) => script.startsWith("sync-"));
  const chain = syncs.length > 1 ? `{ ${syncs.map(run).join("; ")}; }` : syncs.map(run).join("");
  const { sync } = config.schedule;
  const when = sync === undefined ? undefined : timesFor(sync);
  const isUnknown = syncs.length > 0 && sync !== undefined && when === undefined;
  return {
    daemon: [line("@reboot", run("daemon"), "daemon.log")],
    scripts: [
      ...(syncs.length === 0 || when === undefined ? [] : [line(when, chain, "sync.log")]),
      ...listenersOf(config).map((listener) => line("@reboot", run(listener), `${listener}.log`)),
    ],
    ...(isUnknown ? { trouble: unknownTimes(sync) } : {}),
  };
}

/** The crontab as comments at the end of a unit, which systemd takes as it is. */
export const crontabText = ({ daemon, scripts, trouble }: Crontab): string =>
  [
    "# Without systemd, put this line into your crontab instead (crontab -e):",
    ...daemon.map(asComment),
    "# Or, without the daemon, these: then new links wait for the next sync, and what crashes stays down.",
    ...scripts.map(asComment),
    ...(trouble === undefined ? [] : [`# ${trouble}`]),
    "# cron does not know what your shell has set: where the config takes a value from the environment, ${NAME}, write",
    "# NAME=value above these lines.",
  ].join("\n");

const asComment = (line: string): string => `#   ${line}`;

/** In a crontab % ends the command: https://man7.org/linux/man-pages/man5/crontab.5.html */
const forCron = (command: string): string => command.replaceAll("%", "\\%");

/** Nothing where a script finds both by itself. */
function filesOf({ projectDir, configPath, dataDir }: Place): string {
  const isUsual = configPath === join(projectDir, "config.yaml") && dataDir === join(projectDir, "data");
  return isUsual ? "" : ` --config ${shellWord(configPath)} --data ${shellWord(dataDir)}`;
}

// ---- Times ------------------------------------------------------------------------------------------------------

/** The times of an expression of node-cron in cron's own five fields; undefined where cron cannot say them. */
function timesFor(sync: string): string | undefined {
  const fields = sync.trim().toLowerCase().split(/\s+/);
  // A name for all, such as @daily.
  if (fields.length === 1) return fields[0];
  const [seconds = "", ...rest] = fields.length === 6 ? fields : ["0", ...fields];
  const times = rest.map((field) => (field === "?" ? "*" : field));
  return /^\d+$/.test(seconds) && times.every(isOfCron) ? times.join(" ") : undefined;
}

/** A name of a month or a weekday stands alone and has three letters there. */
const isOfCron = (field: string): boolean => /^[a-z]{3}$/.test(field) || field.split(",").every(isNumeric);

function isNumeric(part: string): boolean {
  const range = /^(\d+)-(\d+)(\/\d+)?$/.exec(part);
  // To node-cron, a range that runs backwards goes over midnight.
  return range === null ? /^(\d+|\*(\/\d+)?)$/.test(part) : Number(range[1]) <= Number(range[2]);
}

const unknownTimes = (sync: string): string =>
  `There is no line for the syncs: cron cannot do schedule.sync "${sync}". It starts things at full minutes, and takes ` +
  `numbers, *, commas, - and / only. Write schedule.sync like "*/5 * * * *", or let the daemon do it.`;
