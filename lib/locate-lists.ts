/** Finds the Fanvue lists that the config knows by their names. */
import { z } from "zod";
import { conflictsIn } from "./config/list-conflicts.ts";
import { mirrorPlaces } from "./config/list-sync.ts";
import type { Config, ListSync } from "./config/shape.ts";
import type { Database, Sql } from "./db.ts";
import type { CustomList, Fanvue } from "./fanvue/client.ts";
import { type ListId, parseListId } from "./ids.ts";
import type { ListRef, NamedList, Place, Reason } from "./model.ts";
import { nearest } from "./nearest.ts";
import { loadMeta, saveMeta } from "./store/meta.ts";

export interface LocateAsk {
  readonly fanvue: Pick<Fanvue, "fetchCustomLists">;
  readonly database: Database;
  /** Stores what was found; a dry run does not. */
  readonly save: boolean;
  readonly maxAgeMs: number;
  readonly now: () => number;
}

export interface LocatedLists {
  /** The config with ids in the place of the names that were found. */
  readonly config: Config;
  /** By entry of list_sync, why nobody can be looked after there. */
  readonly troubles: ReadonlyMap<string, Reason>;
  /** The entries whose list is yet to be made. */
  readonly toMake: readonly ListSync[];
}

/**
 * Asks Fanvue for the names once for all scripts of a chain; where it does not answer, what was found before holds.
 * Throws SourceError when the authorization is dead or Fanvue was never reached.
 */
export async function locateLists(config: Config, ask: LocateAsk): Promise<LocatedLists> {
  const named = config.listSync.filter(({ list }) => list.type === "named");
  if (named.length === 0) return { config, troubles: new Map(), toMake: [] };
  const { ids, troubles, toMake } = await findIds(named, ask);
  const located = withIds(config, ids);
  return { config: located, troubles: new Map([...conflictsOf(located), ...troubles]), toMake };
}

// ---- Names ------------------------------------------------------------------------------------------------------

type Ids = ReadonlyMap<string, ListId>;

interface Found extends Omit<LocatedLists, "config"> {
  readonly ids: Ids;
}

const memoryKey = "list_ids";
const memoryShape = z.object({ atMs: z.number(), ids: z.record(z.string(), z.string()) });

async function findIds(entries: readonly ListSync[], ask: LocateAsk): Promise<Found> {
  const { database, save, maxAgeMs, now } = ask;
  const { ids: before, atMs } = await database.read(loadKnown);
  const ageMs = now() - atMs;
  const isFresh = ageMs >= 0 && ageMs < maxAgeMs;
  if (isFresh && entries.every(({ list }) => before.has(list.id)))
    return { ids: before, troubles: new Map(), toMake: [] };
  const lists = await ask.fanvue.fetchCustomLists();
  if (!lists.known) return onlyKnownBefore(entries, before, lists.why);
  const found = findEach(entries, lists.value, before);
  if (save)
    await database.write((sql) => {
      saveKnown(sql, found.ids, now());
    });
  return found;
}

interface KnownIds {
  readonly ids: Ids;
  /** When Fanvue was asked last. */
  readonly atMs: number;
}

function loadKnown(sql: Sql): KnownIds {
  const stored = loadMeta(sql, memoryKey);
  if (stored === undefined) return { ids: new Map(), atMs: -Infinity };
  const { atMs, ids } = memoryShape.parse(JSON.parse(stored));
  const parsed = Object.entries(ids).flatMap(([name, text]): [string, ListId][] => {
    const id = parseListId(text);
    return id === undefined ? [] : [[name, id]];
  });
  return { atMs, ids: new Map(parsed) };
}

function saveKnown(sql: Sql, ids: Ids, atMs: number): void {
  saveMeta(sql, memoryKey, JSON.stringify({ atMs, ids: Object.fromEntries(ids) }));
}

/** Remembers the id of a list that was made just now. */
export function saveMade(sql: Sql, name: string, id: ListId): void {
  const { ids, atMs } = loadKnown(sql);
  // Never asked for before: infinity is no number to JSON.
  saveKnown(sql, new Map([...ids, [name, id]]), Number.isFinite(atMs) ? atMs : 0);
}

function onlyKnownBefore(entries: readonly ListSync[], before: Ids, why: string): Found {
  const unknown = entries.filter(({ list }) => !before.has(list.id));
  const trouble: Reason = {
    because: `${why}.`,
    remedy: "Nothing was changed there; the next run tries again.",
    isPassing: true,
  };
  return { ids: before, troubles: new Map(unknown.map(({ name }) => [name, trouble])), toMake: [] };
}

/** A list that was known before and is not shown keeps its id: who was put there is on record under that. */
function findEach(entries: readonly ListSync[], lists: readonly CustomList[], before: Ids): Found {
  const ids = new Map<string, ListId>();
  const troubles = new Map<string, Reason>();
  const toMake: ListSync[] = [];
  for (const entry of entries) {
    const name = entry.list.id;
    const [found, twin] = byName(lists, name);
    const id = parseListId(found?.uuid ?? "");
    const known = before.get(name);
    if (id !== undefined && twin === undefined) ids.set(name, id);
    else if (known !== undefined) ids.set(name, known);
    if (twin !== undefined) troubles.set(entry.name, ambiguous(name));
    else if (id !== undefined) continue;
    else if (known !== undefined) troubles.set(entry.name, lost(name, known, lists));
    else if (entry.makes) toMake.push(entry);
    else troubles.set(entry.name, missing(name, lists));
  }
  return { ids, troubles, toMake };
}

/** The lists of that name. */
export const byName = (lists: readonly CustomList[], name: string): readonly CustomList[] =>
  lists.filter((list) => list.name.trim() === name);

const ambiguous = (name: string): Reason => ({
  because: `Fanvue has more than one list called "${name}".`,
  remedy: "Rename one of them on Fanvue, or write fanvue_list_uuid instead of fanvue_list.",
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

/** It is not made anew: a list that Fanvue merely does not show for once would get a twin. */
function lost(name: string, id: ListId, lists: readonly CustomList[]): Reason {
  const renamed = lists.find(({ uuid }) => uuid === id);
  if (renamed !== undefined)
    return {
      because: `The list "${name}" is called "${renamed.name}" on Fanvue now.`,
      remedy: "Write that name into the config, or give the list its old one back.",
    };
  return {
    because: `The list "${name}" is no longer among your lists on Fanvue.`,
    remedy: "If you deleted it, make one of that name on Fanvue, or take the entry out of the config.",
  };
}

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
