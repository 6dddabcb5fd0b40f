/** When each script of a round ran last, and how that ended. */
import type { SyncScript } from "./duties.ts";
import type { ScriptEnd } from "../run-script.ts";
import { isGood } from "./ends.ts";

export interface ScriptRecord {
  /** Since when it is run by the daemon at all. */
  readonly sinceMs: number;
  /** The last run, or the one under way. */
  readonly startedAtMs: number | undefined;
  /** Undefined while it runs. */
  readonly ended: { readonly atMs: number; readonly end: ScriptEnd } | undefined;
  /** When the last good run ended. */
  readonly goodAtMs: number | undefined;
}

export interface Records {
  /** These scripts are run from now on; what is known of others is forgotten. */
  expect(scripts: readonly SyncScript[]): void;
  began(script: SyncScript): void;
  ended(script: SyncScript, end: ScriptEnd): void;
  all(): ReadonlyMap<SyncScript, ScriptRecord>;
}

export function createRecords(now: () => number): Records {
  let records: ReadonlyMap<SyncScript, ScriptRecord> = new Map();
  const fresh = (): ScriptRecord => ({
    sinceMs: now(),
    startedAtMs: undefined,
    ended: undefined,
    goodAtMs: undefined,
  });
  const change = (script: SyncScript, changes: Partial<ScriptRecord>) => {
    const record = records.get(script);
    if (record !== undefined) records = new Map(records).set(script, { ...record, ...changes });
  };
  return {
    expect(scripts) {
      records = new Map(scripts.map((script) => [script, records.get(script) ?? fresh()]));
    },
    began(script) {
      change(script, { startedAtMs: now(), ended: undefined });
    },
    ended(script, end) {
      const atMs = now();
      change(script, { ended: { atMs, end }, ...(isGood(end) ? { goodAtMs: atMs } : {}) });
    },
    all: () => records,
  };
}
