/** Discord as a target: roles of one server are the places, its members the accounts. */
import type { DiscordConfig } from "../config/shape.ts";
import type { Account } from "../ids.ts";
import type { Log } from "../log.ts";
import type { Logins } from "../logins.ts";
import type { PlaceState, Standing } from "../model.ts";
import type { Target } from "../target.ts";
import { foreignClient } from "./application.ts";
import { performAll } from "./flights.ts";
import { createJoiner, forgetLogins, type Joiner, type LoginUse } from "./join.ts";
import { openOAuth } from "./oauth.ts";
import { createPerformer } from "./perform.ts";
import { type Reading, readPlaces } from "./read.ts";
import { type DiscordRest, openRest } from "./rest.ts";
import { verifySteps } from "./verify.ts";

export interface DiscordDeps {
  readonly log: Log;
  /** Ends reading at once; of the steps, what is under way is waited for. */
  readonly signal: AbortSignal;
  /** For one attempt at one request; default 15 s. */
  readonly timeoutMs?: number;
  /** What fans gave us to bring them in with; without it nobody is brought in. */
  readonly logins?: Logins;
}

/** Opens the server of the config. Nothing is sent before `read` or `perform`. */
export function openDiscord(config: DiscordConfig, deps: DiscordDeps): Target {
  const { log, signal, timeoutMs, logins } = deps;
  const rest = openRest({ apiUrl: config.apiUrl, token: config.token, log, signal, timeoutMs });
  const joiner = openJoiner(config, rest, deps);
  const perform = createPerformer(rest, config.guildId, joiner);
  let reading: Reading | undefined;
  let foreign: string | undefined;
  return {
    name: "discord",
    async read(places, linked, record) {
      foreign = await foreignClient(config, rest);
      const joinable = foreign === undefined ? await joiner?.joinable() : undefined;
      reading = await readPlaces({ rest, config, places, linked, ...record, joinable, log });
      signal.throwIfAborted();
      return reading.states;
    },
    async *perform(steps) {
      yield* performAll(steps, perform, signal);
      // They were given to another application, which alone can use or end them.
      if (foreign === undefined) await joiner?.endSpent(membersIn(reading?.states ?? new Map()));
      if (config.oauth === undefined && logins !== undefined) await forgetLogins(logins, log);
    },
    verify: (done) => verifySteps(rest, reading?.seen, done),
    warnings: () => [...(foreign === undefined ? [] : [foreign]), ...(reading?.warnings ?? [])],
    requests: () => rest.requests() + (joiner?.requests() ?? 0),
    clockSkewMs: () => rest.clockSkewMs(),
  };
}

function openJoiner(
  config: DiscordConfig,
  rest: DiscordRest,
  { logins, ...deps }: DiscordDeps,
): Joiner | undefined {
  const { apiUrl, guildId, oauth: client } = config;
  if (client === undefined || logins === undefined) return undefined;
  const oauth = openOAuth({ apiUrl, oauth: client }, deps);
  return createJoiner({ rest, oauth, logins, use: useOfLogins(config), guildId, log: deps.log });
}

function useOfLogins({ autoJoin, places }: DiscordConfig): LoginUse {
  if (!autoJoin.enabled) return "none";
  return places.some(({ onExpiry }) => onExpiry === "evict") ? "any join" : "one join";
}

const isMember = ({ is }: Standing) => is === "in" || is === "out" || is === "removed";

/** Whom a reading showed on the server, of the accounts that it looked at. */
const membersIn = (states: ReadonlyMap<unknown, PlaceState>): ReadonlySet<Account> =>
  new Set(
    [...states.values()]
      .flatMap((state) => ("unreadable" in state ? [] : [...state.members]))
      .filter(([, standing]) => isMember(standing))
      .map(([account]) => account),
  );
