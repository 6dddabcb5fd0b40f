/** What the sync scripts share: their options, the choice of places, and the way from their runs to a report. */
import type { Context } from "./cli.ts";
import type { Config, ListSync } from "./config/shape.ts";
import type { Database } from "./db.ts";
import {
  BadInputError,
  type ExitCode,
  exitCodes,
  NothingHeldError,
  OperatorError,
  SourceError,
} from "./errors.ts";
import type { Fanvue } from "./fanvue/client.ts";
import type { LockName } from "./lock.ts";
import { type FanId, parseFanId, parseRoleId, type Platform, type TargetName } from "./ids.ts";
import { type LocatedLists, locateLists } from "./locate-lists.ts";
import { makeLists, withoutLists } from "./make-lists.ts";
import type { Place } from "./model.ts";
import type { RoleHolders, Target } from "./target.ts";
import { nearest } from "./nearest.ts";
import { openSource } from "./open-source.ts";
import type { Job } from "./reconcile/job.ts";
import type { Seen } from "./notices/judge.ts";
import { seenOfFanvue } from "./notices/of-fanvue.ts";
import { scopesOfRun } from "./notices/scopes.ts";
import { tellOwner } from "./notices/tell-owner.ts";
import { troubleOfError, troublesOfRun } from "./notices/troubles.ts";
import { loadLinks } from "./reconcile/links.ts";
import { reconcile, withPlatformLocks } from "./reconcile/reconcile.ts";
import { reportJson } from "./report/json.ts";
import { mergeRuns } from "./report/merge.ts";
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

/** One target that a script brings in line. */
export interface SyncPart {
  readonly target: TargetName;
  /** Whose accounts the places hold, or, of Fanvue lists, stand behind the fans there. */
  readonly platform: Platform;
  readonly locks: readonly LockName[];
  /** All places of the target. */
  readonly places: (config: Config) => readonly Place[];
  readonly open: (config: Config, fanvue: Fanvue) => Opened | Promise<Opened>;
}

export interface Opened {
  readonly target: Target;
  readonly holders?: RoleHolders;
}

/** What one sync script brings. */
export interface SyncScript {
  readonly script: string;
  /** What its report is about. */
  readonly target: TargetName;
  readonly database: Database;
  /** Brought in line one after the other. */
  readonly parts: readonly SyncPart[];
  /** Whether a place is this script's; default all. The others are asked only whether they justify somebody's presence. */
  readonly looksAfter?: (place: Place) => boolean;
  /** Whether it makes the Fanvue lists that its places ask for; default no. */
  readonly makesLists?: boolean;
}

type Options = Context<typeof syncOptions>["options"];

/** Runs one sync from its options to its report. Throws OperatorErrors for what stops it before its first step. */
export async function sync(context: Context<typeof syncOptions>, script: SyncScript): Promise<ExitCode> {
  const { options, config, log, print } = context;
  const own = script.parts.flatMap(({ places }) => places(config)).filter((place) => isOwn(place, script));
  if (own.length === 0 && options["take-back"] === undefined)
    return nothingToDo(context, script.target, `The config names no places for ${script.script}`);
  const isChosen = choosePlaces(own, options.only);
  const fan = chooseFan(options.fan);
  refuseMixture(options);

  const fanvue = await openSource(context, script.database, { remember: !options["dry-run"] });
  const ended = await runParts(context, { script, isChosen, fan, fanvue });
  const { runs, failures } = ended;
  for (const warning of config.warnings) log.warn(warning);
  if (runs.length > 0) {
    const run = mergeRuns(script.target, runs);
    print(options.json ? reportJson(run) : reportText(run));
  }
  if (looksAtAll(options) && !context.signal.aborted)
    await tellOwner(seenIn(ended, { fanvue, context }), { ...script, ...context, now: Date.now });
  const [first] = failures;
  if (runs.length === 0 && first !== undefined) throw first.error;
  for (const { error } of failures) log.error(`${error.message} ${error.remedy}`);
  return worstOf([...runs.map(exitCodeFor), ...failures.map(({ error }) => error.exitCode)]);
}

/** From the best to the worst. */
const byGravity: readonly ExitCode[] = [
  exitCodes.inOrder,
  exitCodes.busy,
  exitCodes.removalsHeld,
  exitCodes.stepFailed,
  exitCodes.sourceUnreadable,
  exitCodes.badInput,
  exitCodes.bug,
];

const worstOf = (codes: readonly ExitCode[]): ExitCode =>
  codes.reduce((worst, code) => (byGravity.indexOf(code) > byGravity.indexOf(worst) ? code : worst));

// ---- Notices ----------------------------------------------------------------------------------------------------

/** A run that writes, and that the operator did not narrow down. */
const looksAtAll = (options: Options): boolean =>
  !options["dry-run"] &&
  options.only.length === 0 &&
  options.fan === undefined &&
  options["take-back"] === undefined;

function seenIn(
  { runs, failures }: Ended,
  { fanvue, context }: { readonly fanvue: Fanvue; readonly context: Context<typeof syncOptions> },
): Seen {
  const troubles = failures.flatMap(({ target, error }) => troubleOfError(error, target) ?? []);
  const ofFanvue = seenOfFanvue(context, fanvue);
  const isShut = failures.some(({ error }) => error instanceof SourceError);
  return {
    troubles: [...runs.flatMap(troublesOfRun), ...troubles, ...ofFanvue.troubles],
    whole: new Set([...runs.flatMap(scopesOfRun), ...(isShut ? [] : ofFanvue.whole)]),
  };
}

// ---- Parts ------------------------------------------------------------------------------------------------------

interface Chosen {
  readonly script: SyncScript;
  readonly isChosen: (place: Place) => boolean;
  readonly fan: FanId | undefined;
  readonly fanvue: Fanvue;
}

interface Ended {
  readonly runs: readonly Run[];
  /** What stopped parts before their first step. */
  readonly failures: readonly { readonly target: TargetName; readonly error: OperatorError }[];
}

/** One part after the other. A platform in trouble does not keep the next from its turn; what concerns all of them does. */
async function runParts(context: Context<typeof syncOptions>, chosen: Chosen): Promise<Ended> {
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
async function locate(context: Context<typeof syncOptions>, chosen: Chosen): Promise<LocatedLists> {
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

const isOwn = (place: Place, { looksAfter }: SyncScript): boolean => looksAfter?.(place) ?? true;

const concernsAll = (error: OperatorError): boolean =>
  error instanceof SourceError || (error instanceof BadInputError && !(error instanceof NothingHeldError));

function isAsked(
  part: SyncPart,
  places: readonly Place[],
  { parts }: SyncScript,
  { "take-back": takeBack }: Options,
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
  { options, dataDir, log, signal, progress }: Context<typeof syncOptions>,
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
  isWhole: false,
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

/**
 * Which places `--only` names, by their ids or their entries in list_sync; without it all. Throws a BadInputError for a
 * name that the config does not know.
 */
function choosePlaces(places: readonly Place[], only: readonly string[]): (place: Place) => boolean {
  if (only.length === 0) return () => true;
  const names = [
    ...new Set(places.flatMap(({ id, entry }) => [id, ...(entry === undefined ? [] : [entry])])),
  ];
  for (const name of only) {
    if (names.includes(name)) continue;
    const near = nearest(name, names);
    throw new BadInputError(
      `--only ${name}: the config has no such place.`,
      near === undefined ? `It has: ${names.join(", ")}.` : `Did you mean ${near}?`,
    );
  }
  return ({ id, entry }) => only.includes(id) || (entry !== undefined && only.includes(entry));
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
