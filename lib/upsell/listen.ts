/** The listener: hears and looks for occasions, has the offers sent, and answers the slash commands. */
import { setTimeout as delay } from "node:timers/promises";
import type { Client, ClientOptions } from "discord.js";
import { serveCommands } from "../commands/serve.ts";
import type { Config, DiscordConfig, UpsellConfig } from "../config/shape.ts";
import type { Database } from "../db.ts";
import { BusyError } from "../errors.ts";
import { lockPath, withLock } from "../lock.ts";
import type { Log } from "../log.ts";
import type { Reason } from "../model.ts";
import { endOccasion, isStarted, loadOffers, loadStarted } from "../store/offers.ts";
import { createBell } from "./bell.ts";
import { type CatchUpOptions, type Reading, readingsOf, recordFindings } from "./catch-up.ts";
import { connect, type Connection } from "./connect.ts";
import { createCourier } from "./courier.ts";
import { hear } from "./hear.ts";
import { createLookout, keepLooking, type Lookout } from "./lookout.ts";
import { occasionsOf } from "./occasions.ts";
import { openOutbox } from "./outbox.ts";
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
  const lookouts = upsell === undefined ? [] : lookoutsOf(options, upsell);
  await endOccasions(options);
  if (upsell === undefined) log.info("The config has no upsell section: only the slash commands are served.");
  else await prepare(options, upsell, lookouts);

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
  const work = Promise.all(tasks(options, connection, lookouts, AbortSignal.any([signal, over.signal])));
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
  lookouts: readonly Lookout[],
  signal: AbortSignal,
): readonly Promise<void>[] {
  const { config, database, now, log } = options;
  const commands = serveCommands({ client, config, database, now, log });
  const { upsell } = config;
  if (upsell === undefined) return [commands];
  return [commands, ...offerTasks(options, { upsell, client, lookouts, signal })];
}

interface OfferService {
  readonly upsell: UpsellConfig;
  readonly client: Client<true>;
  readonly lookouts: readonly Lookout[];
  readonly signal: AbortSignal;
}

function offerTasks(
  options: ListenOptions,
  { upsell, client, lookouts, signal }: OfferService,
): readonly Promise<void>[] {
  const { config, discord, database, now, log } = options;
  const courier = createCourier({ client, discord, upsell, now });
  const outbox = openOutbox({ database, configPath: config.path, upsell, courier, now, log });
  const wake = () => {
    outbox.wake();
  };
  const watches = lookouts.map((lookout) => ({ lookout, bell: createBell() }));
  const heard = { ...options, upsell, signal };
  hear(client, {
    ...heard,
    onDue: wake,
    onGap() {
      for (const { bell } of watches) bell.ring();
    },
  });
  return [
    honourMissedStops(client, heard),
    ...watches.map(({ lookout, bell }) => keepLooking(lookout, { bell, onLooked: wake, signal })),
    outbox.run(signal),
  ];
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
async function prepare(
  options: ListenOptions,
  upsell: UpsellConfig,
  lookouts: readonly Lookout[],
): Promise<void> {
  const { database, log } = options;
  const { open, isFirst } = await database.read((sql) => ({
    open: loadOffers(sql, "sending").length,
    isFirst: occasionsOf(upsell).some((occasion) => !isStarted(sql, occasion)),
  }));
  if (open > 0)
    log.warn(
      `Of ${open} ${open === 1 ? "offer" : "offers"} it is open whether they arrived; they are not sent again.`,
    );
  if (isFirst) for (const lookout of lookouts) await lookout.look(options.signal);
}

// ---- Looking ----------------------------------------------------------------------------------------------------

/** One for each thing that Discord shows, so that a trouble with one leaves the others alone. */
const lookoutsOf = (options: ListenOptions, upsell: UpsellConfig): readonly Lookout[] =>
  readingsOf(upsell).map((reading) =>
    createLookout((signal) => look(reading, { ...options, upsell, signal }), options.log),
  );

/** Puts on record who boosts, or who has bought; gives why that could not be read. */
async function look(reading: Reading, options: CatchUpOptions & ListenOptions): Promise<readonly Reason[]> {
  const { database, now, log, signal } = options;
  const findings = await reading(options);
  if (signal.aborted || findings.read.size === 0) return findings.unread;
  const waiting = await database.write((sql) => recordFindings(sql, findings, now()));
  if (waiting > 0) log.info(`${waiting} ${waiting === 1 ? "offer is" : "offers are"} due.`);
  return findings.unread;
}
