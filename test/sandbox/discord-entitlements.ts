/** What users bought of the application: buying, ending, and the list of it. */
import { type APIEntitlement, EntitlementType } from "discord-api-types/v10";
import { iso } from "./discord-bodies.ts";
import { invalidForm, notASnowflake } from "./discord-errors.ts";
import { type Call, isSnowflake, type Route } from "./discord-routes.ts";
import { type DiscordWorld, nextId, type SandboxEntitlement, tell } from "./discord-world.ts";
import type { Reply } from "./server.ts";

export const entitlementRoutes: readonly Route[] = [
  { path: "/applications/{application_id}/entitlements", handlers: { GET: listEntitlements } },
];

// ---- Changes ----------------------------------------------------------------------------------------------------

/** Somebody buys; by default without an end, as a subscription is that goes on. */
export function buy(
  world: DiscordWorld,
  bought: Pick<SandboxEntitlement, "account" | "skuId"> & Partial<SandboxEntitlement>,
): SandboxEntitlement {
  const entitlement = {
    id: nextId(world),
    type: EntitlementType.Purchase,
    deleted: false,
    startsAtMs: world.now(),
    endsAtMs: undefined,
    ...bought,
  };
  world.entitlements.set(entitlement.id, entitlement);
  tell(world, { is: "entitlement created", entitlement });
  return entitlement;
}

/** A subscription comes to its end: the only change that Discord tells of. */
export function endEntitlement(world: DiscordWorld, entitlement: SandboxEntitlement): void {
  entitlement.endsAtMs = world.now();
  tell(world, { is: "entitlement updated", entitlement });
}

/** Refunded, or taken away. */
export function deleteEntitlement(world: DiscordWorld, entitlement: SandboxEntitlement): void {
  entitlement.deleted = true;
  tell(world, { is: "entitlement deleted", entitlement });
}

// ---- Reading ----------------------------------------------------------------------------------------------------

const isoOrNull = (ms: number | undefined) => (ms === undefined ? null : iso(ms));

export const apiEntitlement = (
  { application }: DiscordWorld,
  { id, skuId, account, guildId, type, deleted, startsAtMs, endsAtMs }: SandboxEntitlement,
): APIEntitlement => ({
  id,
  sku_id: skuId,
  application_id: application.id,
  user_id: account,
  ...(guildId === undefined ? {} : { guild_id: guildId }),
  type,
  deleted,
  starts_at: isoOrNull(startsAtMs),
  ends_at: isoOrNull(endsAtMs),
  consumed: false,
});

/**
 * The newest first, unless `after` is given: then the oldest of those behind it first.
 * https://discord.com/developers/docs/resources/entitlement#list-entitlements
 */
function listEntitlements({ world, request: { query } }: Call): Reply {
  const bad = ["user_id", "guild_id", "before", "after"].find((name) => !isSnowflake(query.get(name) ?? "0"));
  if (bad !== undefined) return notASnowflake(bad, query.get(bad) ?? "");
  const limit = Number(query.get("limit") ?? "100");
  if (!Number.isInteger(limit) || limit < 1 || limit > 100)
    return invalidForm("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.");
  const found = [...world.entitlements.values()].filter((each) => isAskedFor(world, each, query));
  const sorted = found.sort((one, other) => (BigInt(one.id) < BigInt(other.id) ? -1 : 1));
  const page = (query.has("after") ? sorted : sorted.toReversed()).slice(0, limit);
  return { status: 200, body: page.map((entitlement) => apiEntitlement(world, entitlement)) };
}

function isAskedFor(world: DiscordWorld, entitlement: SandboxEntitlement, query: URLSearchParams): boolean {
  const { id, account, skuId, guildId, deleted, endsAtMs } = entitlement;
  const hasEnded = endsAtMs !== undefined && endsAtMs <= world.now();
  const before = query.get("before");
  return (
    (query.get("user_id") ?? account) === account &&
    (query.get("guild_id") ?? guildId) === guildId &&
    (query.get("sku_ids") ?? skuId).split(",").includes(skuId) &&
    (before === null || BigInt(id) < BigInt(before)) &&
    BigInt(id) > BigInt(query.get("after") ?? "0") &&
    !(deleted && query.get("exclude_deleted") !== "false") &&
    !(hasEnded && query.get("exclude_ended") === "true")
  );
}
