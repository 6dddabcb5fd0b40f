/** Fans as the last sync saw them, as long as that can be relied on. */
import type { Sql } from "../db.ts";
import { dayMs, hourMs, minuteMs } from "../durations.ts";
import { BadInputError } from "../errors.ts";
import type { FanId } from "../ids.ts";
import { loadFanByHandle, loadSnapshot, type NamedFan } from "../store/snapshot.ts";

export interface SavedSubscribers {
  readonly readAtMs: number;
  /** By uuid. */
  readonly subscribers: readonly NamedFan[];
}

/** Fans come and go, and hand their names on. */
const maxAgeMs = dayMs;
/** A name that somebody gave up may be another's soon, and a personal link is handed to whoever has it now. */
const maxNameAgeMs = hourMs;
const syncRemedy = "Run a sync first, such as `npm run sync-discord`: it reads them anew.";

/** Throws a BadInputError when there is no saved snapshot, or one without subscribers or older than a day. */
export function loadSavedSubscribers(sql: Sql, nowMs: number): SavedSubscribers {
  const snapshot = loadSnapshot(sql);
  if (snapshot?.subscribers === undefined) {
    throw new BadInputError("No sync has read yet who subscribes.", syncRemedy);
  }
  const { subscribers, endedAtMs } = snapshot;
  refuseOld(endedAtMs, nowMs, maxAgeMs);
  return {
    readAtMs: endedAtMs,
    subscribers: [...subscribers]
      .map(([fan, { handle, displayName }]) => ({ fan, handle, displayName }))
      .sort((a, b) => (a.fan < b.fan ? -1 : 1)),
  };
}

/** Whose handle it is. Throws a BadInputError when nobody's, or when what is saved is older than an hour. */
export function findSavedFan(sql: Sql, handle: string, nowMs: number): FanId {
  const snapshot = loadSnapshot(sql, []);
  const found = loadFanByHandle(sql, handle);
  if (snapshot === undefined || found === undefined) {
    throw new BadInputError(
      `No fan @${handle} was there at the last sync.`,
      "Run a sync, such as `npm run sync-discord`, or write the fan's uuid: npm run links -- invite --fan FAN",
    );
  }
  refuseOld(snapshot.endedAtMs, nowMs, maxNameAgeMs);
  return found.fan;
}

function refuseOld(readAtMs: number, nowMs: number, maxAgeMs: number): void {
  if (nowMs - readAtMs <= maxAgeMs) return;
  throw new BadInputError(`The fans were last read ${ageInWords(nowMs - readAtMs)} ago.`, syncRemedy);
}

/** Such as "12 minutes" or "3 days". */
export function ageInWords(ageMs: number): string {
  const minutes = Math.max(0, Math.round(ageMs / minuteMs));
  if (minutes < 120) return `${minutes} minute${minutes === 1 ? "" : "s"}`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
}
