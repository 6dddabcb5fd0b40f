/** Proving a Discord account by signing in on Discord's page. https://discord.com/developers/docs/topics/oauth2 */
import { OAuth2Scopes } from "discord-api-types/v10";
import type { DiscordConfig } from "../config/shape.ts";
import {
  type DiscordOAuth,
  type LoginOwner,
  type LoginTrouble,
  openOAuth,
  readRedirect,
  startAuthorization,
} from "../discord/oauth.ts";
import type { Log } from "../log.ts";
import type { Login } from "../logins.ts";
import { accessDenied, errorWord, type RedirectResult } from "../oauth.ts";
import { type AccountProof, failed, type Failure, type Proved, type SignIn } from "./proofs.ts";

type DiscordProof = Extract<AccountProof, { platform: "discord" }>;

export interface DiscordSignInDeps {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** For one attempt at a request. Default 8 s. */
  readonly timeoutMs?: number;
}

/** Somebody waits before a page meanwhile. */
const defaultTimeoutMs = 8_000;
const maxPauseMs = 3_000;

/**
 * With auto-join, the fan also allows the bot to bring them into the server. Undefined: the config does not say which
 * application asks.
 */
export function openDiscordSignIn(
  { apiUrl, oauth: client, autoJoin }: Pick<DiscordConfig, "apiUrl" | "oauth" | "autoJoin">,
  { log, signal, timeoutMs = defaultTimeoutMs }: DiscordSignInDeps,
): SignIn<DiscordProof> | undefined {
  if (client === undefined) return undefined;
  const config = { apiUrl, oauth: client };
  const scopes = [OAuth2Scopes.Identify, ...(autoJoin.enabled ? [OAuth2Scopes.GuildsJoin] : [])];
  const oauth = openOAuth(config, { log, signal, timeoutMs, maxPauseMs });

  /** Of what was allowed, only what lets the bot bring the fan in is kept. */
  async function proofOf(login: Login): Promise<Proved<DiscordProof>> {
    const answer = await oauth.fetchOwner(login);
    const isKept =
      answer.is === "owner" && autoJoin.enabled && login.scopes.includes(OAuth2Scopes.GuildsJoin);
    if (!isKept) await giveBack(oauth, login, log);
    // Whoever takes the permission back at once, or gives none to know their name, has said no.
    if (answer.is !== "owner") return failed(failureOf(answer, "declined", log));
    return { is: "proved", proof: proofFor(answer.owner, isKept ? login : undefined) };
  }

  return {
    start: () => startAuthorization(config, scopes),
    async finish(attempt, parameters) {
      const redirect = readRedirect(config, attempt, parameters);
      if (redirect.is !== "code") return failed(redirectFailure(redirect, log));
      const { redirectUri } = client;
      const code = { attempt, parameters: redirect.parameters, redirectUri, scopes };
      const exchanged = await oauth.exchangeCode(code);
      // A code that Discord does not take was used, is too old, or was never Discord's.
      if (exchanged.is !== "login") return failed(failureOf(exchanged, "expired", log));
      return proofOf(exchanged.login);
    },
  };
}

const proofFor = (owner: LoginOwner, login: Login | undefined): DiscordProof => ({
  platform: "discord",
  account: owner.id,
  name: owner.global_name ?? owner.username,
  login,
});

/** What is not needed any more is taken back; where Discord cannot be asked, it ends by itself within a week. */
async function giveBack(oauth: DiscordOAuth, login: Login, log: Log): Promise<void> {
  const answer = await oauth.revoke(login);
  if (answer.is !== "revoked") log.warn(`A login for Discord could not be taken back (${answer.is}).`);
}

// ---- What went wrong --------------------------------------------------------------------------------------------

function redirectFailure(redirect: Exclude<RedirectResult, { is: "code" }>, log: Log): Failure {
  if (redirect.is === "foreign") return "expired";
  if (redirect.error === accessDenied) return "declined";
  const word = errorWord(redirect.error);
  log.warn(`Discord's page for signing in refused our request (${word}).`);
  return "service away";
}

/** `ended`: what it means here that Discord takes the code or the login no more. */
function failureOf(trouble: LoginTrouble, ended: Failure, log: Log): Failure {
  switch (trouble.is) {
    case "login ended":
      return ended;
    case "client refused":
      log.error(
        "Discord does not accept discord.oauth_client_id and discord.oauth_client_secret of the config.",
      );
      return "service away";
    case "unanswered":
      log.warn(`Signing in with Discord failed: ${trouble.because}.`);
      return "service away";
    case "stopped":
      return "service away";
  }
}
