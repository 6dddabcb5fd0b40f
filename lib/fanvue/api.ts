/**
 * One authorized call at a time: token, limits, retries, and what the answer's status means. Knows no endpoint but
 * /users/me, which tells the API's generation and whose account the token is for.
 */
import type { FanvueConfig } from "../config/shape.ts";
import { AccessError, SourceError } from "../errors.ts";
import { type Http, type HttpAnswer, HttpFault, serverTimeMs, withRetries } from "../http.ts";
import type { Log } from "../log.ts";
import { scrub } from "../scrub.ts";
import { openLimiter } from "./limits.ts";
import { authorizeRemedy } from "./oauth.ts";
import { readShape, userShape } from "./shapes.ts";
import type { TokenSource } from "./token.ts";

/** Path prefix of an API generation; "/v1" pages by cursor and tells more. */
export type Prefix = "" | "/v1";

export interface Call {
  readonly method?: "GET" | "POST" | "DELETE";
  /** Behind the prefix, such as /subscribers. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** Whether twice is the same as once; default: for GET. */
  readonly repeatable?: boolean;
  /** A path that every generation of the API has. */
  readonly isEverywhere?: boolean;
  /** What a 403 may be for want of. */
  readonly scopes: readonly string[];
}

export type Answered =
  | { readonly ok: true; readonly body: unknown }
  /** `status` is undefined when no whole answer came. `why` is a sentence without its full stop. */
  | { readonly ok: false; readonly status: number | undefined; readonly why: string };

export interface FanvueUser {
  readonly uuid: string;
  readonly handle: string;
  readonly displayName: string;
  readonly isCreator: boolean;
}

/** Small facts that outlive the process; saving may be in vain, as in a dry run. */
export interface Memory {
  load(key: "creator_uuid" | "api_prefix" | "bulk_insights"): Promise<string | undefined>;
  save(key: "creator_uuid" | "api_prefix" | "bulk_insights", value: string): Promise<void>;
}

export interface Api {
  /** Throws SourceError when the authorization is dead or Fanvue was never reached; else the trouble is in the answer. */
  ask(call: Call): Promise<Answered>;
  prefix(): Promise<Prefix>;
  /** For messages: method, prefix and path. */
  endpoint(call: Pick<Call, "method" | "path">): Promise<string>;
  fetchMe(): Promise<FanvueUser>;
  clockSkewMs(): number | undefined;
}

export interface ApiDeps {
  readonly http: Http;
  readonly tokens: TokenSource;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly memory: Memory;
  readonly retryBaseMs: number;
}

const apiVersion = "2025-06-26";
const maxTries = 4;

/** What stays the same for all calls of a process once it is found out. */
interface Session {
  readonly prefix: Prefix;
  readonly me: FanvueUser | undefined;
}

export function openApi(config: Pick<FanvueConfig, "apiUrl" | "apiPrefix">, deps: ApiDeps): Api {
  const line = openLine(config.apiUrl, deps);
  let session: Promise<Session> | undefined;

  function begun(): Promise<Session> {
    session ??= begin(config.apiPrefix, line, deps).catch((error: unknown) => {
      session = undefined;
      throw error;
    });
    return session;
  }

  return {
    async ask(call) {
      const { prefix } = await begun();
      const answer = await line.ask({ ...call, path: `${prefix}${call.path}` });
      if (call.isEverywhere === true && !answer.ok && answer.status === 404) {
        // The generation on record may be switched off: the next use finds out anew.
        session = undefined;
        await deps.memory.save("api_prefix", "");
      }
      return answer;
    },
    prefix: async () => (await begun()).prefix,
    endpoint: async ({ method, path }) => `${method ?? "GET"} ${(await begun()).prefix}${path}`,
    async fetchMe() {
      const { prefix, me } = await begun();
      return me ?? readMe(await line.ask(meCall(prefix)), prefix);
    },
    clockSkewMs: () => line.clockSkewMs(),
  };
}

// ---- Session ----------------------------------------------------------------------------------------------------

const meCall = (prefix: Prefix): Call => ({ path: `${prefix}/users/me`, scopes: ["read:self"] });

/** Without a request where both generation and account are on record. */
async function begin(configured: FanvueConfig["apiPrefix"], line: Line, deps: ApiDeps): Promise<Session> {
  const { tokens, memory } = deps;
  const prefix = configured === "auto" ? readPrefix(await memory.load("api_prefix")) : configured;
  const ours = await memory.load("creator_uuid");
  const recorded = await tokens.creatorUuid();
  if (prefix !== undefined && recorded !== undefined) {
    refuseOther(recorded, ours);
    if (ours === undefined) await memory.save("creator_uuid", recorded);
    return { prefix, me: undefined };
  }
  const found = await findMe(configured, prefix, line);
  const me = readMe(found.answer, found.prefix);
  refuseOther(me.uuid, ours);
  if (recorded !== me.uuid) tokens.rememberCreator(me.uuid);
  if (ours === undefined) await memory.save("creator_uuid", me.uuid);
  if (configured === "auto") await memory.save("api_prefix", found.prefix === "" ? "none" : found.prefix);
  return { prefix: found.prefix, me };
}

function readPrefix(text: string | undefined): Prefix | undefined {
  if (text === "none") return "";
  return text === "/v1" ? text : undefined;
}

interface Found {
  readonly prefix: Prefix;
  readonly answer: Answered;
}

async function findMe(
  configured: FanvueConfig["apiPrefix"],
  prefix: Prefix | undefined,
  line: Line,
): Promise<Found> {
  if (prefix === undefined) return probe(line);
  const answer = await line.ask(meCall(prefix));
  const isGone = configured === "auto" && !answer.ok && answer.status === 404;
  return isGone ? probe(line) : { prefix, answer };
}

/** The newer generation where the host has it. */
async function probe(line: Line): Promise<Found> {
  const newer = await line.ask(meCall("/v1"));
  if (newer.ok || newer.status !== 404) return { prefix: "/v1", answer: newer };
  return { prefix: "", answer: await line.ask(meCall("")) };
}

function readMe(answer: Answered, prefix: Prefix): FanvueUser {
  if (!answer.ok) {
    const because = `Fanvue cannot be read: ${answer.why}.`;
    throw answer.status === 403
      ? new AccessError(because, authorizeRemedy)
      : new SourceError(because, "Run this again in a while.");
  }
  const me = readShape(userShape, answer.body, `GET ${prefix}/users/me`);
  if (me.known) return me.value;
  throw new SourceError(
    `Fanvue cannot be read: ${me.why}.`,
    "Check fanvue.api_url, or look for a newer version.",
  );
}

function refuseOther(uuid: string, ours: string | undefined): void {
  if (ours === undefined || ours === uuid) return;
  throw new SourceError(
    `The Fanvue token belongs to another account (${uuid}) than the one this installation was set up for (${ours}).`,
    "Run `npm run authorize` as the right creator, or use another --data folder for another creator.",
  );
}

// ---- One line to the host -----------------------------------------------------------------------------------------

interface Line {
  /** `call.path` is whole. */
  ask(call: Call): Promise<Answered>;
  clockSkewMs(): number | undefined;
}

function openLine(apiUrl: string, deps: ApiDeps): Line {
  const { http, tokens, signal, log } = deps;
  const limiter = openLimiter();
  const base = apiUrl.replace(/\/+$/, "");
  /** Tokens that the host knows and might repeat. */
  const sent = new Set<string>();
  let skewMs: number | undefined;
  let answered = false;
  let deprecationTold = false;

  function learn(answer: HttpAnswer): void {
    answered = true;
    if (answer.headers["date"] !== undefined) skewMs = answer.receivedAtMs - serverTimeMs(answer);
    deprecationTold ||= tellDeprecation(answer, log);
  }

  const attempt = (call: Call, token: string) => async (): Promise<HttpAnswer> => {
    const answer = await limiter.run(() => http.send(toRequest(base, call, token), signal), signal);
    learn(answer);
    if (isSuccess(answer) && parse(answer.text) === broken) throw new HttpFault("the answer was cut short");
    return answer;
  };

  const send = (call: Call, token: string) => {
    sent.add(token);
    return withRetries(attempt(call, token), {
      tries: maxTries,
      baseMs: deps.retryBaseMs,
      repeatable: call.repeatable ?? (call.method ?? "GET") === "GET",
      signal,
      onRetry: (info) => {
        log.debug({ ...info, path: call.path }, "asking Fanvue again");
      },
    });
  };

  /** A refused token is renewed once; a second refusal ends the run. */
  async function authorized(call: Call): Promise<HttpAnswer> {
    const token = await tokens.access();
    const first = await send(call, token);
    if (first.status !== 401) return first;
    const second = await send(call, await tokens.renew(token));
    if (second.status !== 401) return second;
    throw new AccessError("Fanvue refuses the stored authorization, also when renewed.", authorizeRemedy);
  }

  return {
    async ask(call) {
      const name = `${call.method ?? "GET"} ${call.path}`;
      try {
        return judge(await authorized(call), { name, scopes: call.scopes, secrets: sent });
      } catch (error) {
        if (!(error instanceof HttpFault)) throw error;
        if (!answered) throw unreachable(base, error);
        return { ok: false, status: undefined, why: `${name}: ${error.message}` };
      }
    },
    clockSkewMs: () => skewMs,
  };
}

const unreachable = (base: string, error: HttpFault) =>
  new SourceError(
    `Fanvue cannot be reached at ${base}: ${error.message}.`,
    "Check the network and fanvue.api_url, then run this again.",
    error,
  );

function toRequest(base: string, call: Call, token: string) {
  const url = new URL(`${base}${call.path}`);
  for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
  return {
    method: call.method ?? ("GET" as const),
    url,
    // Always "Bearer": Fanvue names the type in lower case and then refuses it so.
    headers: { authorization: `Bearer ${token}`, "x-fanvue-api-version": apiVersion },
    ...(call.json === undefined ? {} : { body: { json: call.json } }),
  };
}

const isSuccess = (answer: HttpAnswer) => answer.status >= 200 && answer.status < 300;
const broken = Symbol("broken");

/** The body; undefined where there is none. */
function parse(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return broken;
  }
}

interface Asked {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly secrets: ReadonlySet<string>;
}

function judge(answer: HttpAnswer, { name, scopes, secrets }: Asked): Answered {
  const body = parse(answer.text);
  if (isSuccess(answer)) return { ok: true, body };
  const said = saidBy(body, secrets);
  const reason = said === undefined ? "" : ` (${said})`;
  const why = `${name} answered ${answer.status}${reason}`;
  if (answer.status !== 403) return { ok: false, status: answer.status, why };
  const wanted = scopes.map((scope) => `\`${scope}\``).join(" and ");
  const remedy = `the authorization may lack ${wanted}: tick it on the Fanvue app, then run \`npm run authorize\``;
  return { ok: false, status: 403, why: `${why}; ${remedy}` };
}

const maxReasonLength = 160;

/** There is no single envelope for errors: message, error, or errors. */
function saidBy(body: unknown, secrets: ReadonlySet<string>): string | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const fields: { message?: unknown; error?: unknown; errors?: unknown } = body;
  const list = Array.isArray(fields.errors) ? fields.errors.filter((item) => typeof item === "string") : [];
  const said = [fields.message, fields.error, list.join("; ")].find(
    (text): text is string => typeof text === "string" && text !== "",
  );
  if (said === undefined) return undefined;
  return scrub(said, secrets).replaceAll(/\s+/g, " ").slice(0, maxReasonLength);
}

/** https://www.rfc-editor.org/rfc/rfc8594 */
function tellDeprecation({ headers }: HttpAnswer, log: Log): boolean {
  const { deprecation, sunset } = headers;
  const next = headers["x-fanvue-api-next-version"];
  if (deprecation === undefined && sunset === undefined) return false;
  log.warn({ deprecation, sunset, next }, "Fanvue is going to end the API version that this program speaks");
  return true;
}
