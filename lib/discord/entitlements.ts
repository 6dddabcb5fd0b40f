/** Reading of what users bought of the bot's own application. */
import { Routes } from "discord-api-types/v10";
import { z } from "zod";
import type { Reason } from "../model.ts";
import { fetchApplication } from "./application.ts";
import { fetchShaped, type Misread, reasonOf } from "./fetch.ts";
import type { Read } from "./guild.ts";
import type { DiscordRest } from "./rest.ts";
import { snowflake } from "./shapes.ts";

const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

/** https://discord.com/developers/docs/resources/entitlement#entitlement-object */
const entitlementShape = z
  .object({
    id: snowflake,
    sku_id: snowflake,
    user_id: snowflake.nullish(),
    type: z.int().nullable(),
    deleted: z.boolean(),
    ends_at: time.nullish(),
  })
  .transform((raw) => ({
    id: raw.id,
    skuId: raw.sku_id,
    userId: raw.user_id ?? undefined,
    type: raw.type,
    isDeleted: raw.deleted,
    endsAtMs: raw.ends_at ?? undefined,
  }));
/** What one purchase gives; `userId` is the buyer also where a server owns it, and undefined where nobody is named. */
export type Entitlement = z.output<typeof entitlementShape>;

const pageSize = 100;

/**
 * The entitlements of the bot's application to these SKUs that have not ended, by pages, the oldest first.
 * https://discord.com/developers/docs/resources/entitlement#list-entitlements
 */
export async function fetchEntitlements(
  rest: DiscordRest,
  skuIds: readonly string[],
): Promise<Read<readonly Entitlement[]>> {
  const application = await fetchApplication(rest);
  if (application.is !== "value") return { unreadable: reasonOf(application, "the bot's application") };
  const found: Entitlement[] = [];
  let after = "0";
  for (;;) {
    const query = { sku_ids: skuIds.join(","), exclude_ended: "true", limit: String(pageSize), after };
    const route = Routes.entitlements(application.value.id);
    const page = await fetchShaped(rest, route, z.array(entitlementShape), query);
    if (page.is !== "value") return { unreadable: whyNoPurchases(page) };
    found.push(...page.value);
    const last = page.value.map(({ id }) => BigInt(id)).reduce((a, b) => (a > b ? a : b), BigInt(after));
    if (page.value.length < pageSize || last === BigInt(after)) return { value: found };
    after = String(last);
  }
}

/** A refusal speaks of the bot's application, and of no server. */
function whyNoPurchases(misread: Misread): Reason {
  const reason = reasonOf(misread, "the purchases");
  if (misread.is !== "refused" || reason.isPassing === true) return reason;
  const { status, code } = misread;
  return {
    because: `Discord refuses to show the bot what was bought of its application (status ${status}, code ${code}).`,
    remedy:
      "See in https://discord.com/developers/applications that the ids under upsell.required_entitlement_ids are SKUs of the bot's own application.",
  };
}
