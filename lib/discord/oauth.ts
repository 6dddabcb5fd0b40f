/**
 * Discord's OAuth: how logins are got, renewed and ended, and whose they are. Failures come back as values, and nothing
 * of what is sent or answered gets into a text. https://discord.com/developers/docs/topics/oauth2
 */
import { DefaultUserAgent } from "@discordjs/rest";
import { APIVersion, Routes } from "discord-api-types/v10";
import {
  allowInsecureRequests,
  type AuthorizationServer,
  authorizationCodeGrantRequest,
  type Client,
  type ClientAuth,
  ClientSecretPost,
  customFetch,
  OperationProcessingError,
  processAuthorizationCodeResponse,
  processRefreshTokenResponse,
  processRevocationResponse,
  refreshTokenGrantRequest,
  ResponseBodyError,
  revocationRequest,
  UnsupportedOperationError,
} from "oauth4webapi";
import type { z } from "zod";
import type { DiscordConfig } from "../config/shape.ts";
import { type HttpAnswer, HttpFault, type HttpRequest, openHttp, withRetries } from "../http.ts";
import type { Log } from "../log.ts";
import type { Login } from "../logins.ts";
import {
  type AuthorizationAttempt,
  grantedToken,
  judgeRedirect,
  type RedirectResult,
  startAttempt,
} from "../oauth.ts";
import { loginOwnerShape } from "./shapes.ts";

export type LoginTrouble =
  /** Discord accepts it no more, or the code for it: taken back by its owner, used up, or too old. */
  | { readonly is: "login ended" }
  /** Discord does not accept our application's id and secret. */
  | { readonly is: "client refused" }
  /** No usable answer; `because` continues "because …". */
  | { readonly is: "unanswered"; readonly because: string }
  /** The run was ended before the request was sent. */
  | { readonly is: "stopped" };

export type Exchanged = { readonly is: "login"; readonly login: Login } | LoginTrouble;

/** What the person came back with, and the attempt that sent them. */
export interface CodeRedirect {
  readonly attempt: AuthorizationAttempt;
  /** As `readRedirect` found them good. */
  readonly parameters: URLSearchParams;
  readonly redirectUri: string;
  /** What was asked for: Discord need not repeat it. */
  readonly scopes: readonly string[];
}

/** Whose login it is. */
export type LoginOwner = z.output<typeof loginOwnerShape>;

export interface DiscordOAuth {
  /** Trades the code of an attempt for a login. Sent once and never again, for a code is good for one use. */
  exchangeCode(redirect: CodeRedirect): Promise<Exchanged>;
  /** Asks Discord whose login it is. */
  fetchOwner(login: Login): Promise<{ readonly is: "owner"; readonly owner: LoginOwner } | LoginTrouble>;
  /** Trades a login for a new one. The old one is of no use then, so the new one must be stored before anything else. */
  refresh(login: Login): Promise<Exchanged>;
  /** Takes our authorization back, all tokens of it. */
  revoke(login: Login): Promise<{ readonly is: "revoked" } | LoginTrouble>;
  /** Requests sent so far, repeats included. */
  requests(): number;
}

export interface OAuthOptions {
  readonly log: Log;
  /** Nothing is sent any more once it is aborted; what is under way is waited for, lest a new login get lost. */
  readonly signal: AbortSignal;
  /** For one attempt, its answer included. Default 15 s. */
  readonly timeoutMs?: number | undefined;
  /** Where Discord asks to wait longer before the next attempt, there is none. Default 2 min. */
  readonly maxPauseMs?: number | undefined;
}

/** What is needed of the config. */
export type OAuthConfig = Pick<DiscordConfig, "apiUrl"> & {
  readonly oauth: Pick<NonNullable<DiscordConfig["oauth"]>, "clientId" | "clientSecret">;
};

const defaultTimeoutMs = 15_000;

/** Opens the way to Discord's token service; nothing is sent yet. */
export function openOAuth(config: OAuthConfig, options: OAuthOptions): DiscordOAuth {
  const { server, client, auth } = partiesOf(config);
  const sender = openSender(options);
  const through = (send: Send) => ({
    [customFetch]: fetchThrough(send),
    // Without https where the config says so; loading it has warned.
    [allowInsecureRequests]: config.apiUrl.startsWith("http:"),
    headers: { "user-agent": DefaultUserAgent },
  });
  const settled = async <T>(answer: Promise<T>): Promise<T | LoginTrouble> => {
    try {
      return await answer;
    } catch (error) {
      return troubleOf(error, options.signal);
    }
  };

  async function exchange({ parameters, redirectUri, attempt, scopes }: CodeRedirect) {
    const { verifier } = attempt;
    const answer = await authorizationCodeGrantRequest(
      server,
      client,
      auth,
      parameters,
      redirectUri,
      verifier,
      through(sender.sendOnce),
    );
    const { refreshToken, ...token } = grantedToken(
      await processAuthorizationCodeResponse(server, client, answer),
    );
    if (refreshToken === undefined) return unusable;
    return { is: "login", login: { ...token, refreshToken, scopes: token.scopes ?? scopes } } as const;
  }

  async function refresh(login: Login) {
    const { refreshToken } = login;
    const answer = await refreshTokenGrantRequest(server, client, auth, refreshToken, through(sender.send));
    const token = grantedToken(await processRefreshTokenResponse(server, client, answer));
    return {
      is: "login",
      login: {
        ...token,
        refreshToken: token.refreshToken ?? refreshToken,
        scopes: token.scopes ?? login.scopes,
      },
    } as const;
  }

  async function revoke({ refreshToken }: Login) {
    await processRevocationResponse(
      await revocationRequest(server, client, auth, refreshToken, through(sender.send)),
    );
    return { is: "revoked" } as const;
  }

  const ownerUrl = new URL(`${config.apiUrl}/v${APIVersion}${Routes.user()}`);
  async function fetchOwner({ accessToken }: Login) {
    const headers = { authorization: `Bearer ${accessToken}`, "user-agent": DefaultUserAgent };
    const answer = await sender.send({ method: "GET", url: ownerUrl, headers });
    return ownerIn(answer);
  }

  return {
    exchangeCode: (redirect) => settled(exchange(redirect)),
    fetchOwner: (login) => settled(fetchOwner(login)),
    refresh: (login) => settled(refresh(login)),
    revoke: (login) => settled(revoke(login)),
    requests: sender.sent,
  };
}

/**
 * The secret goes in the form, which Discord takes as well as a header and which needs no escaping rules:
 * https://discord.com/developers/docs/topics/oauth2#client-credentials-grant
 */
function partiesOf({ apiUrl, oauth }: OAuthConfig): {
  readonly server: AuthorizationServer;
  readonly client: Client;
  readonly auth: ClientAuth;
} {
  const tokenUrl = `${apiUrl}/v${APIVersion}/oauth2/token`;
  return {
    server: {
      issuer,
      token_endpoint: tokenUrl,
      revocation_endpoint: `${tokenUrl}/revoke`,
    },
    client: { client_id: oauth.clientId },
    auth: ClientSecretPost(oauth.clientSecret),
  };
}

// ---- Authorizing ------------------------------------------------------------------------------------------------

const issuer = "https://discord.com";

/** Which application asks, and where Discord sends the person back to. */
export type AuthorizationConfig = Pick<DiscordConfig, "apiUrl"> & {
  readonly oauth: Pick<NonNullable<DiscordConfig["oauth"]>, "clientId" | "redirectUri">;
};

/** Makes the address of Discord's page, which stands beside the API, with a fresh state and PKCE verifier. */
export const startAuthorization = (
  { apiUrl, oauth: { clientId, redirectUri } }: AuthorizationConfig,
  scopes: readonly string[],
): Promise<AuthorizationAttempt> =>
  startAttempt({ page: new URL("/oauth2/authorize", apiUrl), clientId, redirectUri, scopes });

/** Judges what the person came back with. */
export const readRedirect = (
  { oauth: { clientId } }: AuthorizationConfig,
  attempt: AuthorizationAttempt,
  parameters: URLSearchParams,
): RedirectResult => judgeRedirect({ issuer, clientId }, attempt, parameters);

// ---- Whose it is ------------------------------------------------------------------------------------------------

const unusable = {
  is: "unanswered",
  because: "Discord gave an answer that cannot be used",
} as const satisfies LoginTrouble;

/** https://discord.com/developers/docs/resources/user#get-current-user */
function ownerIn({
  status,
  text,
}: HttpAnswer): { readonly is: "owner"; readonly owner: LoginOwner } | LoginTrouble {
  if (status === 401) return { is: "login ended" };
  if (status !== 200) return { is: "unanswered", because: `Discord answered with status ${status}` };
  const parsed = loginOwnerShape.safeParse(jsonIn(text));
  return parsed.success ? { is: "owner", owner: parsed.data } : unusable;
}

function jsonIn(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

// ---- Sending ----------------------------------------------------------------------------------------------------

const tries = 3;
const retryBaseMs = 500;

type Send = (request: HttpRequest) => Promise<HttpAnswer>;

/** Our own means, with their timeouts and pauses. Both throw an HttpFault where there is no usable answer. */
function openSender({ log, signal, timeoutMs = defaultTimeoutMs, maxPauseMs }: OAuthOptions) {
  const http = openHttp({ timeoutMs });
  const never = new AbortController().signal;
  const onRetry = ({ because, pauseMs }: { readonly because: string; readonly pauseMs: number }) => {
    log.debug({ because, pauseMs }, "Discord's token service is asked again");
  };
  const sendUpTo =
    (tries: number): Send =>
    async (request) => {
      // A login whose answer got lost may be spent; asking for it again makes nothing worse.
      const policy = { tries, baseMs: retryBaseMs, repeatable: true, maxPauseMs, signal, onRetry };
      const answer = await withRetries(() => {
        signal.throwIfAborted();
        return http.send(request, never);
      }, policy);
      if (answer.status === 429 || answer.status >= 500) throw new HttpFault(`status ${answer.status}`);
      return answer;
    };
  return { send: sendUpTo(tries), sendOnce: sendUpTo(1), sent: () => http.sent() };
}

interface FormRequest {
  readonly body: URLSearchParams;
  readonly headers: Record<string, string>;
}

/** Sends the library's requests. */
const fetchThrough =
  (send: Send) =>
  async (url: string, { body: form, headers }: FormRequest): Promise<Response> => {
    const answer = await send({ method: "POST", url: new URL(url), headers, body: { form } });
    return new Response(answer.text, {
      status: answer.status,
      headers: { "content-type": answer.headers["content-type"] ?? "application/json" },
    });
  };

/** The library's errors may carry what was answered, so nothing of them goes on but their kind. */
function troubleOf(error: unknown, signal: AbortSignal): LoginTrouble {
  if (error instanceof HttpFault)
    return { is: "unanswered", because: `Discord's token service failed: ${error.message}` };
  if (signal.aborted) return { is: "stopped" };
  if (error instanceof ResponseBodyError) {
    if (error.error === "invalid_grant") return { is: "login ended" };
    if (error.error === "invalid_client" || error.error === "unauthorized_client")
      return { is: "client refused" };
    return { is: "unanswered", because: `Discord's token service answered with status ${error.status}` };
  }
  if (error instanceof OperationProcessingError || error instanceof UnsupportedOperationError)
    return { is: "unanswered", because: "Discord's token service gave an answer that cannot be used" };
  throw error;
}
