/** What the sync scripts share: their options, the choice of places, and the way from a run to its report. */
import type { Context } from "./cli.ts";
import type { Database } from "./db.ts";
import { BadInputError, type ExitCode, exitCodes } from "./errors.ts";
import type { Fanvue } from "./fanvue/client.ts";
import type { LockName } from "./lock.ts";
import { type FanId, parseFanId, type Platform, type TargetName } from "./ids.ts";
import type { Place } from "./model.ts";
import type { Target } from "./target.ts";
import { nearest } from "./nearest.ts";
import { openSource } from "./open-source.ts";
import { reconcile } from "./reconcile/reconcile.ts";
import { reportJson } from "./report/json.ts";
import { exitCodeFor, type Run } from "./report/run.ts";
import { reportText } from "./report/text.ts";

export const syncOptions = {
  "dry-run": { type: "boolean", description: "show what would be done and write nothing" },
  only: {
    type: "string",
    multiple: true,
    value: "PLACE",
    description: "this place only, as the config names it",
  },
  fan: { type: "string", value: "UUID", description: "this fan only: gives what is due, takes nothing away" },
  "take-back": {
    type: "string",
    value: "PLACE",
    description: "take back what was given in a place that the config no longer names",
  },
  approve: {
    type: "string",
    value: "HASH",
    description: "release the held changes that were shown under this hash",
  },
} as const;

/** What one sync script brings: its platform, the places that the config gives it, and the target that holds them. */
export interface SyncScript {
  readonly script: string;
  readonly platform: Platform;
  readonly places: readonly Place[];
  readonly target: Target;
  readonly database: Database;
  readonly locks: readonly LockName[];
}

/** Runs one sync from its options to its report. Throws OperatorErrors for what stops it before its first step. */
export async function sync(context: Context<typeof syncOptions>, script: SyncScript): Promise<ExitCode> {
  const { options, config, dataDir, log, signal, progress, print } = context;
  if (script.places.length === 0 && options["take-back"] === undefined)
    return nothingToDo(context, script.target.name, `The config names no places for ${script.script}`);
  const dryRun = options["dry-run"];
  const chosen = choosePlaces(script.places, options.only);
  const fan = chooseFan(options.fan);
  refuseMixture(options);

  const fanvue = await openSource(context, script.database, { remember: !dryRun });
  const run = await reconcile({
    ...script,
    chosen,
    fan,
    approve: options.approve,
    takeBack: options["take-back"],
    dryRun,
    config,
    fanvue,
    dataDir,
    requests: () => requestsOf(fanvue, script.target),
    now: Date.now,
    log,
    signal,
    progress,
  });
  for (const warning of config.warnings) log.warn(warning);
  print(options.json ? reportJson(run) : reportText(run));
  return exitCodeFor(run);
}

/** Says why a script has nothing to do with this config, which is in order: a chain of scripts may run them all. */
export function nothingToDo(
  { options, print }: Context<typeof syncOptions>,
  target: TargetName,
  why: string,
): ExitCode {
  const run = emptyRun(target, { dryRun: options["dry-run"], nowMs: Date.now() });
  print(options.json ? reportJson(run, `${why}.`) : `${why}: there is nothing to do.`);
  return exitCodes.inOrder;
}

const emptyRun = (target: TargetName, { dryRun, nowMs }: { dryRun: boolean; nowMs: number }): Run => ({
  script: `sync-${target}`,
  target,
  dryRun,
  startedAtMs: nowMs,
  endedAtMs: nowMs,
  snapshot: { readAtMs: undefined, subscribers: undefined, unreadable: [] },
  have: new Map(),
  memories: new Map(),
  plan: { steps: [], skips: [], observations: new Map() },
  go: [],
  held: undefined,
  heldIsNew: false,
  outcomes: [],
  handles: new Map(),
  foreignGrants: [],
  warnings: [],
  requests: { fanvue: 0, discord: 0, matrix: 0 },
  brokenOff: undefined,
});

function requestsOf(fanvue: Fanvue, target: Target) {
  const sent = target.requests();
  return {
    fanvue: fanvue.requests(),
    discord: target.name === "discord" ? sent : 0,
    matrix: target.name === "matrix" ? sent : 0,
  };
}

/** The places that `--only` names, or all. Throws a BadInputError for a name that the config does not know. */
function choosePlaces(places: readonly Place[], only: readonly string[]): readonly Place[] {
  if (only.length === 0) return places;
  const ids = places.map(({ id }) => id);
  for (const name of only) {
    if (ids.includes(name)) continue;
    const near = nearest(name, ids);
    throw new BadInputError(
      `--only ${name}: the config has no such place.`,
      near === undefined ? `It has: ${ids.join(", ")}.` : `Did you mean ${near}?`,
    );
  }
  return places.filter(({ id }) => only.includes(id));
}

function chooseFan(text: string | undefined): FanId | undefined {
  if (text === undefined) return undefined;
  const fan = parseFanId(text);
  if (fan !== undefined) return fan;
  throw new BadInputError(
    `--fan ${text}: this is not a Fanvue uuid.`,
    "One looks like 123e4567-e89b-42d3-a456-426614174000; npm run links -- list shows those of your fans.",
  );
}

const oneAtATime = ["fan", "approve", "take-back"] as const;

function refuseMixture(options: Context<typeof syncOptions>["options"]): void {
  const [first, second] = oneAtATime.filter((name) => options[name] !== undefined);
  if (first === undefined || second === undefined) return;
  throw new BadInputError(`--${first} and --${second} do not go together.`, "Give one of them at a time.");
}
