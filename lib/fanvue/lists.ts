/** Custom and smart lists: reading both, writing custom ones. */
import { z } from "zod";
import type { FanId, ListKey } from "../ids.ts";
import type { Known, ListMembers, ReadList } from "../facts.ts";
import { listKey, type ListRef } from "../model.ts";
import type { Answered, Api } from "./api.ts";
import { walkPages } from "./pages.ts";
import { customListShape, memberShape, readShape, smartListsShape } from "./shapes.ts";

const readScopes = ["read:chat", "read:fan"];
const writeScopes = ["write:chat"];
/** How many members one call may add. https://api.fanvue.com/docs */
export const maxAdded = 100;

/** What Fanvue says of its lists, by lower-case uuid or slug. */
type Listing = ReadonlyMap<string, Pick<ListMembers, "name" | "count">>;

/** Reads lists whole, each with Fanvue's own count; what kind of lists there are is read once. */
export async function fetchLists(
  api: Api,
  lists: Iterable<ListRef>,
): Promise<ReadonlyMap<ListKey, ReadList>> {
  const asked = new Map([...lists].map((list) => [listKey(list), list]));
  const types = new Set([...asked.values()].map(({ type }) => type));
  const [custom, smart] = await Promise.all([
    types.has("custom") ? fetchCustomListing(api) : undefined,
    types.has("smart") ? fetchSmartListing(api) : undefined,
  ]);
  const read = await Promise.all(
    [...asked].map(async ([key, list]) => {
      const listing = list.type === "custom" ? custom : smart;
      return [key, await fetchMembers(api, list, listing)] as const;
    }),
  );
  return new Map(read);
}

async function fetchMembers(api: Api, list: ListRef, listing: Known<Listing> | undefined): Promise<ReadList> {
  if (listing === undefined) throw new Error("what lists there are of this kind was not read");
  if (!listing.known) return listing;
  const id = list.id.toLowerCase();
  const listed = listing.value.get(id);
  if (listed === undefined) {
    return {
      known: false,
      why: `The Fanvue ${list.type} list ${list.id} does not exist`,
      isMissing: true,
    };
  }
  const path = `/chats/lists/${list.type}/${encodeURIComponent(id)}`;
  const rows = await walkPages(api, { path, scopes: readScopes, row: memberShape });
  if (!rows.known) return rows;
  const members = new Set(rows.value.map(({ uuid }) => uuid));
  const handles = new Map(rows.value.flatMap(({ uuid, handle }) => (handle === "" ? [] : [[uuid, handle]])));
  return { known: true, value: { ...listed, members, handles } };
}

export interface CustomList {
  /** Lower case. */
  readonly uuid: string;
  readonly name: string;
  readonly count: number | undefined;
}

/** All custom lists of the creator. */
export async function fetchCustomLists(api: Api): Promise<Known<readonly CustomList[]>> {
  const path = "/chats/lists/custom";
  const rows = await walkPages(api, { path, scopes: readScopes, row: customListShape });
  if (!rows.known) return rows;
  const lists = rows.value.map(({ uuid, name, membersCount }) => ({
    uuid: uuid.toLowerCase(),
    name,
    count: membersCount ?? undefined,
  }));
  return { known: true, value: lists };
}

async function fetchCustomListing(api: Api): Promise<Known<Listing>> {
  const lists = await fetchCustomLists(api);
  if (!lists.known) return lists;
  return { known: true, value: new Map(lists.value.map(({ uuid, name, count }) => [uuid, { name, count }])) };
}

/** Smart lists are a fixed set and come in one answer. */
async function fetchSmartListing(api: Api): Promise<Known<Listing>> {
  const path = "/chats/lists/smart";
  const answer = await api.ask({ path, scopes: readScopes });
  if (!answer.ok) return { known: false, why: answer.why };
  const lists = readShape(smartListsShape, answer.body, await api.endpoint({ path }));
  if (!lists.known) return lists;
  const listed = lists.value.map(
    ({ uuid, count }) => [uuid.toLowerCase(), { count: count ?? undefined }] as const,
  );
  return { known: true, value: new Map(listed) };
}

// ---- Writing ----------------------------------------------------------------------------------------------------

/** A write's end: what Fanvue answered, or why it did not do it. `status` is undefined when no answer came. */
export type Written<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly status: number | undefined; readonly why: string };

const addedShape = z.object({ added: z.number(), skipped: z.number() });

/** Adds up to `maxAdded` fans to a custom list; those who are in it already are skipped, so twice is the same as once. */
export async function addToList(
  api: Api,
  list: ListRef,
  fans: readonly FanId[],
): Promise<Written<{ added: number; skipped: number }>> {
  const call = {
    method: "POST",
    path: `/chats/lists/custom/${encodeURIComponent(list.id)}/members`,
  } as const;
  const answer = await api.ask({ ...call, json: { userUuids: fans }, repeatable: true, scopes: writeScopes });
  return readWritten(addedShape, answer, await api.endpoint(call));
}

/** Removes one fan from a custom list; one who is not in it (404) is fine. */
export async function removeFromList(api: Api, list: ListRef, fan: FanId): Promise<Written<undefined>> {
  const path = `/chats/lists/custom/${encodeURIComponent(list.id)}/members/${fan}`;
  const answer = await api.ask({ method: "DELETE", path, repeatable: true, scopes: writeScopes });
  return answer.ok || answer.status === 404 ? { ok: true, value: undefined } : answer;
}

const createdShape = z.object({ uuid: z.string().min(1) });

/** Creates a custom list and gives its uuid. A list of that name (409) is left to the caller. */
export async function createList(api: Api, name: string): Promise<Written<{ uuid: string }>> {
  const call = { method: "POST", path: "/chats/lists/custom" } as const;
  const answer = await api.ask({ ...call, json: { name }, scopes: writeScopes });
  return readWritten(createdShape, answer, await api.endpoint(call));
}

function readWritten<T>(shape: z.ZodType<T>, answer: Answered, endpoint: string): Written<T> {
  if (!answer.ok) return answer;
  const read = readShape(shape, answer.body, endpoint);
  return read.known ? { ok: true, value: read.value } : { ok: false, status: undefined, why: read.why };
}
