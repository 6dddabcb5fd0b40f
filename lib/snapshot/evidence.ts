/** What is read again just before removals, and what is read for one fan alone. */
import type { Fanvue } from "../fanvue/client.ts";
import type { FanId, ListKey } from "../ids.ts";
import type { Evidence, Follower, Known, ListMembers, Subscriber } from "../facts.ts";
import type { ListRef } from "../model.ts";

export interface EvidenceAsk {
  readonly fanvue: Fanvue;
  /** Fans whose insight is needed. */
  readonly fans: ReadonlySet<FanId>;
  /** Fans whose row in subscribers or followers is needed. */
  readonly rows: ReadonlySet<FanId>;
  readonly lists: ReadonlyMap<ListKey, ListRef>;
  readonly now: () => number;
}

export interface Gathered {
  readonly evidence: Evidence;
  /** Which requests failed, a sentence each: what they were to bring is missing in the evidence. */
  readonly unreadable: readonly string[];
}

type Rows = ReadonlyMap<FanId, Known<Subscriber | Follower>>;
type RowList = Known<ReadonlyMap<FanId, Subscriber | Follower>>;

/**
 * Reads the evidence for removals. What could not be read for a reason of its own is unknown, what a failed request was
 * to bring is missing; neither removes anybody. Throws SourceError when the authorization is dead.
 */
export async function gatherEvidence(ask: EvidenceAsk): Promise<Gathered> {
  const { fanvue, fans, rows, lists, now } = ask;
  const readAtMs = now();
  const [insights, rowsRead, listsRead] = await Promise.all([
    fans.size === 0 ? undefined : fanvue.fetchInsights(fans),
    rows.size === 0 ? { rows: new Map(), troubles: [] } : fetchRows(fanvue, rows),
    lists.size === 0 ? new Map<ListKey, Known<ListMembers>>() : fanvue.fetchLists(lists.values()),
  ]);
  const troubles = [
    ...(insights?.trouble === undefined ? [] : [insights.trouble]),
    ...rowsRead.troubles,
    ...[...listsRead.values()].flatMap((list) => (list.known ? [] : [list.why])),
  ];
  return {
    evidence: { readAtMs, insights: insights?.byFan ?? new Map(), rows: rowsRead.rows, lists: listsRead },
    unreadable: [...new Set(troubles)].map((why) => `The evidence for removals could not be read: ${why}.`),
  };
}

/** More rows than this are cheaper to have by reading the lists. */
const maxSingleReads = 20;

interface FetchedRows {
  readonly rows: Rows;
  readonly troubles: readonly string[];
}

async function fetchRows(fanvue: Fanvue, fans: ReadonlySet<FanId>): Promise<FetchedRows> {
  if ((await fanvue.prefix()) !== "/v1" || fans.size > maxSingleReads)
    return fetchRowsFromLists(fanvue, fans);
  const singles = await Promise.all([...fans].map(async (fan) => [fan, await fanvue.fetchRow(fan)] as const));
  const found = new Map(singles.filter(([, row]) => row.known));
  const missing = new Set([...fans].filter((fan) => !found.has(fan)));
  if (missing.size === 0) return { rows: found, troubles: [] };
  const followers = await fanvue.fetchFollowers();
  return { rows: new Map([...found, ...pick(missing, [followers])]), troubles: troublesOf([followers]) };
}

async function fetchRowsFromLists(fanvue: Fanvue, fans: ReadonlySet<FanId>): Promise<FetchedRows> {
  const lists = await Promise.all([fanvue.fetchSubscribers(), fanvue.fetchFollowers()]);
  return { rows: pick(fans, lists), troubles: troublesOf(lists) };
}

const troublesOf = (lists: readonly RowList[]): readonly string[] =>
  lists.flatMap((list) => (list.known ? [] : [list.why]));

/** Who is on no list is unknown when all lists are whole, else missing: the request failed, not the fan. */
function pick(fans: ReadonlySet<FanId>, lists: readonly RowList[]): Rows {
  const whole = lists.every((list) => list.known);
  const rows = new Map<FanId, Known<Subscriber | Follower>>();
  for (const fan of fans) {
    const row = lists
      .map((list) => (list.known ? list.value.get(fan) : undefined))
      .find((it) => it !== undefined);
    if (row !== undefined) rows.set(fan, { known: true, value: row });
    else if (whole) rows.set(fan, { known: false, why: "neither among the subscribers nor the followers" });
  }
  return rows;
}
