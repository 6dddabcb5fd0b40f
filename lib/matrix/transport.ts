/** How requests reach the homeserver: with time limits, counted, and with an eye on its clock. */
import { timeoutWords } from "./trouble.ts";

export interface Transport {
  readonly fetchFn: typeof globalThis.fetch;
  readonly requests: () => number;
  /** Our clock minus the homeserver's `Date` header in ms; undefined before the first answer. */
  readonly clockSkewMs: () => number | undefined;
}

export interface TransportTimes {
  /** How long an answer may take to begin. */
  readonly answerMs: number;
  /** How long its body may take after that: the state of a large room is many megabytes. */
  readonly bodyMs: number;
}

/** The network's own word for what went wrong ("ECONNREFUSED"), without addresses. */
function networkWord(error: unknown): string {
  if (!(error instanceof Error)) return "unknown reason";
  if (error.name === "AbortError" || error.name === "TimeoutError") return timeoutWords;
  const cause: unknown = error.cause;
  if (cause instanceof Error) return "code" in cause ? String(cause.code) : cause.message;
  return error.message;
}

/** Servers may stamp an answer when its request arrives or when it leaves, seconds apart; that much is no skew. */
function smallestSkewMs(startedMs: number, endedMs: number, serverMs: number): number {
  if (serverMs < startedMs) return startedMs - serverMs;
  return Math.min(0, endedMs - serverMs);
}

/**
 * Makes a `fetch` for matrix-js-sdk. Bodies are read whole in here, so that one that breaks off or hangs fails as the
 * network does. Redirects are not followed: they would turn an invitation into a GET.
 */
export function createTransport(times: TransportTimes): Transport {
  let requests = 0;
  let skewMs: number | undefined;

  async function fetchWhole(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    requests += 1;
    const startedMs = Date.now();
    const stop = new AbortController();
    const signals = [stop.signal, ...(init?.signal ? [init.signal] : [])];
    let timer = setTimeout(() => {
      stop.abort();
    }, times.answerMs);
    try {
      const response = await fetch(input, {
        ...init,
        redirect: "manual",
        signal: AbortSignal.any(signals),
      });
      clearTimeout(timer);
      timer = setTimeout(() => {
        stop.abort();
      }, times.bodyMs);
      const serverMs = Date.parse(response.headers.get("date") ?? "");
      if (!Number.isNaN(serverMs)) skewMs = smallestSkewMs(startedMs, Date.now(), serverMs);
      const body = await response.text();
      const { status, headers } = response;
      return new Response(body === "" ? null : body, { status, headers });
    } catch (error) {
      // The SDK keeps only the message of what is thrown here.
      throw new Error(networkWord(error), { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  return { fetchFn: fetchWhole, requests: () => requests, clockSkewMs: () => skewMs };
}
