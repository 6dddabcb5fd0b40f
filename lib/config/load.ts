/** From a config.yaml to a typed config, or to everything that is wrong with it. */
import { basename, resolve } from "node:path";
import { BadInputError } from "../errors.ts";
import { build } from "./build.ts";
import { type Environment, toPlain } from "./plain.ts";
import type { Config } from "./shape.ts";
import { loadText, located, parseYaml } from "./yaml.ts";

export interface ConfigFile {
  readonly text: string;
  /** As `stat` gives it. */
  readonly mode: number;
}

/**
 * Reads and checks the config at `path`; `${NAME}` in a value is taken from `env`. The result is frozen.
 * Throws one BadInputError that lists all faults, each with file, line, key and remedy.
 */
export const loadConfig = (path: string, env: Environment = process.env): Config =>
  parseConfig(loadConfigFile(path), path, env);

/** What stands in the file. Throws a BadInputError where it cannot be read. */
export function loadConfigFile(path: string): ConfigFile {
  const file = loadText(path);
  if (file !== undefined) return file;
  throw new BadInputError(
    `${path}: there is no such file.`,
    "Copy config.yaml.example to config.yaml and fill it in, or name another file with --config PATH.",
  );
}

/** The same as `loadConfig`, of a file that was read. */
export function parseConfig(file: ConfigFile, path: string, env: Environment): Config {
  const { root, faults } = parseYaml(file.text);
  if (faults.length > 0)
    throw faulty(
      path,
      faults.map((fault) => located(path, fault)),
    );
  if (root === undefined)
    throw faulty(path, [
      located(path, {
        line: 1,
        sentence: "the file is empty. Copy config.yaml.example over it and fill it in.",
      }),
    ]);
  const { value, findings } = toPlain(root, { file: path, env });
  const config = build(value, findings);
  const found = findings.faults();
  if (config === undefined || found.length > 0) throw faulty(path, found);
  return frozen({
    ...config,
    path: resolve(path),
    warnings: [...modeWarnings(path, file.mode), ...findings.warnings()],
  });
}

function faulty(path: string, faults: readonly string[]): BadInputError {
  const count = faults.length === 1 ? "one fault" : `${String(faults.length)} faults`;
  return new BadInputError(
    [`${basename(path)} has ${count}:`, ...faults].join("\n"),
    "Nothing was done. Correct the file; `npm run check-config` then says how it is understood.",
  );
}

const readableByOthers = 0o044;

function modeWarnings(path: string, mode: number): readonly string[] {
  if (process.platform === "win32" || (mode & readableByOthers) === 0) return [];
  return [`${path}: other users of this machine can read it and the secrets in it. Run: chmod 600 ${path}`];
}

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}
