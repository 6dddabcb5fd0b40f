/** Brings fans into the server with the login that they gave us, and ends that login once it has served. */
import { RESTJSONErrorCodes, type RESTPutAPIGuildMemberJSONBody, Routes } from "discord-api-types/v10";
import type { Account, DiscordUserId, GuildId, PlaceId } from "../ids.ts";
import type { Log } from "../log.ts";
import type { Login, Logins } from "../logins.ts";
import type { DiscordOAuth, LoginTrouble } from "./oauth.ts";
import type { Trouble } from "./refusals.ts";
import type { Answer, DiscordRest } from "./rest.ts";

export interface Joiner {
  /** Who gave us a login. */
  joinable(): Promise<ReadonlySet<DiscordUserId>>;
  /**
   * Brings a fan in who then has these roles. "member": they were there already, and their roles are as they were.
   * A login that Discord accepts no more is forgotten; the link stays.
   */
  join(account: DiscordUserId, roles: readonly PlaceId[]): Promise<Joined | Trouble>;
  /** Ends and forgets the logins of whoever is on the server: of these members, and of those who were brought in. */
  endServed(members: ReadonlySet<Account>): Promise<void>;
  /** Requests for logins sent so far. */
  requests(): number;
}

export type Joined = { readonly is: "joined" } | { readonly is: "member" };

export interface JoinerDeps {
  readonly rest: DiscordRest;
  readonly oauth: DiscordOAuth;
  readonly logins: Logins;
  readonly guildId: GuildId;
  readonly log: Log;
}

/** What the server's audit log says of it; moderators read that. */
const auditReason = "Fanvue membership";
const created = 201;

/** So long before its end a login is renewed. */
const aheadMs = 60_000;
const isStale = ({ expiresAtMs }: Login) => expiresAtMs - Date.now() < aheadMs;

const isRefusal = (answer: Answer, ...codes: readonly number[]): boolean =>
  answer.is === "refused" && codes.includes(answer.code);
const isDead = (answer: Answer) => isRefusal(answer, RESTJSONErrorCodes.InvalidOAuth2AccessToken);
/** The login will not do next time either. */
const isUseless = (answer: Answer) =>
  isDead(answer) ||
  isRefusal(answer, RESTJSONErrorCodes.MissingRequiredOAuth2Scope, RESTJSONErrorCodes.UnknownUser);

/** Makes the joiner of one run. */
export function createJoiner({ rest, oauth, logins, guildId, log }: JoinerDeps): Joiner {
  const broughtIn = new Set<DiscordUserId>();
  const forget = (account: DiscordUserId, login: Login) => logins.drop(new Map([[account, login]]));

  /** https://discord.com/developers/docs/resources/guild#add-guild-member */
  function bringIn(account: DiscordUserId, login: Login, roles: readonly PlaceId[]): Promise<Answer> {
    const body: RESTPutAPIGuildMemberJSONBody = { access_token: login.accessToken, roles: [...roles] };
    return rest.put(Routes.guildMember(guildId, account), auditReason, body);
  }

  /** The new login is on the disk before anything is done with it: the old one is of no use any more. */
  async function renew(account: DiscordUserId, login: Login) {
    const answer = await oauth.refresh(login);
    if (answer.is === "login") await logins.save(account, answer.login);
    if (answer.is === "login ended") await forget(account, login);
    return answer;
  }

  type Asked = { readonly is: "asked"; readonly login: Login; readonly answer: Answer };
  /** Asks with the login as it is; with a renewed one where its time is up or Discord does not take it. */
  async function ask(
    account: DiscordUserId,
    held: Login,
    roles: readonly PlaceId[],
  ): Promise<Asked | LoginTrouble> {
    if (!isStale(held)) {
      const answer = await bringIn(account, held, roles);
      if (!isDead(answer)) return { is: "asked", login: held, answer };
    }
    const renewed = await renew(account, held);
    if (renewed.is !== "login") return renewed;
    const { login } = renewed;
    return { is: "asked", login, answer: await bringIn(account, login, roles) };
  }

  return {
    joinable: () => logins.accounts(),

    async join(account, roles) {
      const held = await logins.load(account);
      if (held === undefined) return { is: "no login" };
      const asked = await ask(account, held, roles);
      if (asked.is !== "asked") return asked;
      const { login, answer } = asked;
      if (isUseless(answer)) await forget(account, login);
      if (answer.is !== "answer") return answer;
      broughtIn.add(account);
      return { is: answer.status === created ? "joined" : "member" };
    },

    async endServed(members) {
      const kept = await logins.accounts();
      const served = [...kept].filter((account) => members.has(account) || broughtIn.has(account));
      const spent = new Map<DiscordUserId, Login>();
      let isRefused = false;
      for (const account of served) {
        const login = await logins.load(account);
        if (login === undefined) continue;
        const ended = isRefused ? undefined : await oauth.revoke(login);
        // The next run ends what is left.
        if (ended?.is === "unanswered" || ended?.is === "stopped") break;
        if (ended?.is === "client refused") {
          isRefused = true;
          log.warn(notEnded);
        }
        spent.set(account, login);
      }
      if (spent.size > 0) await logins.drop(spent);
    },

    requests: () => oauth.requests(),
  };
}

const notEnded =
  "Logins that have served were forgotten here but not ended at Discord, which does not accept discord.oauth_client_id " +
  "and oauth_client_secret. Compare both with the OAuth2 page of https://discord.com/developers/applications.";
