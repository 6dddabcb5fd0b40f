/** The page that says how the daemon is, for programs on this machine. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { errorCode } from "../db/disk.ts";
import { BadInputError } from "../errors.ts";
import type { Health } from "./health.ts";

export interface HealthPage {
  /** Serves it there, and no longer where it was; undefined: nowhere. Throws a BadInputError where it cannot, and stays. */
  move(port: number | undefined): Promise<void>;
}

const host = "127.0.0.1";
export const healthUrl = (port: number): string => `http://${host}:${port}/healthz`;

/** For this machine only. `health` is asked at each request. */
export function createHealthPage(health: () => Health): HealthPage {
  let open: { readonly port: number; readonly server: Server } | undefined;
  return {
    async move(port) {
      if (port === open?.port) return;
      const next = port === undefined ? undefined : { port, server: await listen(port, health) };
      if (open !== undefined) await close(open.server);
      open = next;
    },
  };
}

async function listen(port: number, health: () => Health): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request, response, health);
  });
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once("error", reject);
  server.listen({ host, port }, () => {
    resolve(undefined);
  });
  try {
    await promise;
  } catch (error) {
    throw cannotListen(error, port);
  }
  server.off("error", reject);
  return server;
}

function cannotListen(error: unknown, port: number): Error {
  const at = `The health page cannot be served at ${host}, port ${port}`;
  const remedy = "Choose another schedule.health_port, of 1024 or more.";
  if (errorCode(error) === "EADDRINUSE")
    return new BadInputError(`${at}: another program listens there.`, remedy, error);
  if (errorCode(error) === "EACCES")
    return new BadInputError(`${at}: this user may not listen there.`, remedy, error);
  return error instanceof Error ? error : new Error(String(error));
}

async function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  server.close(() => {
    resolve(undefined);
  });
  server.closeAllConnections();
  await promise;
}

function answer(request: IncomingMessage, response: ServerResponse, health: () => Health): void {
  const refusal = refusalOf(request);
  const body = refusal === undefined ? health() : { error: refusal.error };
  const status = refusal?.status ?? ("healthy" in body && body.healthy ? 200 : 503);
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
  if (new URL(url ?? "/", "http://localhost").pathname !== "/healthz")
    return { status: 404, error: "There is /healthz only." };
  if (method !== "GET" && method !== "HEAD") return { status: 405, error: "It is only to be read." };
  return undefined;
}
