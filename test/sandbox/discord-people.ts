/** What people, and other bots, do on Discord: each changes the world, writes it into the audit log and tells the gateway. */
import { recordKick, recordRoles } from "./discord-audit.ts";
import { enter } from "./discord-members.ts";
import { addMessage, directChannelWith } from "./discord-messages.ts";
import { addMember, type DiscordWorld, type SandboxMember, tell } from "./discord-world.ts";

/** What somebody does to a member: both by their user ids. */
interface Deed {
  readonly by: string;
  readonly to: string;
  readonly reason?: string;
}

function memberOf(world: DiscordWorld, id: string): SandboxMember {
  const member = world.members.get(id);
  if (member === undefined) throw new Error(`${id} is no member of the sandbox's server`);
  return member;
}

export const moderatorId = "140000000000000001";
export const otherBotId = "140000000000000002";

/** A moderator without any role: enough for the audit log. Gives their user id. */
export function addModerator(world: DiscordWorld): string {
  return addMember(world, { id: moderatorId, username: "moderator" }).user.id;
}

/** A bot of somebody else's. Gives its user id. */
export function addOtherBot(world: DiscordWorld): string {
  return addMember(world, { id: otherBotId, username: "other-bot", bot: true }).user.id;
}

export function giveRoleByHand(world: DiscordWorld, deed: Deed & { readonly role: string }): void {
  recordRoles(world, memberOf(world, deed.to), { actor: deed.by, added: [deed.role], reason: deed.reason });
}

export function takeRoleByHand(world: DiscordWorld, deed: Deed & { readonly role: string }): void {
  recordRoles(world, memberOf(world, deed.to), { actor: deed.by, removed: [deed.role], reason: deed.reason });
}

export function kickByHand(world: DiscordWorld, deed: Deed): void {
  recordKick(world, memberOf(world, deed.to), { actor: deed.by, reason: deed.reason });
}

export function banByHand(world: DiscordWorld, deed: Deed): void {
  recordKick(world, memberOf(world, deed.to), { actor: deed.by, reason: deed.reason, action: "ban" });
}

/** Goes by choice: the audit log says nothing of it. */
export function leave(world: DiscordWorld, id: string): void {
  const member = memberOf(world, id);
  world.members.delete(id);
  tell(world, { is: "member removed", member });
}

/** Comes in (again) by an invitation. */
export const comeIn = (world: DiscordWorld, id: string): SandboxMember => enter(world, id);

export function startBoosting(world: DiscordWorld, id: string): void {
  const member = memberOf(world, id);
  member.premiumSinceMs = world.now();
  tell(world, { is: "member updated", member });
}

export function stopBoosting(world: DiscordWorld, id: string): void {
  const member = memberOf(world, id);
  member.premiumSinceMs = undefined;
  tell(world, { is: "member updated", member });
}

export function rename(world: DiscordWorld, id: string, nick: string): void {
  const member = memberOf(world, id);
  member.nick = nick;
  tell(world, { is: "member updated", member });
}

/** A direct message to the bot. */
export function writeToBot(world: DiscordWorld, id: string, content: string): void {
  addMessage(world, directChannelWith(world, id), { author: id, content });
}

/** What the bot wrote to a user by direct message, oldest first. */
export const messagesTo = (world: DiscordWorld, id: string): readonly string[] =>
  world.messages
    .filter(
      ({ author, channelId }) => author === world.bot.id && channelId === directChannelWith(world, id).id,
    )
    .map(({ content }) => content);
