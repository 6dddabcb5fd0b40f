/**
 * The stand-in's rate limits: one bucket per kind of route and server or channel, and one for all of the bot's requests.
 * https://discord.com/developers/docs/topics/rate-limits
 */
import { createHash } from "node:crypto";
import type { Router } from "./discord-routes.ts";
import type { DiscordWorld, SandboxLimit } from "./discord-world.ts";
import type { Reply, SandboxRequest } from "./server.ts";

interface Bucket {
  /** What `limits.routes` calls it: "PUT /guilds/{guild_id}/members/{user_id}/roles/{role_id}". */
  readonly kind: string;
  /** What is counted by: the kind with the server or the channel. */
  readonly key: string;
}

export const roleChanges = "PUT /guilds/{guild_id}/members/{user_id}/roles/{role_id}";

/** Kinds that count together, under the name of one of them. */
const shared: Readonly<Record<string, string>> = { [roleChanges.replace("PUT", "DELETE")]: roleChanges };

function bucketOf({ templateOf }: Router, { method, path }: SandboxRequest): Bucket {
  const asked = `${method} ${templateOf(path) ?? "elsewhere"}`;
  const kind = shared[asked] ?? asked;
  const major = /\/(?:guilds|channels)\/(\d+)/.exec(path)?.[1] ?? "";
  return { kind, key: `${kind} ${major}` };
}

const limitOf = ({ limits }: DiscordWorld, { kind }: Bucket): SandboxLimit =>
  limits.routes.get(kind) ?? (kind.startsWith("GET ") ? limits.read : limits.write);

/** Answers to members' commands do not count towards the limit of all requests. */
const countsForAll = ({ kind }: Bucket) => !/^\w+ \/(?:interactions|webhooks)\//.test(kind);

interface Count {
  left: number;
  readonly resetAtMs: number;
}

/** Answers within the limits, and refuses what comes too fast. */
export function createLimiter(world: DiscordWorld, router: Router) {
  const counts = new Map<string, Count>();
  /** Counts one request in its window; false: there are too many. */
  const take = (key: string, { limit, windowMs }: SandboxLimit): Count & { readonly isOver: boolean } => {
    const now = world.now();
    const known = counts.get(key);
    const count =
      known === undefined || known.resetAtMs <= now ? { left: limit, resetAtMs: now + windowMs } : known;
    counts.set(key, count);
    const isOver = count.left <= 0;
    if (!isOver) count.left -= 1;
    return { ...count, isOver };
  };
  return (request: SandboxRequest, handle: () => Reply): Reply => {
    const bucket = bucketOf(router, request);
    const all = countsForAll(bucket) ? take("all", world.limits.global) : undefined;
    if (all?.isOver === true) return tooFast("global", secondsUntil(world, all));
    const limit = limitOf(world, bucket);
    const count = take(bucket.key, limit);
    const seconds = secondsUntil(world, count);
    const headers = {
      "x-ratelimit-limit": String(limit.limit),
      "x-ratelimit-remaining": String(count.left),
      "x-ratelimit-reset": String(count.resetAtMs / 1000),
      "x-ratelimit-reset-after": seconds.toFixed(3),
      "x-ratelimit-bucket": nameOf(bucket),
    };
    const reply = count.isOver ? tooFast("user", seconds) : handle();
    return { ...reply, headers: { ...headers, ...reply.headers } };
  };
}

/** What the header calls a bucket: the same for all servers. */
const nameOf = ({ kind }: Bucket) => createHash("sha1").update(kind).digest("hex").slice(0, 32);

const secondsUntil = ({ now }: DiscordWorld, { resetAtMs }: Count) => Math.max(0, resetAtMs - now()) / 1000;

const tooFast = (scope: "user" | "global", seconds: number): Reply => ({
  status: 429,
  body: { message: "You are being rate limited.", retry_after: seconds, global: scope === "global" },
  headers: {
    "retry-after": seconds.toFixed(3),
    "x-ratelimit-scope": scope,
    ...(scope === "global" ? { "x-ratelimit-global": "true" } : {}),
  },
});
