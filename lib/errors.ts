/**
 * Errors that a person can mend. Each says where, what is wrong and what to do, and carries the exit code of the run.
 * Everything else that is thrown is a bug and shows its stack.
 */

/** What a script's exit code means; of 5, 4 and 3 the highest of a run wins. */
export const exitCodes = {
  inOrder: 0,
  bug: 1,
  badInput: 2,
  removalsHeld: 3,
  stepFailed: 4,
  sourceUnreadable: 5,
  busy: 75,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** From the best to the worst. */
const byGravity: readonly ExitCode[] = [
  exitCodes.inOrder,
  exitCodes.busy,
  exitCodes.removalsHeld,
  exitCodes.stepFailed,
  exitCodes.sourceUnreadable,
  exitCodes.badInput,
  exitCodes.bug,
];

/** The exit code of a script that did several things, by theirs. */
export const worstExitCode = (codes: readonly ExitCode[]): ExitCode =>
  codes.reduce<ExitCode>(
    (worst, code) => (byGravity.indexOf(code) > byGravity.indexOf(worst) ? code : worst),
    exitCodes.inOrder,
  );

/** A trouble for the operator: a sentence with place and fact, and a remedy. Never holds a secret. */
export class OperatorError extends Error {
  override readonly name: string = "OperatorError";
  readonly exitCode: ExitCode;
  /** What to do about it, a sentence. */
  readonly remedy: string;

  constructor(message: string, remedy: string, exitCode: ExitCode, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.remedy = remedy;
    this.exitCode = exitCode;
  }
}

/** Options or config that cannot be used; also a database that is damaged or newer than this program. */
export class BadInputError extends OperatorError {
  override readonly name: string = "BadInputError";
  constructor(message: string, remedy: string, cause?: unknown) {
    super(message, remedy, exitCodes.badInput, cause);
  }
}

/** Something that cannot be used for the time being, such as a full disk: who runs the script may try it again later. */
export class NotNowError extends BadInputError {
  override readonly name = "NotNowError";
  override readonly exitCode = exitCodes.busy;
}

/** An approval of something that does not wait for any: a script that speaks of several platforms asks the next one. */
export class NothingHeldError extends BadInputError {
  override readonly name = "NothingHeldError";
}

/** Fanvue, or another source of entitlements, could not be read; nothing was removed because of it. */
export class SourceError extends OperatorError {
  override readonly name: string = "SourceError";
  constructor(message: string, remedy: string, cause?: unknown) {
    super(message, remedy, exitCodes.sourceUnreadable, cause);
  }
}

/** Fanvue will not let us in before a person has connected the account again. */
export class AccessError extends SourceError {
  override readonly name: string = "AccessError";
}

/** A platform (Discord, the homeserver) refuses us or cannot be reached as a whole. */
export class PlatformError extends OperatorError {
  override readonly name: string = "PlatformError";
  constructor(message: string, remedy: string, cause?: unknown) {
    super(message, remedy, exitCodes.stepFailed, cause);
  }
}

/** A platform gives no usable answer at all, which most often ends by itself. */
export class PlatformOutage extends PlatformError {
  override readonly name = "PlatformOutage";
}

/** Another run holds a lock longer than we wait. */
export class BusyError extends OperatorError {
  override readonly name = "BusyError";
  constructor(message: string, remedy: string) {
    super(message, remedy, exitCodes.busy);
  }
}
