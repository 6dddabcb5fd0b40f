/** A run as one JSON document, for programs. */
import type { Place, PlaceState, Step } from "../model.ts";
import { exitCodeFor, resultsOf, type Run } from "./run.ts";

/** Ends with a line break. Times are ISO 8601 in UTC. `note` is what there is to say of the run as a whole. */
export function reportJson(run: Run, note?: string): string {
  const { snapshot, held } = run;
  const resultOf = resultsOf(run);
  const document = {
    target: run.target,
    dryRun: run.dryRun,
    startedAt: iso(run.startedAtMs),
    endedAt: iso(run.endedAtMs),
    snapshot: {
      readAt: snapshot.readAtMs === undefined ? null : iso(snapshot.readAtMs),
      subscribers: snapshot.subscribers ?? null,
      unreadable: snapshot.unreadable,
    },
    places: [...run.have].map(([place, state]) => placeJson(place, state, run)),
    steps: run.plan.steps.map((step) => {
      const { outcome, note } = resultOf(step);
      return { ...stepJson(step), outcome, ...(note === undefined ? {} : { note }) };
    }),
    skips: run.plan.skips.map(({ place, account, why, because }) => ({
      place: place.id,
      account,
      why,
      because,
    })),
    adopted: [...run.plan.observations].flatMap(([place, { adopt }]) =>
      adopt.map(({ account, fans }) => ({ place: place.id, account, fans })),
    ),
    held:
      held === undefined
        ? null
        : {
            hash: held.hash,
            isNew: run.heldIsNew,
            reasons: held.reasons,
            steps: held.steps.map(stepJson),
          },
    foreignGrants: run.foreignGrants.map(({ placeId, account, fans }) => ({ place: placeId, account, fans })),
    warnings: run.warnings,
    brokenOff: run.brokenOff ?? null,
    requests: run.requests,
    exitCode: exitCodeFor(run),
    ...(note === undefined ? {} : { note }),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

/** `place` is the configured id; `placeId`, beside it, is the real one. */
const stepJson = ({ verb, place, placeId, account, fans, because, joins }: Step) => ({
  verb,
  place: place.id,
  placeId,
  account,
  fan: fans[0] ?? null,
  fans,
  because,
  ...(joins === true ? { joins } : {}),
});

function placeJson(place: Place, state: PlaceState, { plan }: Run) {
  const { id, target, entry } = place;
  const named = { place: id, target, ...(entry === undefined ? {} : { entry }) };
  if ("unreadable" in state) return { ...named, unreadable: state.unreadable };
  const skips = plan.skips.filter((skip) => skip.place === place);
  const groups = Map.groupBy(skips, (skip) => skip.why);
  return {
    ...named,
    placeId: state.placeId,
    name: state.name,
    in: [...state.members.values()].filter(({ is }) => is === "in").length,
    skipped: Object.fromEntries([...groups].map(([why, some]) => [why, some.length])),
    warnings: state.warnings,
  };
}
