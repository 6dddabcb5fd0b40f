/** The daemon's look at the database whenever another process has changed it: the newest links, and what its health page shows. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { Database, Sql } from "../db.ts";
import { errorCode } from "../db/disk.ts";
import { exitCodes, OperatorError } from "../errors.ts";
import type { TargetName } from "../ids.ts";
import type { Log } from "../log.ts";
import { loadCurrentHeld } from "../store/held.ts";
import { loadLinkEventsAfter, type RecordedLinkEvent } from "../store/link-events.ts";
import { loadBookLinksLastSeen, loadLinksVersion, loadStoredLinks } from "../store/links.ts";
import { loadSnapshotTime } from "../store/snapshot.ts";
import type { Wish } from "./fan-syncs.ts";
import { rest } from "./timing.ts";

export interface DatabaseFacts {
  readonly snapshotEndedAtMs: number | undefined;
  readonly held: Readonly<Partial<Record<TargetName, { readonly hash: string; readonly count: number }>>>;
  /** What the newest links ask for. */
  readonly wishes: readonly Wish[];
  /** Of the links, when this was read. */
  readonly linksVersion: number;
}

const targets: readonly TargetName[] = ["discord", "matrix", "fanvue-lists"];

/** `seenVersion`: of the links, when they were read before; undefined: older ones ask for nothing. */
export function loadFacts(sql: Sql, seenVersion: number | undefined): DatabaseFacts {
  const linksVersion = loadLinksVersion(sql);
  const events = seenVersion === undefined ? [] : loadLinkEventsAfter(sql, seenVersion);
  return {
    snapshotEndedAtMs: loadSnapshotTime(sql),
    held: Object.fromEntries(
      targets.flatMap((target) => {
        const held = loadCurrentHeld(sql, target);
        return held === undefined ? [] : [[target, { hash: held.hash, count: held.steps.length }]];
      }),
    ),
    wishes: events.flatMap((event) => wishesOf(sql, event)),
    linksVersion,
  };
}

/** Whose sync an event asks for. A transfer is on record as the end of one link and a new one. */
function wishesOf(sql: Sql, { event, platform, account, fan }: RecordedLinkEvent): readonly Wish[] {
  if (platform === undefined || account === undefined) return [];
  if (event === "added") return fan === undefined ? [] : [{ fan, platform }];
  if (event !== "invited again") return [];
  const links = [...loadStoredLinks(sql, account), ...loadBookLinksLastSeen(sql, account)];
  return [...new Set(links.map((link) => link.fan))].map((linked) => ({ fan: linked, platform }));
}

// ---- Watching ---------------------------------------------------------------------------------------------------

export interface WatchOptions {
  readonly database: Database;
  /** Whether a sync is at work, which writes every second. */
  readonly isBusy: () => boolean;
  /** Called after each look; undefined: the database cannot be read. */
  readonly onFacts: (facts: DatabaseFacts | undefined) => void;
  /** Called after a look at a database that is older than what was seen before, or that is back: nobody knows what it lacks. */
  readonly onOlder: () => void;
  /** Whether the data folder is still the one that the daemon has locked. */
  readonly ownsFolder: () => boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A look reads the whole file, hence only one that has changed. */
const lookEveryMs = 2000;
/** While a sync is at work, so many turns pass between two looks. */
const turnsWhileBusy = 3;

/** Looks until the signal is aborted. Throws an OperatorError where another data folder stands in the place of ours. */
export async function watchDatabase(options: WatchOptions): Promise<void> {
  const { database, isBusy, ownsFolder, log, signal } = options;
  let seen: string | undefined;
  let turns = 0;
  let linksVersion: number | undefined;
  let isLost = false;
  let told: string | undefined;

  /** Undefined where it cannot be read, which is told once and not at each change. */
  async function read(): Promise<DatabaseFacts | undefined> {
    try {
      const facts = await database.read((sql) => loadFacts(sql, linksVersion));
      told = undefined;
      return facts;
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      const sentence = `${error.message} ${error.remedy}`;
      if (sentence !== told) log.error(sentence);
      told = sentence;
      return undefined;
    }
  }

  async function look(): Promise<void> {
    const facts = await read();
    if (facts === undefined) {
      options.onFacts(undefined);
      return;
    }
    const isOlder = isLost || facts.linksVersion < (linksVersion ?? 0);
    isLost = isOlder && !database.exists();
    linksVersion = isLost ? undefined : facts.linksVersion;
    options.onFacts(isOlder ? { ...facts, wishes: [] } : facts);
    if (isOlder && !isLost) options.onOlder();
  }

  while (!signal.aborted) {
    if (!ownsFolder()) throw replaced(database.path);
    const found = mark(database.path);
    turns += 1;
    if (found !== seen && (!isBusy() || turns >= turnsWhileBusy)) {
      seen = found;
      turns = 0;
      await look();
    }
    await rest(lookEveryMs, signal);
  }
}

const replaced = (path: string): OperatorError =>
  new OperatorError(
    `The data folder ${dirname(path)} was replaced or taken away under the running daemon.`,
    "The daemon has ended, so as not to mix the two. Start it again.",
    exitCodes.busy,
  );

/** What changes with every write, which puts a new file in the place of the old one. */
function mark(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (error) {
    return errorCode(error) ?? "unknown";
  }
}
