/** Places that open to the members of others: who gets in that way, and whom to take out of the rooms of a space. */
import type { Account, FanId, PlaceId } from "../ids.ts";
import {
  isIn,
  isNewPlace,
  isOurs,
  type Grant,
  type Place,
  type PlaceMemory,
  type PlaceState,
  type ReadablePlace,
  type Skip,
  type SpaceRoom,
  type Step,
  type Want,
  type Wish,
} from "../model.ts";

/** All configured places and what is known of them. */
export interface Ground {
  readonly want: Want;
  /** The places that this run plans, as read. */
  readonly have: ReadonlyMap<Place, PlaceState>;
  readonly memories: ReadonlyMap<Place, PlaceMemory>;
  readonly placesById: ReadonlyMap<PlaceId, Place>;
  /** Grants on record in rooms that go with spaces and are no places: removals from there that are still to be done. */
  readonly leftBehind: ReadonlyMap<PlaceId, ReadonlyMap<Account, Grant>>;
  readonly protectedAccounts: ReadonlySet<Account>;
  readonly nowMs: number;
}

/** The places by their ids: as read, else where they led last. */
export function placesById({ want, have, memories }: Pick<Ground, "want" | "have" | "memories">) {
  const byId = new Map<PlaceId, Place>();
  for (const place of want.keys()) {
    const state = readable(have.get(place));
    const id = state?.placeId ?? memories.get(place)?.placeId;
    if (id !== undefined) byId.set(id, place);
  }
  return byId;
}

const readable = (state: PlaceState | undefined): ReadablePlace | undefined =>
  state === undefined || "unreadable" in state ? undefined : state;

/** Whoever has no link to a fan, or none any more, and nothing of ours in the place. A link that vanished is unknown. */
export const isStranger = (wish: Wish | undefined, grant: Grant | undefined): boolean =>
  grant === undefined && (wish === undefined || (wish.fans.length === 0 && wish.verdict.is === "no"));

// ---- Who gets in uninvited --------------------------------------------------------------------------------------

/** The name of a place through which an entitled account may enter this one by itself; undefined: it must be let in. */
export function entrance(
  place: Place,
  account: Account,
  ground: Ground,
  behind: ReadonlySet<Place> = new Set(),
): string | undefined {
  const passed = new Set([...behind, place]);
  for (const other of doorsTo(place, account, ground)) {
    if (passed.has(other)) continue;
    const state = readable(ground.have.get(other));
    if (state === undefined) {
      if (ground.memories.get(other)?.grants.has(account) === true) return other.id;
      continue;
    }
    if (isIn(state.members.get(account))) return state.name;
    if (!isLetIn(other, state, account, ground)) continue;
    // Two places that open to each other: if both counted on the other, nobody would be let in.
    const isFirst = doorsTo(other, account, ground).length === 0;
    if (isFirst || entrance(other, account, ground, passed) !== undefined) return state.name;
  }
  return undefined;
}

/** The places which open this one and which the account is entitled to. */
function doorsTo(place: Place, account: Account, { have, want, placesById }: Ground): readonly Place[] {
  return [...(readable(have.get(place))?.opensTo ?? [])].flatMap((id) => {
    const other = placesById.get(id);
    if (other === undefined || other === place) return [];
    return want.get(other)?.get(account)?.verdict.is === "yes" ? [other] : [];
  });
}

/** Whether this run lets an entitled account into the place, in one way or another. */
function isLetIn(place: Place, state: ReadablePlace, account: Account, ground: Ground): boolean {
  const memory = ground.memories.get(place);
  const refusal = memory?.refusals.get(account);
  if (refusal !== undefined && refusal.nextTryAtMs > ground.nowMs) return false;
  const is = state.members.get(account)?.is ?? "out";
  const departure = memory?.departures.get(account);
  const hasDeparted = is === "left" || is === "removed" || (is === "out" && departure?.how === "removed");
  if (hasDeparted) return departure?.endedAtMs !== undefined;
  return is === "out" || is === "knocking";
}

// ---- Whom a space takes along -----------------------------------------------------------------------------------

interface Space {
  readonly place: Place;
  readonly state: ReadablePlace;
  readonly rooms: readonly SpaceRoom[];
}

/** One account that loses the space, and with it every room, or those where that was not done yet. */
interface Loss extends Pick<Step, "account" | "fans" | "because" | "hold" | "requested"> {
  readonly onlyIn: ReadonlySet<PlaceId> | undefined;
}

export interface InRooms {
  readonly steps: readonly Step[];
  readonly skips: readonly Skip[];
}

/** Places that open to the members of this one, without being rooms of it if it is a space. */
export function openedPlaces(
  { placeId, state }: Omit<Space, "rooms"> & Pick<ReadablePlace, "placeId">,
  { have }: Ground,
): readonly SpaceRoom[] {
  const rooms = new Set([placeId, ...(state.rooms ?? []).map((room) => room.placeId)]);
  return [...have.values()].flatMap((other) => {
    if ("unreadable" in other || rooms.has(other.placeId) || other.opensTo?.has(placeId) !== true) return [];
    const { name, members, opensTo } = other;
    return [{ placeId: other.placeId, name, isSpace: other.rooms !== undefined, members, opensTo }];
  });
}

/** The removals from the rooms of a space, for those whom `removals` take out of it, and for those left behind there. */
export function removalsInRooms(space: Space, removals: readonly Step[], ground: Ground): InRooms {
  const losses = [
    ...removals.map((step): Loss => ({ ...step, onlyIn: undefined })),
    ...unfinished(space, removals, ground),
  ];
  const found = losses.map((loss) => lossInRooms(space, loss, ground));
  return { steps: found.flatMap(({ steps }) => steps), skips: found.flatMap(({ skips }) => skips) };
}

/** Who is out of the space, and not entitled to it, but is still on record in rooms of it. */
function unfinished(
  { place, state, rooms }: Space,
  removals: readonly Step[],
  ground: Ground,
): readonly Loss[] {
  const planned = new Set(removals.map(({ account }) => account));
  const left = rooms.flatMap(({ placeId }) =>
    [...(ground.leftBehind.get(placeId)?.values() ?? [])].map((grant) => ({ placeId, grant })),
  );
  return [...Map.groupBy(left, ({ grant }) => grant.account)].flatMap(([account, some]) => {
    const wish = ground.want.get(place)?.get(account);
    const standing = state.members.get(account);
    const isSettled =
      planned.has(account) || ground.protectedAccounts.has(account) || place.onExpiry === "keep";
    if (isSettled || wish?.verdict.is !== "no" || isIn(standing) || standing?.is === "unknown") return [];
    const { because, requested } = wish.verdict;
    const known: readonly FanId[] = some[0]?.grant.fans ?? [];
    return [
      {
        account,
        fans: wish.fans.length > 0 ? wish.fans : known,
        because,
        ...(requested === true ? { requested } : {}),
        onlyIn: new Set(some.map(({ placeId }) => placeId)),
      },
    ];
  });
}

/**
 * Members of ours who are out of the space without our doing, and still are in rooms that opened to them with it. Nothing
 * else will tell of them later on: the grant of the space ends with this run.
 */
export function newlyBehind(space: Space, gone: readonly Account[], ground: Ground): readonly Grant[] {
  const memory = ground.memories.get(space.place);
  return gone.flatMap((account) => {
    const grant = memory?.grants.get(account);
    if (!isOurs(grant)) return [];
    const rooms = [...roomsLost(space, account, ground).keys()].filter(
      ({ placeId, members }) =>
        isIn(members.get(account)) && ground.leftBehind.get(placeId)?.has(account) !== true,
    );
    return rooms.map(({ placeId }): Grant => ({ ...grant, placeId, basis: [], settled: false }));
  });
}

/** Who was left behind in a room of the space, and has gone from there, too. */
export const noMoreBehind = ({ rooms }: Space, { leftBehind }: Ground): readonly Grant[] =>
  rooms.flatMap(({ placeId, members }) =>
    [...(leftBehind.get(placeId)?.values() ?? [])].filter(({ account }) => {
      const standing = members.get(account);
      return !isIn(standing) && standing?.is !== "unknown";
    }),
  );

export const withBehind = <G extends Ground>(ground: G, behind: readonly Grant[]): G => {
  const leftBehind = new Map([...ground.leftBehind].map(([id, grants]) => [id, new Map(grants)]));
  for (const grant of behind) {
    const grants = leftBehind.get(grant.placeId) ?? new Map<Account, Grant>();
    leftBehind.set(grant.placeId, grants.set(grant.account, grant));
  }
  return { ...ground, leftBehind };
};

function lossInRooms(space: Space, loss: Loss, ground: Ground): InRooms {
  const { place } = space;
  const { account, fans, because, hold, requested, onlyIn } = loss;
  const lost = roomsLost(space, account, ground);
  const present = space.rooms.filter(({ members }) => isIn(members.get(account)));
  const steps = present.flatMap((room): Step[] => {
    const unless = lost.get(room);
    if (unless === undefined || onlyIn?.has(room.placeId) === false) return [];
    return [
      {
        verb: "revoke",
        place,
        placeId: room.placeId,
        account,
        fans,
        because,
        basis: [],
        ...(hold === undefined ? {} : { hold }),
        ...(requested === true ? { requested } : {}),
        ...(room.isSpace ? { isSpace: true } : {}),
        within: { roomName: room.name, unless, isPlace: ground.placesById.has(room.placeId) },
      },
    ];
  });
  const skips = present.flatMap((room): Skip[] => {
    const why = untouchableIn(room, account);
    return why === undefined
      ? []
      : [{ place, account, why: "untouchable", because: `in ${room.name}: ${why}` }];
  });
  return { steps, skips };
}

function untouchableIn(room: SpaceRoom, account: Account): string | undefined {
  const standing = room.members.get(account);
  return standing !== undefined && "untouchable" in standing ? standing.untouchable : undefined;
}

/**
 * The rooms that the account loses with the space, whether or not it is in them now, each with the places whose rules
 * must all say no. A room that also opens to one where the account stays is not lost.
 */
function roomsLost(space: Space, account: Account, ground: Ground): ReadonlyMap<SpaceRoom, readonly Place[]> {
  const staying = new Map(space.rooms.map((room) => [room.placeId, stayIn(room, space, account, ground)]));
  const opens = (id: PlaceId): boolean =>
    id !== space.state.placeId && (staying.get(id) ?? stayElsewhere(id, account, ground)) === "stays";
  for (let before = -1; before !== countStays(staying);) {
    before = countStays(staying);
    for (const room of space.rooms)
      if (staying.get(room.placeId) === "lost" && [...room.opensTo].some(opens))
        staying.set(room.placeId, "stays");
  }
  const lost = space.rooms.filter(({ placeId }) => staying.get(placeId) === "lost");
  return new Map(lost.map((room) => [room, [...placesBehind(room, space, ground)]]));
}

/** own: a place whose own rules decide, and this run or another one acts on them. */
type Stay = "stays" | "own" | "lost";

const countStays = (staying: ReadonlyMap<PlaceId, Stay>): number =>
  [...staying.values()].filter((stay) => stay === "stays").length;

function stayIn(room: SpaceRoom, space: Space, account: Account, ground: Ground): Stay {
  if (untouchableIn(room, account) !== undefined) return "stays";
  const place = ground.placesById.get(room.placeId);
  if (place === undefined) return "lost";
  const isPresent = isIn(room.members.get(account));
  const wish = ground.want.get(place)?.get(account);
  const memory = ground.memories.get(place);
  if (isStranger(wish, memory?.grants.get(account))) {
    if (place.strangers === "remove") return "own";
    // Who is unlinked before any run has seen them in there came in by the space.
    return isPresent && !opensWithin(room, space) ? "stays" : "lost";
  }
  if (wish?.verdict.is !== "no" || (place.onExpiry === "keep" && isPresent)) return "stays";
  const isNew = memory === undefined || isNewPlace(memory, room.placeId);
  return isNew || memory.grants.has(account) ? "own" : "lost";
}

/** Whether members of the space may walk in, at once or from room to room. */
const opensWithin = ({ opensTo }: SpaceRoom, { state, rooms }: Space): boolean =>
  opensTo.has(state.placeId) || rooms.some(({ placeId }) => opensTo.has(placeId));

/** A place that is no room of the space, but opens one. */
function stayElsewhere(id: PlaceId, account: Account, { placesById, want }: Ground): Stay {
  const place = placesById.get(id);
  const verdict = place && want.get(place)?.get(account)?.verdict.is;
  return verdict === undefined || verdict === "no" ? "lost" : "stays";
}

/** Every other place through which somebody may be in the room: itself, and those that open it, one after the other. */
function placesBehind(room: SpaceRoom, space: Space, { placesById }: Ground): ReadonlySet<Place> {
  const rooms = new Map(space.rooms.map((one) => [one.placeId, one]));
  const behind = new Set([room.placeId]);
  // A set that grows while it is gone through is gone through to its end.
  for (const id of behind) for (const other of rooms.get(id)?.opensTo ?? []) behind.add(other);
  const places = [...behind].flatMap((id) => placesById.get(id) ?? []);
  return new Set(places.filter((place) => place !== space.place));
}
