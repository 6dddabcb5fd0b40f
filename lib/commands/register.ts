/** Makes the slash commands known to Discord, on one server. */
import { type ApplicationCommand, ApplicationCommandType, type Client, DiscordAPIError } from "discord.js";
import type { GuildId } from "../ids.ts";
import type { Log } from "../log.ts";
import { descriptions } from "./texts.ts";

export type CommandName = keyof typeof descriptions;

export const isCommandName = (name: string): name is CommandName => Object.hasOwn(descriptions, name);

const commands = Object.entries(descriptions).map(([name, description]) => ({
  type: ApplicationCommandType.ChatInput as const,
  name,
  description,
}));
type Command = (typeof commands)[number];

/** Compared by hand: Discord adds defaults of its own to what it was given. */
const isSame = (known: ApplicationCommand, { type, name, description }: Command): boolean =>
  known.type === type &&
  known.name === name &&
  known.description === description &&
  known.options.length === 0;

/**
 * Adds or mends ours where they are missing or different; other commands of the application stay. Where Discord refuses,
 * that is logged: the members then have no commands, and everything else works.
 * https://discord.com/developers/docs/interactions/application-commands#create-guild-application-command
 */
export async function registerCommands(client: Client<true>, guildId: GuildId, log: Log): Promise<void> {
  const { commands: manager } = client.application;
  try {
    const known = await manager.fetch({ guildId });
    const lacking = commands.filter((command) => !known.some((one) => isSame(one, command)));
    for (const command of lacking) await manager.create(command, guildId);
  } catch (error) {
    log.warn(
      `The slash commands could not be set up: ${refusalOf(error)}. Members cannot use them until this works.`,
    );
  }
}

/** Never more of an error than this: the address in it may hold the token of an interaction. */
export function refusalOf(error: unknown): string {
  if (!(error instanceof DiscordAPIError)) return error instanceof Error ? error.message : String(error);
  const remedy =
    error.status === 403 ? "; invite the bot again by the address that `npm run check-config` prints" : "";
  return `Discord refused with status ${error.status}, code ${error.code}${remedy}`;
}
