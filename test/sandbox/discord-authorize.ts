/**
 * Discord's page on which a user lets an application in, and what it sends the browser back with.
 * https://discord.com/developers/docs/topics/oauth2#authorization-code-grant
 */
import { OAuth2Scopes } from "discord-api-types/v10";
import { type Consent, consentPage, consentRequest, cookieOf, errorPage, sendBack } from "./consent-page.ts";
import { issueCode } from "./discord-logins.ts";
import type { DiscordWorld } from "./discord-world.ts";
import type { Reply, SandboxRequest } from "./server.ts";

/** It stands beside the API; the API's own address of it leads there. */
export const authorizePath = "/oauth2/authorize";
export const authorizeApiPath = `/api${authorizePath}`;

const knownScopes: ReadonlySet<string> = new Set(Object.values(OAuth2Scopes));

const scopesOf = (asked: URLSearchParams) =>
  (asked.get("scope") ?? "").split(" ").filter((scope) => scope !== "");

/** What is wrong with a request that comes from a known application, as `[error, description]`. */
function faultOf(asked: URLSearchParams): readonly [string, string] | undefined {
  const scopes = scopesOf(asked);
  if (asked.get("response_type") !== "code")
    return ["unsupported_response_type", "Only the response type code is supported."];
  if (scopes.length === 0 || scopes.some((scope) => !knownScopes.has(scope)))
    return ["invalid_scope", "The requested scope is invalid, unknown, or malformed."];
  if (asked.has("code_challenge") && asked.get("code_challenge_method") !== "S256")
    return ["invalid_request", "The code challenge method must be S256."];
  return undefined;
}

const nameOf = ({ users }: DiscordWorld, id: string): string => {
  const user = users.get(id);
  return user?.globalName ?? user?.username ?? id;
};

/** Asks the person on a page, where consent is given on one; otherwise answers for them at once. */
export function authorize(world: DiscordWorld, consent: Consent, request: SandboxRequest): Reply {
  if (request.path === authorizeApiPath)
    return { status: 302, headers: { location: `${authorizePath}?${request.query.toString()}` } };
  const { asked, answer } = consentRequest(request, consent);
  const { application } = world;
  const redirectUri = asked.get("redirect_uri") ?? "";
  if (asked.get("client_id") !== application.id) return errorPage(400, "Unknown Application");
  if (!application.redirectUris.includes(redirectUri)) return errorPage(400, "Invalid OAuth2 redirect_uri");

  const state = asked.get("state");
  const goBack = (parameters: Readonly<Record<string, string>>) =>
    sendBack(302, redirectUri, { ...parameters, ...(state === null ? {} : { state }) });
  const refuse = (error: string, error_description: string) => goBack({ error, error_description });
  const fault = faultOf(asked);
  if (fault !== undefined) return refuse(...fault);
  if (answer === "deny")
    return refuse("access_denied", "The resource owner or authorization server denied the request");

  const scopes = scopesOf(asked);
  const user = cookieOf(request.headers, "discord_user") ?? consent.user;
  if (answer === undefined)
    return consentPage({
      service: "Discord",
      app: application.name,
      user: nameOf(world, user),
      scopes,
      action: authorizePath,
      asked,
    });
  const challenge = asked.get("code_challenge") ?? undefined;
  return goBack({ code: issueCode(world, user, { redirectUri, scopes, challenge }) });
}
