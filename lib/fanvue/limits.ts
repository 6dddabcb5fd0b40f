/**
 * How fast Fanvue may be asked, read from its answers: at most a few requests at once, and none when the bucket is
 * about to be empty, until it is refilled. https://api.fanvue.com/docs/authentication/rate-limits
 */
import { type HttpAnswer, retryAfterMs, serverTimeMs } from "../http.ts";

export interface Limiter {
  /** Runs one request when its turn comes. Throws what it throws, or the signal's reason. */
  run(request: () => Promise<HttpAnswer>, signal: AbortSignal): Promise<HttpAnswer>;
}

interface Bucket {
  readonly limit: number;
  readonly remaining: number;
  /** By our clock. */
  readonly resetAtMs: number;
}

const maxAtOnce = 4;
/** Other programs of the same creator draw from the same bucket: the last few requests are left to them. */
const reserveOf = (bucket: Bucket) => Math.min(2, Math.floor(bucket.limit / 10));
/** The longest refill that is believed; a wild header must not stop us for hours. */
const maxWindowMs = 120_000;
const defaultPauseMs = 1000;

/** A request whose turn has not come. */
interface Waiter {
  readonly signal: AbortSignal;
  go(): void;
  stop(reason: unknown): void;
}

/** Makes the limiter of one client. */
export function openLimiter(): Limiter {
  let bucket: Bucket | undefined;
  let pausedUntilMs = 0;
  let underWay = 0;
  let answered = false;
  /** Oldest first. */
  const waiting = new Set<Waiter>();
  const watched = new WeakSet<AbortSignal>();
  let nextLook: NodeJS.Timeout | undefined;

  /** 0: go now; a number: not before so many ms; "answer": when another request has been answered. */
  function mayGo(nowMs: number): number | "answer" {
    if (nowMs < pausedUntilMs) return pausedUntilMs - nowMs;
    if (underWay >= maxAtOnce) return "answer";
    if (bucket !== undefined && nowMs < bucket.resetAtMs) {
      if (bucket.remaining - underWay > reserveOf(bucket)) return 0;
      // Requests under way may be counted in `remaining` already: their answers will tell.
      return underWay > 0 ? "answer" : bucket.resetAtMs - nowMs;
    }
    // Nothing is known of the bucket as it is now: the first answer shall tell.
    if (!answered || bucket !== undefined) return underWay === 0 ? 0 : "answer";
    return 0;
  }

  /** Lets the oldest go, no more of them than may, and looks again as soon as time alone lets the next one go. */
  function admit(): void {
    clearTimeout(nextLook);
    for (const waiter of waiting) {
      const wait = mayGo(Date.now());
      if (wait !== 0) {
        if (wait !== "answer") nextLook = setTimeout(admit, wait);
        return;
      }
      // Counted in the same breath, before anybody else looks.
      underWay += 1;
      waiting.delete(waiter);
      waiter.go();
    }
  }

  /** Ends the waiting of all requests of a signal when it is aborted: one listener, however many wait. */
  function watch(signal: AbortSignal): void {
    if (watched.has(signal)) return;
    watched.add(signal);
    const stopAll = () => {
      for (const waiter of waiting) {
        if (waiter.signal !== signal) continue;
        waiting.delete(waiter);
        waiter.stop(signal.reason);
      }
      admit();
    };
    signal.addEventListener("abort", stopAll, { once: true });
  }

  /** Waits until this request may go, and counts it. */
  async function turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    watch(signal);
    await new Promise<void>((resolve, reject) => {
      waiting.add({ signal, go: resolve, stop: reject });
      admit();
    });
  }

  function learn(answer: HttpAnswer): void {
    answered = true;
    bucket = nextBucket(bucket, readBucket(answer), answer.receivedAtMs);
    if (answer.status !== 429) return;
    const pauseMs = Math.min(retryAfterMs(answer) ?? defaultPauseMs, maxWindowMs);
    pausedUntilMs = Math.max(pausedUntilMs, Date.now() + pauseMs);
  }

  return {
    async run(request, signal) {
      await turn(signal);
      try {
        const answer = await request();
        learn(answer);
        return answer;
      } catch (error) {
        if (bucket !== undefined) bucket = { ...bucket, remaining: bucket.remaining - 1 };
        throw error;
      } finally {
        underWay -= 1;
        admit();
      }
    },
  };
}

/** X-RateLimit-Reset is in Unix seconds by Fanvue's clock, so it is taken relative to the answer's Date. */
function readBucket(answer: HttpAnswer): Bucket | undefined {
  const limit = Number(answer.headers["x-ratelimit-limit"]);
  const remaining = Number(answer.headers["x-ratelimit-remaining"]);
  const resetSeconds = Number(answer.headers["x-ratelimit-reset"]);
  if (!Number.isFinite(limit) || !Number.isFinite(remaining) || !Number.isFinite(resetSeconds)) {
    return undefined;
  }
  const windowMs = Math.min(Math.max(resetSeconds * 1000 - serverTimeMs(answer), 0), maxWindowMs);
  return { limit, remaining, resetAtMs: answer.receivedAtMs + windowMs };
}

/** Answers may overtake each other: within one window the smallest remainder counts. */
function nextBucket(known: Bucket | undefined, told: Bucket | undefined, nowMs: number): Bucket | undefined {
  if (told === undefined || known === undefined) return told ?? known;
  const sameWindow = nowMs < known.resetAtMs && told.resetAtMs < known.resetAtMs + 1000;
  if (!sameWindow) return told;
  const resetAtMs = Math.max(told.resetAtMs, known.resetAtMs);
  return { limit: told.limit, remaining: Math.min(known.remaining, told.remaining), resetAtMs };
}
