/** From a request to whoever answers it: the paths of Discord's description, who may ask, and what stands in the blanks. */
import {
  missingAccess,
  notASnowflake,
  notFound,
  notThisApplication,
  unauthorized,
  unknownGuild,
  wrongMethod,
  wrongVersion,
} from "./discord-errors.ts";
import type { DiscordWorld, SandboxLogin } from "./discord-world.ts";
import type { Reply, SandboxRequest } from "./server.ts";

const blanks = ["guild_id", "user_id", "role_id", "channel_id", "application_id", "command_id"] as const;
type Blank = (typeof blanks)[number];

/** Nobody: a route that is open to all, or checks for itself. */
export type Caller = "bot" | "user" | "nobody";

export interface Call {
  readonly world: DiscordWorld;
  readonly request: SandboxRequest;
  /** What stands in the path's blanks; empty where it has no such blank. */
  readonly ids: Readonly<Record<Blank, string>>;
  /** What moderators read in the audit log. */
  readonly reason: string | undefined;
  /** The login by which a user asks; undefined: it is the bot. */
  readonly login: SandboxLogin | undefined;
}

export type Handler = (call: Call) => Reply;

export interface Route {
  /** As Discord's description writes it, with its blanks: "/guilds/{guild_id}/roles". */
  readonly path: string;
  readonly handlers: Readonly<Partial<Record<"GET" | "POST" | "PUT" | "PATCH" | "DELETE", Handler>>>;
  /** Who may ask; default the bot alone. */
  readonly callers?: readonly Caller[];
}

interface Found {
  readonly route: Route;
  readonly values: Readonly<Record<string, string>>;
}

/** A route with its path as an expression; a blank takes anything, so that a bad id gets the answer that it deserves. */
function compile(route: Route): (path: string) => Found | undefined {
  const expression = new RegExp(`^${route.path.replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`);
  return (path) => {
    const match = expression.exec(path);
    return match === null ? undefined : { route, values: { ...match.groups } };
  };
}

export interface Router {
  /** The path as Discord's description writes it, with the version left out; undefined: there is none such. */
  readonly templateOf: (path: string) => string | undefined;
  readonly answer: (world: DiscordWorld, request: SandboxRequest) => Reply;
}

const versioned = /^\/api(?:\/v(?<version>\d+))?(?<path>\/.*)$/;

export function createRouter(routes: readonly Route[]): Router {
  const compiled = routes.map(compile);
  const find = (path: string): Found | undefined => {
    for (const match of compiled) {
      const found = match(path.replaceAll("%40", "@"));
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    templateOf: (path) => find(versioned.exec(path)?.groups?.["path"] ?? "")?.route.path,
    answer(world, request) {
      const { version, path = "" } = versioned.exec(request.path)?.groups ?? {};
      if (version !== undefined && version !== "10") return wrongVersion;
      const found = find(path);
      return found === undefined ? notFound : answerFound(world, request, found);
    },
  };
}

const isBot = (world: DiscordWorld, { headers }: SandboxRequest) =>
  headers["authorization"] === `Bot ${world.bot.token}`;

function loginOf(world: DiscordWorld, { headers }: SandboxRequest): SandboxLogin | undefined {
  const token = /^Bearer (.+)$/.exec(headers["authorization"] ?? "")?.[1];
  if (token === undefined) return undefined;
  return [...world.logins].find((login) => login.accessToken === token && login.expiresAtMs > world.now());
}

function answerFound(world: DiscordWorld, request: SandboxRequest, { route, values }: Found): Reply {
  const { callers = ["bot"] } = route;
  const login = loginOf(world, request);
  const mayAsk =
    callers.includes("nobody") ||
    (callers.includes("bot") && isBot(world, request)) ||
    (callers.includes("user") && login !== undefined);
  if (!mayAsk) return unauthorized;
  const refusal = idRefusal(world, values);
  if (refusal !== undefined) return refusal;
  const handler = Object.entries(route.handlers).find(([method]) => method === request.method)?.[1];
  return handler?.({ world, request, ids: idsOf(values), reason: reasonOf(request), login }) ?? wrongMethod;
}

const idsOf = (values: Readonly<Record<string, string>>): Call["ids"] => ({
  guild_id: values["guild_id"] ?? "",
  user_id: values["user_id"] ?? "",
  role_id: values["role_id"] ?? "",
  channel_id: values["channel_id"] ?? "",
  application_id: values["application_id"] ?? "",
  command_id: values["command_id"] ?? "",
});

function reasonOf({ headers }: SandboxRequest): string | undefined {
  const written = headers["x-audit-log-reason"];
  return written === undefined ? undefined : decodeURIComponent(written);
}

/** A body of JSON; empty, where it is no object. */
export const objectOf = (json: unknown): Readonly<Record<string, unknown>> => ({
  ...(typeof json === "object" ? json : {}),
});

export const isSnowflake = (text: string): boolean => /^\d{1,20}$/.test(text);

/** What no route must look at again: ids that are none, and a server or an application that is not ours. */
function idRefusal(world: DiscordWorld, values: Readonly<Record<string, string>>): Reply | undefined {
  const bad = blanks.find((name) => values[name] !== undefined && !isSnowflake(values[name]));
  if (bad !== undefined) return notASnowflake(bad, values[bad] ?? "");
  const { guild_id: guildId, application_id: applicationId } = values;
  if (applicationId !== undefined && applicationId !== world.application.id) return notThisApplication;
  if (guildId === undefined) return undefined;
  if (guildId !== world.guild.id) return unknownGuild;
  return world.members.has(world.bot.id) ? undefined : missingAccess;
}
