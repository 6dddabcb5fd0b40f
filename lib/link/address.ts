/** Whom a request comes from, as far as limits go. Pure. */
import { BlockList, isIPv4, isIPv6 } from "node:net";

/**
 * The client's address: the connection's own, or behind a proxy that is to be trusted what that proxy put at the end of
 * X-Forwarded-For. What stands before the last entry, anybody may have written; and so may whoever comes past the proxy,
 * from the internet. No connection: a request that is made in this process.
 */
export function clientAddress(
  connection: string | undefined,
  forwardedFor: string | undefined,
  trustProxy: boolean,
): string {
  const mayTell = trustProxy && (connection === undefined || isNear(connection));
  const forwarded = mayTell ? addressIn(forwardedFor?.split(",").at(-1) ?? "") : undefined;
  return forwarded ?? addressIn(connection ?? "") ?? "unknown";
}

/** Some proxies add a port, and then write an IPv6 address in brackets. */
function addressIn(entry: string): string | undefined {
  const bare = entry
    .trim()
    .replace(/^\[([^\]]*)\](?::\d+)?$/, "$1")
    .replace(/^([\d.]+):\d+$/, "$1")
    .replace(/^::ffff:(?=[\d.]+$)/i, "");
  return isIPv4(bare) || isIPv6(bare) ? bare.toLowerCase() : undefined;
}

/** This machine and private networks, where a proxy of one's own stands: https://www.rfc-editor.org/rfc/rfc6890 */
const near = new BlockList();
near.addSubnet("127.0.0.0", 8, "ipv4");
near.addSubnet("10.0.0.0", 8, "ipv4");
near.addSubnet("172.16.0.0", 12, "ipv4");
near.addSubnet("192.168.0.0", 16, "ipv4");
near.addSubnet("169.254.0.0", 16, "ipv4");
near.addAddress("::1", "ipv6");
near.addSubnet("fc00::", 7, "ipv6");
near.addSubnet("fe80::", 10, "ipv6");

function isNear(connection: string): boolean {
  const address = addressIn(connection)?.replace(/%.*$/, "");
  return address !== undefined && near.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}

/** What shares one limit: an IPv4 address, or an IPv6 network of 64 bits, which is the least that anybody gets. */
export function limitedNetwork(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.replace(/%.*$/, "").split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const [first, last] = [groups(head), groups(tail ?? "")];
  const zeros =
    tail === undefined ? [] : Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0");
  const network = [...first, ...zeros, ...last]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}
