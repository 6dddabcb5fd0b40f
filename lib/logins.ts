/** What fans gave us so that we may bring them into the Discord server, and where it is kept. Secrets, all of it. */
import type { DiscordUserId } from "./ids.ts";

/** One fan's authorization of our application. https://discord.com/developers/docs/topics/oauth2 */
export interface Login {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAtMs: number;
  readonly scopes: readonly string[];
}

/** The stored logins, one per account. */
export interface Logins {
  accounts(): Promise<ReadonlySet<DiscordUserId>>;
  /** Those of links that were cut: of no use any more, and not ended at Discord yet. */
  cut(): Promise<ReadonlyMap<DiscordUserId, Login>>;
  load(account: DiscordUserId): Promise<Login | undefined>;
  /**
   * Puts a renewed login in the place of the old one. False, with nothing stored: the old one is not kept any more, since
   * the link was cut or the fan gave another login. Once it resolves to true, it survives a power cut.
   */
  replace(account: DiscordUserId, old: Login, renewed: Login): Promise<boolean>;
  /** Forgets these, save where a newer one has taken their place meanwhile. */
  drop(logins: ReadonlyMap<DiscordUserId, Login>): Promise<void>;
}
