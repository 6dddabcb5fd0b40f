/** What came of sending links to all subscribers, for people and for programs. */
import { exitCodes, type ExitCode } from "../errors.ts";
import { plainText } from "../plain-text.ts";
import { count } from "./list.ts";
import type { CampaignReport, InviteOutcome } from "./invite-all.ts";
import { ageInWords } from "./saved-fans.ts";

/** Who would get a link, or how many got theirs; the last lines say who got none and why. */
export function campaignText(report: CampaignReport, nowMs: number): string {
  const { dryRun, readAtMs, invitations, skipped } = report;
  const subscribers = count(
    invitations.length + skipped.linked + skipped.unlinked + skipped.invited,
    "subscriber",
  );
  return [
    ...(dryRun
      ? invitations.map(({ to }) => `@${plainText(to.handle)} (${plainText(to.displayName)}), fan ${to.fan}`)
      : []),
    `${capital(subscribers)}, as read ${ageInWords(nowMs - readAtMs)} ago.`,
    ...(dryRun
      ? [`${capital(count(invitations.length, "link"))} would be sent. Nothing was sent.`]
      : outcomeLines(report)),
    ...skipLines(report),
  ].join("\n");
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const outcomeWords = {
  sent: "sent",
  refused: "not taken: the fan takes no messages",
  failed: "not sent; run it again to try those again",
  unanswered: "perhaps sent: no answer came, and they are not sent again",
  "not tried": "still to be sent: run it again",
} as const satisfies Record<InviteOutcome, string>;
const outcomes = ["sent", "refused", "failed", "unanswered", "not tried"] as const;

const number = ({ invitations }: CampaignReport, outcome: InviteOutcome): number =>
  invitations.filter((invitation) => invitation.outcome === outcome).length;

function outcomeLines(report: CampaignReport): readonly string[] {
  const told = outcomes.filter((outcome) => outcome === "sent" || number(report, outcome) > 0);
  return told.map(
    (outcome) => `${capital(count(number(report, outcome), "link"))} ${outcomeWords[outcome]}.`,
  );
}

function skipLines({ skipped: { linked, invited, unlinked } }: CampaignReport): readonly string[] {
  return [
    ...(linked === 0 ? [] : [`Linked already: ${linked}.`]),
    ...(invited === 0
      ? []
      : [
          `Were sent one before, or took no message: ${invited}. For a new one: npm run links -- invite --fan FAN`,
        ]),
    ...(unlinked === 0 ? [] : [`Unlinked by themselves or by you, or blocked: ${unlinked}.`]),
  ];
}

/** The same for programs. The links themselves are in the messages and nowhere else. */
export function campaignJson({ dryRun, readAtMs, invitations, skipped, trouble }: CampaignReport): string {
  const document = {
    dryRun,
    subscribersReadAtMs: readAtMs,
    invitations: invitations.map(({ to, outcome }) => ({ ...to, outcome })),
    skipped,
    trouble: trouble === undefined ? null : { because: trouble.message, remedy: trouble.remedy },
  };
  return JSON.stringify(document, undefined, 2);
}

/** 0 where all went as it should. What is only left for the next run is in order, too. */
export function campaignExitCode(report: CampaignReport): ExitCode {
  if (report.trouble !== undefined) return report.trouble.exitCode;
  const hasFailed = number(report, "failed") + number(report, "unanswered") > 0;
  return hasFailed ? exitCodes.stepFailed : exitCodes.inOrder;
}
