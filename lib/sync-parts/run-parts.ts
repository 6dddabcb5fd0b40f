/** Runs the parts of a sync script, one after the other. */
import type { ListSync } from "../config/shape.ts";
import { BadInputError, NothingHeldError, OperatorError, SourceError } from "../errors.ts";
import type { Fanvue } from "../fanvue/client.ts";
import { type FanId, parseFanId, parseRoleId, type TargetName } from "../ids.ts";
import { type LocatedLists, locateLists } from "../locate-lists.ts";
import { makeLists, withoutLists } from "../make-lists.ts";
import type { Place } from "../model.ts";
import type { Job } from "../reconcile/job.ts";
import { loadLinks } from "../reconcile/links.ts";
import { reconcile, withPlatformLocks } from "../reconcile/reconcile.ts";
import type { Run } from "../report/run.ts";
import type { SyncContext, SyncOptions } from "../sync-options.ts";
import { isOwn, type SyncPart, type SyncScript } from "./part.ts";

export interface Chosen {
  readonly script: SyncScript;
  readonly isChosen: (place: Place) => boolean;
  readonly fan: FanId | undefined;
  readonly fanvue: Fanvue;
}

export interface Ended {
  readonly runs: readonly Run[];
  /** What stopped parts before their first step. */
  readonly failures: readonly { readonly target: TargetName; readonly error: OperatorError }[];
}

/** One part after the other. A platform in trouble does not keep the next from its turn; what concerns all of them does. */
export async function runParts(context: SyncContext, chosen: Chosen): Promise<Ended> {
  const { script, isChosen } = chosen;
  const { options, signal } = context;
  const located = await locate(context, chosen).catch(asOperatorError);
  if (located instanceof OperatorError)
    return { runs: [], failures: [{ target: script.target, error: located }] };
  let asked = 0;
  const runs: Run[] = [];
  const failures: { target: TargetName; error: OperatorError }[] = [];
  for (const part of script.parts) {
    const { target } = part;
    const places = part.places(located.config).filter((place) => isOwn(place, script) && isChosen(place));
    if (!isAsked(part, places, script, options)) continue;
    try {
      const job = await jobFor(context, { ...chosen, part, places, located, askedBefore: asked });
      runs.push(await reconcile(job));
      asked = chosen.fanvue.requests();
    } catch (thrown) {
      const error = asOperatorError(thrown);
      failures.push({ target, error });
      if (signal.aborted || concernsAll(error)) break;
    }
  }
  const isElsewhere = (error: OperatorError) => error instanceof NothingHeldError && runs.length > 0;
  return { runs, failures: failures.filter(({ error }) => !isElsewhere(error)) };
}

/** Finds the lists that the config names and, in a run that writes, makes those that this script is to make. */
async function locate(context: SyncContext, chosen: Chosen): Promise<LocatedLists> {
  const { config, options, dataDir, signal, log } = context;
  const { script, fanvue } = chosen;
  const { database } = script;
  const dryRun = options["dry-run"];
  const ask = { fanvue, database, save: !dryRun, maxAgeMs: config.snapshotMaxAgeMs, now: Date.now };
  const located = await locateLists(config, ask);
  if (dryRun) return located;
  const toMake = script.makesLists === true ? located.toMake.filter(isOf(located, chosen)) : [];
  if (toMake.length === 0 || options["take-back"] !== undefined) return withoutLists(located);
  // A fault of the address books ends the run: nothing is to be made before.
  await loadLinks({ database, config });
  const troubles = await withPlatformLocks(["fanvue-lists"], { dataDir, signal }, () =>
    makeLists(toMake, { fanvue, database, log, signal }),
  );
  const made = withoutLists(await locateLists(config, ask));
  return { ...made, troubles: new Map([...made.troubles, ...troubles]) };
}

/** Whether an entry of list_sync stands for one of the chosen places. */
function isOf({ config }: LocatedLists, { script, isChosen }: Chosen): (entry: ListSync) => boolean {
  const places = script.parts.flatMap((part) => part.places(config));
  const names = new Set(places.filter(isChosen).map(({ entry }) => entry));
  return ({ name }) => names.has(name);
}

/** A bug is no end of a part: it ends the script. */
function asOperatorError(thrown: unknown): OperatorError {
  if (thrown instanceof OperatorError) return thrown;
  throw thrown;
}

const concernsAll = (error: OperatorError): boolean =>
  error instanceof SourceError || (error instanceof BadInputError && !(error instanceof NothingHeldError));

function isAsked(
  part: SyncPart,
  places: readonly Place[],
  { parts }: SyncScript,
  { "take-back": takeBack }: SyncOptions,
): boolean {
  if (takeBack === undefined) return places.length > 0;
  return parts.length === 1 || part.target === targetOf(takeBack);
}

/** Whose place it is that is taken back, by the looks of its id. */
function targetOf(placeId: string): TargetName {
  if (parseFanId(placeId) !== undefined) return "fanvue-lists";
  return parseRoleId(placeId) === undefined ? "matrix" : "discord";
}

async function jobFor(
  { options, dataDir, log, signal, progress }: SyncContext,
  {
    script: { script, database },
    part,
    places,
    fan,
    fanvue,
    located: { config, troubles },
    askedBefore,
  }: Chosen & {
    readonly part: SyncPart;
    readonly places: readonly Place[];
    readonly located: LocatedLists;
    /** What the parts before asked of Fanvue: each request is told once. */
    readonly askedBefore: number;
  },
): Promise<Job> {
  const { target, holders } = await part.open(config, fanvue);
  const { platform } = part;
  return {
    script,
    config,
    target,
    platform,
    places: part.places(config),
    chosen: places,
    holders,
    troubles,
    fan,
    approve: options.approve?.split("+") ?? [],
    takeBack: options["take-back"],
    dryRun: options["dry-run"],
    fanvue,
    database,
    dataDir,
    locks: part.locks,
    requests: () => {
      const sent = target.requests() + (holders?.requests() ?? 0);
      return {
        fanvue: fanvue.requests() - askedBefore,
        discord: platform === "discord" ? sent : 0,
        matrix: platform === "matrix" ? sent : 0,
      };
    },
    now: Date.now,
    log,
    signal,
    progress,
  };
}
