/** Custom lists on Fanvue as places, and fans as their members. */
import { parseFanId, type Account, type FanId, type ListId, type PlaceId } from "../ids.ts";
import { isMissing, type ReadList } from "../facts.ts";
import {
  listInWords,
  listKey,
  type ListRef,
  type NamedList,
  type Place,
  type PlaceState,
  type Reason,
  type Standing,
  type Step,
} from "../model.ts";
import type { Outcome, Target } from "../target.ts";
import type { Fanvue } from "./client.ts";
import { createListWriter } from "./list-writer.ts";
import { maxAdded } from "./lists.ts";

type Lists = Pick<Fanvue, "fetchList" | "fetchLists" | "addToList" | "removeFromList" | "clockSkewMs">;

/** Opens the creator's lists. Requests are counted by `fanvue`, so that the target itself tells of none. */
export function openListTarget(fanvue: Lists, { signal }: { readonly signal: AbortSignal }): Target {
  return {
    name: "fanvue-lists",
    async read(places, _linked, { onRecord, unsettled } = {}) {
      const lists = await fanvue.fetchLists(places.map(listOf).filter((list) => list.type !== "named"));
      signal.throwIfAborted();
      return new Map(
        places.map((place) => {
          const list = listOf(place);
          const read = lists.get(listKey(list));
          const ours = [onRecord, unsettled].flatMap((since) => [...(since?.get(place)?.keys() ?? [])]);
          return [place, stateOf({ place, list, read, ours })];
        }),
      );
    },
    perform: (steps) => performAll(steps, fanvue, signal),
    verify: (done) => verify(done, fanvue),
    requests: () => 0,
    clockSkewMs: () => fanvue.clockSkewMs(),
  };
}

/** A place that the config no longer names is known by the list's own id. */
const listOf = ({ id, mirrors }: Place): ListRef | NamedList =>
  mirrors?.list ?? { type: "custom", id: id as ListId };

const customList = (placeId: PlaceId): ListRef => ({ type: "custom", id: placeId as string as ListId });

// ---- Reading ----------------------------------------------------------------------------------------------------

interface About {
  readonly place: Place;
  readonly list: ListRef | NamedList;
  readonly read: ReadList | undefined;
  /** Who is there on record, or may have been put there. */
  readonly ours: readonly Account[];
}

function stateOf({ place, list, read, ours }: About): PlaceState {
  if (list.type === "named") return notFound(place, list);
  if (read?.known !== true) return { unreadable: notRead(read) };
  const { members, count, name, handles } = read.value;
  const standings = new Map<Account, Standing>([...members].map((fan) => [fan, { is: "in" }]));
  const isWhole = count === members.size;
  // Whom Fanvue counts and does not show may be anybody: of those who are ours, nobody is taken for gone.
  const hidden: Standing = { is: "unknown", because: "Fanvue does not show all who are on the list" };
  if (!isWhole) for (const fan of ours) if (!standings.has(fan)) standings.set(fan, hidden);
  return {
    placeId: list.id as string as PlaceId,
    name: name ?? place.id,
    members: standings,
    coverage: "everybody",
    handles: handles ?? new Map(),
    warnings: isWhole
      ? []
      : [
          count === undefined
            ? "Fanvue does not tell how many fans are on this list. Who is not shown there is not taken for gone."
            : `Fanvue counts ${count} fans on this list and shows ${members.size}. Who is missing keeps their place.`,
        ],
  };
}

const notRead = (read: Exclude<ReadList, { known: true }> | undefined): Reason =>
  read !== undefined && isMissing(read)
    ? {
        because: `${read.why}.`,
        remedy: "Put the uuid of an existing list into the config.",
        isGone: true,
      }
    : {
        because: `${read?.why ?? "The list was not asked for"}.`,
        remedy: "Nothing was changed there; the next run tries again.",
        isPassing: true,
      };

/** A list that is yet to be made is empty; a run that writes makes it before it reads. */
function notFound({ mirrors }: Place, list: NamedList): PlaceState {
  if (mirrors?.makes !== true)
    return {
      unreadable: {
        because: `The ${listInWords(list)} was not found on Fanvue.`,
        remedy: "Correct its name in the config.",
      },
    };
  return {
    placeId: `to be made: ${list.id}` as PlaceId,
    name: list.id,
    members: new Map(),
    coverage: "everybody",
    warnings: [`Fanvue has no ${listInWords(list)} yet: a run without --dry-run makes it.`],
  };
}

// ---- Writing ----------------------------------------------------------------------------------------------------

/** Once the signal is aborted, nothing more is pulled; what is under way is waited for. */
async function* performAll(
  steps: AsyncIterable<Step>,
  fanvue: Lists,
  signal: AbortSignal,
): AsyncGenerator<Outcome> {
  const writer = createListWriter(fanvue);
  for await (const batch of batches(steps)) {
    const [first] = batch;
    const list = customList(first.placeId);
    yield* first.verb === "grant" ? writer.add(list, batch) : writer.remove(list, first);
    if (signal.aborted) return;
  }
}

type Batch = readonly [Step, ...Step[]];

/** Grants in one list go together, in their order; removals go one by one. */
export async function* batches(steps: AsyncIterable<Step>): AsyncGenerator<Batch, void, undefined> {
  let batch: [Step, ...Step[]] | undefined;
  for await (const step of steps) {
    const joins =
      batch !== undefined &&
      batch.length < maxAdded &&
      batch[0].verb === "grant" &&
      step.verb === "grant" &&
      batch[0].placeId === step.placeId;
    if (joins) {
      batch?.push(step);
      continue;
    }
    if (batch !== undefined) yield batch;
    batch = [step];
  }
  if (batch !== undefined) yield batch;
}

// ---- Reading again ----------------------------------------------------------------------------------------------

/** Reads the lists once more. Whom a list does not show though it may hold them is taken at Fanvue's word. */
async function verify(done: readonly Step[], fanvue: Lists): Promise<ReadonlyMap<Step, string>> {
  const ids = [...new Set(done.map(({ placeId }) => placeId))];
  const lists = await fanvue.fetchLists(ids.map(customList));
  const amiss = new Map<Step, string>();
  for (const step of done) {
    const read = lists.get(listKey(customList(step.placeId)));
    const fan = parseFanId(step.account);
    if (read?.known !== true || fan === undefined) continue;
    const sentence = amissIn(step, fan, read.value);
    if (sentence !== undefined) amiss.set(step, sentence);
  }
  return amiss;
}

function amissIn(
  { verb }: Step,
  fan: FanId,
  { members, count }: Extract<ReadList, { known: true }>["value"],
): string | undefined {
  if (members.has(fan))
    return verb === "grant" ? undefined : "Fanvue said yes, but shows the fan on the list still, or again.";
  const isWhole = count === members.size;
  return verb === "grant" && isWhole ? "Fanvue said yes, but does not show the fan on the list." : undefined;
}
