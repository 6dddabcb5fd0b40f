/** What is ours in places that the config no longer names. */
import type { Database } from "../db.ts";
import type { TargetName } from "../ids.ts";
import type { Grant } from "../model.ts";
import { loadForeignGrants } from "../store/places.ts";

/** On record only because it is to be taken out of a room that goes with a space: nothing ever justified it there. */
export const isLeftBehind = ({ settled, basis }: Grant): boolean => !settled && basis.length === 0;

/** Of a target of which the config names no place. */
export const loadForeign = async (database: Database, target: TargetName): Promise<readonly Grant[]> =>
  (await database.read((sql) => loadForeignGrants(sql, target, new Set()))).filter(
    (grant) => !isLeftBehind(grant),
  );
