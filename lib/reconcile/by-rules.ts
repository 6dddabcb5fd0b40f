/** Wishes by rules: one reading of Fanvue covers what all configured places need, so that a chain of scripts shares it. */
import type { Config } from "../config/shape.ts";
import { type Facts, isMissing, type Known } from "../facts.ts";
import type { FanId } from "../ids.ts";
import { listInWords, listKey, type ListRef, type NamedList, type Place, type Reason } from "../model.ts";
import { evidenceNeeded } from "../plan/confirm.ts";
import { gatherEvidence, needsOf, type Snapshot, takeFanSnapshot, takeSnapshot } from "../snapshot.ts";
import { wantFromRules } from "../want.ts";
import type { Grounds } from "./grounds.ts";
import type { Job } from "./job.ts";
import { type Links, loadLinks } from "./links.ts";

export async function groundsByRules(job: Job, links: Links): Promise<Grounds> {
  const { facts, sizes, unreadable } = await readSource(job, links);
  return {
    readAtMs: facts.readAtMs,
    subscribers: job.fan === undefined && facts.subscribers.known ? facts.subscribers.value.size : undefined,
    handles: new Map([...handlesOf(facts.followers), ...handlesOf(facts.subscribers)]),
    facts,
    sizes,
    unreadable,
    groundless: groundlessAmong(job.chosen, facts),
    skips: [],
    protectedAccounts: job.config.protectedAccounts,
    want: (owned) =>
      wantFromRules({
        places: job.places,
        platform: job.platform,
        links: links.resolved,
        facts,
        owned,
        nowMs: job.now(),
      }),
    async readAgain(plan, given, noteUnreadable) {
      const needed = evidenceNeeded(plan, given);
      const gathered = await gatherEvidence({ fanvue: job.fanvue, ...needed, now: job.now });
      for (const sentence of gathered.unreadable) noteUnreadable(sentence);
      const again = (await loadLinks(job)).resolved;
      return { ...given, links: again, evidence: gathered.evidence, nowMs: job.now() };
    },
  };
}

function readSource(job: Job, links: Links): Promise<Snapshot> {
  const { config, fanvue, database, now, log, progress } = job;
  const places = [...(config.discord?.places ?? []), ...(config.matrix?.places ?? [])];
  const needs = needsOf(places, { subscribers: asksWhoSubscribes(config) });
  if (job.fan !== undefined) return takeFanSnapshot({ fanvue, database, needs, fan: job.fan, now });
  return takeSnapshot({
    fanvue,
    database,
    needs,
    linkedFans: new Set(links.resolved.links.map(({ fan }) => fan)),
    now,
    maxAgeMs: config.snapshotMaxAgeMs,
    followersMaxAgeMs: config.followersMaxAgeMs,
    save: !job.dryRun,
    log,
    progress,
  });
}

/** Beside the rules: codes and personal links go to fans by their names, and offers to those who do not subscribe. */
const asksWhoSubscribes = ({ link, upsell }: Pick<Config, "link" | "upsell">): boolean =>
  upsell?.toSubscribers === false || (link.publicUrl !== undefined && (link.inboxCode || link.personalLinks));

function handlesOf(
  rows: Known<ReadonlyMap<FanId, { readonly handle: string }>>,
): readonly (readonly [FanId, string])[] {
  return rows.known ? [...rows.value].map(([fan, { handle }]) => [fan, handle]) : [];
}

// ---- Lists that are not there -----------------------------------------------------------------------------------

/** Places that only lists decide on, none of which is there: that is not the same as lists with nobody on them. */
function groundlessAmong(places: readonly Place[], facts: Facts): ReadonlyMap<Place, Reason> {
  return new Map(
    places.flatMap((place): [Place, Reason][] => {
      const lists = place.rules.flatMap((rule) => (rule.kind === "fanvue_list" ? [rule.list] : []));
      const [first] = lists;
      const isGroundless = lists.length === place.rules.length && lists.every((list) => isGone(list, facts));
      return first !== undefined && isGroundless ? [[place, goneReason(first)]] : [];
    }),
  );
}

function isGone(list: ListRef | NamedList, facts: Facts): boolean {
  const read = facts.lists.get(listKey(list));
  return read !== undefined && isMissing(read);
}

const goneReason = (list: ListRef | NamedList): Reason => ({
  because: `Fanvue has no ${listInWords(list)}.`,
  remedy: "Nobody loses anything by that. Put the uuid of an existing list into the config.",
});
