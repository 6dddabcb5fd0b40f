/** What one run of the pipeline is given. */
import type { Config } from "../config/shape.ts";
import type { Database } from "../db.ts";
import type { Fanvue } from "../fanvue/client.ts";
import type { LockName } from "../lock.ts";
import type { Log, Progress } from "../log.ts";
import type { FanId, Platform } from "../ids.ts";
import type { Place, Reason } from "../model.ts";
import type { RoleHolders, Target } from "../target.ts";
import type { Run } from "../report/run.ts";

export interface Job {
  /** As typed after `npm run`. */
  readonly script: string;
  readonly config: Config;
  readonly target: Target;
  readonly platform: Platform;
  /** All configured places of the target. */
  readonly places: readonly Place[];
  /** Those that this run is about; the others are asked only whether they justify somebody's presence. */
  readonly chosen: readonly Place[];
  /** Who holds the roles that the places mirror; undefined: the places have rules. */
  readonly holders: RoleHolders | undefined;
  /** By entry of list_sync, why nobody can be looked after there. */
  readonly troubles: ReadonlyMap<string, Reason>;
  /** One fan only: grants only, no snapshot is saved. */
  readonly fan: FanId | undefined;
  /** The hashes of held sets that the operator releases. */
  readonly approve: readonly string[];
  /** A place that is no longer configured, whose grants the operator takes back. */
  readonly takeBack: string | undefined;
  readonly dryRun: boolean;
  readonly fanvue: Fanvue;
  readonly database: Database;
  readonly dataDir: string;
  /** Taken in this order for a run that writes. */
  readonly locks: readonly LockName[];
  readonly requests: () => Run["requests"];
  readonly now: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** Whether the run looks at a part only, so that what it holds is not the whole of what waits. */
export const isPartial = (job: Job): boolean =>
  job.fan !== undefined || job.takeBack !== undefined || job.chosen.length < job.places.length;
