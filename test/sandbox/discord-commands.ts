/** The application's slash commands on the server. */
import {
  type APIApplicationCommand,
  ApplicationCommandType,
  ApplicationIntegrationType,
} from "discord-api-types/v10";
import { invalidForm, missingField, unknownCommand } from "./discord-errors.ts";
import { type Call, objectOf, type Route } from "./discord-routes.ts";
import { type DiscordWorld, nextId, type SandboxCommand } from "./discord-world.ts";
import type { Reply } from "./server.ts";

const collection = "/applications/{application_id}/guilds/{guild_id}/commands";
export const commandRoutes: readonly Route[] = [
  { path: collection, handlers: { GET: listCommands, POST: upsertCommand } },
  {
    path: `${collection}/{command_id}`,
    handlers: { GET: getCommand, PATCH: changeCommand, DELETE: deleteCommand },
  },
];

type ApiCommand = Omit<APIApplicationCommand, "options" | "dm_permission"> & {
  readonly options?: readonly unknown[];
};

const apiCommand = (world: DiscordWorld, command: SandboxCommand): ApiCommand => ({
  id: command.id,
  application_id: world.application.id,
  version: command.version,
  default_member_permissions: command.permissions ?? null,
  type: ApplicationCommandType.ChatInput,
  name: command.name,
  name_localizations: null,
  description: command.description,
  description_localizations: null,
  guild_id: world.guild.id,
  contexts: null,
  integration_types: [ApplicationIntegrationType.GuildInstall],
  ...(command.options.length > 0 ? { options: command.options } : {}),
  nsfw: false,
});

function listCommands({ world }: Call): Reply {
  return { status: 200, body: [...world.commands.values()].map((command) => apiCommand(world, command)) };
}

function getCommand({ world, ids }: Call): Reply {
  const command = world.commands.get(ids.command_id);
  return command === undefined ? unknownCommand : { status: 200, body: apiCommand(world, command) };
}

type Wanted = Partial<Pick<SandboxCommand, "name" | "description" | "options" | "permissions">>;

/** What of a command stands in a body, or what is wrong with it. Only commands that are typed are known here. */
function wantedOf(json: unknown): Wanted | Reply {
  const { name, description, options, default_member_permissions: permissions, type = 1 } = objectOf(json);
  if (type !== ApplicationCommandType.ChatInput)
    return invalidForm("type", "BASE_TYPE_CHOICES", "Value must be one of {1}.");
  if (typeof name === "string" && !/^[-_\p{Ll}\p{N}]{1,32}$/u.test(name))
    return invalidForm("name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
  if (typeof description === "string" && (description.length < 1 || description.length > 100))
    return invalidForm("description", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.");
  return {
    ...(typeof name === "string" ? { name } : {}),
    ...(typeof description === "string" ? { description } : {}),
    ...(Array.isArray(options) ? { options } : {}),
    ...(permissions == null ? {} : { permissions: permissionsOf(permissions) }),
  };
}

const permissionsOf = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "0";

/** A command of a name that is there already is replaced. https://discord.com/developers/docs/interactions/application-commands#create-guild-application-command */
function upsertCommand({ world, request }: Call): Reply {
  const wanted = wantedOf(request.json);
  if ("status" in wanted) return wanted;
  const { name, description, options = [], permissions } = wanted;
  if (name === undefined) return missingField("name");
  if (description === undefined) return missingField("description");
  const known = [...world.commands.values()].find((command) => command.name === name);
  const version = nextId(world);
  const command = { id: known?.id ?? version, version, name, description, options, permissions };
  world.commands.set(command.id, command);
  return { status: known === undefined ? 201 : 200, body: apiCommand(world, command) };
}

function changeCommand({ world, ids, request }: Call): Reply {
  const known = world.commands.get(ids.command_id);
  if (known === undefined) return unknownCommand;
  const wanted = wantedOf(request.json);
  if ("status" in wanted) return wanted;
  const command = { ...known, ...wanted, version: nextId(world) };
  world.commands.set(known.id, command);
  return { status: 200, body: apiCommand(world, command) };
}

function deleteCommand({ world, ids }: Call): Reply {
  return world.commands.delete(ids.command_id) ? { status: 204 } : unknownCommand;
}
