/** What fans are called on the pages. */
import type { Sql } from "../db.ts";
import type { FanId } from "../ids.ts";
import { loadFanName, type NamedFan } from "../store/snapshot.ts";

/** A fan that the newest snapshot does not hold goes by the uuid. */
export const nameOfFan = (sql: Sql, fan: FanId): NamedFan =>
  loadFanName(sql, fan) ?? { fan, handle: fan, displayName: "" };
