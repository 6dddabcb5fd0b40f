/** Discord as a target: roles of one server are the places, its members the accounts. */
import type { DiscordConfig } from "../config/shape.ts";
import type { Log } from "../log.ts";
import type { Target } from "../target.ts";
import { createPerformer, performAll } from "./perform.ts";
import { readPlaces } from "./read.ts";
import { openRest } from "./rest.ts";

export interface DiscordDeps {
  readonly log: Log;
  /** Ends reading at once; of the steps, what is under way is waited for. */
  readonly signal: AbortSignal;
  /** For one attempt at one request; default 15 s. */
  readonly timeoutMs?: number;
}

/** Opens the server of the config. Nothing is sent before `read` or `perform`. */
export function openDiscord(config: DiscordConfig, { log, signal, timeoutMs }: DiscordDeps): Target {
  const rest = openRest({ apiUrl: config.apiUrl, token: config.token, log, signal, timeoutMs });
  const perform = createPerformer(rest, config.guildId);
  return {
    name: "discord",
    supports: new Set(["grant", "revoke", "evict"]),
    async read(places, linked) {
      const states = await readPlaces({ rest, config, places, linked, log });
      signal.throwIfAborted();
      return states;
    },
    perform: (steps) => performAll(steps, perform, signal),
    requests: () => rest.requests(),
    clockSkewMs: () => rest.clockSkewMs(),
  };
}
