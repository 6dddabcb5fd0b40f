/** What is heard while the listener is connected: boosts, purchases and STOPs. */
import { type Client, type Entitlement, Events, type GuildMember, type Message } from "discord.js";
import type { DiscordConfig, UpsellConfig } from "../config/shape.ts";
import type { Database } from "../db.ts";
import type { Log } from "../log.ts";
import { isStarted, loadOfferState, noticeOffer } from "../store/offers.ts";
import { offerForBoost, offerForPurchase } from "./events.ts";
import type { OfferDue } from "./occasions.ts";
import { asksToStop, honourMissedStops, honourStop } from "./stops.ts";

export interface HearOptions {
  readonly discord: DiscordConfig;
  readonly upsell: UpsellConfig;
  readonly database: Database;
  readonly now: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** An offer has begun to wait. */
  readonly onDue: () => void;
  /** Something may have been missed. */
  readonly onGap: () => void;
}

/** Puts on record what the gateway tells, from now on. */
export function hear(client: Client, options: HearOptions): void {
  const { discord, upsell, now, log, onGap } = options;
  const carefully = (act: Promise<void>) => {
    act.catch((error: unknown) => {
      const because = error instanceof Error ? error.message : String(error);
      log.error(`Something that was heard could not be written down: ${because}`);
      onGap();
    });
  };
  const hearOffer = (offer: OfferDue | undefined) => {
    if (offer !== undefined) carefully(notice(offer, options));
  };
  const hearMember = (member: GuildMember) => {
    if (member.guild.id === discord.guildId) hearOffer(offerForBoost(member, upsell));
  };
  const hearPurchase = (entitlement: Entitlement) => {
    hearOffer(offerForPurchase(entitlement, upsell, now()));
  };
  // No intent asks for other messages than direct ones.
  const hearMessage = ({ author, content }: Message) => {
    if (!author.bot && asksToStop(content)) carefully(honourStop(author, options));
  };
  client.on(Events.GuildMemberAdd, hearMember);
  client.on(Events.GuildMemberAvailable, (member) => {
    if (!member.partial) hearMember(member);
  });
  client.on(Events.GuildMemberUpdate, (_, member) => {
    hearMember(member);
  });
  client.on(Events.EntitlementCreate, hearPurchase);
  client.on(Events.MessageCreate, hearMessage);
  // A session that begins anew was told nothing of what happened in between.
  client.on(Events.ShardReady, () => {
    onGap();
    carefully(honourMissedStops(client, options));
  });
}

/** Puts an offer on record as waiting, unless its occasion is there already. */
async function notice(offer: OfferDue, { database, now, log, onDue }: HearOptions): Promise<void> {
  const isNew = await database.read(
    (sql) => isStarted(sql, offer.occasion) && loadOfferState(sql, offer) === undefined,
  );
  if (!isNew) return;
  const isNoticed = await database.write((sql) => noticeOffer(sql, offer, "waiting", now()));
  if (!isNoticed) return;
  log.info({ ...offer }, "An offer is due.");
  onDue();
}
