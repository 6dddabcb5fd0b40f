/** Insights of fans (status, spending), many at once. */
import type { z } from "zod";
import type { FanId } from "../ids.ts";
import type { Insight, Known } from "../facts.ts";
import type { Answered, Api, Memory } from "./api.ts";
import { batchShape, bulkShape, insightShape, perFanErrorShape, readShape } from "./shapes.ts";

const scopes = ["read:insights", "read:fan"];
/** https://api.fanvue.com/docs/api-reference: 100 fans for the POST, 20 for the GET. */
const batchSize = 100;
const bulkSize = 20;

export interface Insights {
  /** By fan; one of whom Fanvue tells nothing is unknown, one whose request failed is missing. */
  readonly byFan: ReadonlyMap<FanId, Known<Insight>>;
  /** Why requests failed, if some did. */
  readonly trouble: string | undefined;
}

export interface InsightReader {
  fetch(fans: Iterable<FanId>): Promise<Insights>;
}

/** Asks in the larger way where the host has it, and remembers when it has not. */
export function insightReader(api: Api, memory: Memory, now: () => number): InsightReader {
  /** Undefined: the host has not shown yet whether it has the larger way. */
  let way: "post" | "get" | undefined;

  async function fetchBatch(fans: readonly FanId[]): Promise<Insights> {
    if (way === "get") return fetchInBulk(api, fans, now);
    const call = { method: "POST", path: "/insights/fans/batch" } as const;
    const answer = await api.ask({ ...call, json: { userUuids: fans }, repeatable: true, scopes });
    if (answer.ok || (answer.status !== 404 && answer.status !== 405)) {
      if (answer.ok) way = "post";
      return readBatch(answer, fans, await api.endpoint(call), now());
    }
    await giveUpLargerWay();
    return fetchInBulk(api, fans, now);
  }

  async function giveUpLargerWay(): Promise<void> {
    if (way === "get") return;
    // Before saving, so that of several refused at the same time one saves.
    way = "get";
    await memory.save("bulk_insights", way);
  }

  return {
    async fetch(fans) {
      if (way === undefined && (await memory.load("bulk_insights")) === "get") way = "get";
      const batches = chunks([...new Set(fans)], batchSize);
      // While the way is unknown, one batch alone finds it for all.
      const alone = way === undefined ? 1 : 0;
      const first = await Promise.all(batches.slice(0, alone).map(fetchBatch));
      const rest = await Promise.all(batches.slice(alone).map(fetchBatch));
      return merge([...first, ...rest]);
    },
  };
}

async function fetchInBulk(api: Api, fans: readonly FanId[], now: () => number): Promise<Insights> {
  const call = { path: "/insights/fans", scopes };
  const endpoint = await api.endpoint(call);
  const parts = await Promise.all(
    chunks(fans, bulkSize).map(async (chunk) => {
      const answer = await api.ask({ ...call, query: { fanUuids: chunk.join(",") } });
      return readBulk(answer, chunk, endpoint, now());
    }),
  );
  return merge(parts);
}

const merge = (parts: readonly Insights[]): Insights => ({
  byFan: new Map(parts.flatMap(({ byFan }) => [...byFan])),
  trouble: parts.find(({ trouble }) => trouble !== undefined)?.trouble,
});

function chunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}

const failed = (trouble: string): Insights => ({ byFan: new Map(), trouble });

function readBatch(answer: Answered, fans: readonly FanId[], endpoint: string, nowMs: number): Insights {
  if (!answer.ok) return failed(answer.why);
  const body = readShape(batchShape, answer.body, endpoint);
  if (!body.known) return failed(body.why);
  const byFan = fans.map((fan) => [fan, insightOf(body.value[fan], undefined, endpoint, nowMs)] as const);
  return { byFan: new Map(byFan), trouble: undefined };
}

function readBulk(answer: Answered, fans: readonly FanId[], endpoint: string, nowMs: number): Insights {
  if (!answer.ok) return failed(answer.why);
  const body = readShape(bulkShape, answer.body, endpoint);
  if (!body.known) return failed(body.why);
  const { results } = body.value;
  const codes = new Map((body.value.errors ?? []).map(({ fanUuid, code }) => [fanUuid.toLowerCase(), code]));
  const byFan = fans.map((fan) => [fan, insightOf(results[fan], codes.get(fan), endpoint, nowMs)] as const);
  return { byFan: new Map(byFan), trouble: undefined };
}

/** A fan of whom Fanvue gives no figures has spent an unknown amount, not nothing. */
function insightOf(
  entry: unknown,
  code: string | undefined,
  endpoint: string,
  readAtMs: number,
): Known<Insight> {
  const error = perFanErrorShape.safeParse(entry);
  const refused = error.success ? error.data.error : code;
  if (refused !== undefined) return { known: false, why: refusal(refused) };
  if (entry === undefined || entry === null) {
    return { known: false, why: "Fanvue's answer left this fan out" };
  }
  const insight = readShape(insightShape, entry, endpoint);
  return insight.known ? { known: true, value: toInsight(insight.value, readAtMs) } : insight;
}

function refusal(code: string): string {
  const word = code.toLowerCase().slice(0, 60);
  if (word === "not_found") return "Fanvue knows no such fan of this creator (not_found)";
  return `Fanvue gives no insight of this fan (${word})`;
}

function toInsight(
  { status, spending, subscription }: z.infer<typeof insightShape>,
  readAtMs: number,
): Insight {
  return {
    status,
    // `total` is net of refunds; `gross` is its older name and all that old answers have.
    totalCents: spending?.total?.total ?? spending?.total?.gross,
    lastPurchaseAtMs: spending?.lastPurchaseAt,
    renewsAtMs: subscription?.renewsAt,
    readAtMs,
  };
}
