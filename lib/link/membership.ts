/** What a linked account has or gets, from the database alone. */
import { nextLookAtMs } from "../cron.ts";
import { type MemberRecord, roleStatus, type RoleStatus } from "../commands/membership.ts";
import { loadMemberRecord } from "../commands/record.ts";
import type { Config } from "../config/shape.ts";
import type { Database } from "../db.ts";
import type { DiscordUserId, Mxid, Platform } from "../ids.ts";
import type { Place } from "../model.ts";
import { type KnownPlace, loadKnownPlaces } from "../store/places.ts";
import { placeInWords } from "./texts.ts";

export interface Membership {
  /** The roles or rooms of the config. */
  readonly places: readonly { readonly name: string; readonly status: RoleStatus }[];
  /** When Fanvue was last asked, and when it will be again, where that is known. */
  readonly lookedAtMs: number | undefined;
  readonly nextLookAtMs: number | undefined;
}

export type MembershipOf = (platform: Platform, account: DiscordUserId | Mxid) => Promise<Membership>;

/** Tells what linked accounts have: what we gave them, by the record, for the platforms are not asked. */
export const membershipFrom =
  (
    config: Pick<Config, "discord" | "matrix" | "schedule">,
    { database, now }: { readonly database: Database; readonly now: () => number },
  ): MembershipOf =>
  async (platform, account) => {
    const { record, known } = await database.read((sql) => ({
      record: loadMemberRecord(sql, account),
      known: loadKnownPlaces(sql, platform),
    }));
    const places = config[platform]?.places ?? [];
    const lookedAtMs = record.facts?.readAtMs;
    const expression = config.schedule.sync;
    return {
      places: places.flatMap((place) => placeLine(place, record, known.get(place.id), now())),
      lookedAtMs,
      nextLookAtMs: expression === undefined ? undefined : nextLookAtMs(expression, lookedAtMs, now()),
    };
  };

/** None for a role that comes only with being brought into the server. */
function placeLine(
  place: Place,
  record: MemberRecord,
  known: KnownPlace | undefined,
  nowMs: number,
): Membership["places"] {
  // The record speaks of a place by its own id, which is another than the configured one where that is an alias.
  const id = known?.placeId ?? place.id;
  const origin = record.places.get(id)?.origin;
  const has = origin === "granted" || origin === "adopted";
  const status = roleStatus(record, { place: { ...place, id }, has }, nowMs);
  return status === undefined ? [] : [{ name: known?.name ?? placeInWords(place.rules), status }];
}
