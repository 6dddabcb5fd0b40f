/** A run in words, for a terminal. */
import type { Account, FanId } from "../ids.ts";
import {
  type Grant,
  type Place,
  placeInConfig,
  type PlaceState,
  type ReadablePlace,
  type Skip,
  type Step,
} from "../model.ts";
import { dayOf } from "../rules.ts";
import { resultsOf, type Run, type StepResult } from "./run.ts";

/** What a list shows before it says how many more there are. */
const maxLines = 50;

/** Ends with a line break. */
export function reportText(run: Run): string {
  const sections = [
    [headline(run)],
    run.snapshot.unreadable.map((sentence) => `! ${sentence}`),
    ...[...run.have].map(([place, state]) => placeSection(place, state, run)),
    adoptedSection(run),
    heldSection(run),
    foreignSection(run),
    run.warnings.map((warning) => `! ${warning}`),
    closing(run),
  ];
  const text = sections.filter((lines) => lines.length > 0).map((lines) => lines.map(harmless).join("\n"));
  return `${text.join("\n\n")}\n`;
}

/** Of a script that has nothing to do by its config, and what is left from an earlier one. Ends with a line break. */
export const idleText = (run: Run, why: string): string =>
  `${[`${why}: there is nothing to do.`, ...foreignSection(run)].map(harmless).join("\n")}\n`;

/** Names come from strangers: a terminal is not to obey what they hide in them. */
const harmless = (line: string): string => line.replace(/[\p{Cc}\p{Bidi_Control}]/gu, "�");

const plural = (count: number, noun: string, nouns = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : nouns}`;

// ---- Head and foot ----------------------------------------------------------------------------------------------

function headline({ script, dryRun, snapshot }: Run): string {
  const source =
    snapshot.readAtMs === undefined
      ? []
      : [
          `Fanvue as of ${dayOf(snapshot.readAtMs)} ${new Date(snapshot.readAtMs).toISOString().slice(11, 16)} UTC`,
        ];
  const fans = snapshot.subscribers === undefined ? [] : [plural(snapshot.subscribers, "subscriber")];
  return [script, ...(dryRun ? ["only a plan, nothing was changed"] : []), ...source, ...fans].join(" · ");
}

function closing(run: Run): string[] {
  const { dryRun, go, brokenOff } = run;
  const resultOf = resultsOf(run);
  const results = Map.groupBy(go, (step) => summaryWord(step, resultOf(step)));
  const counts = [...results].map(([word, steps]) => `${steps.length} ${word}`);
  if (run.held !== undefined) counts.push(`${run.held.steps.length} held`);
  const requests = Object.entries(run.requests).flatMap(([name, count]) =>
    count > 0 ? [`${count} to ${name}`] : [],
  );
  const seconds = Math.round((run.endedAtMs - run.startedAtMs) / 1000);
  return [
    ...(brokenOff === undefined ? [] : [`! The run ended early: ${brokenOff}`]),
    [
      counts.length === 0 ? "Nothing to do" : counts.join(", "),
      ...(requests.length === 0 ? [] : [`requests: ${requests.join(", ")}`]),
      `${seconds} s`,
    ].join(" · "),
    ...(dryRun && go.length > 0 ? ["To carry this out, run the same without --dry-run"] : []),
  ];
}

function summaryWord({ verb, declines }: Step, { outcome }: StepResult): string {
  const words = {
    grant: "let in",
    revoke: declines === true ? "turned away" : "taken out",
    evict: "thrown out of the server",
  };
  if (outcome === "done") return words[verb];
  return outcome === "planned" ? `to be ${words[verb]}` : outcome;
}

// ---- A place ----------------------------------------------------------------------------------------------------

function placeSection(place: Place, state: PlaceState, run: Run): string[] {
  if ("unreadable" in state) {
    const { because, remedy } = state.unreadable;
    return [`${placeInConfig(place)}  could not be read`, `  ! ${because} ${remedy}`];
  }
  const own = run.go.filter((step) => step.place === place);
  const grants = own.filter((step) => step.verb === "grant").length;
  const changes = `+${grants} -${own.length - grants}`;
  return [
    `${titleOf(place, state)}  ${membersOf(state)}  ${own.length === 0 ? "no change" : changes}`,
    ...stepLines(own, run, "  "),
    ...skipLines(run.plan.skips.filter((skip) => skip.place === place)),
    ...state.warnings.map((warning) => `  ! ${warning}`),
  ];
}

/** Of an entry of list_sync, by its name too: so it is named in the config and for --only. */
function titleOf({ id, entry }: Place, { name }: ReadablePlace): string {
  const title = name === id || id === entry ? name : `${name} (${id})`;
  return entry === undefined ? title : `${entry}: ${title}`;
}

function membersOf({ members, coverage }: ReadablePlace): string {
  const standings = [...members.values()].map(({ is }) => is);
  const invited = standings.filter((is) => is === "invited").length;
  return [
    `${standings.filter((is) => is === "in").length} ${coverage === "everybody" ? "in" : "linked in"}`,
    ...(invited > 0 ? [`${invited} invited`] : []),
  ].join(", ");
}

function stepLines(steps: readonly Step[], run: Run, indent: string): string[] {
  const resultOf = resultsOf(run);
  const shown = steps.slice(0, maxLines);
  const names = shown.map((step) => person(step.account, step.fans, run.handles));
  const width = Math.max(0, ...names.map((name) => name.length));
  const lines = shown.flatMap((step, index) => {
    const mark = step.verb === "grant" ? "+" : "-";
    const line = `${indent}${mark} ${(names[index] ?? "").padEnd(width)}  ${precisely(step)}${step.because}`;
    return [line, ...resultLine(resultOf(step), indent)];
  });
  return [...lines, ...moreLine(steps.length - shown.length, indent)];
}

/** What happens, where it is not the plain taking of a place. */
function precisely({ verb, within, declines, joins }: Step): string {
  if (joins === true) return "brought into the server: ";
  if (verb === "evict") return "thrown out of the server: ";
  if (declines === true) return "knock declined: ";
  return within === undefined ? "" : `out of ${within.roomName}, too: `;
}

function resultLine({ outcome, note }: StepResult, indent: string): string[] {
  if (outcome === "done" || outcome === "planned" || outcome === "held") return [];
  return [`${indent}    ${outcome}${note === undefined ? "" : `: ${note}`}`];
}

const moreLine = (count: number, indent: string): string[] =>
  count > 0 ? [`${indent}… and ${count} more; --json lists all`] : [];

/** An account with the name of its fan, since a Discord id says nothing to anybody. */
function person(account: Account, fans: readonly FanId[], handles: ReadonlyMap<FanId, string>): string {
  const names = fans.flatMap((fan) => handles.get(fan) ?? []);
  return names.length === 0 ? account : `${account} (${names.join(", ")})`;
}

/** How each kind reads after a count, and whether the reasons are worth a line of their own. */
const skipWords: Record<Skip["why"], { readonly words: string; readonly reasons: boolean }> = {
  pending: { words: "invited already", reasons: false },
  absent: { words: "not on the server yet", reasons: false },
  "left by choice": { words: "left by choice", reasons: false },
  "removed by a person": { words: "removed by a person", reasons: false },
  banned: { words: "banned", reasons: false },
  kept: { words: "kept though lapsed", reasons: false },
  "in grace": { words: "in their days of grace", reasons: false },
  "not ours": { words: "not given by this program", reasons: false },
  stranger: { words: "without a link", reasons: false },
  protected: { words: "protected", reasons: false },
  untouchable: { words: "untouchable", reasons: true },
  "refused before": { words: "refused before", reasons: true },
  unreadable: { words: "not readable here", reasons: true },
  "may enter": { words: "may enter by themselves", reasons: false },
  knocking: { words: "knocking without being entitled: let them in or decline yourself", reasons: true },
  "stranger knocking": { words: "knocking without a link", reasons: false },
  unlinked: { words: "with the role but without a link, so they cannot be put on the list", reasons: false },
  unknown: { words: "unknown", reasons: true },
};

function skipLines(skips: readonly Skip[]): string[] {
  if (skips.length === 0) return [];
  const kinds = Map.groupBy(skips, (skip) => skip.why);
  const counts = [...kinds].map(([why, some]) => `${some.length} ${skipWords[why].words}`);
  const reasons = Map.groupBy(
    skips.filter((skip) => skipWords[skip.why].reasons),
    // Some reasons name a command for the very account; together they are one.
    ({ because, account }) => because.replaceAll(account, "ACCOUNT"),
  );
  const lines = [...reasons].map(([because, some]) => {
    const [first, second] = some;
    if (first !== undefined && second === undefined) return `    ${first.account}: ${first.because}`;
    return `    ${plural(some.length, "account")}: ${because}`;
  });
  return [
    `  = left alone: ${counts.join(", ")}`,
    ...lines.slice(0, maxLines),
    ...moreLine(lines.length - maxLines, "    "),
  ];
}

// ---- What is worth a section of its own -------------------------------------------------------------------------

function adoptedSection({ plan, have, handles }: Run): string[] {
  const lines = [...plan.observations].flatMap(([place, { adopt }]) =>
    adopt.map(({ account, fans }) => `  ${person(account, fans, handles)} in ${nameOf(place, have)}`),
  );
  if (lines.length === 0) return [];
  return [
    `Taken over, as they were in already, are linked and entitled: ${plural(lines.length, "holder")}`,
    ...lines.slice(0, maxLines),
    ...moreLine(lines.length - maxLines, "  "),
  ];
}

const nameOf = (place: Place, have: Run["have"]): string => {
  const state = have.get(place);
  return state === undefined || "unreadable" in state ? place.id : state.name;
};

function heldSection(run: Run): string[] {
  const { held, script, have } = run;
  if (held === undefined) return [];
  const byPlace = Map.groupBy(held.steps, (step) => step.place);
  return [
    `Held until you approve: ${plural(held.steps.length, "change")}${run.heldIsNew ? "" : ", as before"}`,
    ...held.reasons.map((reason) => `  ! ${reason}`),
    ...[...byPlace].flatMap(([place, steps]) => [
      `  ${nameOf(place, have)}`,
      ...stepLines(steps, run, "    "),
    ]),
    `  To carry them out: npm run ${script} -- --approve ${held.hash}`,
  ];
}

function foreignSection({ foreignGrants, script }: Run): string[] {
  const byPlace = Map.groupBy(foreignGrants, (grant: Grant) => grant.placeId);
  return [...byPlace].flatMap(([placeId, grants]) => [
    `${placeId} is no longer configured; ${plural(grants.length, "account")} still ${grants.length === 1 ? "has" : "have"} the access that was given there`,
    `  To take it back: npm run ${script} -- --take-back '${placeId}'`,
  ]);
}
