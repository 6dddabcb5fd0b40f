/** What the tests of the upsell listener share: an installation with an upsell section, and a listener in this process. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import pino from "pino";
import { stringify } from "yaml";
import { loadConfig } from "../lib/config/load.ts";
import { type Database, openDatabase, type Sql } from "../lib/db.ts";
import type { FanId } from "../lib/ids.ts";
import { loadOfferState, type OfferState } from "../lib/store/offers.ts";
import { saveSnapshot } from "../lib/store/snapshot.ts";
import { listen } from "../lib/upsell/listen.ts";
import { temporaryFolder } from "./harness.ts";
import { messagesTo, startBoosting } from "./sandbox/discord-people.ts";
import { discordFor, account } from "./sandbox/discord-setup.ts";
import type { DiscordSandbox } from "./sandbox/discord.ts";
import { addMember } from "./sandbox/discord-world.ts";

export const sku = "700000000000000001";
export const message = "Hello {name}, thank you for supporting {server}!";
export const fans = [0, 1, 2, 3].map(account);

export interface Stage {
  readonly discord: DiscordSandbox;
  readonly folder: string;
  readonly dataDir: string;
  readonly database: Database;
  /** What was logged, as sentences. */
  readonly logged: string[];
  /** The listener's clock. */
  now: () => number;
  /** Changes the section upsell of the config for whatever is started from now on; null: takes it out. */
  configure(upsell: object | null): void;
  /** Starts a listener that is ended after the test; resolves once it is connected and has looked. */
  start(): Promise<Listener>;
  state(index: number, occasion?: string): Promise<OfferState | undefined>;
}

export interface Listener {
  stop(): Promise<void>;
  /** Rejects where it ended by itself. */
  readonly ended: Promise<void>;
}

interface TestLike {
  after(fn: () => void | Promise<void>): void;
}

export interface StageOptions {
  /** Of the config; null: there is no upsell section. */
  readonly upsell?: object | null;
  /** Of the config; default: the sandbox's server. */
  readonly guildId?: string;
}

/** A server with four fans. */
export async function setStage(test: TestLike, options: StageOptions = {}): Promise<Stage> {
  const { guildId } = options;
  let upsell = options.upsell === undefined ? {} : options.upsell;
  const running: (() => Promise<void>)[] = [];
  // Before Discord is stopped: a bot whose connection is lost looks for another for ever.
  test.after(async () => {
    for (const stop of running) await stop();
  });
  const discord = await discordFor(test);
  for (const id of fans) addMember(discord.world, { id, username: `fan-${id}` });
  const folder = temporaryFolder(test);
  const dataDir = join(folder, "data");
  const path = join(folder, "config.yaml");
  const config = () => ({
    fanvue: { client_id: "app", client_secret: "hush", redirect_uri: "http://localhost:8080/callback" },
    discord: {
      token: discord.world.bot.token,
      guild_id: guildId ?? discord.world.guild.id,
      api_url: discord.apiUrl,
    },
    ...(upsell === null
      ? {}
      : {
          upsell: {
            upsell_on_boost: true,
            required_entitlement_ids: [sku],
            offer_message: message,
            ...upsell,
          },
        }),
  });
  const writeConfig = () => {
    writeFileSync(path, stringify(config()), { mode: 0o600 });
  };
  writeConfig();
  mkdirSync(dataDir, { mode: 0o700 });
  const database = openDatabase(dataDir);
  const logged: string[] = [];
  const write = (line: string) => void logged.push(String((JSON.parse(line) as { msg?: unknown }).msg));
  const log = pino({ level: "info" }, { write });

  const stage: Stage = {
    discord,
    folder,
    dataDir,
    database,
    logged,
    now: Date.now,
    configure(changed) {
      upsell = changed;
      writeConfig();
    },
    async start() {
      const end = new AbortController();
      const loaded = loadConfig(path, {});
      if (loaded.discord === undefined) throw new Error("the config has no discord section");
      const seen = discord.requests.length;
      const ended = listen({
        config: loaded,
        discord: loaded.discord,
        dataDir,
        database,
        log,
        signal: end.signal,
        now: () => stage.now(),
        // The library lets five seconds pass between two sessions that it starts.
        ws: { buildIdentifyThrottler: () => ({ waitForIdentify: () => Promise.resolve() }) },
      });
      const stop = async () => {
        end.abort();
        await ended.catch(() => undefined);
      };
      running.push(stop);
      const over = { isSo: false };
      void ended.catch(() => undefined).then(() => (over.isSo = true));
      const lastAsked =
        upsell === null
          ? "/commands"
          : loaded.upsell?.requiredEntitlementIds.length === 0
            ? "/members"
            : "/entitlements";
      const isUp = () => {
        if (over.isSo) return true;
        const since = discord.requests.slice(seen);
        const connected = since.findIndex(({ path }) => path.endsWith("/gateway/bot"));
        const after = since.slice(Math.max(connected, 0)).map(({ path }) => path);
        return connected >= 0 && after.some((path) => path.endsWith(lastAsked));
      };
      await until("the listener is up", isUp);
      if (over.isSo) await ended;
      return { stop, ended };
    },
    state: (index, occasion = "boost") =>
      database.read((sql) => loadOfferState(sql, { account: account(index), occasion })),
  };
  return stage;
}

/** Resolves once it is so; fails after some seconds. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAtMs = Date.now() + 8000;
  while (!(await isSo())) {
    if (Date.now() > giveUpAtMs) throw new Error(`it did not come to pass that ${what}`);
    await pause(5);
  }
}

// ---- What becomes of it -----------------------------------------------------------------------------------------

/** A snapshot in which these fans subscribe. */
export function saveSubscribers(sql: Sql, fans: readonly FanId[], endedAtMs: number): void {
  const row = { handle: "ana", displayName: "Ana", isTopSpender: false, status: "active" };
  saveSnapshot(sql, {
    endedAtMs,
    needsKey: "",
    subscribers: new Map(fans.map((id) => [id, { ...row, periodEndsAtMs: undefined, isFree: false }])),
    followers: undefined,
    lists: new Map(),
  });
}

/** What the bot wrote to somebody. */
export const heard = ({ discord }: Stage, id: string): readonly string[] => messagesTo(discord.world, id);

export const becomes = (stage: Stage, index: number, state: OfferState, occasion?: string): Promise<void> =>
  until(
    `the offer to fan ${String(index)} is ${state}`,
    async () => (await stage.state(index, occasion)) === state,
  );

/** Somebody boosts and is written to: whatever was told before was dealt with. */
export async function settled(stage: Stage, index = 3): Promise<void> {
  startBoosting(stage.discord.world, account(index));
  await becomes(stage, index, "sent");
}
