/** What the tests of the whole daemon share: an installation that it runs in, its health, and its processes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { newVisitor, type Visitor } from "./attacks/visitor.ts";
import { nodeOptions } from "../lib/run-script.ts";
import { forShortRuns, type RunningScript, startScript } from "./harness.ts";
import { startInstallation, type Installation } from "./installation.ts";
import { freePort } from "./synapse/homeserver.ts";

const healthShape = z.object({
  healthy: z.boolean(),
  troubles: z.array(z.string()),
  nextRound: z.string().nullable(),
  roundsLeftOut: z.int(),
  scripts: z.record(
    z.string(),
    z.object({
      endedAt: z.string().nullable(),
      exitCode: z.int().nullable(),
      endedBy: z.string().nullable(),
    }),
  ),
  listeners: z.record(z.string(), z.object({ up: z.boolean(), restarts: z.int() })),
  snapshotAgeSeconds: z.int().nullable(),
  held: z.record(z.string(), z.object({ hash: z.string(), count: z.int() })).optional(),
});
export type HealthSeen = z.infer<typeof healthShape> & { readonly status: number };

export interface DaemonStage extends Installation {
  readonly healthPort: number;
  readonly linkPort: number;
  /** Somebody before the link pages. */
  visitor(): Visitor;
  /** Starts the daemon; it is not left behind by a test that fails. */
  startDaemon(...args: readonly string[]): RunningDaemon;
}

export interface RunningDaemon extends RunningScript {
  readonly pid: number;
  /** What it says of itself; undefined where nobody answers. */
  health(port?: number): Promise<HealthSeen | undefined>;
  /** What it has logged so far. */
  log(): string;
  /** All processes that it has started and that are alive, by the script that they run. */
  children(): ReadonlyMap<string, number>;
  /** Asks it to end, and gives all that it said. */
  stop(): ReturnType<() => RunningScript["result"]>;
}

export interface DaemonStageOptions {
  readonly sync: string;
  readonly platforms: readonly ("discord" | "matrix")[];
  /** Serves the link pages, with Discord's OAuth. */
  readonly pages?: boolean;
  /** Added to the config. */
  readonly config?: Readonly<Record<string, unknown>>;
}

interface TestLike {
  after(fn: () => void | Promise<void>): void;
}

/** One role and one room for subscribers on the platforms that are asked for. */
export async function setDaemonStage(test: TestLike, options: DaemonStageOptions): Promise<DaemonStage> {
  const home = await startInstallation(test, { config: options.config ?? {} });
  const [healthPort, linkPort] = [await freePort(), await freePort()];
  const { config, roles, aliases } = home;
  config.roles = { [roles.subscription]: { type: "subscription" } };
  config.rooms = { [aliases.subscription]: { type: "subscription" } };
  if (!options.platforms.includes("discord")) {
    delete config.discord;
    delete config.roles;
  }
  if (!options.platforms.includes("matrix")) {
    delete config.matrix;
    delete config.rooms;
  }
  config["schedule"] = { sync: options.sync, health_port: healthPort };
  if (options.pages === true) addPages(home, linkPort);
  home.saveConfig();
  return {
    ...home,
    healthPort,
    linkPort,
    visitor: () =>
      newVisitor({ port: linkPort, host: `localhost:${linkPort}`, from: undefined, judge: () => undefined }),
    startDaemon(...args) {
      const script = startScript("daemon", args, {
        cwd: home.folder,
        // As npm has it, so that what Node warns of shows.
        env: { NODE_NO_WARNINGS: "" },
        nodeOptions: [...forShortRuns, ...nodeOptions],
      });
      const { pid = 0 } = script.process;
      test.after(() => void script.process.kill("SIGKILL"));
      let said = "";
      script.process.stderr?.on("data", (chunk: string) => (said += chunk));
      return {
        ...script,
        pid,
        health: (port = healthPort) => askHealth(port),
        log: () => said,
        children: () => scriptsUnder(pid),
        stop() {
          script.process.kill("SIGTERM");
          return script.result;
        },
      };
    },
  };
}

function addPages({ config, town: { fanvue, discord } }: Installation, port: number): void {
  const address = `http://localhost:${port}`;
  const callback = `${address}/callback`;
  fanvue.app.redirectUris.push(callback);
  discord.world.application.redirectUris.push(callback);
  Object.assign(config.fanvue, { redirect_uri: callback });
  Object.assign(config.discord ?? {}, {
    oauth_client_id: discord.world.application.id,
    oauth_client_secret: discord.world.application.clientSecret,
    oauth_redirect_uri: callback,
  });
  config["link"] = { public_url: address, port };
  config["trust_proxy"] = true;
}

/** What the daemon says of itself at this port; undefined where nobody answers. */
export async function askHealth(port: number): Promise<HealthSeen | undefined> {
  const response = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
  return response && { ...healthShape.parse(await response.json()), status: response.status };
}

// ---- Processes --------------------------------------------------------------------------------------------------

export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** "Z" at the beginning: it has ended, and nobody has asked how. */
  readonly state: string;
  readonly command: string;
}

export const processes = (): readonly Process[] =>
  execFileSync("ps", ["-A", "-ww", "-o", "pid=,ppid=,stat=,args="], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => {
      const [, pid, parent, state = "", command = ""] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
      return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), state, command }];
    });

/** The scripts that a process has started and that are alive, by name. */
export const scriptsUnder = (parentPid: number): ReadonlyMap<string, number> =>
  new Map(
    processes().flatMap(({ pid, parent, command, state }) => {
      if (parent !== parentPid) return [];
      const name = /\/scripts\/([\w-]+)\.ts\b/.exec(command)?.[1];
      return name === undefined || state.startsWith("Z") ? [] : [[name, pid] as const];
    }),
  );

/** Everything alive that works in this folder, whoever started it. */
export const processesIn = ({ dataDir, folder }: Installation): readonly Process[] =>
  processes().filter(({ command }) => command.includes(dataDir) || command.includes(folder));

export const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Resolves once it is so; fails after a while, and says what was logged until then. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  daemon?: RunningDaemon,
  patienceMs = 30_000,
): Promise<void> {
  const giveUpAtMs = Date.now() + patienceMs;
  while (!(await isSo())) {
    if (Date.now() > giveUpAtMs)
      assert.fail(`it did not come to pass that ${what}\n${daemon?.log().slice(-5000) ?? ""}`);
    await pause(60);
  }
}
