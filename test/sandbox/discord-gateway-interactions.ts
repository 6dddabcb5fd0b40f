/** Slash commands: members use them, the bot answers. https://discord.com/developers/docs/interactions/receiving-and-responding */
import {
  type APIChatInputApplicationCommandGuildInteraction,
  ApplicationCommandType,
  ApplicationIntegrationType,
  ChannelType,
  InteractionContextType,
  InteractionResponseType,
  InteractionType,
  Locale,
  MessageFlags,
} from "discord-api-types/v10";
import { z } from "zod";
import { apiEntitlement, apiMember, apiMessage, type Loose } from "./discord-bodies.ts";
import {
  alreadyAcknowledged,
  emptyMessage,
  invalidForm,
  unknownInteraction,
  unknownWebhook,
} from "./discord-errors.ts";
import type { Call, Route } from "./discord-routes.ts";
import {
  type DiscordWorld,
  nextId,
  type SandboxInteraction,
  tell,
  type WorldEvent,
} from "./discord-world.ts";
import type { Reply } from "./server.ts";

/** Stands in every sandbox's server: commands are used in it, and nothing else is ever said there. */
export const generalChannelId = "150000000000000001";

/** Whoever answers shows the token, and nothing else. */
export const interactionRoutes: readonly Route[] = [
  {
    path: "/interactions/{interaction_id}/{interaction_token}/callback",
    handlers: { POST: answerFirst },
    callers: ["nobody"],
  },
  {
    path: "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
    handlers: { GET: getAnswer, PATCH: changeAnswer },
    callers: ["nobody"],
  },
];

// ---- Using a command --------------------------------------------------------------------------------------------

/** Registers a command, as the bot does when it starts. */
export function addCommand(world: DiscordWorld, name: string): void {
  const id = nextId(world);
  const command = { id, version: id, name, description: name, options: [], permissions: undefined };
  world.commands.set(id, command);
}

const patienceMs = 5000;

/**
 * A member uses a command of the bot's; resolves with what they saw once the answer has come. Throws where no such command
 * is registered, where they are no member, and where no answer comes.
 */
export function useCommand(world: DiscordWorld, account: string, name: string): Promise<SandboxInteraction> {
  const command = [...world.commands.values()].find((each) => each.name === name);
  if (command === undefined) throw new Error(`no command /${name} is registered`);
  if (!world.members.has(account)) throw new Error(`${account} is no member of the sandbox's server`);
  const interaction: SandboxInteraction = {
    id: nextId(world),
    token: crypto.randomUUID(),
    account,
    command,
    answer: "none yet",
    text: "",
    isEphemeral: false,
  };
  world.interactions.push(interaction);
  const answer = answerTo(world, interaction);
  tell(world, { is: "command used", interaction });
  return answer;
}

function answerTo(world: DiscordWorld, interaction: SandboxInteraction): Promise<SandboxInteraction> {
  const { promise, resolve, reject } = Promise.withResolvers<SandboxInteraction>();
  const impatience = setTimeout(() => {
    reject(new Error(`/${interaction.command.name} was not answered within ${String(patienceMs)} ms`));
  }, patienceMs);
  const listener = (event: WorldEvent) => {
    if (event.is === "command answered" && event.interaction === interaction) resolve(interaction);
  };
  world.listeners.add(listener);
  return promise.finally(() => {
    clearTimeout(impatience);
    world.listeners.delete(listener);
  });
}

/** Without `channel_id`, which Discord is about to drop. */
export type CommandInteraction = Loose<Omit<APIChatInputApplicationCommandGuildInteraction, "channel_id">>;

/** What the bot is told of it. */
export function commandInteraction(
  world: DiscordWorld,
  { id, token, account, command }: SandboxInteraction,
): CommandInteraction {
  const { guild, application, members, entitlements } = world;
  const member = members.get(account);
  if (member === undefined) throw new Error(`${account} is no member of the sandbox's server`);
  return {
    id,
    token,
    version: 1,
    application_id: application.id,
    type: InteractionType.ApplicationCommand,
    data: {
      id: command.id,
      name: command.name,
      type: ApplicationCommandType.ChatInput,
      guild_id: guild.id,
    },
    guild: { id: guild.id, features: [], locale: Locale.EnglishUS },
    guild_id: guild.id,
    guild_locale: Locale.EnglishUS,
    channel: { id: generalChannelId, type: ChannelType.GuildText },
    member: { ...apiMember(member), permissions: "0" },
    locale: Locale.EnglishUS,
    app_permissions: "0",
    entitlements: [...entitlements.values()]
      .filter((entitlement) => entitlement.account === account && !entitlement.deleted)
      .map((entitlement) => apiEntitlement(world, entitlement)),
    authorizing_integration_owners: { [ApplicationIntegrationType.GuildInstall]: guild.id },
    context: InteractionContextType.Guild,
    attachment_size_limit: 10_485_760,
  };
}

// ---- Answering --------------------------------------------------------------------------------------------------

const answerBody = z.object({
  content: z.string().max(2000).nullish(),
  embeds: z.array(z.unknown()).nullish(),
  flags: z.int().nullish(),
});
type AnswerBody = z.infer<typeof answerBody>;
const callbackBody = z.object({
  type: z.union([
    z.literal(InteractionResponseType.ChannelMessageWithSource),
    z.literal(InteractionResponseType.DeferredChannelMessageWithSource),
  ]),
  data: answerBody.nullish(),
});

const malformed = invalidForm("data", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
const isEmpty = ({ content, embeds }: AnswerBody) => !content?.trim() && (embeds ?? []).length === 0;

const interactionIn = ({ world, request }: Call): SandboxInteraction | undefined =>
  world.interactions.find(({ token }) => request.path.split("/").includes(token));

/** The answer within three seconds: a text, or word that one is being thought of. */
function answerFirst(call: Call): Reply {
  const { world, request } = call;
  const interaction = interactionIn(call);
  if (interaction === undefined) return unknownInteraction;
  if (interaction.answer !== "none yet") return alreadyAcknowledged;
  const body = callbackBody.safeParse(request.json);
  if (!body.success) return malformed;
  const { type, data } = body.data;
  interaction.isEphemeral = ((data?.flags ?? 0) & MessageFlags.Ephemeral) !== 0;
  if (type === InteractionResponseType.DeferredChannelMessageWithSource) interaction.answer = "thinking";
  else if (isEmpty(data ?? {})) return emptyMessage;
  else settle(world, interaction, data?.content ?? "");
  if (request.query.get("with_response") !== "true") return { status: 204 };
  return { status: 200, body: callbackResponse(world, interaction, type) };
}

function settle(world: DiscordWorld, interaction: SandboxInteraction, text: string): void {
  interaction.answer = "given";
  interaction.text = text;
  tell(world, { is: "command answered", interaction });
}

function changeAnswer(call: Call): Reply {
  const { world, request } = call;
  const interaction = interactionIn(call);
  if (interaction === undefined || interaction.answer === "none yet") return unknownWebhook;
  const body = answerBody.safeParse(request.json);
  if (!body.success) return malformed;
  if (isEmpty(body.data)) return emptyMessage;
  settle(world, interaction, body.data.content ?? "");
  return { status: 200, body: answerMessage(world, interaction) };
}

function getAnswer(call: Call): Reply {
  const interaction = interactionIn(call);
  if (interaction === undefined || interaction.answer === "none yet") return unknownWebhook;
  return { status: 200, body: answerMessage(call.world, interaction) };
}

// ---- What Discord shows of an answer ----------------------------------------------------------------------------

const flagsOf = ({ isEphemeral, answer }: SandboxInteraction) =>
  (isEphemeral ? MessageFlags.Ephemeral : 0) | (answer === "thinking" ? MessageFlags.Loading : 0);

/** Its id is the interaction's, as nobody asks for another. */
const answerMessage = (world: DiscordWorld, interaction: SandboxInteraction) => ({
  ...apiMessage(world, {
    id: interaction.id,
    channelId: generalChannelId,
    author: world.bot.id,
    content: interaction.text,
    nonce: undefined,
    atMs: world.now(),
  }),
  flags: flagsOf(interaction),
  application_id: world.application.id,
  webhook_id: world.application.id,
});

const callbackResponse = (
  world: DiscordWorld,
  interaction: SandboxInteraction,
  type: InteractionResponseType,
) => ({
  interaction: {
    id: interaction.id,
    type: InteractionType.ApplicationCommand,
    response_message_id: interaction.id,
    response_message_loading: interaction.answer === "thinking",
    response_message_ephemeral: interaction.isEphemeral,
    channel_id: generalChannelId,
    guild_id: world.guild.id,
  },
  resource: { type, message: answerMessage(world, interaction) },
});
