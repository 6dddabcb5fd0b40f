/** The roles of the Discord server, as a part of a sync. */
import { loginsIn } from "../discord-logins.ts";
import { openDiscord } from "../discord/target.ts";
import { needed } from "./needed.ts";
import type { PartDeps, SyncPart } from "./part.ts";

export const discordPart = ({ database, log, signal }: PartDeps): SyncPart => ({
  target: "discord",
  platform: "discord",
  locks: ["discord"],
  places: ({ discord }) => discord?.places ?? [],
  open: ({ discord }) => ({
    target: openDiscord(needed(discord, "discord"), { log, signal, logins: loginsIn(database) }),
  }),
});
