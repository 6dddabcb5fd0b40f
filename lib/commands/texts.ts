/** All that the slash commands say. No figure of money, and nothing of anybody but the member who asked. */
import { escapeMarkdown, time, TimestampStyles } from "discord.js";
import type { RoleStatus } from "./membership.ts";

/** https://discord.com/developers/docs/resources/message#create-message */
const longestMessage = 2000;

export const descriptions = {
  membership: "Shows what your Fanvue membership gives you on this server. Only you see the answer.",
  link: "Tells you where to link your Fanvue account. Only you see the answer.",
} as const;

export const trouble = "Sorry, something went wrong here. Please try again in a few minutes.";

/** What a member is told of one role. */
export interface RoleLine {
  readonly name: string;
  readonly status: RoleStatus;
}

// ---- /membership ------------------------------------------------------------------------------------------------

export interface MembershipAnswer {
  readonly handles: readonly string[];
  readonly roles: readonly RoleLine[];
  /** When Fanvue was last asked, and when it will be again, where that is known. */
  readonly lookedAtMs: number | undefined;
  readonly nextLookAtMs: number | undefined;
}

/** The answer to a member whose account is linked. */
export function membershipText({ handles, roles, lookedAtMs, nextLookAtMs }: MembershipAnswer): string {
  const lines =
    roles.length === 0
      ? ["No role of this server comes with a membership."]
      : roles.map(({ name, status }) => `- **${escapeMarkdown(name)}**: ${statusText(status)}`);
  return shortened(`This Discord account is linked to ${fanvueAccount(handles)}.`, lines, [
    lookText(lookedAtMs, nextLookAtMs),
  ]);
}

const fanvueAccount = (handles: readonly string[]): string =>
  handles.length === 0
    ? "a Fanvue account"
    : `the Fanvue account ${handles.map((handle) => `**@${escapeMarkdown(handle)}**`).join(" and ")}`;

const day = (timeMs: number): string => time(Math.floor(timeMs / 1000), TimestampStyles.LongDate);
const fromNow = (timeMs: number): string => time(Math.floor(timeMs / 1000), TimestampStyles.RelativeTime);

function statusText(status: RoleStatus): string {
  switch (status.is) {
    case "has it":
      return status.untilMs === undefined ? "you have it." : `you have it, until ${day(status.untilMs)}.`;
    case "comes with the next sync":
      return "it is yours, and comes with the next look.";
    case "removed by a person":
      return "a moderator took this role from you. Please ask the team.";
    case "left by choice":
      // Only who is back on the server can ask.
      return "you had left; now that you are back, it comes with the next look.";
    case "refused before":
      return `it is yours, but Discord refused it. It is tried again on ${day(status.nextTryAtMs)}.`;
    case "in grace":
      return `what gave it to you has ended. You keep it until ${day(status.untilMs)}.`;
    case "kept":
      return "what gave it to you has ended, and you may keep it.";
    case "ends with the next sync":
      return "what gave it to you has ended, so it will be taken back.";
    case "not ours":
      return "you have it, but not by your membership.";
    case "not entitled":
      return "not part of your membership right now.";
    case "unknown":
      return status.has
        ? "you have it. Whether it is still yours cannot be told right now, and until then nothing changes."
        : "whether it is yours cannot be told right now. Please look again later.";
  }
}

function lookText(lookedAtMs: number | undefined, nextLookAtMs: number | undefined): string {
  const next = nextLookAtMs === undefined ? "" : ` The next look is ${fromNow(nextLookAtMs)}.`;
  if (lookedAtMs === undefined) return `Your membership has not been looked at yet.${next}`;
  return `Your membership was last looked at ${fromNow(lookedAtMs)}.${next}`;
}

/** As many of the lines as Discord takes between what stands before and after them. */
function shortened(before: string, lines: readonly string[], after: readonly string[]): string {
  const whole = (shown: readonly string[]) => [before, ...shown, ...after].join("\n");
  const shown = [...lines];
  while (shown.length > 0) {
    const left = lines.length - shown.length;
    const text = whole(left === 0 ? shown : [...shown, `… and ${left} more.`]);
    if (text.length <= longestMessage) return text;
    shown.pop();
  }
  return whole([]).slice(0, longestMessage);
}

// ---- /link ------------------------------------------------------------------------------------------------------

/** The answer to a member whose account is not linked. `publicUrl` is where the link page stands, if there is one. */
export const notLinkedText = (publicUrl: string | undefined): string =>
  publicUrl === undefined
    ? "This Discord account is not linked to a Fanvue account. Please ask the team of this server to link it."
    : `This Discord account is not linked to a Fanvue account. Link it here: ${pageAt(publicUrl)}`;

/** The answer of /link to a member whose account is linked already. */
export function linkedText(handles: readonly string[], publicUrl: string | undefined): string {
  return [
    `This Discord account is linked to ${fanvueAccount(handles)} already.`,
    publicUrl === undefined
      ? "To link another one, please ask the team of this server."
      : `To link another one: ${pageAt(publicUrl)}`,
  ].join("\n");
}

/** In angle brackets, so that Discord shows no preview. */
const pageAt = (publicUrl: string): string => `<${publicUrl}/>`;
