/** The roles of the Discord server, as a part of a sync. */
import type { Database } from "../db.ts";
import { loginsIn } from "../discord-logins.ts";
import { openDiscord } from "../discord/target.ts";
import type { Log } from "../log.ts";
import type { SyncPart } from "../sync.ts";
import { needed } from "./needed.ts";

export interface PartDeps {
  readonly database: Database;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export const discordPart = ({ database, log, signal }: PartDeps): SyncPart => ({
  target: "discord",
  platform: "discord",
  locks: ["discord"],
  places: ({ discord }) => discord?.places ?? [],
  open: ({ discord }) => ({
    target: openDiscord(needed(discord, "discord"), { log, signal, logins: loginsIn(database) }),
  }),
});
