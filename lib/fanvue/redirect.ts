/** Waits for the person who authorizes to come back: at the redirect address, or with that address pasted. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { errorCode } from "../db/disk.ts";
import { BadInputError } from "../errors.ts";
import { isLoopback } from "../loopback.ts";
import type { RedirectResult } from "./oauth.ts";

/** Somebody came back with an answer of this attempt. */
export interface Arrival {
  readonly result: Exclude<RedirectResult, { is: "foreign" }>;
  /** Tells the browser how it ended, where one waits. */
  reply(text: string): Promise<void>;
}

export interface RedirectAsk {
  readonly redirectUri: string;
  readonly judge: (parameters: URLSearchParams) => RedirectResult;
  /** Says something to the person at the terminal. */
  readonly tell: (text: string) => void;
  /** Where an address can be pasted. */
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly signal: AbortSignal;
}

const plainText = {
  "content-type": "text/plain; charset=utf-8",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  connection: "close",
};

/**
 * Waits for the first answer of this attempt; what belongs to another attempt is turned away and waiting goes on.
 * `use` gets the answer while the browser still waits. Throws BadInputError when nobody can come back any more.
 */
export async function awaitRedirect<T>(ask: RedirectAsk, use: (arrival: Arrival) => Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<Arrival>();
  const onAbort = () => {
    reject(ask.signal.reason instanceof Error ? ask.signal.reason : new Error("stopped"));
  };
  ask.signal.addEventListener("abort", onAbort);
  const servers = await listen(ask, resolve);
  const stopReading =
    servers.length === 0 || ask.input.isTTY === true
      ? readPasted(ask, servers.length > 0, resolve, reject)
      : undefined;
  try {
    ask.signal.throwIfAborted();
    return await use(await promise);
  } finally {
    ask.signal.removeEventListener("abort", onAbort);
    stopReading?.();
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  }
}

type Arrive = (arrival: Arrival) => void;

// ---- At the redirect address ------------------------------------------------------------------------------------

/**
 * Servers at the redirect address; none where it leads elsewhere, or where any of it is taken: the browser might then
 * come to the other program.
 */
async function listen(ask: RedirectAsk, arrive: Arrive): Promise<readonly Server[]> {
  const uri = new URL(ask.redirectUri);
  if (uri.protocol !== "http:" || !isLoopback(uri.hostname)) return [];
  const port = uri.port === "" ? 80 : Number(uri.port);
  // A browser may take "localhost" for either.
  const hosts = uri.hostname === "localhost" ? ["127.0.0.1", "::1"] : [uri.hostname.replaceAll(/[[\]]/g, "")];
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    visit(ask, uri, request, response, arrive);
  };
  const started = await Promise.all(hosts.map((host) => startServer(host, port, handle)));
  const servers = started.filter((server) => typeof server === "object");
  if (servers.length > 0 && !started.includes("not free")) return servers;
  for (const server of servers) server.close();
  ask.tell(
    `${uri.host} is not free for us; perhaps link-server is running. Stop it and begin anew, or go on: whatever the browser shows at the end, its address is what counts.`,
  );
  return [];
}

/** Of a machine without such an address, one without IPv6 say. */
const isNotHere = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

function startServer(
  host: string,
  port: number,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Server | "not free" | "not here"> {
  return new Promise((resolve) => {
    const server = createServer(handle);
    server.once("error", (error) => {
      resolve(isNotHere.has(errorCode(error) ?? "") ? "not here" : "not free");
    });
    server.listen(port, host, () => {
      resolve(server);
    });
  });
}

function visit(
  ask: RedirectAsk,
  uri: URL,
  request: IncomingMessage,
  response: ServerResponse,
  arrive: Arrive,
): void {
  // Anybody may ask for anything, such as "//", which is no address.
  const url = URL.parse(request.url ?? "/", uri.href);
  if (request.method !== "GET" || url?.pathname !== uri.pathname) {
    void answer(response, 404, "Nothing is here.");
    return;
  }
  const result = ask.judge(url.searchParams);
  if (result.is === "foreign") {
    void answer(response, 400, "This address belongs to another attempt. Please use the newest one.");
    return;
  }
  arrive({ result, reply: (text) => answer(response, 200, text) });
}

function answer(response: ServerResponse, status: number, text: string): Promise<void> {
  if (response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    response.once("close", resolve);
    response.writeHead(status, plainText).end(`${text}\n`);
  });
}

// ---- Pasted -----------------------------------------------------------------------------------------------------

/** Reads lines until one holds an answer of this attempt; gives how to stop. */
function readPasted(
  ask: RedirectAsk,
  mayComeOtherwise: boolean,
  arrive: Arrive,
  fail: (error: Error) => void,
): () => void {
  ask.tell("When you have agreed, paste the whole address that the browser then shows, and press Enter:");
  const lines = createInterface({ input: ask.input });
  lines.on("line", (line) => {
    if (line.trim() === "") return;
    const result = judgePasted(line.trim(), ask);
    if (typeof result === "string") ask.tell(result);
    else arrive({ result, reply: () => Promise.resolve() });
  });
  lines.on("close", () => {
    if (mayComeOtherwise) return;
    fail(
      new BadInputError(
        "No address was pasted, so Fanvue is not connected.",
        "Run `npm run authorize` on a terminal and paste the address that the browser shows at the end.",
      ),
    );
  });
  return () => {
    lines.close();
  };
}

/** An answer of this attempt, or what is wrong with the line. The line is not repeated: it may hold a code. */
function judgePasted(line: string, ask: RedirectAsk): Arrival["result"] | string {
  const uri = new URL(ask.redirectUri);
  const url = URL.parse(line);
  if (url === null) {
    return `That is not a whole address. It begins with ${uri.origin}${uri.pathname}?`;
  }
  const result = ask.judge(url.searchParams);
  if (result.is !== "foreign") return result;
  return url.searchParams.has("state")
    ? "That address belongs to another attempt. Please open the address above, and paste what comes of it."
    : `That address holds no answer of Fanvue. It begins with ${uri.origin}${uri.pathname}? and holds code= and state=.`;
}
