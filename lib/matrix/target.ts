/** Rooms and spaces of a Matrix homeserver as places, and their members. */
import type { MatrixConfig } from "../config/shape.ts";
import { PlatformError, PlatformOutage } from "../errors.ts";
import type { Log } from "../log.ts";
import { parseRoomId, type RoomId } from "../ids.ts";
import type { Step } from "../model.ts";
import type { Target } from "../target.ts";
import { needsAnotherServer } from "./elsewhere.ts";
import { openHomeserver, type Homeserver } from "./homeserver.ts";
import { createAttempt } from "./perform.ts";
import { createReader } from "./read.ts";
import { schedule } from "./schedule.ts";
import { defaultTimes, type Times } from "./times.ts";

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

  const reader = createReader({
    homeserver,
    bot: config.userId,
    configured: config.places,
    signal,
  });
  const attempt = createAttempt({
    homeserver,
    bot: config.userId,
    roomOf: roomOfStep,
    readRoom: (room) => reader.readRoom(room),
  });

  return {
    name: "matrix",
    async read(places) {
      signal.throwIfAborted();
      await checkOnce();
      return reader.readPlaces(places);
    },
    async *perform(steps) {
      await checkOnce();
      const { patienceMs } = times;
      const goesLast = (step: Step) => needsAnotherServer(step, config.userId);
      yield* schedule(steps, { attempt, atOnce: stepsAtOnce, goesLast, patienceMs, signal });
    },
    requests: homeserver.requests,
    clockSkewMs: homeserver.clockSkewMs,
  };
}

/** The token must be the configured bot's: another account's membership would be taken for the bot's own. */
async function checkAccount(homeserver: Homeserver, config: MatrixConfig): Promise<void> {
  const answer = await homeserver.fetchUserId();
  if (!answer.ok) {
    const Unusable = answer.trouble.kind === "refused" ? PlatformError : PlatformOutage;
    throw new Unusable(
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

function roomOfStep(step: Step): RoomId {
  const room = parseRoomId(step.placeId);
  if (room === undefined) throw new Error(`the step's place ${step.placeId} is no Matrix room`);
  return room;
}
