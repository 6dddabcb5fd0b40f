/**
 * The config that the daemon works by: the one that it accepted last, however the file looks meanwhile. It hands its scripts
 * the very text; all messages go on to speak of the file itself.
 */
import { isDeepStrictEqual } from "node:util";
import { loadConfigFile, parseConfig } from "../config/load.ts";
import type { Environment } from "../config/plain.ts";
import type { Config } from "../config/shape.ts";
import type { Listener } from "./duties.ts";

export interface AcceptedConfig {
  readonly config: Config;
  readonly text: string;
}

/** Reads the file as it is now. Throws a BadInputError that lists all its faults. */
export function readConfig(path: string, env: Environment): AcceptedConfig {
  const file = loadConfigFile(path);
  return { config: parseConfig(file, path, env), text: file.text };
}

/** What stands in the file now, whatever it is; undefined where it cannot be read. */
export function fileText(path: string): string | undefined {
  try {
    return loadConfigFile(path).text;
  } catch {
    return undefined;
  }
}

// ---- What differs between two -----------------------------------------------------------------------------------

/** Who works by a part of the config: the scripts of a round, or a listener. */
type Reader = "syncs" | Listener;

interface Part {
  /** As the file calls it. */
  readonly name: string;
  readonly readers: readonly Reader[];
  /** What they read of it; default: all. */
  readonly read?: (config: Config) => unknown;
}

/** Undefined: no part of its own. */
const parts: Readonly<Record<keyof Config, Part | undefined>> = {
  path: undefined,
  warnings: undefined,
  fanvue: { name: "fanvue", readers: ["syncs", "link-server"] },
  discord: { name: "discord and its roles", readers: ["syncs", "link-server", "upsell-listener"] },
  matrix: { name: "matrix and its rooms", readers: ["syncs", "link-server"] },
  listSync: { name: "list_sync", readers: ["syncs"] },
  mirrors: { name: "list_sync", readers: ["syncs"] },
  upsell: { name: "upsell", readers: ["syncs", "upsell-listener"] },
  protectedAccounts: { name: "protected", readers: ["syncs"] },
  limits: { name: "limits", readers: ["syncs"] },
  snapshotMaxAgeMs: { name: "snapshot_max_age", readers: ["syncs"] },
  followersMaxAgeMs: { name: "followers_max_age", readers: ["syncs"] },
  unknownAfterDays: { name: "unknown_after_days", readers: ["syncs"] },
  schedule: {
    name: "schedule",
    readers: ["link-server", "upsell-listener"],
    read: ({ schedule }) => schedule.sync,
  },
  link: { name: "link", readers: ["syncs", "link-server", "upsell-listener"] },
  notify: { name: "notify", readers: ["syncs"] },
  trustProxy: { name: "trust_proxy", readers: ["link-server"] },
};
const isKey = (key: string): key is keyof Config => Object.hasOwn(parts, key);

export interface Changes {
  /** The parts that differ, by their names in the file. */
  readonly parts: readonly string[];
  /** Who works by something that differs. */
  readonly readers: ReadonlySet<Reader>;
}

/** In what two configs differ. */
export function changesBetween(before: Config, after: Config): Changes {
  const changed = Object.keys(parts)
    .filter(isKey)
    .filter((key) => !isDeepStrictEqual(before[key], after[key]))
    .flatMap((key) => parts[key] ?? []);
  const concerns = ({ read }: Part) => read === undefined || !isDeepStrictEqual(read(before), read(after));
  return {
    parts: [...new Set(changed.map(({ name }) => name))],
    readers: new Set(changed.filter(concerns).flatMap(({ readers }) => readers)),
  };
}
