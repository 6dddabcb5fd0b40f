/** What a sync script does, from its options to its report. */
import type { Config } from "./config/shape.ts";
import { type ExitCode, type OperatorError, worstExitCode } from "./errors.ts";
import type { TargetName } from "./ids.ts";
import { seenInRuns } from "./notices/of-runs.ts";
import { tellOwner } from "./notices/tell-owner.ts";
import { openSource } from "./open-source.ts";
import { loadForeign } from "./reconcile/foreign.ts";
import { emptyRun } from "./report/empty-run.ts";
import { reportJson } from "./report/json.ts";
import { mergeRuns } from "./report/merge.ts";
import { exitCodeFor, type Run } from "./report/run.ts";
import { idleText, reportText } from "./report/text.ts";
import { chooseFan, choosePlaces, looksAtAll, refuseMixture, type SyncContext } from "./sync-options.ts";
import { isOwn, type SyncScript } from "./sync-parts/part.ts";
import { runParts } from "./sync-parts/run-parts.ts";

/** Runs one sync from its options to its report. Throws OperatorErrors for what stops it before its first step. */
export async function sync(context: SyncContext, script: SyncScript): Promise<ExitCode> {
  const { options, config, log, print, signal } = context;
  const { target, database } = script;
  const own = script.parts.flatMap(({ places }) => places(config)).filter((place) => isOwn(place, script));
  const isTakeBack = options["take-back"] !== undefined;
  if (own.length === 0 && !isTakeBack) return nothingToDo(context, script);
  const isChosen = choosePlaces(own, options.only);
  const fan = chooseFan(options.fan);
  refuseMixture(options);

  const fanvue = await openSource(context, database, { remember: !options["dry-run"] });
  const ended = await runParts(context, { script, isChosen, fan, fanvue });
  const { runs, failures } = ended;
  for (const warning of config.warnings) log.warn(warning);
  if (runs.length > 0) {
    const merged = mergeRuns(target, runs);
    const unasked = runs.some((run) => run.target === target) ? [] : await loadForeign(database, target);
    const run = { ...merged, foreignGrants: [...merged.foreignGrants, ...unasked] };
    print(options.json ? reportJson(run) : reportText(run));
  }
  if (looksAtAll(options) && !signal.aborted)
    await tellOwner(seenInRuns(ended, { ...context, fanvue }), { ...context, database, now: Date.now });
  return conclude(context, runs, failures);
}

/** The exit code of all together; what stopped a part is logged, or thrown where no part came through. */
function conclude(
  { log }: SyncContext,
  runs: readonly Run[],
  failures: readonly { readonly error: OperatorError }[],
): ExitCode {
  const code = worstExitCode([...runs.map(exitCodeFor), ...failures.map(({ error }) => error.exitCode)]);
  // Lists are filled by what Discord says: its trouble may stop two parts, and is told once.
  const errors = [...new Map(failures.map(({ error }) => [error.message, error])).values()];
  const thrown = runs.length > 0 ? undefined : errors.find(({ exitCode }) => exitCode === code);
  for (const error of errors) if (error !== thrown) log.error(`${error.message} ${error.remedy}`);
  if (thrown !== undefined) throw thrown;
  return code;
}

/** Says why a script has nothing to do with this config, which is in order: a chain of scripts may run them all. */
async function nothingToDo({ config, options, print }: SyncContext, script: SyncScript): Promise<ExitCode> {
  const { target, database } = script;
  const why = whyNothing(config, target);
  const foreignGrants = await loadForeign(database, target);
  const run = { ...emptyRun(script, { dryRun: options["dry-run"], nowMs: Date.now() }), foreignGrants };
  print(options.json ? reportJson(run, `${why}.`) : idleText(run, why));
  return exitCodeFor(run);
}

function whyNothing({ discord, matrix }: Config, target: TargetName): string {
  switch (target) {
    case "discord":
      return discord === undefined ? "The config has no discord section" : "The config names no roles";
    case "matrix":
      return matrix === undefined ? "The config has no matrix section" : "The config names no rooms";
    case "fanvue-lists":
      return "The config has no list_sync section";
  }
}
