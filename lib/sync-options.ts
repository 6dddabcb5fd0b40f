/** The options of the sync scripts, and what they choose. */
import type { Context } from "./cli.ts";
import { BadInputError } from "./errors.ts";
import { type FanId, parseFanId } from "./ids.ts";
import type { Place } from "./model.ts";
import { nearest } from "./nearest.ts";

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

export type SyncContext = Context<typeof syncOptions>;
export type SyncOptions = SyncContext["options"];

/** A run that writes, and that the operator did not narrow down. */
export const looksAtAll = (options: SyncOptions): boolean =>
  !options["dry-run"] &&
  options.only.length === 0 &&
  options.fan === undefined &&
  options["take-back"] === undefined;

/**
 * Which places `--only` names, by their ids or their entries in list_sync; without it all. Throws a BadInputError for a
 * name that the config does not know.
 */
export function choosePlaces(places: readonly Place[], only: readonly string[]): (place: Place) => boolean {
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

export function chooseFan(text: string | undefined): FanId | undefined {
  if (text === undefined) return undefined;
  const fan = parseFanId(text);
  if (fan !== undefined) return fan;
  throw new BadInputError(
    `--fan ${text}: this is not a Fanvue uuid.`,
    "One looks like 123e4567-e89b-42d3-a456-426614174000; npm run links -- list shows those of your fans.",
  );
}

const oneAtATime = ["fan", "approve", "take-back"] as const;

export function refuseMixture(options: SyncOptions): void {
  const [first, second] = oneAtATime.filter((name) => options[name] !== undefined);
  if (first === undefined || second === undefined) return;
  throw new BadInputError(`--${first} and --${second} do not go together.`, "Give one of them at a time.");
}
