/** What the daemon wants to know of the database: the newest links of the operator, and what its health page shows. */
import type { Sql } from "../db.ts";
import type { TargetName } from "../ids.ts";
import type { Wish } from "../link/sync-soon.ts";
import { loadCurrentHeld } from "../store/held.ts";
import { loadLinkEventsAfter, type RecordedLinkEvent } from "../store/link-events.ts";
import { loadBookLinksLastSeen, loadLinksVersion, loadStoredLinks } from "../store/links.ts";
import { loadSnapshotTime } from "../store/snapshot.ts";

export interface DatabaseFacts {
  readonly snapshotEndedAtMs: number | undefined;
  readonly held: Readonly<Partial<Record<TargetName, { readonly hash: string; readonly count: number }>>>;
  /** What the operator's newest links ask for. */
  readonly wishes: readonly Wish[];
  /** Of the links, when this was read. */
  readonly linksVersion: number;
}

const targets: readonly TargetName[] = ["discord", "matrix", "fanvue-lists"];

/** `seenVersion`: of the links, when they were read before; undefined: older ones ask for nothing. */
export function loadFacts(sql: Sql, seenVersion: number | undefined): DatabaseFacts {
  const linksVersion = loadLinksVersion(sql);
  const events = seenVersion === undefined ? [] : loadLinkEventsAfter(sql, seenVersion);
  return {
    snapshotEndedAtMs: loadSnapshotTime(sql),
    held: Object.fromEntries(
      targets.flatMap((target) => {
        const held = loadCurrentHeld(sql, target);
        return held === undefined ? [] : [[target, { hash: held.hash, count: held.steps.length }]];
      }),
    ),
    wishes: events.flatMap((event) => wishesOf(sql, event)),
    linksVersion,
  };
}

/**
 * Whose sync an event asks for. What fans prove on the link pages is asked for from there. A transfer is on record as
 * the end of one link and a new one.
 */
function wishesOf(sql: Sql, { event, platform, account, fan, detail }: RecordedLinkEvent): readonly Wish[] {
  if (platform === undefined || account === undefined) return [];
  if (event === "added") return fan === undefined || detail === "proved" ? [] : [{ fan, platform }];
  if (event !== "invited again") return [];
  const links = [...loadStoredLinks(sql, account), ...loadBookLinksLastSeen(sql, account)];
  return [...new Set(links.map((link) => link.fan))].map((linked) => ({ fan: linked, platform }));
}
