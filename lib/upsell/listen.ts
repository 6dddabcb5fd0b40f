/** The listener: hears and looks for occasions, has the offers sent, and answers the slash commands. */
import { setTimeout as delay } from "node:timers/promises";
import type { Client, ClientOptions } from "discord.js";
import { serveCommands } from "../commands/serve.ts";
import type { Config, DiscordConfig, UpsellConfig } from "../config/shape.ts";
import type { Database } from "../db.ts";
import { BusyError, OperatorError, PlatformError } from "../errors.ts";
import { lockPath, withLock } from "../lock.ts";
import type { Log } from "../log.ts";
import { endOccasion, isStarted, loadOffers, loadStarted } from "../store/offers.ts";
import { type Bell, createBell } from "./bell.ts";
import { fetchOccasions, recordFindings } from "./catch-up.ts";
import { connect, type Connection } from "./connect.ts";
import { createCourier } from "./courier.ts";
import { hear } from "./hear.ts";
import { occasionsOf } from "./occasions.ts";
import { openOutbox, type Outbox } from "./outbox.ts";
import { honourMissedStops } from "./stops.ts";

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
  await endOccasions(options);
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
    // The commands alone are done with their setting up at once, and answered until the end.
    await Promise.race([connection.ended, aborted(signal), work.then(() => aborted(signal))]);
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
  const { config, discord, database, now, log } = options;
  const courier = createCourier({ client, discord, upsell, now });
  const outbox = openOutbox({ database, configPath: config.path, upsell, courier, now, log });
  const bell = createBell();
  const lookout = { ...options, upsell, outbox, bell, signal };
  hear(client, {
    ...lookout,
    onDue() {
      outbox.wake();
    },
    onGap() {
      bell.ring();
    },
  });
  return [honourMissedStops(client, lookout), keepLooking(lookout), outbox.run(signal)];
}

// ---- Before the connection --------------------------------------------------------------------------------------

/** Whoever boosts or buys while that is in no config is not to be written to once it is in it again. */
async function endOccasions({ config: { upsell }, database, log }: ListenOptions): Promise<void> {
  const named: readonly string[] = upsell === undefined ? [] : occasionsOf(upsell);
  const ended = await database.read((sql) =>
    loadStarted(sql).filter((occasion) => !named.includes(occasion)),
  );
  if (ended.length === 0) return;
  await database.write((sql) => {
    for (const occasion of ended) endOccasion(sql, occasion);
  });
  for (const occasion of ended)
    log.info({ occasion }, "The config asks for no offers on this occasion any more.");
}

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
    const findings = await fetchOccasions(options);
    if (signal.aborted) return false;
    for (const { because, remedy } of findings.unread) log.warn(`${because} ${remedy}`);
    const waiting = await database.write((sql) => recordFindings(sql, findings, now()));
    if (waiting > 0) log.info(`${waiting} ${waiting === 1 ? "offer is" : "offers are"} due.`);
    return findings.unread.length === 0;
  } catch (error) {
    if (!(error instanceof OperatorError) || error instanceof PlatformError) throw error;
    log.error(`${error.message} ${error.remedy}`);
    return false;
  }
}
