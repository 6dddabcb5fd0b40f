/**
 * The pipeline, once for every kind of place:
 * snapshot → evaluate → want → have → diff → confirm → guard → apply → record, report.
 */
import { BusyError } from "../errors.ts";
import { type LockName, lockPath, withLock } from "../lock.ts";
import type { Run } from "../report/run.ts";
import { carryOut } from "./carry-out.ts";
import type { Job } from "./job.ts";
import { makePlan } from "./make-plan.ts";
import { planTakeBack } from "./take-back.ts";
import { runOf } from "./run-of.ts";

const lockWaitMs = 60_000;

/**
 * Brings the chosen places in line; a dry run tells what would be done, takes no lock and writes nothing.
 * Throws OperatorErrors for what stops a run before its first step; afterwards everything is in the Run.
 */
export async function reconcile(job: Job): Promise<Run> {
  if (job.dryRun) return runOf(job, await plan(job), { outcomes: [], brokenOff: undefined });
  return withPlatformLocks(job.locks, job, async () => carryOut(job, await plan(job)));
}

const plan = (job: Job) => (job.takeBack === undefined ? makePlan(job) : planTakeBack(job, job.takeBack));

/**
 * Holds the locks of the platforms that `fn` writes to, taken in their order. Throws a BusyError where another run keeps
 * one of them.
 */
export async function withPlatformLocks<T>(
  locks: readonly LockName[],
  { dataDir, signal }: Pick<Job, "dataDir" | "signal">,
  fn: () => Promise<T>,
): Promise<T> {
  const [first, ...rest] = locks;
  if (first === undefined) return fn();
  const busy = () =>
    new BusyError(
      `Another run has been writing to ${first} for more than ${String(lockWaitMs / 1000)} s.`,
      "Nothing was done. The next run goes on; if this happens often, run the syncs less often.",
    );
  return withLock(lockPath(dataDir, first), { waitMs: lockWaitMs, busy, signal }, () =>
    withPlatformLocks(rest, { dataDir, signal }, fn),
  );
}
