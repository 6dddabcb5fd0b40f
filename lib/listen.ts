/** Having an HTTP server listen, and ending it: what can go wrong becomes a sentence, and later troubles a line in the log. */
import type { Server } from "node:http";
import { errorCode } from "./db/disk.ts";
import { BadInputError, NotNowError } from "./errors.ts";
import type { Log } from "./log.ts";

export interface Listening {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** What is served, as the beginning of a sentence, such as "The link pages cannot be served". */
  readonly trouble: string;
  /** What to do where the port is taken, where this user may not have it, and where the machine has no such host. */
  readonly remedies: { readonly taken: string; readonly refused: string; readonly noHost: string };
  readonly log: Log;
}

/** Listens, and returns the port. Throws an OperatorError where it cannot. */
export async function listen(server: Server, options: Listening): Promise<number> {
  const { host, port, trouble, log } = options;
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once("error", reject);
  server.listen({ host, port }, () => {
    resolve(undefined);
  });
  try {
    await promise;
  } catch (error) {
    throw cannotListen(error, options);
  }
  server.off("error", reject);
  // Such as a connection that cannot be accepted because too many files are open: the others are served.
  server.on("error", (error) => {
    log.error(`${trouble} at ${host} for the moment: ${error.message}`);
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

function cannotListen(error: unknown, { host, port, trouble, remedies }: Listening): Error {
  const at = `${trouble} at ${host}, port ${port}`;
  switch (errorCode(error) ?? "") {
    case "EADDRINUSE":
      return new NotNowError(`${at}: another program listens there.`, remedies.taken, error);
    case "EACCES":
      return new BadInputError(`${at}: this user may not listen there.`, remedies.refused, error);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new BadInputError(`${at}: this machine has no such address.`, remedies.noHost, error);
    default:
      return error instanceof Error ? error : new Error(String(error));
  }
}

/** Takes nobody in any more, lets those under way finish for a while, and then cuts them off. */
export async function stopListening(server: Server, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  server.close(() => {
    resolve(undefined);
  });
  const timer = setTimeout(() => {
    server.closeAllConnections();
  }, graceMs);
  await promise;
  clearTimeout(timer);
}
