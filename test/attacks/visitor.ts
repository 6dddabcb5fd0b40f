/** A browser without the kindness of one: it keeps cookies and reads forms, and sends whatever it is told to. */
import assert from "node:assert/strict";
import { Agent, request, type IncomingHttpHeaders, type RequestOptions } from "node:http";
import { text as readText } from "node:stream/consumers";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export type Fields = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
}

/** A form as a page holds it, with all that it would send. */
export interface Form {
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface Visitor {
  readonly cookies: Map<string, string>;
  send: (path: string, sent?: Sent) => Promise<Answer>;
  get(path: string): Promise<Answer>;
  /** Sends fields as a form, with no token but what is among them. */
  post(path: string, fields: Fields, headers?: Sent["headers"]): Promise<Answer>;
  /** Opens a page and sends its form for this action, with fields of our own laid over it. */
  submit(page: string, action: string, fields?: Readonly<Record<string, string>>): Promise<Answer>;
}

export interface Door {
  /** Where the site listens on 127.0.0.1, and by which name it is called. */
  readonly port: number;
  readonly host: string;
  /** Whom a proxy says the request is from. Left out: an address of its own for each, so that no limit is met. */
  readonly from: string | undefined;
  /** Told of every answer. */
  readonly judge: (answer: Answer, what: string) => void;
}

let addresses = 0;
/** Of the networks that are kept for such tests: https://www.rfc-editor.org/rfc/rfc2544 */
function nextAddress(): string {
  addresses += 1;
  return `198.${String(18 + ((addresses >> 16) & 1))}.${String((addresses >> 8) & 255)}.${String(addresses & 255)}`;
}

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
/** Long after any answer is due. */
const patienceMs = 20_000;

export function newVisitor({ port, host, from, judge }: Door): Visitor {
  const cookies = new Map<string, string>();
  const visitor: Visitor = {
    cookies,
    async send(path, { method = "GET", headers = {}, body } = {}) {
      const own = {
        host,
        "x-forwarded-for": from ?? nextAddress(),
        ...(cookies.size === 0 ? {} : { cookie: headerOf(cookies) }),
      };
      const answer = await exchange(
        { port, path, method, headers: { ...own, ...headers }, agent, host: "127.0.0.1" },
        body,
      );
      keepCookies(cookies, answer);
      const isInVain = from === undefined && answer.headers["retry-after"] !== undefined;
      assert.ok(!isInVain, `${method} ${path} has met nothing but a limit`);
      judge(answer, `${method} ${path}`);
      return answer;
    },
    get: (path) => visitor.send(path),
    post: (path, fields, headers = {}) =>
      visitor.send(path, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
        body: encoded(fields),
      }),
    async submit(page, action, fields = {}) {
      const form = formOf(await visitor.get(page), action);
      return visitor.post(action, { ...form.fields, ...fields });
    },
  };
  return visitor;
}

function encoded(fields: Fields): string {
  const pairs = isPairs(fields) ? fields : Object.entries(fields);
  return pairs.map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
}

const isPairs = (fields: Fields): fields is readonly (readonly [string, string])[] => Array.isArray(fields);

function exchange(options: RequestOptions, body: Sent["body"]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      const { statusCode = 0, headers } = response;
      readText(response).then((text) => {
        resolve({ status: statusCode, headers, text });
      }, reject);
    });
    sent.setTimeout(patienceMs, () => sent.destroy(new Error("no answer")));
    sent.once("error", reject);
    sent.end(body);
  });
}

const headerOf = (cookies: ReadonlyMap<string, string>) =>
  [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");

function keepCookies(cookies: Map<string, string>, { headers }: Answer): void {
  for (const line of headers["set-cookie"] ?? []) {
    const [, name = "", value = ""] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
    if (value === "" || /max-age=0/i.test(line)) cookies.delete(name);
    else cookies.set(name, value);
  }
}

// ---- Pages ------------------------------------------------------------------------------------------------------

const unescaped = (text: string): string =>
  text
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");

/** The value of an attribute as it stands in a tag. */
export const attributeOf = (tag: string, name: string): string | undefined => {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
  return value === undefined ? undefined : unescaped(value);
};

export const formsIn = ({ text }: Answer): readonly Form[] =>
  [...text.matchAll(/<form[^>]*>[^]*?<\/form>/g)].map(([form]) => ({
    action: attributeOf(form, "action") ?? "",
    fields: Object.fromEntries(
      [...form.matchAll(/<input[^>]*>/g)].map(([input]) => [
        attributeOf(input, "name") ?? "",
        attributeOf(input, "value") ?? "",
      ]),
    ),
  }));

export function formOf(answer: Answer, action: string): Form {
  const form = formsIn(answer).find((one) => one.action === action);
  return form ?? assert.fail(`no form for ${action} (${String(answer.status)}): ${answer.text}`);
}

export const headingOf = ({ text }: Answer): string => unescaped(/<h1>([^<]*)<\/h1>/.exec(text)?.[1] ?? "");
