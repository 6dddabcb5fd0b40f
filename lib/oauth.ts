/**
 * What the OAuth of all services has in common: sending a person to the service's page with state and PKCE, judging what
 * they come back with, and reading what a token answer gives. https://www.rfc-editor.org/rfc/rfc9700#section-2.1
 */
import {
  AuthorizationResponseError,
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  generateRandomState,
  type TokenEndpointResponse,
  validateAuthResponse,
} from "oauth4webapi";

/** One attempt to authorize: where to send the person, and what must be kept until the answer. */
export interface AuthorizationAttempt {
  readonly url: URL;
  readonly state: string;
  readonly verifier: string;
}

export interface AuthorizationRequest {
  /** The service's page, without a query. */
  readonly page: URL;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
}

/** Makes the address a person opens to authorize, with a fresh state and PKCE verifier. */
export async function startAttempt(request: AuthorizationRequest): Promise<AuthorizationAttempt> {
  const state = generateRandomState();
  const verifier = generateRandomCodeVerifier();
  const url = new URL(request.page);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: request.clientId,
    redirect_uri: request.redirectUri,
    scope: request.scopes.join(" "),
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

/** Judges what the person came back with. */
export function judgeRedirect(
  service: { readonly issuer: string; readonly clientId: string },
  attempt: AuthorizationAttempt,
  parameters: URLSearchParams,
): RedirectResult {
  const { issuer, clientId } = service;
  // Some write their own name with a slash at its end, and some without.
  const told = parameters.get("iss");
  const written = told !== null && withoutSlash(told) === withoutSlash(issuer) ? told : issuer;
  try {
    const valid = validateAuthResponse(
      { issuer: written },
      { client_id: clientId },
      parameters,
      attempt.state,
    );
    return valid.get("code") === null ? { is: "foreign" } : { is: "code", parameters: valid };
  } catch (error) {
    if (error instanceof AuthorizationResponseError) {
      return { is: "refused", error: error.error, because: error.error_description ?? error.error };
    }
    return { is: "foreign" };
  }
}

const withoutSlash = (address: string): string => address.replace(/\/$/, "");

/** What a token answer gives us. */
export interface GrantedToken {
  readonly accessToken: string;
  /** Absent: the one that was used stays good. */
  readonly refreshToken: string | undefined;
  readonly expiresAtMs: number;
  /** undefined: the answer did not say. */
  readonly scopes: readonly string[] | undefined;
}

/** Where the answer does not say how long it is good. */
const defaultLifetimeSeconds = 3600;

/** Reads an answer that the library found good. */
export const grantedToken = (answer: TokenEndpointResponse): GrantedToken => ({
  accessToken: answer.access_token,
  refreshToken: answer.refresh_token,
  expiresAtMs: Date.now() + (answer.expires_in ?? defaultLifetimeSeconds) * 1000,
  scopes: answer.scope?.split(" ").filter((scope) => scope !== ""),
});

/** The error by which a service says that the person refused: https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1 */
export const accessDenied = "access_denied";

/** An error that came back in an address, which anybody may have written, fit for a log line. */
export const errorWord = (error: string): string => error.replaceAll(/[^\w-]/g, "").slice(0, 60);
