/** Brings fans into the server with the login that they gave us, and ends that login once it is of no more use. */
import { RESTJSONErrorCodes, type RESTPutAPIGuildMemberJSONBody, Routes } from "discord-api-types/v10";
import type { Account, DiscordUserId, GuildId, PlaceId } from "../ids.ts";
import type { Log } from "../log.ts";
import type { Login, Logins } from "../logins.ts";
import { isRefusal } from "./fetch.ts";
import type { DiscordOAuth } from "./oauth.ts";
import type { Trouble } from "./refusals.ts";
import type { Answer, DiscordRest } from "./rest.ts";

export interface Joiner {
  /** Who gave us a login to be brought in with. */
  joinable(): Promise<ReadonlySet<DiscordUserId>>;
  /**
   * Brings a fan in who then has these roles. "member": they were there already, and their roles are as they were.
   * A login that Discord does not renew any more is forgotten; the link stays.
   */
  join(account: DiscordUserId, roles: readonly PlaceId[]): Promise<Joined | Trouble>;
  /** Ends and forgets the logins that are of no more use; `members` are known to be on the server. */
  endSpent(members: ReadonlySet<Account>): Promise<void>;
  /** Requests for logins sent so far. */
  requests(): number;
}

export type Joined = { readonly is: "joined" } | { readonly is: "member" };

/** For how many joins a login is kept: whoever may be thrown out may have to be brought in again. */
export type LoginUse = "none" | "one join" | "any join";

export interface JoinerDeps {
  readonly rest: DiscordRest;
  readonly oauth: DiscordOAuth;
  readonly logins: Logins;
  readonly use: LoginUse;
  readonly guildId: GuildId;
  readonly log: Log;
}

/** What the server's audit log says of it; moderators read that. */
const auditReason = "Fanvue membership";
const created = 201;

/** So long before its end a login is renewed. */
const aheadMs = 60_000;
const isStale = ({ expiresAtMs }: Login) => expiresAtMs - Date.now() < aheadMs;

const codes = RESTJSONErrorCodes;
const isDead = (answer: Answer) => isRefusal(answer, codes.InvalidOAuth2AccessToken);
/** The login is good, and will not do next time either. */
const isUseless = (answer: Answer) =>
  isRefusal(answer, codes.MissingRequiredOAuth2Scope, codes.UnknownUser, codes.UserBannedFromThisGuild);

/** Makes the joiner of one run. */
export function createJoiner({ rest, oauth, logins, use, guildId, log }: JoinerDeps): Joiner {
  const broughtIn = new Set<Account>();
  const useless = new Set<Account>();
  const forget = (account: DiscordUserId, login: Login) => logins.drop(new Map([[account, login]]));

  /** https://discord.com/developers/docs/resources/guild#add-guild-member */
  function bringIn(account: DiscordUserId, login: Login, roles: readonly PlaceId[]): Promise<Answer> {
    const body: RESTPutAPIGuildMemberJSONBody = { access_token: login.accessToken, roles: [...roles] };
    return rest.put(Routes.guildMember(guildId, account), auditReason, body);
  }

  type Asked = { readonly is: "asked"; readonly answer: Answer };

  /**
   * Asks with the login as it is; with a renewed one where its time is up or Discord does not take it. That the login is
   * still kept is looked at right before: whoever cuts a link drops it, and so stops the join.
   */
  async function ask(account: DiscordUserId, roles: readonly PlaceId[]): Promise<Asked | Trouble> {
    const held = await logins.load(account);
    if (held === undefined) return { is: "no login" };
    if (!isStale(held)) {
      const answer = await bringIn(account, held, roles);
      if (!isDead(answer)) return { is: "asked", answer };
    }
    const renewed = await oauth.refresh(held);
    if (renewed.is === "login ended") await forget(account, held);
    if (renewed.is !== "login") return renewed;
    const { login } = renewed;
    // On the disk before anything is done with it: the old one is of no use any more.
    if (await logins.replace(account, held, login))
      return { is: "asked", answer: await bringIn(account, login, roles) };
    // The fan linked anew meanwhile; with the renewed login that newer one would end, too.
    if ((await logins.load(account)) !== undefined) return ask(account, roles);
    const ended = await oauth.revoke(login);
    if (ended.is === "revoked") await forget(account, held);
    else log.warn(`The login of a fan whose link was cut could not be ended at Discord (${ended.is}).`);
    return { is: "no login" };
  }

  /**
   * Of links that were cut, and those of no more use; looked at right before each: with an old login a newer one would end,
   * too.
   */
  async function* loginsToEnd(members: ReadonlySet<Account>): AsyncGenerator<[DiscordUserId, Login]> {
    for (const [account, login] of await logins.cut())
      if ((await logins.load(account)) === undefined) yield [account, login];
    for (const account of await logins.accounts()) {
      const login = isSpent(account, members) ? await logins.load(account) : undefined;
      if (login !== undefined) yield [account, login];
    }
  }

  function isSpent(account: DiscordUserId, members: ReadonlySet<Account>): boolean {
    if (use === "none" || useless.has(account)) return true;
    return use === "one join" && (members.has(account) || broughtIn.has(account));
  }

  return {
    joinable: () => (use === "none" ? Promise.resolve(new Set()) : logins.accounts()),

    async join(account, roles) {
      const asked = await ask(account, roles);
      if (asked.is !== "asked") return asked;
      const { answer } = asked;
      if (isUseless(answer)) useless.add(account);
      if (answer.is !== "answer") return answer;
      broughtIn.add(account);
      return { is: answer.status === created ? "joined" : "member" };
    },

    async endSpent(members) {
      const unusable = use === "none" ? await logins.accounts() : new Set<DiscordUserId>();
      const ended = new Map<DiscordUserId, Login>();
      let isRefused = false;
      for await (const [account, login] of loginsToEnd(members)) {
        const answer = isRefused ? undefined : await oauth.revoke(login);
        // The next run ends what is left.
        if (answer?.is === "unanswered" || answer?.is === "stopped") break;
        if (answer?.is === "client refused") {
          isRefused = true;
          log.warn(notEnded);
        }
        ended.set(account, login);
      }
      if (ended.size > 0) await logins.drop(ended);
      const unused = [...ended.keys()].filter((account) => unusable.has(account)).length;
      if (unused > 0) log.warn(endedAll(unused));
    },

    requests: () => oauth.requests(),
  };
}

const endedAll = (count: number): string =>
  `${count} ${count === 1 ? "fan's permission" : "fans' permissions"} to be brought into the server ended, since auto_join is ` +
  "off. Once it is on again, whoever is not on the server yet has to link their account once more.";

const notEnded =
  "Logins of no more use were forgotten here but not ended at Discord, which does not accept discord.oauth_client_id " +
  "and oauth_client_secret. Compare both with the OAuth2 page of https://discord.com/developers/applications.";

/** Forgets all logins: without the application that they were given to, they can be neither used nor ended. */
export async function forgetLogins(logins: Logins, log: Log): Promise<void> {
  const kept = new Map(await logins.cut());
  for (const account of await logins.accounts()) {
    const login = await logins.load(account);
    if (login !== undefined) kept.set(account, login);
  }
  if (kept.size === 0) return;
  await logins.drop(kept);
  log.warn(
    `The logins of ${kept.size} fans were forgotten, since the config no longer has discord.oauth_client_id and ` +
      "oauth_client_secret; fans find what they allowed under Authorized Apps in Discord's settings, and can end it there.",
  );
}
