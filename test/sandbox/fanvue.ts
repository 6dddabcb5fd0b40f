/**
 * A stand-in for Fanvue on loopback: its OAuth server and its API, `/v1` and unprefixed at once, over a small world
 * that tests change. It answers with the real service's status codes and bodies, keeps its limits, and fails on cue.
 */
import type { Consent } from "./consent-page.ts";
import { createApi, type FanvueQuirks } from "./fanvue-api.ts";
import { createAuth, type FanvueApp, type IssuedToken, type TokenStore } from "./fanvue-auth.ts";
import type { RateLimit } from "./fanvue-rate.ts";
import { createWorld, type FanvueWorld } from "./fanvue-world.ts";
import { serve, type Fault, type Recorded, type Sandbox, type SandboxRequest } from "./server.ts";

export const fanvueScopes = [
  "openid",
  "offline_access",
  "offline",
  "read:self",
  "read:fan",
  "read:insights",
  "read:chat",
  "write:chat",
  "read:creator",
] as const;

export interface FanvueOptions {
  /** Default: an empty world. */
  readonly world?: FanvueWorld;
  readonly app?: Partial<FanvueApp>;
  /** Default: 200 requests in 60 s. */
  readonly rate?: Partial<RateLimit>;
  readonly quirks?: Partial<FanvueQuirks>;
  /** Default: any free ones. */
  readonly authPort?: number;
  readonly apiPort?: number;
}

export interface FanvueSandbox {
  readonly authUrl: string;
  readonly apiUrl: string;
  readonly world: FanvueWorld;
  readonly app: FanvueApp;
  /** The cookie is `fanvue_user=UUID`, at the OAuth server. */
  readonly consent: Consent;
  readonly tokens: TokenStore;
  readonly rate: RateLimit;
  readonly quirks: FanvueQuirks;
  readonly auth: Sandbox;
  readonly api: Sandbox;
  /** Those of the API. */
  readonly requests: readonly Recorded[];
  /** Those of the API; `auth.faults` are the OAuth server's. */
  readonly faults: Fault[];
  /** A token as if authorized: by default with all of the app's scopes, and of the creator. */
  issueToken(scopes?: readonly string[], user?: string): IssuedToken;
  stop(): Promise<void>;
}

/** Starts both servers on free ports of 127.0.0.1. `stop` throws what went wrong inside the stand-in itself. */
export async function startFanvue(options: FanvueOptions = {}): Promise<FanvueSandbox> {
  const world = options.world ?? createWorld();
  const app: FanvueApp = {
    clientId: "sandbox-app",
    clientSecret: "sandbox-app-secret",
    redirectUris: ["http://localhost:8080/callback"],
    scopes: [...fanvueScopes],
    ...options.app,
  };
  const consent: Consent = { user: world.creator.uuid, deny: false, page: false };
  const rate: RateLimit = { limit: 200, windowMs: 60_000, ...options.rate };
  const quirks: FanvueQuirks = {
    generations: ["v1", "unprefixed"],
    sunsetVersions: [],
    unknownFansInAdd: "skip",
    ...options.quirks,
  };

  const authServer = createAuth(app, world, consent);
  const { tokens } = authServer;
  const apiServer = createApi({ world, tokens, rate, quirks });
  const headers = (request: SandboxRequest) => apiServer.headers(request);
  const now = () => world.now();
  const port = (value: number | undefined) => (value === undefined ? {} : { port: value });
  const auth = await serve((request) => authServer.handle(request), { now, ...port(options.authPort) });
  const api = await serve((request) => apiServer.handle(request), { now, headers, ...port(options.apiPort) });

  return {
    authUrl: auth.url,
    apiUrl: api.url,
    world,
    app,
    consent,
    tokens,
    rate,
    quirks,
    auth,
    api,
    requests: api.requests,
    faults: api.faults,
    issueToken: (scopes = app.scopes, user = world.creator.uuid) => tokens.issue([...scopes], user),
    async stop() {
      const ends = await Promise.allSettled([auth.stop(), api.stop()]);
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    },
  };
}
