/**
 * The way to Discord. The library's queue keeps to the rate limits that the answers name; failures come back as values.
 */
import {
  DiscordAPIError,
  parseResponse,
  RateLimitError,
  type RequestData,
  RequestMethod,
  REST,
  type RouteLike,
} from "@discordjs/rest";
import { APIVersion } from "discord-api-types/v10";
import { createTransport, StoppedError, type TransportOptions, UnansweredError } from "./transport.ts";

/** What became of one request. */
export type Answer = { readonly is: "answer"; readonly status: number; readonly body: unknown } | Failure;
export type Failure =
  /** Discord said no; `code` is its own number, 0 where it gave none. */
  | { readonly is: "refused"; readonly status: number; readonly code: number }
  /** No usable answer; `because` continues "because …". Whether a write took effect is open. */
  | { readonly is: "unanswered"; readonly because: string }
  /** The run was ended before the request was sent. */
  | { readonly is: "stopped" };

/**
 * The methods throw a PlatformError when Discord refuses the token or has refused so much that going on would do harm;
 * everything else is an {@link Answer}.
 */
export interface DiscordRest {
  get(route: RouteLike, query?: Readonly<Record<string, string>>): Promise<Answer>;
  /** `reason` goes to the server's audit log, which moderators read. */
  put(route: RouteLike, reason: string, body?: unknown): Promise<Answer>;
  delete(route: RouteLike, reason: string): Promise<Answer>;
  post(route: RouteLike, body: unknown): Promise<Answer>;
  /** Requests sent so far, repeats included. */
  requests(): number;
  /** Our clock minus Discord's, in ms. */
  clockSkewMs(): number | undefined;
}

export interface RestOptions extends TransportOptions {
  /** Without the version, such as https://discord.com/api */
  readonly apiUrl: string;
  readonly token: string;
}

/** A longer wait is left to the next run. */
const longestWaitMs = 120_000;
/** Refusals for haste in a row after which we stop asking. */
const maxLimitedInRow = 30;

/** Opens the way for one run; nothing is sent yet. */
export function openRest({ apiUrl, token, ...options }: RestOptions): DiscordRest {
  const { log, signal } = options;
  const transport = createTransport(options);
  const rest = new REST({
    api: apiUrl,
    version: APIVersion,
    makeRequest: transport.makeRequest,
    retries: 0, // the transport repeats
    rejectOnRateLimit: ({ retryAfter, timeToReset }) =>
      signal.aborted ||
      transport.limitedInRow() > maxLimitedInRow ||
      Math.max(retryAfter, timeToReset) > longestWaitMs,
  });
  // Signed here: the library would forget its token at a 401 that speaks of a member's login.
  const signed = { auth: false, headers: { authorization: `Bot ${token}` } } as const;

  async function send(method: RequestMethod, fullRoute: RouteLike, data: RequestData): Promise<Answer> {
    // The library never takes its listener off the signal it is given, so each request gets one of its own.
    const own = AbortSignal.any([signal]);
    try {
      const response = await rest.queueRequest({ ...signed, ...data, method, fullRoute, signal: own });
      return { is: "answer", status: response.status, body: await parseResponse(response) };
    } catch (error) {
      const end = transport.ended();
      if (end !== undefined) throw end;
      const failure = failureOf(error, signal);
      log.debug({ failure }, "a request to Discord failed");
      return failure;
    }
  }

  return {
    get: (route, query = {}) => send(RequestMethod.Get, route, { query: new URLSearchParams(query) }),
    put: (route, reason, body) => send(RequestMethod.Put, route, { reason, body }),
    delete: (route, reason) => send(RequestMethod.Delete, route, { reason }),
    post: (route, body) => send(RequestMethod.Post, route, { body }),
    requests: transport.requests,
    clockSkewMs: transport.clockSkewMs,
  };
}

function failureOf(error: unknown, signal: AbortSignal): Failure {
  if (error instanceof DiscordAPIError) {
    const code = typeof error.code === "number" ? error.code : 0;
    return { is: "refused", status: error.status, code };
  }
  if (error instanceof UnansweredError) return { is: "unanswered", because: error.message };
  if (error instanceof StoppedError || signal.aborted) return { is: "stopped" };
  if (error instanceof RateLimitError) {
    const seconds = Math.ceil(Math.max(error.retryAfter, error.timeToReset) / 1000);
    return { is: "unanswered", because: `Discord asks for a pause of ${seconds} s` };
  }
  // What the library throws at a body that is no JSON, or JSON of another kind than an object.
  if (error instanceof SyntaxError || error instanceof TypeError)
    return { is: "unanswered", because: "Discord's answer could not be read" };
  throw error;
}
