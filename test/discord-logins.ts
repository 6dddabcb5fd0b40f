/** What the tests of joining share: a Discord server, fans who are not on it, and the logins that they gave. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "../lib/db.ts";
import { loginsIn } from "../lib/discord-logins.ts";
import type { Account } from "../lib/ids.ts";
import type { Login } from "../lib/logins.ts";
import type { Step } from "../lib/model.ts";
import { removeLink } from "../lib/store/links.ts";
import { saveLogin } from "../lib/store/logins.ts";
import type { Outcome } from "../lib/target.ts";
import { temporaryFolder } from "./harness.ts";
import { issueLogin, type LoginOptions } from "./sandbox/discord-logins.ts";
import {
  account,
  bothPlaces,
  inTurn,
  openTarget,
  type OpenOptions,
  serverWithFans,
  stepOf,
  vip,
  writes,
} from "./sandbox/discord-setup.ts";
import { userIdAt } from "./sandbox/discord-world.ts";
import { answers } from "./sandbox/faults.ts";

/** Of one member, as who is brought in or thrown out. */
export const memberPath = /\/members\/\d+$/;
/** A refusal of Discord's, with its own code. */
export const refusal = (status: number, code: number) => answers(status, { message: "no", code });

/** A step that brings somebody in. */
export const joining = (account: Account, roleId = vip): Step => ({
  ...stepOf("grant", account, roleId),
  joins: true,
});
export const resultsOf = (outcomes: readonly Outcome[]) => outcomes.map(({ result }) => result);

/** A server without fans, and a data folder with the logins of those who gave one. */
export async function serverWithLogins(test: Parameters<typeof serverWithFans>[0]) {
  const discord = await serverWithFans(test, 0);
  const { world } = discord;
  const dataDir = temporaryFolder(test);
  const database = openDatabase(dataDir);
  const logins = loginsIn(database);
  const { id: clientId, clientSecret } = world.application;
  const oauth = { clientId, clientSecret, redirectUri: "", serverHost: "", serverPort: 0 };
  const open = (options: OpenOptions = {}) =>
    openTarget(discord, bothPlaces, { logins, oauth, autoJoin: { enabled: true, roles: [] }, ...options });
  const perform = async (steps: readonly Step[], target = open(), outcomes: Outcome[] = []) => {
    for await (const outcome of target.perform(inTurn(steps))) outcomes.push(outcome);
    return outcomes;
  };
  /** A fan who is on Discord, but not on the server, gives us their login. */
  const giveLogin = async (index: number, options: LoginOptions = {}): Promise<Login> => {
    const { accessToken, refreshToken, expiresAtMs, scopes } = issueLogin(world, userIdAt(index), options);
    const login = { accessToken, refreshToken, expiresAtMs, scopes };
    await database.write((sql) => {
      saveLogin(sql, account(index), login, Date.now());
    });
    return login;
  };
  /** What cutting a link does with the login of the fan. */
  const cutLink = (index: number): Promise<void> =>
    database.write((sql) => {
      removeLink(sql, { platform: "discord", account: account(index) }, "links remove", Date.now());
    });
  /** The database as it lies on the disk. */
  const stored = () => readFileSync(join(dataDir, "fanvue-sync.db")).toString("latin1");
  /** What was sent that changes something: the method and the end of the path. */
  const sent = () => writes(discord).map(({ method, path }) => `${method} ${path.split("/").at(-1) ?? ""}`);
  return { discord, world, logins, open, perform, giveLogin, cutLink, stored, sent };
}
