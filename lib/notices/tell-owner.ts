/** Tells the owner where the config says so; what cannot be posted is told by the next run. */
import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config/shape.ts";
import type { Database } from "../db.ts";
import { BusyError, OperatorError } from "../errors.ts";
import { lockPath, withLock } from "../lock.ts";
import type { Log } from "../log.ts";
import { loadNotices, type NoticeChanges, saveNotices, type StoredNotice } from "../store/notices.ts";
import { judgeNotices, type Seen } from "./judge.ts";
import { openPosts, type Post } from "./posts.ts";
import { type ConfiguredPlaces, isOfOtherConfig, scopesOfConfig } from "./scopes.ts";

export interface TellOptions {
  readonly config: Pick<Config, "notify"> & ConfiguredPlaces;
  readonly dataDir: string;
  readonly database: Database;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

const lockWaitMs = 60_000;

/**
 * Never throws for what a platform does: a notice must not fail the run that it speaks of. Of scripts that end at once
 * one tells after the other, so that none tells what another has just told.
 */
export async function tellOwner(seen: Seen, options: TellOptions): Promise<void> {
  const { discordChannelId, matrixRoom } = options.config.notify;
  if (discordChannelId === undefined && matrixRoom === undefined) return;
  const { dataDir, signal, log } = options;
  try {
    await withLock(lockPath(dataDir, "notices"), { waitMs: lockWaitMs, busy, signal }, () =>
      tell(seen, options),
    );
  } catch (error) {
    if (!(error instanceof BusyError)) throw error;
    log.warn(`${error.message} ${error.remedy}`);
  }
}

const busy = () =>
  new BusyError(
    "Another script has been posting notices to you for a minute.",
    "The next run tells what this one has to tell.",
  );

async function tell(seen: Seen, options: TellOptions): Promise<void> {
  const { config, database, log, now } = options;
  const known = (await database.read(loadNotices)).filter(({ scope }) => !isOfOtherConfig(scope, config));
  const configured = scopesOfConfig(config);
  const { message, told, untold } = judgeNotices({ known, seen, configured, nowMs: now() });
  const isOut = message === undefined || (await postEverywhere(openPosts(config, options), message, log));
  const changes = isOut ? told : untold;
  if (isUnchanged(known, changes)) return;
  await database.write((sql) => {
    saveNotices(sql, changes);
  });
}

/** Whether it got out anywhere. */
async function postEverywhere(posts: readonly Post[], message: string, log: Log): Promise<boolean> {
  let isOut = false;
  for (const { name, post } of posts) {
    const trouble = await post(message).catch(troubleOf);
    if (trouble === undefined) isOut = true;
    else log.warn(`A notice to you could not be posted in ${name}: ${trouble}`);
  }
  return isOut;
}

function troubleOf(error: unknown): string {
  if (error instanceof OperatorError) return `${error.message} ${error.remedy}`;
  throw error;
}

/** A write stores the whole database: most runs have nothing to tell, and spare it. */
function isUnchanged(known: readonly StoredNotice[], { over, standing }: NoticeChanges): boolean {
  const before = new Map(known.map((notice) => [notice.key, notice]));
  return over.length === 0 && standing.every((notice) => isDeepStrictEqual(before.get(notice.key), notice));
}
