/** The rooms that go with a space: which of its members are there because of it. Pure. */
import type { Mxid, RoomId } from "../ids.ts";
import type { Place, SpaceRoom } from "../model.ts";
import { openDoors, type Guarded } from "./doors.ts";
import { hindrance } from "./manage.ts";
import { placeIdOf, type Room } from "./room.ts";
import type { Trouble } from "./trouble.ts";

/** What came of reading a room; foreign: it is not for the bot. */
export type Reading =
  | { readonly is: "room"; readonly room: Room }
  | { readonly is: "foreign" }
  | { readonly is: "unread"; readonly trouble: Trouble };

export interface SpaceGiven {
  readonly name: string;
  readonly place: Place;
  /** All that was read: the places and, of the spaces among them, the rooms down to the last. */
  readonly readings: ReadonlyMap<RoomId, Reading>;
  readonly guarded: Guarded;
  readonly bot: Mxid;
}

export type RoomsOfSpace =
  | { readonly rooms: readonly SpaceRoom[]; readonly warnings: readonly string[] }
  /** This room gave no answer, and may give one soon. */
  | { readonly unreadable: RoomId; readonly trouble: Trouble };

/** The rooms that go with the space and that the bot can take members out of; the others are named in warnings. */
export function roomsOfSpace(space: Room, given: SpaceGiven): RoomsOfSpace {
  const { readings } = given;
  const below = descendants(space, readings);
  const foreign: RoomId[] = [];
  for (const id of below) {
    const reading = readings.get(id) ?? { is: "foreign" };
    if (reading.is === "unread" && isPassing(reading.trouble)) {
      return { unreadable: id, trouble: reading.trouble };
    }
    if (reading.is !== "room") foreign.push(id);
  }
  const judged = companions(space, given).map((room) => judge(room, given));
  return {
    rooms: judged.flatMap(({ room, trouble }) => (trouble === undefined ? [spaceRoomOf(room)] : [])),
    warnings: [...foreignWarning(foreign, given), ...judged.flatMap((one) => one.trouble ?? one.doors)],
  };
}

/** The rooms that go with the space, as far as they could be read. */
export function companions(
  space: Room,
  {
    place,
    readings,
    guarded,
  }: Pick<SpaceGiven, "place" | "readings"> & { readonly guarded: Pick<Guarded, "places"> },
): readonly Room[] {
  const below = descendants(space, readings);
  const seen = roomsAmong([...below, ...guarded.places.keys()], readings).filter(({ id }) => id !== space.id);
  const own = place.cascade === true ? roomsAmong(below, readings) : [];
  return reachedFrom(space.id, seen, own);
}

/** An answer that cannot be understood will not be understood in the next run either. */
const isPassing = (trouble: Trouble): boolean =>
  trouble.kind === "limited" || (trouble.kind === "unreachable" && trouble.status !== 200);

function descendants(space: Room, readings: SpaceGiven["readings"]): readonly RoomId[] {
  const found = new Set(space.children);
  // A set that grows while it is gone through is gone through to its end.
  for (const id of found) {
    const reading = readings.get(id);
    if (reading?.is === "room") for (const child of reading.room.children) found.add(child);
  }
  found.delete(space.id);
  return [...found];
}

const roomsAmong = (ids: readonly RoomId[], readings: SpaceGiven["readings"]): readonly Room[] =>
  [...new Set(ids)].flatMap((id) => {
    const reading = readings.get(id);
    return reading?.is === "room" ? [reading.room] : [];
  });

/** Rooms that open to the space, or to one that opens to it, and so on; and the space's own where it hands removals on. */
function reachedFrom(space: RoomId, seen: readonly Room[], own: readonly Room[]): readonly Room[] {
  const reached = new Set(own);
  const open = new Set([space, ...own.map(({ id }) => id)]);
  for (const id of open) {
    for (const room of seen.filter(({ opensTo }) => opensTo.has(id))) {
      reached.add(room);
      open.add(room.id);
    }
  }
  return [...reached];
}

// ---- One room ---------------------------------------------------------------------------------------------------

interface Judged {
  readonly room: Room;
  /** Why the bot cannot take anybody out of it. */
  readonly trouble: string | undefined;
  readonly doors: readonly string[];
}

function judge(room: Room, { name: space, guarded, bot }: SpaceGiven): Judged {
  // A place of its own has told of its troubles and doors itself.
  const isPlace = guarded.places.has(room.id);
  const name = room.title ?? room.id;
  const managing = { bot, name, configuredId: room.id, deeds: ["remove members"] } as const;
  const reason = hindrance(room, managing);
  const sentence = `Whoever is taken out of the space ${space} stays in ${name}. ${reason?.because ?? ""} ${reason?.remedy ?? ""}`;
  const around = { name: `the room ${name} in the space ${space}`, place: undefined, guarded };
  const doors = isPlace || !room.power.known ? [] : openDoors(room, room.power.value, around);
  return { room, trouble: reason === undefined ? undefined : sentence, doors };
}

const spaceRoomOf = (room: Room): SpaceRoom => ({
  placeId: placeIdOf(room.id),
  name: room.title ?? room.id,
  isSpace: room.isSpace,
  members: room.members,
  opensTo: new Set([...room.opensTo].map(placeIdOf)),
});

function foreignWarning(foreign: readonly RoomId[], { name, bot }: SpaceGiven): readonly string[] {
  if (foreign.length === 0) return [];
  const which = foreign.length === 1 ? "one room" : `${String(foreign.length)} rooms`;
  return [
    `The bot cannot look into ${which} of the space ${name} (${foreign.join(", ")}): whoever is taken out of the space may stay there. Invite ${bot} if only the space's members are to be there.`,
  ];
}
