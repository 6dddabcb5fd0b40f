/**
 * The config that the daemon works by: the one that it accepted last, however the file looks meanwhile. It hands its scripts
 * the very text; all messages go on to speak of the file itself.
 */
import { isDeepStrictEqual } from "node:util";
import { loadConfigFile, parseConfig } from "../config/load.ts";
import type { Environment } from "../config/plain.ts";
import type { Config } from "../config/shape.ts";

export interface AcceptedConfig {
  readonly config: Config;
  readonly text: string;
}

/** Reads the file as it is now. Throws a BadInputError that lists all its faults. */
export function readConfig(path: string, env: Environment): AcceptedConfig {
  const file = loadConfigFile(path);
  return { config: parseConfig(file, path, env), text: file.text };
}

/** The parts of a config, as its file calls them. */
const parts: Readonly<Partial<Record<keyof Config, string>>> = {
  fanvue: "fanvue",
  discord: "discord and its roles",
  matrix: "matrix and its rooms",
  listSync: "list_sync",
  upsell: "upsell",
  protectedAccounts: "protected",
  limits: "limits",
  snapshotMaxAgeMs: "snapshot_max_age",
  followersMaxAgeMs: "followers_max_age",
  unknownAfterDays: "unknown_after_days",
  schedule: "schedule",
  link: "link",
  notify: "notify",
  trustProxy: "trust_proxy",
};
const isPart = (key: string): key is keyof Config => Object.hasOwn(parts, key);

/** The parts in which two configs differ, by their names in the file. */
export const changedParts = (before: Config, after: Config): readonly string[] =>
  Object.keys(parts)
    .filter(isPart)
    .filter((key) => !isDeepStrictEqual(before[key], after[key]))
    .map((key) => parts[key] ?? key);
