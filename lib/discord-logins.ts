/** The logins that fans gave us for Discord, as the database keeps them. */
import type { Database } from "./db.ts";
import type { Logins } from "./logins.ts";
import { dropLogin, loadCutLogins, loadLogin, loadLoginAccounts, replaceLogin } from "./store/logins.ts";

/** The stored logins of a data folder. Each change is on the disk once it resolves. */
export const loginsIn = (database: Database): Logins => ({
  accounts: () => database.read(loadLoginAccounts),
  cut: () => database.read(loadCutLogins),
  load: (account) => database.read((sql) => loadLogin(sql, account)),
  replace: (account, old, renewed) =>
    database.write((sql) => replaceLogin(sql, account, { old, renewed }, Date.now())),
  drop: (logins) =>
    database.write((sql) => {
      for (const [account, login] of logins) dropLogin(sql, account, login);
    }),
});
