/**
 * The waiting offers, sent one after the other as the budget allows. Each is durably marked before it is sent, so that
 * none is ever sent twice: one of which nobody knows whether it arrived stays marked for ever.
 */
import { type AddressBooks, loadAddressBooks } from "../config/address-book.ts";
import type { UpsellConfig } from "../config/shape.ts";
import type { Database, Sql } from "../db.ts";
import { hourMs, minuteMs } from "../durations.ts";
import { OperatorError, PlatformError } from "../errors.ts";
import type { Log } from "../log.ts";
import {
  countRefusal,
  dateBack,
  forgetWaitingOffer,
  hasDatesAfter,
  type LastingTrouble,
  loadOffers,
  loadOfferState,
  loadTriesSince,
  loadTroubleAtMs,
  type Offer,
  type OfferState,
  saveOfferRefusal,
  saveOfferState,
  saveTroubleAtMs,
} from "../store/offers.ts";
import { createBell } from "./bell.ts";
import { longestWindowMs, nextSlotMs } from "./budget.ts";
import type { Courier, Delivery, Standing } from "./courier.ts";
import type { MaySend } from "./occasions.ts";
import { mayBeSent } from "./receiver.ts";
import { type Later, lastingTroubles } from "./refusals.ts";
import { honourStop } from "./stops.ts";

export interface OutboxOptions {
  readonly database: Database;
  /** The address books lie beside it. */
  readonly configPath: string;
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
const nextRoundMs = 10 * minuteMs;
const afterTroubleMs = minuteMs;
/** How long all wait where Discord answered in vain so many times in a row. */
const pausesMs = [minuteMs, 10 * minuteMs, hourMs, 6 * hourMs];
/** How often one offer is refused before it is given up: more than a day, where nothing else gets through meanwhile. */
const mostRefusals = 8;

export function openOutbox(options: OutboxOptions): Outbox {
  const { now } = options;
  const bell = createBell();
  const office: Office = {
    ...options,
    told: new Set(),
    closedUntilMs: 0,
    inVain: 0,
    toldEndMs: 0,
    toldNoSync: false,
    toldTrouble: undefined,
  };
  return {
    wake() {
      bell.ring();
    },
    async run(signal) {
      while (!signal.aborted) {
        const againMs = await carryOn(office, signal);
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
  /** How often in a row Discord sent nothing without saying whom that speaks of. */
  inVain: number;
  /** The end of a wait that was logged. */
  toldEndMs: number;
  /** Whether it was logged that no sync runs. */
  toldNoSync: boolean;
  /** Trouble that was logged and lasts. */
  toldTrouble: string | undefined;
}

/** One round; trouble that the operator can mend, such as a broken address book, is logged once and waited for. */
async function carryOn(office: Office, signal: AbortSignal): Promise<number> {
  try {
    const againMs = await sendWhatMayGo(office, signal);
    office.toldTrouble = undefined;
    return againMs;
  } catch (error) {
    if (!(error instanceof OperatorError) || error instanceof PlatformError) throw error;
    const trouble = `The offers wait: ${error.message} ${error.remedy}`;
    if (office.toldTrouble !== trouble) office.log.error(trouble);
    office.toldTrouble = trouble;
    return office.now() + afterTroubleMs;
  }
}

/** One round through those who wait, oldest first. Gives when the next one is worth while. */
async function sendWhatMayGo(office: Office, signal: AbortSignal): Promise<number> {
  const { database, now, upsell } = office;
  await mendDates(office);
  const waiting = await database.read((sql) => loadOffers(sql, "waiting"));
  for (const offer of waiting) {
    if (signal.aborted) break;
    if (office.closedUntilMs > now()) return office.closedUntilMs;
    const { pauses, slotMs } = await database.read((sql) => ({
      pauses: troubles.map((trouble) => pauseIn(sql, trouble)),
      slotMs: slotIn(sql, upsell, now()),
    }));
    const pause = pauses.find(({ endMs }) => endMs > now());
    if (pause !== undefined) {
      tellOfWait(office, pause.endMs, pause.because);
      return pause.endMs;
    }
    if (slotMs > now()) {
      tellOfWait(office, slotMs, "upsell.max_per_hour and max_per_day allow no more");
      return slotMs;
    }
    await handle(office, offer);
  }
  return office.closedUntilMs > now() ? office.closedUntilMs : now() + nextRoundMs;
}

function tellOfWait(office: Office, endMs: number, because: string): void {
  if (office.toldEndMs === endMs) return;
  office.toldEndMs = endMs;
  const until = Number.isFinite(endMs) ? `until ${new Date(endMs).toISOString()}` : "for good";
  office.log.info(`The offers wait ${until}: ${because}.`);
}

const troubles: readonly LastingTrouble[] = ["quarantined", "too fast"];

function pauseIn(sql: Sql, trouble: LastingTrouble): { readonly endMs: number; readonly because: string } {
  const { pauseMs, because } = lastingTroubles[trouble];
  return { endMs: (loadTroubleAtMs(sql, trouble) ?? -Infinity) + pauseMs, because };
}

const slotIn = (sql: Sql, upsell: UpsellConfig, nowMs: number): number =>
  nextSlotMs(loadTriesSince(sql, nowMs - longestWindowMs), upsell, nowMs);

/** A clock is set by a little now and then. */
const clockToleranceMs = 5 * minuteMs;

/** What was written down by a clock that was ahead counts as of now, or it would stand in the way until then. */
async function mendDates({ database, now, log }: Office): Promise<void> {
  const nowMs = now();
  const afterMs = nowMs + clockToleranceMs;
  const troublesAhead = (sql: Sql) =>
    troubles.filter((trouble) => (loadTroubleAtMs(sql, trouble) ?? 0) > afterMs);
  const isAhead = await database.read((sql) => hasDatesAfter(sql, afterMs) || troublesAhead(sql).length > 0);
  if (!isAhead) return;
  await database.write((sql) => {
    dateBack(sql, nowMs);
    for (const trouble of troublesAhead(sql)) saveTroubleAtMs(sql, trouble, nowMs);
  });
  log.warn("Offers are on record as of a time to come: the clock was ahead. They count as of now.");
}

// ---- One offer --------------------------------------------------------------------------------------------------

async function handle(office: Office, offer: Offer): Promise<void> {
  const judge = judgeBy(loadAddressBooks(office.configPath), office);
  const judged = await office.database.read((sql) => judge(sql, offer));
  if (judged.is === "yes") await sendIfDue(office, offer, judge);
  else await putAside(office, offer, judged);
}

async function sendIfDue(office: Office, offer: Offer, judge: Judge): Promise<void> {
  const standing = await office.courier.fetchStanding(offer);
  switch (standing.is) {
    case "due":
      await sendOnce(office, offer, standing, judge);
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
      await postpone(office, standing);
  }
}

async function sendOnce(
  office: Office,
  offer: Offer,
  standing: Extract<Standing, { is: "due" }>,
  judge: Judge,
): Promise<void> {
  const { database, courier, now } = office;
  // From here on it counts as sent, whatever happens to this process.
  if (!(await database.write((sql) => claim(sql, offer, judge, now())))) return;
  const delivery = await courier.send(standing);
  const isGivenUp = await database.write((sql) => settle(sql, offer, delivery, now()) === "failed");
  tell(office, offer, delivery, isGivenUp);
  if (delivery.is === "stopped") await honourStop(standing.user, office);
  if (delivery.is === "later") await postpone(office, delivery);
  else if (delivery.is === "unanswered" || delivery.is === "turned away")
    pauseLonger(office, delivery.because);
  else office.inVain = 0;
}

type Judge = (sql: Sql, offer: Offer) => MaySend;

const judgeBy =
  ({ books }: AddressBooks, { upsell, now }: Office): Judge =>
  (sql, offer) =>
    mayBeSent(sql, offer, { books, upsell, nowMs: now() });

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
  if (judged.needsSync && !office.toldNoSync) {
    office.toldNoSync = true;
    log.warn(
      "Offers to linked people wait, since no sync has run for more than a day. Run `npm run sync-discord`, or have `npm run daemon` do it.",
    );
  }
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

async function postpone(office: Office, { because, pauseMs, trouble, end }: Later): Promise<void> {
  if (end !== undefined) throw end;
  if (pauseMs === undefined) {
    pauseLonger(office, because);
    return;
  }
  const nowMs = office.now();
  if (trouble === undefined) office.closedUntilMs = nowMs + pauseMs;
  else
    await office.database.write((sql) => {
      saveTroubleAtMs(sql, trouble, nowMs);
    });
  tellOfPause(office, nowMs, pauseMs, because);
}

/** Before the next one: what Discord answers may speak of the bot, or of the text, which is the same for everybody. */
function pauseLonger(office: Office, because: string): void {
  const pauseMs = pausesMs[Math.min(office.inVain, pausesMs.length - 1)] ?? 0;
  const nowMs = office.now();
  office.inVain += 1;
  office.closedUntilMs = nowMs + pauseMs;
  tellOfPause(office, nowMs, pauseMs, because);
}

function tellOfPause(office: Office, nowMs: number, pauseMs: number, because: string): void {
  office.toldEndMs = nowMs + pauseMs;
  const minutes = Math.ceil(pauseMs / minuteMs);
  const length = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
  office.log.warn(`The offers wait for ${length}: ${because}.`);
}

/** Marks it as being sent, unless something has changed since it was looked at. */
function claim(sql: Sql, offer: Offer, judge: Judge, nowMs: number): boolean {
  const isFree = loadOfferState(sql, offer) === "waiting" && judge(sql, offer).is === "yes";
  if (isFree) saveOfferState(sql, offer, "sending", nowMs);
  return isFree;
}

/** Puts on record what became of it; gives the state in which it is now. */
function settle(sql: Sql, offer: Offer, delivery: Delivery, nowMs: number): OfferState {
  if (delivery.is === "refused") saveOfferRefusal(sql, offer.account, "closed", nowMs);
  const state = stateAfter(sql, offer, delivery);
  if (state !== "sending") saveOfferState(sql, offer, state, nowMs);
  return state;
}

function stateAfter(sql: Sql, offer: Offer, delivery: Delivery): OfferState {
  switch (delivery.is) {
    case "unanswered":
      return "sending";
    case "later":
      return "waiting";
    case "turned away":
      return countRefusal(sql, offer) < mostRefusals ? "waiting" : "failed";
    case "stopped":
      return "known";
    case "sent":
    case "refused":
    case "failed":
      return delivery.is;
  }
}

function tell({ log }: Office, offer: Offer, delivery: Delivery, isGivenUp: boolean): void {
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
    case "turned away":
      if (isGivenUp)
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
