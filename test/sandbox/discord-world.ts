/**
 * What the Discord stand-in knows: one server, its roles and members, the bot and its application. Plain data that a test
 * changes directly; what people do on Discord is in discord-people.ts.
 */
import { type EntitlementType, PermissionFlagsBits } from "discord-api-types/v10";

export interface SandboxRole {
  readonly id: string;
  name: string;
  position: number;
  permissions: bigint;
  managed: boolean;
  tags: {
    bot_id?: string;
    integration_id?: string;
    subscription_listing_id?: string;
    premium_subscriber?: null;
    available_for_purchase?: null;
    guild_connections?: null;
  };
}

export interface SandboxUser {
  readonly id: string;
  username: string;
  /** The name that they show; undefined: their username. */
  globalName?: string;
  bot: boolean;
}

export interface SandboxMember {
  readonly user: SandboxUser;
  readonly roles: Set<string>;
  premiumSinceMs: number | undefined;
  nick: string | undefined;
  joinedAtMs: number;
}

export interface SandboxAuditEntry {
  /** Says when, too: ids grow with the time. */
  readonly id: string;
  readonly action: "kick" | "ban" | "role update";
  readonly actor: string;
  readonly account: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly reason: string | undefined;
}

/** A command that somebody used, and what they saw of its answer. */
export interface SandboxInteraction {
  readonly id: string;
  readonly token: string;
  readonly account: string;
  readonly command: SandboxCommand;
  answer: "none yet" | "thinking" | "given";
  text: string;
  /** Whether nobody else saw it. */
  isEphemeral: boolean;
}

/** A bucket of requests, as Discord's rate limits have them. */
export interface SandboxLimit {
  limit: number;
  windowMs: number;
}

/** What a user allowed an application, with the tokens of it that are valid now. */
export interface SandboxLogin {
  readonly account: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  accessToken: string;
  refreshToken: string;
  expiresAtMs: number;
}

/** What the page of consent sends back with, to be changed for a login once. */
export interface SandboxCode {
  readonly account: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly redirectUri: string;
  /** Of a PKCE verifier, by SHA-256; undefined: the code is taken without one. */
  readonly challenge: string | undefined;
  readonly expiresAtMs: number;
}

export interface SandboxMessage {
  readonly id: string;
  readonly channelId: string;
  readonly author: string;
  readonly content: string;
  /** By which Discord knows a message that is sent twice. */
  readonly nonce?: string | undefined;
  readonly atMs: number;
}

/** A text channel of the server. */
export interface SandboxChannel {
  readonly id: string;
  botMayWrite: boolean;
}

/** Where the bot and one user write to each other. */
export interface DirectChannel {
  readonly id: string;
  readonly account: string;
}

export interface SandboxEntitlement {
  readonly id: string;
  readonly skuId: string;
  readonly account: string;
  /** Of what was bought for a whole server. */
  readonly guildId?: string;
  readonly type: EntitlementType;
  deleted: boolean;
  startsAtMs: number | undefined;
  endsAtMs: number | undefined;
}

export interface SandboxCommand {
  readonly id: string;
  readonly version: string;
  readonly name: string;
  readonly description: string;
  readonly options: readonly unknown[];
  /** What members need by default to use it. */
  readonly permissions: string | undefined;
}

/** What happened, told when it has happened: the gateway passes it on. */
export type WorldEvent =
  | { readonly is: "member added" | "member updated" | "member removed"; readonly member: SandboxMember }
  | {
      readonly is: "entitlement created" | "entitlement updated" | "entitlement deleted";
      readonly entitlement: SandboxEntitlement;
    }
  | { readonly is: "message written"; readonly message: SandboxMessage }
  | { readonly is: "command used" | "command answered"; readonly interaction: SandboxInteraction };

export interface DiscordWorld {
  /** The clock of ids, tokens and limits. */
  now: () => number;
  readonly guild: { id: string; name: string; ownerId: string };
  readonly bot: { id: string; token: string; username: string };
  readonly application: {
    id: string;
    name: string;
    clientSecret: string;
    readonly redirectUris: string[];
  };
  /** Where the gateway listens, without a query. */
  gatewayUrl: string;
  readonly roles: Map<string, SandboxRole>;
  readonly members: Map<string, SandboxMember>;
  /** Everybody who was ever heard of, on the server or not. */
  readonly users: Map<string, SandboxUser>;
  readonly bans: Set<string>;
  /** Users whose account is gone. */
  readonly deletedUsers: Set<string>;
  /** Users who are in as many servers as Discord allows. */
  readonly fullUsers: Set<string>;
  readonly intents: { guildMembers: boolean };
  /** Whether `roles/member-counts` exists. */
  readonly features: { memberCounts: boolean };
  readonly limits: DiscordLimits;
  readonly auditLog: SandboxAuditEntry[];
  readonly logins: Set<SandboxLogin>;
  readonly codes: Map<string, SandboxCode>;
  /** By their ids. */
  readonly channels: Map<string, SandboxChannel>;
  readonly directChannels: Map<string, DirectChannel>;
  readonly messages: SandboxMessage[];
  /** Who cannot be written to, and why: 50007 closed to us, 50278 no server in common. */
  readonly closedDirectMessages: Map<string, "closed" | "no server in common">;
  /** Whether Discord has had enough of our new direct messages (40003). */
  readonly directMessages: { tooFast: boolean };
  /** The application's commands on the server, by id. */
  readonly commands: Map<string, SandboxCommand>;
  readonly entitlements: Map<string, SandboxEntitlement>;
  /** The commands that were used, oldest first. */
  readonly interactions: SandboxInteraction[];
  readonly listeners: Set<(event: WorldEvent) => void>;
  /** The newest id given out. */
  lastId: string;
}

/** Generous; tests make them tight. */
export interface DiscordLimits {
  /** Of reading and of writing, per kind of route. */
  read: SandboxLimit;
  write: SandboxLimit;
  /** Of all requests of the bot together. */
  global: SandboxLimit;
  /** Of one kind of route, by what `bucketOf` calls it; goes before `read` and `write`. */
  readonly routes: Map<string, SandboxLimit>;
}

// ---- Making a world ---------------------------------------------------------------------------------------------

/** Ids that look like Discord's: 18 digits, growing. */
export const userIdAt = (index: number): string => String(300_000_000_000_000_000n + BigInt(index));
export const roleIdAt = (index: number): string => String(200_000_000_000_000_000n + BigInt(index));

const discordEpochMs = 1_420_070_400_000;

/** https://discord.com/developers/docs/reference#snowflakes; never twice the same, and always a greater one. */
export function nextId(world: DiscordWorld): string {
  const ofNow = BigInt(world.now() - discordEpochMs) << 22n;
  const last = BigInt(world.lastId);
  world.lastId = String(ofNow > last ? ofNow : last + 1n);
  return world.lastId;
}

const botPermissions =
  PermissionFlagsBits.ManageRoles |
  PermissionFlagsBits.KickMembers |
  PermissionFlagsBits.CreateInstantInvite |
  PermissionFlagsBits.ViewAuditLog;

/** A server with an owner and the bot; the bot's role may do all that the program needs, and stands at position 50. */
export function createDiscordWorld(): DiscordWorld {
  const world = emptyWorld();
  const { guild, bot } = world;
  addRole(world, {
    id: guild.id,
    name: "@everyone",
    position: 0,
    permissions: PermissionFlagsBits.ViewChannel,
  });
  const botRole = addRole(world, {
    id: "130000000000000001",
    name: bot.username,
    position: 50,
    permissions: botPermissions,
    managed: true,
    tags: { bot_id: bot.id },
  });
  addMember(world, { id: guild.ownerId, username: "owner" });
  addMember(world, { id: bot.id, username: bot.username, bot: true, roles: [botRole.id] });
  return world;
}

function emptyWorld(): DiscordWorld {
  const bot = { id: "120000000000000001", token: "sandbox-bot-token", username: "fanvue-sync" };
  return {
    now: Date.now,
    guild: { id: "100000000000000001", name: "Velvet Lounge", ownerId: "110000000000000001" },
    bot,
    application: {
      id: bot.id,
      name: "fanvue-sync",
      clientSecret: "sandbox-discord-client-secret",
      redirectUris: ["http://localhost:8080/callback"],
    },
    gatewayUrl: "wss://gateway.invalid",
    roles: new Map(),
    members: new Map(),
    users: new Map(),
    bans: new Set(),
    deletedUsers: new Set(),
    fullUsers: new Set(),
    intents: { guildMembers: true },
    features: { memberCounts: true },
    limits: {
      read: { limit: 1000, windowMs: 1000 },
      write: { limit: 1000, windowMs: 1000 },
      global: { limit: 10_000, windowMs: 1000 },
      routes: new Map(),
    },
    auditLog: [],
    logins: new Set(),
    codes: new Map(),
    channels: new Map(),
    directChannels: new Map(),
    messages: [],
    closedDirectMessages: new Map(),
    directMessages: { tooFast: false },
    commands: new Map(),
    entitlements: new Map(),
    interactions: [],
    listeners: new Set(),
    lastId: "0",
  };
}

/** Adds a role; by default a plain one below the bot's. */
export function addRole(
  world: DiscordWorld,
  role: Partial<SandboxRole> & { readonly id: string },
): SandboxRole {
  const whole: SandboxRole = {
    name: `role ${role.id}`,
    position: 1,
    permissions: 0n,
    managed: false,
    tags: {},
    ...role,
  };
  world.roles.set(whole.id, whole);
  return whole;
}

interface NewUser {
  readonly id: string;
  readonly username?: string;
  readonly bot?: boolean;
}

/** Somebody who need not be on the server. */
export function addUser(world: DiscordWorld, { id, username, bot = false }: NewUser): SandboxUser {
  const user = { id, username: username ?? `user-${id}`, bot };
  world.users.set(id, user);
  return user;
}

/** Adds a member who was there all along: nobody is told. */
export function addMember(
  world: DiscordWorld,
  member: NewUser & { readonly roles?: Iterable<string>; readonly premiumSinceMs?: number },
): SandboxMember {
  const whole: SandboxMember = {
    user: addUser(world, member),
    roles: new Set(member.roles),
    premiumSinceMs: member.premiumSinceMs,
    nick: undefined,
    joinedAtMs: Date.UTC(2026, 0, 1),
  };
  world.members.set(whole.user.id, whole);
  return whole;
}

/** Whoever holds a role, sorted by id: what tests compare. */
export const holdersOf = (world: DiscordWorld, roleId: string): readonly string[] =>
  [...world.members.values()]
    .filter(({ roles }) => roles.has(roleId))
    .map(({ user }) => user.id)
    .sort();

/** Tells everybody who listens. */
export function tell(world: DiscordWorld, event: WorldEvent): void {
  for (const listener of world.listeners) listener(event);
}
