/** A temporary installation for one world, and syncs in it that are measured from outside. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { stringify } from "yaml";
import { z } from "zod";

import { openDatabase } from "../../lib/db.ts";
import { startScript, type RunningScript } from "../harness.ts";
import { holdersOf } from "../sandbox/discord-world.ts";
import { startDiscord, type DiscordSandbox } from "../sandbox/discord.ts";
import type { Generation } from "../sandbox/fanvue-pages.ts";
import { startFanvue, type FanvueSandbox } from "../sandbox/fanvue.ts";
import type { Recorded } from "../sandbox/server.ts";
import { entitlements, minSpendCents, roles, type BenchWorld } from "./world.ts";

/** What one sync took. */
export interface Measured {
  readonly requests: number;
  readonly discordRequests: number;
  /** From the first of them to the last. */
  readonly discordSeconds: number;
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly peakMegabytes: number;
}

export interface BenchInstallation {
  readonly configPath: string;
  readonly dataDir: string;
  /** Runs sync-discord. Throws when it fails, or Discord does not show what the world entitles to. */
  sync(): Promise<Measured>;
  /** Makes the stored snapshot too old to serve the next sync, as the minutes between two crontab runs do. */
  ageSnapshot(): Promise<void>;
  databaseMegabytes(): number;
  /** Writes the config anew, with these sections in it. */
  configure(more: Readonly<Record<string, unknown>>): void;
  stop(): Promise<void>;
}

const unlimited = 1_000_000_000;
const usageShape = z.object({ maxRSS: z.number(), userCPUTime: z.number(), systemCPUTime: z.number() });

/** Starts the stand-ins over a world, and writes config, address book and token. `more`: sections of the config. */
export async function install(
  world: BenchWorld,
  generation: Generation,
  more: Readonly<Record<string, unknown>> = {},
): Promise<BenchInstallation> {
  const fanvue = await startFanvue({
    world: world.fanvue,
    rate: { limit: unlimited },
    quirks: { generations: [generation] },
  });
  const discord = await startDiscord({ world: world.discord });
  const folder = mkdtempSync(join(tmpdir(), "fanvue-sync-bench-"));
  const dataDir = join(folder, "data");
  mkdirSync(dataDir, { mode: 0o700 });
  const configure = (changes: Readonly<Record<string, unknown>>) => {
    save(folder, "config.yaml", stringify({ ...configOf(world, fanvue, discord), ...more, ...changes }));
  };
  configure({});
  save(folder, "discord_addressbook.yaml", bookOf(world));
  save(
    dataDir,
    "fanvue-token.json",
    JSON.stringify({ ...fanvue.issueToken(), creatorUuid: world.fanvue.creator.uuid }),
  );

  let running: RunningScript | undefined;
  const leaveNothing = () => {
    running?.process.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", leaveNothing);

  return {
    configPath: join(folder, "config.yaml"),
    dataDir,
    async sync() {
      fanvue.api.requests.length = 0;
      discord.requests.length = 0;
      const startedAtMs = performance.now();
      running = startMeasured(folder);
      const { code, stdout, stderr } = await running.result;
      const seconds = (performance.now() - startedAtMs) / 1000;
      if (code !== 0)
        throw new Error(`sync-discord ended with ${String(code)}: ${stderr}${stdout.slice(-2000)}`);
      checkRoles(world);
      const asked = {
        requests: fanvue.api.requests.length,
        discordRequests: discord.requests.length,
        discordSeconds: secondsOver(discord.requests),
      };
      return { ...asked, seconds, ...loadUsage(folder) };
    },
    ageSnapshot: () =>
      openDatabase(dataDir).write((sql) => {
        sql.run("UPDATE snapshot SET ended_at_ms = ended_at_ms - 3600000");
      }),
    configure,
    databaseMegabytes: () => statSync(join(dataDir, "fanvue-sync.db")).size / 1e6,
    async stop() {
      process.off("exit", leaveNothing);
      leaveNothing();
      await Promise.all([fanvue.stop(), discord.stop()]);
    },
  };
}

function secondsOver(requests: readonly Recorded[]): number {
  const [first, last] = [requests[0], requests.at(-1)];
  return first === undefined || last === undefined ? 0 : (last.atMs - first.atMs) / 1000;
}

function save(folder: string, name: string, text: string): void {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
}

const configOf = ({ post }: BenchWorld, fanvue: FanvueSandbox, discord: DiscordSandbox) => ({
  fanvue: {
    client_id: fanvue.app.clientId,
    client_secret: fanvue.app.clientSecret,
    redirect_uri: fanvue.app.redirectUris[0],
    api_url: fanvue.apiUrl,
    auth_url: fanvue.authUrl,
  },
  discord: {
    token: discord.world.bot.token,
    guild_id: discord.world.guild.id,
    api_url: discord.apiUrl,
    oauth_client_id: discord.world.application.id,
    oauth_client_secret: discord.world.application.clientSecret,
    oauth_redirect_uri: discord.world.application.redirectUris[0],
  },
  roles: {
    [roles.subscribers]: { type: "subscription" },
    [roles.patrons]: { type: "spending", min_lifetime_spend_cents: minSpendCents },
    [roles.backstage]: { type: "unlock", content_id: post },
  },
  // Everything was given less than a day ago, so the brakes would hold what a real installation of this age would not.
  limits: { min_removals_per_place: 1_000_000, min_removals_per_target: 1_000_000 },
});

const bookOf = ({ discordIds }: BenchWorld): string =>
  [...discordIds].map(([{ uuid }, id]) => `${uuid}:\n  - "${id}"\n`).join("");

const usagePathIn = (folder: string) => join(folder, "usage.json");

function startMeasured(folder: string): RunningScript {
  const preload = new URL("usage.ts", import.meta.url).href;
  const options = `${process.env["NODE_OPTIONS"] ?? ""} --import ${preload}`;
  return startScript("sync-discord", ["--json"], {
    cwd: folder,
    env: { BENCH_USAGE: usagePathIn(folder), NODE_OPTIONS: options },
    // As everybody runs it.
    nodeOptions: [],
  });
}

/** Microseconds and kilobytes: https://nodejs.org/api/process.html#processresourceusage */
function loadUsage(folder: string): Pick<Measured, "processorSeconds" | "peakMegabytes"> {
  const usage = usageShape.parse(JSON.parse(readFileSync(usagePathIn(folder), "utf8")));
  return {
    processorSeconds: (usage.userCPUTime + usage.systemCPUTime) / 1e6,
    peakMegabytes: usage.maxRSS / 1000,
  };
}

/** A sync that asks little because it does little must not shine. */
function checkRoles(world: BenchWorld): void {
  for (const [role, due] of entitlements(world)) {
    const held = new Set(holdersOf(world.discord, role));
    const wrong =
      [...held].filter((id) => !due.has(id)).length + [...due].filter((id) => !held.has(id)).length;
    if (wrong > 0) throw new Error(`${String(wrong)} members have the role ${role} wrongly, or lack it`);
  }
}
