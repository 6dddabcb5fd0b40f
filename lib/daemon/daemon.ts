/** The daemon from its start to its end: it follows the schedule and the links, and can read its config anew. */
import type { Environment } from "../config/plain.ts";
import type { Config } from "../config/shape.ts";
import { intervalMs, nextRuns } from "../cron.ts";
import { openDatabase } from "../db.ts";
import { OperatorError } from "../errors.ts";
import { type AcceptedConfig, changedParts, readConfig, removeCopy, saveCopy } from "./accepted.ts";
import { listenersOf, roundOf } from "./duties.ts";
import type { DatabaseFacts } from "./facts.ts";
import { type DaemonState, healthOf } from "./health.ts";
import { createHealthPage } from "./health-page.ts";
import { jitterMs } from "./pauses.ts";
import { followTimes } from "./timetable.ts";
import { watchDatabase } from "./watch.ts";
import { createWorkshop, type WorkshopOptions } from "./workshop.ts";

export interface DaemonOptions extends Omit<WorkshopOptions, "config"> {
  /** What the config takes its `${NAME}` values from. */
  readonly environment: Environment;
  /** From 0 to less than 1. */
  readonly random: () => number;
}

export interface Daemon {
  /** As it was accepted at the start. */
  readonly config: Config;
  /** Reads the config anew; a faulty one changes nothing, and is told in the log. */
  readonly reload: () => Promise<void>;
  /** Resolves once everything has ended, soon after the signal. */
  readonly ended: Promise<void>;
}

/** More links at once than this are better seen to by one round than one by one. */
const mostWishesAtOnce = 20;

/** Starts everything. Throws an OperatorError where config, health port or data folder cannot be used; nothing runs then. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { configPath, dataDir, environment, log } = options;
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const startedAtMs = Date.now();
  const first = readConfig(configPath, environment);
  let { config } = first;
  let facts: DatabaseFacts | undefined;
  let stopTimes: (() => void) | undefined;

  const workshop = createWorkshop({ ...options, signal, config: () => config });
  const { rounds, syncSoon, listeners, records } = workshop;
  const page = createHealthPage(() => healthOf(state(), Date.now()), log);

  function state(): DaemonState {
    const { sync } = config.schedule;
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

  /** Takes all of it over, or, where that fails, nothing. */
  async function takeOver(next: AcceptedConfig, before: Config | undefined): Promise<void> {
    await page.move(next.config.schedule.healthPort);
    try {
      saveCopy(dataDir, next);
    } catch (error) {
      await page.move(before?.schedule.healthPort);
      throw error;
    }
    ({ config } = next);
  }

  async function reload(): Promise<void> {
    if (signal.aborted) return;
    const before = config;
    try {
      await takeOver(readConfig(configPath, environment), before);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      log.error(`The new config is not taken over; all goes on as before. ${error.message}\n${error.remedy}`);
      return;
    }
    const changed = changedParts(before, config);
    if (changed.length === 0) {
      log.info("The config was read again: nothing has changed in it.");
      return;
    }
    log.info(`The config was read again. Changed: ${changed.join(", ")}.`);
    followSchedule();
    await listeners.replace(listenersOf(config));
  }

  // ---- Following the clock and the database ---------------------------------------------------------------------

  function followSchedule(): void {
    const { sync } = config.schedule;
    stopTimes?.();
    stopTimes = undefined;
    records.expect(sync === undefined ? [] : roundOf(config));
    if (sync === undefined || signal.aborted) return;
    stopTimes = followTimes(sync, () => {
      rounds.begin(jitterMs(intervalMs(sync) ?? 0, options.random()));
    });
  }

  function learn(newest: DatabaseFacts | undefined): void {
    facts = newest;
    const wishes = newest?.wishes ?? [];
    if (wishes.length > mostWishesAtOnce && config.schedule.sync !== undefined) rounds.beginSoon();
    else for (const { fan, platform } of wishes) syncSoon.ask(fan, platform);
  }

  async function live(): Promise<void> {
    try {
      const database = openDatabase(dataDir);
      await watchDatabase({ database, isBusy: workshop.isBusy, onFacts: learn, log, signal });
    } finally {
      over.abort();
      stopTimes?.();
      await reloading;
      await workshop.idle();
      await page.move(undefined);
      leaveNothing();
      process.off("exit", leaveNothing);
    }
  }

  // It holds secrets, so it goes also when there is no time for an end in order.
  const leaveNothing = () => {
    removeCopy(dataDir);
  };
  process.once("exit", leaveNothing);
  await takeOver(first, undefined);
  let reloading = listeners.replace(listenersOf(config));
  followSchedule();
  if (config.schedule.sync !== undefined) rounds.begin(0);
  return {
    config,
    reload() {
      reloading = reloading.then(reload);
      return reloading;
    },
    ended: live(),
  };
}
