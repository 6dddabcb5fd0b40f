/**
 * Fanvue's OAuth: authorization code with PKCE, client_secret_basic, rotating refresh tokens.
 * https://api.fanvue.com/docs/authentication/overview
 */
import {
  allowInsecureRequests,
  type AuthorizationServer,
  authorizationCodeGrantRequest,
  type Client,
  type ClientAuth,
  customFetch,
  processAuthorizationCodeResponse,
  processRefreshTokenResponse,
  refreshTokenGrantRequest,
  ResponseBodyError,
} from "oauth4webapi";
import type { FanvueConfig } from "../config/shape.ts";
import { AccessError, BadInputError, SourceError } from "../errors.ts";
import { type Http, HttpFault } from "../http.ts";
import {
  type AuthorizationAttempt,
  type GrantedToken,
  grantedToken,
  judgeRedirect,
  type RedirectResult,
  startAttempt,
} from "../oauth.ts";
import { scrub } from "../scrub.ts";

export type { AuthorizationAttempt, GrantedToken, RedirectResult } from "../oauth.ts";

export type OAuthConfig = Pick<FanvueConfig, "clientId" | "clientSecret" | "authUrl" | "redirectUri">;

interface Deps {
  readonly http: Http;
  readonly signal: AbortSignal;
}

/** Makes the address a person opens to authorize, with a fresh state and PKCE verifier. */
export const startAuthorization = (
  config: OAuthConfig,
  scopes: readonly string[],
): Promise<AuthorizationAttempt> =>
  startAttempt({
    page: endpoint(config, "auth"),
    clientId: config.clientId,
    redirectUri: config.redirectUri,
    scopes,
  });

/** Judges the address that the person came back to. */
export const readRedirect = (
  { authUrl: issuer, clientId }: OAuthConfig,
  attempt: AuthorizationAttempt,
  parameters: URLSearchParams,
): RedirectResult => judgeRedirect({ issuer, clientId }, attempt, parameters);

/** Trades the code for tokens; never tried twice, for a code is good for one use. Throws SourceError. */
export async function exchangeCode(
  config: OAuthConfig,
  attempt: AuthorizationAttempt,
  parameters: URLSearchParams,
  deps: Deps,
): Promise<GrantedToken> {
  const { server, client } = parties(config);
  try {
    const response = await authorizationCodeGrantRequest(
      server,
      client,
      basicAuth(config),
      parameters,
      config.redirectUri,
      attempt.verifier,
      requestOptions(config, deps),
    );
    return grantedToken(await processAuthorizationCodeResponse(server, client, response));
  } catch (error) {
    throw tokenError(error, deps.signal, [config.clientSecret, attempt.verifier]);
  }
}

/** Trades a refresh token for new tokens. Throws SourceError when Fanvue refuses, HttpFault when no answer came. */
export async function refreshGrant(
  config: OAuthConfig,
  refreshToken: string,
  deps: Deps,
): Promise<GrantedToken> {
  const { server, client } = parties(config);
  try {
    const response = await refreshTokenGrantRequest(
      server,
      client,
      basicAuth(config),
      refreshToken,
      requestOptions(config, deps),
    );
    return grantedToken(await processRefreshTokenResponse(server, client, response));
  } catch (error) {
    if (error instanceof HttpFault) throw error;
    throw tokenError(error, deps.signal, [config.clientSecret, refreshToken]);
  }
}

/** The code or refresh token is of no use: used up, too old, taken back, or none of Fanvue's. */
export class GrantEndedError extends AccessError {}

export const authorizeRemedy = "Run `npm run authorize` to connect the Fanvue account again.";

function tokenError(error: unknown, signal: AbortSignal, secrets: readonly string[]): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof HttpFault) {
    return new SourceError(`Fanvue's token service: ${error.message}.`, "Try again in a while.", error);
  }
  if (!(error instanceof ResponseBodyError)) {
    // The library's errors may carry the answer, so nothing of them goes into the text.
    return new SourceError(
      "Fanvue's token service gave an answer that cannot be used.",
      "Try again in a while. If it stays so, check fanvue.auth_url.",
    );
  }
  return tokenRefusal(error, secrets);
}

function tokenRefusal({ error, status }: ResponseBodyError, secrets: readonly string[]): Error {
  if (error === "invalid_grant") {
    return new GrantEndedError("Fanvue no longer accepts the stored authorization.", authorizeRemedy);
  }
  if (error === "invalid_client") {
    return new BadInputError(
      "Fanvue does not accept fanvue.client_id and fanvue.client_secret.",
      "Compare both with the app at https://fanvue.com/developers/apps; the secret is shown only once.",
    );
  }
  const word = scrub(error, secrets)
    .replaceAll(/[^\w-]/g, "")
    .slice(0, 60);
  return new SourceError(`Fanvue's token service answered ${status} (${word}).`, "Try again in a while.");
}

// ---- How the library is used ------------------------------------------------------------------------------------

function parties(config: OAuthConfig): { server: AuthorizationServer; client: Client } {
  return {
    server: { issuer: config.authUrl, token_endpoint: endpoint(config, "token").href },
    client: { client_id: config.clientId },
  };
}

const endpoint = (config: OAuthConfig, name: "auth" | "token") =>
  new URL(`${config.authUrl.replace(/\/+$/, "")}/oauth2/${name}`);

const encode = (text: string) => encodeURIComponent(text);

/**
 * The library's own ClientSecretBasic escapes `-` and `_` too, which a server that does not decode would refuse;
 * ids and secrets without special characters pass unchanged here. https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
 */
const basicAuth =
  (config: OAuthConfig): ClientAuth =>
  (_server, client, body, headers) => {
    const credentials = `${encode(client.client_id)}:${encode(config.clientSecret)}`;
    headers.set("authorization", `Basic ${Buffer.from(credentials).toString("base64")}`);
    body.set("client_id", client.client_id);
  };

function requestOptions(config: OAuthConfig, deps: Deps) {
  return {
    [customFetch]: fetchThrough(deps),
    // Without https where the config says so; loading it has warned.
    [allowInsecureRequests]: endpoint(config, "token").protocol === "http:",
    signal: deps.signal,
  };
}

interface FetchOptions {
  readonly body: URLSearchParams;
  readonly headers: Record<string, string>;
}

/** Sends the library's requests through our own sender, with its timeouts. */
const fetchThrough =
  ({ http, signal }: Deps) =>
  async (url: string, options: FetchOptions): Promise<Response> => {
    const answer = await http.send(
      { method: "POST", url: new URL(url), headers: options.headers, body: { form: options.body } },
      signal,
    );
    return new Response(withoutIdToken(answer.text), {
      status: answer.status,
      headers: { "content-type": answer.headers["content-type"] ?? "application/json" },
    });
  };

/** Who authorized is asked of the API, so the id token, whose issuer Fanvue does not document, is not looked at. */
function withoutIdToken(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== "object" || body === null || !("id_token" in body)) return text;
    return JSON.stringify({ ...body, id_token: undefined });
  } catch {
    return text;
  }
}
