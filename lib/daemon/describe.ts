/** What the daemon does, in words and as a document. */
import type { Config } from "../config/shape.ts";
import { type Listener, listenersOf, roundOf, type SyncScript } from "./duties.ts";
import { healthUrl } from "./health-page.ts";

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
