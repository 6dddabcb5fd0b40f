/** What cannot be told from outside a sync: how long planning takes, and how long one write of the database. */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";

import { loadConfig } from "../../lib/config/load.ts";
import type { Config } from "../../lib/config/shape.ts";
import { openDatabase, type Database, type Sql } from "../../lib/db.ts";
import { openDiscord } from "../../lib/discord/target.ts";
import { guard } from "../../lib/guard.ts";
import { unlocksFrom } from "../../lib/ledger.ts";
import { createLog } from "../../lib/log.ts";
import type { Place } from "../../lib/model.ts";
import { diff } from "../../lib/plan/diff.ts";
import { accountsOn, loadLinks } from "../../lib/reconcile/links.ts";
import { loadEarnings } from "../../lib/store/earnings.ts";
import { saveMeta } from "../../lib/store/meta.ts";
import { loadPlaceMemory } from "../../lib/store/places.ts";
import { loadInsights, loadSnapshot } from "../../lib/store/snapshot.ts";
import { wantFromRules } from "../../lib/want.ts";
import type { BenchInstallation } from "./installation.ts";

/** Milliseconds. */
export interface Inside {
  readonly planningMs: number;
  readonly writeMs: number;
}

const repetitions = 5;

/** The quickest of several goes, which is the one that other programs disturbed least. */
async function quickest(work: () => unknown): Promise<number> {
  let leastMs = Infinity;
  for (let count = 0; count < repetitions; count += 1) {
    await setImmediate();
    const startedAtMs = performance.now();
    await work();
    leastMs = Math.min(leastMs, performance.now() - startedAtMs);
  }
  return leastMs;
}

/** Measures on what the syncs of an installation have stored. */
export async function measureInside({ configPath, dataDir }: BenchInstallation): Promise<Inside> {
  const config = loadConfig(configPath, {});
  const database = openDatabase(dataDir);
  const plan = await planner(config, database);
  return {
    planningMs: await quickest(plan),
    writeMs: await quickest(() =>
      database.write((sql) => {
        saveMeta(sql, "bench", String(performance.now()));
      }),
    ),
  };
}

/** Gathers what a sync has when it begins to plan, and gives the planning: from the ledger and the rows of Fanvue to what may go. */
async function planner(config: Config, database: Database): Promise<() => unknown> {
  const { discord } = config;
  if (discord === undefined) throw new Error("the bench's config has no discord section");
  const { resolved: links } = await loadLinks({ database, config });
  const target = openDiscord(discord, {
    log: createLog({ name: "bench", verbose: false }),
    signal: new AbortController().signal,
  });
  const have = await target.read(discord.places, new Set(accountsOn("discord", links)));
  const stored = await database.read((sql) => loadStored(sql, discord.places));
  const nowMs = Date.now();
  return () => {
    const facts = { ...stored.facts, unlocks: { known: true, value: unlocksFrom(stored.earnings) } as const };
    const owned = new Set([...stored.memories.values()].flatMap(({ grants }) => [...grants.keys()]));
    const want = wantFromRules({ places: discord.places, platform: "discord", links, facts, owned, nowMs });
    const plan = diff({
      want,
      have,
      memories: stored.memories,
      protectedAccounts: config.protectedAccounts,
      unreadableSinceMs: new Map(),
      unknownAfterDays: config.unknownAfterDays,
      nowMs,
    });
    return guard({
      plan,
      have,
      memories: stored.memories,
      limits: config.limits,
      sizes: [],
      acceptedSizes: new Map(),
      clockSkewMs: 0,
      hash: (text) => createHash("sha256").update(text).digest("hex"),
    });
  };
}

const unread = { known: false, why: "not needed" } as const;

function loadStored(sql: Sql, places: readonly Place[]) {
  const snapshot = loadSnapshot(sql);
  if (snapshot?.subscribers === undefined) throw new Error("the syncs have stored no snapshot");
  return {
    facts: {
      readAtMs: snapshot.endedAtMs,
      subscribers: { known: true, value: snapshot.subscribers } as const,
      followers: unread,
      insights: loadInsights(sql),
      lists: new Map(),
    },
    earnings: loadEarnings(sql),
    memories: new Map(
      places.map((place) => [place, loadPlaceMemory(sql, "discord", undefined, place.id, Date.now())]),
    ),
  };
}
