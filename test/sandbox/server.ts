/**
 * The ground of the three stand-ins: a loopback HTTP server that keeps a log of its requests and misbehaves on cue.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { text as readText } from "node:stream/consumers";

export interface SandboxRequest {
  readonly method: string;
  /** Percent signs resolved, save those that would change the path's structure (an encoded slash, say). */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  /** As it came, and parsed where it is JSON or a form. */
  readonly text: string;
  readonly json: unknown;
  readonly form: URLSearchParams;
}

export interface Reply {
  readonly status: number;
  /** Sent as JSON; undefined: no body and no content type. A string is sent as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Recorded extends SandboxRequest {
  readonly status: number;
  readonly atMs: number;
}

/** What goes wrong: an answer of our own, an edited one, half a body, a dropped connection, or no answer at all. */
export type FaultKind =
  | { readonly kind: "answer"; readonly reply: Reply }
  | { readonly kind: "edit"; readonly edit: (body: unknown) => unknown }
  | { readonly kind: "cut" }
  | { readonly kind: "drop" }
  | { readonly kind: "hang" };

export interface Fault {
  readonly method?: string;
  readonly path: RegExp;
  readonly fault: FaultKind;
  /** How many matching requests pass before it begins. */
  skip?: number;
  /** How many times it strikes; undefined: for good. */
  times?: number;
  /** Counted by the stand-in, so that a test can tell that its fault was met at all. */
  struck?: number;
  /** Called each time it strikes, before anything else is done. */
  onStrike?: () => void;
}

export interface Sandbox {
  readonly url: string;
  /** Every request since the start, oldest first. */
  readonly requests: Recorded[];
  /** Push to break things, empty to mend them. */
  readonly faults: Fault[];
  stop(): Promise<void>;
}

export interface SandboxOptions {
  /** Added to each answer: rate headers, say. */
  readonly headers?: (request: SandboxRequest) => Readonly<Record<string, string>>;
  /** What the `Date` header says; default the machine's clock. */
  readonly now?: () => number;
  /** Default: any free one. */
  readonly port?: number;
  /** Takes the connections that change to another protocol (WebSocket); without it they are refused. */
  readonly upgrade?: (message: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

/** A path whose percent signs make no sense stays as it came: the stand-in answers 404, as a service would. */
function decodePath(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

async function toRequest(message: IncomingMessage): Promise<SandboxRequest> {
  const url = new URL(message.url ?? "/", "http://sandbox");
  const text = await readText(message);
  const headers = Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
  return {
    method: message.method ?? "GET",
    path: decodePath(url.pathname),
    query: url.searchParams,
    headers,
    text,
    json: parseJson(text),
    form: new URLSearchParams(text),
  };
}

/** The first fault that strikes this request; counts it down. */
function strike(faults: Fault[], request: SandboxRequest): FaultKind | undefined {
  for (const fault of faults) {
    if (fault.method !== undefined && fault.method !== request.method) continue;
    if (!fault.path.test(request.path)) continue;
    if (fault.skip !== undefined && fault.skip > 0) {
      fault.skip -= 1;
      continue;
    }
    if (fault.times === 0) continue;
    if (fault.times !== undefined) fault.times -= 1;
    fault.struck = (fault.struck ?? 0) + 1;
    fault.onStrike?.();
    return fault.fault;
  }
  return undefined;
}

function bodyText(body: unknown): string | undefined {
  if (body === undefined) return undefined;
  return typeof body === "string" ? body : JSON.stringify(body);
}

function send(response: ServerResponse, reply: Reply, extra: Readonly<Record<string, string>>): void {
  const isText = typeof reply.body === "string";
  const type = isText ? "text/plain; charset=utf-8" : "application/json";
  const body = bodyText(reply.body);
  response.writeHead(reply.status, {
    ...(body === undefined ? {} : { "content-type": type }),
    ...extra,
    ...reply.headers,
  });
  response.end(body);
}

/** Promises a length and breaks off half-way, as a dying proxy does. */
function sendCut(response: ServerResponse, reply: Reply, extra: Readonly<Record<string, string>>): void {
  const body = JSON.stringify(reply.body ?? {});
  response.writeHead(reply.status, {
    ...extra,
    ...reply.headers,
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
  });
  response.write(body.slice(0, Math.floor(body.length / 2)), () => response.destroy());
}

/** The request, or undefined when the client went away while sending it: a killed script is no fault of ours. */
async function receive(message: IncomingMessage): Promise<SandboxRequest | undefined> {
  try {
    return await toRequest(message);
  } catch (error) {
    if (message.complete) throw error;
    return undefined;
  }
}

/** Connections that change their protocol are no longer the server's own: gives a function that ends them. */
function takeUpgrades(server: Server, take: NonNullable<SandboxOptions["upgrade"]>): () => void {
  const taken = new Set<Duplex>();
  server.on("upgrade", (message, socket, head) => {
    taken.add(socket);
    socket.once("close", () => taken.delete(socket));
    take(message, socket, head);
  });
  return () => {
    for (const socket of taken) socket.destroy();
  };
}

async function listen(server: Server, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the sandbox listens on no port");
  return `http://127.0.0.1:${String(address.port)}`;
}

/** Starts a stand-in on 127.0.0.1. Unexpected errors of the handler answer 500 and are thrown at `stop`, so that tests see them. */
export async function serve(
  handle: (request: SandboxRequest) => Reply | Promise<Reply>,
  options: SandboxOptions = {},
): Promise<Sandbox> {
  const requests: Recorded[] = [];
  const faults: Fault[] = [];
  const bugs: unknown[] = [];
  const now = options.now ?? Date.now;

  async function answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await receive(message);
    if (request === undefined) return;
    const record = (status: number) => requests.push({ ...request, status, atMs: now() });
    const extra = { date: new Date(now()).toUTCString(), ...options.headers?.(request) };
    const struck = strike(faults, request);
    if (struck?.kind === "hang") return void record(0);
    if (struck?.kind === "drop") {
      record(0);
      response.destroy();
      return;
    }
    if (struck?.kind === "answer") {
      record(struck.reply.status);
      send(response, struck.reply, extra);
      return;
    }
    const reply = await handle(request);
    record(reply.status);
    if (struck?.kind === "cut") sendCut(response, reply, extra);
    else if (struck?.kind === "edit")
      send(response, { ...reply, body: struck.edit(structuredClone(reply.body)) }, extra);
    else send(response, reply, extra);
  }

  const server = createServer((message, response) => {
    answer(message, response).catch((error: unknown) => {
      bugs.push(error);
      if (!response.headersSent) send(response, { status: 500, body: { error: "sandbox bug" } }, {});
    });
  });
  const endUpgraded = options.upgrade === undefined ? undefined : takeUpgrades(server, options.upgrade);
  const url = await listen(server, options.port ?? 0);

  return {
    url,
    requests,
    faults,
    async stop() {
      endUpgraded?.();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      if (bugs.length > 0) throw new AggregateError(bugs, "the sandbox itself failed");
    },
  };
}
