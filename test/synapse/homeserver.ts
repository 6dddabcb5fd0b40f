/** Synapse, the reference homeserver, on a loopback port, with SQLite in a folder that is gone afterwards. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { makeTemporaryFolder } from "../harness.ts";

const projectDir = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const python = join(projectDir, ".venv", "bin", "python");

export const serverName = "matrix.test";

export interface Synapse {
  readonly url: string;
  /** Opens `/_synapse/admin/v1/register`. */
  readonly registrationSecret: string;
  readonly database: string;
  /** Its log so far. Every request is one line there, with who asked and what was answered. */
  log(): string;
  stop(): Promise<void>;
}

/** Why there is nothing to start, in a sentence; undefined where Synapse is installed. */
export function whyMissing(): string | undefined {
  if (existsSync(python)) return undefined;
  return "Synapse, the homeserver of these tests, is not installed: `npm run test:setup` puts it into .venv.";
}

/** Starts it and waits until it answers. Throws, with the end of its log, where it does not. */
export async function startSynapse(): Promise<Synapse> {
  const folder = makeTemporaryFolder("fanvue-sync-synapse-");
  const registrationSecret = randomBytes(16).toString("hex");
  const port = await freePort();
  const url = `http://127.0.0.1:${String(port)}`;
  const file = (name: string) => join(folder, name);
  writeFileSync(file("signing.key"), `ed25519 a_test ${unpadded(randomBytes(32))}\n`);
  writeFileSync(file("log.yaml"), JSON.stringify(logConfig(file("homeserver.log"))));
  writeFileSync(file("homeserver.yaml"), JSON.stringify(configOf({ folder, url, port, registrationSecret })));

  const output = openSync(file("output.txt"), "a");
  const child = spawn(python, ["-m", "synapse.app.homeserver", "--config-path", file("homeserver.yaml")], {
    cwd: folder,
    stdio: ["ignore", output, output],
  });
  const killAtExit = () => void child.kill("SIGKILL");
  process.once("exit", killAtExit);
  const log = () => ["output.txt", "homeserver.log"].map((name) => readIfThere(file(name))).join("");

  const synapse: Synapse = {
    url,
    registrationSecret,
    database: file("homeserver.db"),
    log,
    async stop() {
      await stopProcess(child);
      process.off("exit", killAtExit);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  if (await answersSoon(url, child)) return synapse;
  const words = log().split("\n").slice(-30).join("\n");
  await synapse.stop();
  throw new Error(`Synapse did not start:\n${words}`);
}

// ---- Its files --------------------------------------------------------------------------------------------------

/** Other homeservers are looked for on this machine only: an exception of 127.0.0.1 would not hold for bare addresses. */
const allButLoopback = [
  "0.0.0.0/2",
  "64.0.0.0/3",
  "96.0.0.0/4",
  "112.0.0.0/5",
  "120.0.0.0/6",
  "124.0.0.0/7",
  "126.0.0.0/8",
  "128.0.0.0/1",
  "::/0",
];

/** Rate limits are not named here: they are those that Synapse has when its operator changes nothing. */
function configOf(given: {
  readonly folder: string;
  readonly url: string;
  readonly port: number;
  readonly registrationSecret: string;
}) {
  const { folder, url, port } = given;
  return {
    server_name: serverName,
    public_baseurl: url,
    pid_file: join(folder, "homeserver.pid"),
    listeners: [
      {
        port,
        bind_addresses: ["127.0.0.1"],
        type: "http",
        tls: false,
        resources: [{ names: ["client", "federation"] }],
      },
    ],
    database: { name: "sqlite3", args: { database: join(folder, "homeserver.db") } },
    log_config: join(folder, "log.yaml"),
    media_store_path: join(folder, "media"),
    signing_key_path: join(folder, "signing.key"),
    report_stats: false,
    suppress_key_server_warning: true,
    trusted_key_servers: [],
    ip_range_blacklist: allButLoopback,
    registration_shared_secret: given.registrationSecret,
    macaroon_secret_key: randomBytes(16).toString("hex"),
    form_secret: randomBytes(16).toString("hex"),
    // Passwords are not what is tested, and the usual 12 cost a third of a second per account.
    bcrypt_rounds: 4,
  };
}

const logConfig = (filename: string) => ({
  version: 1,
  formatters: { plain: { format: "%(asctime)s %(levelname)s %(name)s %(message)s" } },
  handlers: { file: { class: "logging.FileHandler", formatter: "plain", filename } },
  root: { level: "INFO", handlers: ["file"] },
  disable_existing_loggers: false,
});

const unpadded = (bytes: Buffer) => bytes.toString("base64").replaceAll("=", "");

const readIfThere = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");

// ---- Its process ------------------------------------------------------------------------------------------------

/** Synapse wants to be told its port. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  server.close();
  await once(server, "close");
  return address.port;
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;

/** Asks for a minute: a small machine that has other work, too, takes its time. */
async function answersSoon(url: string, child: ChildProcess): Promise<boolean> {
  for (let tries = 0; tries < 600 && !hasEnded(child); tries += 1) {
    const response = await fetch(`${url}/health`).catch(() => undefined);
    if (response?.ok === true) return true;
    await sleep(100);
  }
  return false;
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await ended;
  clearTimeout(timer);
}
