/** The page on which a person lets an app in: who is logged in, what the app asks for, and two buttons. No script. */
import type { Reply } from "./server.ts";

/** What the person at the browser does on a service's page of consent. Changed by tests at will. */
export interface Consent {
  /** Id of who is logged in. A cookie of the service outranks it. */
  user: string;
  /** Whether they say no; where there is a page, its buttons say it. */
  deny: boolean;
  /** Whether there is a page to press a button on; without it the browser is sent back at once. */
  page: boolean;
}

export interface ConsentPage {
  readonly service: string;
  readonly app: string;
  /** The name of who is logged in, in whatever characters they chose. */
  readonly user: string;
  readonly scopes: readonly string[];
  /** Where the form goes, and the request that it repeats there. */
  readonly action: string;
  readonly asked: URLSearchParams;
}

const decision = "decision";

/** A request for authorization: read from the address, or from the page's form with what was pressed there. */
export interface ConsentRequest {
  readonly asked: URLSearchParams;
  /** Undefined: nobody has said anything yet. */
  readonly answer: "allow" | "deny" | undefined;
}

/** Takes a request apart: GET asks, POST is the page's form. */
export function consentRequest(
  { method, query, form }: { method: string; query: URLSearchParams; form: URLSearchParams },
  { page, deny }: Consent,
): ConsentRequest {
  if (method === "POST") {
    const asked = new URLSearchParams([...form].filter(([name]) => name !== decision));
    return { asked, answer: form.get(decision) === "allow" ? "allow" : "deny" };
  }
  if (page) return { asked: query, answer: undefined };
  return { asked: query, answer: deny ? "deny" : "allow" };
}

const escaped = (text: string) =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);

const hiddenInput = ([name, value]: readonly [string, string]) =>
  `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`;

export function consentPage({ service, app, user, scopes, action, asked }: ConsentPage): Reply {
  const title = `Allow ${escaped(app)}? – ${escaped(service)} (sandbox)`;
  return htmlReply(
    200,
    title,
    `<h1>${escaped(app)} asks for your ${escaped(service)} account</h1>
<p>You are logged in as <strong>${escaped(user)}</strong>.</p>
<ul>${scopes.map((scope) => `<li>${escaped(scope)}</li>`).join("")}</ul>
<form method="post" action="${escaped(action)}">
${[...asked].map(hiddenInput).join("\n")}
<button name="${decision}" value="allow">Allow</button>
<button name="${decision}" value="deny">Deny</button>
</form>`,
  );
}

/** A sentence on a page of its own, for requests that lead nowhere. */
export const errorPage = (status: number, sentence: string): Reply =>
  htmlReply(status, "This does not work", `<p>${escaped(sentence)}</p>`);

const htmlReply = (status: number, title: string, main: string): Reply => ({
  status,
  headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" },
  body: `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title></head>
<body><main>
${main}
</main></body>
</html>
`,
});

/** Back to the app, with what it is told. */
export function sendBack(status: 302 | 303, to: string, parameters: Readonly<Record<string, string>>): Reply {
  const url = new URL(to);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { status, headers: { location: url.href, "cache-control": "no-store" } };
}

/** What a cookie of that name holds. */
export function cookieOf(headers: Readonly<Record<string, string>>, name: string): string | undefined {
  const pairs = (headers["cookie"] ?? "").split(/;\s*/);
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}
