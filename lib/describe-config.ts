/** What was understood of a config, in plain words or as a document; never a secret. */
import type { AddressBooks } from "./config/address-book.ts";
import type {
  Config,
  DiscordConfig,
  ListSync,
  MatrixConfig,
  NotifyConfig,
  UpsellConfig,
} from "./config/shape.ts";
import { describeDuties, dutiesJson } from "./daemon/duties.ts";
import { inviteUrl } from "./discord/invite-url.ts";
import { dayMs, hourMs, minuteMs } from "./durations.ts";
import { siteAddress } from "./link/site.ts";
import { listInWords, type OnExpiry, type Place } from "./model.ts";
import { describeRule } from "./rules.ts";

/** A text for people. `warnings` of the books stand at its end together with those of the config. */
export function describeConfig(config: Config, books: AddressBooks): string {
  const sections = [
    fanvueLines(config),
    config.discord === undefined ? [] : discordLines(config.discord, config),
    config.matrix === undefined ? [] : matrixLines(config.matrix),
    titled("Lists", config.listSync.map(listLine)),
    config.upsell === undefined ? [] : titled("Upsell", upsellLines(config.upsell)),
    config.link.isConfigured ? titled("Link pages", linkLines(config)) : [],
    titled("Notices to you", noticeLines(config.notify)),
    titled("Address books", books.books.map(bookLine)),
    titled("Care", careLines(config)),
    titled("The daemon (npm run daemon)", describeDuties(config)),
    titled("Warnings", [...config.warnings, ...books.warnings]),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

/** The same as a document for programs. */
export function describeConfigJson(config: Config, books: AddressBooks): Readonly<Record<string, unknown>> {
  const places = [...(config.discord?.places ?? []), ...(config.matrix?.places ?? [])];
  return {
    config: config.path,
    fanvue: { clientId: config.fanvue.clientId, redirectUri: config.fanvue.redirectUri },
    discord: config.discord === undefined ? null : discordJson(config.discord, config),
    matrix:
      config.matrix === undefined
        ? null
        : { homeserver: config.matrix.homeserver, userId: config.matrix.userId },
    places: places.map((place) => ({ ...place, inWords: placeText(place) })),
    lists: config.listSync.map((sync) => ({ ...sync, inWords: listLine(sync) })),
    upsell:
      config.upsell === undefined
        ? null
        : { ...config.upsell, inWords: upsellLines(config.upsell).join("; ") },
    books: books.books.map(({ book, links, problem }) => ({
      book,
      links: links.length,
      problem: problem ?? null,
    })),
    link: config.link.isConfigured
      ? { ...config.link, trustProxy: config.trustProxy, inWords: linkLines(config).join("; ") }
      : null,
    notify: config.notify,
    protected: [...config.protectedAccounts],
    limits: config.limits,
    snapshotMaxAgeMs: config.snapshotMaxAgeMs,
    followersMaxAgeMs: config.followersMaxAgeMs,
    unknownAfterDays: config.unknownAfterDays,
    daemon: dutiesJson(config),
    warnings: [...config.warnings, ...books.warnings],
  };
}

const titled = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`)];

// ---- Platforms and places ---------------------------------------------------------------------------------------

function fanvueLines({ fanvue, discord, matrix }: Config): readonly string[] {
  const idle =
    discord === undefined && matrix === undefined ? ["Neither Discord nor Matrix is configured."] : [];
  const prefix = fanvue.apiPrefix === "auto" ? "" : `, paths begin with "${fanvue.apiPrefix}"`;
  return [
    `Fanvue app ${fanvue.clientId} at ${fanvue.apiUrl}${prefix}`,
    `  Redirect: ${fanvue.redirectUri}`,
    ...idle,
  ];
}

function discordLines(discord: DiscordConfig, { notify }: Pick<Config, "notify">): readonly string[] {
  const { guildId, places, protectBoosters } = discord;
  const url = inviteUrl({ ...discord, posts: notify.discordChannelId !== undefined });
  return titled(`Discord server ${guildId}`, [
    ...placeLines(places, "No roles."),
    `Auto-join: ${autoJoinText(discord)}`,
    ...(protectBoosters ? ["Members who boost the server keep what they have"] : []),
    ...(url === undefined ? [] : [`Invite the bot with: ${url}`]),
  ]);
}

const discordJson = (discord: DiscordConfig, { notify }: Pick<Config, "notify">) => ({
  guildId: discord.guildId,
  autoJoin: { ...discord.autoJoin, inWords: autoJoinText(discord) },
  protectBoosters: discord.protectBoosters,
  inviteUrl: inviteUrl({ ...discord, posts: notify.discordChannelId !== undefined }) ?? null,
});

function autoJoinText({ autoJoin, oauth, places }: DiscordConfig): string {
  if (!autoJoin.enabled) return "off";
  if (oauth === undefined) return "off, since the oauth_… keys are missing";
  const along = new Set<string>(autoJoin.roles);
  const roles = places
    .filter(({ id }) => along.has(id))
    .map(({ id, onlyOnJoin }) => (onlyOnJoin === true ? id : `${id} (if its own rules let them in)`));
  const also = roles.length === 0 ? "" : `, together with ${roles.join(", ")}`;
  return `entitled fans who allowed it are brought into the server with the roles above${also}`;
}

const matrixLines = ({ homeserver, userId, places }: MatrixConfig): readonly string[] =>
  titled(`Matrix at ${homeserver} as ${userId}`, placeLines(places, "No rooms."));

/** What comes from list_sync is told there. */
function placeLines(places: readonly Place[], none: string): readonly string[] {
  const own = places.filter(({ entry }) => entry === undefined);
  return own.length === 0 ? [none] : own.map(placeText);
}

const endings: Readonly<Record<"discord" | "matrix", Readonly<Record<OnExpiry, string>>>> = {
  discord: {
    revoke: "the role is removed",
    evict: "they are kicked from the server, unless another role still lets them stay",
    keep: "they keep the role",
  },
  matrix: {
    revoke: "they are kicked from the room",
    evict: "they are kicked from the room",
    keep: "they stay in the room",
  },
};

/** One place as a line: who gets in, and what happens when that ends. */
function placeText(place: Place): string {
  const platform = place.target === "matrix" ? "matrix" : "discord";
  const who =
    place.onlyOnJoin === true
      ? "whoever is brought into the server, for as long as any role is theirs"
      : place.rules.map(describeRule).join(" OR ");
  const end =
    place.graceDays === 0 || place.onExpiry === "keep"
      ? "when that ends"
      : `${counted(place.graceDays, "day")} after that ends`;
  return [
    `${platform === "matrix" ? "Room" : "Role"} ${place.id}: ${who}`,
    `${end}: ${endings[platform][place.onExpiry]}`,
    ...(place.strangers === "remove" ? ["members without a link are removed"] : []),
    ...(place.adopt || place.onlyOnJoin === true ? [] : ["members who were there before are left alone"]),
    ...(place.cascade === true ? ["whoever is taken out of this space is taken out of all rooms in it"] : []),
    ...(place.knock === "decline" ? ["knocks of fans who are not entitled are declined"] : []),
  ].join("; ");
}

// ---- The rest ---------------------------------------------------------------------------------------------------

function listLine({ name, role, room, list, makes, primary }: ListSync): string {
  const fanvue = `${listInWords(list)}${makes ? " (made if there is none)" : ""}`;
  const members = [
    ...(role === undefined ? [] : [`role ${role}`]),
    ...(room === undefined ? [] : [`room ${room}`]),
  ].join(" and ");
  return primary === "fanvue"
    ? `${name}: ${fanvue} decides on ${members}`
    : `${name}: ${members} decides on ${fanvue}`;
}

function upsellLines({
  requiredEntitlementIds,
  onBoost,
  toSubscribers,
  maxPerHour,
  maxPerDay,
}: UpsellConfig): readonly string[] {
  const occasions = [
    ...(requiredEntitlementIds.length === 0 ? [] : [`whoever buys ${requiredEntitlementIds.join(" or ")}`]),
    ...(onBoost ? ["whoever begins to boost the server"] : []),
  ];
  if (occasions.length === 0) return ["The offer goes to nobody"];
  const whom = toSubscribers ? "" : ", unless they are linked and subscribe already";
  return [
    `The offer goes to ${occasions.join(" and ")}, once each${whom}`,
    `At most ${maxPerHour} an hour and ${maxPerDay} a day; the others wait`,
  ];
}

function linkLines(config: Config): readonly string[] {
  const { host, port, signIn, inboxCode, personalLinks, publicUrl } = config.link;
  const proofs = [
    ...(signIn ? ["sign in with Fanvue"] : []),
    ...(inboxCode && publicUrl !== undefined ? ["get a code in their Fanvue inbox"] : []),
    ...(personalLinks && publicUrl !== undefined ? ["open a personal link from you"] : []),
  ];
  return [
    `At ${siteAddress(config)}/link (served on ${host}, port ${port})`,
    proofs.length === 0
      ? "Nobody can show who they are on Fanvue: all ways are switched off, or need link.public_url"
      : `To show who they are on Fanvue, fans ${proofs.join(", or ")}`,
    ...(config.trustProxy ? ["The web server before them says who asks (trust_proxy)"] : []),
  ];
}

function noticeLines({ discordChannelId, matrixRoom }: NotifyConfig): readonly string[] {
  return [
    ...(discordChannelId === undefined ? [] : [`in the Discord channel ${discordChannelId}`]),
    ...(matrixRoom === undefined ? [] : [`in the Matrix room ${matrixRoom}`]),
  ];
}

function bookLine({ book, links, problem }: AddressBooks["books"][number]): string {
  if (problem === "missing") return `${book}: there is none`;
  return problem === "empty" ? `${book}: empty` : `${book}: ${counted(links.length, "link")}`;
}

function careLines(config: Config): readonly string[] {
  const { protectedAccounts, limits, unknownAfterDays, snapshotMaxAgeMs, followersMaxAgeMs } = config;
  return [
    protectedAccounts.size === 0
      ? "Protected accounts: none named"
      : `Never touched: ${[...protectedAccounts].join(", ")}`,
    `In 24 hours at most ${percent(limits.maxRemovalShare)} of a place (or ${limits.removalRootFactor}·√n if that is less) may be removed, but always ${limits.minRemovalsPerPlace} of a place and ${limits.minRemovalsPerTarget} of a platform; more waits for approval`,
    `Removals wait, too, when subscribers, followers or a list shrank by ${percent(limits.maxSourceDropShare)} and ${limits.minSourceDrop} or more`,
    `Fans whom Fanvue has not known for ${counted(unknownAfterDays, "day")} wait for approval, too`,
    `What was read from Fanvue serves other scripts for ${inWords(snapshotMaxAgeMs)}, who follows you for ${inWords(followersMaxAgeMs)}`,
  ];
}

const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;

function inWords(lengthMs: number): string {
  if (lengthMs % dayMs === 0 && lengthMs > 0) return counted(lengthMs / dayMs, "day");
  if (lengthMs % hourMs === 0 && lengthMs > 0) return counted(lengthMs / hourMs, "hour");
  if (lengthMs % minuteMs === 0 && lengthMs > 0) return counted(lengthMs / minuteMs, "minute");
  return counted(lengthMs / 1000, "second");
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
