/** A Matrix id as people type or paste it. Pure. */
import { type Mxid, parseMxid } from "../ids.ts";

/** Historical ones hold more: https://spec.matrix.org/v1.16/appendices/#user-identifiers */
const localpart = /^[\da-z._=/+-]+$/;
const historicalLocalpart = /^[\x21-\x39\x3b-\x7e]+$/;
/** https://spec.matrix.org/v1.16/appendices/#server-name */
const serverName = /^(?:[\dA-Za-z.-]+|\[[\dA-Fa-f:.]+\])(?::\d{1,5})?$/;

/** https://spec.matrix.org/v1.16/appendices/#matrixto-navigation and #matrix-uri-scheme */
const links = [
  /^(?:https?:\/\/)?matrix\.to\/#\/(?<id>[^/?]+)/i,
  /^matrix:(?:u|user)\/(?<name>[^/?]+)/i,
] as const;

/**
 * The id in what was typed: bare, as a link of matrix.to, or as a "matrix:" address; undefined where there is none. An
 * "@" that was left out is put there. Whose it is, only a code can tell.
 */
export function mxidIn(typed: string): Mxid | undefined {
  const plain = typed.replaceAll(/\p{Cf}/gu, "").trim();
  const id = withoutPercents(inLink(plain) ?? plain);
  const [, at, local = "", server = ""] = /^(@?)([^:]*):(.*)$/s.exec(id ?? "") ?? [];
  // Without its sign, only what can be nothing else.
  const isUser = (at === "@" ? historicalLocalpart : localpart).test(local);
  if (!isUser || !serverName.test(server)) return undefined;
  return parseMxid(`@${local}:${server}`);
}

function inLink(text: string): string | undefined {
  const groups = links.map((link) => link.exec(text)?.groups).find((found) => found !== undefined);
  return groups?.["id"] ?? groups?.["name"];
}

/** An id may hold percent signs itself only where it was not encoded. */
function withoutPercents(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
