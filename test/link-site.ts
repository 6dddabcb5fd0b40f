/** The link pages in this process, with proofs that keep their state in plain objects, and a visitor who walks through. */
import assert from "node:assert/strict";
import pino from "pino";
import type { Config } from "../lib/config/shape.ts";
import {
  type DiscordUserId,
  type FanId,
  type Mxid,
  parseDiscordUserId,
  parseFanId,
  parseGuildId,
  parseMxid,
} from "../lib/ids.ts";
import { createLinkApp, type LinkApp } from "../lib/link/app.ts";
import { formTokenField } from "../lib/link/forms.ts";
import type { Membership } from "../lib/link/membership.ts";
import type { Attempt, FanLink, FanProof, LinkBook, LinkResult, Proofs, SignIn } from "../lib/link/proofs.ts";

export function must<T>(value: T | undefined | null): T {
  assert.ok(value !== undefined && value !== null);
  return value;
}

export const fanOf = (digit: string): FanId =>
  must(parseFanId(`${digit.repeat(8)}-0000-4000-8000-000000000000`));
export const ana: FanProof = { fan: fanOf("a"), handle: "ana_x", displayName: "Ana", how: "sign-in" };
export const bo: FanProof = { fan: fanOf("b"), handle: "bo", displayName: "Bo", how: "sign-in" };
export const anasDiscord: DiscordUserId = must(parseDiscordUserId("1".repeat(18)));
export const anasMxid: Mxid = must(parseMxid("@ana:example.org"));

/** All that lies behind the pages, for tests to look at and to change. */
export interface World {
  nowMs: number;
  /** Whom the other services take the visitor for. */
  fan: FanProof;
  discord: { account: DiscordUserId; name: string };
  /** The right codes; a wrong one is refused, and five wrong ones spend it. */
  codes: Map<string, { code: string; tries: number; fan: FanProof; mxid: Mxid }>;
  invites: Map<string, FanProof>;
  usedInvites: Set<string>;
  /** Redeemed at the services: state by state. */
  redeemed: string[];
  links: (FanLink & { fan: FanId })[];
  /** What linking says instead of looking at `links`. */
  refusal: LinkResult | undefined;
  syncs: string[];
  logged: string;
  /** Thrown by the next look at the links. */
  trouble: Error | undefined;
  membership: Membership;
}

export interface LinkSite {
  readonly app: LinkApp;
  readonly world: World;
}

export interface SiteOptions {
  readonly publicUrl?: string;
  readonly trustProxy?: boolean;
  readonly proofs?: Partial<Proofs>;
  readonly color?: string;
}

export function linkSite(options: SiteOptions = {}): LinkSite {
  const world: World = {
    nowMs: Date.UTC(2026, 10, 23, 12),
    fan: ana,
    discord: { account: anasDiscord, name: "ana#1" },
    codes: new Map(),
    invites: new Map(),
    usedInvites: new Set(),
    redeemed: [],
    links: [],
    refusal: undefined,
    syncs: [],
    logged: "",
    trouble: undefined,
    membership: { places: [], lookedAtMs: undefined, nextLookAtMs: undefined },
  };
  const app = createLinkApp({
    config: configOf(options),
    proofs: { ...proofsIn(world), ...options.proofs },
    linkBook: linkBookIn(world),
    membership: () => Promise.resolve(world.membership),
    askForSync: (fan, platform) => void world.syncs.push(`${platform} ${fan}`),
    now: () => world.nowMs,
    log: pino({ base: {} }, { write: (line) => void (world.logged += line) }),
  });
  return { app, world };
}

function configOf({ publicUrl, trustProxy = false, color }: SiteOptions): Config {
  return {
    path: "config.yaml",
    fanvue: {
      clientId: "app",
      clientSecret: "app secret",
      redirectUri: "http://localhost:8080/callback",
      apiUrl: "https://api.fanvue.com",
      authUrl: "https://auth.fanvue.com",
      apiPrefix: "auto",
    },
    discord: {
      token: "bot token",
      guildId: must(parseGuildId("9".repeat(18))),
      apiUrl: "https://discord.com/api",
      protectBoosters: false,
      oauth: undefined,
      places: [],
      autoJoin: { enabled: false, roles: [] },
    },
    matrix: undefined,
    listSync: [],
    mirrors: [],
    upsell: undefined,
    protectedAccounts: new Set(),
    limits: {
      maxRemovalShare: 0.2,
      minRemovalsPerPlace: 2,
      minRemovalsPerTarget: 5,
      removalRootFactor: 2,
      maxSourceDropShare: 0.3,
      minSourceDrop: 5,
    },
    snapshotMaxAgeMs: 0,
    followersMaxAgeMs: 0,
    unknownAfterDays: 7,
    schedule: { sync: undefined, healthPort: undefined },
    link: {
      isConfigured: true,
      publicUrl,
      host: "127.0.0.1",
      port: 8080,
      name: "Sunny",
      color,
      signIn: true,
      inboxCode: true,
      personalLinks: true,
    },
    notify: { discordChannelId: undefined, matrixRoom: undefined },
    trustProxy,
    warnings: [],
  };
}

// ---- Proofs -----------------------------------------------------------------------------------------------------

function proofsIn(world: World): Proofs {
  return {
    fanvueSignIn: signInAt("https://auth.fanvue.com/oauth2/auth", world, () => world.fan),
    discord: signInAt("https://discord.com/oauth2/authorize", world, () => ({
      platform: "discord",
      ...world.discord,
      login: undefined,
    })),
    inbox: {
      send(handle) {
        const id = `inbox ${world.codes.size}`;
        if (handle === "ana_x") world.codes.set(id, { code: "RIGHT234", tries: 5, fan: ana, mxid: anasMxid });
        return Promise.resolve({ id });
      },
      check: ({ id }, code) => Promise.resolve(tried(world, id, code, ({ fan }) => fan)),
    },
    invites: {
      look(token) {
        const fan = world.invites.get(token);
        if (fan === undefined) return Promise.resolve({ is: "failed", failure: "expired" });
        return Promise.resolve(
          world.usedInvites.has(token)
            ? { is: "failed", failure: "used invite" }
            : { is: "proved", proof: fan },
        );
      },
      async use(token) {
        const found = await this.look(token);
        if (found.is === "failed") return found;
        world.usedInvites.add(token);
        return { is: "proved", proof: must(world.invites.get(token)) };
      },
    },
    matrix: {
      send(_, typed) {
        const mxid = parseMxid(typed);
        if (mxid === undefined) return Promise.resolve({ is: "failed", failure: "not an account" });
        const id = `matrix ${world.codes.size}`;
        world.codes.set(id, { code: "MATRIX23", tries: 5, fan: ana, mxid });
        return Promise.resolve({ is: "sent", sent: { id }, mxid });
      },
      check: ({ id }, code) =>
        Promise.resolve(
          tried(world, id, code, ({ mxid }) => ({ platform: "matrix", account: mxid, name: mxid }) as const),
        ),
    },
  };
}

function tried<T>(
  { codes }: World,
  id: string,
  code: string,
  proof: (sent: { fan: FanProof; mxid: Mxid }) => T,
): { is: "proved"; proof: T } | { is: "failed"; failure: "wrong code" | "spent code" } {
  const sent = codes.get(id);
  if (sent === undefined || sent.tries === 0) return { is: "failed", failure: "spent code" };
  if (sent.code !== code) {
    sent.tries -= 1;
    return { is: "failed", failure: sent.tries === 0 ? "spent code" : "wrong code" };
  }
  codes.delete(id);
  return { is: "proved", proof: proof(sent) };
}

function signInAt<T>(page: string, world: World, proof: () => T): SignIn<T> {
  let count = 0;
  return {
    start() {
      count += 1;
      const state = `state ${page} ${count}`;
      const url = new URL(page);
      url.searchParams.set("state", state);
      const attempt: Attempt = { url, state, verifier: "verifier" };
      return Promise.resolve(attempt);
    },
    finish(attempt, parameters) {
      assert.equal(parameters.get("state"), attempt.state);
      world.redeemed.push(attempt.state);
      return Promise.resolve(
        parameters.get("code") === "good"
          ? { is: "proved", proof: proof() }
          : { is: "failed", failure: "service away" },
      );
    },
  };
}

function linkBookIn(world: World): LinkBook {
  const judge = (fan: FanId, account: string): LinkResult =>
    world.refusal ??
    (world.links.some((link) => link.fan === fan && link.account === account)
      ? { is: "already" }
      : { is: "linked" });
  return {
    ofFan(fan) {
      if (world.trouble !== undefined) return Promise.reject(world.trouble);
      return Promise.resolve(world.links.filter((link) => link.fan === fan));
    },
    wouldLink: ({ fan }, { account }) => Promise.resolve(judge(fan, account)),
    link({ fan }, { platform, account }) {
      const result = judge(fan, account);
      if (result.is === "linked") world.links.push({ fan, platform, account, source: "proved" });
      return Promise.resolve(result);
    },
    unlink(fan, account) {
      const before = world.links.length;
      world.links = world.links.filter((link) => link.fan !== fan || link.account !== account);
      return Promise.resolve(world.links.length < before);
    },
  };
}

// ---- A visitor --------------------------------------------------------------------------------------------------

export interface Seen {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly title: string;
}

/** One browser: keeps its cookie, follows redirects inside the site, and sends the forms of the page it is on. */
export interface Visitor {
  cookie: string | undefined;
  /** Sent along with each request. */
  headers: Record<string, string>;
  /** The page it is on. */
  page: Seen;
  get(path: string): Promise<Seen>;
  /** Sends a form of the page it is on, with what is typed into it. */
  send(action: string, typed?: Record<string, string>): Promise<Seen>;
  /** Sends fields as they are. */
  post(path: string, fields: Record<string, string>): Promise<Seen>;
  /** One request, without following it. */
  request(method: string, path: string, body?: string): Promise<Seen>;
}

const noPage: Seen = { status: 0, headers: new Headers(), text: "", title: "" };

export function visitorOf({ app }: LinkSite): Visitor {
  const visitor: Visitor = {
    cookie: undefined,
    headers: {},
    page: noPage,
    async request(method, path, body) {
      const headers = {
        ...(visitor.cookie === undefined ? {} : { cookie: visitor.cookie }),
        ...(body === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
        ...visitor.headers,
      };
      const response = await app.request(`http://localhost:8080${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
      });
      for (const line of response.headers.getSetCookie()) {
        const [pair = ""] = line.split(";");
        visitor.cookie = line.includes("Max-Age=0") ? undefined : pair;
      }
      const text = await response.text();
      return { status: response.status, headers: response.headers, text, title: titleOf(text) };
    },
    async get(path) {
      visitor.page = await follow(visitor, await visitor.request("GET", path));
      return visitor.page;
    },
    async post(path, fields) {
      const body = new URLSearchParams(fields).toString();
      visitor.page = await follow(visitor, await visitor.request("POST", path, body));
      return visitor.page;
    },
    send: (action, typed = {}) => visitor.post(action, { ...fieldsOf(visitor.page.text, action), ...typed }),
  };
  return visitor;
}

async function follow(visitor: Visitor, seen: Seen): Promise<Seen> {
  const to = seen.headers.get("location");
  if (to === null) return seen;
  assert.equal(seen.status, 303);
  return follow(visitor, await visitor.request("GET", to));
}

const titleOf = (text: string): string => /<h1>([^<]*)<\/h1>/.exec(text)?.[1]?.trim() ?? "";

/** The hidden fields of a form of the page; there is such a form. */
export function fieldsOf(text: string, action: string): Record<string, string> {
  const form = must(
    [...text.matchAll(/<form method="post" action="([^"]*)"[^>]*>(.*?)<\/form>/gs)].find(
      ([, to]) => to === action,
    ),
  );
  const hidden = [...(form[2] ?? "").matchAll(/<input\s+type="hidden"\s+name="([^"]*)"\s+value="([^"]*)"/g)];
  return Object.fromEntries(hidden.map(([, name = "", value = ""]) => [name, unescaped(value)]));
}

const unescaped = (text: string): string =>
  text
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");

export const formTokenOf = (text: string, action: string): string =>
  must(fieldsOf(text, action)[formTokenField]);

/** Where the page that leads out leads to. */
export const awayTo = (text: string): URL =>
  new URL(unescaped(must(/<meta http-equiv="refresh" content="0;url=([^"]*)"/.exec(text)?.[1])));

/** Signs in with a service, from the page that has its button to the page after the return. */
export async function signIn(
  visitor: Visitor,
  action: "/fanvue/sign-in" | "/discord/sign-in",
): Promise<Seen> {
  await visitor.send(action);
  const state = must(awayTo(visitor.page.text).searchParams.get("state"));
  await visitor.get(`/callback?${new URLSearchParams({ code: "good", state }).toString()}`);
  return visitor.send("/callback");
}
