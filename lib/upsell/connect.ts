/** The connection to Discord's gateway: opened with patience, lost and resumed with a word, ended for good with a reason. */
import { setTimeout as delay } from "node:timers/promises";
import {
  Client,
  type ClientOptions,
  DefaultRestOptions,
  DiscordjsError,
  DiscordjsErrorCodes,
  Events,
  GatewayCloseCodes,
  GatewayIntentBits,
  Options,
  Partials,
} from "discord.js";
import type { DiscordConfig } from "../config/shape.ts";
import { PlatformError } from "../errors.ts";
import type { Log } from "../log.ts";

export interface ConnectOptions {
  readonly discord: DiscordConfig;
  /** What is listened to beside slash commands. Members need an intent that has to be switched on. */
  readonly hears: { readonly members: boolean; readonly messages: boolean };
  readonly log: Log;
  /** Ends the waiting for a connection. */
  readonly signal: AbortSignal;
  /** Cuts off the requests under way. */
  readonly cutOff: AbortSignal;
  /** Default: as discord.js has it. */
  readonly ws?: ClientOptions["ws"];
}

export interface Connection {
  readonly client: Client<true>;
  /** Rejects with a PlatformError once Discord ends the connection for good. */
  readonly ended: Promise<never>;
  close(): Promise<void>;
}

const pausesMs = [1000, 5000, 15_000, 60_000];

/**
 * Connects, and tries again for as long as Discord cannot be reached. Gives undefined when the signal is aborted before.
 * Throws a PlatformError where Discord refuses the token or the intents.
 */
export async function connect(options: ConnectOptions): Promise<Connection | undefined> {
  const { log, signal } = options;
  const isStopped = () => signal.aborted;
  for (let tried = 0; !isStopped(); tried += 1) {
    const client = createClient(options);
    const ended = endOf(client);
    try {
      return await logIn(client, ended, options);
    } catch (error) {
      await client.destroy();
      if (error instanceof PlatformError) throw error;
      if (isStopped()) return undefined;
      const pauseMs = pausesMs[Math.min(tried, pausesMs.length - 1)] ?? 0;
      const because = error instanceof Error ? error.message : String(error);
      log.warn(`Discord cannot be reached (${because}); trying again in ${pauseMs / 1000} s.`);
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
  return undefined;
}

const { Guilds, GuildMembers, DirectMessages } = GatewayIntentBits;
const longestWaitMs = 30_000;

function createClient({ discord, hears, signal, cutOff, ws }: ConnectOptions): Client {
  return new Client({
    intents: [Guilds, ...(hears.members ? [GuildMembers] : []), ...(hears.messages ? [DirectMessages] : [])],
    // Without it a direct message from somebody who was never written to would not be told.
    partials: [Partials.Channel],
    // Members would be kept for ever, and of those who are, not every change is told.
    makeCache: Options.cacheWithLimits({
      ...Options.DefaultMakeCacheSettings,
      GuildMemberManager: { maxSize: 0, keepOverLimit: ({ id, client }) => id === client.user.id },
    }),
    rest: {
      api: discord.apiUrl,
      // A message whose answer is lost would be sent again.
      retries: 0,
      rejectOnRateLimit: ({ retryAfter, timeToReset }) =>
        signal.aborted || Math.max(retryAfter, timeToReset) > longestWaitMs,
      makeRequest: (url, init) =>
        DefaultRestOptions.makeRequest(url, {
          ...init,
          signal: init.signal == null ? cutOff : AbortSignal.any([init.signal, cutOff]),
        }),
    },
    ...(ws === undefined ? {} : { ws }),
  });
}

async function logIn(client: Client, ended: Promise<never>, options: ConnectOptions): Promise<Connection> {
  const { discord, log, signal } = options;
  const ready = new Promise<Client<true>>((resolve) => client.once(Events.ClientReady, resolve));
  const login = client.login(discord.token).catch((error: unknown) => {
    throw isTokenRefused(error) ? refusedToken() : error;
  });
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", reject, { once: true });
  });
  // The reason comes before the library's own error.
  const readyClient = await Promise.race([ended, stopped, login.then(() => ready)]);
  log.info(`Connected to Discord as ${readyClient.user.username}.`);
  logChanges(readyClient, log);
  return {
    client: readyClient,
    ended,
    async close() {
      for (const event of logged) readyClient.removeAllListeners(event);
      await readyClient.destroy();
    },
  };
}

// ---- Losses and ends --------------------------------------------------------------------------------------------

const logged = [Events.ShardReconnecting, Events.ShardResume, Events.ShardReady] as const;

function logChanges(client: Client, log: Log): void {
  let isLost = false;
  // The library tries twice a second and tells of each try.
  client.on(Events.ShardReconnecting, () => {
    if (!isLost) log.warn("The connection to Discord was lost; connecting again.");
    isLost = true;
  });
  client.on(Events.ShardResume, () => {
    isLost = false;
    log.info("Connected to Discord again; nothing was missed.");
  });
  client.on(Events.ShardReady, () => {
    isLost = false;
    log.info("Connected to Discord anew; looking for what was missed.");
  });
  const note = (error: Error) => {
    log.debug({ because: error.message }, "trouble with the connection to Discord");
  };
  client.on(Events.ShardError, note);
  client.on(Events.Error, note);
}

/** The library emits this event only where it does not try again. */
function endOf(client: Client): Promise<never> {
  const ended = new Promise<never>((_, reject) => {
    client.once(Events.ShardDisconnect, ({ code }) => {
      reject(reasonOf(code));
    });
  });
  // Whoever waits for it hears of it; nobody may be waiting yet.
  ended.catch(() => undefined);
  return ended;
}

const isTokenRefused = (error: unknown): boolean =>
  error instanceof DiscordjsError && error.code === DiscordjsErrorCodes.TokenInvalid;

export const refusedToken = (): PlatformError =>
  new PlatformError(
    "Discord does not accept the bot's token (discord.token in the config).",
    "Copy the token anew from the Bot page of https://discord.com/developers/applications and start again.",
  );

/** https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes */
function reasonOf(code: number): PlatformError {
  const codes: Partial<Record<number, () => PlatformError>> = {
    [GatewayCloseCodes.AuthenticationFailed]: refusedToken,
    [GatewayCloseCodes.DisallowedIntents]: refusedIntents,
  };
  return codes[code]?.() ?? endedForGood(code);
}

const refusedIntents = () =>
  new PlatformError(
    "Discord does not let the bot hear of members: its Server Members Intent is off.",
    "Switch it on under Bot in https://discord.com/developers/applications, or set upsell_on_boost to false, and start again.",
  );
const endedForGood = (code: number) =>
  new PlatformError(
    `Discord ended the connection for good, with code ${code}.`,
    "Look at https://discordstatus.com and start again; if it stays, report this.",
  );
