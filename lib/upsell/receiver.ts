/** What is on record of the one to whom an offer is due. */
import { fansOf } from "../commands/membership.ts";
import { loadMemberRecord } from "../commands/record.ts";
import type { Sql } from "../db.ts";
import type { DiscordUserId } from "../ids.ts";
import type { Rule } from "../model.ts";
import { evaluate } from "../rules.ts";
import { loadOfferRefusal } from "../store/offers.ts";
import { verdictOfLinks } from "../want.ts";
import type { Receiver } from "./occasions.ts";

const subscription: Rule = { kind: "subscription", freeTrial: true };

/** By the stored links, the address books as the last sync saw them, and the saved snapshot. */
export function loadReceiver(sql: Sql, account: DiscordUserId, nowMs: number): Receiver {
  const refusal = loadOfferRefusal(sql, account);
  const record = loadMemberRecord(sql, account);
  if (fansOf(record).length === 0) return { refusal, membership: undefined };
  const { links, facts } = record;
  const subscribes = verdictOfLinks(account, links, links.byAccount.get(account), ({ fan }) =>
    facts === undefined
      ? { is: "unknown", because: "nothing was read yet" }
      : evaluate(subscription, fan, facts, nowMs),
  );
  return { refusal, membership: { subscribes, readAtMs: facts?.readAtMs } };
}
