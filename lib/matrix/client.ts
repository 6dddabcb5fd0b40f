/** One way to the homeserver for all that is asked of it: what fails is tried again or waited for, and understood. */
import { createClient, type MatrixClient } from "matrix-js-sdk";
import type { z } from "zod";
import type { MatrixConfig } from "../config/shape.ts";
import type { Log } from "../log.ts";
import { scrub } from "../scrub.ts";
import { createTransport } from "./transport.ts";
import { pause, type Times } from "./times.ts";
import { troubleOf, type Answer, type Trouble } from "./trouble.ts";

/** All functions throw a PlatformError when the bot's token is refused; other trouble is in their answers. */
export interface Client {
  readonly sdk: MatrixClient;
  /** One attempt. */
  readonly once: <T>(send: () => Promise<T>) => Promise<Answer<T>>;
  /** Repeats what found no answer: for requests that may be carried out twice. */
  readonly sure: <T>(send: () => Promise<T>) => Promise<Answer<T>>;
  /** Waits for limits, as long as patience lasts. */
  readonly patient: <T>(ask: () => Promise<Answer<T>>) => Promise<Answer<T>>;
  /** For reading: sure and patient, and the answer checked. */
  readonly read: <Schema extends z.ZodType>(
    endpoint: string,
    schema: Schema,
    send: () => Promise<unknown>,
  ) => Promise<Answer<z.output<Schema>>>;
  readonly requests: () => number;
  readonly clockSkewMs: () => number | undefined;
}

export interface ClientDeps {
  readonly log: Log;
  /** When aborted, nothing is waited for or tried again. */
  readonly signal: AbortSignal;
  readonly times: Times;
}

export type ClientConfig = Pick<MatrixConfig, "homeserver" | "userId" | "accessToken">;

export function openClient(config: ClientConfig, { log, signal, times }: ClientDeps): Client {
  const transport = createTransport(times);
  const secrets = [config.accessToken];
  const sdk = createClient({
    baseUrl: config.homeserver,
    accessToken: config.accessToken,
    userId: config.userId,
    fetchFn: transport.fetchFn,
    logger: sdkLogger(log, secrets),
  });

  async function once<T>(send: () => Promise<T>): Promise<Answer<T>> {
    try {
      return { ok: true, value: await send() };
    } catch (error) {
      const trouble = troubleOf(error, secrets);
      log.debug({ trouble }, "matrix request without success");
      return { ok: false, trouble };
    }
  }

  async function sure<T>(send: () => Promise<T>): Promise<Answer<T>> {
    for (const pauseMs of times.retryPausesMs) {
      const answer = await once(send);
      if (answer.ok || !isWorthRepeating(answer.trouble)) return answer;
      await pause(pauseMs, signal);
      if (signal.aborted) return answer;
    }
    return once(send);
  }

  async function patient<T>(ask: () => Promise<Answer<T>>): Promise<Answer<T>> {
    let patienceMs = times.patienceMs;
    for (;;) {
      const answer = await ask();
      if (answer.ok || answer.trouble.kind !== "limited") return answer;
      const { waitMs } = answer.trouble;
      if (waitMs > patienceMs || signal.aborted) return answer;
      patienceMs -= waitMs;
      await pause(waitMs, signal);
    }
  }

  return {
    sdk,
    once,
    sure,
    patient,
    async read(endpoint, schema, send) {
      const answer = await patient(() => sure(send));
      return answer.ok ? checked(endpoint, schema, answer.value) : answer;
    },
    requests: transport.requests,
    clockSkewMs: transport.clockSkewMs,
  };
}

/** A timeout has cost enough already, and a 502 in Matrix's own words speaks of another homeserver, tried for long. */
function isWorthRepeating(trouble: Trouble): boolean {
  if (trouble.kind !== "unreachable" || trouble.timedOut) return false;
  return trouble.status !== 502 || trouble.code === "";
}

/** An answer that lacks what we need is as good as none: nothing may follow from it. */
export function checked<Schema extends z.ZodType>(
  endpoint: string,
  schema: Schema,
  value: unknown,
): Answer<z.output<Schema>> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, value: parsed.data };
  const [issue] = parsed.error.issues;
  const field = issue === undefined || issue.path.length === 0 ? "the whole" : issue.path.join(".");
  const sentence = `The homeserver's answer to ${endpoint} cannot be understood (${field}: ${issue?.message ?? "odd"}).`;
  return { ok: false, trouble: { kind: "unreachable", status: 200, code: "", timedOut: false, sentence } };
}

/** The SDK's own chatter is for those who look closely; what matters comes back as errors. */
function sdkLogger(log: Log, secrets: readonly string[]) {
  const write = (...words: unknown[]) => {
    log.debug(scrub(words.filter((word) => typeof word === "string").join(" "), secrets));
  };
  const logger = {
    trace: write,
    debug: write,
    info: write,
    warn: write,
    error: write,
    getChild: () => logger,
  };
  return logger;
}
