/** The saved snapshot as facts, for those who ask without reading Fanvue. */
import type { Sql } from "../db.ts";
import type { Facts, ReadList } from "../facts.ts";
import type { FanId, ListKey } from "../ids.ts";
import { unlocksFrom } from "../ledger.ts";
import { loadEarningsOf } from "../store/earnings.ts";
import { loadInsights, loadSnapshot, type StoredSnapshot } from "../store/snapshot.ts";
import { covers, type Needs } from "./needs.ts";

const unlocksOnly: Needs = {
  subscribers: false,
  followers: false,
  insights: false,
  unlocks: true,
  lists: new Map(),
};
const notRead = { known: false, why: "the last snapshot does not hold it" } as const;

/** The lists of a stored snapshot, those that there were and those that there were not. */
export const listsIn = ({ lists }: Pick<StoredSnapshot, "lists">): ReadonlyMap<ListKey, ReadList> =>
  new Map(
    [...lists].map(([key, told]): [ListKey, ReadList] => [
      key,
      told === "missing"
        ? { known: false, why: `The Fanvue list ${key} does not exist`, isMissing: true }
        : { known: true, value: told },
    ]),
  );

/** What the newest snapshot says of these fans, and of nobody else; undefined where there is none. */
export function loadFacts(sql: Sql, fans: readonly FanId[]): Facts | undefined {
  const stored = loadSnapshot(sql, fans);
  if (stored === undefined) return undefined;
  const { endedAtMs, needsKey, subscribers, followers } = stored;
  return {
    readAtMs: endedAtMs,
    subscribers: subscribers === undefined ? notRead : { known: true, value: subscribers },
    followers: followers === undefined ? notRead : { known: true, value: followers.byFan },
    insights: loadInsights(sql, fans),
    lists: listsIn(stored),
    unlocks: covers(needsKey, unlocksOnly)
      ? { known: true, value: unlocksFrom(loadEarningsOf(sql, fans)) }
      : notRead,
  };
}
