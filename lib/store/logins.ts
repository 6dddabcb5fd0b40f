/** The logins with which fans let us bring them into the Discord server. What is read here is secret. */
import type { Row, Sql } from "../db.ts";
import type { DiscordUserId } from "../ids.ts";
import type { Login } from "../logins.ts";
import { integer, text, textsIn } from "./columns.ts";

/** Whose logins may be used. */
export const loadLoginAccounts = (sql: Sql): ReadonlySet<DiscordUserId> =>
  new Set(sql.all("SELECT account FROM discord_logins WHERE is_cut = 0").map(accountIn));

/** A login that may be used. */
export function loadLogin(sql: Sql, account: DiscordUserId): Login | undefined {
  const row = sql.get("SELECT * FROM discord_logins WHERE account = ? AND is_cut = 0", [account]);
  return row && loginIn(row);
}

/** Logins of links that were cut since: they are only to be ended. */
export const loadCutLogins = (sql: Sql): ReadonlyMap<DiscordUserId, Login> =>
  new Map(
    sql.all("SELECT * FROM discord_logins WHERE is_cut = 1").map((row) => [accountIn(row), loginIn(row)]),
  );

const accountIn = (row: Row) => text(row, "account") as DiscordUserId;

const loginIn = (row: Row): Login => ({
  accessToken: text(row, "access_token"),
  refreshToken: text(row, "refresh_token"),
  expiresAtMs: integer(row, "expires_at_ms"),
  scopes: textsIn(row, "scopes"),
});

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

/** Lets a login be used no more: its link was cut. It is kept until it has been ended at Discord as well. */
export function cutLogin(sql: Sql, account: DiscordUserId): void {
  sql.run("UPDATE discord_logins SET is_cut = 1 WHERE account = ?", [account]);
}

/** Forgets a login, where no newer one of the account has taken its place. */
export function dropLogin(sql: Sql, account: DiscordUserId, { refreshToken }: Login): void {
  sql.run("DELETE FROM discord_logins WHERE account = ? AND refresh_token = ?", [account, refreshToken]);
}
