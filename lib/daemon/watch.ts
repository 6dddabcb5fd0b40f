/** Looks at the database whenever another process has changed it. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { Database } from "../db.ts";
import { exitCodes, OperatorError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type DatabaseFacts, loadFacts } from "./facts.ts";
import { rest } from "./pauses.ts";

export interface WatchOptions {
  readonly database: Database;
  /** Whether a sync is at work, which writes every second. */
  readonly isBusy: () => boolean;
  /** Called after each look; undefined: the database cannot be read. */
  readonly onFacts: (facts: DatabaseFacts | undefined) => void;
  /** Whether the data folder is still the one that the daemon has locked. */
  readonly ownsFolder: () => boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A look reads the whole file, hence only one that has changed, and seldom while a sync keeps changing it. */
const lookEveryMs = 2000;
const leastMsWhileBusy = 6000;

/** Looks until the signal is aborted. Throws an OperatorError where another data folder stands in the place of ours. */
export async function watchDatabase(options: WatchOptions): Promise<void> {
  const { database, isBusy, onFacts, ownsFolder, log, signal } = options;
  let seen: string | undefined;
  let seenAtMs = -Infinity;
  let linksVersion: number | undefined;
  let told: string | undefined;

  async function look(): Promise<void> {
    try {
      const facts = await database.read((sql) => loadFacts(sql, linksVersion));
      ({ linksVersion } = facts);
      told = undefined;
      onFacts(facts);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      const sentence = `${error.message} ${error.remedy}`;
      // Once, not at each change.
      if (sentence !== told) log.error(sentence);
      told = sentence;
      onFacts(undefined);
    }
  }

  while (!signal.aborted) {
    if (!ownsFolder()) throw replaced(database.path);
    const found = mark(database.path);
    if (found !== seen && (!isBusy() || performance.now() - seenAtMs >= leastMsWhileBusy)) {
      seen = found;
      seenAtMs = performance.now();
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
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "none" : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
}
