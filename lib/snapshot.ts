/** One reading of Fanvue that serves all places and, while it is fresh, all scripts of a chain. */
import type { Database } from "./db.ts";
import type { Fanvue } from "./fanvue/client.ts";
import { unlocksFrom } from "./ledger.ts";
import type { Log, Progress } from "./log.ts";
import type { FanId, ListKey } from "./ids.ts";
import {
  type Facts,
  type Follower,
  isMissing,
  type Known,
  type ListMembers,
  type ReadList,
  type SourceSize,
  type Subscriber,
} from "./facts.ts";
import { type Ledger, updateLedger } from "./snapshot/earnings.ts";
import { covers, type Needs, needsKey, needsLedger } from "./snapshot/needs.ts";
import { readSpend, type Spend } from "./snapshot/spend.ts";
import { loadEarnings } from "./store/earnings.ts";
import { listsIn } from "./snapshot/saved.ts";
import { loadSnapshot, saveSnapshot, type StoredSnapshot } from "./store/snapshot.ts";

export { type Ledger, updateLedger } from "./snapshot/earnings.ts";
export { type EvidenceAsk, type Gathered, gatherEvidence } from "./snapshot/evidence.ts";
export { takeFanSnapshot } from "./snapshot/fan.ts";
export { type Needs, needsOf } from "./snapshot/needs.ts";

export interface Snapshot {
  readonly facts: Facts;
  /** Of the sources that were read whole. */
  readonly sizes: readonly SourceSize[];
  /** What could not be read, a sentence each. Empty: the snapshot is whole. */
  readonly unreadable: readonly string[];
  /** When it ended. */
  readonly readAtMs: number;
}

export interface SnapshotAsk {
  readonly fanvue: Fanvue;
  readonly database: Database;
  readonly needs: Needs;
  /** Whose spending is asked for. */
  readonly linkedFans: ReadonlySet<FanId>;
  readonly now: () => number;
  readonly maxAgeMs: number;
  readonly followersMaxAgeMs: number;
  /** False, as in a dry run: nothing is stored. */
  readonly save: boolean;
  readonly log: Log;
  readonly progress: Progress;
}

/**
 * The stored snapshot while it is fresh and covers the needs, else a new one, which is stored if every part is known.
 * Throws SourceError when the authorization is dead or Fanvue was never reached.
 */
export async function takeSnapshot(ask: SnapshotAsk): Promise<Snapshot> {
  const { database, needs, now } = ask;
  const stored = await database.read(loadSnapshot);
  if (stored !== undefined && isServable(stored, ask)) return serve(stored, ask);
  const tell = tally(ask.progress, stored);
  const [subscribers, followers, lists, ledger] = await Promise.all([
    needs.subscribers ? ask.fanvue.fetchSubscribers(tell("subscribers")) : notNeeded,
    needs.followers ? readFollowers(ask, stored, tell("followers")) : notNeeded,
    needs.lists.size === 0 ? new Map<ListKey, ReadList>() : ask.fanvue.fetchLists(needs.lists.values()),
    needsLedger(needs) ? readLedger(ask, tell("ledger")) : undefined,
  ]);
  const parts: Parts = { subscribers, followers, lists, ledger, spend: await spendOf(ask, ledger) };
  const readAtMs = now();
  const unreadable = troublesOf(parts, needs);
  if (ask.save && unreadable.length === 0) {
    await database.write((sql) => {
      saveSnapshot(sql, toStore(parts, needs, readAtMs));
    });
  }
  return { facts: factsOf(parts, needs, readAtMs), sizes: sizesOf(parts), unreadable, readAtMs };
}

interface ReadFollowers {
  readonly readAtMs: number;
  readonly byFan: ReadonlyMap<FanId, Follower>;
}

interface Parts {
  readonly subscribers: Known<ReadonlyMap<FanId, Subscriber>>;
  readonly followers: Known<ReadFollowers>;
  readonly lists: ReadonlyMap<ListKey, ReadList>;
  /** undefined: no rule needs it. */
  readonly ledger: Known<Ledger> | undefined;
  readonly spend: Spend;
}

const notNeeded = { known: false, why: "no rule needs it" } as const;

// ---- Reading ----------------------------------------------------------------------------------------------------

async function readFollowers(
  ask: SnapshotAsk,
  stored: StoredSnapshot | undefined,
  onPage: (rows: number) => void,
): Promise<Known<ReadFollowers>> {
  const kept = stored?.followers;
  const readAtMs = ask.now();
  if (kept !== undefined && isYoung(kept.readAtMs, readAtMs, ask.followersMaxAgeMs)) {
    return { known: true, value: kept };
  }
  const read = await ask.fanvue.fetchFollowers(onPage);
  return read.known ? { known: true, value: { readAtMs, byFan: read.value } } : read;
}

const readLedger = (ask: SnapshotAsk, onPage: (rows: number) => void) =>
  updateLedger({
    fanvue: ask.fanvue,
    database: ask.database,
    now: ask.now,
    save: ask.save,
    progress: (_what, rows) => {
      onPage(rows);
    },
  });

/** Figures are taken from no cache that the ledger does not vouch for. */
async function spendOf(ask: SnapshotAsk, ledger: Known<Ledger> | undefined): Promise<Spend> {
  const { fanvue, database, needs, linkedFans: fans, save } = ask;
  if (!needs.insights || ledger?.known !== true) return { insights: new Map(), trouble: undefined };
  return readSpend({ fanvue, database, fans, ledger: ledger.value, save, nowMs: ask.now() });
}

/** Parts are read side by side; people see one number, against that of the last time. */
function tally(
  progress: Progress,
  stored: StoredSnapshot | undefined,
): (part: string) => (rows: number) => void {
  const rowsByPart = new Map<string, number>();
  const before = (stored?.subscribers?.size ?? 0) + (stored?.followers?.byFan.size ?? 0);
  return (part) => (rows) => {
    rowsByPart.set(part, rows);
    const all = rowsByPart.values().reduce((sum, count) => sum + count, 0);
    progress("Reading Fanvue", all, before === 0 ? undefined : Math.max(before, all));
  };
}

// ---- Serving ----------------------------------------------------------------------------------------------------

/** A time in the future is a clock that was set back, and vouches for nothing. */
const isYoung = (atMs: number, nowMs: number, maxAgeMs: number) => atMs <= nowMs && nowMs - atMs < maxAgeMs;

function isServable(
  stored: StoredSnapshot,
  { needs, now, maxAgeMs, followersMaxAgeMs }: SnapshotAsk,
): boolean {
  if (!isYoung(stored.endedAtMs, now(), maxAgeMs) || !covers(stored.needsKey, needs)) return false;
  const followersAtMs = stored.followers?.readAtMs;
  return (
    !needs.followers || (followersAtMs !== undefined && isYoung(followersAtMs, now(), followersMaxAgeMs))
  );
}

/** Asks Fanvue for nothing but figures of fans that were not linked before. */
async function serve(stored: StoredSnapshot, ask: SnapshotAsk): Promise<Snapshot> {
  const { needs, database } = ask;
  const ledger: Known<Ledger> | undefined = needsLedger(needs)
    ? { known: true, value: { rows: await database.read(loadEarnings), added: [] } }
    : undefined;
  const { subscribers, followers } = stored;
  const parts: Parts = {
    subscribers: subscribers === undefined ? notNeeded : { known: true, value: subscribers },
    followers: followers === undefined ? notNeeded : { known: true, value: followers },
    lists: listsIn(stored),
    ledger,
    spend: await spendOf(ask, ledger),
  };
  const readAtMs = stored.endedAtMs;
  return {
    facts: factsOf(parts, needs, readAtMs),
    sizes: sizesOf(parts),
    unreadable: troublesOf(parts, needs),
    readAtMs,
  };
}

// ---- Shaping ----------------------------------------------------------------------------------------------------

function factsOf(parts: Parts, needs: Needs, readAtMs: number): Facts {
  const { subscribers, followers, lists, ledger, spend } = parts;
  return {
    readAtMs,
    subscribers,
    followers: followers.known ? { known: true, value: followers.value.byFan } : followers,
    insights: spend.insights,
    lists,
    unlocks: needs.unlocks ? unlocksOf(ledger) : notNeeded,
  };
}

function unlocksOf(ledger: Known<Ledger> | undefined): Facts["unlocks"] {
  if (ledger === undefined) return notNeeded;
  return ledger.known ? { known: true, value: unlocksFrom(ledger.value.rows) } : ledger;
}

function sizesOf({ subscribers, followers, lists }: Parts): readonly SourceSize[] {
  return [
    ...(subscribers.known ? [{ source: "subscribers", size: subscribers.value.size }] : []),
    ...(followers.known ? [{ source: "followers", size: followers.value.byFan.size }] : []),
    ...[...lists].flatMap(([source, list]) => (list.known ? [sizeOfList(source, list.value)] : [])),
  ];
}

const sizeOfList = (source: ListKey, { name, members }: ListMembers): SourceSize => ({
  source,
  ...(name === undefined ? {} : { name: `The list "${name}"` }),
  size: members.size,
});

function troublesOf(parts: Parts, needs: Needs): readonly string[] {
  const { subscribers, followers, lists, ledger, spend } = parts;
  const sentence = (what: string, why: string) => `${what} could not be read: ${why}.`;
  return [
    ...(needs.subscribers && !subscribers.known ? [sentence("Subscribers", subscribers.why)] : []),
    ...(needs.followers && !followers.known ? [sentence("Followers", followers.why)] : []),
    // That there is no such list was read well: it is the trouble of the places that ask for it.
    ...[...lists].flatMap(([key, list]) =>
      list.known || isMissing(list) ? [] : [sentence(`The list ${key}`, list.why)],
    ),
    ...(ledger?.known === false ? [sentence("Spending and unlocks", ledger.why)] : []),
    ...(spend.trouble === undefined ? [] : [sentence("Figures of spending", spend.trouble)]),
  ];
}

function toStore(parts: Parts, needs: Needs, endedAtMs: number): StoredSnapshot {
  const { subscribers, followers, lists } = parts;
  return {
    endedAtMs,
    needsKey: needsKey(needs),
    subscribers: subscribers.known ? subscribers.value : undefined,
    followers: followers.known ? followers.value : undefined,
    lists: new Map([...lists].flatMap(([key, list]) => storedList(key, list))),
  };
}

function storedList(key: ListKey, list: ReadList): [ListKey, ListMembers | "missing"][] {
  if (list.known) return [[key, list.value]];
  return isMissing(list) ? [[key, "missing"]] : [];
}
