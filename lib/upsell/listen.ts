/** The listener: hears of boosts, purchases and STOPs, has the offers sent, and answers the slash commands. */
import { setTimeout as delay } from "node:timers/promises";
import {
  type Client,
  type ClientOptions,
  type Entitlement,
  Events,
  type GuildMember,
  type Message,
} from "discord.js";
import { serveCommands } from "../commands/serve.ts";
import type { Config, DiscordConfig, UpsellConfig } from "../config/shape.ts";
import type { Database } from "../db.ts";
import { BusyError, OperatorError, PlatformError } from "../errors.ts";
import { parseDiscordUserId } from "../ids.ts";
import { lockPath, withLock } from "../lock.ts";
import type { Log } from "../log.ts";
import {
  loadOfferRefusal,
  loadOffers,
  loadOfferState,
  noticeOffer,
  saveOfferRefusal,
} from "../store/offers.ts";
import { type Bell, createBell } from "./bell.ts";
import { fetchOccasions, isStarted, recordLook } from "./catch-up.ts";
import { connect, type Connection } from "./connect.ts";
import { confirmStop, createCourier } from "./courier.ts";
import { asksToStop, boostingMemberIn, purchaseIn } from "./events.ts";
import { boostBy, occasionsOf, type OfferDue, purchaseBy } from "./occasions.ts";
import { openOutbox, type Outbox } from "./outbox.ts";

export interface ListenOptions {
  readonly config: Config;
  readonly discord: DiscordConfig;
  readonly dataDir: string;
  readonly database: Database;
  readonly now: () => number;
  readonly log: Log;
  /** Ends the listening; what is being sent is finished. */
  readonly signal: AbortSignal;
  /** Of the gateway; default as discord.js has it. */
  readonly ws?: ClientOptions["ws"];
}

/**
 * Listens until the signal is aborted. Throws a BusyError at once where another listener has the same data folder, and a
 * PlatformError where Discord refuses the bot.
 */
export async function listen(options: ListenOptions): Promise<void> {
  const lock = lockPath(options.dataDir, "upsell");
  await withLock(lock, { waitMs: 0, busy }, () => listenAlone(options));
}

const busy = () =>
  new BusyError(
    "Another upsell listener is running with the same data folder.",
    "Let that one go on, or end it first.",
  );

/** How long a message under way may take once the listener is to end. */
const patienceMs = 1000;

async function listenAlone(options: ListenOptions): Promise<void> {
  const { config, discord, signal, log } = options;
  const { upsell } = config;
  if (upsell === undefined) log.info("The config has no upsell section: only the slash commands are served.");
  else await prepare(options, upsell);

  const cutOff = new AbortController();
  const connection = await connect({
    discord,
    hears: { members: upsell?.onBoost === true, messages: upsell !== undefined },
    log,
    signal,
    cutOff: cutOff.signal,
    ws: options.ws,
  });
  if (connection === undefined) return;
  const over = new AbortController();
  const work = Promise.all(tasks(options, connection, AbortSignal.any([signal, over.signal])));
  try {
    await Promise.race([connection.ended, aborted(signal), work]);
  } finally {
    over.abort();
    const isDone = work.catch(() => undefined);
    await Promise.race([isDone, delay(patienceMs, undefined, { ref: false })]);
    cutOff.abort();
    await isDone;
    await connection.close();
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => {
      resolve();
    });
  });

function tasks(
  options: ListenOptions,
  { client }: Connection,
  signal: AbortSignal,
): readonly Promise<void>[] {
  const { config, database, now, log } = options;
  const commands = serveCommands({ client, config, database, now, log });
  const { upsell } = config;
  return upsell === undefined ? [commands] : [commands, ...offerTasks(options, upsell, client, signal)];
}

function offerTasks(
  options: ListenOptions,
  upsell: UpsellConfig,
  client: Client<true>,
  signal: AbortSignal,
): readonly Promise<void>[] {
  const { discord, database, now, log } = options;
  const courier = createCourier({ client, discord, upsell, now });
  const outbox = openOutbox({ database, upsell, courier, now, log });
  const bell = createBell();
  hear(client, { ...options, upsell, outbox, bell });
  return [outbox.run(signal), keepLooking({ ...options, upsell, outbox, bell, signal })];
}

// ---- Before the connection --------------------------------------------------------------------------------------

/** Says what an earlier end left open, and puts on record who boosts or has bought from before the first start. */
async function prepare(options: ListenOptions, upsell: UpsellConfig): Promise<void> {
  const { database, log } = options;
  const { open, isFirst } = await database.read((sql) => ({
    open: loadOffers(sql, "sending").length,
    isFirst: occasionsOf(upsell).some((occasion) => !isStarted(sql, occasion)),
  }));
  if (open > 0)
    log.warn(
      `Of ${open} ${open === 1 ? "offer" : "offers"} it is open whether they arrived; they are not sent again.`,
    );
  if (isFirst) await look({ ...options, upsell });
}

// ---- Looking ----------------------------------------------------------------------------------------------------

const lookEveryMs = 60 * 60_000;
const lookAgainMs = 60_000;

interface Lookout extends ListenOptions {
  readonly upsell: UpsellConfig;
  readonly outbox: Outbox;
  /** Rung where something may have been missed. */
  readonly bell: Bell;
}

async function keepLooking(lookout: Lookout): Promise<void> {
  const { outbox, bell, signal } = lookout;
  while (!signal.aborted) {
    const isWhole = await look(lookout);
    outbox.wake();
    await bell.rest(isWhole ? lookEveryMs : lookAgainMs, signal);
  }
}

/** Reads who boosts and who has bought, and puts it on record; gives whether all of it could be read. */
async function look(options: Omit<Lookout, "outbox" | "bell">): Promise<boolean> {
  const { database, now, log, signal } = options;
  try {
    const seen = await fetchOccasions(options);
    if (signal.aborted) return false;
    for (const { because, remedy } of seen.unread) log.warn(`${because} ${remedy}`);
    const waiting = await database.write((sql) => recordLook(sql, seen, now()));
    if (waiting > 0) log.info(`${waiting} ${waiting === 1 ? "offer is" : "offers are"} due.`);
    return seen.unread.length === 0;
  } catch (error) {
    if (!(error instanceof OperatorError) || error instanceof PlatformError) throw error;
    log.error(`${error.message} ${error.remedy}`);
    return false;
  }
}

// ---- Hearing ----------------------------------------------------------------------------------------------------

function hear(client: Client, lookout: Lookout): void {
  const { discord, upsell, now, log, bell } = lookout;
  const carefully = (act: Promise<void>) => {
    act.catch((error: unknown) => {
      const because = error instanceof Error ? error.message : String(error);
      log.error(`Something that was heard could not be written down: ${because}`);
      bell.ring();
    });
  };
  const hearMember = (member: GuildMember) => {
    const boosting = member.guild.id === discord.guildId ? boostingMemberIn(member) : undefined;
    const offer = boosting === undefined ? undefined : boostBy(boosting, upsell);
    if (offer !== undefined) carefully(notice(offer, lookout));
  };
  const hearPurchase = (entitlement: Entitlement) => {
    const offer = purchaseBy(purchaseIn(entitlement), upsell, now());
    if (offer !== undefined) carefully(notice(offer, lookout));
  };
  client.on(Events.GuildMemberAdd, hearMember);
  client.on(Events.GuildMemberAvailable, (member) => {
    if (!member.partial) hearMember(member);
  });
  client.on(Events.GuildMemberUpdate, (_, member) => {
    hearMember(member);
  });
  client.on(Events.EntitlementCreate, hearPurchase);
  client.on(Events.MessageCreate, (message) => {
    if (message.guildId === null && !message.author.bot && asksToStop(message.content))
      carefully(honourStop(message, lookout));
  });
  // A session that begins anew was told nothing of what happened in between.
  client.on(Events.ShardReady, () => {
    bell.ring();
  });
}

/** Puts an offer on record as waiting, unless its occasion is there already. */
async function notice(offer: OfferDue, { database, now, log, outbox }: Lookout): Promise<void> {
  const isNew = await database.read(
    (sql) => isStarted(sql, offer.occasion) && loadOfferState(sql, offer) === undefined,
  );
  if (!isNew) return;
  const isNoticed = await database.write((sql) => noticeOffer(sql, offer, "waiting", now()));
  if (!isNoticed) return;
  log.info({ ...offer }, "An offer is due.");
  outbox.wake();
}

async function honourStop({ author }: Message, { database, now, log }: Lookout): Promise<void> {
  const account = parseDiscordUserId(author.id);
  if (account === undefined) return;
  const isNew = await database.write((sql) => {
    if (loadOfferRefusal(sql, account) === "stop") return false;
    saveOfferRefusal(sql, account, "stop", now());
    return true;
  });
  if (!isNew) return;
  log.info({ account }, "Somebody wants no more offers.");
  if (!(await confirmStop(author)))
    log.warn({ account }, "That no more offers come could not be confirmed; it holds nevertheless.");
}
