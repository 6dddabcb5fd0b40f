/**
 * Fanvue's OAuth: authorization code with PKCE, client_secret_basic, rotating refresh tokens.
 * https://api.fanvue.com/docs/authentication/overview
 */
import {
  allowInsecureRequests,
  type AuthorizationServer,
  authorizationCodeGrantRequest,
  AuthorizationResponseError,
  calculatePKCECodeChallenge,
  type Client,
  type ClientAuth,
  customFetch,
  generateRandomCodeVerifier,
  generateRandomState,
  processAuthorizationCodeResponse,
  processRefreshTokenResponse,
  refreshTokenGrantRequest,
  ResponseBodyError,
  type TokenEndpointResponse,
  validateAuthResponse,
} from "oauth4webapi";
import type { FanvueConfig } from "../config/shape.ts";
import { BadInputError, SourceError } from "../errors.ts";
import { type Http, HttpFault } from "../http.ts";
import { scrub } from "../scrub.ts";

export type OAuthConfig = Pick<FanvueConfig, "clientId" | "clientSecret" | "authUrl" | "redirectUri">;

/** What a token answer gives us. */
export interface GrantedToken {
  readonly accessToken: string;
  /** Absent: the one that was used stays good. */
  readonly refreshToken: string | undefined;
  readonly expiresAtMs: number;
  /** undefined: the answer did not say. */
  readonly scopes: readonly string[] | undefined;
}

/** One attempt to authorize: where to send the person, and what must be kept until the answer. */
export interface AuthorizationAttempt {
  readonly url: URL;
  readonly state: string;
  readonly verifier: string;
}

interface Deps {
  readonly http: Http;
  readonly signal: AbortSignal;
}

/** Makes the address a person opens to authorize, with a fresh state and PKCE verifier. */
export async function startAuthorization(
  config: OAuthConfig,
  scopes: readonly string[],
): Promise<AuthorizationAttempt> {
  const state = generateRandomState();
  const verifier = generateRandomCodeVerifier();
  const url = endpoint(config, "auth");
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: config.clientId,
    redirect_uri: config.redirectUri,
    scope: scopes.join(" "),
    state,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  }).toString();
  return { url, state, verifier };
}

/** What the redirect says: a code of this attempt, the person's refusal, or something that is not of this attempt. */
export type RedirectResult =
  | { readonly is: "code"; readonly parameters: URLSearchParams }
  | { readonly is: "refused"; readonly error: string; readonly because: string }
  | { readonly is: "foreign" };

/** Judges the address that the person came back to. */
export function readRedirect(
  config: OAuthConfig,
  attempt: AuthorizationAttempt,
  parameters: URLSearchParams,
): RedirectResult {
  const { server, client } = parties(config);
  try {
    const valid = validateAuthResponse(server, client, parameters, attempt.state);
    return valid.get("code") === null ? { is: "foreign" } : { is: "code", parameters: valid };
  } catch (error) {
    if (error instanceof AuthorizationResponseError) {
      return { is: "refused", error: error.error, because: error.error_description ?? error.error };
    }
    return { is: "foreign" };
  }
}

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
    return granted(await processAuthorizationCodeResponse(server, client, response));
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
    return granted(await processRefreshTokenResponse(server, client, response));
  } catch (error) {
    if (error instanceof HttpFault) throw error;
    throw tokenError(error, deps.signal, [config.clientSecret, refreshToken]);
  }
}

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
    return new SourceError("Fanvue no longer accepts the stored authorization.", authorizeRemedy);
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

function granted(answer: TokenEndpointResponse): GrantedToken {
  const lifetimeSeconds = answer.expires_in ?? 3600;
  return {
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token,
    expiresAtMs: Date.now() + lifetimeSeconds * 1000,
    scopes: answer.scope?.split(" ").filter((scope) => scope !== ""),
  };
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

const loopbackHosts = new Set(["localhost", "127.0.0.1", "[::1]"]);
/** Whether an address leads to this machine only. */
export const isLoopback = (url: URL): boolean => loopbackHosts.has(url.hostname);

function requestOptions(config: OAuthConfig, deps: Deps) {
  return {
    [customFetch]: fetchThrough(deps),
    [allowInsecureRequests]: isLoopback(endpoint(config, "token")),
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
