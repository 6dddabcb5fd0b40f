/**
 * Discord blocks an address that collects 10,000 refusals (401, 403, 429) in ten minutes:
 * https://discord.com/developers/docs/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
 */

/**
 * A process knows only of its own refusals: a sync and the listener at one address together stay below Discord's figure,
 * with some room for other programs.
 */
export const maxInvalidAnswers = 4500;
const windowMs = 10 * 60 * 1000;

export interface InvalidMeter {
  /** `scope` is X-RateLimit-Scope: a limit that we share with others is not held against us. */
  note(status: number, scope: string | null, nowMs: number): void;
  isFull(nowMs: number): boolean;
}

/** Counts the refusals of the last ten minutes, for all that this process sends to one address of Discord's. */
export function createInvalidMeter(): InvalidMeter {
  const atMs: number[] = [];
  return {
    note(status, scope, nowMs) {
      const counts = status === 401 || status === 403 || (status === 429 && scope !== "shared");
      if (counts) atMs.push(nowMs);
      if (atMs.length > maxInvalidAnswers) atMs.shift();
    },
    isFull: (nowMs) => {
      const oldest = atMs.at(-maxInvalidAnswers);
      return oldest !== undefined && oldest > nowMs - windowMs;
    },
  };
}
