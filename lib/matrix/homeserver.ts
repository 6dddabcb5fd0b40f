/** The five requests that the target makes, each with its answer checked and its errors understood. */
import { createClient } from "matrix-js-sdk";
import type { z } from "zod";
import type { MatrixConfig } from "../config/shape.ts";
import type { Log } from "../log.ts";
import type { Account, RoomAlias, RoomId } from "../ids.ts";
import { scrub } from "../scrub.ts";
import { directoryAnswer, stateAnswer, whoamiAnswer, type StateEvent } from "./shapes.ts";
import { createTransport } from "./transport.ts";
import { pause, type Times } from "./times.ts";
import { troubleOf, type Answer, type Trouble } from "./trouble.ts";

export interface Homeserver {
  /** The user id that the access token belongs to. */
  fetchUserId(): Promise<Answer<string>>;
  fetchRoomId(alias: RoomAlias): Promise<Answer<RoomId>>;
  /** The room's whole current state, members included. */
  fetchState(room: RoomId): Promise<Answer<readonly StateEvent[]>>;
  /** Both may be repeated; `reason` is shown to the member. */
  invite(room: RoomId, account: Account, reason: string): Promise<Answer<undefined>>;
  kick(room: RoomId, account: Account, reason: string): Promise<Answer<undefined>>;
  readonly requests: () => number;
  readonly clockSkewMs: () => number | undefined;
}

/** All methods throw a PlatformError when the bot's token is refused; other trouble is in their answers. */
export function openHomeserver(
  config: MatrixConfig,
  deps: { readonly log: Log; readonly signal: AbortSignal; readonly times: Times },
): Homeserver {
  const { log, signal, times } = deps;
  const transport = createTransport(times);
  const secrets = [config.accessToken];
  const client = createClient({
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

  /** Repeats, as all our requests may be, what found no answer. */
  async function sure<T>(send: () => Promise<T>): Promise<Answer<T>> {
    for (const pauseMs of times.retryPausesMs) {
      const answer = await once(send);
      if (answer.ok || !isWorthRepeating(answer.trouble)) return answer;
      await pause(pauseMs, signal);
      if (signal.aborted) return answer;
    }
    return once(send);
  }

  /** For reading: waits for limits as well, as long as patience lasts. */
  async function read<Schema extends z.ZodType>(
    endpoint: string,
    schema: Schema,
    send: () => Promise<unknown>,
  ): Promise<Answer<z.output<Schema>>> {
    let patienceMs = times.patienceMs;
    for (;;) {
      const answer = await sure(send);
      if (answer.ok) return checked(endpoint, schema, answer.value);
      if (answer.trouble.kind !== "limited" || answer.trouble.waitMs > patienceMs || signal.aborted) {
        return answer;
      }
      patienceMs -= answer.trouble.waitMs;
      await pause(answer.trouble.waitMs, signal);
    }
  }

  return {
    fetchUserId: async () => {
      const answer = await read("/account/whoami", whoamiAnswer, () => client.whoami());
      return answer.ok ? { ok: true, value: answer.value.user_id } : answer;
    },
    fetchRoomId: async (alias) => {
      const answer = await read("/directory/room", directoryAnswer, () => client.getRoomIdForAlias(alias));
      return answer.ok ? { ok: true, value: answer.value.room_id } : answer;
    },
    fetchState: (room) => read("/rooms/{id}/state", stateAnswer, () => client.roomState(room)),
    invite: (room, account, reason) =>
      sure(async () => {
        await client.invite(room, account, { reason });
        return undefined;
      }),
    kick: (room, account, reason) =>
      sure(async () => {
        await client.kick(room, account, reason);
        return undefined;
      }),
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
function checked<Schema extends z.ZodType>(
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
