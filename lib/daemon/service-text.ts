/** The unit and the crontab as one text, which systemd takes as it is. */
import type { Crontab } from "./crontab.ts";

export const serviceText = (unit: string, { daemon, scripts }: Crontab): string =>
  [
    unit,
    "",
    "# Without systemd, put this line into your crontab instead (crontab -e):",
    ...daemon.map(asComment),
    "# Or, without the daemon, these: then new links wait for the next sync, and what crashes stays down.",
    ...scripts.map(asComment),
  ].join("\n");

const asComment = (line: string): string => `#   ${line}`;
