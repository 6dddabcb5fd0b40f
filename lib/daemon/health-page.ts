/** The page that says how the daemon is, for programs on this machine. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { listen, stopListening } from "../listen.ts";
import type { Log } from "../log.ts";
import type { Health } from "./health.ts";

export interface HealthPage {
  /** Serves it there, and no longer where it was; undefined: nowhere. Throws an OperatorError where it cannot, and stays. */
  move(port: number | undefined): Promise<void>;
}

const host = "127.0.0.1";
export const healthUrl = (port: number): string => `http://${host}:${port}/healthz`;

/** So many ask at once; programs that watch ask now and then. */
const mostConnections = 20;

/** For this machine only. `health` is asked at each request. */
export function createHealthPage(health: () => Health, log: Log): HealthPage {
  let open: { readonly port: number; readonly server: Server } | undefined;

  async function serve(port: number): Promise<Server> {
    const server = createServer((request, response) => {
      try {
        answer(request, response, health);
      } catch (error) {
        log.error({ err: error }, "The health page could not be answered.");
        send(response, 500, { error: "This is a bug in fanvue-sync; its log says more." });
      }
    });
    server.maxConnections = mostConnections;
    await listen(server, { host, port, trouble: "The health page cannot be served", remedies, log });
    return server;
  }

  return {
    async move(port) {
      if (port === open?.port) return;
      const next = port === undefined ? undefined : { port, server: await serve(port) };
      const before = open;
      open = next;
      if (before !== undefined) await stopListening(before.server, 0);
    },
  };
}

const anotherPort = "Choose another schedule.health_port, of 1024 or more.";
const remedies = { taken: anotherPort, refused: anotherPort, noHost: anotherPort } as const;

function answer(request: IncomingMessage, response: ServerResponse, health: () => Health): void {
  const refusal = refusalOf(request);
  if (refusal !== undefined) {
    send(response, refusal.status, { error: refusal.error });
    return;
  }
  const body = health();
  send(response, body.healthy ? 200 : 503, body);
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    ...(status === 405 ? { Allow: "GET, HEAD" } : {}),
  });
  response.end(`${JSON.stringify(body, undefined, 2)}\n`);
}

/** A page of a stranger whose name was made to lead here must not read this: https://owasp.org/www-community/attacks/DNS_Rebinding */
const ownHost = /^(127\.0\.0\.1|localhost)(:\d+)?$/i;

function refusalOf({ headers, method, url }: IncomingMessage) {
  if (!ownHost.test(headers.host ?? "")) return { status: 403, error: "Ask for it as 127.0.0.1." };
  // Not by URL, which refuses what anybody may send.
  if (url?.split("?")[0] !== "/healthz") return { status: 404, error: "There is /healthz only." };
  if (method !== "GET" && method !== "HEAD") return { status: 405, error: "It is only to be read." };
  return undefined;
}
