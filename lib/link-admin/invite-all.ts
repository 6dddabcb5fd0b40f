/**
 * Sends each subscriber who has no link a personal link by Fanvue message. Each is written down as being sent before it
 * is, so that nobody is ever written to twice, whatever ends the run; the next run goes on where this one ended.
 */
import type { Config } from "../config/shape.ts";
import type { Database, Sql } from "../db.ts";
import { hourMs, minuteMs } from "../durations.ts";
import { BadInputError, OperatorError, exitCodes } from "../errors.ts";
import type { Delivery, Fanvue } from "../fanvue/client.ts";
import type { FanId, Platform } from "../ids.ts";
import { inviteUrl, type MadeInvite, makeInvite } from "../link/invites.ts";
import { mayWriteToFans, writingRemedy } from "../link/may-write.ts";
import { fanvueMessages } from "../link/texts.ts";
import type { Log, Progress } from "../log.ts";
import { dayOf } from "../rules.ts";
import { scrub } from "../scrub.ts";
import {
  countMessagedSince,
  loadInvitedFans,
  saveInviteSent,
  type SentState,
} from "../store/link-invites.ts";
import { type Block, loadBlocks, loadStoredLinks } from "../store/links.ts";
import type { NamedFan } from "../store/snapshot.ts";
import type { InviteRequest } from "./invite-request.ts";
import { publicUrlOf } from "./invite.ts";
import { loadLinkList } from "./list.ts";
import { loadSavedSubscribers } from "./saved-fans.ts";

export interface Campaign {
  readonly config: Config;
  readonly dataDir: string;
  readonly database: Database;
  /** Opens the creator's account; the message under way must not be broken off by `signal`. */
  readonly openFanvue: () => Promise<Pick<Fanvue, "fetchMe" | "sendMessage">>;
  /** Ends the run before the next message. */
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly progress: Progress;
  readonly now: () => number;
  /** Waits so long, or until the signal is aborted. */
  readonly rest: (ms: number, signal: AbortSignal) => Promise<void>;
}

export type InviteOutcome = Delivery["is"] | "not tried";

export interface CampaignReport {
  readonly dryRun: boolean;
  /** When the subscribers were read. */
  readonly readAtMs: number;
  /** All who are due one, in the order in which they get theirs. */
  readonly invitations: readonly { readonly to: NamedFan; readonly outcome: InviteOutcome }[];
  /** How many subscribers are not due one, and why. */
  readonly skipped: Skipped;
  /** Why it ended early. */
  readonly trouble: OperatorError | undefined;
}

export interface Skipped {
  readonly linked: number;
  /** They unlinked, or the operator blocked them or removed their link. */
  readonly unlinked: number;
  /** A link was sent (perhaps), which may have expired since; or they take no messages. */
  readonly invited: number;
}

/**
 * Fanvue tells no limit for messages of a creator to single fans. A hundred alike within minutes look like spam, so
 * they are spread as far as a person with help might: a thousand subscribers take a night.
 */
export const maxPerHour = 100;
/** Failures in a row that speak of Fanvue or of us. */
const maxTroubles = 5;

/**
 * Throws a BadInputError when it cannot begin: no public address, no recent snapshot, no leave to send messages. Throws
 * a SourceError when Fanvue cannot be reached at the start.
 */
export async function inviteAll(
  { dryRun, days }: Pick<Extract<InviteRequest, { to: "all subscribers" }>, "dryRun" | "days">,
  campaign: Campaign,
): Promise<CampaignReport> {
  const { config, dataDir } = campaign;
  const publicUrl = publicUrlOf(config);
  const { due, ...facts } = await chooseReceivers(campaign);
  const outcomes = new Map<FanId, InviteOutcome>();
  let trouble: OperatorError | undefined;
  if (!dryRun && due.length > 0) {
    if (!mayWriteToFans(config, dataDir)) throw cannotWrite();
    trouble = await sendAll(due, { days, publicUrl, outcomes }, campaign);
  }
  const invitations = due.map((to) => ({ to, outcome: outcomes.get(to.fan) ?? "not tried" }));
  return { dryRun, ...facts, invitations, trouble };
}

const cannotWrite = () =>
  new BadInputError("The authorization may not send messages to fans.", writingRemedy);

// ---- Who gets one -----------------------------------------------------------------------------------------------

async function chooseReceivers({ database, config, now }: Campaign): Promise<{
  readonly due: readonly NamedFan[];
  readonly readAtMs: number;
  readonly skipped: Skipped;
}> {
  const { links, blocks } = await loadLinkList(database, config.path);
  const linked = new Set(links.map(({ fan }) => fan));
  const cut = new Set(blocks.filter(speaksAgainst).map(({ fan }) => fan));
  const { readAtMs, subscribers, invited } = await database.read((sql) => ({
    ...loadSavedSubscribers(sql, now()),
    invited: loadInvitedFans(sql),
  }));
  const caseOf = ({ fan }: NamedFan): keyof Skipped | "due" => {
    if (linked.has(fan)) return "linked";
    if (cut.has(fan)) return "unlinked";
    return invited.has(fan) ? "invited" : "due";
  };
  const cases = Map.groupBy(subscribers, caseOf);
  const count = (of: keyof Skipped) => cases.get(of)?.length ?? 0;
  return {
    due: cases.get("due") ?? [],
    readAtMs,
    skipped: { linked: count("linked"), unlinked: count("unlinked"), invited: count("invited") },
  };
}

/** A transfer took an account from them, which does not mean that they want none. */
const speaksAgainst = (block: Block): boolean => block.cause !== "transfer";

// ---- Sending ----------------------------------------------------------------------------------------------------

interface Round {
  readonly days: number;
  readonly publicUrl: string;
  readonly outcomes: Map<FanId, InviteOutcome>;
}

/** Gives what ended it early, if anything did. */
async function sendAll(
  due: readonly NamedFan[],
  round: Round,
  campaign: Campaign,
): Promise<OperatorError | undefined> {
  const { signal, progress } = campaign;
  const fanvue = await campaign.openFanvue();
  // Once Fanvue has been reached, an error that is thrown means that the message was not sent.
  await fanvue.fetchMe();
  let troubles = 0;
  for (const [done, to] of due.entries()) {
    progress("invitations", done, due.length);
    await awaitTurn(campaign);
    if (signal.aborted) return undefined;
    const made = await campaign.database.write((sql) => claim(sql, to.fan, round.days, campaign.now()));
    if (made === undefined) continue;
    const sent = await send(to.fan, made, { ...round, fanvue }, campaign);
    if (sent instanceof OperatorError) return sent;
    troubles = sent === "failed" || sent === "unanswered" ? troubles + 1 : 0;
    if (troubles === maxTroubles) return tooManyTroubles();
  }
  return undefined;
}

const tooManyTroubles = () =>
  new OperatorError(
    `${maxTroubles} messages in a row could not be sent.`,
    "See above why, and run it again in a while: it goes on with those who are left.",
    exitCodes.stepFailed,
  );

/** Waits while as many as may went out within the hour. */
async function awaitTurn({ database, signal, now, rest, log }: Campaign): Promise<void> {
  const isFull = () => database.read((sql) => countMessagedSince(sql, now() - hourMs) >= maxPerHour);
  if (!(await isFull())) return;
  log.info(`${maxPerHour} links went out within an hour. It goes on by itself as soon as more may.`);
  do await rest(minuteMs, signal);
  while (!signal.aborted && (await isFull()));
}

/** Puts a link on record as being sent, unless something has happened since the fans were chosen. */
function claim(sql: Sql, fan: FanId, days: number, nowMs: number): MadeInvite | undefined {
  const isDue =
    loadStoredLinks(sql, fan).length === 0 &&
    !loadBlocks(sql, fan).some((block) => block.fan === fan && speaksAgainst(block)) &&
    !loadInvitedFans(sql).has(fan);
  return isDue ? makeInvite(sql, { fan, days, isSent: true }, nowMs) : undefined;
}

/** An error is given back when it concerns all further messages, too. */
async function send(
  fan: FanId,
  { nonceHash, token, expiresAtMs }: MadeInvite,
  { publicUrl, outcomes, fanvue }: Round & { readonly fanvue: Pick<Fanvue, "sendMessage"> },
  { config, database, now, log }: Campaign,
): Promise<Delivery["is"] | OperatorError> {
  const text = fanvueMessages.invitation({
    url: inviteUrl(publicUrl, token),
    platforms: platformsOf(config),
    until: dayOf(expiresAtMs),
  });
  const delivery = await fanvue.sendMessage(fan, text).catch((error: unknown) => {
    if (error instanceof OperatorError) return error;
    throw error;
  });
  const outcome = delivery instanceof OperatorError ? "failed" : delivery.is;
  const state = stateAfter[outcome];
  await database.write((sql) => {
    saveInviteSent(sql, nonceHash, state, now());
  });
  outcomes.set(fan, outcome);
  if (delivery instanceof OperatorError) return delivery;
  if (delivery.is === "failed" || delivery.is === "unanswered")
    log.warn({ fan }, `${troubleWords[delivery.is]}: ${scrub(delivery.why, [token])}.`);
  return delivery.is;
}

/** Whoever may have got theirs keeps it on record as being sent, and gets no other. */
const stateAfter = {
  sent: "sent",
  refused: "refused",
  failed: "failed",
  unanswered: "sending",
} as const satisfies Record<Delivery["is"], SentState>;

const troubleWords = {
  failed: "A link could not be sent",
  unanswered: "Whether a link arrived is open, so it is not sent again",
} as const;

const platformsOf = ({ discord, matrix }: Config): readonly Platform[] => [
  ...(discord?.oauth === undefined ? [] : ["discord" as const]),
  ...(matrix === undefined ? [] : ["matrix" as const]),
];
