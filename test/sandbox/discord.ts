/**
 * A stand-in for Discord's REST API and gateway, version 10: enough of it to read a server and to change its members, with the real
 * service's statuses, error bodies, rate headers and audit log. discord.js talks to it when `rest.api` is its `apiUrl`.
 */
import type { Consent } from "./consent-page.ts";
import { auditRoutes } from "./discord-audit.ts";
import { authorize, authorizeApiPath, authorizePath } from "./discord-authorize.ts";
import { commandRoutes } from "./discord-commands.ts";
import type { DiscordDescription } from "./discord-description.ts";
import { entitlementRoutes } from "./discord-entitlements.ts";
import { createGateway, type DiscordGateway } from "./discord-gateway.ts";
import { interactionRoutes } from "./discord-gateway-interactions.ts";
import { guildRoutes } from "./discord-guild.ts";
import { createLimiter } from "./discord-limits.ts";
import { memberRoutes } from "./discord-members.ts";
import { messageRoutes } from "./discord-messages.ts";
import { oauthRoutes } from "./discord-oauth.ts";
import { createRouter, type Route } from "./discord-routes.ts";
import { userRoutes } from "./discord-users.ts";
import { createDiscordWorld, type DiscordWorld } from "./discord-world.ts";
import { type Fault, type Recorded, type Reply, type SandboxRequest, serve } from "./server.ts";

export interface DiscordSandbox {
  /** For `discord.api_url`: without the version. */
  readonly apiUrl: string;
  readonly world: DiscordWorld;
  readonly gateway: DiscordGateway;
  /** The cookie is `discord_user=ID`. */
  readonly consent: Consent;
  /** Every request since the start, oldest first. */
  readonly requests: Recorded[];
  /** Push to break things, empty to mend them. */
  readonly faults: Fault[];
  stop(): Promise<void>;
}

export interface DiscordSandboxOptions {
  /** Default: a server with its owner and the bot. */
  readonly world?: DiscordWorld;
  readonly port?: number;
  /** Whatever is asked and answered must be as it says, or `stop` throws. */
  readonly description?: DiscordDescription | undefined;
}

export const discordRoutes: readonly Route[] = [
  ...userRoutes,
  ...guildRoutes,
  ...memberRoutes,
  ...auditRoutes,
  ...oauthRoutes,
  ...messageRoutes,
  ...commandRoutes,
  ...entitlementRoutes,
  ...interactionRoutes,
];

/** Starts Discord on 127.0.0.1. */
export async function startDiscord(options: DiscordSandboxOptions = {}): Promise<DiscordSandbox> {
  const world = options.world ?? createDiscordWorld();
  const router = createRouter(discordRoutes);
  const limiter = createLimiter(world, router);
  const gateway = createGateway(world);
  const consent: Consent = { user: world.guild.ownerId, deny: false, page: false };
  const faults = new Set<string>();
  const answer = (request: SandboxRequest): Reply => {
    if (request.path === authorizePath || request.path === authorizeApiPath)
      return authorize(world, consent, request);
    const reply = limiter(request, () => router.answer(world, request));
    // A browser on the consent page asks for more than the interface has.
    const description = request.path.startsWith("/api/") ? options.description : undefined;
    for (const fault of description?.requestFaults(request) ?? []) faults.add(fault);
    for (const fault of description?.replyFaults(request, reply) ?? []) faults.add(fault);
    return reply;
  };
  const server = await serve(answer, {
    now: () => world.now(),
    upgrade: (message, socket, head) => {
      gateway.upgrade(message, socket, head);
    },
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  world.gatewayUrl = server.url.replace("http", "ws");
  const stop = async () => {
    gateway.stop();
    await server.stop();
    if (faults.size > 0)
      throw new Error(`not as Discord's own description has it:\n${[...faults].join("\n")}`);
  };
  return {
    ...server,
    apiUrl: `${server.url}/api`,
    world,
    gateway,
    consent,
    stop,
  };
}
