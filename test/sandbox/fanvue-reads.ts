/** The endpoints that read: subscribers, followers, insights, earnings. */
import { z } from "zod";

import type { Call, Endpoint } from "./fanvue-api.ts";
import {
  BadRequest,
  cursorAsk,
  cursorPage,
  keptSorted,
  listBody,
  pathUuid,
  uuidList,
  type Entry,
} from "./fanvue-pages.ts";
import {
  createSpending,
  earningRow,
  fanRow,
  insightOf,
  meBody,
  reversalRow,
  subscriberRow,
} from "./fanvue-rows.ts";
import {
  isReversal,
  isSubscriber,
  type FanvueWorld,
  type SandboxFan,
  type SandboxRow,
} from "./fanvue-world.ts";
import type { Reply } from "./server.ts";

const ok = (body: unknown): Reply => ({ status: 200, body });
export const notFound = (message: string): Reply => ({ status: 404, body: { message } });

const fanEntry = (at: number, fan: SandboxFan): Entry<SandboxFan> => ({ at, id: fan.uuid, item: fan });

function subscriberEndpoints(world: FanvueWorld): Endpoint[] {
  const gather = () =>
    [...world.fans.values()]
      .filter(isSubscriber)
      .map((fan) => fanEntry(fan.subscription?.startedAtMs ?? 0, fan));
  const newestFirst = keptSorted(world, gather);
  const oldestFirst = keptSorted(world, () => gather().map((entry) => ({ ...entry, at: -entry.at })));
  const byName = keptSorted(world, () => gather().map(({ item }) => ({ at: 0, id: item.displayName, item })));

  function order({ generation, request: { query } }: Call) {
    if (generation === "v1") return newestFirst;
    if (query.get("sortField") === "name") return byName;
    return query.get("sortDirection") === "asc" ? oldestFirst : newestFirst;
  }
  return [
    {
      on: "GET /subscribers",
      scopes: ["read:fan"],
      answer: (call) =>
        ok(
          listBody(
            call.request,
            call.generation,
            order(call),
            call.generation === "v1" ? subscriberRow : fanRow,
          ),
        ),
    },
    {
      on: "GET /subscribers/:fan",
      only: "v1",
      scopes: ["read:fan"],
      answer({ parameters }) {
        const fan = world.fans.get(pathUuid(parameters[0]));
        if (fan === undefined || !isSubscriber(fan)) return notFound("Subscriber not found");
        return ok(subscriberRow(fan));
      },
    },
  ];
}

function followerEndpoint(world: FanvueWorld): Endpoint {
  const gather = (withSubscribers: boolean) =>
    [...world.fans.values()]
      .filter((fan) => fan.followsSinceMs !== undefined && (withSubscribers || !isSubscriber(fan)))
      .map((fan) => fanEntry(fan.followsSinceMs ?? 0, fan));
  const all = keptSorted(world, () => gather(true));
  const withoutSubscribers = keptSorted(world, () => gather(false));
  return {
    on: "GET /followers",
    scopes: ["read:fan"],
    answer: ({ request, generation }) =>
      ok(listBody(request, generation, generation === "v1" ? all : withoutSubscribers, fanRow)),
  };
}

const batchBody = z.object({ userUuids: z.array(z.string()) });

function insightEndpoints(world: FanvueWorld): Endpoint[] {
  const spending = createSpending(world);
  const scopes = ["read:insights", "read:fan"];
  const insight = (uuid: string, { generation }: Call) => {
    const fan = world.fans.get(uuid);
    return fan === undefined ? undefined : insightOf(spending, fan, generation);
  };

  return [
    {
      on: "GET /insights/fans",
      scopes,
      answer(call) {
        const asked = (call.request.query.get("fanUuids") ?? "").split(",").filter((uuid) => uuid !== "");
        const uuids = uuidList(asked, "fanUuids", 20);
        const results = Object.fromEntries(uuids.map((uuid) => [uuid, insight(uuid, call) ?? null]));
        const errors = uuids
          .filter((uuid) => results[uuid] === null)
          .map((fanUuid) => ({ fanUuid, code: "NOT_FOUND", message: "Fan not found" }));
        return ok({ results, errors });
      },
    },
    {
      on: "POST /insights/fans/batch",
      only: "unprefixed",
      scopes,
      answer(call) {
        const body = batchBody.safeParse(call.request.json);
        if (!body.success) throw new BadRequest({ errors: ["userUuids must be an array of UUIDs"] });
        const uuids = uuidList(body.data.userUuids, "userUuids", 100);
        return ok(
          Object.fromEntries(uuids.map((uuid) => [uuid, insight(uuid, call) ?? { error: "not_found" }])),
        );
      },
    },
    {
      on: "GET /insights/fans/:fan",
      scopes,
      answer(call) {
        const found = insight(pathUuid(call.parameters[0]), call);
        return found === undefined ? notFound("Fan not found") : ok(found);
      },
    },
    {
      on: "GET /insights/top-spenders",
      only: "unprefixed",
      scopes,
      answer({ request, generation }) {
        const spenders = () =>
          [...world.fans.values()]
            .map((fan) => fanEntry(spending.totalCents(fan), fan))
            .filter(({ at }) => at > 0)
            .sort((a, b) => b.at - a.at);
        return ok(
          listBody(request, generation, spenders, (fan) => {
            const gross = spending.totalCents(fan);
            return { gross, net: Math.round(gross * 0.8), messages: 0, user: fanRow(fan) };
          }),
        );
      },
    },
  ];
}

const paymentSources = [
  "affiliate",
  "appStore",
  "checkoutLink",
  "fanExperience",
  "giveaway",
  "mediaLink",
  "message",
  "post",
  "referral",
  "renewal",
  "subscription",
  "tip",
];
const reversalSources = ["refund", "chargeback"];

function earningsEndpoints(world: FanvueWorld): Endpoint[] {
  let kept: { readonly version: number; readonly entries: readonly Entry<SandboxRow>[] } | undefined;
  const gather = keptSorted(world, () =>
    // Of two rows of one instant the later is the newer.
    world.earnings.map((row) => ({
      at: row.dateMs,
      id: String(1_000_000_000 - row.seq).padStart(10, "0"),
      item: row,
    })),
  );
  /** The ledger is append only and its dates are fixed, so a new walk needs no new order. */
  function rows(): readonly Entry<SandboxRow>[] {
    const isCurrent = kept?.version === world.version && kept.entries.length === world.earnings.length;
    if (kept === undefined || !isCurrent) kept = { version: world.version, entries: gather(true) };
    return kept.entries;
  }

  interface Shelf {
    /** The words that `source` may be asked for. */
    readonly sources: readonly string[];
    readonly holds: (row: SandboxRow) => boolean;
    readonly show: (row: SandboxRow) => unknown;
  }
  function page(call: Call, shelf: Shelf): Reply {
    const ask = cursorAsk(call.request, 20);
    const unknown = ask.sources.find((source) => source !== "all" && !shelf.sources.includes(source));
    if (unknown !== undefined) throw new BadRequest({ errors: [`source must not be ${unknown}`] });
    const all = ask.sources.length === 0 || ask.sources.includes("all");
    const matches = (row: SandboxRow) => shelf.holds(row) && (all || ask.sources.includes(row.source));
    const { items, nextCursor } = cursorPage(rows(), ask, matches);
    return ok({ data: items.map(shelf.show), nextCursor });
  }
  /** Reversals stand in v1's earnings; the older generation keeps them apart. */
  const earnings = (call: Call): Shelf => ({
    sources: call.generation === "v1" ? [...paymentSources, ...reversalSources] : paymentSources,
    holds: (row) => call.generation === "v1" || !isReversal(row),
    show: (row) => earningRow(world, row, call.generation),
  });
  const reversals = (): Shelf => ({
    sources: reversalSources,
    holds: isReversal,
    show: (row) => reversalRow(world, row),
  });
  return [
    {
      on: "GET /insights/earnings",
      scopes: ["read:insights"],
      answer: (call) => page(call, earnings(call)),
    },
    {
      on: "GET /insights/spending",
      only: "unprefixed",
      scopes: ["read:insights"],
      answer: (call) => page(call, reversals()),
    },
  ];
}

export const readEndpoints = (world: FanvueWorld): Endpoint[] => [
  {
    on: "GET /users/me",
    scopes: ["read:self"],
    fansToo: true,
    answer: ({ user }) => ok(meBody(world, user)),
  },
  ...subscriberEndpoints(world),
  followerEndpoint(world),
  ...insightEndpoints(world),
  ...earningsEndpoints(world),
];
