/** Opens Fanvue for a script: its tokens, what is remembered of the API, and, on a terminal, the offer to connect the account. */
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import type { Context, OptionTable } from "./cli.ts";
import type { Database } from "./db.ts";
import { type Fanvue, type FanvueUser, type Memory, openFanvue } from "./fanvue/client.ts";
import { scopesFor } from "./fanvue/scopes.ts";
import { loadOldToken, loadToken } from "./fanvue/token.ts";
import { loadMeta, saveMeta } from "./store/meta.ts";

/** `remember: false`: what is found out about the API is not kept, as a dry run writes nothing. */
interface Remembering {
  readonly remember: boolean;
}

/** The Fanvue client of a script. On a terminal where no account is connected yet, offers to connect it first. */
export async function openSource(
  context: Context<OptionTable>,
  database: Database,
  { remember }: Remembering,
): Promise<Fanvue> {
  const { config, dataDir, log, signal } = context;
  const oldTokenPath = join(dirname(config.path), "fanvue_tokens.json");
  const isConnected = loadToken(dataDir) !== undefined || loadOldToken(oldTokenPath) !== undefined;
  if (!isConnected && (await agreesToConnect(signal))) await connectAccount(context, database, { remember });
  return openFanvue(config.fanvue, {
    dataDir,
    oldTokenPath,
    log,
    signal,
    memory: memoryIn(database, { remember }),
  });
}

/** Leads the person at the terminal through the authorization; gives whose account it is. */
export async function connectAccount(
  { config, dataDir, log, signal }: Context<OptionTable>,
  database: Database,
  remembering: Remembering,
): Promise<FanvueUser> {
  // Once in an installation's life: every other run would load a web server for nothing.
  const { authorize } = await import("./fanvue/authorize.ts");
  return authorize({
    config: config.fanvue,
    scopes: scopesFor(config),
    dataDir,
    memory: memoryIn(database, remembering),
    log,
    signal,
    tell: (text) => void process.stderr.write(`${text}\n`),
    input: process.stdin,
  });
}

async function agreesToConnect(signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question("No Fanvue account is connected yet. Connect it now? [Y/n] ", {
      signal,
    });
    return /^(y(es)?)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

function memoryIn(database: Database, { remember }: Remembering): Memory {
  return {
    load: (key) => database.read((sql) => loadMeta(sql, key)),
    async save(key, value) {
      if (!remember) return;
      await database.write((sql) => {
        saveMeta(sql, key, value);
      });
    },
  };
}
