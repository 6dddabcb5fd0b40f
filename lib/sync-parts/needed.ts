/** Sections of the config that a part of a sync cannot do without. */
import { BadInputError } from "../errors.ts";

/** The section; throws a BadInputError where the config has none. */
export function needed<T>(section: T | undefined, name: "discord" | "matrix"): T {
  if (section !== undefined) return section;
  throw new BadInputError(
    `The config has no ${name} section, and this is about ${name}.`,
    `Add the section ${name} to the config, as in config.yaml.example.`,
  );
}
