/**
 * The journal: every run with its plan, written before the first step, and the outcomes as they come. Ownership follows
 * from it: a grant is ours from the moment it is planned, and stops being ours when its removal is done.
 */
import { dayMs, hourMs } from "../durations.ts";
import type { Row, Sql } from "../db.ts";
import type { Account, FanId, PlaceId, TargetName } from "../ids.ts";
import type { Step, Verb } from "../model.ts";
import type { Outcome } from "../target.ts";
import {
  accountIn,
  asFlag,
  fansIn,
  flag,
  integer,
  optionalInteger,
  optionalText,
  placeIdIn,
  targetIn,
  text,
  textsIn,
} from "./columns.ts";
import { dropExpectedGrant, expectGrant, placesOf, saveGrant, saveLoss, type Seat } from "./ownership.ts";
import { saveEntry, saveEviction } from "./presence.ts";

export type RunId = number;

/** A step as a run plans it. Approved ones are not counted by the brakes; held ones are only noted. */
export interface PlannedStep {
  readonly step: Step;
  readonly held: boolean;
  readonly approved: boolean;
}

/** A step whose effect is not known: its run died, or it is a removal that the service may have carried out and failed. */
export interface OpenStep {
  readonly runId: RunId;
  readonly seq: number;
  readonly verb: Verb;
  readonly placeId: PlaceId;
  readonly account: Account;
}

export interface StoredRun {
  readonly runId: RunId;
  readonly target: TargetName;
  readonly startedAtMs: number;
  /** Undefined while it runs, and for ever when it was killed. */
  readonly endedAtMs: number | undefined;
  readonly exitCode: number | undefined;
  /** How many steps were done, planned and held, as JSON. */
  readonly summary: string | undefined;
}

/** How long a member's own refusal is left alone, the first time, the second, …; from then on the last. */
const refusalPausesMs = [hourMs, 6 * hourMs, dayMs, 3 * dayMs, 7 * dayMs];
const journalKeptMs = 400 * dayMs;
const idleRunsKeptMs = 7 * dayMs;

/** Writes a run and its whole plan, in the plan's order. Held steps of the target's earlier runs make room. */
export function startRun(
  sql: Sql,
  { target, startedAtMs }: { readonly target: TargetName; readonly startedAtMs: number },
  planned: readonly PlannedStep[],
): RunId {
  const row = sql.get("INSERT INTO runs (target, started_at_ms) VALUES (?, ?) RETURNING run_id", [
    target,
    startedAtMs,
  ]);
  if (row === undefined) throw new Error("SQLite gave no run id.");
  const runId = integer(row, "run_id");
  sql.run("DELETE FROM steps WHERE target = ? AND state = 'held'", [target]);
  for (const [seq, { step, held, approved }] of planned.entries()) {
    sql.run(
      `INSERT INTO steps (run_id, seq, target, verb, place_id, account, fans, because, basis, requested, approved, state,
       at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        runId,
        seq,
        target,
        step.verb,
        step.placeId,
        step.account,
        JSON.stringify(step.fans),
        step.because,
        JSON.stringify(step.basis),
        // The brakes count neither who asked for it nor who was turned away at the door.
        asFlag(step.requested === true || step.declines === true),
        asFlag(approved),
        held ? "held" : "planned",
        startedAtMs,
      ],
    );
    // Whoever is to be taken out of a room that goes with a space is ours there until that is done: once they are out
    // of the space, nothing else tells of it.
    if ((step.verb === "grant" && !held) || step.within?.isPlace === false) {
      expectGrant(sql, seatOf(target, step), { fans: step.fans, basis: step.basis, runId }, startedAtMs);
    }
  }
  return runId;
}

const seatOf = (target: TargetName, { placeId, account }: Pick<Step, "placeId" | "account">): Seat => ({
  target,
  placeId,
  account,
});

// ---- Outcomes ---------------------------------------------------------------------------------------------------

/** A step as the journal holds it. */
interface JournalStep extends OpenStep {
  readonly target: TargetName;
  readonly fans: readonly FanId[];
  readonly basis: readonly string[];
  /** Whether the brakes count it. */
  readonly counted: boolean;
}

const journalStep = (row: Row): JournalStep => ({
  runId: integer(row, "run_id"),
  seq: integer(row, "seq"),
  target: targetIn(row),
  verb: verbOf(text(row, "verb")),
  placeId: placeIdIn(row),
  account: accountIn(row),
  fans: fansIn(row),
  basis: textsIn(row, "basis"),
  counted: !flag(row, "approved") && !flag(row, "requested"),
});

const verbOf = (word: string): Verb => (word === "grant" || word === "revoke" ? word : "evict");

/**
 * Writes outcomes as they come, in any number of calls, and what follows for ownership. A step of a plan is known by
 * its verb, place and account. Throws when the run never planned it: what is not in the journal must not be performed.
 */
export function saveOutcomes(sql: Sql, runId: RunId, outcomes: readonly Outcome[], nowMs: number): void {
  for (const outcome of outcomes) {
    const { verb, placeId, account } = outcome.step;
    const rows = sql.all(
      `SELECT * FROM steps WHERE run_id = ? AND account = ? AND place_id = ? AND verb = ? AND state <> 'held'`,
      [runId, account, placeId, verb],
    );
    if (rows.length === 0) throw new Error(`Run ${runId} planned no ${verb} of ${account} in ${placeId}.`);
    for (const step of rows.map(journalStep)) {
      const sentence = "sentence" in outcome ? outcome.sentence : undefined;
      saveState(sql, step, { state: outcome.result, sentence, unsure: isUnsure(outcome) }, nowMs);
      settle(sql, step, outcome, nowMs);
    }
  }
}

/** A failed grant needs no mark: it stays on record, unsettled. */
const isUnsure = (outcome: Outcome): boolean =>
  outcome.result === "failed" && outcome.blame === "service" && outcome.step.verb !== "grant";

function settle(sql: Sql, step: JournalStep, outcome: Outcome, nowMs: number): void {
  if (outcome.result === "done") {
    settleDone(sql, step, nowMs);
    return;
  }
  if (step.verb !== "grant") return;
  if (outcome.result === "refused") saveRefusal(sql, step, outcome, nowMs);
  // A service that failed may have carried the request out before. Until the place is read again, that grant counts as
  // ours: otherwise nobody would ever take it back.
  if (outcome.result === "failed" && outcome.blame === "service") return;
  dropExpectedGrant(sql, step, step.runId);
}

function settleDone(sql: Sql, step: JournalStep, nowMs: number): void {
  const { target, account, counted } = step;
  if (step.verb === "grant") {
    // What is read from now on tells of this grant, not of a removal before it.
    sql.run(
      `UPDATE steps SET unsure = 0 WHERE target = ? AND account = ? AND (place_id = ? OR verb = 'evict') AND unsure = 1`,
      [target, account, step.placeId],
    );
    saveGrant(sql, step, { origin: "granted", fans: step.fans, basis: step.basis }, nowMs);
    // Whoever holds a role is on the server, and may leave it before any run looks again.
    if (target === "discord") saveEntry(sql, target, account, nowMs);
    for (const table of ["refusals", "departures"]) {
      sql.run(`DELETE FROM ${table} WHERE target = ? AND place_id = ? AND account = ?`, [
        target,
        step.placeId,
        account,
      ]);
    }
    return;
  }
  if (step.verb === "evict") saveEviction(sql, target, account, nowMs);
  // Who is thrown out of the guild has lost every place in it.
  const lost = step.verb === "evict" ? placesOf(sql, target, account) : [];
  for (const placeId of new Set([step.placeId, ...lost])) {
    saveLoss(sql, { target, placeId, account }, { how: step.verb, counted }, nowMs);
  }
}

function saveRefusal(
  sql: Sql,
  { target, placeId, account }: Seat,
  { code, sentence }: { readonly code: string; readonly sentence: string },
  nowMs: number,
): void {
  const before = sql.get("SELECT times FROM refusals WHERE target = ? AND place_id = ? AND account = ?", [
    target,
    placeId,
    account,
  ]);
  const times = before === undefined ? 1 : integer(before, "times") + 1;
  const pauseMs = refusalPausesMs[times - 1] ?? 7 * dayMs;
  sql.run(
    `INSERT OR REPLACE INTO refusals (target, place_id, account, code, sentence, times, next_try_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    [target, placeId, account, code, sentence, times, nowMs + pauseMs],
  );
}

/**
 * What fails in the same way run after run takes one row and a count, not a row per run: a five-minute schedule would
 * fill the file with one missing permission.
 */
function saveState(
  sql: Sql,
  step: JournalStep,
  end: {
    readonly state: Outcome["result"] | "not-done";
    readonly sentence?: string | undefined;
    readonly unsure: boolean;
  },
  nowMs: number,
): void {
  const { state, sentence, unsure } = end;
  const before = sql.get(
    `SELECT run_id, seq, state, times FROM steps
     WHERE target = ? AND account = ? AND place_id = ? AND verb = ? AND run_id < ? ORDER BY run_id DESC LIMIT 1`,
    [step.target, step.account, step.placeId, step.verb, step.runId],
  );
  const repeats = before !== undefined && state !== "done" && text(before, "state") === state;
  if (repeats) {
    sql.run("DELETE FROM steps WHERE run_id = ? AND seq = ?", [
      integer(before, "run_id"),
      integer(before, "seq"),
    ]);
  }
  sql.run(
    "UPDATE steps SET state = ?, sentence = ?, unsure = ?, at_ms = ?, times = ? WHERE run_id = ? AND seq = ?",
    [
      state,
      sentence ?? null,
      asFlag(unsure),
      nowMs,
      repeats ? integer(before, "times") + 1 : 1,
      step.runId,
      step.seq,
    ],
  );
}

// ---- Steps of unknown effect ------------------------------------------------------------------------------------

const openSteps =
  "SELECT * FROM steps WHERE target = ? AND (state = 'planned' OR unsure = 1) ORDER BY run_id, seq";

/** Steps of a target whose effect is not known. Under the platform's lock those without outcome are of runs that died. */
export function loadOpenSteps(sql: Sql, target: TargetName): readonly OpenStep[] {
  return sql
    .all(openSteps, [target])
    .map(journalStep)
    .map(({ runId, seq, verb, placeId, account }) => ({ runId, seq, verb, placeId, account }));
}

/**
 * Settles those steps by what their places show now: true for carried out, false for not, undefined for a place that
 * cannot be read, whose steps stay open (and their grants ours). A failed removal that was not carried out stays failed.
 */
export function settleOpenSteps(
  sql: Sql,
  target: TargetName,
  isDone: (step: OpenStep) => boolean | undefined,
  nowMs: number,
): void {
  for (const row of sql.all(openSteps, [target])) {
    const step = journalStep(row);
    const done = isDone(step);
    if (done === true) {
      saveState(sql, step, { state: "done", unsure: false }, nowMs);
      settleDone(sql, step, nowMs);
    } else if (done === false) {
      settleUndone(sql, step, flag(row, "unsure"), nowMs);
    }
  }
}

function settleUndone(sql: Sql, step: JournalStep, hasFailed: boolean, nowMs: number): void {
  if (hasFailed) {
    sql.run("UPDATE steps SET unsure = 0 WHERE run_id = ? AND seq = ?", [step.runId, step.seq]);
    return;
  }
  saveState(sql, step, { state: "not-done", unsure: false }, nowMs);
  if (step.verb === "grant") dropExpectedGrant(sql, step, step.runId);
}

// ---- Runs -------------------------------------------------------------------------------------------------------

/** Writes how a run ended, `summary` as JSON. */
export function finishRun(
  sql: Sql,
  runId: RunId,
  end: { readonly endedAtMs: number; readonly exitCode: number; readonly summary: string },
): void {
  sql.run("UPDATE runs SET ended_at_ms = ?, exit_code = ?, summary = ? WHERE run_id = ?", [
    end.endedAtMs,
    end.exitCode,
    end.summary,
    runId,
  ]);
}

/** The newest runs of all targets, newest first. */
export function loadRuns(sql: Sql, limit: number): readonly StoredRun[] {
  return sql.all("SELECT * FROM runs ORDER BY run_id DESC LIMIT ?", [limit]).map((row) => ({
    runId: integer(row, "run_id"),
    target: targetIn(row),
    startedAtMs: integer(row, "started_at_ms"),
    endedAtMs: optionalInteger(row, "ended_at_ms"),
    exitCode: optionalInteger(row, "exit_code"),
    summary: optionalText(row, "summary"),
  }));
}

/**
 * Lets go of what is too old by a clock that is right: the brakes count what stands here. Steps are kept for 400 days, runs
 * as long as they have steps. A schedule's many runs without steps go after a week.
 */
export function pruneJournal(sql: Sql, nowMs: number): void {
  sql.run("DELETE FROM steps WHERE at_ms < ? AND state <> 'planned'", [nowMs - journalKeptMs]);
  sql.run("DELETE FROM losses WHERE at_ms < ?", [nowMs - journalKeptMs]);
  sql.run(
    `DELETE FROM runs WHERE started_at_ms < ?
     AND NOT EXISTS (SELECT 1 FROM steps WHERE steps.run_id = runs.run_id)`,
    [nowMs - idleRunsKeptMs],
  );
}
