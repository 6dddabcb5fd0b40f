/** Who asks, and by which application: the bot, or a user by a login. */
import {
  type APIApplication,
  OAuth2Scopes,
  type RESTGetAPICurrentUserResult,
  type RESTGetAPIGatewayBotResult,
  type RESTGetAPIOAuth2CurrentAuthorizationResult,
} from "discord-api-types/v10";
import { type ApiUser, apiUser, iso } from "./discord-bodies.ts";
import { unauthorized, unknownUser } from "./discord-errors.ts";
import type { Call, Route } from "./discord-routes.ts";
import type { DiscordWorld } from "./discord-world.ts";
import type { Reply } from "./server.ts";

export const userRoutes: readonly Route[] = [
  { path: "/users/@me", handlers: { GET: getMe }, callers: ["bot", "user"] },
  { path: "/users/{user_id}", handlers: { GET: getUser } },
  { path: "/applications/@me", handlers: { GET: getApplication } },
  { path: "/oauth2/@me", handlers: { GET: getLogin }, callers: ["user"] },
  { path: "/gateway/bot", handlers: { GET: getGateway } },
];

function getMe({ world, login }: Call): Reply {
  if (login !== undefined && !login.scopes.includes("identify")) return unauthorized;
  const user = world.users.get(login?.account ?? world.bot.id);
  if (user === undefined) return unknownUser;
  const body: ApiUser & Pick<RESTGetAPICurrentUserResult, "mfa_enabled" | "locale" | "verified"> = {
    ...apiUser(user),
    mfa_enabled: true,
    locale: "en-US",
    ...(user.bot ? { verified: true } : {}),
  };
  return { status: 200, body };
}

/** Somebody else, who need not be on the server. */
function getUser({ world, ids }: Call): Reply {
  const user = world.deletedUsers.has(ids.user_id) ? undefined : world.users.get(ids.user_id);
  return user === undefined ? unknownUser : { status: 200, body: apiUser(user) };
}

/** What all may know of an application. */
type ApiApplication = Pick<APIApplication, "id" | "name" | "icon" | "description" | "verify_key"> & {
  readonly type: null;
  readonly flags: number;
  readonly flags_new: string;
  readonly bot: ApiUser;
};

const apiApplication = ({ application, bot }: DiscordWorld): ApiApplication => ({
  id: application.id,
  name: application.name,
  icon: null,
  description: "",
  type: null,
  verify_key: "0".repeat(64),
  flags: 0,
  flags_new: "0",
  bot: apiUser({ ...bot, bot: true }),
});

function getApplication({ world }: Call): Reply {
  const owner = world.users.get(world.guild.ownerId);
  const body = {
    ...apiApplication(world),
    redirect_uris: world.application.redirectUris,
    interactions_endpoint_url: null,
    role_connections_verification_url: null,
    owner: apiUser(owner ?? { id: world.guild.ownerId, username: "owner", bot: false }),
    approximate_guild_count: 1,
    approximate_user_install_count: 0,
    approximate_user_authorization_count: new Set([...world.logins].map(({ account }) => account)).size,
    explicit_content_filter: 0,
    team: null,
    eligible_oauth2_scopes: ["identify", "guilds.join", "bot", "applications.commands"],
  };
  return { status: 200, body };
}

const scopes: ReadonlySet<string> = new Set(Object.values(OAuth2Scopes));
const isScope = (text: string): text is OAuth2Scopes => scopes.has(text);

/** https://discord.com/developers/docs/topics/oauth2#get-current-authorization-information */
function getLogin({ world, login }: Call): Reply {
  if (login === undefined) return unauthorized;
  const user = login.scopes.includes("identify") ? world.users.get(login.account) : undefined;
  const body: Pick<RESTGetAPIOAuth2CurrentAuthorizationResult, "scopes" | "expires"> & {
    readonly application: ApiApplication;
    readonly user?: ApiUser;
  } = {
    application: apiApplication(world),
    scopes: login.scopes.filter(isScope),
    expires: iso(login.expiresAtMs),
    ...(user === undefined ? {} : { user: apiUser(user) }),
  };
  return { status: 200, body };
}

/** https://discord.com/developers/docs/events/gateway#get-gateway-bot */
function getGateway({ world }: Call): Reply {
  const body: RESTGetAPIGatewayBotResult = {
    url: world.gatewayUrl,
    shards: 1,
    session_start_limit: { total: 1000, remaining: 1000, reset_after: 0, max_concurrency: 1 },
  };
  return { status: 200, body };
}
