/** The headers that every answer carries. Pure. */

/**
 * Nothing but our own style sheet is loaded, no script runs at all, nobody frames the pages, and forms are sent to us only.
 * Browsers that apply form-action to redirects, too, are the reason why the way out to another service is a page of its own.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self' data:",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join("; ");

const always: Readonly<Record<string, string>> = {
  "Content-Security-Policy": contentSecurityPolicy,
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy":
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), publickey-credentials-get=(), browsing-topics=()",
  "X-Robots-Tag": "noindex, nofollow",
};

const oneYearSeconds = 365 * 24 * 60 * 60;

/** By name. `isSecure`: the site's address begins with https. */
export const securityHeaders = (isSecure: boolean): Readonly<Record<string, string>> => ({
  ...always,
  "Cache-Control": "no-store",
  ...(isSecure ? { "Strict-Transport-Security": `max-age=${oneYearSeconds}` } : {}),
});

/**
 * Whether a form was sent by a page of our own, as far as the browser tells. It says less than one would think: since our
 * pages tell nobody where people come from, browsers write "null" as the origin of their forms
 * (https://fetch.spec.whatwg.org/#append-a-request-origin-header), so that the form's own token has to decide.
 */
export function isFromHere(
  { fetchSite, origin }: { readonly fetchSite: string | undefined; readonly origin: string | undefined },
  siteOrigin: string,
): boolean {
  if (fetchSite !== undefined && fetchSite !== "same-origin") return false;
  return origin === undefined || origin === "null" || origin === siteOrigin;
}
