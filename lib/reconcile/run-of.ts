/** A run as its report is to tell it. */
import type { Applied } from "../apply.ts";
import type { FanId } from "../ids.ts";
import type { Run } from "../report/run.ts";
import type { Job } from "./job.ts";
import { judgesAll } from "./judged.ts";
import type { Planned } from "./make-plan.ts";

/** Puts together what a run planned and what came of it; a dry run has no outcomes. */
export function runOf(job: Job, planned: Planned, applied: Applied): Run {
  const { grounds, links, guarded } = planned;
  return {
    script: job.script,
    target: job.target.name,
    dryRun: job.dryRun,
    isWhole: judgesAll(job, planned),
    startedAtMs: planned.startedAtMs,
    endedAtMs: job.now(),
    snapshot: {
      readAtMs: grounds?.readAtMs,
      subscribers: grounds?.subscribers,
      unreadable: [...planned.unreadable],
    },
    have: planned.have,
    memories: planned.memories,
    plan: planned.confirmed.plan,
    go: guarded.go,
    held: guarded.held,
    heldIsNew: planned.heldIsNew,
    outcomes: applied.outcomes,
    handles: new Map([...handlesIn(planned.have), ...(grounds?.handles ?? [])]),
    foreignGrants: planned.foreignGrants,
    warnings: [
      ...(job.target.warnings?.() ?? []),
      ...(job.holders?.warnings() ?? []),
      ...links.books.warnings,
      ...links.resolved.conflicts,
      ...missingLinks(planned),
    ],
    requests: job.requests(),
    brokenOff: applied.brokenOff,
  };
}

const handlesIn = (have: Run["have"]): readonly (readonly [FanId, string])[] =>
  [...have.values()].flatMap((state) => ("unreadable" in state ? [] : [...(state.handles ?? [])]));

/** A row that vanished from a book takes nothing away by itself: most often it is a slip. */
function missingLinks({ links }: Planned): readonly string[] {
  const missing = links.resolved.links.filter((link) => link.missing);
  const first = missing[0];
  if (first === undefined) return [];
  const who =
    missing.length === 1 ? first.account : `${first.account} and ${String(missing.length - 1)} more`;
  return [
    `${first.book ?? "The address book"} no longer links ${who}. They keep what they have; to end a link: npm run links -- remove ACCOUNT`,
  ];
}
