/** What Fanvue says, as cases write it: only what matters is written, all else is an ordinary fan's. */
import { z } from "zod";
import { parseContentId, type ContentId, type FanId, type ListKey } from "../../lib/ids.ts";
import type {
  Evidence,
  Facts,
  Follower,
  Insight,
  Known,
  ListMembers,
  Subscriber,
  Unlock,
} from "../../lib/facts.ts";
import type { Verdict } from "../../lib/model.ts";
import { fanOf, nameOfFan, time } from "./load.ts";

const unreadable = z.strictObject({ unreadable: z.string() });
const known = <Value>(value: Value): Known<Value> => ({ known: true, value });
const unknown = <Value>(why: string): Known<Value> => ({ known: false, why });

const byFan = <In, Out>(record: Record<string, In>, make: (value: In) => Out): ReadonlyMap<FanId, Out> =>
  new Map(Object.entries(record).map(([name, value]) => [fanOf(name), make(value)]));

const person = {
  handle: z.string().default("someone"),
  displayName: z.string().default("Someone"),
  isTopSpender: z.boolean().default(false),
};
const subscriberSchema = z
  .strictObject({
    ...person,
    status: z.string().optional(),
    periodEndsAtMs: time.optional(),
    isFree: z.boolean().optional(),
  })
  .transform((row): Subscriber => ({
    ...row,
    status: row.status,
    periodEndsAtMs: row.periodEndsAtMs,
    isFree: row.isFree,
  }));
const followerSchema = z.strictObject({ ...person, follows: z.literal(true) });
const insightSchema = z
  .strictObject({
    status: z.string().default("subscriber"),
    totalCents: z.number().optional(),
    renewsAtMs: time.optional(),
  })
  .transform(({ status, totalCents, renewsAtMs }): Insight => ({
    status,
    totalCents,
    renewsAtMs,
    lastPurchaseAtMs: undefined,
    readAtMs: 0,
  }));
const listSchema = z
  .strictObject({ members: z.array(z.string()), count: z.number().optional() })
  .transform(({ members, count }): ListMembers => ({ members: new Set(members.map(fanOf)), count }));

const rowSchema = z.union([
  unreadable.transform((it) => unknown<Subscriber | Follower>(it.unreadable)),
  followerSchema.transform(({ handle, displayName, isTopSpender }) =>
    known<Subscriber | Follower>({ handle, displayName, isTopSpender }),
  ),
  subscriberSchema.transform((row) => known<Subscriber | Follower>(row)),
]);
const listsSchema = z
  .record(
    z.string(),
    z.union([
      unreadable.transform((it) => unknown<ListMembers>(it.unreadable)),
      listSchema.transform((list) => known(list)),
    ]),
  )
  .transform(
    (lists): ReadonlyMap<ListKey, Known<ListMembers>> =>
      new Map(Object.entries(lists).map(([key, list]) => [key as ListKey, list])),
  );

const contentOf = (id: string): ContentId => {
  const content = parseContentId(id);
  if (content === undefined) throw new Error(`not a content: ${id}`);
  return content;
};

export const factsSchema = z
  .strictObject({
    subscribers: z
      .union([unreadable, z.record(z.string(), subscriberSchema)])
      .default({ unreadable: "the subscribers were not read" }),
    followers: z
      .union([unreadable, z.record(z.string(), z.strictObject(person))])
      .default({ unreadable: "the followers were not read" }),
    insights: z.record(z.string(), insightSchema).default({}),
    lists: listsSchema.prefault({}),
    unlocks: z
      .union([
        unreadable,
        z.record(z.string(), z.record(z.string(), z.enum(["bought", "reversed", "ambiguous"]))),
      ])
      .default({ unreadable: "the ledger was not read" }),
  })
  .transform(({ subscribers, followers, insights, lists, unlocks }): Facts => ({
    readAtMs: 0,
    subscribers: isUnreadable(subscribers)
      ? unknown(subscribers.unreadable)
      : known(byFan(subscribers, (row) => row)),
    followers: isUnreadable(followers)
      ? unknown(followers.unreadable)
      : known(byFan(followers, (row): Follower => row)),
    insights: byFan(insights, (insight) => insight),
    lists,
    unlocks: isUnreadable(unlocks)
      ? unknown(unlocks.unreadable)
      : known(
          new Map(
            Object.entries(unlocks).map(([id, fans]) => [
              contentOf(id),
              byFan(fans, (unlock): Unlock => unlock),
            ]),
          ),
        ),
  }));

const isUnreadable = (value: object): value is { unreadable: string } =>
  "unreadable" in value && typeof value.unreadable === "string";

export const evidenceSchema = z
  .strictObject({
    insights: z
      .record(
        z.string(),
        z.union([
          unreadable.transform((it) => unknown<Insight>(it.unreadable)),
          insightSchema.transform((insight) => known(insight)),
        ]),
      )
      .default({}),
    rows: z.record(z.string(), rowSchema).default({}),
    lists: listsSchema.prefault({}),
  })
  .transform(({ insights, rows, lists }): Evidence => ({
    readAtMs: 0,
    insights: byFan(insights, (insight) => insight),
    rows: byFan(rows, (row) => row),
    lists,
  }));

/** "yes: subscriber until 9 Dec 2026 · by: subscription · ends 2026-12-09": all that a verdict says, in a line. */
export function showVerdict(verdict: Verdict): string {
  const day = (timeMs: number) => new Date(timeMs).toISOString().replace("T00:00:00.000Z", "");
  const marks = {
    yes: (it: Verdict & { is: "yes" }) => [
      `by: ${it.basis.join(", ")}`,
      ...(it.endsAtMs === undefined ? [] : [`ends ${day(it.endsAtMs)}`]),
    ],
    no: (it: Verdict & { is: "no" }) => [
      ...(it.endedAtMs === undefined ? [] : [`ended ${day(it.endedAtMs)}`]),
      ...(it.requested === true ? ["requested"] : []),
    ],
    unknown: (it: Verdict & { is: "unknown" }) =>
      it.unreadableFans === undefined ? [] : [`unreadable: ${it.unreadableFans.map(nameOfFan).join(", ")}`],
  };
  const said =
    verdict.is === "yes"
      ? marks.yes(verdict)
      : verdict.is === "no"
        ? marks.no(verdict)
        : marks.unknown(verdict);
  return [`${verdict.is}: ${verdict.because}`, ...said].join(" · ");
}
