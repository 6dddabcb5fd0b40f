/**
 * The waiting offers, sent one after the other as the budget allows. Each is durably marked before it is sent, so that
 * none is ever sent twice: one of which nobody knows whether it arrived stays marked for ever.
 */
import type { UpsellConfig } from "../config/shape.ts";
import type { Database, Sql } from "../db.ts";
import { OperatorError, PlatformError } from "../errors.ts";
import type { Log } from "../log.ts";
import {
  forgetWaitingOffer,
  loadOffers,
  loadOfferState,
  loadTriesSince,
  type Offer,
  saveOfferRefusal,
  saveOfferState,
} from "../store/offers.ts";
import { createBell } from "./bell.ts";
import { longestWindowMs, nextSlotMs } from "./budget.ts";
import type { Courier, Delivery, Later, Standing } from "./courier.ts";
import { type MaySend, maySend } from "./occasions.ts";
import { loadReceiver } from "./receiver.ts";

export interface OutboxOptions {
  readonly database: Database;
  readonly upsell: UpsellConfig;
  readonly courier: Courier;
  readonly now: () => number;
  readonly log: Log;
}

export interface Outbox {
  /** Something may have begun to wait, or the clock was set. */
  wake(): void;
  /**
   * Sends until the signal is aborted; the one under way is finished first. Throws a PlatformError where Discord refuses
   * the bot.
   */
  run(signal: AbortSignal): Promise<void>;
}

/** Somebody may have run a sync since. */
const lookAgainMs = 10 * 60_000;
const afterTroubleMs = 60_000;

export function openOutbox(options: OutboxOptions): Outbox {
  const { now, log } = options;
  const bell = createBell();
  const office: Office = { ...options, told: new Set(), closedUntilMs: 0 };
  return {
    wake() {
      bell.ring();
    },
    async run(signal) {
      while (!signal.aborted) {
        const againMs = await sendWhatMayGo(office, signal).catch((error: unknown) => {
          if (!(error instanceof OperatorError) || error instanceof PlatformError) throw error;
          log.error(`${error.message} ${error.remedy}`);
          return now() + afterTroubleMs;
        });
        await bell.rest(againMs - now(), signal);
      }
    },
  };
}

interface Office extends OutboxOptions {
  /** Of whom it was logged that they wait. */
  readonly told: Set<string>;
  /** Discord wants to hear nothing before. */
  closedUntilMs: number;
}

/** One round through those who wait, oldest first. Gives when the next one is worth while. */
async function sendWhatMayGo(office: Office, signal: AbortSignal): Promise<number> {
  const { database, now, upsell } = office;
  const waiting = await database.read((sql) => loadOffers(sql, "waiting"));
  for (const offer of waiting) {
    if (signal.aborted) break;
    const slotMs = Math.max(office.closedUntilMs, await database.read((sql) => slotIn(sql, upsell, now())));
    if (slotMs > now()) return slotMs;
    await handle(office, offer);
  }
  return now() + lookAgainMs;
}

const slotIn = (sql: Sql, upsell: UpsellConfig, nowMs: number): number =>
  nextSlotMs(loadTriesSince(sql, nowMs - longestWindowMs), upsell, nowMs);

// ---- One offer --------------------------------------------------------------------------------------------------

async function handle(office: Office, offer: Offer): Promise<void> {
  const judged = await office.database.read((sql) => judge(sql, offer, office));
  if (judged.is === "yes") await lookAndSend(office, offer);
  else await putAside(office, offer, judged);
}

async function lookAndSend(office: Office, offer: Offer): Promise<void> {
  const standing = await office.courier.look(offer);
  switch (standing.is) {
    case "due":
      await sendOnce(office, offer, standing);
      return;
    case "over":
      office.log.info({ ...offer }, `An offer is not sent: ${standing.because}.`);
      await office.database.write((sql) => {
        forgetWaitingOffer(sql, offer);
      });
      return;
    case "never":
      await giveUp(office, offer, standing.because);
      return;
    case "later":
      postpone(office, standing);
  }
}

async function sendOnce(
  office: Office,
  offer: Offer,
  standing: Extract<Standing, { is: "due" }>,
): Promise<void> {
  const { database, courier, now } = office;
  // From here on it counts as sent, whatever happens to this process.
  if (!(await database.write((sql) => claim(sql, offer, office)))) return;
  const delivery = await courier.send(standing);
  await database.write((sql) => {
    settle(sql, offer, delivery, now());
  });
  tell(office, offer, delivery);
  if (delivery.is === "stopped") await courier.confirmStop(standing.user);
  if (delivery.is === "later") postpone(office, delivery);
}

const judge = (sql: Sql, { account }: Offer, { upsell, now }: Office): MaySend =>
  maySend(loadReceiver(sql, account, now()), upsell, now());

async function putAside(
  office: Office,
  offer: Offer,
  judged: Exclude<MaySend, { is: "yes" }>,
): Promise<void> {
  if (judged.is === "never") {
    await giveUp(office, offer, `its receiver ${judged.because}`);
    return;
  }
  const { log, told } = office;
  const name = `${offer.account} ${offer.occasion}`;
  if (told.has(name)) return;
  told.add(name);
  log.info({ ...offer }, `An offer waits until a sync has run: its receiver ${judged.because}.`);
}

/** Stays on record, so that it is not noticed anew. */
async function giveUp({ database, now, log }: Office, offer: Offer, because: string): Promise<void> {
  log.info({ ...offer }, `An offer is not sent: ${because}.`);
  await database.write((sql) => {
    saveOfferState(sql, offer, "known", now());
  });
}

function postpone(office: Office, { because, pauseMs, end }: Later): void {
  if (end !== undefined) throw end;
  office.closedUntilMs = office.now() + pauseMs;
  office.log.warn(`The offers wait for ${Math.ceil(pauseMs / 60_000)} min: ${because}.`);
}

/** Marks it as being sent, unless something has changed since it was looked at. */
function claim(sql: Sql, offer: Offer, office: Office): boolean {
  const { upsell, now } = office;
  const isFree =
    loadOfferState(sql, offer) === "waiting" &&
    judge(sql, offer, office).is === "yes" &&
    slotIn(sql, upsell, now()) <= now();
  if (isFree) saveOfferState(sql, offer, "sending", now());
  return isFree;
}

function settle(sql: Sql, offer: Offer, delivery: Delivery, nowMs: number): void {
  switch (delivery.is) {
    case "unanswered":
      return;
    case "later":
      saveOfferState(sql, offer, "waiting", nowMs);
      return;
    case "refused":
      saveOfferRefusal(sql, offer.account, "closed", nowMs);
      saveOfferState(sql, offer, "refused", nowMs);
      return;
    case "stopped":
      saveOfferRefusal(sql, offer.account, "stop", nowMs);
      saveOfferState(sql, offer, "known", nowMs);
      return;
    case "sent":
    case "failed":
      saveOfferState(sql, offer, delivery.is, nowMs);
  }
}

function tell({ log }: Office, offer: Offer, delivery: Delivery): void {
  switch (delivery.is) {
    case "sent":
      log.info({ ...offer }, "An offer was sent.");
      return;
    case "refused":
      log.info(
        { ...offer },
        "An offer was not taken: direct messages are closed. This person is not tried again.",
      );
      return;
    case "stopped":
      log.info({ ...offer }, "An offer was not sent: its receiver has written STOP meanwhile.");
      return;
    case "failed":
      log.warn({ ...offer }, `An offer could not be sent and is not tried again: ${delivery.because}.`);
      return;
    case "unanswered":
      log.warn(
        { ...offer },
        `Whether an offer arrived is open, so it is not sent again: ${delivery.because}.`,
      );
      return;
    case "later":
  }
}
