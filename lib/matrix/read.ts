/** Reads rooms and spaces as places: one request per room, however many places it matters to. */
import { parseRoomAlias, parseRoomId, type Mxid, type RoomId } from "../ids.ts";
import type { Place, PlaceState, ReadablePlace, Reason } from "../model.ts";
import { openDoors, type Guarded } from "./doors.ts";
import type { Homeserver } from "./homeserver.ts";
import { deedsIn, hindrance, notJoined } from "./manage.ts";
import { placeIdOf, roomOf, type Room } from "./room.ts";
import { companions, roomsOfSpace, type Reading } from "./space.ts";
import type { Trouble } from "./trouble.ts";

const roomsAtOnce = 4;

export interface Reader {
  /** The state of every place. */
  readPlaces(places: readonly Place[]): Promise<ReadonlyMap<Place, PlaceState>>;
  /** One room as it is now. */
  readRoom(id: RoomId): Promise<Reading>;
}

interface Located {
  readonly place: Place;
  readonly room: RoomId | Reason;
}

export interface ReaderDeps {
  readonly homeserver: Homeserver;
  readonly bot: Mxid;
  /** All places of the config. */
  readonly configured: readonly Place[];
  readonly signal: AbortSignal;
}

export function createReader({ homeserver, bot, configured, signal }: ReaderDeps): Reader {
  async function readRoom(id: RoomId): Promise<Reading> {
    signal.throwIfAborted();
    const answer = await homeserver.fetchState(id);
    if (answer.ok) return { is: "room", room: roomOf(answer.value, id, bot) };
    const { trouble } = answer;
    const isForeign = trouble.kind === "refused" && (trouble.status === 403 || trouble.status === 404);
    return isForeign ? { is: "foreign" } : { is: "unread", trouble };
  }

  async function locateAll(places: readonly Place[]): Promise<readonly Located[]> {
    return inParallel(places, roomsAtOnce, async (place) => {
      signal.throwIfAborted();
      return { place, room: await locate(homeserver, place) };
    });
  }

  /** Reads rooms, then the rooms in the spaces among them, and so on. Each is read once, so that loops end. */
  async function readAll(ids: readonly RoomId[]): Promise<ReadonlyMap<RoomId, Reading>> {
    const readings = new Map<RoomId, Reading>();
    let unread: readonly RoomId[] = [...new Set(ids)];
    while (unread.length > 0) {
      const level = await inParallel(unread, roomsAtOnce, async (id) => [id, await readRoom(id)] as const);
      for (const [id, reading] of level) readings.set(id, reading);
      const children = level.flatMap(([, reading]) => (reading.is === "room" ? reading.room.children : []));
      unread = [...new Set(children)].filter((id) => !readings.has(id));
    }
    return readings;
  }

  return {
    readRoom,
    async readPlaces(places) {
      const located = await locateAll(places);
      const rooms = located.flatMap(({ room }) => (typeof room === "string" ? [room] : []));
      const readings = await readAll(rooms);
      const guarded = guardedBy(located, readings, configured);
      return new Map(
        located.map(({ place, room }) => {
          if (typeof room !== "string") return [place, { unreadable: room }];
          const twins = located.filter((other) => other.room === room && other.place !== place);
          if (twins.length > 0) return [place, { unreadable: sameRoom(place, room, twins) }];
          return [place, placeStateOf({ place, room, readings, guarded, bot })];
        }),
      );
    },
  };
}

// ---- Where a place is -------------------------------------------------------------------------------------------

async function locate(homeserver: Homeserver, place: Place): Promise<RoomId | Reason> {
  const room = parseRoomId(place.id);
  if (room !== undefined) return room;
  const alias = parseRoomAlias(place.id);
  if (alias === undefined) {
    const because = `"${place.id}" is neither a room id nor a room alias.`;
    return { because, remedy: "Write an id such as !abc:example.org or an alias such as #vip:example.org." };
  }
  const answer = await homeserver.fetchRoomId(alias);
  if (answer.ok) return answer.value;
  if (answer.trouble.kind !== "refused" || answer.trouble.status !== 404) {
    return notRead(place.id, answer.trouble);
  }
  const remedy = `Check the alias, or write the room's id (it begins with "!") instead.`;
  return { because: `No room has the alias ${place.id}.`, remedy };
}

const notRead = (room: string, trouble: Trouble): Reason => ({
  because: `The room ${room} could not be read. ${trouble.sentence}`,
  remedy: "Nothing was changed there; the next run tries again.",
  ...(trouble.kind === "refused" ? {} : { isPassing: true }),
});

/** Two sets of rules for one room would let in by one and remove by the other. */
function sameRoom(place: Place, room: RoomId, twins: readonly Located[]): Reason {
  const others = twins.map((twin) => twin.place.id).join(" and ");
  return {
    because: `${place.id} and ${others} are one and the same room (${room}).`,
    remedy: "Write all its rules under one of them: any rule of a place lets in.",
  };
}

function guardedBy(
  located: readonly Located[],
  readings: ReadonlyMap<RoomId, Reading>,
  configured: readonly Place[],
): Guarded {
  const places = new Map(
    located.flatMap(({ place, room }) => (typeof room === "string" ? [[room, place] as const] : [])),
  );
  const through = new Map(places);
  for (const [id, place] of places) {
    const reading = readings.get(id);
    if (reading?.is !== "room" || !reading.room.isSpace) continue;
    for (const room of companions(reading.room, { place, readings, guarded: { places } }))
      if (!through.has(room.id)) through.set(room.id, place);
  }
  const known = new Set(places.values());
  return { places, through, areAll: configured.every((place) => known.has(place)) };
}

// ---- The state of a place ---------------------------------------------------------------------------------------

interface About {
  readonly place: Place;
  readonly room: RoomId;
  readonly readings: ReadonlyMap<RoomId, Reading>;
  readonly guarded: Guarded;
  readonly bot: Mxid;
}

function placeStateOf(about: About): PlaceState {
  const { place, bot } = about;
  const reading = about.readings.get(about.room) ?? { is: "foreign" };
  if (reading.is === "foreign") return { unreadable: notJoined(place.id, bot) };
  if (reading.is === "unread") return { unreadable: notRead(place.id, reading.trouble) };
  const { room } = reading;
  const name = room.title ?? place.id;
  const unreadable = hindrance(room, { bot, name, configuredId: place.id, deeds: deedsIn(place) });
  if (unreadable !== undefined) return { unreadable };
  return room.isSpace ? spaceStateOf(room, about) : roomStateOf(room, about);
}

function roomStateOf(room: Room, { place, guarded }: About): ReadablePlace {
  const name = room.title ?? place.id;
  const called = `the ${room.isSpace ? "space" : "room"} ${name}`;
  return {
    placeId: placeIdOf(room.id),
    name,
    members: room.members,
    coverage: "everybody",
    warnings: [
      ...idleCascade(room, place),
      ...(room.power.known ? openDoors(room, room.power.value, { name: called, place, guarded }) : []),
    ],
    opensTo: new Set([...room.opensTo].map(placeIdOf)),
  };
}

const idleCascade = (room: Room, { id, cascade }: Place): readonly string[] =>
  cascade === true && !room.isSpace
    ? [`cascade has no effect on ${id}, which is no space. Take it out.`]
    : [];

/** A space is left alone while a room in it gives no answer: whoever is taken out of it must be taken out of that, too. */
function spaceStateOf(space: Room, about: About): PlaceState {
  const { place, readings, guarded, bot } = about;
  const state = roomStateOf(space, about);
  const found = roomsOfSpace(space, { name: state.name, place, readings, guarded, bot });
  if ("unreadable" in found) {
    return { unreadable: notRead(`${found.unreadable} in the space ${state.name}`, found.trouble) };
  }
  return { ...state, rooms: found.rooms, warnings: [...state.warnings, ...found.warnings] };
}

/** Keeps the order of `items`. The first error ends it. */
async function inParallel<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const entries = items.entries();
  const worker = async () => {
    for (const [index, item] of entries) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}
