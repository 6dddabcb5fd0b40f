/** The Fanvue lists that are filled from Discord roles, as a part of a sync. */
import { openRoleHolders } from "../discord/holders.ts";
import { openListTarget } from "../fanvue/list-target.ts";
import type { SyncPart } from "../sync.ts";
import type { PartDeps } from "./discord.ts";
import { needed } from "./needed.ts";

export const listsPart = ({ log, signal }: Omit<PartDeps, "database">): SyncPart => ({
  target: "fanvue-lists",
  platform: "discord",
  locks: ["fanvue-lists"],
  places: ({ mirrors }) => mirrors,
  open: ({ discord }, fanvue) => ({
    target: openListTarget(fanvue, { signal }),
    holders: openRoleHolders(needed(discord, "discord"), { log, signal }),
  }),
});
