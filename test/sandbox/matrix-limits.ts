/** Synapse's rate limits for the Matrix stand-in: leaking buckets per room, per invited user, per inviter. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** What is missing is not limited. */
export interface MatrixLimits {
  perRoom?: Rate;
  perReceiver?: Rate;
  perIssuer?: Rate;
  /** All events of one sender, invitations and kicks among them. */
  messages?: Rate;
  /** Older homeservers tell the wait in the body only, in ms; the header knows whole seconds. */
  bodyOnly?: boolean;
}
type LimitName = "perRoom" | "perReceiver" | "perIssuer" | "messages";

/** As Synapse has them when its operator changes nothing. */
export const synapseLimits: Readonly<Record<LimitName, Rate>> = {
  perRoom: { perSecond: 0.3, burst: 10 },
  perReceiver: { perSecond: 0.003, burst: 5 },
  perIssuer: { perSecond: 0.3, burst: 10 },
  messages: { perSecond: 0.2, burst: 10 },
};

export interface Limiter {
  /** Charges an invitation; gives how long to wait in ms where a bucket is full. Those before it stay charged. */
  invite(about: { room: string; receiver: string; issuer: string }): number | undefined;
  send(issuer: string): number | undefined;
}

export function createLimiter(limits: MatrixLimits, now: () => number): Limiter {
  const buckets = new Map<string, { filled: number; atMs: number }>();

  function charge(kind: LimitName, key: string): number | undefined {
    const rate = limits[kind];
    if (rate === undefined) return undefined;
    const atMs = now();
    const name = `${kind} ${key}`;
    const old = buckets.get(name) ?? { filled: 0, atMs };
    const leaked = ((atMs - old.atMs) / 1000) * rate.perSecond;
    const filled = Math.max(0, old.filled - leaked);
    const isFull = filled + 1 > rate.burst;
    buckets.set(name, { filled: isFull ? filled : filled + 1, atMs });
    return isFull ? Math.ceil(((filled + 1 - rate.burst) / rate.perSecond) * 1000) : undefined;
  }

  return {
    invite: ({ room, receiver, issuer }) =>
      charge("perRoom", room) ?? charge("perReceiver", receiver) ?? charge("perIssuer", issuer),
    send: (issuer) => charge("messages", issuer),
  };
}
