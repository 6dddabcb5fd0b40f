/** The logins with which fans let us bring them into the Discord server. What is read here is secret. */
import type { Sql } from "../db.ts";
import type { DiscordUserId } from "../ids.ts";
import type { Login } from "../logins.ts";
import { integer, text, textsIn } from "./columns.ts";

/** Whose logins are kept. */
export const loadLoginAccounts = (sql: Sql): ReadonlySet<DiscordUserId> =>
  new Set(sql.all("SELECT account FROM discord_logins").map((row) => text(row, "account") as DiscordUserId));

export function loadLogin(sql: Sql, account: DiscordUserId): Login | undefined {
  const row = sql.get("SELECT * FROM discord_logins WHERE account = ?", [account]);
  if (row === undefined) return undefined;
  return {
    accessToken: text(row, "access_token"),
    refreshToken: text(row, "refresh_token"),
    expiresAtMs: integer(row, "expires_at_ms"),
    scopes: textsIn(row, "scopes"),
  };
}

/** Keeps a login in the place of any other of the account. */
export function saveLogin(sql: Sql, account: DiscordUserId, login: Login, nowMs: number): void {
  const { accessToken, refreshToken, scopes, expiresAtMs } = login;
  sql.run(
    `INSERT OR REPLACE INTO discord_logins (account, access_token, refresh_token, scopes, expires_at_ms, saved_at_ms)
     VALUES (?, ?, ?, ?, ?, ?)`,
    [account, accessToken, refreshToken, JSON.stringify(scopes), expiresAtMs, nowMs],
  );
}

/** Puts a renewed login in the place of the old one; false, and nothing is stored, where that is not kept any more. */
export function replaceLogin(
  sql: Sql,
  account: DiscordUserId,
  { old, renewed }: { readonly old: Login; readonly renewed: Login },
  nowMs: number,
): boolean {
  if (loadLogin(sql, account)?.refreshToken !== old.refreshToken) return false;
  saveLogin(sql, account, renewed, nowMs);
  return true;
}

/** Forgets the login of an account; given one, only where no newer one has taken its place. */
export function dropLogin(sql: Sql, account: DiscordUserId, login?: Login): void {
  sql.run("DELETE FROM discord_logins WHERE account = ? AND refresh_token = coalesce(?, refresh_token)", [
    account,
    login?.refreshToken ?? null,
  ]);
}
