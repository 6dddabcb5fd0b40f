/** Ways out to another service's page and back: bound to a visit and a purpose, single use, ten minutes. Pure. */
import type { Attempt } from "./proofs.ts";
import { sameSecret } from "./secrets.ts";

/** What is proved on the other service's page. */
export type Purpose = "fanvue" | "discord";

export interface OpenAttempt {
  readonly purpose: Purpose;
  readonly attempt: Attempt;
  readonly expiresAtMs: number;
  /** Somebody came back from it, and the service is being asked, or was. */
  readonly isUsed: boolean;
}

const lifeMs = 10 * 60_000;
/** More tabs than this nobody has open; the oldest attempts are forgotten. */
const mostAtOnce = 5;

/** The attempts of a visit with one more. */
export const withAttempt = (
  attempts: readonly OpenAttempt[],
  {
    purpose,
    attempt,
    nowMs,
  }: { readonly purpose: Purpose; readonly attempt: Attempt; readonly nowMs: number },
): readonly OpenAttempt[] =>
  [...living(attempts, nowMs), { purpose, attempt, expiresAtMs: nowMs + lifeMs, isUsed: false }].slice(
    -mostAtOnce,
  );

/** The attempt that a state belongs to; undefined: none that is still good. */
export const attemptOf = (
  attempts: readonly OpenAttempt[],
  state: string,
  nowMs: number,
): OpenAttempt | undefined =>
  living(attempts, nowMs).find(({ attempt, isUsed }) => !isUsed && sameSecret(attempt.state, state));

/** The newest attempt for a purpose: the one that was just asked for. */
export const newestAttempt = (
  attempts: readonly OpenAttempt[],
  purpose: Purpose,
  nowMs: number,
): OpenAttempt | undefined =>
  living(attempts, nowMs).findLast((open) => !open.isUsed && open.purpose === purpose);

/** Whether somebody may still come back from one of them, or is just doing so. */
export const areOpen = (attempts: readonly OpenAttempt[], nowMs: number): boolean =>
  living(attempts, nowMs).length > 0;

/** The attempts of a visit once this one is used up. */
export const withUsedAttempt = (
  attempts: readonly OpenAttempt[],
  used: OpenAttempt,
): readonly OpenAttempt[] => attempts.map((open) => (open === used ? { ...open, isUsed: true } : open));

const living = (attempts: readonly OpenAttempt[], nowMs: number): readonly OpenAttempt[] =>
  attempts.filter(({ expiresAtMs }) => nowMs < expiresAtMs);
