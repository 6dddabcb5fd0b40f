/** What a config asks of the daemon: which scripts it runs in which order, and which it keeps up; also in words. */
import { fileURLToPath } from "node:url";
import type { Config } from "../config/shape.ts";
import type { Platform } from "../ids.ts";
import { needsLedger, needsOf } from "../snapshot/needs.ts";
import { healthUrl } from "./health-page.ts";

/** A script that does its work and ends. */
export type SyncScript = "fetch-earnings" | "sync-discord" | "sync-matrix" | "sync-lists";
/** A script that goes on until it is stopped. */
export type Listener = "link-server" | "upsell-listener";

export const scriptPath = (name: SyncScript | Listener): string =>
  fileURLToPath(new URL(`../../scripts/${name}.ts`, import.meta.url));

type Places = Pick<Config, "discord" | "matrix" | "listSync">;

/** The scripts of a round, in order: what comes from Fanvue before what it decides on. */
export function roundOf({ discord, matrix, listSync }: Places): readonly SyncScript[] {
  const roles = discord?.places ?? [];
  const rooms = matrix?.places ?? [];
  const duties: readonly (readonly [SyncScript, boolean])[] = [
    ["fetch-earnings", needsLedger(needsOf([...roles, ...rooms]))],
    ["sync-discord", roles.length > 0],
    ["sync-matrix", rooms.length > 0],
    ["sync-lists", listSync.length > 0],
  ];
  return duties.filter(([, isNeeded]) => isNeeded).map(([script]) => script);
}

/** The listener serves the slash commands, too: a server on Discord is enough for it. */
export function listenersOf({ link, discord }: Pick<Config, "link" | "discord">): readonly Listener[] {
  return [
    ...(link.isConfigured ? (["link-server"] as const) : []),
    ...(discord === undefined ? [] : (["upsell-listener"] as const)),
  ];
}

/** What is to be run for a fan who linked an account on this platform: a role may decide on a list, too. */
export function scriptsFor(
  platform: Platform,
  { listSync }: Pick<Config, "listSync">,
): readonly SyncScript[] {
  const decides = platform === "discord" && listSync.some(({ primary }) => primary === "discord");
  return [`sync-${platform}`, ...(decides ? (["sync-lists"] as const) : [])];
}

// ---- In words, and as a document --------------------------------------------------------------------------------

type Duties = Pick<Config, "discord" | "matrix" | "listSync" | "link" | "schedule">;

const joined = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1) ?? ""}`;

/** One line each: when it syncs, what it keeps up, where it says how it is. */
export function describeDuties(config: Duties): readonly string[] {
  const { sync, healthPort } = config.schedule;
  const scripts = roundOf(config);
  const listeners = listenersOf(config);
  return [
    scripts.length === 0 ? "There is nothing to sync" : `Runs ${joined(scripts)} ${timesText(sync)}`,
    ...(listeners.length === 0 ? [] : [`Keeps ${joined(listeners)} up`]),
    healthPort === undefined
      ? "No health page: there is no schedule.health_port"
      : `Health page: ${healthUrl(healthPort)}`,
  ];
}

const timesText = (sync: string | undefined): string =>
  sync === undefined ? "only when somebody links an account (schedule.sync is off)" : `at ${sync}`;

export interface DutiesDocument {
  readonly schedule: string | null;
  readonly scripts: readonly SyncScript[];
  readonly listeners: readonly Listener[];
  readonly health: string | null;
}

export const dutiesJson = (config: Duties): DutiesDocument => ({
  schedule: config.schedule.sync ?? null,
  scripts: roundOf(config),
  listeners: listenersOf(config),
  health: config.schedule.healthPort === undefined ? null : healthUrl(config.schedule.healthPort),
});
