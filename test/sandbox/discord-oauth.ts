/**
 * Discord's token service: codes and refresh tokens against logins, and taking them back.
 * https://discord.com/developers/docs/topics/oauth2
 */
import { createHash } from "node:crypto";
import type { RESTPostOAuth2AccessTokenResult } from "discord-api-types/v10";
import { loginLastsMs, newToken, withdrawLogins } from "./discord-logins.ts";
import type { Call, Route } from "./discord-routes.ts";
import type { DiscordWorld, SandboxLogin } from "./discord-world.ts";
import type { Reply, SandboxRequest } from "./server.ts";

export const oauthRoutes: readonly Route[] = [
  { path: "/oauth2/token", handlers: { POST: giveTokens }, callers: ["nobody"] },
  { path: "/oauth2/token/revoke", handlers: { POST: revoke }, callers: ["nobody"] },
];

const oauthError = (status: number, error: string, description?: string): Reply => ({
  status,
  body: description === undefined ? { error } : { error, error_description: description },
});
const invalidClient = oauthError(401, "invalid_client");

/** Only forms are read; of a body in JSON, nothing is. */
const formOf = ({ headers, form }: SandboxRequest): URLSearchParams =>
  headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true
    ? form
    : new URLSearchParams();

/** The application proves itself in a header or in the form. */
function isClient(
  { application }: DiscordWorld,
  { headers }: SandboxRequest,
  form: URLSearchParams,
): boolean {
  const basic = /^Basic (.+)$/i.exec(headers["authorization"] ?? "")?.[1];
  const [id, secret] =
    basic === undefined
      ? [form.get("client_id"), form.get("client_secret")]
      : Buffer.from(basic, "base64").toString("utf8").split(":").map(decodeURIComponent);
  return id === application.id && secret === application.clientSecret;
}

function giveTokens({ world, request }: Call): Reply {
  const form = formOf(request);
  if (!isClient(world, request, form)) return invalidClient;
  const grant = form.get("grant_type");
  if (grant === "authorization_code") return exchangeCode(world, form);
  if (grant === "refresh_token") return refresh(world, form);
  return oauthError(400, "unsupported_grant_type", `Grant type ${grant ?? "None"} is not supported`);
}

/** https://www.rfc-editor.org/rfc/rfc7636#section-4.6 */
const challengeOf = (verifier: string) => createHash("sha256").update(verifier).digest("base64url");

function exchangeCode(world: DiscordWorld, form: URLSearchParams): Reply {
  const code = world.codes.get(form.get("code") ?? "");
  if (code === undefined || code.clientId !== world.application.id || code.expiresAtMs <= world.now())
    return oauthError(400, "invalid_grant", 'Invalid "code" in request.');
  if (code.redirectUri !== form.get("redirect_uri"))
    return oauthError(400, "invalid_request", 'Invalid "redirect_uri" in request.');
  if (code.challenge !== undefined && code.challenge !== challengeOf(form.get("code_verifier") ?? ""))
    return oauthError(400, "invalid_grant", 'Invalid "code_verifier" in request.');
  world.codes.delete(form.get("code") ?? "");
  const { account, clientId, scopes } = code;
  const login = { account, clientId, scopes, accessToken: "", refreshToken: "", expiresAtMs: 0 };
  world.logins.add(login);
  return { status: 200, body: renew(world, login) };
}

/** The old tokens are of no use from here on. */
function refresh(world: DiscordWorld, form: URLSearchParams): Reply {
  const login = [...world.logins].find(
    ({ refreshToken, clientId }) =>
      refreshToken === form.get("refresh_token") && clientId === world.application.id,
  );
  return login === undefined ? oauthError(400, "invalid_grant") : { status: 200, body: renew(world, login) };
}

function renew(world: DiscordWorld, login: SandboxLogin): RESTPostOAuth2AccessTokenResult {
  login.accessToken = newToken();
  login.refreshToken = newToken();
  login.expiresAtMs = world.now() + loginLastsMs;
  return {
    token_type: "Bearer",
    access_token: login.accessToken,
    expires_in: loginLastsMs / 1000,
    refresh_token: login.refreshToken,
    scope: login.scopes.join(" "),
  };
}

/** With any of a user's tokens, all of them end; of a token that nobody knows, nothing is said. */
function revoke({ world, request }: Call): Reply {
  const form = formOf(request);
  if (!isClient(world, request, form)) return invalidClient;
  const token = form.get("token");
  const login = [...world.logins].find(
    ({ accessToken, refreshToken, clientId }) =>
      clientId === world.application.id && (token === accessToken || token === refreshToken),
  );
  if (login !== undefined) withdrawLogins(world, login.account);
  return { status: 200, body: {} };
}
