/** Answers the slash commands of members, each for that member's eyes only, from the database alone. */
import {
  type ChatInputCommandInteraction,
  type Client,
  Events,
  type Guild,
  type Interaction,
  MessageFlags,
} from "discord.js";
import type { Config, DiscordConfig } from "../config/shape.ts";
import type { Database } from "../db.ts";
import { OperatorError } from "../errors.ts";
import { type DiscordUserId, parseDiscordUserId } from "../ids.ts";
import type { Log } from "../log.ts";
import type { Place } from "../model.ts";
import { fansOf, handlesOf, type MemberRecord, roleStatus } from "./membership.ts";
import { loadMemberRecord } from "./record.ts";
import { type CommandName, isCommandName, refusalOf, registerCommands } from "./register.ts";
import { nextLookAtMs } from "../cron.ts";
import { linkedText, membershipText, notLinkedText, type RoleLine, trouble } from "./texts.ts";

export interface CommandService {
  /** Connected and ready, with the intent Guilds: by it the names of the roles are known. */
  readonly client: Client<true>;
  readonly config: Config;
  readonly database: Database;
  readonly now: () => number;
  readonly log: Log;
}

/**
 * Answers /membership and /link on the server of the config for as long as the client is connected. Resolves once the
 * commands are known to Discord, or could not be made known, which is logged.
 */
export async function serveCommands(service: CommandService): Promise<void> {
  const { client, config, log } = service;
  const { discord } = config;
  if (discord === undefined) return;
  client.on(Events.InteractionCreate, (interaction) => {
    const asked = askedOf(interaction, discord);
    if (asked !== undefined) void answer(asked, discord, service);
  });
  await registerCommands(client, discord.guildId, log);
}

/** One use of a command. */
interface Asked {
  readonly interaction: ChatInputCommandInteraction;
  readonly command: CommandName;
  readonly account: DiscordUserId;
}

/** Other commands, and those on other servers, may be another program's to answer. */
function askedOf(interaction: Interaction, { guildId }: DiscordConfig): Asked | undefined {
  if (!interaction.isChatInputCommand() || interaction.guildId !== guildId) return undefined;
  const account = parseDiscordUserId(interaction.user.id);
  const command = interaction.commandName;
  return account !== undefined && isCommandName(command) ? { interaction, command, account } : undefined;
}

/** Never throws: a command that cannot be answered is logged, and the listener goes on. */
async function answer(asked: Asked, discord: DiscordConfig, service: CommandService): Promise<void> {
  const { interaction, command } = asked;
  try {
    await answers[command](asked, discord, service);
  } catch (error) {
    service.log.warn(`/${command} could not be answered: ${sentenceOf(error)}`);
    await tell(interaction, trouble).catch(() => undefined);
  }
}

const sentenceOf = (error: unknown): string =>
  error instanceof OperatorError ? `${error.message} ${error.remedy}` : `${refusalOf(error)}.`;

/** Discord waits 3 s for the first answer: https://discord.com/developers/docs/interactions/receiving-and-responding */
async function tell(interaction: ChatInputCommandInteraction, content: string): Promise<void> {
  const message = { content, allowedMentions: { parse: [] } };
  if (interaction.replied) await interaction.editReply(message);
  else await interaction.reply({ ...message, flags: MessageFlags.Ephemeral });
}

type Answer = (asked: Asked, discord: DiscordConfig, service: CommandService) => Promise<void>;

const answers: Readonly<Record<CommandName, Answer>> = { membership: tellMembership, link: tellLink };

async function tellMembership(
  { interaction, account }: Asked,
  { places }: DiscordConfig,
  { config, database, now }: CommandService,
): Promise<void> {
  const record = await database.read((sql) => loadMemberRecord(sql, account));
  if (fansOf(record).length === 0) {
    await tell(interaction, notLinkedText(config.link.publicUrl));
    return;
  }
  const nowMs = now();
  const lookedAtMs = record.facts?.readAtMs;
  const schedule = config.schedule.sync;
  const text = membershipText({
    handles: handlesOf(record),
    roles: roleLines(interaction, places, record, nowMs),
    lookedAtMs,
    nextLookAtMs: schedule === undefined ? undefined : nextLookAtMs(schedule, lookedAtMs, nowMs),
  });
  await tell(interaction, text);
}

/** What is to be said of each role; one that the server does not have any more is left out. */
function roleLines(
  interaction: ChatInputCommandInteraction,
  places: readonly Place[],
  record: MemberRecord,
  nowMs: number,
): readonly RoleLine[] {
  const held = rolesHeld(interaction);
  return places.flatMap((place) => {
    const name = roleName(place.id, interaction.guild);
    const status = roleStatus(record, { place, has: held.has(place.id) }, nowMs);
    return name === undefined || status === undefined ? [] : { name, status };
  });
}

/** Told by the interaction itself, so it is as it is now. */
function rolesHeld({ member }: ChatInputCommandInteraction): ReadonlySet<string> {
  if (member === null) return new Set();
  return new Set(Array.isArray(member.roles) ? member.roles : member.roles.cache.keys());
}

/** A server that is down at this moment tells no names. */
const roleName = (id: string, guild: Guild | null): string | undefined =>
  guild === null ? `Role ${id}` : guild.roles.cache.get(id)?.name;

async function tellLink(
  { interaction, account }: Asked,
  _: DiscordConfig,
  { config, database }: CommandService,
): Promise<void> {
  const { publicUrl } = config.link;
  const record = await database.read((sql) => loadMemberRecord(sql, account));
  if (fansOf(record).length === 0) {
    await tell(interaction, notLinkedText(publicUrl));
    return;
  }
  await tell(interaction, linkedText(handlesOf(record), publicUrl));
}
