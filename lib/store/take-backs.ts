/** What is still to be taken back from accounts that were unlinked. */
import type { Sql } from "../db.ts";
import type { LinkPair } from "./links.ts";

/** What was given before the cut; what waits so long that something else keeps it there is no longer asked for. */
const givenThrough = `
  FROM blocks JOIN grants ON grants.target = blocks.platform AND grants.account = blocks.account
  WHERE grants.origin <> 'found' AND grants.since_ms <= blocks.created_at_ms AND blocks.created_at_ms >= ?1
  AND blocks.platform = ?2 AND blocks.cause <> 'transfer'`;

/** Whether the account still has what came through a link to another fan, which was cut since then. */
export const holdsOthersShare = (
  sql: Sql,
  { platform, account, fan }: LinkPair,
  cutSinceMs: number,
): boolean =>
  sql.get(`SELECT 1 ${givenThrough} AND blocks.account = ?3 AND blocks.fan <> ?4 LIMIT 1`, [
    cutSinceMs,
    platform,
    account,
    fan,
  ]) !== undefined;

/** Whether another account, unlinked from the fan since then and linked to nobody now, still has what came through them. */
export const hasShareElsewhere = (
  sql: Sql,
  { platform, account, fan }: LinkPair,
  cutSinceMs: number,
): boolean =>
  sql.get(
    `SELECT 1 ${givenThrough} AND blocks.account <> ?3 AND blocks.fan = ?4
     AND NOT EXISTS (SELECT 1 FROM links WHERE links.platform = ?2 AND links.account = blocks.account) LIMIT 1`,
    [cutSinceMs, platform, account, fan],
  ) !== undefined;
