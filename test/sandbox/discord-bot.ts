/** A bot on the stand-in's gateway: discord.js as the program uses it, and what it hears. */
import type { TestContext } from "node:test";
import {
  Client,
  type ClientEvents,
  Events,
  GatewayDispatchEvents,
  GatewayIntentBits,
  Partials,
} from "discord.js";
import { type DiscordSandbox, startDiscord } from "./discord.ts";
import { addMember, userIdAt } from "./discord-world.ts";

const { Guilds, GuildMembers, DirectMessages } = GatewayIntentBits;

/** Not logged in yet. */
export const botOf = (
  { apiUrl }: DiscordSandbox,
  intents: readonly GatewayIntentBits[] = [Guilds, GuildMembers, DirectMessages],
): Client =>
  new Client({
    intents,
    partials: [Partials.Channel],
    rest: { api: apiUrl },
    // The library lets five seconds pass between two sessions that it starts.
    ws: { buildIdentifyThrottler: () => ({ waitForIdentify: () => Promise.resolve() }) },
  });

/** What the client tells next under this name. */
export function next<Name extends keyof ClientEvents>(
  client: Client,
  name: Name,
): Promise<ClientEvents[Name]> {
  const { promise, resolve } = Promise.withResolvers<ClientEvents[Name]>();
  client.once(name, (...told) => {
    resolve(told);
  });
  return promise;
}

/** Resolves once the bot knows its server, too. */
export async function logIn({ world }: DiscordSandbox, client: Client): Promise<void> {
  const isReady = next(client, Events.ClientReady);
  await client.login(world.bot.token);
  await isReady;
}

export interface Heard {
  readonly event: GatewayDispatchEvents;
  readonly data: unknown;
}

const told = [
  GatewayDispatchEvents.GuildMemberAdd,
  GatewayDispatchEvents.GuildMemberUpdate,
  GatewayDispatchEvents.GuildMemberRemove,
  GatewayDispatchEvents.EntitlementCreate,
  GatewayDispatchEvents.EntitlementUpdate,
  GatewayDispatchEvents.EntitlementDelete,
  GatewayDispatchEvents.MessageCreate,
];

/** Gathers what comes from now on, as it comes, oldest first. */
export function hear(client: Client): readonly Heard[] {
  const heard: Heard[] = [];
  for (const event of told) client.ws.on(event, (data: unknown) => heard.push({ event, data }));
  return heard;
}

export interface Bot {
  readonly discord: DiscordSandbox;
  readonly client: Client;
  readonly heard: readonly Heard[];
}

/** The one member beside the owner and the bot. */
export const fan = userIdAt(0);

interface BotOptions {
  readonly intents?: readonly GatewayIntentBits[];
  /** Changes the stand-in before the bot comes. */
  readonly prepare?: (discord: DiscordSandbox) => void;
}

/** A bot that is logged in to a server with one fan; both are stopped after the test. */
export async function botOnline(test: TestContext, { intents, prepare }: BotOptions = {}): Promise<Bot> {
  const discord = await startDiscord();
  addMember(discord.world, { id: fan, username: "fan" });
  prepare?.(discord);
  const client = botOf(discord, intents);
  // In this order: a bot whose connection is lost looks for another for ever.
  test.after(async () => {
    await client.destroy();
    await discord.stop();
  });
  await logIn(discord, client);
  return { discord, client, heard: hear(client) };
}
