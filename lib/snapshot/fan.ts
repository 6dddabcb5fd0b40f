/** The facts of one fan alone, for a run that gives and never takes. Stores nothing. */
import type { Database } from "../db.ts";
import type { Fanvue } from "../fanvue/client.ts";
import { unlocksFrom } from "../ledger.ts";
import type { FanId } from "../ids.ts";
import type { Facts, Follower, Insight, Known, Subscriber } from "../facts.ts";
import type { Snapshot } from "../snapshot.ts";
import { updateLedger } from "./earnings.ts";
import type { Needs } from "./needs.ts";

export interface FanSnapshotAsk {
  readonly fanvue: Fanvue;
  readonly database: Database;
  readonly needs: Needs;
  readonly fan: FanId;
  readonly now: () => number;
}

type Rows<Row> = Known<ReadonlyMap<FanId, Row>>;

const notNeeded = { known: false, why: "no rule needs it" } as const;

/** Reads what the rules ask of this fan. Throws SourceError when the authorization is dead or Fanvue was never reached. */
export async function takeFanSnapshot(ask: FanSnapshotAsk): Promise<Snapshot> {
  const { fanvue, needs, fan, now } = ask;
  const asksInsight = needs.insights || needs.subscribers;
  const [insights, lists, unlocks] = await Promise.all([
    asksInsight ? fanvue.fetchInsights([fan]) : undefined,
    fanvue.fetchLists(needs.lists.values()),
    needs.unlocks ? readUnlocks(ask) : notNeeded,
  ]);
  const read = insights?.byFan.get(fan) ?? { known: false, why: insights?.trouble ?? "was not asked for" };
  const subscribers = needs.subscribers ? await readSubscriber(ask, read) : notNeeded;
  const followers = needs.followers ? await readFollower(ask, subscribers) : notNeeded;
  const readAtMs = now();
  const known = read.known ? new Map([[fan, read.value]]) : new Map<FanId, Insight>();
  return {
    facts: { readAtMs, subscribers, followers, insights: known, lists, unlocks },
    sizes: [],
    unreadable: insights?.trouble === undefined ? [] : [`The fan could not be read: ${insights.trouble}.`],
    readAtMs,
  };
}

async function readUnlocks({ fanvue, database, now }: FanSnapshotAsk): Promise<Facts["unlocks"]> {
  const ledger = await updateLedger({ fanvue, database, now, save: false, progress: () => undefined });
  return ledger.known ? { known: true, value: unlocksFrom(ledger.value.rows) } : ledger;
}

/** The row of /v1, or where there is none the insight's word; whether a top spender only a row can tell. */
async function readSubscriber(ask: FanSnapshotAsk, insight: Known<Insight>): Promise<Rows<Subscriber>> {
  const { fanvue, needs, fan } = ask;
  if ((await fanvue.prefix()) === "/v1") return only(fan, await fanvue.fetchRow(fan));
  if (needs.followers) return fanvue.fetchSubscribers();
  if (!insight.known) return insight;
  if (insight.value.status !== "subscriber") return { known: true, value: new Map() };
  const told = { handle: "", displayName: "", isTopSpender: false };
  const untold = { status: undefined, periodEndsAtMs: undefined, isFree: undefined };
  return only(fan, { known: true, value: { ...told, ...untold } });
}

async function readFollower(ask: FanSnapshotAsk, subscribers: Rows<Subscriber>): Promise<Rows<Follower>> {
  if (subscribers.known && subscribers.value.has(ask.fan)) return { known: true, value: new Map() };
  return ask.fanvue.fetchFollowers();
}

const only = <Row>(fan: FanId, row: Known<Row>): Rows<Row> =>
  row.known ? { known: true, value: new Map([[fan, row.value]]) } : row;
