/** How the daemon is: when each script of a round ran and how that ended, and what becomes of it for programs that watch. */
import { mostMissed } from "../cron.ts";
import type { TargetName } from "../ids.ts";
import type { Listener, SyncScript } from "./duties.ts";
import type { DatabaseFacts } from "./database.ts";
import type { ListenerStatus } from "./supervisor.ts";
import type { ScriptEnd } from "../run-script.ts";
import { isGood } from "./script-end.ts";

// ---- What is kept of each script --------------------------------------------------------------------------------

export interface ScriptRecord {
  /** How many times of the schedule have passed since its last good run, or since it is run by this schedule. */
  readonly missed: number;
  /** The last run, or the one under way. */
  readonly startedAtMs: number | undefined;
  /** Undefined while it runs. */
  readonly ended: { readonly atMs: number; readonly end: ScriptEnd } | undefined;
  /** When the last good run ended. */
  readonly goodAtMs: number | undefined;
}

export interface Records {
  /** These scripts are run by a new schedule from now on; what is known of others is forgotten. */
  expect(scripts: readonly SyncScript[]): void;
  /** A time of the schedule has come. */
  struck(): void;
  began(script: SyncScript): void;
  ended(script: SyncScript, end: ScriptEnd): void;
  all(): ReadonlyMap<SyncScript, ScriptRecord>;
}

const unknown: ScriptRecord = { missed: 0, startedAtMs: undefined, ended: undefined, goodAtMs: undefined };

export function createRecords(now: () => number): Records {
  let records: ReadonlyMap<SyncScript, ScriptRecord> = new Map();
  const change = (script: SyncScript, changes: Partial<ScriptRecord>) => {
    const record = records.get(script);
    if (record !== undefined) records = new Map(records).set(script, { ...record, ...changes });
  };
  return {
    expect(scripts) {
      records = new Map(
        scripts.map((script) => [script, { ...(records.get(script) ?? unknown), missed: 0 }]),
      );
    },
    struck() {
      records = new Map(
        [...records].map(([script, record]) => [script, { ...record, missed: record.missed + 1 }]),
      );
    },
    began(script) {
      change(script, { startedAtMs: now(), ended: undefined });
    },
    ended(script, end) {
      const atMs = now();
      change(script, { ended: { atMs, end }, ...(isGood(end) ? { goodAtMs: atMs, missed: 0 } : {}) });
    },
    all: () => records,
  };
}

// ---- What becomes of it -----------------------------------------------------------------------------------------

export interface DaemonState {
  readonly startedAtMs: number;
  /** The schedule, and its next two times; undefined: there are no rounds. */
  readonly schedule: { readonly sync: string; readonly runsMs: readonly number[] } | undefined;
  readonly roundsLeftOut: number;
  readonly records: ReadonlyMap<SyncScript, ScriptRecord>;
  readonly listeners: ReadonlyMap<Listener, ListenerStatus>;
  /** What the database said last; undefined before it was looked at. */
  readonly facts: DatabaseFacts | "unreadable" | undefined;
}

/** Runs of a listener that fail in a row until it is not taken for well any more. */
const mostFailures = 3;

/** Why the daemon is not well, as sentences; none: it is. */
export function troublesOf({ records, listeners, facts }: DaemonState): readonly string[] {
  const late = [...records].filter(([, { missed }]) => missed >= mostMissed);
  const failing = [...listeners].filter(([, { failures }]) => failures >= mostFailures);
  return [
    ...late.map(([name, { missed }]) => `${name} had no good run for ${missed} times of the schedule.`),
    ...failing.map(([name, { failures }]) => `${name} failed ${failures} times in a row.`),
    ...(facts === "unreadable" ? ["The database cannot be read."] : []),
  ];
}

/** For programs that watch the daemon. Names no fans, and no secrets. */
export interface Health {
  readonly healthy: boolean;
  /** Why it is not. */
  readonly troubles: readonly string[];
  readonly startedAt: string;
  readonly schedule: string | null;
  readonly nextRound: string | null;
  readonly roundsLeftOut: number;
  readonly scripts: Readonly<Record<string, ScriptHealth>>;
  readonly listeners: Readonly<Record<string, { readonly up: boolean; readonly restarts: number }>>;
  readonly snapshotAgeSeconds: number | null;
  /** By target; undefined where the database could not be read. */
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
  const { schedule, records, listeners } = state;
  const facts = state.facts === "unreadable" ? undefined : state.facts;
  const troubles = troublesOf(state);
  return {
    healthy: troubles.length === 0,
    troubles,
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
