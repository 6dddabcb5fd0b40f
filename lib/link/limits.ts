/** How much one address may ask for, and of some things all together: token buckets, in a memory that is bounded whoever asks. */

/** pages: any request · codes: forms that send a code or try one, also one of another service · inbox: those about codes for the Fanvue inbox. */
export type Effort = "pages" | "codes" | "inbox";
/** Stands for an address where all of them share one allowance. */
export const everybody = "everybody";

/** A bucket holds so many requests, and gets them back over time. */
interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
}
const allowances: Readonly<Record<Effort, Allowance>> = {
  pages: { burst: 60, perSecond: 6 },
  // Many people may share an address; what a single fan or account may be sent is limited beside this.
  codes: { burst: 15, perSecond: 0.1 },
  // For everybody: each is a write of the whole database. Thirty codes a day are far from being in need of as much.
  inbox: { burst: 40, perSecond: 0.2 },
};

interface Bucket {
  readonly left: number;
  readonly atMs: number;
}

export interface Limits {
  /** Takes one request from an address's bucket. Returns how many seconds it has to wait; 0: it may go on. */
  take(effort: Effort, address: string): number;
}

const defaultCapacity = 20_000;

export function createLimits({
  now,
  capacity = defaultCapacity,
}: {
  readonly now: () => number;
  /** How many buckets are kept; the longest unused go first. */
  readonly capacity?: number;
}): Limits {
  const buckets = new Map<string, Bucket>();

  const store = (key: string, bucket: Bucket) => {
    buckets.delete(key);
    const [longestUnused] = buckets.keys();
    if (buckets.size >= capacity && longestUnused !== undefined) buckets.delete(longestUnused);
    buckets.set(key, bucket);
  };

  return {
    take(effort, address) {
      const { burst, perSecond } = allowances[effort];
      const key = `${effort} ${address}`;
      const atMs = now();
      const left = refilled(buckets.get(key), allowances[effort], atMs);
      const isAllowed = left >= 1;
      store(key, { left: Math.min(burst, isAllowed ? left - 1 : left), atMs });
      return isAllowed ? 0 : Math.ceil((1 - left) / perSecond);
    },
  };
}

/** A clock that was set back gives nothing and takes nothing. */
function refilled(bucket: Bucket | undefined, { burst, perSecond }: Allowance, atMs: number): number {
  if (bucket === undefined) return burst;
  const passedSeconds = Math.max(0, atMs - bucket.atMs) / 1000;
  return Math.min(burst, bucket.left + passedSeconds * perSecond);
}
