/** What was understood of a config, in plain words or as a document; never a secret. */
import type { AddressBooks } from "./config/address-book.ts";
import type { Config, DiscordConfig, ListSync, MatrixConfig, UpsellConfig } from "./config/shape.ts";
import type { OnExpiry, Place } from "./model.ts";
import { describeRule } from "./rules.ts";

/** A text for people. `warnings` of the books stand at its end together with those of the config. */
export function describeConfig(config: Config, books: AddressBooks): string {
  const sections = [
    fanvueLines(config),
    config.discord === undefined ? [] : discordLines(config.discord),
    config.matrix === undefined ? [] : matrixLines(config.matrix),
    titled("Lists", config.listSync.map(listLine)),
    config.upsell === undefined ? [] : titled("Upsell", upsellLines(config.upsell)),
    titled("Address books", books.books.map(bookLine)),
    titled("Care", careLines(config)),
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
    discord:
      config.discord === undefined
        ? null
        : { guildId: config.discord.guildId, autoJoin: config.discord.autoJoin },
    matrix:
      config.matrix === undefined
        ? null
        : { homeserver: config.matrix.homeserver, userId: config.matrix.userId },
    places: places.map((place) => ({ ...place, inWords: placeText(place) })),
    lists: config.listSync.map((sync) => ({ ...sync, inWords: listLine(sync) })),
    upsell: config.upsell ?? null,
    books: books.books.map(({ book, links, problem }) => ({
      book,
      links: links.length,
      problem: problem ?? null,
    })),
    protected: [...config.protectedAccounts],
    limits: config.limits,
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

function discordLines({
  guildId,
  places,
  autoJoin,
  protectBoosters,
  oauth,
}: DiscordConfig): readonly string[] {
  const roles = autoJoin.roles.length === 0 ? "" : ` and get the roles ${autoJoin.roles.join(", ")}`;
  return titled(`Discord server ${guildId}`, [
    ...placeLines(places, "No roles."),
    ...(autoJoin.enabled && oauth !== undefined
      ? [`Auto-join: fans who link their account and are entitled join the server${roles}`]
      : ["Auto-join: off"]),
    ...(protectBoosters ? ["Members who boost the server keep what they have"] : []),
  ]);
}

const matrixLines = ({ homeserver, userId, places }: MatrixConfig): readonly string[] =>
  titled(`Matrix at ${homeserver} as ${userId}`, placeLines(places, "No rooms."));

const placeLines = (places: readonly Place[], none: string): readonly string[] =>
  places.length === 0 ? [none] : places.map(placeText);

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
  const who = place.rules.map(describeRule).join(" OR ");
  const end =
    place.graceDays === 0 || place.onExpiry === "keep"
      ? "when that ends"
      : `${counted(place.graceDays, "day")} after that ends`;
  return [
    `${platform === "matrix" ? "Room" : "Role"} ${place.id}: ${who}`,
    `${end}: ${endings[platform][place.onExpiry]}`,
    ...(place.strangers === "remove" ? ["members without a link are removed"] : []),
    ...(place.adopt ? [] : ["members who were there before are left alone"]),
    ...(place.cascade === true ? ["whoever is taken out of this space is taken out of all rooms in it"] : []),
    ...(place.knock === "decline" ? ["knocks of fans who are not entitled are declined"] : []),
  ].join("; ");
}

// ---- The rest ---------------------------------------------------------------------------------------------------

function listLine({ name, role, room, list, namedList, primary }: ListSync): string {
  const create = namedList?.create === true ? " (made if there is none)" : "";
  const fanvue =
    list === undefined ? `list "${namedList?.name ?? ""}"${create}` : `${list.type} list ${list.id}`;
  const members = [
    ...(role === undefined ? [] : [`role ${role}`]),
    ...(room === undefined ? [] : [`room ${room}`]),
  ].join(" and ");
  return primary === "fanvue"
    ? `${name}: ${fanvue} decides on ${members}`
    : `${name}: ${members} decides on ${fanvue}`;
}

function upsellLines(upsell: UpsellConfig): readonly string[] {
  const occasions = [
    ...(upsell.requiredEntitlementIds.length === 0
      ? []
      : [`whoever buys ${upsell.requiredEntitlementIds.join(", ")}`]),
    ...(upsell.onBoost ? ["whoever boosts the server"] : []),
  ];
  const to = occasions.length === 0 ? "nobody" : occasions.join(" and ");
  const whom = upsell.toSubscribers ? "" : ", unless already subscribed";
  return [
    `The offer goes to ${to}${whom}; at most ${upsell.maxPerHour} an hour and ${upsell.maxPerDay} a day`,
  ];
}

function bookLine({ book, links, problem }: AddressBooks["books"][number]): string {
  if (problem === "missing") return `${book}: there is none`;
  return problem === "empty" ? `${book}: empty` : `${book}: ${counted(links.length, "link")}`;
}

function careLines({ protectedAccounts, limits, unknownAfterDays }: Config): readonly string[] {
  const share = `${Math.round(limits.maxRemovalShare * 1000) / 10} %`;
  return [
    protectedAccounts.size === 0
      ? "Protected accounts: none named"
      : `Never touched: ${[...protectedAccounts].join(", ")}`,
    `In 24 hours at most ${share} of a place (or ${limits.removalRootFactor}·√n if that is less), but at least ${limits.minRemovalsPerPlace}, may be removed; more waits for approval`,
    `Fans whom Fanvue has not known for ${counted(unknownAfterDays, "day")} wait for approval, too`,
  ];
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
