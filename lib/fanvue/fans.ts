/** Subscribers and followers. */
import type { z } from "zod";
import type { FanId } from "../ids.ts";
import type { Follower, Known, Subscriber } from "../facts.ts";
import type { Api } from "./api.ts";
import { walkPages } from "./pages.ts";
import { followerShape, readShape, subscriberShape } from "./shapes.ts";

const scopes = ["read:fan"];
export type OnPage = (rows: number) => void;

/** All whom Fanvue lists as subscribers, in whatever status. The unprefixed generation tells neither status nor dates. */
export async function fetchSubscribers(
  api: Api,
  onPage?: OnPage,
): Promise<Known<ReadonlyMap<FanId, Subscriber>>> {
  const rows = await walkPages(api, { path: "/subscribers", scopes, row: subscriberShape, ...told(onPage) });
  if (!rows.known) return rows;
  return { known: true, value: new Map(rows.value.map((row) => [row.uuid, subscriberOf(row)])) };
}

/** All followers; /v1 counts subscribers among them, the unprefixed generation leaves active subscribers out. */
export async function fetchFollowers(
  api: Api,
  onPage?: OnPage,
): Promise<Known<ReadonlyMap<FanId, Follower>>> {
  const rows = await walkPages(api, { path: "/followers", scopes, row: followerShape, ...told(onPage) });
  if (!rows.known) return rows;
  return { known: true, value: new Map(rows.value.map((row) => [row.uuid, followerOf(row)])) };
}

const told = (onPage: OnPage | undefined) => ({
  isEverywhere: true,
  ...(onPage === undefined ? {} : { onPage }),
});

/** One subscriber, which only /v1 offers. Unknown for whoever is none: that a row is missing proves nothing. */
export async function fetchSubscriber(api: Api, fan: FanId): Promise<Known<Subscriber>> {
  const path = `/subscribers/${fan}`;
  const answer = await api.ask({ path, scopes });
  if (!answer.ok) return { known: false, why: answer.why };
  const row = readShape(subscriberShape, answer.body, await api.endpoint({ path }));
  if (!row.known) return row;
  if (row.value.uuid !== fan) return { known: false, why: `GET ${path} answered for another fan` };
  return { known: true, value: subscriberOf(row.value) };
}

type Row = z.infer<typeof subscriberShape>;

function subscriberOf(row: Row): Subscriber {
  const { subscription } = row;
  return {
    ...followerOf(row),
    status: statusOf(subscription),
    periodEndsAtMs: subscription?.currentPeriodEnd,
    isFree: isFree(subscription),
  };
}

/** Without a subscription the API tells nothing of it; one that is told, but not in what status, may be in any. */
const statusOf = (subscription: Row["subscription"]): string | undefined =>
  subscription === null || subscription === undefined ? undefined : (subscription.status ?? "unknown");

/** Nothing paid or nothing to pay is a free or trial subscription; without figures nobody can tell. */
function isFree(subscription: Row["subscription"]): boolean | undefined {
  const figures = [subscription?.price, subscription?.amountPaid].filter((cents) => cents !== undefined);
  return figures.length === 0 ? undefined : figures.includes(0);
}

const followerOf = ({ handle, displayName, isTopSpender }: Follower): Follower => ({
  handle,
  displayName,
  isTopSpender,
});
