/** What any answer of the site must not do, whoever asked and for what. Pure. */
import type { Answer } from "./visitor.ts";
import { attributeOf } from "./visitor.ts";

export interface Law {
  /** The site's address and those of the pages where accounts are signed in to: nothing else is ever led to. */
  readonly address: string;
  readonly signInPages: readonly string[];
  /** Never to be read by anybody. */
  readonly secrets: () => readonly string[];
}

/** All that is wrong with an answer, in words. */
export const faultsOf = (answer: Answer, law: Law): readonly string[] => [
  ...headerFaults(answer),
  ...redirectFaults(answer, law),
  ...cookieFaults(answer, law.address.startsWith("https:")),
  ...pageFaults(answer, law),
  ...law
    .secrets()
    .filter((secret) => `${answer.text}\n${JSON.stringify(answer.headers)}`.includes(secret))
    .map(() => "shows a secret"),
  ...(answer.status === 500 ? ["met a bug"] : []),
];

const directives = {
  "default-src": "'none'",
  "style-src": "'self'",
  "form-action": "'self'",
  "frame-ancestors": "'none'",
  "base-uri": "'none'",
} as const;

const required: Readonly<Record<string, RegExp>> = {
  "referrer-policy": /^no-referrer$/,
  "x-content-type-options": /^nosniff$/,
  "x-frame-options": /^DENY$/,
  "cross-origin-opener-policy": /^same-origin$/,
};

/** What is wrong with its headers, in words. */
export function headerFaults({ headers }: Pick<Answer, "headers">): readonly string[] {
  const policy = new Map(
    String(headers["content-security-policy"] ?? "")
      .split(";")
      .map((directive) => directive.trim().split(/\s+(.*)/))
      .map(([name = "", value = ""]) => [name, value]),
  );
  const isCss = String(headers["content-type"]).startsWith("text/css");
  return [
    ...Object.entries(directives)
      .filter(([name, value]) => policy.get(name) !== value)
      .map(([name]) => `its policy is weak in ${name}`),
    ...(policy.has("script-src") ? ["its policy lets scripts in"] : []),
    ...Object.entries(required)
      .filter(([name, value]) => !value.test(String(headers[name])))
      .map(([name]) => `comes without ${name}`),
    ...(isCss || headers["cache-control"] === "no-store" ? [] : ["may be kept in a cache"]),
    ...Object.keys(headers)
      .filter((name) => name === "x-injected" || name.startsWith("access-control-"))
      .map((name) => `carries ${name}`),
  ];
}

const isOwnPath = (to: string) => /^\/(?![/\\])[\w/.?=-]*$/.test(to);

function redirectFaults({ headers: { location, refresh } }: Answer, { address }: Law): readonly string[] {
  const to = location?.startsWith(`${address}/`) === true ? location.slice(address.length) : location;
  return [
    ...(to === undefined || isOwnPath(to) ? [] : [`leads to ${to}`]),
    ...(refresh === undefined ? [] : [`leads to ${String(refresh)}`]),
  ];
}

const cookieFaults = ({ headers }: Answer, isSecure: boolean): readonly string[] =>
  (headers["set-cookie"] ?? []).flatMap((line) => {
    const name = isSecure ? "__Host-visit" : "visit";
    const attributes = new Set(line.toLowerCase().split(/;\s*/).slice(1));
    const wanted = ["httponly", "samesite=lax", "path=/", ...(isSecure ? ["secure"] : [])];
    return [
      ...(line.startsWith(`${name}=`) ? [] : [`sets a cookie of another name: ${line}`]),
      ...(wanted.every((one) => attributes.has(one)) ? [] : [`sets a cookie too freely: ${line}`]),
      ...(attributes.values().some((one) => one.startsWith("domain=")) ? ["sets a cookie for others"] : []),
    ];
  });

// ---- What stands on a page --------------------------------------------------------------------------------------

/** All that our pages are made of. Whatever else is there, somebody else has put there. */
const ownTags = new Set(
  "html head meta title link body header main nav footer section h1 h2 p a span bdi strong ul li dl dt dd form input button label".split(
    " ",
  ),
);
const ownAttributes = new Set(
  `lang charset name content http-equiv rel href class id role method action type value autocomplete autocapitalize
   autocorrect spellcheck maxlength for aria-label aria-hidden aria-describedby aria-required aria-invalid aria-labelledby`.split(
    /\s+/,
  ),
);

function pageFaults(answer: Answer, law: Law): readonly string[] {
  if (!String(answer.headers["content-type"]).startsWith("text/html")) return [];
  const tags = [...answer.text.matchAll(/<([a-z!/][^\s>]*)((?:[^>"]|"[^"]*")*)>/gi)];
  return tags.flatMap(([tag, name = "", rest = ""]) => {
    if (name.startsWith("/") || name === "!doctype") return [];
    const attributes = [...rest.matchAll(/([^\s"=/]+)(?:="[^"]*")?/g)].map(([, attribute = ""]) => attribute);
    return [
      ...(ownTags.has(name) ? [] : [`shows somebody else's <${name}>`]),
      ...attributes.filter((one) => !ownAttributes.has(one)).map((one) => `shows somebody else's ${one}=`),
      ...addressesIn(tag)
        .filter((to) => !isLawful(to, law))
        .map((to) => `leads to ${to}`),
    ];
  });
}

function addressesIn(tag: string): readonly string[] {
  const refresh = tag.includes('http-equiv="refresh"') ? attributeOf(tag, "content") : undefined;
  return [
    attributeOf(tag, "href"),
    attributeOf(tag, "action"),
    refresh === undefined ? undefined : refresh.replace(/^0;url=/, ""),
  ].filter((to) => to !== undefined);
}

function isLawful(to: string, { address, signInPages }: Law): boolean {
  if (to === "data:,") return true;
  if (signInPages.some((page) => to.startsWith(`${page}?`))) return true;
  return /^\/(?![/\\])/.test(to) && new URL(to, address).origin === address;
}
