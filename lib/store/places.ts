/** What is remembered of each place between runs. */
import { dayMs } from "../durations.ts";
import type { Sql } from "../db.ts";
import type { Account, PlaceId, TargetName } from "../ids.ts";
import type { Departure, Grant, Observations, PlaceMemory, Refusal } from "../model.ts";
import {
  accountIn,
  asFlag,
  flag,
  integer,
  optionalInteger,
  optionalText,
  placeIdIn,
  text,
} from "./columns.ts";
import { addBasis, grantIn, saveBehind, saveGrant, saveLoss, type Seat } from "./ownership.ts";
import { endKick, loadArrivals, loadPresences, saveArrival, savePresence } from "./presence.ts";

const emptyMemory = {
  rulesHash: undefined,
  placeId: undefined,
  strangersWait: false,
  grants: new Map(),
  departures: new Map(),
  refusals: new Map(),
  lapsedSinceMs: new Map(),
  removedLastDay: new Set(),
  oursDayAgo: 0,
} satisfies Partial<PlaceMemory>;

/**
 * All that is remembered of one place. `placeId` is where the configured id leads now; undefined (it could not be told)
 * asks for where it led last, or, before it was ever applied, for what the id itself names. A place that was applied under
 * another configured id, such as a room by its alias, is known by its place id. The figures of the last 24 hours count back
 * from `nowMs`: removedLastDay has whom we took out, or may have (the effect of the step is not known yet), not counting
 * what was approved or asked for; oursDayAgo counts who was ours then, which is who is ours now and was already, and who has
 * lost the place since. `whereabouts` are the same for all places of a target.
 */
export function loadPlaceMemory(
  sql: Sql,
  target: TargetName,
  placeId: PlaceId | undefined,
  configuredId: string,
  nowMs: number,
  whereabouts: Whereabouts = loadWhereabouts(sql, target),
): PlaceMemory {
  const applied = loadApplied(sql, target, placeId, configuredId);
  const id = placeId ?? applied?.placeId ?? placeIdIfConfigured(target, configuredId);
  if (id === undefined) return { ...emptyMemory, ...whereabouts };
  return {
    rulesHash: applied?.rulesHash,
    placeId: applied?.placeId,
    strangersWait: applied?.strangersWait ?? false,
    grants: loadGrants(sql, target, id),
    departures: loadDepartures(sql, target, id),
    ...whereabouts,
    refusals: loadRefusals(sql, target, id),
    lapsedSinceMs: loadLapses(sql, target, id),
    removedLastDay: loadRemoved(sql, target, id, nowMs - dayMs),
    oursDayAgo: countOursAt(sql, target, id, nowMs - dayMs),
  };
}

type Whereabouts = Pick<PlaceMemory, "arrivals" | "presences">;

/** What is remembered of accounts and a target's server as a whole. */
export const loadWhereabouts = (sql: Sql, target: TargetName): Whereabouts => ({
  arrivals: loadArrivals(sql, target),
  presences: loadPresences(sql, target),
});

/** Roles and lists are configured by the ids that the journal knows them by; a room may be by an alias. */
const placeIdIfConfigured = (target: TargetName, configuredId: string): PlaceId | undefined =>
  target === "matrix" ? undefined : (configuredId as PlaceId);

function loadApplied(
  sql: Sql,
  target: TargetName,
  placeId: PlaceId | undefined,
  configuredId: string,
): Pick<Applied, "placeId" | "rulesHash" | "strangersWait"> | undefined {
  const row = sql.get(
    `SELECT place_id, rules_hash, strangers_wait FROM places WHERE target = ?1 AND (configured_id = ?2 OR place_id = ?3)
     ORDER BY configured_id = ?2 DESC, applied_at_ms DESC, configured_id LIMIT 1`,
    [target, configuredId, placeId ?? null],
  );
  if (row === undefined) return undefined;
  const rulesHash = text(row, "rules_hash");
  return { placeId: placeIdIn(row), rulesHash, strangersWait: flag(row, "strangers_wait") };
}

function loadGrants(sql: Sql, target: TargetName, placeId: PlaceId): ReadonlyMap<Account, Grant> {
  const rows = sql.all("SELECT * FROM grants WHERE target = ? AND place_id = ?", [target, placeId]);
  return new Map(rows.map((row) => [accountIn(row), grantIn(row)]));
}

function loadDepartures(sql: Sql, target: TargetName, placeId: PlaceId): ReadonlyMap<Account, Departure> {
  const rows = sql.all("SELECT * FROM departures WHERE target = ? AND place_id = ?", [target, placeId]);
  return new Map(
    rows.map((row) => {
      const account = accountIn(row);
      const how = text(row, "how") === "removed" ? "removed" : "left";
      const noticedAtMs = integer(row, "noticed_at_ms");
      return [account, { account, how, noticedAtMs, endedAtMs: optionalInteger(row, "ended_at_ms") }];
    }),
  );
}

function loadRefusals(sql: Sql, target: TargetName, placeId: PlaceId): ReadonlyMap<Account, Refusal> {
  const rows = sql.all("SELECT * FROM refusals WHERE target = ? AND place_id = ?", [target, placeId]);
  return new Map(
    rows.map((row) => {
      const account = accountIn(row);
      const [times, nextTryAtMs] = [integer(row, "times"), integer(row, "next_try_at_ms")];
      return [account, { account, sentence: text(row, "sentence"), times, nextTryAtMs }];
    }),
  );
}

function loadLapses(sql: Sql, target: TargetName, placeId: PlaceId): ReadonlyMap<Account, number> {
  const rows = sql.all("SELECT account, since_ms FROM lapses WHERE target = ? AND place_id = ?", [
    target,
    placeId,
  ]);
  return new Map(rows.map((row) => [accountIn(row), integer(row, "since_ms")]));
}

function loadRemoved(sql: Sql, target: TargetName, placeId: PlaceId, afterMs: number): ReadonlySet<Account> {
  // An eviction takes every place in which the account has something.
  const rows = sql.all(
    `SELECT account FROM losses WHERE target = ?1 AND place_id = ?2 AND at_ms > ?3 AND counted = 1
     UNION
     SELECT account FROM steps WHERE target = ?1 AND (state = 'planned' OR unsure = 1) AND at_ms > ?3
     AND verb <> 'grant' AND approved = 0 AND requested = 0
     AND (place_id = ?2 OR verb = 'evict' AND EXISTS (SELECT 1 FROM grants
       WHERE grants.target = ?1 AND grants.place_id = ?2 AND grants.account = steps.account))`,
    [target, placeId, afterMs],
  );
  return new Set(rows.map(accountIn));
}

function countOursAt(sql: Sql, target: TargetName, placeId: PlaceId, atMs: number): number {
  const row = sql.get(
    `SELECT count(*) AS accounts FROM (
       SELECT account FROM grants WHERE target = ?1 AND place_id = ?2 AND origin <> 'found' AND since_ms <= ?3
       UNION
       SELECT account FROM losses WHERE target = ?1 AND place_id = ?2 AND at_ms > ?3 AND since_ms <= ?3)`,
    [target, placeId, atMs],
  );
  return row === undefined ? 0 : integer(row, "accounts");
}

/** Grants of ours in places of a target that are not among `configured`, by place and account. */
export function loadForeignGrants(
  sql: Sql,
  target: TargetName,
  configured: ReadonlySet<PlaceId>,
): readonly Grant[] {
  return sql
    .all("SELECT * FROM grants WHERE target = ? AND origin <> 'found' ORDER BY place_id, account", [target])
    .map(grantIn)
    .filter((grant) => !configured.has(grant.placeId));
}

/**
 * Writes what a run saw of ownership beside its own steps. Belongs before `startRun`: what is seen to be gone is gone
 * before anything new is given.
 */
export function saveObservations(
  sql: Sql,
  target: TargetName,
  observations: Observations,
  nowMs: number,
): void {
  const { placeId } = observations;
  const seat = (account: Account): Seat => ({ target, placeId, account });
  for (const account of observations.gone) {
    saveLoss(sql, seat(account), { how: "gone", counted: false }, nowMs);
  }
  for (const { account, fans, basis } of observations.adopt) {
    saveGrant(sql, seat(account), { origin: "adopted", fans, basis }, nowMs);
  }
  for (const { account, fans } of observations.found) {
    saveGrant(sql, seat(account), { origin: "found", fans, basis: [] }, nowMs);
  }
  for (const grant of observations.behind) saveBehind(sql, target, grant);
  for (const { placeId: room, account } of observations.behindNoMore) {
    saveLoss(sql, { target, placeId: room, account }, { how: "gone", counted: false }, nowMs);
  }
  for (const { account, basis } of observations.basis) addBasis(sql, seat(account), basis);
  saveComingsAndGoings(sql, target, observations, nowMs);
}

function saveComingsAndGoings(
  sql: Sql,
  target: TargetName,
  { placeId, departed, returned, departureEnded, lapsed, entitledAgain, ...ofServer }: Observations,
  nowMs: number,
): void {
  for (const account of ofServer.arrivals) saveArrival(sql, target, account, nowMs);
  for (const { account, presence } of ofServer.presences) savePresence(sql, target, account, presence);
  for (const account of ofServer.kicksOver) endKick(sql, target, account);
  for (const account of returned) {
    sql.run("DELETE FROM departures WHERE target = ? AND place_id = ? AND account = ?", [
      target,
      placeId,
      account,
    ]);
  }
  for (const { account, how } of departed) {
    sql.run(
      `INSERT INTO departures (target, place_id, account, how, noticed_at_ms) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (target, place_id, account) DO UPDATE SET how = 'removed' WHERE excluded.how = 'removed'`,
      [target, placeId, account, how, nowMs],
    );
  }
  for (const account of departureEnded) {
    sql.run(
      `UPDATE departures SET ended_at_ms = ? WHERE target = ? AND place_id = ? AND account = ?
       AND ended_at_ms IS NULL`,
      [nowMs, target, placeId, account],
    );
  }
  for (const account of lapsed) {
    sql.run("INSERT OR IGNORE INTO lapses (target, place_id, account, since_ms) VALUES (?, ?, ?, ?)", [
      target,
      placeId,
      account,
      nowMs,
    ]);
  }
  for (const account of entitledAgain) {
    sql.run("DELETE FROM lapses WHERE target = ? AND place_id = ? AND account = ?", [
      target,
      placeId,
      account,
    ]);
  }
}

/** How a place was applied. */
interface Applied {
  readonly configuredId: string;
  readonly placeId: PlaceId;
  /** What people call it. */
  readonly name: string;
  readonly rulesHash: string;
  /** Strangers of the first time still wait for approval. */
  readonly strangersWait: boolean;
}

/** Notes that a place was applied: where its configured id led, what people call it there, and by which rules. */
export function savePlaceApplied(sql: Sql, target: TargetName, applied: Applied, nowMs: number): void {
  const { configuredId, placeId, name, rulesHash, strangersWait } = applied;
  sql.run(
    `INSERT INTO places
       (target, configured_id, place_id, name, rules_hash, strangers_wait, first_applied_at_ms, applied_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?7, ?7)
     ON CONFLICT (target, configured_id) DO UPDATE SET place_id = excluded.place_id, name = excluded.name,
       rules_hash = excluded.rules_hash, strangers_wait = excluded.strangers_wait, applied_at_ms = excluded.applied_at_ms`,
    [target, configuredId, placeId, name, rulesHash, asFlag(strangersWait), nowMs],
  );
}

/** A place as it was last applied. */
export interface KnownPlace {
  readonly placeId: PlaceId;
  /** What people call it; undefined: it was applied before names were kept. */
  readonly name: string | undefined;
}

/** The places of a target by the ids as configured; one that was not applied yet is missing. */
export function loadKnownPlaces(sql: Sql, target: TargetName): ReadonlyMap<string, KnownPlace> {
  const rows = sql.all("SELECT configured_id, place_id, name FROM places WHERE target = ?", [target]);
  return new Map(
    rows.map((row) => [
      text(row, "configured_id"),
      { placeId: placeIdIn(row), name: optionalText(row, "name") },
    ]),
  );
}
