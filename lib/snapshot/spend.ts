/**
 * What linked fans have spent: Fanvue's own figure of each, read again only where the ledger says that it changed, and
 * once a week.
 */
import type { Database } from "../db.ts";
import { dayMs } from "../durations.ts";
import type { Fanvue, Insights } from "../fanvue/client.ts";
import { type NewestRows, newestByFan } from "../ledger.ts";
import type { FanId } from "../ids.ts";
import type { Insight, Known } from "../facts.ts";
import { loadInsights, saveInsights } from "../store/snapshot.ts";
import type { Ledger } from "./earnings.ts";

export interface Spend {
  readonly insights: ReadonlyMap<FanId, Insight>;
  /** Why some could not be asked for. */
  readonly trouble: string | undefined;
}

interface SpendAsk {
  readonly fanvue: Fanvue;
  readonly database: Database;
  readonly fans: ReadonlySet<FanId>;
  readonly ledger: Ledger;
  readonly save: boolean;
  readonly nowMs: number;
}

const maxAgeMs = 7 * dayMs;
/** The two sources of dates may round differently. */
const roundingMs = 1000;
/** A reversal may show in the figure a while after its date. */
const settlingMs = 10 * 60 * 1000;

/** The figures of these fans, from the cache where the ledger bears it out, else asked for in bulk. */
export async function readSpend(ask: SpendAsk): Promise<Spend> {
  const { fanvue, database, fans, ledger } = ask;
  const cached = await database.read(loadInsights);
  const newest = newestByFan(ledger.rows);
  const changed = new Set(ledger.added.map(({ fan }) => fan));
  const stale = [...fans].filter(
    (fan) => changed.has(fan) || !isCurrent(cached.get(fan), newest.get(fan), ask.nowMs),
  );
  const none: Insights = { byFan: new Map(), trouble: undefined };
  const { byFan, trouble } = stale.length === 0 ? none : await fanvue.fetchInsights(stale);

  const insights = new Map<FanId, Insight>();
  const asked = new Set(stale);
  for (const fan of fans) {
    const insight = asked.has(fan) ? valueOf(byFan.get(fan)) : cached.get(fan);
    if (insight !== undefined) insights.set(fan, insight);
  }
  const worthKeeping = stale.flatMap((fan) => {
    const insight = insights.get(fan);
    return insight !== undefined && coversLedger(insight, newest.get(fan)) ? [[fan, insight] as const] : [];
  });
  if (ask.save && worthKeeping.length > 0) {
    await database.write((sql) => {
      saveInsights(sql, new Map(worthKeeping));
    });
  }
  return { insights, trouble };
}

const valueOf = <T>(read: Known<T> | undefined): T | undefined =>
  read?.known === true ? read.value : undefined;

function isCurrent(insight: Insight | undefined, newest: NewestRows | undefined, nowMs: number): boolean {
  if (insight === undefined || nowMs - insight.readAtMs > maxAgeMs) return false;
  return coversLedger(insight, newest);
}

/** Whether the figure already holds the fan's newest rows: Fanvue's ledger and its figures need not agree at once. */
function coversLedger(insight: Insight, newest: NewestRows | undefined): boolean {
  if (insight.totalCents === undefined) return false;
  const { purchaseAtMs, otherAtMs } = newest ?? {};
  if (purchaseAtMs !== undefined && (insight.lastPurchaseAtMs ?? -Infinity) + roundingMs < purchaseAtMs) {
    return false;
  }
  return otherAtMs === undefined || insight.readAtMs > otherAtMs + settlingMs;
}
