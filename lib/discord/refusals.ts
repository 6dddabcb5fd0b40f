/** What Discord's refusals of a step mean: whose fault it is, what to say, and what need not be asked again. */
import { RESTJSONErrorCodes } from "discord.js";
import type { Step, Verb } from "../model.ts";
import type { Outcome } from "../target.ts";
import type { Answer, Failure } from "./rest.ts";

/** How much of what is left would fail alike: this verb in this place, the place, or all places. */
export type Reach = "verb" | "place" | "server";

export interface Judged {
  readonly outcome: Outcome;
  readonly closes?: Reach;
}

type Meaning =
  | { readonly is: "done" }
  | { readonly is: "refused"; readonly sentence: string }
  | {
      readonly is: "failed";
      readonly blame: "service" | "us" | "place" | "member";
      readonly sentence: string;
      readonly closes?: Reach;
    };

const refused = (sentence: string): Meaning => ({ is: "refused", sentence });
const byMember = (sentence: string): Meaning => ({ is: "failed", blame: "member", sentence });
const byPlace = (sentence: string, closes: Reach): Meaning => ({
  is: "failed",
  blame: "place",
  sentence,
  closes,
});
const byService = (sentence: string): Meaning => ({ is: "failed", blame: "service", sentence });

/** Whoever is not in the server has no role there any more, and needs no eviction. */
const gone = (verb: Verb, sentence: string): Meaning =>
  verb === "grant" ? refused(sentence) : { is: "done" };

const codes = RESTJSONErrorCodes;
/** Not in the library's list yet. */
const resourceOverloaded = 130_000;

/** https://discord.com/developers/docs/topics/opcodes-and-status-codes#json */
const meanings: ReadonlyMap<number, (verb: Verb) => Meaning> = new Map<number, (verb: Verb) => Meaning>([
  [codes.UnknownMember, (verb) => gone(verb, "left the server")],
  [codes.UnknownUser, (verb) => gone(verb, "the Discord account does not exist any more")],
  [codes.UnknownRole, () => byPlace("The role was deleted; put an existing one in the config.", "place")],
  [
    codes.UnknownGuild,
    () => byPlace("The server does not exist, or the bot is not in it; invite the bot again.", "server"),
  ],
  [
    codes.MissingAccess,
    () => byPlace("The bot has lost its access to the server; invite it again.", "server"),
  ],
  [
    codes.MissingPermissions,
    (verb) =>
      byPlace(
        verb === "evict"
          ? "The bot may not kick; give it Kick Members and drag its role above those of the members."
          : "The bot may not hand out this role; give it Manage Roles and drag its role above this one.",
        "verb",
      ),
  ],
  [
    codes.TwoFactorAuthenticationIsRequired,
    () =>
      byPlace("The server asks moderators for two-factor login; the bot's owner must turn it on.", "server"),
  ],
  [codes.MaximumNumberOfGuildsReached, () => refused("is in as many servers as Discord allows")],
  [codes.UserBannedFromThisGuild, () => refused("is banned from the server")],
  [
    codes.CannotSendMessagesToThisUserDueToHavingNoMutualGuilds,
    () => refused("shares no server with the bot"),
  ],
  [
    codes.InvalidOAuth2AccessToken,
    () =>
      byMember("Discord does not accept this member's login any more; they may link their account again."),
  ],
  [
    codes.MissingRequiredOAuth2Scope,
    () => byMember("This member did not allow joining servers; they may link their account again."),
  ],
  [resourceOverloaded, () => byService("Discord is overloaded.")],
]);

function unnamed(status: number, code: number): Meaning {
  const sentence = `Discord refused with status ${status}, code ${code}.`;
  if (status === 403) return byPlace(sentence, "verb");
  if (status === 429) return byService(sentence);
  return byMember(sentence);
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function judgeFailure(step: Step, failure: Failure): Judged {
  if (failure.is === "stopped")
    return { outcome: { step, result: "dropped", sentence: "The run was stopped before this step." } };
  if (failure.is === "unanswered")
    return {
      outcome: { step, result: "failed", blame: "service", sentence: `${capital(failure.because)}.` },
    };
  const meaning = meanings.get(failure.code)?.(step.verb) ?? unnamed(failure.status, failure.code);
  if (meaning.is === "done") return { outcome: { step, result: "done" } };
  const { sentence } = meaning;
  if (meaning.is === "refused")
    return { outcome: { step, result: "refused", code: String(failure.code), sentence } };
  const outcome: Outcome = { step, result: "failed", blame: meaning.blame, sentence };
  return meaning.closes === undefined ? { outcome } : { outcome, closes: meaning.closes };
}

/** What became of a step, by Discord's answer to it. */
export const judge = (step: Step, answer: Answer): Judged =>
  answer.is === "answer" ? { outcome: { step, result: "done" } } : judgeFailure(step, answer);
