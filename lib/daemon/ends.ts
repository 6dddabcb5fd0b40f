/** What the end of a script means. */
import { type ExitCode, exitCodes } from "../errors.ts";
import type { ScriptEnd } from "../run-script.ts";

/** Removals that wait for a person are no failure. */
const goodCodes: readonly number[] = [exitCodes.inOrder, exitCodes.removalsHeld];
export const isGood = (end: ScriptEnd): boolean => "code" in end && goodCodes.includes(end.code);

/** All scripts of a round need the config, the address books and the database that this one could not use. */
export const endsRound = (end: ScriptEnd): boolean => "code" in end && end.code === exitCodes.badInput;

const meanings: Readonly<Record<ExitCode, string>> = {
  [exitCodes.inOrder]: "in order",
  [exitCodes.bug]: "a bug",
  [exitCodes.badInput]: "config, address book or database cannot be used",
  [exitCodes.removalsHeld]: "removals wait for approval",
  [exitCodes.stepFailed]: "a step failed, or a place could not be read",
  [exitCodes.sourceUnreadable]: "Fanvue could not be read",
  [exitCodes.busy]: "another run is busy, or the disk is full",
};

/** To be read behind the name of a script. */
export function endInWords(end: ScriptEnd): string {
  if ("trouble" in end) return `could not be started: ${end.trouble}`;
  if ("signal" in end) return `was ended by ${end.signal}`;
  const meaning = Object.hasOwn(meanings, end.code) ? ` (${meanings[end.code as ExitCode]})` : "";
  return `ended with exit code ${end.code}${meaning}`;
}
