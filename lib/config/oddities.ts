/** What is wrong or odd between the sections of a config, mostly asked of the values as written. */
import { httpPortOf, isLoopback } from "../loopback.ts";
import { callbackAt } from "./callbacks.ts";
import type { Findings, Path } from "./findings.ts";
import { oauthKeys } from "./sections.ts";
import type { Config, DiscordConfig } from "./shape.ts";
import { isMap, type Raw } from "./values.ts";

// ---- Faults -----------------------------------------------------------------------------------------------------

const needs: readonly (readonly [Path, "discord" | "matrix"])[] = [
  [["roles"], "discord"],
  [["auto_join"], "discord"],
  [["upsell"], "discord"],
  [["rooms"], "matrix"],
  [["notify", "discord_channel_id"], "discord"],
  [["notify", "matrix_room"], "matrix"],
];
const remedies = {
  discord: "Add it with token and guild_id, or remove this.",
  matrix: "Add it with homeserver, user_id and access_token, or remove this.",
};

/** Sections without the section that they need. */
export function faultLonelySections(raw: Raw, findings: Findings): void {
  if (raw["fanvue"] === undefined)
    findings.fault(
      ["fanvue"],
      "is missing. Add this section with client_id, client_secret and redirect_uri.",
    );
  for (const [path, platform] of needs) {
    if (raw[platform] === undefined && valueAt(raw, path) !== undefined)
      findings.fault(path, `needs the section ${platform}. ${remedies[platform]}`);
  }
}

/** Discord's OAuth wants all of its three values. */
export function faultPartialOauth(raw: Raw, findings: Findings): void {
  const { discord } = raw;
  if (!isMap(discord)) return;
  const absent = oauthKeys.filter((key) => discord[key] === undefined);
  if (absent.length === 0 || absent.length === oauthKeys.length) return;
  for (const key of absent)
    findings.fault(["discord", key], `is missing beside the other oauth_… keys. Add it, or remove them all.`);
}

/** The daemon's health page and the link pages cannot both listen at one port. */
export function faultSharedPort(
  { link, schedule }: Pick<Config, "link" | "schedule">,
  findings: Findings,
): void {
  if (link.isConfigured && schedule.healthPort === link.port)
    findings.fault(
      ["schedule", "health_port"],
      "is where the link pages listen. Write another port, such as 8099.",
    );
}

// ---- Warnings ---------------------------------------------------------------------------------------------------

const filledIn: readonly Path[] = [
  ["fanvue", "client_id"],
  ["fanvue", "client_secret"],
  ["discord", "token"],
  ...oauthKeys.map((key) => ["discord", key]),
  ["matrix", "user_id"],
  ["matrix", "access_token"],
];

/** Words of the example that nobody has replaced yet. */
export function warnOfPlaceholders(raw: Raw, findings: Findings): void {
  for (const path of filledIn) {
    const value = valueAt(raw, path);
    if (typeof value === "string" && /^@?your[_-]/i.test(value))
      findings.warn(path, "still holds the example's placeholder. Write your own value.");
  }
}

/** A server's id is also the id of its role @everyone, which nobody can be given. */
export function warnOfEveryone(raw: Raw, findings: Findings): void {
  const guild = written(valueAt(raw, ["discord", "guild_id"]));
  const isGuild = (id: unknown) => guild !== undefined && written(id) === guild;
  const sentence = "is the server's own id, which is its role @everyone. Write the id of another role.";
  const { roles } = raw;
  for (const id of isMap(roles) ? Object.keys(roles) : [])
    if (isGuild(id)) findings.warn(["roles", id], sentence);
  const { list_sync: entries } = raw;
  for (const name of isMap(entries) ? Object.keys(entries) : [])
    if (isGuild(valueAt(entries, [name, "discord_role_id"])))
      findings.warn(["list_sync", name, "discord_role_id"], sentence);
  const joined = valueAt(raw, ["auto_join", "roles"]);
  for (const [index, id] of Array.isArray(joined) ? joined.entries() : [])
    if (isGuild(id)) findings.warn(["auto_join", "roles", index], sentence);
}

/** Auto-join is carried out with the fan's own consent by OAuth. */
export function warnOfJoinWithoutOauth(
  config: { readonly enabled: boolean; readonly oauth: boolean },
  findings: Findings,
): void {
  if (config.enabled && !config.oauth)
    findings.warn(
      ["auto_join", "enabled"],
      `is on, but nobody can be joined without OAuth. Add discord.${oauthKeys.join(", discord.")}.`,
    );
}

const servers: readonly Path[] = [
  ["fanvue", "api_url"],
  ["fanvue", "auth_url"],
  ["discord", "api_url"],
  ["matrix", "homeserver"],
];

/** Tokens that would travel where others may read them. */
export function warnOfCleartext(raw: Raw, findings: Findings): void {
  for (const path of servers) {
    const value = valueAt(raw, path);
    const url = typeof value === "string" && URL.canParse(value) ? new URL(value) : undefined;
    if (url?.protocol === "http:" && !isLoopback(url.hostname))
      findings.warn(path, "sends your tokens unencrypted. Write https:// unless the network is yours alone.");
  }
}

/** Fans who would come back to their own machine, or to another program, after they signed in for the link pages. */
export function warnOfStrayCallbacks(
  { fanvue, discord, link }: Pick<Config, "fanvue" | "discord" | "link">,
  findings: Findings,
): void {
  if (link.publicUrl !== undefined) {
    warnOfDiscordElsewhere(callbackAt(link.publicUrl), discord, findings);
    return;
  }
  const redirect = new URL(fanvue.redirectUri);
  const isHere = redirect.protocol === "http:" && isLoopback(redirect.hostname);
  if (link.signIn && isHere && httpPortOf(redirect) !== link.port)
    findings.warn(
      ["fanvue", "redirect_uri"],
      `is not where the link pages listen (port ${String(link.port)}), so whoever signs in there with Fanvue never comes back. Set link.public_url, or write the same port in both.`,
    );
}

/** Whoever comes past the proxy may say of themselves what they like, and reads and sends without https. */
export function warnOfWayPastProxy(
  { link, trustProxy }: Pick<Config, "link" | "trustProxy">,
  findings: Findings,
): void {
  if (trustProxy && !isLoopback(link.host))
    findings.warn(
      ["trust_proxy"],
      `is for a web server that stands before the link pages, but they listen on ${link.host}, where others may get past it. Write host: "127.0.0.1" under link, unless that web server is on another machine; then let a firewall close port ${String(link.port)} to everybody else.`,
    );
}

function warnOfDiscordElsewhere(
  callback: string,
  discord: Pick<DiscordConfig, "oauth"> | undefined,
  findings: Findings,
): void {
  const redirectUri = discord?.oauth?.redirectUri;
  if (redirectUri === undefined || new URL(redirectUri).href === callback) return;
  findings.warn(
    ["discord", "oauth_redirect_uri"],
    `does not lead to your link pages, so fans never come back to them from Discord. Write "${callback}", and register it in Discord's developer portal.`,
  );
}

// ---- Values as written ------------------------------------------------------------------------------------------

function valueAt(raw: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (isMap(value) ? value[String(key)] : undefined), raw);
}

const written = (id: unknown): string | undefined =>
  typeof id === "string" || typeof id === "bigint" ? String(id) : undefined;
