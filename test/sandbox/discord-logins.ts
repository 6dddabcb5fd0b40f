/** Logins: what users allowed the application, as the stand-in keeps them. */
import { randomBytes } from "node:crypto";
import { addUser, type DiscordWorld, type SandboxLogin } from "./discord-world.ts";

/** As Discord's example has it: a week. */
export const loginLastsMs = 7 * 24 * 60 * 60 * 1000;

export const newToken = (): string => randomBytes(15).toString("hex");

export interface LoginOptions {
  /** Default: who somebody is, and bringing them into servers. */
  readonly scopes?: readonly string[];
  /** How long the access token holds; negative: it has run out. */
  readonly lastsMs?: number;
  /** Default: the bot's own application. */
  readonly clientId?: string;
}

/** What comes out of a user's consent, without the page: their tokens. */
export function issueLogin(
  world: DiscordWorld,
  account: string,
  { scopes = ["identify", "guilds.join"], lastsMs = loginLastsMs, clientId }: LoginOptions = {},
): SandboxLogin {
  if (!world.users.has(account)) addUser(world, { id: account });
  const login = {
    account,
    clientId: clientId ?? world.application.id,
    scopes,
    accessToken: newToken(),
    refreshToken: newToken(),
    expiresAtMs: world.now() + lastsMs,
  };
  world.logins.add(login);
  return login;
}

/** The user (or Discord) ends what the application was allowed: all of its tokens are dead. */
export function withdrawLogins(world: DiscordWorld, account: string, clientId = world.application.id): void {
  for (const login of world.logins)
    if (login.account === account && login.clientId === clientId) world.logins.delete(login);
}

/** How long after the consent its code is taken, in ms. */
const codeLastsMs = 100_000;

export interface CodeOptions {
  readonly redirectUri: string;
  /** Default: who somebody is, and bringing them into servers. */
  readonly scopes?: readonly string[];
  /** With it, the code is good only for whoever has the PKCE verifier. */
  readonly challenge?: string | undefined;
}

/** What the page of consent sends back to the application with: a code that is good once. */
export function issueCode(
  world: DiscordWorld,
  account: string,
  { redirectUri, scopes = ["identify", "guilds.join"], challenge }: CodeOptions,
): string {
  if (!world.users.has(account)) addUser(world, { id: account });
  const code = newToken();
  const clientId = world.application.id;
  const expiresAtMs = world.now() + codeLastsMs;
  world.codes.set(code, { account, clientId, scopes, redirectUri, challenge, expiresAtMs });
  return code;
}
