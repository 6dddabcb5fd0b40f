/**
 * A stand-in for Discord's gateway, version 10 in JSON: sessions that start, are told what happens in the world, and are
 * resumed without losing an event. https://discord.com/developers/docs/events/gateway
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import {
  GatewayCloseCodes,
  GatewayDispatchEvents,
  type GatewayHeartbeatAck,
  type GatewayHello,
  GatewayIntentBits,
  type GatewayInvalidSession,
  GatewayOpcodes,
  type GatewayReconnect,
} from "discord-api-types/v10";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import {
  type GatewayCommand,
  type IdentifyData,
  readCommand,
  type ResumeData,
} from "./discord-gateway-commands.ts";
import { eventFor, type GatewayEvent, guildCreate, memberChunks, ready } from "./discord-gateway-events.ts";
import type { DiscordWorld, WorldEvent } from "./discord-world.ts";

export interface DiscordGateway {
  /** What clients are told at their next connection. */
  heartbeatIntervalMs: number;
  /** False: heartbeats stay without an answer, as on a connection that died without a sign. */
  acknowledgesHeartbeats: boolean;
  /** What clients sent, oldest first. */
  readonly received: readonly GatewayCommand[];
  /** How many sessions are connected; of those that wait to be resumed nothing is said. */
  connected(): number;
  /** Resolves as soon as a session is connected. */
  whenConnected(): Promise<void>;
  /** Asks all clients to connect again, as Discord does before it restarts a machine (opcode 7). */
  askToReconnect(): void;
  /** Ends all connections: with a close code, or without a word as a cut cable does. */
  drop(code?: number): void;
  /** Holds no session any longer, as after a long pause: whoever resumes is told to begin anew. */
  forgetSessions(): void;
  /** For `serve`. */
  upgrade(message: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Hears nothing more of the world. The connections end with the server. */
  stop(): void;
}

type Dispatched = GatewayEvent & { readonly op: GatewayOpcodes.Dispatch; readonly s: number };
/** Words about the connection itself. */
type Word = GatewayHello | GatewayHeartbeatAck | GatewayInvalidSession | GatewayReconnect;

interface Session {
  readonly id: string;
  readonly intents: number;
  /** All that was sent to it: an event's sequence number is its place here, counted from one. */
  readonly sent: Dispatched[];
  /** Undefined between a lost connection and its resumption. */
  socket: WebSocket | undefined;
}

/** One gateway's state, for the functions below; what tests set of it is set here. */
interface Hub {
  readonly world: DiscordWorld;
  readonly sessions: Map<string, Session>;
  readonly received: GatewayCommand[];
  /** Of those who wait for a session. */
  readonly waiting: Set<() => void>;
  heartbeatIntervalMs: number;
  acknowledgesHeartbeats: boolean;
}

/** Makes a gateway that listens to a world; it is reached by what `serve` hands to `upgrade`. */
export function createGateway(world: DiscordWorld): DiscordGateway {
  const hub: Hub = {
    world,
    sessions: new Map(),
    received: [],
    waiting: new Set(),
    heartbeatIntervalMs: 41_250,
    acknowledgesHeartbeats: true,
  };
  const server = new WebSocketServer({ noServer: true });
  const listener = (event: WorldEvent) => {
    tellSessions(hub, event);
  };
  world.listeners.add(listener);
  const connected = () =>
    [...hub.sessions.values()].filter(({ socket }) => socket?.readyState === WebSocket.OPEN).length;
  return Object.assign(hub, {
    connected,
    async whenConnected() {
      if (connected() > 0) return;
      await new Promise<void>((resolve) => hub.waiting.add(resolve));
    },
    askToReconnect() {
      for (const socket of server.clients)
        send(socket, plain({ op: GatewayOpcodes.Reconnect, d: undefined }));
    },
    drop(code?: number) {
      for (const socket of server.clients)
        if (code === undefined) socket.terminate();
        else socket.close(code);
    },
    forgetSessions() {
      hub.sessions.clear();
    },
    upgrade(message: IncomingMessage, socket: Duplex, head: Buffer) {
      server.handleUpgrade(message, socket, head, (webSocket) => {
        welcome(hub, webSocket, message);
      });
    },
    stop() {
      world.listeners.delete(listener);
    },
  });
}

// ---- Sending ----------------------------------------------------------------------------------------------------

/** Without a number: no event, but a word about the connection. */
const plain = <Payload extends object>(payload: Payload) => ({ ...payload, s: null, t: null });

function send(socket: WebSocket, payload: Dispatched | Word): void {
  socket.send(JSON.stringify(payload));
}

/** Numbers an event and sends it, now or when the session is resumed. */
function dispatch(session: Session, event: GatewayEvent): void {
  const payload = { op: GatewayOpcodes.Dispatch, s: session.sent.length + 1, ...event } as const;
  session.sent.push(payload);
  if (session.socket !== undefined) send(session.socket, payload);
}

function tellSessions(hub: Hub, happened: WorldEvent): void {
  const told = eventFor(hub.world, happened);
  if (told === undefined) return;
  for (const session of hub.sessions.values())
    if (told.intent === undefined || has(session, told.intent)) dispatch(session, told.event);
}

const has = ({ intents }: Session, intent: number) => (intents & intent) !== 0;

// ---- A connection -----------------------------------------------------------------------------------------------

/** https://discord.com/developers/docs/events/gateway#connection-lifecycle */
function welcome(hub: Hub, socket: WebSocket, { url = "" }: IncomingMessage): void {
  const query = new URL(url, "ws://gateway").searchParams;
  if (query.get("v") !== "10" || query.get("encoding") !== "json") {
    socket.close(GatewayCloseCodes.InvalidAPIVersion);
    return;
  }
  const sessionOf = () => [...hub.sessions.values()].find((session) => session.socket === socket);
  socket.on("message", (data) => {
    hear(hub, socket, sessionOf(), data);
  });
  socket.on("close", (code) => {
    const session = sessionOf();
    if (session === undefined) return;
    session.socket = undefined;
    // Whoever says goodbye has done with the session: https://discord.com/developers/docs/events/gateway#disconnecting
    if (code === 1000 || code === 1001) hub.sessions.delete(session.id);
  });
  socket.on("error", () => {
    socket.terminate();
  });
  const heartbeat = { heartbeat_interval: hub.heartbeatIntervalMs };
  send(socket, plain({ op: GatewayOpcodes.Hello, d: heartbeat }));
}

function hear(hub: Hub, socket: WebSocket, session: Session | undefined, data: RawData): void {
  const command = readCommand(data);
  if (typeof command === "number") {
    socket.close(command);
    return;
  }
  hub.received.push(command);
  switch (command.op) {
    case GatewayOpcodes.Heartbeat:
      if (hub.acknowledgesHeartbeats) send(socket, plain({ op: GatewayOpcodes.HeartbeatAck, d: undefined }));
      return;
    case GatewayOpcodes.Identify:
      if (session === undefined) identify(hub, socket, command.d);
      else socket.close(GatewayCloseCodes.AlreadyAuthenticated);
      return;
    case GatewayOpcodes.Resume:
      if (session === undefined) resume(hub, socket, command.d);
      else socket.close(GatewayCloseCodes.AlreadyAuthenticated);
      return;
    case GatewayOpcodes.PresenceUpdate:
      if (session === undefined) socket.close(GatewayCloseCodes.NotAuthenticated);
      return;
    case GatewayOpcodes.RequestGuildMembers:
      if (session === undefined) socket.close(GatewayCloseCodes.NotAuthenticated);
      else for (const chunk of memberChunks(hub.world, session.intents, command.d)) dispatch(session, chunk);
  }
}

// ---- Sessions ---------------------------------------------------------------------------------------------------

const everyIntent = Object.values(GatewayIntentBits)
  .filter((bit) => typeof bit === "number")
  .reduce((all, bit) => all | bit, 0);

/** Switched on in the developer portal, or refused. */
function allowedIntents({ intents }: DiscordWorld): number {
  const { GuildMembers, GuildPresences, MessageContent } = GatewayIntentBits;
  const privileged = GuildMembers | GuildPresences | MessageContent;
  return (everyIntent & ~privileged) | (intents.guildMembers ? GuildMembers : 0);
}

/** Why a session is refused: https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes */
function refusal(world: DiscordWorld, { token, intents, shard }: IdentifyData): number | undefined {
  if (token !== world.bot.token) return GatewayCloseCodes.AuthenticationFailed;
  if (shard !== undefined && shard[0] >= shard[1]) return GatewayCloseCodes.InvalidShard;
  if ((intents & ~everyIntent) !== 0) return GatewayCloseCodes.InvalidIntents;
  if ((intents & ~allowedIntents(world)) !== 0) return GatewayCloseCodes.DisallowedIntents;
  return undefined;
}

function identify(hub: Hub, socket: WebSocket, data: IdentifyData): void {
  const refused = refusal(hub.world, data);
  if (refused !== undefined) {
    socket.close(refused);
    return;
  }
  const session: Session = { id: crypto.randomUUID(), intents: data.intents, sent: [], socket };
  hub.sessions.set(session.id, session);
  dispatch(session, ready(hub.world, session.id, data));
  const isOnServer = hub.world.members.has(hub.world.bot.id);
  if (isOnServer && has(session, GatewayIntentBits.Guilds)) dispatch(session, guildCreate(hub.world, data));
  tellWaiting(hub);
}

/** https://discord.com/developers/docs/events/gateway#resuming */
function resume(hub: Hub, socket: WebSocket, { token, session_id: id, seq }: ResumeData): void {
  if (token !== hub.world.bot.token) {
    socket.close(GatewayCloseCodes.AuthenticationFailed);
    return;
  }
  const session = hub.sessions.get(id);
  if (session === undefined) {
    send(socket, plain({ op: GatewayOpcodes.InvalidSession, d: false }));
    return;
  }
  if (seq > session.sent.length) {
    socket.close(GatewayCloseCodes.InvalidSeq);
    return;
  }
  session.socket?.terminate();
  session.socket = socket;
  for (const missed of session.sent.slice(seq)) send(socket, missed);
  dispatch(session, { t: GatewayDispatchEvents.Resumed, d: undefined });
  tellWaiting(hub);
}

function tellWaiting({ waiting }: Hub): void {
  for (const resolve of waiting) resolve();
  waiting.clear();
}
