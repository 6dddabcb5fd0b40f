/** Which OAuth scopes a config needs. https://api.dev.fanvue.com/docs/authentication/scopes */
import type { Config } from "../config/shape.ts";
import type { Place } from "../model.ts";

const always = ["openid", "offline_access", "offline", "read:self", "read:fan", "read:insights"] as const;

/** For messages to fans. */
export const messageScopes: readonly string[] = ["write:chat"];

/** The scopes to ask for: no more than this config uses. Each must be ticked on the Fanvue app as well. */
export function scopesFor(
  config: Pick<Config, "discord" | "matrix" | "listSync" | "link">,
): readonly string[] {
  const places = [...(config.discord?.places ?? []), ...(config.matrix?.places ?? [])];
  const readsLists = places.some(asksForList) || config.listSync.length > 0;
  const writesLists = config.listSync.some((sync) => sync.primary === "discord" || sync.makes);
  const writesChats = writesLists || writesToFans(config.link);
  return [...always, ...(readsLists ? ["read:chat"] : []), ...(writesChats ? messageScopes : [])];
}

/** Codes for the Fanvue inbox are wanted, and there is a site that fans can type them into. */
export const sendsCodes = ({
  publicUrl,
  inboxCode,
}: Pick<Config["link"], "publicUrl" | "inboxCode">): boolean => publicUrl !== undefined && inboxCode;

/** Codes and personal links go out as messages; without a public address no fan could do anything with them. */
const writesToFans = (link: Config["link"]): boolean =>
  sendsCodes(link) || (link.publicUrl !== undefined && link.personalLinks);

const asksForList = (place: Place) => place.rules.some((rule) => rule.kind === "fanvue_list");

/** The scopes of `needed` that were not granted. What was granted is not always known: then nothing is missing. */
export function missingScopes(
  granted: readonly string[] | undefined,
  needed: readonly string[],
): readonly string[] {
  if (granted === undefined) return [];
  // Fanvue has two names for the same: either grants a refresh token.
  const has = new Set(granted);
  if (has.has("offline") || has.has("offline_access")) has.add("offline").add("offline_access");
  return needed.filter((scope) => !has.has(scope));
}
