/** Messages of the bot: direct ones, and in channels of the server. */
import { type APIDMChannel, type APIMessage, MessageType } from "discord-api-types/v10";
import { type ApiUser, apiUser, iso, type Plain } from "./discord-bodies.ts";
import {
  cannotMessageUser,
  emptyMessage,
  invalidForm,
  invalidRecipient,
  messagesTooFast,
  missingPermissions,
  noServerInCommon,
  unknownChannel,
} from "./discord-errors.ts";
import { type Call, objectOf, type Route } from "./discord-routes.ts";
import {
  type DirectChannel,
  type DiscordWorld,
  nextId,
  type SandboxChannel,
  type SandboxMessage,
  type SandboxUser,
  tell,
} from "./discord-world.ts";
import type { Reply } from "./server.ts";

export const messageRoutes: readonly Route[] = [
  { path: "/users/@me/channels", handlers: { POST: openChannel } },
  { path: "/channels/{channel_id}", handlers: { GET: getChannel } },
  { path: "/channels/{channel_id}/messages", handlers: { GET: listMessages, POST: write } },
];

// ---- Channels ---------------------------------------------------------------------------------------------------

/** The channel with a user, the same one each time. */
export function directChannelWith(world: DiscordWorld, account: string): DirectChannel {
  const known = [...world.directChannels.values()].find((channel) => channel.account === account);
  if (known !== undefined) return known;
  const channel = { id: nextId(world), account };
  world.directChannels.set(channel.id, channel);
  return channel;
}

type ApiDirectChannel = Plain<Pick<APIDMChannel, "id" | "type" | "last_message_id">> & {
  readonly flags: number;
  readonly recipients: readonly ApiUser[];
};

export const apiDirectChannel = (world: DiscordWorld, { id, account }: DirectChannel): ApiDirectChannel => ({
  id,
  type: 1,
  last_message_id: world.messages.findLast(({ channelId }) => channelId === id)?.id ?? null,
  flags: 0,
  recipients: [userNamed(world, account)].map(apiUser),
});

const userNamed = (world: DiscordWorld, id: string): SandboxUser =>
  world.users.get(id) ?? { id, username: "Deleted User", bot: false };

/** https://discord.com/developers/docs/resources/user#create-dm */
function openChannel({ world, request }: Call): Reply {
  const { recipient_id: recipient } = objectOf(request.json);
  if (typeof recipient !== "string" || !world.users.has(recipient) || recipient === world.bot.id)
    return invalidRecipient;
  const isKnown = [...world.directChannels.values()].some(({ account }) => account === recipient);
  if (!isKnown && world.directMessages.tooFast) return messagesTooFast;
  return { status: 200, body: apiDirectChannel(world, directChannelWith(world, recipient)) };
}

function getChannel({ world, ids }: Call): Reply {
  const channel = world.directChannels.get(ids.channel_id);
  return channel === undefined ? unknownChannel : { status: 200, body: apiDirectChannel(world, channel) };
}

// ---- Messages ---------------------------------------------------------------------------------------------------

/** The newest first. https://discord.com/developers/docs/resources/message#get-channel-messages */
function listMessages({ world, ids, request: { query } }: Call): Reply {
  if (!world.directChannels.has(ids.channel_id)) return unknownChannel;
  const limit = Number(query.get("limit") ?? "50");
  if (!Number.isInteger(limit) || limit < 1 || limit > 100)
    return invalidForm("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.");
  const written = world.messages.filter(({ channelId }) => channelId === ids.channel_id);
  return {
    status: 200,
    body: written
      .slice(-limit)
      .map((message) => apiMessage(world, message))
      .toReversed(),
  };
}

const longestContent = 2000;

/** https://discord.com/developers/docs/resources/message#create-message */
function write({ world, ids, request }: Call): Reply {
  const channel = channelNamed(world, ids.channel_id);
  if (channel === undefined) return unknownChannel;
  const { content, enforce_nonce: isOnce, ...body } = objectOf(request.json);
  if (typeof content !== "string" || content.trim() === "") return emptyMessage;
  if (content.length > longestContent)
    return invalidForm("content", "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.");
  const refusal = "account" in channel ? refusalToHear(world, channel.account) : refusalToWrite(channel);
  if (refusal !== undefined) return refusal;
  const nonce = nonceOf(body["nonce"]);
  const known = isOnce === true ? writtenBefore(world, channel, nonce) : undefined;
  const message = known ?? addMessage(world, channel, { author: world.bot.id, content, nonce });
  return { status: 200, body: apiMessage(world, message) };
}

type Channel = DirectChannel | SandboxChannel;

const channelNamed = (world: DiscordWorld, id: string): Channel | undefined =>
  world.directChannels.get(id) ?? world.channels.get(id);

const refusalToWrite = ({ botMayWrite }: SandboxChannel): Reply | undefined =>
  botMayWrite ? undefined : missingPermissions;

function refusalToHear(world: DiscordWorld, account: string): Reply | undefined {
  const isAway = !world.members.has(account) || world.deletedUsers.has(account);
  if (isAway || world.closedDirectMessages.get(account) === "no server in common") return noServerInCommon;
  return world.closedDirectMessages.has(account) ? cannotMessageUser : undefined;
}

const nonceOf = (nonce: unknown): string | undefined =>
  typeof nonce === "string" || typeof nonce === "number" ? String(nonce) : undefined;

/** A message that is sent again under the same nonce is not written twice. */
const writtenBefore = (
  world: DiscordWorld,
  channel: Channel,
  nonce: string | undefined,
): SandboxMessage | undefined =>
  nonce === undefined
    ? undefined
    : world.messages.find((message) => message.channelId === channel.id && message.nonce === nonce);

/** Writes a message down and tells of it. */
export function addMessage(
  world: DiscordWorld,
  channel: Channel,
  { author, content, nonce }: Pick<SandboxMessage, "author" | "content"> & { nonce?: string | undefined },
): SandboxMessage {
  const message = { id: nextId(world), channelId: channel.id, author, content, nonce, atMs: world.now() };
  world.messages.push(message);
  tell(world, { is: "message written", message });
  return message;
}

export type ApiMessage = Plain<Omit<APIMessage, "author" | "flags">> & {
  readonly author: ApiUser;
  readonly flags: number;
};

/** A plain message; `flags` as Discord numbers them. */
export const apiMessage = (
  world: DiscordWorld,
  { id, channelId, author, content, nonce, atMs }: SandboxMessage,
  flags = 0,
): ApiMessage => ({
  id,
  type: MessageType.Default,
  channel_id: channelId,
  author: apiUser(userNamed(world, author)),
  content,
  timestamp: iso(atMs),
  edited_timestamp: null,
  flags,
  attachments: [],
  embeds: [],
  mentions: [],
  mention_roles: [],
  components: [],
  pinned: false,
  mention_everyone: false,
  tts: false,
  ...(nonce === undefined ? {} : { nonce }),
});
