/** What of a run needs its owner. Names no fans and no figures of theirs: others may read where it is posted. Pure. */
import { AccessError, type OperatorError, PlatformError, PlatformOutage } from "../errors.ts";
import type { TargetName } from "../ids.ts";
import { type Place, placeInConfig, type PlaceState } from "../model.ts";
import type { Run } from "../report/run.ts";
import { type Scope, scopeOfPlace } from "./scopes.ts";

export interface Trouble {
  /** Equal for the same trouble, run after run. */
  readonly key: string;
  readonly scope: Scope;
  /** A sentence or more, with what to do. */
  readonly text: string;
  /** More of it than when it was last told. */
  readonly isNews?: true;
  /** Most often it ends by itself: told only when it does not. */
  readonly isPassing?: true;
}

const where: Readonly<Record<TargetName, string>> = {
  discord: "on Discord",
  matrix: "on Matrix",
  "fanvue-lists": "on Fanvue lists",
};

/** The troubles of a run over one target. */
export const troublesOfRun = (run: Run): readonly Trouble[] => [
  ...heldTrouble(run),
  ...[...run.have].flatMap(([place, state]) => placeTroubles(place, state)),
];

/** What to type stands before the reasons, and these are few: a platform cuts what is long. */
const mostReasons = 5;

function heldTrouble({ held, heldIsNew, script, target }: Run): readonly Trouble[] {
  if (held === undefined) return [];
  const count = held.steps.length;
  const more = held.reasons.length - mostReasons;
  const text = [
    `${count} ${count === 1 ? "change waits" : "changes wait"} for your approval ${where[target]}. Until then nobody loses anything.`,
    `  To see who it is about: npm run ${script} -- --dry-run`,
    `  To carry it out: npm run ${script} -- --approve ${held.hash}`,
    ...held.reasons.slice(0, mostReasons).map((reason) => `  ${reason}`),
    ...(more > 0 ? [`  … and ${more} more, which the report of the sync names.`] : []),
  ].join("\n");
  const scope: Scope = `held ${target}`;
  return [{ key: scope, scope, text, ...(heldIsNew ? { isNews: true } : {}) }];
}

function placeTroubles(place: Place, state: PlaceState): readonly Trouble[] {
  const scope = scopeOfPlace(place);
  if (!("unreadable" in state))
    return state.warnings.map((text) => ({ key: `${scope}: ${withoutCounts(text)}`, scope, text }));
  const { because, remedy, isPassing } = state.unreadable;
  return [
    {
      key: scope,
      scope,
      text: `${placeInConfig(place)} cannot be looked after. ${because} ${remedy}`,
      ...(isPassing === true ? { isPassing } : {}),
    },
  ];
}

/** A warning that counts something is the same one when the count has changed; one of another room is not. */
const withoutCounts = (text: string): string => text.replaceAll(/\b(from|counts|shows|into) \d+\b/g, "$1 #");

/** What stopped a run over a target before its first step; undefined: nothing that the owner has to be told. */
export function troubleOfError(error: OperatorError, target: TargetName): Trouble | undefined {
  if (error instanceof AccessError) return troubleOfAccess(error);
  if (!(error instanceof PlatformError)) return undefined;
  const scope: Scope = `platform ${target}`;
  return {
    key: scope,
    scope,
    text: inWords(error),
    ...(error instanceof PlatformOutage ? { isPassing: true } : {}),
  };
}

/** Without access nothing is taken from anybody, and nobody new is let in. */
export const troubleOfAccess = (error: AccessError): Trouble => ({
  key: "fanvue access",
  scope: "fanvue",
  text: `${inWords(error)} Until then nobody loses anything, and nobody new gets in.`,
});

const inWords = ({ message, remedy }: OperatorError): string => `${message} ${remedy}`;

/** The config asks for more than the account's owner allowed when they connected it. */
export const troubleOfScopes = (missing: readonly string[]): readonly Trouble[] =>
  missing.length === 0
    ? []
    : [
        {
          key: "fanvue scopes",
          scope: "fanvue",
          text: `The config needs more of Fanvue than was allowed when the account was connected (${missing.join(", ")}). Tick that on your app at https://fanvue.com/developers/apps, then run: npm run authorize`,
        },
      ];
