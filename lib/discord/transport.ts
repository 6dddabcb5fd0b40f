/**
 * What carries one request of the library to Discord: its timeout, its limited repeats, and what its answer tells of us
 * (a refused token, too many refusals, our clock).
 */
import { setTimeout as delay } from "node:timers/promises";
import { DefaultRestOptions } from "@discordjs/rest";
import { RESTJSONErrorCodes } from "discord-api-types/v10";
import { PlatformError } from "../errors.ts";
import type { Log } from "../log.ts";
import { createInvalidMeter, type InvalidMeter, maxInvalidAnswers } from "./invalid-meter.ts";

/** Before each attempt. The library would repeat at once. */
const pausesMs = [0, 250, 1000];
const defaultTimeoutMs = 15_000;

/** Nobody answered usefully after all attempts; the message continues "because …". */
export class UnansweredError extends Error {
  override readonly name = "UnansweredError";
}
/** The run was ended before this request was sent. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
}

const refusedToken = () =>
  new PlatformError(
    "Discord does not accept the bot's token (discord.token in the config).",
    "Copy the token anew from the Bot page of https://discord.com/developers/applications and run again.",
  );
const tooManyRefusals = () =>
  new PlatformError(
    `Discord refused ${maxInvalidAnswers} requests within ten minutes; more, from here or from other programs, would get this address blocked.`,
    "Mend what the report names, wait ten minutes and run again.",
  );

// ---- One attempt ------------------------------------------------------------------------------------------------

type Request = Parameters<typeof DefaultRestOptions.makeRequest>;

/**
 * Reads the body, too, so that the timeout covers it and a body cut short is an attempt that failed. A write under way
 * outlasts the end of the run: whether it took effect would be open otherwise.
 */
async function attempt(
  [url, init]: Request,
  timeoutMs: number,
  stop: AbortSignal,
): Promise<{ readonly response: Response; readonly text: string }> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = init.method === "GET" ? AbortSignal.any([timeout, stop]) : timeout;
  const response = await DefaultRestOptions.makeRequest(url, { ...init, signal });
  const text = await response.text();
  const hasNoBody = response.status === 204 || response.status === 205 || response.status === 304;
  const { status, headers } = response;
  return { response: new Response(hasNoBody ? null : text, { status, headers: [...headers] }), text };
}

/** Discord's own code for what went wrong; undefined where the body is none of Discord's. */
function codeIn(text: string): unknown {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null && "code" in body ? body.code : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a refusal speaks of the login that a member gave us, and not of the bot's own token. */
const isAboutMember = (text: string): boolean => codeIn(text) === RESTJSONErrorCodes.InvalidOAuth2AccessToken;

/** A code of Discord's that is not in the library's list yet. */
export const resourceOverloaded = 130_000;

const wordsOfFailure = (status: number, text: string): string =>
  codeIn(text) === resourceOverloaded ? "Discord is overloaded" : `Discord answered with status ${status}`;

function wordsOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return "the connection broke";
  if (error.name === "TimeoutError" || error.name === "AbortError")
    return `Discord did not answer within ${timeoutMs / 1000} s`;
  const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  return `the connection to Discord failed${code}`;
}

// ---- All of them ------------------------------------------------------------------------------------------------

export interface Transport {
  /** For the library's option of that name. Throws an UnansweredError, a StoppedError, or what ends the run. */
  readonly makeRequest: (...request: Request) => Promise<Response>;
  /** What ends the run, once Discord said it. */
  readonly ended: () => PlatformError | undefined;
  /** Answers "too fast" without another one between. */
  readonly limitedInRow: () => number;
  readonly requests: () => number;
  readonly clockSkewMs: () => number | undefined;
}

export interface TransportOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** For one attempt, its body included. Default 15 s. */
  readonly timeoutMs?: number | undefined;
  /** Shared by all ways to one Discord that a process opens; default: this is the only one. */
  readonly meter?: InvalidMeter | undefined;
}

/** The transport of one run. */
export function createTransport({
  log,
  signal,
  timeoutMs = defaultTimeoutMs,
  meter = createInvalidMeter(),
}: TransportOptions): Transport {
  let sent = 0;
  let skewMs: number | undefined;
  let limitedInRow = 0;
  let end: PlatformError | undefined;

  function note({ status, headers }: Response, text: string): void {
    const dateMs = Date.parse(headers.get("date") ?? "");
    if (!Number.isNaN(dateMs)) skewMs = Date.now() - dateMs;
    limitedInRow = status === 429 ? limitedInRow + 1 : 0;
    meter.note(status, headers.get("x-ratelimit-scope"), Date.now());
    if (status === 401 && !isAboutMember(text)) end = refusedToken();
    else if (meter.isFull(Date.now())) end = tooManyRefusals();
  }

  async function tryOnce(request: Request): Promise<Response | UnansweredError> {
    sent += 1;
    try {
      const { response, text } = await attempt(request, timeoutMs, signal);
      note(response, text);
      return response.status < 500 ? response : new UnansweredError(wordsOfFailure(response.status, text));
    } catch (error) {
      return new UnansweredError(wordsOf(error, timeoutMs), { cause: error });
    }
  }

  async function makeRequest(...request: Request): Promise<Response> {
    let failure: UnansweredError | undefined;
    for (const pauseMs of pausesMs) {
      if (pauseMs > 0) await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      if (end !== undefined) throw end;
      const result = await tryOnce(request);
      if (result instanceof Response) return result;
      failure = result;
      log.debug({ route: new URL(request[0]).pathname, because: failure.message }, "no usable answer");
    }
    throw failure ?? new StoppedError();
  }

  return {
    makeRequest,
    ended: () => end,
    limitedInRow: () => limitedInRow,
    requests: () => sent,
    clockSkewMs: () => skewMs,
  };
}
