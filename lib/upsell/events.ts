/** What discord.js tells, in our own words. */
import type { Entitlement, GuildMember } from "discord.js";
import { parseDiscordUserId } from "../ids.ts";
import type { BoostingMember, Purchase } from "./occasions.ts";

/** A member; undefined where the id is none. */
export function boostingMemberIn(member: GuildMember): BoostingMember | undefined {
  const id = parseDiscordUserId(member.id);
  return id === undefined
    ? undefined
    : { id, isBot: member.user.bot, isBooster: member.premiumSinceTimestamp !== null };
}

export const purchaseIn = (entitlement: Entitlement): Purchase => ({
  skuId: entitlement.skuId,
  type: entitlement.type,
  userId: entitlement.guildId === null ? entitlement.userId : undefined,
  isDeleted: entitlement.deleted,
  endsAtMs: entitlement.endsTimestamp ?? undefined,
});

const stopWords: ReadonlySet<string> = new Set(["stop", "unsubscribe"]);

/** Whether a direct message says that its writer wants none any more. */
export const asksToStop = (text: string): boolean => stopWords.has(text.trim().toLowerCase());
