/**
 * The process of this project that started this one, where there is one. Whoever is started so does not outlive it: the
 * channel that Node puts between the two breaks when the parent dies, whatever killed it
 * (https://nodejs.org/api/process.html#event-disconnect). It may also hand over the text of the config that counts.
 *
 * Other programs start scripts with such a channel, too (tsx does), hence the variables.
 */
import { readFileSync } from "node:fs";
import { exitCodes, OperatorError } from "./errors.ts";

const parentVariable = "FANVUE_SYNC_PARENT";
/** How many bytes the config has that comes over standard input. */
const configVariable = "FANVUE_SYNC_CONFIG_BYTES";

/** For the environment of a script that is to hold to its parent, and to take its config from standard input where there is one. */
export const parentEnvironment = (configText: string | undefined): Readonly<Record<string, string>> => ({
  [parentVariable]: "1",
  [configVariable]: configText === undefined ? "" : String(Buffer.byteLength(configText)),
});

export interface Parent {
  /** Calls back when the parent is gone, also where it is already. Keeps no process alive. Returns how to stop that. */
  onGone(fn: () => void): () => void;
}

export function findParent(): Parent | undefined {
  if (process.env[parentVariable] !== "1" || process.send === undefined) return undefined;
  return {
    onGone(fn) {
      process.on("disconnect", fn);
      process.channel?.unref();
      if (!process.connected) process.nextTick(fn);
      return () => process.off("disconnect", fn);
    },
  };
}

/**
 * The config that the parent hands over; undefined where it hands over none. To be called once. Throws an OperatorError
 * where it does not come whole.
 */
export function readHandedConfig(): string | undefined {
  const bytes = process.env[configVariable] ?? "";
  if (bytes === "") return undefined;
  const text = readInput();
  if (text !== undefined && Buffer.byteLength(text) === Number(bytes)) return text;
  throw new OperatorError(
    "The config that the daemon works by did not arrive.",
    "Nothing was done. The daemon tries it again by itself.",
    exitCodes.busy,
  );
}

function readInput(): string | undefined {
  try {
    return readFileSync(0, "utf8");
  } catch {
    return undefined;
  }
}
