/** The stand-in's OAuth server: /oauth2/auth and /oauth2/token, as strict as Fanvue's. */
import { createHash, randomBytes } from "node:crypto";

import { type Consent, consentPage, consentRequest, cookieOf, sendBack } from "./consent-page.ts";
import type { FanvueWorld } from "./fanvue-world.ts";
import type { Reply, SandboxRequest } from "./server.ts";

const accessTokenMs = 3600_000;
const codeMs = 600_000;
/** So long after its use a refresh token may be used once more: the answer might have been lost. */
const graceMs = 30_000;

/** The app as it is registered with Fanvue; a test may register more. */
export interface FanvueApp {
  clientId: string;
  clientSecret: string;
  readonly redirectUris: string[];
  readonly scopes: string[];
}

export interface IssuedToken {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAtMs: number;
  readonly scopes: readonly string[];
}

/** One authorization and all tokens that descend from it. */
interface Chain {
  readonly user: string;
  readonly scopes: readonly string[];
  revoked: boolean;
}
interface AccessToken {
  readonly chain: Chain;
  expiresAtMs: number;
}
interface RefreshToken {
  readonly chain: Chain;
  spentAtMs: number | undefined;
}
interface Code {
  readonly chain: Chain;
  readonly redirectUri: string;
  readonly challenge: string;
  readonly expiresAtMs: number;
  used: boolean;
}

export interface TokenStore {
  /** Whose token it is and what it may do; undefined: unknown, expired or revoked. */
  check(accessToken: string): { readonly user: string; readonly scopes: readonly string[] } | undefined;
  issue(scopes: readonly string[], user: string): IssuedToken;
  /** All access tokens of now are refused from here on; refreshing helps. */
  expireAccessTokens(): void;
  /** As if the person had taken the app's access away: nothing helps but authorizing anew. */
  revokeEverything(): void;
}

interface Books extends TokenStore {
  readonly codes: Map<string, Code>;
  readonly refreshTokens: Map<string, RefreshToken>;
  mint(chain: Chain): IssuedToken;
}

const secret = (kind: string) => `${kind}_${randomBytes(24).toString("base64url")}`;

function openBooks(world: FanvueWorld): Books {
  const accessTokens = new Map<string, AccessToken>();
  const refreshTokens = new Map<string, RefreshToken>();
  const chains = new Set<Chain>();

  function mint(chain: Chain): IssuedToken {
    chains.add(chain);
    const accessToken = secret("access");
    const refreshToken = secret("refresh");
    const expiresAtMs = world.now() + accessTokenMs;
    accessTokens.set(accessToken, { chain, expiresAtMs });
    refreshTokens.set(refreshToken, { chain, spentAtMs: undefined });
    return { accessToken, refreshToken, expiresAtMs, scopes: chain.scopes };
  }

  return {
    codes: new Map(),
    refreshTokens,
    mint,
    check(accessToken) {
      const token = accessTokens.get(accessToken);
      if (token === undefined || token.chain.revoked || token.expiresAtMs <= world.now()) return undefined;
      return token.chain;
    },
    issue: (scopes, user) => mint({ user, scopes, revoked: false }),
    expireAccessTokens() {
      for (const token of accessTokens.values()) token.expiresAtMs = world.now();
    },
    revokeEverything() {
      for (const chain of chains) chain.revoked = true;
    },
  };
}

/** RFC 6749: https://www.rfc-editor.org/rfc/rfc6749#section-5.2 */
const oauthError = (status: number, error: string, description: string): Reply => ({
  status,
  body: { error, error_description: description },
  headers: {
    "cache-control": "no-store",
    ...(status === 401 ? { "www-authenticate": 'Basic realm="fanvue"' } : {}),
  },
});

const decodeFormPart = (text: string) => new URLSearchParams(`v=${text}`).get("v") ?? "";

/** Id and secret of an `Authorization: Basic` header, both form-encoded before they were joined. */
function basicCredentials(header: string | undefined): readonly [string, string] | undefined {
  const [scheme, encoded] = header?.split(" ") ?? [];
  if (scheme?.toLowerCase() !== "basic" || encoded === undefined) return undefined;
  const [id, password] = Buffer.from(encoded, "base64").toString("utf8").split(":");
  if (id === undefined || password === undefined) return undefined;
  return [decodeFormPart(id), decodeFormPart(password)];
}

/** What is wrong with how the client proves itself, if anything. */
function clientFault(app: FanvueApp, request: SandboxRequest): Reply | undefined {
  const basic = basicCredentials(request.headers["authorization"]);
  if (basic === undefined)
    return oauthError(
      401,
      "invalid_client",
      "Client authentication failed: client_secret_basic is required.",
    );
  if (request.form.has("client_secret"))
    return oauthError(400, "invalid_request", "The client used more than one way to authenticate.");
  if (basic[0] !== app.clientId || basic[1] !== app.clientSecret)
    return oauthError(401, "invalid_client", "Client authentication failed.");
  if ((request.form.get("client_id") ?? app.clientId) !== app.clientId)
    return oauthError(400, "invalid_request", "client_id differs from the authenticated client.");
  return undefined;
}

const invalidGrant = (description: string) => oauthError(400, "invalid_grant", description);

function jwtPart(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** Comes with the scope `openid`. Its keys are published nowhere, so its signature is only shaped like one. */
function idToken(issuer: string, app: FanvueApp, chain: Chain, nowMs: number): string {
  const iat = Math.floor(nowMs / 1000);
  const claims = { iss: issuer, sub: chain.user, aud: [app.clientId], iat, exp: iat + 3600 };
  return [
    jwtPart({ alg: "RS256", typ: "JWT" }),
    jwtPart(claims),
    randomBytes(256).toString("base64url"),
  ].join(".");
}

const keepsLogin = (scopes: readonly string[]) =>
  scopes.includes("offline_access") || scopes.includes("offline");

export interface AuthServer {
  readonly tokens: TokenStore;
  handle(request: SandboxRequest): Reply;
}

interface Desk {
  readonly app: FanvueApp;
  readonly world: FanvueWorld;
  readonly consent: Consent;
  readonly books: Books;
}

function tokenReply(desk: Desk, chain: Chain, host: string): Reply {
  const token = desk.books.mint(chain);
  return {
    status: 200,
    headers: { "cache-control": "no-store" },
    body: {
      access_token: token.accessToken,
      expires_in: accessTokenMs / 1000,
      scope: chain.scopes.join(" "),
      token_type: "bearer",
      ...(keepsLogin(chain.scopes) ? { refresh_token: token.refreshToken } : {}),
      ...(chain.scopes.includes("openid")
        ? { id_token: idToken(`http://${host}/`, desk.app, chain, desk.world.now()) }
        : {}),
    },
  };
}

/** https://www.rfc-editor.org/rfc/rfc7636#section-4.6 */
const challengeOf = (verifier: string) => createHash("sha256").update(verifier).digest("base64url");

function redeemCode(desk: Desk, request: SandboxRequest): Reply {
  const { form } = request;
  const code = desk.books.codes.get(form.get("code") ?? "");
  if (code === undefined || code.expiresAtMs <= desk.world.now())
    return invalidGrant("The authorization code is unknown or has expired.");
  if (code.used) {
    code.chain.revoked = true;
    return invalidGrant("The authorization code was used already; its tokens are revoked.");
  }
  if (form.get("redirect_uri") !== code.redirectUri)
    return invalidGrant("redirect_uri differs from the one of the authorization request.");
  if (!/^[\w.~-]{43,128}$/.test(form.get("code_verifier") ?? ""))
    return invalidGrant("The PKCE code verifier must have 43 to 128 characters.");
  if (challengeOf(form.get("code_verifier") ?? "") !== code.challenge)
    return invalidGrant("The PKCE code challenge did not match the code verifier.");
  code.used = true;
  return tokenReply(desk, code.chain, request.headers["host"] ?? "");
}

function redeemRefreshToken(desk: Desk, request: SandboxRequest): Reply {
  const token = desk.books.refreshTokens.get(request.form.get("refresh_token") ?? "");
  if (token === undefined || token.chain.revoked)
    return invalidGrant("The refresh token is unknown or was revoked.");
  const nowMs = desk.world.now();
  if (token.spentAtMs !== undefined && nowMs - token.spentAtMs > graceMs) {
    token.chain.revoked = true;
    return invalidGrant("The refresh token was used before; all tokens of its authorization are revoked.");
  }
  token.spentAtMs ??= nowMs;
  return tokenReply(desk, token.chain, request.headers["host"] ?? "");
}

function tokenEndpoint(desk: Desk, request: SandboxRequest): Reply {
  const fault = clientFault(desk.app, request);
  if (fault !== undefined) return fault;
  const grant = request.form.get("grant_type");
  if (grant === "authorization_code") return redeemCode(desk, request);
  if (grant === "refresh_token") return redeemRefreshToken(desk, request);
  return oauthError(400, "unsupported_grant_type", `grant_type ${grant ?? "(none)"} is not supported.`);
}

/** What is wrong with a request for authorization, as `[error, description]`. */
function authorizationFault(app: FanvueApp, query: URLSearchParams): readonly [string, string] | undefined {
  const unknown = scopesOf(query).filter((scope) => !app.scopes.includes(scope));
  if (query.get("response_type") !== "code")
    return ["unsupported_response_type", "Only response_type code is supported."];
  if ((query.get("state") ?? "").length < 8)
    return ["invalid_state", "The state is missing or has less than 8 characters."];
  if (query.get("code_challenge_method") !== "S256" || (query.get("code_challenge") ?? "").length !== 43)
    return ["invalid_request", "PKCE with code_challenge_method S256 is required."];
  if (unknown.length > 0)
    return ["invalid_scope", `The app is not allowed to request scope ${unknown.join(" ")}.`];
  return undefined;
}

const scopesOf = (query: URLSearchParams) =>
  (query.get("scope") ?? "").split(" ").filter((scope) => scope !== "");

/** Uuid of who is logged in: the creator, or a fan. A cookie `fanvue_user=UUID` at the auth server decides, if there is one. */
const userOf = ({ consent }: Desk, { headers }: SandboxRequest) =>
  cookieOf(headers, "fanvue_user") ?? consent.user;

const nameOf = ({ creator, fans }: FanvueWorld, user: string) =>
  (user === creator.uuid ? creator : fans.get(user))?.displayName ?? user;

const authorizationPath = "/oauth2/auth";

/** Asks the person on a page, where consent is given on one; otherwise answers for them at once. */
function authorizationEndpoint(desk: Desk, request: SandboxRequest): Reply {
  const { asked, answer } = consentRequest(request, desk.consent);
  const redirectUri = asked.get("redirect_uri") ?? "";
  if (asked.get("client_id") !== desk.app.clientId)
    return oauthError(401, "invalid_client", "The requested OAuth 2.0 client does not exist.");
  if (!desk.app.redirectUris.includes(redirectUri))
    return oauthError(400, "invalid_request", "redirect_uri does not match a registered one.");

  const state = asked.get("state") ?? "";
  const refuse = (error: string, error_description: string) =>
    sendBack(303, redirectUri, { error, error_description, state });
  const fault = authorizationFault(desk.app, asked);
  if (fault !== undefined) return refuse(...fault);
  if (answer === "deny") return refuse("access_denied", "The resource owner denied the request.");

  const scopes = scopesOf(asked);
  const user = userOf(desk, request);
  if (answer === undefined)
    return consentPage({
      service: "Fanvue",
      app: desk.app.clientId,
      user: nameOf(desk.world, user),
      scopes,
      action: authorizationPath,
      asked,
    });

  const code = secret("code");
  desk.books.codes.set(code, {
    chain: { user, scopes, revoked: false },
    redirectUri,
    challenge: asked.get("code_challenge") ?? "",
    expiresAtMs: desk.world.now() + codeMs,
    used: false,
  });
  return sendBack(303, redirectUri, { code, scope: scopes.join(" "), state });
}

/** The auth server of one app; state lives as long as the object. */
export function createAuth(app: FanvueApp, world: FanvueWorld, consent: Consent): AuthServer {
  const desk: Desk = { app, world, consent, books: openBooks(world) };
  return {
    tokens: desk.books,
    handle(request) {
      const asked = `${request.method} ${request.path}`;
      if (asked === `GET ${authorizationPath}` || asked === `POST ${authorizationPath}`)
        return authorizationEndpoint(desk, request);
      if (asked === "POST /oauth2/token") return tokenEndpoint(desk, request);
      return oauthError(404, "not_found", `There is no ${asked}.`);
    },
  };
}
