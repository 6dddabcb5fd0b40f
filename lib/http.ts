/** Requests with limits and timeouts, and when and how they are tried again. Knows nothing of any service. */
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request as send } from "undici";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly json: unknown } | { readonly form: URLSearchParams };
}

export interface HttpAnswer {
  readonly status: number;
  /** By lower-case name; repeated ones joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** When the answer was whole, by our clock. */
  readonly receivedAtMs: number;
}

/** No whole answer came: the connection failed or broke, or time ran out. */
export class HttpFault extends Error {
  override readonly name = "HttpFault";
}

export interface Http {
  /** One try. Redirects are not followed. Throws HttpFault, or the signal's reason once it is aborted. */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
  /** Tries so far, whatever came of them. */
  sent(): number;
}

export interface HttpOptions {
  /** From the first byte out to the last byte in. Default 30 s. */
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 30_000;
const connectTimeoutMs = 10_000;
const maxAnswerBytes = 32 * 1024 * 1024;

/** Makes a sender with its own pool of connections; idle ones do not keep the process alive. */
export function openHttp({ timeoutMs = defaultTimeoutMs }: HttpOptions = {}): Http {
  const agent = new Agent({
    connect: { timeout: Math.min(connectTimeoutMs, timeoutMs) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: maxAnswerBytes,
  });
  let sent = 0;
  return {
    async send(request, signal) {
      signal.throwIfAborted();
      sent += 1;
      const overall = AbortSignal.timeout(timeoutMs);
      try {
        return await sendOnce(agent, request, AbortSignal.any([signal, overall]));
      } catch (error) {
        signal.throwIfAborted();
        throw new HttpFault(describeFault(error, overall.aborted, timeoutMs), { cause: error });
      }
    },
    sent: () => sent,
  };
}

async function sendOnce(agent: Agent, request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
  const { contentType, body } = encode(request.body);
  const answer = await send(request.url, {
    dispatcher: agent,
    method: request.method,
    headers: { accept: "application/json", ...request.headers, ...contentType },
    body,
    signal,
  });
  const text = await answer.body.text();
  return { status: answer.statusCode, headers: flatten(answer.headers), text, receivedAtMs: Date.now() };
}

function encode(body: HttpRequest["body"]): { contentType: Record<string, string>; body: string | null } {
  if (body === undefined) return { contentType: {}, body: null };
  if ("json" in body) {
    return { contentType: { "content-type": "application/json" }, body: JSON.stringify(body.json) };
  }
  return {
    contentType: { "content-type": "application/x-www-form-urlencoded" },
    body: body.form.toString(),
  };
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = typeof value === "string" ? value : value.join(", ");
  }
  return flat;
}

function describeFault(error: unknown, timedOut: boolean, timeoutMs: number): string {
  if (timedOut) return `no answer within ${timeoutMs / 1000} s`;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT") {
    return `no answer within ${timeoutMs / 1000} s`;
  }
  if (code === "UND_ERR_CONNECT_TIMEOUT") return "no connection in time";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "the host's name could not be resolved";
  if (code === "ECONNREFUSED") return "the connection was refused";
  if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") return "the answer was too long";
  return "the connection broke";
}

// ---- Trying again -----------------------------------------------------------------------------------------------

export interface RetryPolicy {
  readonly tries: number;
  /** The longest pause after the first failure; it doubles with each further one. */
  readonly baseMs: number;
  /** Whether doing it twice is the same as once. If not, only a 429 (which did nothing) is tried again. */
  readonly repeatable: boolean;
  /** A service that asks for a longer pause is treated as failing. Default 2 min. */
  readonly maxPauseMs?: number | undefined;
  readonly signal: AbortSignal;
  readonly onRetry?: (info: { readonly because: string; readonly pauseMs: number }) => void;
}

const defaultMaxPauseMs = 120_000;

/**
 * Calls `attempt` until it gives a final answer: anything but a fault, a 5xx or a 429. Pauses between tries are
 * exponential with full jitter, or what Retry-After asks for. Gives the last answer, or throws the last HttpFault.
 */
export async function withRetries(
  attempt: () => Promise<HttpAnswer>,
  policy: RetryPolicy,
): Promise<HttpAnswer> {
  for (let tryNumber = 1; ; tryNumber += 1) {
    const result = await settle(attempt);
    const pauseMs = tryNumber < policy.tries ? pauseBefore(result, tryNumber, policy) : undefined;
    if (pauseMs === undefined) {
      if (result instanceof HttpFault) throw result;
      return result;
    }
    const because = result instanceof HttpFault ? result.message : `answer ${result.status}`;
    policy.onRetry?.({ because, pauseMs });
    await sleep(pauseMs, undefined, { signal: policy.signal }).catch(() => {
      policy.signal.throwIfAborted();
    });
  }
}

async function settle(attempt: () => Promise<HttpAnswer>): Promise<HttpAnswer | HttpFault> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof HttpFault) return error;
    throw error;
  }
}

/** How long to wait before the next try; undefined: this result is final. */
function pauseBefore(
  result: HttpAnswer | HttpFault,
  tryNumber: number,
  { repeatable, baseMs, maxPauseMs = defaultMaxPauseMs }: RetryPolicy,
): number | undefined {
  const backoffMs = Math.random() * baseMs * 2 ** (tryNumber - 1);
  if (result instanceof HttpFault) return repeatable ? backoffMs : undefined;
  if (result.status !== 429 && (result.status < 500 || !repeatable)) return undefined;
  const askedMs = retryAfterMs(result);
  if (askedMs === undefined) return backoffMs;
  return askedMs <= maxPauseMs ? Math.max(askedMs, backoffMs) : undefined;
}

/** What Retry-After asks for, in ms from the answer on. https://www.rfc-editor.org/rfc/rfc9110#name-retry-after */
export function retryAfterMs(answer: HttpAnswer): number | undefined {
  const value = answer.headers["retry-after"];
  if (value === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Math.ceil(Number(value) * 1000);
  const untilMs = Date.parse(value);
  return Number.isNaN(untilMs) ? undefined : Math.max(0, untilMs - serverTimeMs(answer));
}

/** The server's clock as its `Date` header tells it (whole seconds); ours where it does not. */
export function serverTimeMs(answer: HttpAnswer): number {
  const dateMs = Date.parse(answer.headers["date"] ?? "");
  return Number.isNaN(dateMs) ? answer.receivedAtMs : dateMs;
}
