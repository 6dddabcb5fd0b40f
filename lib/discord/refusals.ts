/** What Discord's refusals of a step mean: whose fault it is, what to say, and what need not be asked again. */
import { RESTJSONErrorCodes } from "discord-api-types/v10";
import type { Step, Verb } from "../model.ts";
import type { Outcome } from "../target.ts";
import type { LoginTrouble } from "./oauth.ts";
import type { Failure } from "./rest.ts";
import { resourceOverloaded } from "./transport.ts";

/** What was asked of Discord. A join brings a member in, with all roles that are due. */
export type Act = Verb | "join";

/**
 * How much of what is left would be answered alike, and is therefore not asked: everything about this member, this act
 * (of giving and taking: for this role), everything about this role, or everything.
 */
export type Reach = "member" | "act" | "place" | "server";

/** Why a step was not carried out, as far as Discord and the login that was used tell. */
export type Trouble = Failure | LoginTrouble | { readonly is: "no login" };

export interface Judged {
  readonly outcome: Outcome;
  readonly closes: Reach | undefined;
}

interface Meaning {
  /** A failure is told by whose fault it is. */
  readonly is: "done" | "dropped" | "refused" | "service" | "place" | "member";
  readonly sentence: string;
  readonly closes: Reach | undefined;
}
type Closing = Reach | undefined;

const done = (sentence: string, closes?: Closing): Meaning => ({ is: "done", sentence, closes });
const dropped = (sentence: string): Meaning => ({ is: "dropped", sentence, closes: undefined });
const refused = (sentence: string, closes?: Closing): Meaning => ({ is: "refused", sentence, closes });
const byMember = (sentence: string, closes?: Closing): Meaning => ({ is: "member", sentence, closes });
const byPlace = (sentence: string, closes?: Closing): Meaning => ({ is: "place", sentence, closes });
const byService = (sentence: string): Meaning => ({ is: "service", sentence, closes: undefined });

const gives = (act: Act): boolean => act === "grant" || act === "join";

/** Whoever is not in the server has no role there any more, and needs no eviction. */
const outside = (act: Act, sentence: string): Meaning =>
  gives(act) ? refused(sentence, "member") : done(sentence, "member");

/** Keeps a member from being given something; it is no reason for which they might keep what they have. */
const hindered = (act: Act, sentence: string): Meaning =>
  gives(act)
    ? refused(sentence, "member")
    : byMember(`Discord says that this member ${sentence}; the next run looks again.`, "member");

const mayLinkAgain = "they may link their account again";

function missingPermission(act: Act): Meaning {
  if (act === "join")
    return byPlace(
      "The bot may not bring members in with their roles; give it Create Invite and Manage Roles, and drag its role " +
        "above those that it hands out.",
      "act",
    );
  if (act === "evict")
    return byPlace(
      "The bot may not kick; give it Kick Members and drag its role above those of the members.",
      "act",
    );
  return byPlace(
    "The bot may not hand out this role; give it Manage Roles and drag its role above this one.",
    "act",
  );
}

const codes = RESTJSONErrorCodes;

/** https://discord.com/developers/docs/topics/opcodes-and-status-codes#json */
const meanings: ReadonlyMap<number, (act: Act) => Meaning> = new Map<number, (act: Act) => Meaning>([
  [
    codes.UnknownGuild,
    () => byPlace("The server does not exist, or the bot is not in it; invite the bot again.", "server"),
  ],
  [
    codes.UnknownMember,
    (act) =>
      outside(act, act === "join" ? "may not be brought in: Discord does not find them" : "left the server"),
  ],
  [
    codes.UnknownRole,
    (act) =>
      act === "join"
        ? byPlace("One of the roles to be handed out was deleted just now; the next run goes without it.")
        : byPlace("The role was deleted; put an existing one in the config.", "place"),
  ],
  [codes.UnknownUser, (act) => outside(act, "the Discord account does not exist any more")],
  [
    codes.MaximumNumberOfServerMembersReached,
    () => byPlace("The server has as many members as Discord allows.", "act"),
  ],
  [codes.VerifyYourAccount, (act) => hindered(act, "has a Discord account that is not verified yet")],
  [codes.FeatureTemporarilyDisabledServerSide, () => byService("Discord has switched this off for a while.")],
  [codes.CloudflareIsBlockingYourRequest, () => byService("Discord's shield held the request back.")],
  [
    codes.InvalidFormBodyOrContentType,
    () =>
      byMember(
        "Discord did not understand the request (code 50035); update fanvue-sync, and report this if that is no help.",
      ),
  ],
  [codes.MaximumNumberOfGuildsReached, (act) => hindered(act, "is in as many servers as Discord allows")],
  [codes.UserBannedFromThisGuild, (act) => outside(act, "is banned from the server")],
  [
    codes.MissingAccess,
    (act) =>
      act === "join"
        ? byPlace(
            "The bot may not bring members in; give it Create Invite, and see whether it is still in the server.",
            "act",
          )
        : byPlace("The bot has lost its access to the server; invite it again.", "server"),
  ],
  [codes.MissingPermissions, missingPermission],
  [
    codes.TwoFactorAuthenticationIsRequired,
    () =>
      byPlace("The server asks moderators for two-factor login; the bot's owner must turn it on.", "server"),
  ],
  [
    codes.InvalidOAuth2AccessToken,
    () =>
      byMember(
        "Discord does not accept this member's login, though it renewed it just now; the next run tries again.",
        "member",
      ),
  ],
  [
    codes.MissingRequiredOAuth2Scope,
    () => byMember(`This member did not allow joining servers; ${mayLinkAgain}.`, "member"),
  ],
  [
    codes.CannotSendMessagesToThisUserDueToHavingNoMutualGuilds,
    (act) => hindered(act, "shares no server with the bot"),
  ],
  [resourceOverloaded, () => byService("Discord is overloaded.")],
]);

function unnamed(act: Act, status: number, code: number): Meaning {
  // A join asks for one member in particular, and most of what may stand in its way is theirs.
  if (act === "join" && (status === 400 || status === 403))
    return refused(`may not be brought in, says Discord (status ${status}, code ${code})`, "member");
  const sentence = `Discord refused with status ${status}, code ${code}.`;
  if (status === 403) return byPlace(sentence, "act");
  if (status === 429) return byService(sentence);
  return byMember(sentence);
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function meaningOf(act: Act, trouble: Trouble): Meaning {
  switch (trouble.is) {
    case "refused":
      return meanings.get(trouble.code)?.(act) ?? unnamed(act, trouble.status, trouble.code);
    case "unanswered":
      return byService(`${capital(trouble.because)}.`);
    case "stopped":
      return dropped("The run was stopped before this step.");
    case "no login":
      return dropped("The permission to bring them in is no longer there.");
    case "login ended":
      return byMember(`Their permission to be brought in has ended; ${mayLinkAgain}.`, "member");
    case "client refused":
      return byPlace(
        "Discord does not accept discord.oauth_client_id and oauth_client_secret, so nobody can be brought in; " +
          "compare both with the OAuth2 page of https://discord.com/developers/applications.",
        "act",
      );
  }
}

/** What became of a step that was part of an act which failed. */
export function judge(step: Step, act: Act, trouble: Trouble): Judged {
  const meaning = meaningOf(act, trouble);
  return { outcome: outcomeOf(step, meaning, trouble), closes: meaning.closes };
}

function outcomeOf(step: Step, { is, sentence }: Meaning, trouble: Trouble): Outcome {
  if (is === "done") return { step, result: "done" };
  if (is === "dropped") return { step, result: "dropped", sentence };
  if (is !== "refused") return { step, result: "failed", blame: is, sentence };
  return { step, result: "refused", code: trouble.is === "refused" ? String(trouble.code) : "", sentence };
}
