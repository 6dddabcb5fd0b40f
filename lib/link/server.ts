/** The link pages' web server: where it listens, how long it waits for anybody, and how it ends. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { errorCode } from "../db/disk.ts";
import { listen, stopListening } from "../listen.ts";
import type { Log } from "../log.ts";
import type { LinkApp } from "./app.ts";
import { securityHeaders } from "./headers.ts";
import { common, troubles } from "./texts.ts";

export interface LinkServerOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** The site's address begins with https. */
  readonly isSecure: boolean;
  readonly log: Log;
}

export interface LinkServer {
  readonly port: number;
  /** Takes nobody in any more, lets those under way finish for up to 2 s, and then cuts them off. */
  close(): Promise<void>;
}

const seconds = (count: number): number => count * 1000;
const limits = {
  headerBytes: 8 * 1024,
  connections: 1000,
  headersMs: seconds(10),
  requestMs: seconds(15),
  keepAliveMs: seconds(5),
  /** Longer than any answer takes: other services are waited for meanwhile. */
  silenceMs: seconds(90),
  closingMs: seconds(2),
} as const;

const remedies = {
  taken: "End it, which may be another link-server, or choose another link.port.",
  refused: "Choose a link.port of 1024 or more, and let a reverse proxy stand before it.",
  noHost: 'Set link.host to "127.0.0.1", or to an address of this machine.',
} as const;

/** Listens. Throws an OperatorError where it cannot. */
export async function serveLinkApp(app: LinkApp, options: LinkServerOptions): Promise<LinkServer> {
  const listener = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    errorHandler: () => plainResponse(400, options),
  });
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: seconds(1),
      // Refused further on, with our headers.
      requireHostHeader: false,
    },
    (incoming: IncomingMessage, outgoing: ServerResponse) => void listener(incoming, outgoing),
  );
  server.maxConnections = limits.connections;
  server.timeout = limits.silenceMs;
  server.on("clientError", (error, socket) => {
    refuseConnection(error, socket, options);
  });
  // Without this, Node answers by itself, with none of our headers.
  server.on("checkExpectation", (_: IncomingMessage, outgoing: ServerResponse) => {
    options.log.info({ method: "none", route: "none", status: 417 }, "answered");
    outgoing.writeHead(417, { ...plainHeaders(options), Connection: "close" }).end(plainPage(417));
  });
  const { host, port, log } = options;
  return {
    port: await listen(server, { host, port, trouble: "The link pages cannot be served", remedies, log }),
    close: () => stopListening(server, limits.closingMs),
  };
}

// ---- What never becomes a request -------------------------------------------------------------------------------

const reasons = {
  400: "Bad Request",
  408: "Request Timeout",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
} as const;
type PlainStatus = keyof typeof reasons;

const plainHeaders = ({
  isSecure,
}: Pick<LinkServerOptions, "isSecure">): Readonly<Record<string, string>> => ({
  ...securityHeaders(isSecure),
  "Content-Type": "text/html; charset=utf-8",
});

const plainPage = (status: PlainStatus): string => {
  const { title, text } = troubles.unreadable;
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${reasons[status]}</title></head>` +
    `<body><main><h1>${title}</h1><p>${text}</p><p><a href="/">${common.startAgain}</a></p></main></body></html>\n`
  );
};

const plainResponse = (status: PlainStatus, options: LinkServerOptions): Response =>
  new Response(plainPage(status), { status, headers: plainHeaders(options) });

/** Requests that cannot be parsed, are too large in their headers, or take too long. */
function refuseConnection(error: Error, socket: Duplex, options: LinkServerOptions): void {
  if (errorCode(error) === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = statusOf(errorCode(error));
  const page = plainPage(status);
  const headers = {
    ...plainHeaders(options),
    "Content-Length": Buffer.byteLength(page),
    Connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  options.log.info({ method: "none", route: "none", status }, "answered");
  socket.end([`HTTP/1.1 ${status} ${reasons[status]}`, ...lines, "", page].join("\r\n"));
}

function statusOf(code: string | undefined): PlainStatus {
  if (code === "HPE_HEADER_OVERFLOW") return 431;
  return code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
}
