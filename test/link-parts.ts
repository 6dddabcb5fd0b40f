/** What tests of single parts of the link pages share. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Config, LinkConfig } from "../lib/config/shape.ts";
import { type Database, openDatabase } from "../lib/db.ts";
import { parseFanId, parseMxid } from "../lib/ids.ts";
import { type NamedFan, saveSnapshot } from "../lib/store/snapshot.ts";
import { defaultLimits } from "./cases/limits.ts";
import { temporaryFolder } from "./harness.ts";

export const linkConfig: LinkConfig = {
  isConfigured: true,
  publicUrl: "https://link.example.org",
  host: "127.0.0.1",
  port: 8080,
  name: "Studio Meadow",
  color: undefined,
  signIn: true,
  inboxCode: true,
  personalLinks: true,
};

/** A fan as a snapshot names them, with a uuid of that digit alone. */
export function namedFan(digit: string, handle: string): NamedFan {
  const fan = parseFanId(`${digit.repeat(8)}-0000-4000-8000-000000000000`);
  assert.ok(fan);
  return { fan, handle, displayName: handle.toUpperCase() };
}

export interface SavedFans {
  readonly subscribers?: readonly NamedFan[];
  readonly followers?: readonly NamedFan[];
  readonly readAtMs: number;
}

/** A database with a snapshot in which these fans are. */
export async function databaseWith(
  test: { after(fn: () => void): void },
  { subscribers = [], followers = [], readAtMs }: SavedFans,
): Promise<{ readonly database: Database; readonly dataDir: string }> {
  const dataDir = join(temporaryFolder(test), "data");
  const database = openDatabase(dataDir);
  const byFan = (fans: readonly NamedFan[]) =>
    new Map(fans.map(({ fan, ...names }) => [fan, { ...names, isTopSpender: false }]));
  await database.write((sql) => {
    saveSnapshot(sql, {
      endedAtMs: readAtMs,
      needsKey: "subscribers followers",
      subscribers: new Map(
        [...byFan(subscribers)].map(([fan, row]) => [
          fan,
          { ...row, status: "active", periodEndsAtMs: undefined, isFree: undefined },
        ]),
      ),
      followers: { readAtMs, byFan: byFan(followers) },
      lists: new Map(),
    });
  });
  return { database, dataDir };
}

/** A config of Matrix and link pages alone. */
export function configWith(link: Partial<LinkConfig> = {}): Config {
  const userId = parseMxid("@bot:example.org");
  assert.ok(userId);
  return {
    path: "config.yaml",
    fanvue: {
      clientId: "app",
      clientSecret: "app secret",
      redirectUri: "http://localhost:8080/callback",
      apiUrl: "https://api.fanvue.com",
      authUrl: "https://auth.fanvue.com",
      apiPrefix: "auto",
    },
    discord: undefined,
    matrix: { homeserver: "https://matrix.example.org", userId, accessToken: "token", places: [] },
    listSync: [],
    mirrors: [],
    upsell: undefined,
    protectedAccounts: new Set(),
    limits: defaultLimits,
    snapshotMaxAgeMs: 0,
    followersMaxAgeMs: 0,
    unknownAfterDays: 7,
    schedule: { sync: undefined, healthPort: undefined },
    link: { ...linkConfig, ...link },
    notify: { discordChannelId: undefined, matrixRoom: undefined },
    trustProxy: false,
    warnings: [],
  };
}
