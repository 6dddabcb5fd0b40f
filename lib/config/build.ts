/** The whole config from the plain values of its file. */
import type * as z from "zod";
import { hourMs, minuteMs } from "../durations.ts";
import type { Place } from "../model.ts";
import type { Findings } from "./findings.ts";
import { conflictsIn } from "./list-conflicts.ts";
import { mirrorPlaces, placesOfLists, readListSync } from "./list-sync.ts";
import { checkUpsell } from "./offer.ts";
import * as oddities from "./oddities.ts";
import { joinPlaces, readPlaces } from "./places.ts";
import * as sections from "./sections.ts";
import type { Config, DiscordConfig, LinkConfig, MatrixConfig, UpsellConfig } from "./shape.ts";
import { isMap, notA, type Raw, unknownKey } from "./values.ts";

const topKeys = [
  "fanvue",
  "discord",
  "matrix",
  "roles",
  "rooms",
  "auto_join",
  "list_sync",
  "upsell",
  "protected",
  "limits",
  "schedule",
  "link",
  "notify",
  "snapshot_max_age",
  "followers_max_age",
  "unknown_after_days",
  "trust_proxy",
] as const;
type TopKey = (typeof topKeys)[number];

/** All of a config but what is known of its file. undefined, with faults noted, where it cannot be used. */
export function build(value: unknown, findings: Findings): Omit<Config, "path" | "warnings"> | undefined {
  if (!isMap(value)) {
    findings.fault([], notA("map of keys and values", value));
    return undefined;
  }
  const raw = withoutEmptyKeys(value, findings);
  findOddities(raw, findings);

  const read = <T>(key: TopKey, schema: z.ZodType<T>): T | undefined =>
    raw[key] === undefined ? undefined : findings.parse(schema, raw[key], [key]);
  const fanvue = read("fanvue", sections.fanvueSection);
  const listSync = readListSync(
    raw["list_sync"],
    { discord: raw["discord"] !== undefined, matrix: raw["matrix"] !== undefined },
    findings,
  );
  const roles = readPlaces("discord", raw["roles"], findings);
  const rooms = readPlaces("matrix", raw["rooms"], findings);
  for (const { entry, key, sentence } of conflictsIn({ entries: listSync, roles, rooms }))
    findings.fault(["list_sync", entry, key], sentence);
  const discord = readDiscord(read, [...roles, ...placesOfLists("discord", listSync)], findings);
  const matrix = readMatrix(read, [...rooms, ...placesOfLists("matrix", listSync)]);
  const config = {
    discord,
    matrix,
    listSync,
    mirrors: mirrorPlaces(listSync),
    upsell: readUpsell(read, findings),
    protectedAccounts: read("protected", sections.protectedSection) ?? new Set(),
    limits: read("limits", sections.limitsSection) ?? sections.limitsSection.parse({}),
    snapshotMaxAgeMs: read("snapshot_max_age", sections.snapshotMaxAge) ?? 2 * minuteMs,
    followersMaxAgeMs: read("followers_max_age", sections.followersMaxAge) ?? hourMs,
    unknownAfterDays: read("unknown_after_days", sections.unknownAfterDays) ?? 7,
    schedule: read("schedule", sections.scheduleSection) ?? sections.scheduleSection.parse({}),
    link: readLink(read, discord, findings),
    notify: read("notify", sections.notifySection) ?? { discordChannelId: undefined, matrixRoom: undefined },
    trustProxy: read("trust_proxy", sections.trustProxy) ?? false,
  };
  oddities.faultSharedPort(config, findings);
  if (fanvue === undefined) return undefined;
  if (config.link.isConfigured) {
    oddities.warnOfStrayCallbacks({ fanvue, ...config }, findings);
    oddities.warnOfWayPastProxy(config, findings);
  }
  return { fanvue, ...config };
}

type Read = <T>(key: TopKey, schema: z.ZodType<T>) => T | undefined;

function withoutEmptyKeys(value: Raw, findings: Findings): Raw {
  const entries = Object.entries(value);
  for (const [key, part] of entries)
    if (part === null) findings.warn([key], "is empty, and taken as if it were not there.");
  return Object.fromEntries(entries.filter(([, part]) => part !== null));
}

function findOddities(raw: Raw, findings: Findings): void {
  const known: readonly string[] = topKeys;
  for (const key of Object.keys(raw).filter((name) => !known.includes(name)))
    findings.fault([key], unknownKey(key, known));
  oddities.faultLonelySections(raw, findings);
  oddities.faultPartialOauth(raw, findings);
  oddities.warnOfPlaceholders(raw, findings);
  oddities.warnOfEveryone(raw, findings);
  oddities.warnOfCleartext(raw, findings);
}

function readDiscord(read: Read, places: readonly Place[], findings: Findings): DiscordConfig | undefined {
  const discord = read("discord", sections.discordSection);
  const autoJoin = read("auto_join", sections.autoJoinSection) ?? { enabled: false, roles: [] };
  if (discord === undefined) return undefined;
  oddities.warnOfJoinWithoutOauth(
    { enabled: autoJoin.enabled, oauth: discord.oauth !== undefined },
    findings,
  );
  // The server's own id is its role @everyone, which nobody is given: that was warned of.
  const roles = [...new Set(autoJoin.roles)].filter((id) => id !== everyoneOf(discord));
  const along = autoJoin.enabled ? joinPlaces(roles, places) : [];
  return { ...discord, places: [...places, ...along], autoJoin: { ...autoJoin, roles } };
}

const everyoneOf = ({ guildId }: Pick<DiscordConfig, "guildId">): string => guildId;

function readMatrix(read: Read, places: readonly Place[]): MatrixConfig | undefined {
  const matrix = read("matrix", sections.matrixSection);
  return matrix && { ...matrix, places };
}

function readUpsell(read: Read, findings: Findings): UpsellConfig | undefined {
  const upsell = read("upsell", sections.upsellSection);
  if (upsell !== undefined) checkUpsell(upsell, findings);
  return upsell;
}

function readLink(read: Read, discord: DiscordConfig | undefined, findings: Findings): LinkConfig {
  const link = read("link", sections.linkSection);
  return {
    isConfigured: link !== undefined || discord?.oauth !== undefined,
    publicUrl: link?.public_url,
    host: withoutBrackets(link?.host ?? discord?.oauth?.serverHost ?? "127.0.0.1"),
    port: link?.port ?? discord?.oauth?.serverPort ?? 8080,
    name: link?.name,
    color: link?.color,
    ...readProofs(link, findings),
  };
}

/** An IPv6 address as it stands in a web address is none to listen at. */
const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, "$1");

type Proofs = Pick<LinkConfig, "signIn" | "inboxCode" | "personalLinks">;

function readProofs(link: z.infer<typeof sections.linkSection> | undefined, findings: Findings): Proofs {
  const proofs = {
    signIn: link?.sign_in ?? true,
    inboxCode: link?.inbox_code ?? true,
    personalLinks: link?.personal_links ?? true,
  };
  if (!Object.values(proofs).some(Boolean))
    findings.fault(
      ["link"],
      "switches off every way to prove a Fanvue account. Leave one of sign_in, inbox_code and personal_links on.",
    );
  return proofs;
}
