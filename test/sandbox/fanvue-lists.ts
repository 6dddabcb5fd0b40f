/** The endpoints of custom lists and smart lists. */
import { z } from "zod";

import type { Endpoint, FanvueQuirks } from "./fanvue-api.ts";
import { BadRequest, keptSorted, listBody, pathUuid, uuidList, type Entry } from "./fanvue-pages.ts";
import { notFound } from "./fanvue-reads.ts";
import { createSpending, memberRow } from "./fanvue-rows.ts";
import { isSubscriber, type FanvueWorld, type SandboxFan, type SandboxList } from "./fanvue-world.ts";
import type { Reply } from "./server.ts";

const noContent: Reply = { status: 204 };
const listNotFound = () => notFound("Custom list not found");
const sameName: Reply = { status: 409, body: { message: "A list with this name already exists" } };
const readScopes = ["read:chat", "read:fan"];
const writeScopes = ["write:chat"];

const memberEntry = (fan: SandboxFan): Entry<SandboxFan> => ({ at: 0, id: fan.uuid, item: fan });

const nameBody = z.object({ name: z.string().min(1).max(100) });
const membersBody = z.object({ userUuids: z.array(z.string()) });

function nameOf(json: unknown): string {
  const body = nameBody.safeParse(json);
  if (!body.success) throw new BadRequest({ errors: ["name must be a string of 1 to 100 characters"] });
  return body.data.name;
}

const fansOf = (world: FanvueWorld, list: SandboxList): SandboxFan[] =>
  [...list.members].flatMap((uuid) => world.fans.get(uuid) ?? []);

function customListReads(world: FanvueWorld): Endpoint[] {
  const lists = keptSorted(world, () =>
    [...world.customLists.values()].map((list) => ({ at: list.createdAtMs, id: list.uuid, item: list })),
  );
  const members = new Map<string, ReturnType<typeof keptSorted<SandboxFan>>>();
  function membersOf(list: SandboxList) {
    const known = members.get(list.uuid) ?? keptSorted(world, () => fansOf(world, list).map(memberEntry));
    members.set(list.uuid, known);
    return known;
  }

  return [
    {
      on: "GET /chats/lists/custom",
      scopes: readScopes,
      answer: ({ request, generation }) => ({
        status: 200,
        body: listBody(request, generation, lists, (list) => ({
          uuid: list.uuid,
          name: list.name,
          membersCount: list.claimedCount ?? fansOf(world, list).length,
          createdAt: new Date(list.createdAtMs).toISOString(),
        })),
      }),
    },
    {
      on: "GET /chats/lists/custom/:list",
      scopes: readScopes,
      answer({ request, generation, parameters }) {
        const list = world.customLists.get(pathUuid(parameters[0]));
        if (list === undefined) return listNotFound();
        return { status: 200, body: listBody(request, generation, membersOf(list), memberRow) };
      },
    },
  ];
}

function customListWrites(world: FanvueWorld): Endpoint[] {
  const isTaken = (name: string, except?: SandboxList) =>
    world.customLists.values().some((list) => list.name === name && list !== except);

  return [
    {
      on: "POST /chats/lists/custom",
      scopes: writeScopes,
      answer({ request }) {
        const name = nameOf(request.json);
        if (isTaken(name)) return sameName;
        const { uuid, createdAtMs } = world.createList(name);
        return { status: 201, body: { uuid, name, createdAt: new Date(createdAtMs).toISOString() } };
      },
    },
    {
      on: "PATCH /chats/lists/custom/:list",
      scopes: writeScopes,
      answer({ request, parameters }) {
        const list = world.customLists.get(pathUuid(parameters[0]));
        const name = nameOf(request.json);
        if (list === undefined) return listNotFound();
        if (isTaken(name, list)) return sameName;
        list.name = name;
        world.touch();
        return noContent;
      },
    },
    {
      on: "DELETE /chats/lists/custom/:list",
      scopes: writeScopes,
      answer({ parameters }) {
        if (!world.customLists.delete(pathUuid(parameters[0]))) return listNotFound();
        world.touch();
        return noContent;
      },
    },
  ];
}

function memberWrites(world: FanvueWorld, quirks: FanvueQuirks): Endpoint[] {
  return [
    {
      on: "POST /chats/lists/custom/:list/members",
      scopes: writeScopes,
      answer({ request, parameters }) {
        const list = world.customLists.get(pathUuid(parameters[0]));
        const body = membersBody.safeParse(request.json);
        if (!body.success) throw new BadRequest({ errors: ["userUuids must be an array of UUIDs"] });
        const uuids = uuidList(body.data.userUuids, "userUuids", 100);
        if (list === undefined) return listNotFound();
        const known = uuids.filter((uuid) => world.fans.has(uuid));
        if (quirks.unknownFansInAdd === "refuse" && known.length < uuids.length)
          throw new BadRequest({ errors: ["userUuids contains unknown users"] });
        const before = list.members.size;
        for (const uuid of known) list.members.add(uuid);
        world.touch();
        const added = list.members.size - before;
        return { status: 201, body: { added, skipped: uuids.length - added } };
      },
    },
    {
      on: "DELETE /chats/lists/custom/:list/members/:fan",
      scopes: writeScopes,
      answer({ parameters }) {
        const list = world.customLists.get(pathUuid(parameters[0]));
        const removed = list?.members.delete(pathUuid(parameters[1])) ?? false;
        if (!removed) return notFound("Custom list or member not found");
        world.touch();
        return noContent;
      },
    },
  ];
}

interface SmartList {
  readonly slug: string;
  readonly name: string;
  readonly holds: (fan: SandboxFan) => boolean;
}

function smartLists(world: FanvueWorld): readonly SmartList[] {
  const spending = createSpending(world);
  const renews = (fan: SandboxFan) => fan.subscription?.autoRenew === true;
  return [
    { slug: "subscribers", name: "Subscribers", holds: isSubscriber },
    { slug: "auto_renewing", name: "Auto-renewing", holds: (fan) => isSubscriber(fan) && renews(fan) },
    { slug: "non_renewing", name: "Non-renewing", holds: (fan) => isSubscriber(fan) && !renews(fan) },
    {
      slug: "followers",
      name: "Followers",
      holds: (fan) => fan.followsSinceMs !== undefined && !isSubscriber(fan),
    },
    {
      slug: "free_trial_subscribers",
      name: "Free trial subscribers",
      holds: (fan) => isSubscriber(fan) && fan.subscription?.paidCents === 0,
    },
    {
      slug: "expired_subscribers",
      name: "Expired subscribers",
      holds: (fan) => fan.subscription !== undefined && !isSubscriber(fan),
    },
    {
      slug: "spent_more_than_50",
      name: "Spent more than $50",
      holds: (fan) => spending.totalCents(fan) > 5000,
    },
    { slug: "muted", name: "Muted", holds: (fan) => fan.muted },
  ];
}

function smartListEndpoints(world: FanvueWorld): Endpoint[] {
  const common = smartLists(world);
  const creators: SmartList = { slug: "creators", name: "Creators", holds: (fan) => fan.isCreator };
  const listsOf = (generation: string) => (generation === "v1" ? [...common, creators] : common);
  /** Smart lists show only whom the creator can write to. */
  const gather = (list: SmartList) =>
    [...world.fans.values()].filter((fan) => fan.contactable && list.holds(fan)).map(memberEntry);
  const members = new Map(
    [...common, creators].map((list) => [list.slug, keptSorted(world, () => gather(list))]),
  );

  return [
    {
      on: "GET /chats/lists/smart",
      scopes: readScopes,
      answer({ generation }) {
        const rows = listsOf(generation).map((list) => ({
          name: list.name,
          uuid: list.slug,
          count: members.get(list.slug)?.(true).length ?? 0,
        }));
        return { status: 200, body: generation === "v1" ? { data: rows } : rows };
      },
    },
    {
      on: "GET /chats/lists/smart/:slug",
      scopes: readScopes,
      answer({ request, generation, parameters }) {
        const list = listsOf(generation).find(({ slug }) => slug === parameters[0]);
        const entries = list === undefined ? undefined : members.get(list.slug);
        if (entries === undefined)
          throw new BadRequest({ errors: ["uuid must be one of the smart list ids"] });
        const body = listBody(request, generation, entries, memberRow);
        return { status: 200, body: generation === "v1" ? { ...body, total: null } : body };
      },
    },
  ];
}

export const listEndpoints = (world: FanvueWorld, quirks: FanvueQuirks): Endpoint[] => [
  ...customListReads(world),
  ...customListWrites(world),
  ...memberWrites(world, quirks),
  ...smartListEndpoints(world),
];
