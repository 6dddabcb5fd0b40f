/** What the end of a script means. */
import { type ExitCode, exitCodes } from "../errors.ts";
import type { ScriptEnd } from "../run-script.ts";

/** Removals that wait for a person are no failure. */
const goodCodes: readonly number[] = [exitCodes.inOrder, exitCodes.removalsHeld];
export const isGood = (end: ScriptEnd): boolean => "code" in end && goodCodes.includes(end.code);

/** All scripts of a round need the config, the address books and the database that this one could not use. */
export const endsRound = (end: ScriptEnd): boolean => "code" in end && end.code === exitCodes.badInput;

/** What reports say in the end, and before a trouble. */
const nothingDone = /^(Nothing to do|\d+ held) · |: there is nothing to do\.$|, 0 of them new \(/;
const trouble = /^ *! /;

/** Whether a script ended in order and its report tells of nothing that was done, newly held, or is wrong. */
export const isUneventful = (end: ScriptEnd, report: readonly string[]): boolean =>
  "code" in end &&
  end.code === exitCodes.inOrder &&
  report.some((line) => nothingDone.test(line)) &&
  !report.some((line) => trouble.test(line));

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
