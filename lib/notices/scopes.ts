/** What a notice is about, so that a run ends only those of which it can tell that they are over. Pure. */
import type { Config } from "../config/shape.ts";
import type { TargetName } from "../ids.ts";
import type { Place } from "../model.ts";
import type { Run } from "../report/run.ts";

/** The account at Fanvue, what waits for approval on a target, a target as a whole, or one place of it. */
export type Scope =
  "fanvue" | `held ${TargetName}` | `platform ${TargetName}` | `place ${TargetName} ${string}`;

export const scopeOfPlace = ({ target, id }: Pick<Place, "target" | "id">): Scope => `place ${target} ${id}`;

/** The scopes of which a run over one target knows all that there is to tell. */
export const scopesOfRun = ({ target, isWhole, have }: Run): readonly Scope[] => [
  `platform ${target}`,
  ...(isWhole ? ([`held ${target}`] as const) : []),
  ...[...have].flatMap(([place, state]) => ("unreadable" in state ? [] : [scopeOfPlace(place)])),
];

export type ConfiguredPlaces = Pick<Config, "discord" | "matrix" | "mirrors">;

const platforms = ["discord", "matrix"] as const;

/**
 * Whether a scope is of a platform that the config knows nothing of: it may well stand in another config over the same
 * data, whose runs tell of it.
 */
export const isOfOtherConfig = (scope: string, config: Pick<Config, "discord" | "matrix">): boolean =>
  platforms.some((platform) => config[platform] === undefined && scope.split(" ")[1] === platform);

/** All scopes that a config has: what stood of others is over. */
export function scopesOfConfig({ discord, matrix, mirrors }: ConfiguredPlaces): ReadonlySet<string> {
  const places = [...(discord?.places ?? []), ...(matrix?.places ?? []), ...mirrors];
  const targets = [...new Set(places.map(({ target }) => target))];
  return new Set<Scope>([
    "fanvue",
    ...targets.flatMap((target) => [`held ${target}`, `platform ${target}`] as const),
    ...places.map(scopeOfPlace),
  ]);
}
