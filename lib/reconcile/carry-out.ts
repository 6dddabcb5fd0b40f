/** The writing half of the pipeline: journal first, then the steps, then what came of them. */
import { apply } from "../apply.ts";
import type { Sql } from "../db.ts";
import { clockIsOff, stepKey } from "../guard.ts";
import type { Place, PlaceState, SpaceRoom } from "../model.ts";
import type { StepIdentity } from "../model/brakes.ts";
import { rulesHash } from "../rules.ts";
import { exitCodeFor, type Run } from "../report/run.ts";
import { clearHeld, type HeldSet, loadCurrentHeld, saveHeld } from "../store/held.ts";
import {
  finishRun,
  type OpenStep,
  type PlannedStep,
  pruneJournal,
  type RunId,
  saveOutcomes,
  settleOpenSteps,
  startRun,
} from "../store/journal.ts";
import { saveBooks } from "../store/links.ts";
import { saveObservations, savePlaceApplied } from "../store/places.ts";
import { acceptSourceSizes, saveUnreadableFans } from "../store/sources.ts";
import { hashOf } from "./hash.ts";
import type { Job } from "./job.ts";
import { judgedPlaces, judgesAll } from "./judged.ts";
import { clockSkewMs, type Planned } from "./make-plan.ts";
import { runOf } from "./run-of.ts";

/** Carries out what the guard let go. The plan, what is held and what was observed are on disk before the first step. */
export async function carryOut(job: Job, planned: Planned): Promise<Run> {
  const { database, now } = job;
  const runId = await database.write((sql) => saveBefore(sql, job, planned));
  const applied = await apply({
    target: job.target,
    steps: planned.guarded.go,
    look: planned,
    confirmedAtMs: planned.confirmedAtMs,
    confirmationMaxAgeMs: job.config.snapshotMaxAgeMs,
    save: (outcomes) =>
      database.write((sql) => {
        saveOutcomes(sql, runId, outcomes, now());
      }),
    now,
    signal: job.signal,
    progress: job.progress,
    log: job.log,
  });
  const run = runOf(job, planned, applied);
  await database.write((sql) => {
    saveAfter(sql, job, planned, runId, run);
  });
  return run;
}

function saveBefore(sql: Sql, job: Job, planned: Planned): RunId {
  const target = job.target.name;
  const nowMs = job.now();
  saveBooks(sql, planned.links.books.books, nowMs);
  if (!clockIsOff(clockSkewMs(job))) saveSeen(sql, job, planned, nowMs);
  saveHeldSet(sql, job, planned, nowMs);
  return startRun(sql, { target, startedAtMs: planned.startedAtMs }, stepsToJournal(planned));
}

/**
 * What this run saw, by our clock: days of grace and the brakes count from it. A run whose clock is off leaves it to the
 * next one, which sees the same. Steps are settled first, or who was taken out by them would pass for gone by themselves.
 */
function saveSeen(sql: Sql, job: Job, { confirmed, have, unreadable }: Planned, nowMs: number): void {
  const target = job.target.name;
  settleOpenSteps(sql, target, (step) => wasDone(step, have), nowMs);
  // An outage says nothing of a single fan.
  if (unreadable.size === 0) {
    saveUnreadableFans(sql, confirmed.unreadableFans, confirmed.readableFans, nowMs);
  }
  for (const observations of confirmed.plan.observations.values()) {
    saveObservations(sql, target, observations, nowMs);
  }
}

function stepsToJournal({ guarded }: Planned): readonly PlannedStep[] {
  const go = guarded.go.map((step) => ({ step, held: false, approved: guarded.approved.has(step) }));
  const held = guarded.held?.steps ?? [];
  return [...go, ...held.map((step) => ({ step, held: true, approved: false }))];
}

/**
 * What waits is stored under its hash, for an approval, and together with what waits in places of which this run can tell
 * nothing it is the current set from then on.
 */
function saveHeldSet(sql: Sql, job: Job, planned: Planned, nowMs: number): void {
  const target = job.target.name;
  const { held: own, accepts } = planned.guarded;
  const elsewhere = judgesAll(job, planned) ? [] : heldElsewhere(sql, job, planned);
  if (own !== undefined) saveHeld(sql, target, { ...own, accepts }, nowMs);
  if (elsewhere.length > 0) saveHeld(sql, target, together([...elsewhere, ...(own?.steps ?? [])]), nowMs);
  else if (own === undefined) clearHeld(sql, target);
}

function heldElsewhere(sql: Sql, job: Job, planned: Planned): readonly StepIdentity[] {
  const judged = judgedPlaces(job, planned);
  const own = new Set(planned.guarded.held?.steps.map(stepKey));
  const steps = loadCurrentHeld(sql, job.target.name)?.steps ?? [];
  return steps.filter((step) => !judged.has(step.placeId) && !own.has(stepKey(step)));
}

/** Approved as a whole it releases these steps, and accepts nothing beside them. */
const together = (steps: readonly StepIdentity[]): HeldSet => ({
  hash: hashOf(steps.map(stepKey).sort().join("\n")).slice(0, 12),
  steps,
  accepts: { rules: [], sizes: [] },
});

function saveAfter(sql: Sql, job: Job, planned: Planned, runId: RunId, run: Run): void {
  acceptSourceSizes(sql, job.target.name, planned.guarded.acceptSizes, job.now());
  const isOff = clockIsOff(clockSkewMs(job));
  if (job.fan === undefined && !isOff) saveAppliedPlaces(sql, job, planned);
  if (!isOff) pruneJournal(sql, job.now());
  finishRun(sql, runId, {
    endedAtMs: run.endedAtMs,
    exitCode: exitCodeFor(run),
    summary: JSON.stringify({
      done: run.outcomes.filter(({ result }) => result === "done").length,
      planned: run.go.length,
      held: run.held?.steps.length ?? 0,
    }),
  });
}

/**
 * A run for one fan looks at grants alone: it has not applied a place's rules to anybody else. One whose clock is off
 * has not noted whom it found there.
 */
function saveAppliedPlaces(sql: Sql, job: Job, { guarded, have }: Planned): void {
  for (const place of guarded.applied) {
    const state = have.get(place);
    if (state === undefined || "unreadable" in state) continue;
    const { placeId, name } = state;
    const strangersWait = guarded.strangersWait.has(place);
    const applied = { configuredId: place.id, placeId, name, rulesHash: rulesHash(place), strangersWait };
    savePlaceApplied(sql, job.target.name, applied, job.now());
  }
}

/** Whether a step of an earlier run whose effect is not known shows in what was read now; undefined where its place was not read. */
function wasDone(step: OpenStep, have: ReadonlyMap<Place, PlaceState>): boolean | undefined {
  for (const state of [...have.values()].flatMap(placeAndRooms)) {
    if (state.placeId !== step.placeId) continue;
    const standing = state.members.get(step.account)?.is ?? "out";
    if (standing === "unknown") return undefined;
    // Who is on the server still has not been thrown out of it, with or without the role.
    if (step.verb === "evict") return standing === "absent";
    const isIn = standing === "in" || standing === "invited";
    return step.verb === "grant" ? isIn : !isIn;
  }
  return undefined;
}

const placeAndRooms = (state: PlaceState): readonly Pick<SpaceRoom, "placeId" | "members">[] =>
  "unreadable" in state ? [] : [state, ...(state.rooms ?? [])];
