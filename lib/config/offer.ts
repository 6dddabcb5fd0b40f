/** What is wrong or odd in an upsell: a text that breaks Fanvue's rules or Discord's, and offers that reach nobody. */
import { nearest } from "../nearest.ts";
import type { Findings } from "./findings.ts";
import type { UpsellConfig } from "./shape.ts";

/** What is filled in for each receiver, written as {name} and {server}. */
export const placeholders = ["name", "server"] as const;
/** What is filled in is cut to so many characters. */
export const longestFilledIn = 32;
/** https://discord.com/developers/docs/resources/message#create-message */
const longestMessage = 2000;

/** Notes whatever is to be said of the section `upsell`. */
export function checkUpsell(upsell: UpsellConfig, findings: Findings): void {
  checkOccasions(upsell, findings);
  checkText(upsell.offerMessage, findings);
}

// ---- Occasions --------------------------------------------------------------------------------------------------

const exampleSku = "123456789012345678";

function checkOccasions({ requiredEntitlementIds, onBoost }: UpsellConfig, findings: Findings): void {
  if (requiredEntitlementIds.length === 0 && !onBoost)
    findings.warn(
      ["upsell"],
      "names no occasion, so no offer is ever sent. Add upsell_on_boost: true, or the ids of your SKUs under required_entitlement_ids.",
    );
  for (const [index, id] of requiredEntitlementIds.entries())
    if (id === exampleSku)
      findings.warn(
        ["upsell", "required_entitlement_ids", index],
        "still holds the example's placeholder. Write the id of one of your SKUs, or remove it.",
      );
}

// ---- The text ---------------------------------------------------------------------------------------------------

function checkText(text: string, findings: Findings): void {
  const path = ["upsell", "offer_message"];
  const length = longestLength(text);
  if (length > longestMessage)
    findings.fault(
      path,
      `may become ${length} characters long, and Discord takes ${longestMessage}. Shorten it.`,
    );
  for (const name of unknownPlaceholders(text)) findings.warn(path, unknownPlaceholder(name));
  const words = giftIn(text);
  if (words !== undefined)
    findings.warn(
      path,
      `says "${words}", which reads like a 100 % discount or a free month in exchange for a payment on Discord. Fanvue's rules forbid that, since it evades its fees. Offer a part of the price off, or something extra.`,
    );
}

const anyPlaceholder = /\{(\w+)\}/g;
const isKnown = (name: string): boolean => placeholders.some((known) => known === name);

/** How long a text can become once the longest names are filled in, in characters as Discord counts them. */
export function longestLength(text: string): number {
  const filledIn = text.replace(anyPlaceholder, (written, name: string) =>
    isKnown(name) ? "x".repeat(longestFilledIn) : written,
  );
  return Array.from(filledIn).length;
}

/** The names in braces that are sent as they stand, each once. */
export function unknownPlaceholders(text: string): readonly string[] {
  const names = [...text.matchAll(anyPlaceholder)].flatMap(([, name]) => name ?? []);
  return [...new Set(names)].filter((name) => !isKnown(name));
}

function unknownPlaceholder(name: string): string {
  if (name === "link") return "holds {link}, which nobody fills in. Write the address of your page itself.";
  const near = nearest(name, placeholders);
  const guess = near === undefined ? "." : `; did you mean {${near}}?`;
  return `holds {${name}}, which nobody fills in${guess} There are {name} and {server}.`;
}

// ---- What reads like a gift -------------------------------------------------------------------------------------

const period = String.raw`(?:day|week|month|year|trial|sub|subscription|membership|access)s?`;
const between = String.raw`(?:(?:\d+|one|two|three|first|full|whole|entire|fanvue|vip)[\s-]){0,2}`;

const all = String.raw`(?:(?<![\d.,])100|\b(?:(?:a|one) )?hundred) ?(?:%|per ?cent)`;
const discount = String.raw`(?:discount|reduction|rebate|rabatt)`;

/** Ways to say that nothing is to be paid, for a text in small letters with single blanks. */
const gifts: readonly RegExp[] = [
  new RegExp(String.raw`${all}[ -]?(?:off|${discount}|free|cheaper)\b`),
  new RegExp(String.raw`\b${discount} (?:of|by|von) ${all}`),
  new RegExp(String.raw`\b(?:full|complete) ${discount}\b|\b(?:full|whole|entire) price off\b`),
  /(?<!\S)[-−] ?100 ?%/,
  // Promotion codes.
  /(?<![\d$€£.,])100[-_]?off(?![a-z])|(?<![a-z])free[-_]?100(?!\d)/,
  new RegExp(String.raw`(?<![a-z])free-?${period}(?![a-z])|(?<![a-z])${period}free(?![a-z])`),
  /\bfor free\b|\bfree of charge\b|\b(?:no|zero|without)[- ](?:cost|charge|payment)\b|\bwithout paying\b/,
  /\b(?:pay|paying|costs?)(?: you)? (?:absolutely )?(?:nothing|zero)\b(?! (?:to|extra|more|less|but|until|for (?:looking|asking))\b)/,
  new RegExp(String.raw`\b${period} for (?:absolutely )?nothing\b`),
  new RegExp(
    String.raw`\bgift(?:s|ed|ing)? (?:you|them|everybody|everyone) (?:an?|one|your|the|\d+) ?${between}${period}\b`,
  ),
  new RegExp(String.raw`\bcomplimentary ${between}${period}\b`),
  /\b(?:gratis|kostenlos\w*|umsonst|gratuit\w*)\b/,
  /(?<![\d.,])[$€£] ?0(?:[.,]00?)?(?!\d|[.,]\d)/,
  /(?<![\d.,$€£])0(?:[.,]00?)? ?(?:[$€£](?! ?\d)|(?:usd|eur|gbp|dollars?|euros?)\b)/,
  new RegExp(String.raw`\bfree ${between}${period}\b`),
  new RegExp(
    String.raw`\b${period} (?:(?:is|are|comes?|completely|totally|absolutely) ){0,2}free\b(?! (?:to|from|of)\b)`,
  ),
  new RegExp(String.raw`\b${period} (?:(?:is|are) )?on (?:me|us|the house)\b`),
  /\bfree for (?:a|an|one|the first|your first|\d+) (?:day|week|month|year)s?\b/,
];

/**
 * The words of an offer by which it seems to give a subscription for nothing; undefined where there are none. A part
 * of the price off is no gift.
 */
export function giftIn(text: string): string | undefined {
  const plain = text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[*_~`|]/g, "")
    .replaceAll(/\s+/g, " ");
  for (const gift of gifts) {
    const found = gift.exec(plain)?.[0];
    if (found !== undefined) return found.trim();
  }
  return undefined;
}
