/** Finds the Fanvue lists that the config knows by their names, and makes those that are to be made. */
import { z } from "zod";
import { conflictsIn } from "./config/list-conflicts.ts";
import { mirrorPlaces } from "./config/list-sync.ts";
import type { Config, ListSync } from "./config/shape.ts";
import type { Database } from "./db.ts";
import type { Known } from "./facts.ts";
import type { CustomList, Fanvue } from "./fanvue/client.ts";
import { type ListId, parseListId } from "./ids.ts";
import type { ListRef, NamedList, Place, Reason } from "./model.ts";
import { nearest } from "./nearest.ts";
import { loadMeta, saveMeta } from "./store/meta.ts";

export interface LocateAsk {
  readonly fanvue: Pick<Fanvue, "fetchCustomLists" | "createList">;
  readonly database: Database;
  /** False, as in a dry run: no list is made, and nothing is stored. */
  readonly save: boolean;
  readonly maxAgeMs: number;
  readonly now: () => number;
}

export interface LocatedLists {
  /** The config with ids in the place of the names that were found. */
  readonly config: Config;
  /** By entry of list_sync, why nobody can be looked after there. */
  readonly troubles: ReadonlyMap<string, Reason>;
}

/**
 * Asks Fanvue for the names once for all scripts of a chain; where it does not answer, what was found before holds.
 * Throws SourceError when the authorization is dead or Fanvue was never reached.
 */
export async function locateLists(config: Config, ask: LocateAsk): Promise<LocatedLists> {
  const named = config.listSync.filter(({ list }) => list.type === "named");
  if (named.length === 0) return { config, troubles: new Map() };
  const { ids, troubles } = await findIds(named, ask);
  const located = withIds(config, ids);
  return { config: located, troubles: new Map([...conflictsOf(located), ...troubles]) };
}

// ---- Names ------------------------------------------------------------------------------------------------------

type Ids = ReadonlyMap<string, ListId>;

interface Found {
  readonly ids: Ids;
  readonly troubles: ReadonlyMap<string, Reason>;
}

const memoryKey = "list_ids";
const memoryShape = z.object({ atMs: z.number(), ids: z.record(z.string(), z.string()) });

async function findIds(entries: readonly ListSync[], ask: LocateAsk): Promise<Found> {
  const { database, save, maxAgeMs, now } = ask;
  const known = await database.read((sql) => {
    const text = loadMeta(sql, memoryKey);
    return text === undefined ? undefined : memoryShape.parse(JSON.parse(text));
  });
  const before = toIds(known?.ids ?? {});
  const ageMs = known === undefined ? Infinity : now() - known.atMs;
  const isFresh = ageMs >= 0 && ageMs < maxAgeMs;
  if (isFresh && entries.every(({ list }) => before.has(list.id)))
    return { ids: before, troubles: new Map() };
  const lists = await ask.fanvue.fetchCustomLists();
  if (!lists.known) return onlyKnownBefore(entries, before, lists.why);
  const found = await findEach(entries, lists.value, ask);
  if (save)
    await database.write((sql) => {
      saveMeta(sql, memoryKey, JSON.stringify({ atMs: now(), ids: Object.fromEntries(found.ids) }));
    });
  return found;
}

const toIds = (ids: Readonly<Record<string, string>>): Ids =>
  new Map(
    Object.entries(ids).flatMap(([name, text]) => {
      const id = parseListId(text);
      return id === undefined ? [] : [[name, id]];
    }),
  );

function onlyKnownBefore(entries: readonly ListSync[], before: Ids, why: string): Found {
  const unknown = entries.filter(({ list }) => !before.has(list.id));
  const trouble: Reason = {
    because: `${why}.`,
    remedy: "Nothing was changed there; the next run tries again.",
    isPassing: true,
  };
  return { ids: before, troubles: new Map(unknown.map(({ name }) => [name, trouble])) };
}

async function findEach(
  entries: readonly ListSync[],
  lists: readonly CustomList[],
  ask: LocateAsk,
): Promise<Found> {
  const ids = new Map<string, ListId>();
  const troubles = new Map<string, Reason>();
  for (const entry of entries) {
    const found = await findOne(entry, lists, ids, ask);
    if (found === "to be made") continue;
    if (typeof found === "string") ids.set(entry.list.id, found);
    else troubles.set(entry.name, found);
  }
  return { ids, troubles };
}

async function findOne(
  { list, makes }: ListSync,
  lists: readonly CustomList[],
  ids: Ids,
  { fanvue, save }: LocateAsk,
): Promise<ListId | "to be made" | Reason> {
  const [found, twin] = lists.filter(({ name }) => name.trim() === list.id);
  if (twin !== undefined) return ambiguous(list.id);
  const id = parseListId(found?.uuid ?? "") ?? ids.get(list.id);
  if (id !== undefined) return id;
  if (!makes) return missing(list.id, lists);
  return save ? make(list.id, fanvue) : "to be made";
}

async function make(
  name: string,
  fanvue: Pick<Fanvue, "fetchCustomLists" | "createList">,
): Promise<ListId | Reason> {
  const made = await fanvue.createList(name);
  if (made.ok) return parseListId(made.value.uuid.toLowerCase()) ?? notMade(name, "its answer names none");
  // Somebody else, or a request whose answer got lost, has made it meanwhile.
  const again: Known<readonly CustomList[]> = await fanvue.fetchCustomLists();
  const found = again.known ? again.value.find((list) => list.name.trim() === name) : undefined;
  return parseListId(found?.uuid ?? "") ?? notMade(name, made.why);
}

const ambiguous = (name: string): Reason => ({
  because: `Fanvue has more than one list called "${name}".`,
  remedy: "Rename one of them on Fanvue, or write fanvue_list_uuid in the stead of fanvue_list.",
});

function missing(name: string, lists: readonly CustomList[]): Reason {
  const near = nearest(
    name,
    lists.map((list) => list.name),
  );
  const guess = near === undefined ? "" : ` There is one called "${near}".`;
  return {
    because: `Fanvue has no list called "${name}".${guess}`,
    remedy: "Correct the name in the config, or add create: true there and it is made.",
  };
}

const notMade = (name: string, why: string): Reason => ({
  because: `Fanvue did not make the list "${name}": ${why}.`,
  remedy: "The next run tries again; or make it yourself on Fanvue.",
});

// ---- The config -------------------------------------------------------------------------------------------------

function withIds(config: Config, ids: Ids): Config {
  const located = (list: ListRef | NamedList): ListRef | NamedList => {
    const id = list.type === "named" ? ids.get(list.id) : undefined;
    return id === undefined ? list : { type: "custom", id };
  };
  const locatedPlace = (place: Place): Place => ({
    ...place,
    rules: place.rules.map((rule) =>
      rule.kind === "fanvue_list" ? { ...rule, list: located(rule.list) } : rule,
    ),
  });
  const { discord, matrix } = config;
  const listSync = config.listSync.map((entry) => ({ ...entry, list: located(entry.list) }));
  return {
    ...config,
    discord: discord && { ...discord, places: discord.places.map(locatedPlace) },
    matrix: matrix && { ...matrix, places: matrix.places.map(locatedPlace) },
    listSync,
    mirrors: mirrorPlaces(listSync),
  };
}

/** What only shows once the ids are known: a list by its name may be one that stands elsewhere by its id. */
function conflictsOf({ discord, matrix, listSync }: Config): ReadonlyMap<string, Reason> {
  const own = (places: readonly Place[] = []) =>
    places.filter(({ entry, onlyOnJoin }) => entry === undefined && onlyOnJoin !== true);
  const conflicts = conflictsIn({
    entries: listSync,
    roles: own(discord?.places),
    rooms: own(matrix?.places),
  });
  return new Map(
    conflicts.map(({ entry, key, sentence }) => [
      entry,
      { because: `list_sync.${entry}.${key} ${sentence}`, remedy: "Until then nothing is changed there." },
    ]),
  );
}
