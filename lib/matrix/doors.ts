/** Doors of a room that let people in past the rules of its place. Each is a sentence with its remedy. Pure. */
import type { RoomId } from "../ids.ts";
import type { Place } from "../model.ts";
import { newestKnownVersion, versionNumber, type Power } from "./power.ts";
import { moderatorLevel, type Room } from "./room.ts";

export interface Guarded {
  /** The places that were read, by the rooms that they are. */
  readonly places: ReadonlyMap<RoomId, Place>;
  /** The same, and the rooms that go with spaces among them, by the place that guards them. */
  readonly through: ReadonlyMap<RoomId, Place>;
  /** Whether those are all places of the config. */
  readonly areAll: boolean;
}

export interface Surroundings {
  /** "the room VIP" or "the space VIP". */
  readonly name: string;
  /** The place that the room is; undefined for a room that only goes with a space. */
  readonly place: Place | undefined;
  readonly guarded: Guarded;
}

const guardedRules = new Set(["invite", "knock", "restricted", "knock_restricted"]);

/** What stands open. Empty in a room that only the bot and staff let people into. */
export function openDoors(room: Room, power: Power, around: Surroundings): readonly string[] {
  return [...joinDoors(room, around), ...inviteDoors(power, around), ...unknownVersion(power, around)];
}

function joinDoors(
  { joinRule, guestAccess, history, opensTo }: Room,
  around: Surroundings,
): readonly string[] {
  const { name } = around;
  const doors: string[] = [];
  if (joinRule === "public") {
    doors.push(
      `Anybody may join ${name} without an invitation. Set its access to "invite only" or "ask to join".`,
    );
  }
  for (const other of opensTo) doors.push(...otherWayIn(other, around));
  // Ordinary private rooms have this, too: there it concerns only guests who were let in by somebody.
  if (!guardedRules.has(joinRule) && guestAccess === "can_join") {
    doors.push(`Guests may join ${name}. Forbid guest access in its settings.`);
  }
  if (history === "world_readable") {
    doors.push(
      `Anybody may read ${name} without joining. Set its history to "members only" in its settings.`,
    );
  }
  return doors;
}

/** A room that opens to the members of another one is guarded no better than that one. */
function otherWayIn(other: RoomId, { name, place, guarded }: Surroundings): readonly string[] {
  const guard = guarded.through.get(other);
  if (guard === undefined) {
    if (!guarded.areAll) return [];
    return [
      `Whoever is in ${other} may join ${name}, and this program does not guard ${other}. Take it out of the access settings of ${name}, or put it into the config.`,
    ];
  }
  const rules = new Set(place?.rules.map((rule) => JSON.stringify(rule)));
  const isWider =
    place !== undefined && guard !== place && guard.rules.some((rule) => !rules.has(JSON.stringify(rule)));
  return isWider
    ? [
        `Whoever is in ${guard.id} may join ${name}, whatever the rules of ${place.id} say. Set its access to "invite only" if it is not for all of them.`,
      ]
    : [];
}

function inviteDoors(power: Power, { name }: Surroundings): readonly string[] {
  const { usersDefault } = power;
  const doors: string[] = [];
  if (usersDefault >= power.inviteLevel) {
    doors.push(
      `Ordinary members of ${name} may invite others. Raise the level for invitations to ${String(moderatorLevel)} or more.`,
    );
  }
  if (usersDefault >= power.settingsLevel) {
    doors.push(
      `Ordinary members of ${name} may change who gets in. Raise the levels for its settings and permissions to ${String(moderatorLevel)} or more.`,
    );
  }
  if (usersDefault >= Math.min(power.kickLevel, moderatorLevel)) {
    doors.push(
      `Ordinary members of ${name} cannot be told from its staff, so nobody is removed. Lower the default power level below the level for removing.`,
    );
  }
  return doors;
}

function unknownVersion({ roomVersion }: Power, { name }: Surroundings): readonly string[] {
  if (versionNumber(roomVersion) <= newestKnownVersion) return [];
  return [
    `${name.charAt(0).toUpperCase()}${name.slice(1)} has version "${roomVersion}", which this program does not know. Check its first runs with --dry-run.`,
  ];
}
