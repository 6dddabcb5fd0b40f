/** The stand-in's API: both generations on one host, and the checks that every request goes through. */
import { chatEndpoints } from "./fanvue-chats.ts";
import { listEndpoints } from "./fanvue-lists.ts";
import { BadRequest, type Generation } from "./fanvue-pages.ts";
import { rateGate, type RateLimit } from "./fanvue-rate.ts";
import { readEndpoints } from "./fanvue-reads.ts";
import type { TokenStore } from "./fanvue-auth.ts";
import type { FanvueWorld } from "./fanvue-world.ts";
import type { Reply, SandboxRequest } from "./server.ts";

const apiVersion = "2025-06-26";

/** A request that passed the checks. */
export interface Call {
  readonly request: SandboxRequest;
  readonly generation: Generation;
  readonly user: string;
  /** What stands in the path for `:names`, in order. */
  readonly parameters: readonly string[];
}

export interface Endpoint {
  /** Method and path without prefix: "GET /subscribers/:fan". */
  readonly on: string;
  /** Undefined: both generations have it. */
  readonly only?: Generation;
  readonly scopes: readonly string[];
  /** Fans may ask, too; the rest is for creators. */
  readonly fansToo?: boolean;
  answer(call: Call): Reply;
}

/** What the documentation leaves open, and what a test may turn while the stand-in runs. */
export interface FanvueQuirks {
  /** Which generations are served; the paths of the other answer 404. */
  generations: readonly Generation[];
  /** Versions that are retired: answered 410. */
  sunsetVersions: readonly string[];
  /** An add that names somebody unknown: they are skipped, or the whole call is refused. */
  unknownFansInAdd: "skip" | "refuse";
}

export interface ApiServer {
  handle(request: SandboxRequest): Reply;
  /** The rate headers, for answers that faults make. */
  headers(request: SandboxRequest): Record<string, string>;
}

interface Route {
  readonly endpoint: Endpoint;
  readonly method: string;
  readonly path: RegExp;
}

function toRoute(endpoint: Endpoint): Route {
  const [method = "", path = ""] = endpoint.on.split(" ");
  return { endpoint, method, path: new RegExp(`^${path.replaceAll(/:\w+/g, "([^/]+)")}$`) };
}

function splitPrefix(path: string): { readonly generation: Generation; readonly path: string } {
  return path.startsWith("/v1/")
    ? { generation: "v1", path: path.slice("/v1".length) }
    : { generation: "unprefixed", path };
}

/** https://api.fanvue.com/docs/api-reference/overview: the version header goes with every request. */
function versionFault(request: SandboxRequest, quirks: FanvueQuirks): Reply | undefined {
  const version = request.headers["x-fanvue-api-version"];
  if (version !== undefined && quirks.sunsetVersions.includes(version)) {
    const message = `API version '${version}' is no longer supported`;
    const body = { error: "API version no longer supported", message, nextVersion: "2027-01-01" };
    return { status: 410, body };
  }
  if (version === apiVersion) return undefined;
  const message =
    version === undefined ? "API version is missing" : `API version '${version}' is not supported`;
  return { status: 400, body: { error: "Unsupported API version", message } };
}

/** Exactly `Bearer`: the service refuses the lower-case word that its own token endpoint answers with. */
const bearerOf = (request: SandboxRequest): string | undefined =>
  /^Bearer (\S+)$/.exec(request.headers["authorization"] ?? "")?.[1];

const unauthorized: Reply = { status: 401, body: { error: "Unauthorized" } };

/** The whole API over one world. */
export function createApi(options: {
  readonly world: FanvueWorld;
  readonly tokens: TokenStore;
  readonly rate: RateLimit;
  readonly quirks: FanvueQuirks;
}): ApiServer {
  const { world, tokens, rate, quirks } = options;
  const gate = rateGate(rate, () => world.now());
  const routes = [...readEndpoints(world), ...listEndpoints(world, quirks), ...chatEndpoints(world)].map(
    toRoute,
  );

  function findRoute(request: SandboxRequest) {
    const { generation, path } = splitPrefix(request.path);
    if (!quirks.generations.includes(generation)) return undefined;
    for (const { endpoint, method, path: pattern } of routes) {
      if (method !== request.method || (endpoint.only ?? generation) !== generation) continue;
      const match = pattern.exec(path);
      if (match !== null) return { endpoint, generation, parameters: match.slice(1) };
    }
    return undefined;
  }

  const isKnown = (user: string) => user === world.creator.uuid || world.fans.has(user);
  function callerOf(request: SandboxRequest) {
    const caller = tokens.check(bearerOf(request) ?? "");
    return caller !== undefined && isKnown(caller.user) ? caller : undefined;
  }
  /** Requests without a token share one bucket. */
  const bucketOf = (request: SandboxRequest) => callerOf(request)?.user ?? "nobody";

  function answer(request: SandboxRequest): Reply {
    const route = findRoute(request);
    if (route === undefined)
      return { status: 404, body: { message: `Cannot ${request.method} ${request.path}` } };
    const fault = versionFault(request, quirks);
    if (fault !== undefined) return fault;
    const caller = callerOf(request);
    if (caller === undefined) return unauthorized;
    const { endpoint, generation, parameters } = route;
    const missing = endpoint.scopes.filter((scope) => !caller.scopes.includes(scope));
    if (missing.length > 0)
      return { status: 403, body: { error: `Insufficient scope: ${missing.join(", ")} required` } };
    if (endpoint.fansToo !== true && caller.user !== world.creator.uuid)
      return { status: 403, body: { error: "Forbidden" } };
    try {
      return endpoint.answer({ request, generation, user: caller.user, parameters });
    } catch (error) {
      if (error instanceof BadRequest) return { status: 400, body: error.body };
      throw error;
    }
  }

  return {
    handle(request) {
      const bucket = bucketOf(request);
      if (!gate.take(bucket))
        return { status: 429, body: { error: "Too Many Requests" }, headers: gate.headers(bucket, true) };
      return { ...answer(request), headers: gate.headers(bucket) };
    },
    headers: (request) => gate.headers(bucketOf(request)),
  };
}
