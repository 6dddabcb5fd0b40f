/** How the daemon is, as a document for programs that watch it. Names no fans, and no secrets. */
import { mostMissed } from "../cron.ts";
import type { TargetName } from "../ids.ts";
import type { Listener, SyncScript } from "./duties.ts";
import type { DatabaseFacts } from "./facts.ts";
import type { ListenerStatus } from "./listeners.ts";
import type { ScriptEnd } from "../run-script.ts";
import type { ScriptRecord } from "./records.ts";

export interface DaemonState {
  readonly startedAtMs: number;
  /** The schedule, and its next two times; undefined: there are no rounds. */
  readonly schedule: { readonly sync: string; readonly runsMs: readonly number[] } | undefined;
  readonly roundsLeftOut: number;
  readonly records: ReadonlyMap<SyncScript, ScriptRecord>;
  readonly listeners: ReadonlyMap<Listener, ListenerStatus>;
  /** What the database said last; undefined where it could not be read. */
  readonly facts: DatabaseFacts | undefined;
}

/** A script that had no good run for longer than three intervals of the schedule is not well, and the daemon neither. */
export function isHealthy({ schedule, records }: DaemonState, nowMs: number): boolean {
  const [first, second] = schedule?.runsMs ?? [];
  if (first === undefined || second === undefined) return true;
  const patienceMs = mostMissed * (second - first);
  return [...records.values()].every(({ goodAtMs, sinceMs }) => nowMs - (goodAtMs ?? sinceMs) <= patienceMs);
}

export interface Health {
  readonly healthy: boolean;
  readonly startedAt: string;
  readonly schedule: string | null;
  readonly nextRound: string | null;
  readonly roundsLeftOut: number;
  readonly scripts: Readonly<Record<string, ScriptHealth>>;
  readonly listeners: Readonly<Record<string, { readonly up: boolean; readonly restarts: number }>>;
  readonly snapshotAgeSeconds: number | null;
  /** By target; undefined where the database cannot be read. */
  readonly held?: Readonly<Partial<Record<TargetName, { readonly hash: string; readonly count: number }>>>;
}

interface ScriptHealth {
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly exitCode: number | null;
  /** What ended it where it did not end by itself. */
  readonly endedBy: string | null;
  readonly lastGoodRunEndedAt: string | null;
}

export function healthOf(state: DaemonState, nowMs: number): Health {
  const { schedule, records, listeners, facts } = state;
  return {
    healthy: isHealthy(state, nowMs),
    startedAt: timeText(state.startedAtMs),
    schedule: schedule?.sync ?? null,
    nextRound: optionalTime(schedule?.runsMs[0]),
    roundsLeftOut: state.roundsLeftOut,
    scripts: Object.fromEntries([...records].map(([name, record]) => [name, scriptHealth(record)])),
    listeners: Object.fromEntries(
      [...listeners].map(([name, { isUp, restarts }]) => [name, { up: isUp, restarts }]),
    ),
    snapshotAgeSeconds:
      facts?.snapshotEndedAtMs === undefined ? null : Math.round((nowMs - facts.snapshotEndedAtMs) / 1000),
    ...(facts === undefined ? {} : { held: facts.held }),
  };
}

const scriptHealth = ({ startedAtMs, ended, goodAtMs }: ScriptRecord): ScriptHealth => ({
  startedAt: optionalTime(startedAtMs),
  endedAt: optionalTime(ended?.atMs),
  exitCode: ended !== undefined && "code" in ended.end ? ended.end.code : null,
  endedBy: ended === undefined ? null : endedBy(ended.end),
  lastGoodRunEndedAt: optionalTime(goodAtMs),
});

function endedBy(end: ScriptEnd): string | null {
  if ("code" in end) return null;
  return "signal" in end ? end.signal : "could not be started";
}

const timeText = (ms: number): string => new Date(ms).toISOString();
const optionalTime = (ms: number | undefined): string | null => (ms === undefined ? null : timeText(ms));
