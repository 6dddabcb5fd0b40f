/** One step at the homeserver, and what its answer means for the journal. */
import type { Mxid, PlaceId, RoomId } from "../ids.ts";
import type { Reason, Standing, Step } from "../model.ts";
import type { Outcome } from "../target.ts";
import { needsAnotherServer, serverOf } from "./elsewhere.ts";
import type { Homeserver } from "./homeserver.ts";
import { deedsIn, hindrance, notJoined } from "./manage.ts";
import type { Attempt } from "./schedule.ts";
import type { Room } from "./room.ts";
import type { Reading } from "./space.ts";
import type { Answer, Trouble } from "./trouble.ts";

/** Shown to members, so fixed. */
const reasons = { grant: "Fanvue membership", revoke: "Fanvue membership ended" } as const;

/** So many refusals in a row that concern different members are the room's or the homeserver's doing. */
const refusalsToCloseLane = 3;

type Refused = Extract<Trouble, { kind: "refused" }>;
type Unreachable = Extract<Trouble, { kind: "unreachable" }>;

export interface PerformDeps {
  readonly homeserver: Homeserver;
  readonly bot: Mxid;
  /** Reads a room as it is now. */
  readonly readRoom: (room: RoomId) => Promise<Reading>;
  readonly roomOf: (step: Step) => RoomId;
}

/** Makes the attempt at one step. What is found out about a room holds for all later steps of the same verb there. */
export function createAttempt(deps: PerformDeps): (step: Step) => Promise<Attempt> {
  const closed = new Map<string, string>();
  const refusals = new Map<string, number>();
  /** Rooms that gave no answer in time: there our homeserver may wait for another one, and lets nobody in or out. */
  const stuck = new Set<PlaceId>();
  const laneOf = (step: Step) => `${step.verb} ${step.placeId}`;

  const send = (step: Step, room: RoomId): Promise<Answer<undefined>> => {
    if (step.verb === "grant") return deps.homeserver.invite(room, step.account, reasons.grant);
    if (step.verb === "revoke") return deps.homeserver.kick(room, step.account, reasons.revoke);
    throw new Error(`the matrix target cannot ${step.verb}`);
  };

  const close = (step: Step, sentence: string): Outcome => {
    closed.set(laneOf(step), sentence);
    return { step, result: "failed", blame: "place", sentence };
  };

  /** The member's own refusal, unless it is one too many to be that. */
  const refuse = (step: Step, { code, sentence }: Refused): Outcome => {
    const inARow = (refusals.get(laneOf(step)) ?? 0) + 1;
    refusals.set(laneOf(step), inARow);
    if (inARow >= refusalsToCloseLane) return close(step, sentence);
    return { step, result: "refused", code, sentence };
  };

  /**
   * The homeserver said no without a reason that a program can tell. The room as it is now tells: done already, we lost
   * our place or power there, or it concerns this member alone.
   */
  const explain = async (step: Step, room: RoomId, trouble: Refused): Promise<Outcome> => {
    const reading = await deps.readRoom(room);
    if (reading.is === "unread") {
      return { step, result: "failed", blame: "service", sentence: trouble.sentence };
    }
    const reason =
      reading.is === "foreign"
        ? notJoined(nameOf(step), deps.bot)
        : hindranceOf(step, reading.room, deps.bot);
    if (reason !== undefined) return close(step, `${reason.because} ${reason.remedy}`);
    const standing = standingIn(reading, step);
    if (isThere(standing, step) === (step.verb === "grant")) return { step, result: "done" };
    if (standing.is === "banned") {
      return { step, result: "refused", code: "banned", sentence: "The account is banned from the room." };
    }
    if ("untouchable" in standing) {
      return { step, result: "failed", blame: "member", sentence: `Not removed: ${standing.untouchable}.` };
    }
    return step.verb === "grant" ? refuse(step, trouble) : close(step, trouble.sentence);
  };

  /** One timeout speaks for its room, so that the run goes on elsewhere instead of waiting here again and again. */
  const unreached = (step: Step, trouble: Unreachable): Outcome => {
    if (trouble.timedOut && stuck.has(step.placeId)) return leave(step);
    if (trouble.timedOut) stuck.add(step.placeId);
    return unreachedOutcome(step, trouble, deps.bot);
  };

  return async (step) => {
    const known = closed.get(laneOf(step));
    if (known !== undefined) return { step, result: "failed", blame: "place", sentence: known };
    if (stuck.has(step.placeId)) return leave(step);
    const room = deps.roomOf(step);
    const answer = await send(step, room);
    if (answer.ok) {
      refusals.delete(laneOf(step));
      return { step, result: "done" };
    }
    const { trouble } = answer;
    if (trouble.kind === "limited") return { result: "limited", waitMs: trouble.waitMs };
    if (trouble.kind === "unreachable") return unreached(step, trouble);
    if (trouble.code === "M_INVITE_BLOCKED") {
      return { step, result: "refused", code: trouble.code, sentence: "They accept no invitations from us." };
    }
    if (trouble.status === 403 || trouble.status === 404) return explain(step, room, trouble);
    if (step.verb === "grant")
      return { step, result: "refused", code: trouble.code, sentence: trouble.sentence };
    return { step, result: "failed", blame: "member", sentence: trouble.sentence };
  };
}

const leave = (step: Step): Outcome => ({
  step,
  result: "dropped",
  sentence: "The homeserver is busy with this room; the next run goes on.",
});

const nameOf = ({ within, place }: Step): string => within?.roomName ?? place.id;

function hindranceOf({ within, place, placeId }: Step, room: Room, bot: Mxid): Reason | undefined {
  const isPlace = within === undefined;
  return hindrance(room, {
    bot,
    name: room.title ?? place.id,
    configuredId: isPlace ? place.id : placeId,
    deeds: isPlace ? deedsIn(place) : ["remove members"],
  });
}

const standingIn = (reading: Reading, { account }: Step): Standing =>
  (reading.is === "room" ? reading.room.members.get(account) : undefined) ?? { is: "out" };

/** A knock is there to be declined, and none is there for one who is to be invited. */
const isThere = ({ is }: Standing, { verb }: Step): boolean =>
  is === "in" || is === "invited" || (is === "knocking" && verb !== "grant");

/**
 * Inviting somebody of another homeserver needs that one, too. If it does not answer, ours says 502, or keeps us waiting;
 * that is no failure of ours.
 */
function unreachedOutcome(step: Step, trouble: Unreachable, bot: Mxid): Outcome {
  const isTheirs = trouble.timedOut || (trouble.status === 502 && trouble.code !== "");
  if (needsAnotherServer(step, bot) && isTheirs) {
    const sentence = `Their homeserver ${serverOf(step.account)} does not answer.`;
    return { step, result: "refused", code: "homeserver unreachable", sentence };
  }
  return { step, result: "failed", blame: "service", sentence: trouble.sentence };
}
