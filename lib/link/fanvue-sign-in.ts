/** Proving a Fanvue account by signing in on Fanvue's page. https://api.fanvue.com/docs/authentication/overview */
import type { Config } from "../config/shape.ts";
import { OperatorError } from "../errors.ts";
import { type FanvueUser, type Memory, openApi } from "../fanvue/api.ts";
import { exchangeCode, GrantEndedError, readRedirect, startAuthorization } from "../fanvue/oauth.ts";
import { onlyToken } from "../fanvue/token.ts";
import { openHttp } from "../http.ts";
import { parseFanId } from "../ids.ts";
import type { Log } from "../log.ts";
import { accessDenied, type AuthorizationAttempt, errorWord } from "../oauth.ts";
import { failed, type Failure, type FanProof, type Proved, type SignIn } from "./proofs.ts";

/** Enough to read whose account it is, and nothing that lasts beyond the hour. */
const scopes = ["openid", "read:self"] as const;

export interface FanvueSignInDeps {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** For one sign-in, all its requests included. Default 15 s. */
  readonly timeoutMs?: number;
}

/** Somebody waits before a page meanwhile. */
const defaultTimeoutMs = 15_000;
const retryBaseMs = 250;

/** Where Fanvue sends fans back to; must be registered on the Fanvue app. */
export const fanvueRedirectUri = ({ fanvue, link }: Pick<Config, "fanvue" | "link">): string =>
  link.publicUrl === undefined ? fanvue.redirectUri : new URL("/callback", link.publicUrl).href;

/** Of what Fanvue tells only uuid and names are kept, and of the tokens nothing. */
export function openFanvueSignIn(
  config: Pick<Config, "fanvue" | "link">,
  { log, signal, timeoutMs = defaultTimeoutMs }: FanvueSignInDeps,
): SignIn<FanProof> {
  const fanvue = { ...config.fanvue, redirectUri: fanvueRedirectUri(config) };
  const http = openHttp({ timeoutMs });
  const memory = prefixMemory();

  async function proofOf(
    attempt: AuthorizationAttempt,
    parameters: URLSearchParams,
  ): Promise<Proved<FanProof>> {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      const { accessToken } = await exchangeCode(fanvue, attempt, parameters, { http, signal: patience });
      const tokens = onlyToken(accessToken);
      const api = openApi(fanvue, { http, tokens, log, signal: patience, memory, retryBaseMs });
      return proofFor(await api.fetchMe(), log);
    } catch (error) {
      if (!patience.aborted && !(error instanceof OperatorError)) throw error;
      return failed(failureAfter(error, log));
    }
  }

  return {
    start: () => startAuthorization(fanvue, scopes),
    finish: async (attempt, parameters) => {
      const redirect = readRedirect(fanvue, attempt, parameters);
      if (redirect.is === "code") return proofOf(attempt, redirect.parameters);
      if (redirect.is === "foreign") return failed("expired");
      if (redirect.error === accessDenied) return failed("declined");
      const word = errorWord(redirect.error);
      log.warn(
        `Fanvue's page for signing in refused our request (${word}). Compare fanvue.client_id and ${fanvue.redirectUri} with the app, and tick ${scopes.join(" and ")} there.`,
      );
      return failed("service away");
    },
  };
}

/** The generation of the API is found out once. Whose account it is differs each time and is kept nowhere. */
function prefixMemory(): Memory {
  let prefix: string | undefined;
  return {
    load: (key) => Promise.resolve(key === "api_prefix" ? prefix : undefined),
    save(key, value) {
      if (key === "api_prefix") prefix = value;
      return Promise.resolve();
    },
  };
}

function proofFor({ uuid, handle, displayName }: FanvueUser, log: Log): Proved<FanProof> {
  const fan = parseFanId(uuid);
  if (fan !== undefined) return { is: "proved", proof: { fan, handle, displayName, how: "sign-in" } };
  log.warn("Nobody could sign in with Fanvue: it told no uuid.");
  return failed("service away");
}

// ---- What went wrong --------------------------------------------------------------------------------------------

/** A code that Fanvue does not take was used, is too old, or was never Fanvue's. */
function failureAfter(error: unknown, log: Log): Failure {
  if (error instanceof GrantEndedError) return "expired";
  const because = error instanceof OperatorError ? error.message : "Fanvue took too long to answer.";
  log.warn(`Somebody could not sign in with Fanvue. ${because}`);
  return "service away";
}
