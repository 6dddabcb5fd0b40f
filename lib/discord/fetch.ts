/** One reading request: its answer checked at the edge, or why there is none, in words. */
import type { RouteLike } from "@discordjs/rest";
import { RESTJSONErrorCodes } from "discord-api-types/v10";
import type { z } from "zod";
import type { Reason } from "../model.ts";
import type { Answer, DiscordRest, Failure } from "./rest.ts";
import { resourceOverloaded } from "./transport.ts";

export type Misread = Failure | { readonly is: "odd"; readonly because: string };
export type Fetched<T> = { readonly is: "value"; readonly value: T } | Misread;

/** Sends a GET and checks the answer; fields that the shape does not name are let through unread. */
export async function fetchShaped<T>(
  rest: DiscordRest,
  route: RouteLike,
  shape: z.ZodType<T>,
  query?: Readonly<Record<string, string>>,
): Promise<Fetched<T>> {
  const answer = await rest.get(route, query);
  if (answer.is !== "answer") return answer;
  const parsed = shape.safeParse(answer.body);
  if (parsed.success) return { is: "value", value: parsed.data };
  const [issue] = parsed.error.issues;
  const field = issue === undefined || issue.path.length === 0 ? "the whole" : issue.path.join(".");
  return { is: "odd", because: `Discord's answer to GET ${route} is not as described: ${field}` };
}

/** Whether Discord refused with one of these codes of its own. */
export const isRefusal = (answer: Answer | Misread, ...codes: readonly number[]): boolean =>
  answer.is === "refused" && codes.includes(answer.code);

/** Readings of one kind that fail in a row, after which the rest of them is not asked for. */
export const maxFailuresInRow = 5;

const codes = RESTJSONErrorCodes;

const again = "Nothing was changed; the next run tries again.";

/** https://discord.com/developers/docs/topics/opcodes-and-status-codes#json */
const refusals: ReadonlyMap<number, (what: string) => Reason> = new Map<number, (what: string) => Reason>([
  [
    codes.UnknownGuild,
    () => ({
      because: "Discord knows no server with the id that the config gives.",
      remedy: "Check discord.guild_id in the config, and invite the bot to that server.",
    }),
  ],
  [
    codes.MissingAccess,
    (what) => ({
      because: `Discord does not show the bot ${what}: it has no access to the server.`,
      remedy: "Check discord.guild_id in the config, and invite the bot to that server (again).",
    }),
  ],
  [
    codes.MissingPermissions,
    (what) => ({
      because: `Discord does not show the bot ${what}: it lacks the permission.`,
      remedy: "Compare the permissions of the bot's role in Server Settings, Roles, with the README.",
    }),
  ],
  [
    resourceOverloaded,
    (what) => ({
      because: `Discord is overloaded and did not show ${what}.`,
      remedy: again,
      isPassing: true,
    }),
  ],
]);

/** A reading that failed, as a sentence with its remedy; `what` is the object of "Discord did not show". */
export function reasonOf(misread: Misread, what: string): Reason {
  switch (misread.is) {
    case "odd":
      return { because: `${misread.because}.`, remedy: "Update fanvue-sync, or report this." };
    case "unanswered":
      return {
        because: `Discord did not show ${what} because ${misread.because}.`,
        remedy: again,
        isPassing: true,
      };
    case "stopped":
      return {
        because: `Discord was not asked for ${what}: the run was stopped.`,
        remedy: again,
        isPassing: true,
      };
    case "refused":
      return (
        refusals.get(misread.code)?.(what) ?? {
          because: `Discord refused to show ${what} (status ${misread.status}, code ${misread.code}).`,
          remedy: "See that the bot is in the server and may see it.",
        }
      );
  }
}
