/** The daemon from its start to its end: it follows the schedule and the links, and can read its config anew. */
import { basename } from "node:path";
import type { Environment } from "../config/plain.ts";
import type { Config } from "../config/shape.ts";
import { intervalMs, nextRuns } from "../cron.ts";
import { openDatabase } from "../db.ts";
import { OperatorError } from "../errors.ts";
import { type AcceptedConfig, changesBetween, fileText, readConfig } from "./config.ts";
import { listenersOf, roundOf } from "./duties.ts";
import { type DatabaseFacts, watchDatabase } from "./database.ts";
import { type DaemonState, healthOf } from "./health.ts";
import { createHealthPage } from "./health-page.ts";
import { createJobs, type JobsOptions } from "./jobs.ts";
import { followTimes, jitterMs } from "./timing.ts";

export interface DaemonOptions extends Omit<JobsOptions, "accepted"> {
  /** What the config takes its `${NAME}` values from. */
  readonly environment: Environment;
  /** Whether the data folder is still the one that was locked for this daemon. */
  readonly ownsFolder: () => boolean;
  /** From 0 to less than 1. */
  readonly random: () => number;
}

export interface Daemon {
  /** As it was accepted at the start. */
  readonly config: Config;
  /** Reads the config anew; a faulty one changes nothing, and is told in the log. Never rejects. */
  readonly reload: () => Promise<void>;
  /** Resolves once everything has ended, soon after the signal. Rejects then where something else than it was the reason. */
  readonly ended: Promise<void>;
}

/** More links at once than this are better seen to by one round than one by one. */
const mostWishesAtOnce = 20;

/** Starts everything. Throws an OperatorError where config, health port or data folder cannot be used; nothing runs then. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { configPath, dataDir, environment, ownsFolder, log } = options;
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const startedAtMs = Date.now();
  let accepted = readConfig(configPath, environment);
  let facts: DatabaseFacts | "unreadable" | undefined;
  let stopTimes: (() => void) | undefined;

  const jobs = createJobs({ ...options, signal, accepted: () => accepted });
  const { rounds, fanSyncs, listeners, records } = jobs;
  const page = createHealthPage(() => healthOf(state(), Date.now()), log);

  function state(): DaemonState {
    const { sync } = accepted.config.schedule;
    return {
      startedAtMs,
      schedule: sync === undefined ? undefined : { sync, runsMs: nextRuns(sync) },
      roundsLeftOut: rounds.leftOut(),
      records: records.all(),
      listeners: listeners.status(),
      facts,
    };
  }

  // ---- Reading the config ---------------------------------------------------------------------------------------

  /** Works by this one from now on; where its health page cannot be served, nothing changes. */
  async function accept(next: AcceptedConfig): Promise<void> {
    await page.move(next.config.schedule.healthPort);
    accepted = next;
    for (const warning of next.config.warnings) log.warn(warning);
  }

  async function reload(): Promise<void> {
    if (signal.aborted) return;
    const before = accepted.config;
    try {
      await accept(readConfig(configPath, environment));
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      log.error(`The new config is not taken over; all goes on as before. ${error.message}\n${error.remedy}`);
      return;
    }
    const { config } = accepted;
    const { parts, readers } = changesBetween(before, config);
    if (parts.length === 0) {
      log.info("The config was read again: nothing has changed in it.");
      return;
    }
    log.info(`The config was read again. Changed: ${parts.join(", ")}.`);
    followSchedule();
    listeners.keep(listenersOf(config), readers);
    if (readers.has("syncs") && config.schedule.sync !== undefined) rounds.beginSoon();
  }

  let toldText: string | undefined;

  /** Who runs a sync by hand works by the file as it is; that all is done by another one here is to be seen. */
  function tellOfOtherFile(): void {
    const text = fileText(configPath);
    if (text === undefined || text === accepted.text || text === toldText) return;
    toldText = text;
    log.warn(
      `${basename(configPath)} has changed, but all goes on by what stood in it before. To take it over: kill -HUP ${process.pid}`,
    );
  }

  // ---- Following the clock and the database ---------------------------------------------------------------------

  function followSchedule(): void {
    const { config } = accepted;
    const { sync } = config.schedule;
    stopTimes?.();
    stopTimes = undefined;
    records.expect(sync === undefined ? [] : roundOf(config));
    if (sync === undefined || signal.aborted) return;
    stopTimes = followTimes(sync, () => {
      records.struck();
      tellOfOtherFile();
      rounds.begin(jitterMs(intervalMs(sync) ?? 0, options.random()));
    });
  }

  function learn(newest: DatabaseFacts | undefined): void {
    facts = newest ?? "unreadable";
    const wishes = newest?.wishes ?? [];
    const waiting = fanSyncs.waiting();
    if (wishes.length === 0) return;
    if (waiting.count + wishes.length > mostWishesAtOnce && accepted.config.schedule.sync !== undefined) {
      waiting.drop();
      rounds.beginSoon();
    } else for (const wish of wishes) fanSyncs.ask(wish);
  }

  function beginAnew(): void {
    log.warn("The database is older than before, as after a restored backup: everything is looked at anew.");
    if (accepted.config.schedule.sync !== undefined) rounds.beginSoon();
  }

  async function live(): Promise<void> {
    try {
      const database = openDatabase(dataDir);
      await watchDatabase({
        database,
        isBusy: jobs.isBusy,
        onFacts: learn,
        onOlder: beginAnew,
        ownsFolder,
        log,
        signal,
      });
    } finally {
      over.abort();
      stopTimes?.();
      await reloading;
      await jobs.idle();
      await page.move(undefined);
    }
  }

  await accept(accepted);
  const { config } = accepted;
  let reloading = Promise.resolve();
  listeners.keep(listenersOf(config));
  followSchedule();
  // At once, also after a crash: fans may have waited. That many daemons start in the same second is rare.
  if (config.schedule.sync !== undefined) rounds.begin(0);
  return {
    config,
    reload() {
      reloading = reloading.then(reload).catch((error: unknown) => {
        log.error(
          { err: error },
          "Reading the config again failed: this is a bug in fanvue-sync, please report it.",
        );
      });
      return reloading;
    },
    ended: live(),
  };
}
