/** The Fanvue lists that are filled from Discord roles, as a part of a sync. */
import { openRoleHolders } from "../discord/holders.ts";
import { openListTarget } from "../fanvue/list-target.ts";
import { needed } from "./needed.ts";
import type { PartDeps, SyncPart } from "./part.ts";

export const listsPart = ({ log, signal }: Omit<PartDeps, "database">): SyncPart => ({
  target: "fanvue-lists",
  platform: "discord",
  locks: ["fanvue-lists"],
  places: ({ mirrors }) => mirrors,
  open({ discord, mirrors }, fanvue) {
    const target = openListTarget(fanvue, { signal });
    // What was given on lists that are configured no more can be taken back without Discord.
    if (mirrors.length === 0) return { target };
    return { target, holders: openRoleHolders(needed(discord, "discord"), { log, signal }) };
  },
});
