/** The text of an offer, with names that can do no harm in it. Pure. */
import { longestFilledIn } from "../config/offer.ts";
import { plainText, shortened } from "../plain-text.ts";

interface Names {
  readonly name: string;
  readonly server: string;
}

const withoutName: Names = { name: "there", server: "our server" };

/**
 * Fills in {name} and {server}; everything else stays as it is written. Names are chosen by people, so they are
 * {@link harmless} first.
 */
export const fillOffer = (text: string, names: Names): string =>
  text.replace(/\{(name|server)\}/g, (_, key: keyof Names) => harmless(names[key]) || withoutName[key]);

/** Letters and marks that nobody sees. */
const invisible = /\p{Default_Ignorable_Code_Point}/gu;
/** What Discord takes for markup, mentions, custom emoji, and the parts of an address. */
const special = /[\\*_~`|<>#@[\]{}:/＠]/gu;
/** A dot inside a word makes an address of it. */
const innerDot = /[.。．｡](?=[^\s.])/gu;
/** What makes a list of a line that begins with it. */
const bullet = /^(?:[-+•\s]|\d+[.)](?=\s|$))+/u;

/**
 * A name without anything that Discord would show as more than plain words in one line, at most
 * {@link longestFilledIn} characters; "" where nothing is left.
 */
export function harmless(name: string): string {
  const words = plainText(name)
    .replaceAll(invisible, "")
    .replaceAll(special, " ")
    .replaceAll(innerDot, " ")
    .replaceAll(/\s+/gu, " ")
    .replace(bullet, "");
  return shortened(words.trim(), longestFilledIn).trim();
}
