/** Who may do what in a room, from its create and power level events. */
import type { Mxid } from "../ids.ts";
import type { Known } from "../facts.ts";
import { createContent, powerLevelsContent, type StateEvent } from "./shapes.ts";

/** The newest room version whose rules this file follows: https://spec.matrix.org/v1.16/rooms/v12/ */
export const newestKnownVersion = 12;
const firstVersionWithPrivilegedCreators = 12;

export interface Power {
  /** Infinity for the creators of rooms of version 12 and later. */
  levelOf(account: Mxid): number;
  readonly usersDefault: number;
  readonly inviteLevel: number;
  readonly kickLevel: number;
  /** From this level on one may change who gets in: the join rule or the levels themselves. */
  readonly settingsLevel: number;
  readonly roomVersion: string;
}

const settings = ["m.room.join_rules", "m.room.power_levels"];

/** Versions that are no plain number are somebody's experiment; they get the newest rules. */
export const versionNumber = (version: string): number =>
  /^\d+$/.test(version) ? Number(version) : Number.POSITIVE_INFINITY;

/**
 * Reads the power in a room. Unknown when the create event is missing or when one of the two cannot be understood,
 * since guessing could take a moderator for a fan.
 */
export function readPower(create: StateEvent | undefined, levels: StateEvent | undefined): Known<Power> {
  if (create === undefined) return { known: false, why: "its state holds no m.room.create event" };
  const created = createContent.safeParse(create.content);
  if (!created.success) return { known: false, why: "its m.room.create event cannot be understood" };
  const parsed = powerLevelsContent.safeParse(levels?.content ?? {});
  if (!parsed.success) return { known: false, why: "its m.room.power_levels event cannot be understood" };

  const { room_version: roomVersion, creator, additional_creators: others } = created.data;
  const number = versionNumber(roomVersion);
  const isPrivileged = number >= firstVersionWithPrivilegedCreators;
  const creators = new Set<string>(isPrivileged ? [create.sender, ...others] : [creator ?? create.sender]);
  const { users, users_default: usersDefault, invite: inviteLevel, kick: kickLevel, events } = parsed.data;
  const stateLevel = parsed.data.state_default ?? (levels === undefined ? 0 : 50);
  const settingsLevel = Math.min(...settings.map((type) => events[type] ?? stateLevel));
  const given = new Map(Object.entries(users));

  const levelOf = (account: Mxid): number => {
    if (isPrivileged && creators.has(account)) return Number.POSITIVE_INFINITY;
    if (levels === undefined) return creators.has(account) ? 100 : 0;
    return given.get(account) ?? usersDefault;
  };
  return {
    known: true,
    value: { levelOf, usersDefault, inviteLevel, kickLevel, settingsLevel, roomVersion },
  };
}
