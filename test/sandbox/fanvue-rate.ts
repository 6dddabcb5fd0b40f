/** Fanvue's request limit: a bucket per user that fills up completely when its window is over. */

export interface RateLimit {
  /** Requests per window; may be changed at any time. */
  limit: number;
  /** Under a second, clients are told to wait no time at all, so that a test needn't either. */
  windowMs: number;
}

interface Bucket {
  startedAtMs: number;
  used: number;
}

export interface RateGate {
  /** Counts a request of that user. False: one too many. */
  take(user: string): boolean;
  /** The headers that go with every answer, and `retry-after` where the bucket is empty. */
  headers(user: string, refused?: boolean): Record<string, string>;
}

/** Windows run by the machine's clock; `now`, the stand-in's own clock, decides what the headers call it. */
export function rateGate(rate: RateLimit, now: () => number): RateGate {
  const buckets = new Map<string, Bucket>();

  function bucketOf(user: string): Bucket {
    const bucket = buckets.get(user);
    if (bucket !== undefined && Date.now() - bucket.startedAtMs < rate.windowMs) return bucket;
    const fresh = { startedAtMs: Date.now(), used: 0 };
    buckets.set(user, fresh);
    return fresh;
  }

  return {
    take(user) {
      const bucket = bucketOf(user);
      bucket.used += 1;
      return bucket.used <= rate.limit;
    },
    headers(user, refused = false) {
      const bucket = bucketOf(user);
      const leftMs = Math.max(0, bucket.startedAtMs + rate.windowMs - Date.now());
      const waitSeconds = rate.windowMs < 1000 ? 0 : Math.ceil(leftMs / 1000);
      return {
        "x-ratelimit-limit": String(rate.limit),
        "x-ratelimit-remaining": String(Math.max(0, rate.limit - bucket.used)),
        "x-ratelimit-reset": String(Math.floor(now() / 1000) + waitSeconds),
        ...(refused ? { "retry-after": String(waitSeconds) } : {}),
      };
    },
  };
}
