/** Rooms and spaces of a Matrix homeserver as places, and their members. */
import type { MatrixConfig } from "../config/shape.ts";
import { PlatformError } from "../errors.ts";
import type { Log } from "../log.ts";
import {
  parseRoomAlias,
  parseRoomId,
  type Place,
  type PlaceState,
  type Reason,
  type RoomId,
  type Step,
  type Target,
} from "../model.ts";
import { openHomeserver, type Homeserver } from "./homeserver.ts";
import { createAttempt } from "./perform.ts";
import { notJoined, placeStateOf } from "./room.ts";
import { schedule } from "./schedule.ts";
import { defaultTimes, type Times } from "./times.ts";
import type { Answer, Trouble } from "./trouble.ts";

const roomsAtOnce = 4;
const stepsAtOnce = 4;

export interface MatrixDeps {
  readonly log: Log;
  /** When aborted, nothing more is begun; requests under way are awaited. */
  readonly signal: AbortSignal;
  readonly times?: Partial<Times>;
}

/**
 * Opens the homeserver of a config as a target; the first use finds out whose token it is.
 * `read` and `perform` throw a PlatformError when the account is refused or is another one than configured, or when the
 * homeserver cannot be reached at all.
 * https://spec.matrix.org/v1.16/client-server-api/#room-membership
 */
export function openMatrix(config: MatrixConfig, deps: MatrixDeps): Target {
  const { signal } = deps;
  const times: Times = { ...defaultTimes, ...deps.times };
  const homeserver = openHomeserver(config, { log: deps.log, signal, times });
  let checked: Promise<void> | undefined;
  const checkOnce = () => (checked ??= checkAccount(homeserver, config));

  const readRoom = async (place: Place, room: RoomId): Promise<Answer<PlaceState>> => {
    const answer = await homeserver.fetchState(room);
    if (answer.ok) {
      return { ok: true, value: placeStateOf(answer.value, { room, place, bot: config.userId }) };
    }
    const { trouble } = answer;
    if (trouble.kind !== "refused") return answer;
    if (trouble.status !== 403 && trouble.status !== 404) return answer;
    return { ok: true, value: { unreadable: notJoined(place.id, config.userId) } };
  };

  const attempt = createAttempt({
    homeserver,
    bot: config.userId,
    roomOf: roomOfStep,
    readRoom: (step, room) => readRoom(step.place, room),
  });

  return {
    name: "matrix",
    supports: new Set(["grant", "revoke"]),
    async read(places) {
      signal.throwIfAborted();
      await checkOnce();
      const located = await inParallel(places, roomsAtOnce, async (place) => {
        signal.throwIfAborted();
        return { place, room: await locate(homeserver, place) };
      });
      const states = await inParallel(located, roomsAtOnce, async ({ place, room }) => {
        signal.throwIfAborted();
        if (typeof room !== "string") return [place, { unreadable: room }] as const;
        const twins = located.filter((other) => other.room === room && other.place !== place);
        if (twins.length > 0) return [place, { unreadable: sameRoom(place, room, twins) }] as const;
        const answer = await readRoom(place, room);
        return [place, answer.ok ? answer.value : { unreadable: notRead(place, answer.trouble) }] as const;
      });
      return new Map<Place, PlaceState>(states);
    },
    async *perform(steps) {
      await checkOnce();
      yield* schedule(steps, { attempt, atOnce: stepsAtOnce, patienceMs: times.patienceMs, signal });
    },
    requests: homeserver.requests,
    clockSkewMs: homeserver.clockSkewMs,
  };
}

/** The token must be the configured bot's: another account's membership would be taken for the bot's own. */
async function checkAccount(homeserver: Homeserver, config: MatrixConfig): Promise<void> {
  const answer = await homeserver.fetchUserId();
  if (!answer.ok) {
    throw new PlatformError(
      `${config.homeserver} does not work as a Matrix homeserver. ${answer.trouble.sentence}`,
      'Try again; if it stays so, check "homeserver" in the config: it is the address that https://YOUR-DOMAIN/.well-known/matrix/client names.',
    );
  }
  if (answer.value !== config.userId) {
    throw new PlatformError(
      `The access token belongs to ${answer.value}, but the config names ${config.userId} as the bot.`,
      "Put the user id and the access token of one account into the config.",
    );
  }
}

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
    return notRead(place, answer.trouble);
  }
  const remedy = `Check the alias, or write the room's id (it begins with "!") instead.`;
  return { because: `No room has the alias ${place.id}.`, remedy };
}

const notRead = (place: Place, trouble: Trouble): Reason => ({
  because: `The room ${place.id} could not be read. ${trouble.sentence}`,
  remedy: "Nothing was changed there; the next run tries again.",
});

/** Two sets of rules for one room would let in by one and remove by the other. */
function sameRoom(place: Place, room: RoomId, twins: readonly { readonly place: Place }[]): Reason {
  const others = twins.map((twin) => twin.place.id).join(" and ");
  return {
    because: `${place.id} and ${others} are one and the same room (${room}).`,
    remedy: "Write all its rules under one of them: any rule of a place lets in.",
  };
}

function roomOfStep(step: Step): RoomId {
  const room = parseRoomId(step.placeId);
  if (room === undefined) throw new Error(`the step's place ${step.placeId} is no Matrix room`);
  return room;
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
