/** Fanvue as the rest of the program sees it. */
import type { FanvueConfig } from "../config/shape.ts";
import { openHttp } from "../http.ts";
import type { Log } from "../log.ts";
import type { FanId, ListKey } from "../ids.ts";
import type { Follower, Known, ReadList, Subscriber } from "../facts.ts";
import type { ListRef } from "../model.ts";
import { type FanvueUser, type Memory, openApi, type Prefix } from "./api.ts";
import {
  type EarningsAsk,
  type EarningsBook,
  earningsBooks,
  type EarningsPage,
  fetchEarningsPage,
} from "./earnings.ts";
import { fetchFollowers, fetchSubscriber, fetchSubscribers, type OnPage } from "./fans.ts";
import { insightReader, type Insights } from "./insights.ts";
import {
  addToList,
  createList,
  type CustomList,
  fetchCustomLists,
  fetchLists,
  removeFromList,
  type Written,
} from "./lists.ts";
import { type Delivery, sendMessage } from "./messages.ts";
import { openTokens, type TokenSource } from "./token.ts";

export type { FanvueUser, Memory, Prefix } from "./api.ts";
export type { EarningsAsk, EarningsBook, EarningsPage } from "./earnings.ts";
export type { Insights } from "./insights.ts";
export type { CustomList, Written } from "./lists.ts";
export type { Delivery } from "./messages.ts";

/**
 * Every method throws SourceError when the authorization is dead or Fanvue was never reached; any other trouble makes
 * its part unknown, with a sentence (without full stop) that says why.
 */
export interface Fanvue {
  /** Whose account this is. */
  fetchMe(): Promise<FanvueUser>;
  /** "/v1" tells status and dates of subscribers and offers single ones. */
  prefix(): Promise<Prefix>;
  fetchSubscribers(onPage?: OnPage): Promise<Known<ReadonlyMap<FanId, Subscriber>>>;
  fetchFollowers(onPage?: OnPage): Promise<Known<ReadonlyMap<FanId, Follower>>>;
  /** One subscriber; unknown for whoever is none, and always where the API has no such call. */
  fetchRow(fan: FanId): Promise<Known<Subscriber>>;
  /** In bulk. */
  fetchInsights(fans: Iterable<FanId>): Promise<Insights>;
  /** What custom lists there are. */
  fetchCustomLists(): Promise<Known<readonly CustomList[]>>;
  fetchList(list: ListRef): Promise<ReadList>;
  /** As `fetchList`, reading what lists there are only once. */
  fetchLists(lists: Iterable<ListRef>): Promise<ReadonlyMap<ListKey, ReadList>>;
  earningsBooks(): Promise<readonly EarningsBook[]>;
  fetchEarningsPage(ask: EarningsAsk): Promise<EarningsPage>;
  /** Up to 100 fans. */
  addToList(list: ListRef, fans: readonly FanId[]): Promise<Written<{ added: number; skipped: number }>>;
  removeFromList(list: ListRef, fan: FanId): Promise<Written<undefined>>;
  createList(name: string): Promise<Written<{ uuid: string }>>;
  /** Writes to a fan as the creator; text of 1 to 5,000 characters. Never sent twice. */
  sendMessage(fan: FanId, text: string): Promise<Delivery>;
  /** Tries so far, of API and token service. */
  requests(): number;
  /** Our clock minus Fanvue's `Date`, in ms; undefined before the first answer. */
  clockSkewMs(): number | undefined;
}

export interface FanvueDeps {
  readonly dataDir: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly memory: Memory;
  /** The Python tool's fanvue_tokens.json beside the config, taken over where there is no token of our own. */
  readonly oldTokenPath?: string | undefined;
  /** The longest pause after a first failure. Default 250 ms */
  readonly retryBaseMs?: number | undefined;
  /** For one request from beginning to end. Default 30 s */
  readonly timeoutMs?: number | undefined;
  /** Where access tokens come from instead of the stored authorization. */
  readonly tokens?: TokenSource | undefined;
  readonly now?: (() => number) | undefined;
}

const defaultRetryBaseMs = 250;

/** Makes the client. Nothing is read or sent before its first use. */
export function openFanvue(config: FanvueConfig, deps: FanvueDeps): Fanvue {
  const {
    log,
    signal,
    memory,
    dataDir,
    oldTokenPath,
    retryBaseMs = defaultRetryBaseMs,
    now = Date.now,
  } = deps;
  const http = openHttp(deps.timeoutMs === undefined ? {} : { timeoutMs: deps.timeoutMs });
  const tokens = deps.tokens ?? openTokens(config, { dataDir, oldTokenPath, http, log, signal, retryBaseMs });
  const api = openApi(config, { http, tokens, log, signal, memory, retryBaseMs });
  const insights = insightReader(api, memory, now);
  const fetchListsOf = (lists: Iterable<ListRef>) => fetchLists(api, lists);

  return {
    fetchMe: () => api.fetchMe(),
    prefix: () => api.prefix(),
    fetchSubscribers: (onPage) => fetchSubscribers(api, onPage),
    fetchFollowers: (onPage) => fetchFollowers(api, onPage),
    async fetchRow(fan) {
      if ((await api.prefix()) === "/v1") return fetchSubscriber(api, fan);
      return { known: false, why: "this generation of the API offers no single subscribers" };
    },
    fetchInsights: (fans) => insights.fetch(fans),
    async fetchList(list) {
      const [read] = (await fetchListsOf([list])).values();
      return read ?? { known: false, why: `The list ${list.id} was not read` };
    },
    fetchLists: fetchListsOf,
    fetchCustomLists: () => fetchCustomLists(api),
    earningsBooks: () => earningsBooks(api),
    fetchEarningsPage: (ask) => fetchEarningsPage(api, ask),
    addToList: (list, fans) => addToList(api, list, fans),
    removeFromList: (list, fan) => removeFromList(api, list, fan),
    createList: (name) => createList(api, name),
    sendMessage: (fan, text) => sendMessage(api, fan, text),
    requests: () => http.sent(),
    clockSkewMs: () => api.clockSkewMs(),
  };
}
