/** What the pages know of the site they are on, from the config. Pure. */
import type { Config } from "../config/shape.ts";
import type { Platform } from "../ids.ts";
import { httpPortOf, isLoopback } from "../loopback.ts";

export interface Site {
  /** Where fans reach it, such as https://link.example.org, without a slash at the end. */
  readonly address: string;
  readonly isSecure: boolean;
  /** The creator's name on the pages. */
  readonly name: string | undefined;
  /** The creator's color, as #rrggbb. */
  readonly color: string | undefined;
  readonly trustProxy: boolean;
  /** What fans can connect here. */
  readonly platforms: readonly Platform[];
  /** Fans may allow the bot to bring them into the Discord server. */
  readonly brings: boolean;
}

/**
 * Where fans reach the site. Without `link.public_url` that is where Fanvue sends people back to, if that can be this
 * site: behind https, or on this machine and port, for a cookie of 127.0.0.1 is none of localhost.
 */
export function siteAddress({ link, fanvue }: Pick<Config, "link" | "fanvue">): string {
  if (link.publicUrl !== undefined) return new URL(link.publicUrl).origin;
  const redirect = new URL(fanvue.redirectUri);
  return isBehindHttps(redirect) || isHere(redirect, link)
    ? redirect.origin
    : `http://${reachable(link.host)}:${link.port}`;
}

const isBehindHttps = ({ protocol, pathname }: URL): boolean =>
  protocol === "https:" && pathname === "/callback";

const isHere = (address: URL, link: Config["link"]): boolean =>
  address.protocol === "http:" && isLoopback(address.hostname) && httpPortOf(address) === link.port;

const everywhere = new Set(["0.0.0.0", "::"]);

function reachable(host: string): string {
  if (everywhere.has(host)) return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}

/** `platforms`: those that a fan can prove an account of. */
export function siteOf(config: Config, platforms: readonly Platform[]): Site {
  const address = siteAddress(config);
  return {
    address,
    isSecure: address.startsWith("https:"),
    name: config.link.name,
    color: config.link.color,
    trustProxy: config.trustProxy,
    platforms,
    brings: config.discord?.autoJoin.enabled ?? false,
  };
}
