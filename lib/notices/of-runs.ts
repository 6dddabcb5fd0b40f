/** What a sync script has seen of what its owner is to know. */
import type { Config } from "../config/shape.ts";
import { type OperatorError, SourceError } from "../errors.ts";
import type { Fanvue } from "../fanvue/client.ts";
import type { TargetName } from "../ids.ts";
import type { Run } from "../report/run.ts";
import type { Seen } from "./judge.ts";
import { seenOfFanvue } from "./of-fanvue.ts";
import { scopesOfRun } from "./scopes.ts";
import { troubleOfError, troublesOfRun } from "./troubles.ts";

interface Ended {
  readonly runs: readonly Run[];
  readonly failures: readonly { readonly target: TargetName; readonly error: OperatorError }[];
}

interface About {
  readonly config: Config;
  readonly dataDir: string;
  readonly fanvue: Pick<Fanvue, "clockSkewMs">;
}

/** Of runs that the operator did not narrow down. */
export function seenInRuns({ runs, failures }: Ended, about: About): Seen {
  const troubles = failures.flatMap(({ target, error }) => troubleOfError(error, target) ?? []);
  const ofFanvue = seenOfFanvue(about, about.fanvue);
  const isShut = failures.some(({ error }) => error instanceof SourceError);
  return {
    troubles: [...runs.flatMap(troublesOfRun), ...troubles, ...ofFanvue.troubles],
    whole: new Set([...runs.flatMap(scopesOfRun), ...(isShut ? [] : ofFanvue.whole)]),
  };
}
