/** All that the link pages say, in plain English for fans. A page's title is its heading and names the step. */
import type { RoleStatus } from "../commands/membership.ts";
import type { Platform } from "../ids.ts";
import type { Rule } from "../model.ts";
import type { Failure } from "./proofs.ts";

const serviceNames = { fanvue: "Fanvue", discord: "Discord", matrix: "Matrix" } as const;
/** A service where visitors have accounts. */
export type Service = keyof typeof serviceNames;
/** What people call it. */
export const serviceName = (service: Service): string => serviceNames[service];

/** `name`: the creator's, where the config tells it. */
export const siteName = (name: string | undefined): string => name ?? "Fan links";
const whose = (name: string | undefined): string => (name === undefined ? "the" : `${name}’s`);

export const common = {
  step: (number: number): string => `Step ${number} of 3`,
  signedIn: "You are here as",
  leave: "Sign out",
  myLinks: "My links",
  siteNavigation: "Site",
  startAgain: "Start again",
  tryAgain: "Try again",
  /** In the place of a name of which nothing can be shown. */
  noName: "(no name)",
} as const;

// ---- Step 1: the Fanvue account ---------------------------------------------------------------------------------

export const start = {
  title: "Connect your accounts",
  intro: (name: string | undefined, platforms: readonly Platform[]): string =>
    `Connect your Fanvue account with ${platforms.map(serviceName).join(" or ")}, and what you have on Fanvue opens ${whose(name)} community there.`,
  how: "First show that the Fanvue account is yours. Then choose what to connect with it.",
  signIn: "Sign in with Fanvue",
  signInHint:
    "Fanvue asks you whether we may see your name there. We keep nothing else and cannot post or pay.",
  code: "Get a code in your Fanvue inbox",
  codeHint: "No sign-in needed here: we send you a message on Fanvue, and you type the code from it.",
  or: "or",
  invite: "Did you get a personal link by a Fanvue message? Opening it is all you need.",
  goOn: "Go on",
  known: "You have already shown which Fanvue account is yours:",
  other: "Is another Fanvue account yours? Sign out first.",
} as const;

export const inbox = {
  handleTitle: "Get a code on Fanvue",
  handle: "Your Fanvue name",
  handleHint: "As it stands in the address of your profile, such as @sunny_day.",
  send: "Send me a code",
  codeTitle: "Type the code from Fanvue",
  sent: "If this name is a fan here whom messages reach, a code is in your Fanvue inbox within a minute. It is good for ten minutes.",
  notThere: "No message? Look whether the name is right, or see on the first page what else you can do.",
  code: "Code",
  codeHint: "Copy it from the message. Capitals or not makes no difference.",
  check: "Go on",
  again: "Send a new code",
} as const;

export const invite = {
  title: "Your personal link",
  intro: "This link was made for the Fanvue account",
  warning: "Go on only if this is you. The link works once.",
  use: "Yes, that is me",
} as const;

export const away = {
  title: (service: string): string => `Going to ${service}`,
  text: (service: string): string => `You are on your way to ${service}. If nothing happens, use this link:`,
  link: (service: string): string => `Go on to ${service}`,
} as const;

export const callback = {
  title: (service: string): string => `Back from ${service}`,
  text: (service: string): string => `${service} has sent you back. One more press finishes this step.`,
  button: "Go on",
} as const;

// ---- Step 2: the account to connect -----------------------------------------------------------------------------

export const choose = {
  title: "What do you want to connect?",
  shown: "Your Fanvue account:",
  connect: (platform: Platform): string => `Connect ${serviceName(platform)}`,
  hints: {
    discord: "Discord asks you whether we may see your name there.",
    discordWithJoin:
      "Discord asks you whether we may see your name there and bring you into the server, so that you need no invitation.",
    matrix: "You type your Matrix id, and our bot sends a code to it.",
  },
  connected: (platform: Platform): string => `${serviceName(platform)} is connected:`,
  change:
    "Did you leave, and want to be let in again? Connect it once more. To use another account, unlink this one first.",
  again: (platform: Platform): string => `Connect ${serviceName(platform)} again`,
} as const;

export const matrix = {
  idTitle: "Your Matrix id",
  id: "Matrix id",
  idHint:
    "It begins with @ and names your server, such as @sunny:example.org. You find it in your app’s settings.",
  send: "Send me a code",
  codeTitle: "Type the code from Matrix",
  sent: "Our bot has sent a code to",
  howTo:
    "Open any Matrix app: there is an invitation to a direct chat. Accept it, and type the code here. It is good for ten minutes.",
  code: "Code",
  codeHint: "Copy it from the chat. Capitals or not makes no difference.",
  check: "Go on",
  again: "Use another id, or get a new code",
} as const;

// ---- Step 3: confirm --------------------------------------------------------------------------------------------

export const confirm = {
  title: "Connect these two?",
  fanvue: "Fanvue",
  sharingTitle: "What is shared",
  sharing: (name: string | undefined, platform: Platform): readonly string[] => [
    `${name ?? "The creator"} and whoever runs this for them see that these two accounts belong together. Nobody else is told.`,
    `What you have on Fanvue decides which ${platform === "discord" ? "roles" : "rooms"} you get. When it ends, they go.`,
    `What you pay is shown to nobody on ${serviceName(platform)}.`,
  ],
  takeBackTitle: "What you can take back",
  takeBack: (platform: Platform): readonly string[] => [
    `You can unlink at any time under My links. What you were given on ${serviceName(platform)} is then taken back.`,
    platform === "discord"
      ? "What you write on the server stays there until you or a moderator delete it."
      : "What you write in Matrix rooms is copied to other servers and cannot be called back for certain.",
  ],
  responsibility:
    "Some of these places are for adults only. Both accounts must be your own: you answer for it if you connect somebody else’s.",
  join: (name: string | undefined): string =>
    `You allowed ${whose(name)} bot to bring you into the Discord server. It does so when your membership includes a role there.`,
  button: "Yes, connect them",
  no: "No, choose something else",
} as const;

export const done = {
  title: "You are connected",
  followTitle: { discord: "Your roles", matrix: "Your rooms" },
  soon: "We have asked for a check right now. What is yours comes within a few minutes; you may close this page.",
  invitations: "Rooms come as invitations in your Matrix app.",
  noServer:
    "If you are not on the Discord server yet, join it first, or wait to be brought in if you allowed it.",
  none: {
    discord: "No roles come with a membership here yet.",
    matrix: "No rooms come with a membership here yet.",
  },
  more: "Connect something else",
} as const;

// ---- My links ---------------------------------------------------------------------------------------------------

export const mine = {
  title: "My links",
  none: "Nothing is connected with this Fanvue account yet.",
  unlink: (platform: Platform): string => `Unlink ${serviceName(platform)}`,
  byTeam: "This one was entered by the team. To end it, please ask them.",
  unlinked:
    "is unlinked. What came with it is taken back at the next check. You can connect another one after that.",
  connect: "Connect something",
} as const;

export const unlink = {
  title: (platform: Platform): string => `Unlink ${serviceName(platform)}?`,
  text: (platform: Platform): string =>
    `The ${platform === "discord" ? "roles" : "rooms"} that came with your Fanvue account are taken back at the next check. You can connect again later.`,
  button: "Yes, unlink it",
  no: "No, keep it",
} as const;

const ruleWords = {
  subscription: "subscribers",
  spending: "generous fans",
  top_spender: "top spenders",
  unlock: "fans who unlocked a certain post",
  fanvue_list: "fans on a certain list",
} as const satisfies Record<Rule["kind"], string>;

/** Stands for the name of a role or room that is not known yet. */
export const placeInWords = (rules: readonly Rule[]): string =>
  `for ${[...new Set(rules.map(({ kind }) => ruleWords[kind]))].join(" or ")}`;

/** How it stands with one role or room; `day` puts a time in words. */
export function statusText(status: RoleStatus, day: (timeMs: number) => string): string {
  switch (status.is) {
    case "has it":
      return status.untilMs === undefined ? "yours" : `yours, until ${day(status.untilMs)}`;
    case "comes with the next sync":
      return "yours; it comes with the next check";
    case "removed by a person":
      return "a moderator took it from you; please ask the team";
    case "left by choice":
      return "you left; it comes again when you connect once more, or when your membership begins anew";
    case "refused before":
      return `yours, but it could not be given; that is tried again on ${day(status.nextTryAtMs)}`;
    case "in grace":
      return `what gave it to you has ended; you keep it until ${day(status.untilMs)}`;
    case "kept":
      return "what gave it to you has ended, and you may keep it";
    case "ends with the next sync":
      return "what gave it to you has ended; it goes with the next check";
    case "not ours":
      return "yours, but not by your membership";
    case "not entitled":
      return "not part of your membership right now";
    case "unknown":
      return "cannot be told right now; until then nothing changes";
  }
}

/** When Fanvue was last asked, and when it is asked next, where that is known. */
export function lookText(
  lookedAtMs: number | undefined,
  nextLookAtMs: number | undefined,
  time: (timeMs: number) => string,
): string {
  const next = nextLookAtMs === undefined ? "" : ` The next regular check is at ${time(nextLookAtMs)}.`;
  return lookedAtMs === undefined
    ? `Memberships have not been checked yet.${next}`
    : `Memberships were last checked at ${time(lookedAtMs)}.${next}`;
}

// ---- What is wrong with what was typed --------------------------------------------------------------------------

export const problems = {
  "no handle": "Type your Fanvue name.",
  "no code": "Type the code from the message.",
  "wrong code": "This code is not right. Look at the newest message, and try again.",
  "not an account": "This is no Matrix id that can be connected. It looks like @sunny:example.org.",
  "unreachable account":
    "Our bot could not reach this id. Look whether it is right, and whether your server lets strangers write to you.",
} as const;
/** What can be wrong with what was typed; shown beside the field. */
export type Problem = keyof typeof problems;

// ---- Error pages: what happened, and one thing to do ------------------------------------------------------------

export interface Trouble {
  readonly title: string;
  readonly text: string;
}

export const failures: Readonly<Record<Failure, Trouble>> = {
  declined: {
    title: "You said no",
    text: "That is all right: nothing was connected. If it was not meant, go back and try again.",
  },
  expired: {
    title: "This has expired",
    text: "The page or the code is too old, was used before, or was opened in another browser. Nothing was connected.",
  },
  "wrong code": { title: "This code is not right", text: problems["wrong code"] },
  "spent code": {
    title: "This code is used up",
    text: "There were too many wrong tries, so this code does not work any more. Ask for a new one.",
  },
  limited: {
    title: "Too many tries",
    text: "There were too many codes or tries. Please try again later: at the latest tomorrow, it works again.",
  },
  "not an account": { title: "This cannot be connected", text: problems["not an account"] },
  "unreachable account": { title: "We could not reach this account", text: problems["unreachable account"] },
  "service away": {
    title: "No answer from the other side",
    text: "The other service did not answer us. Nothing was connected. Please try again in a few minutes.",
  },
  "used invite": {
    title: "This link was used before",
    text: "A personal link works once. Show in another way which Fanvue account is yours, or ask for a new link.",
  },
};

export const troubles = {
  "taken by another fan": {
    title: "This account is connected already",
    text: "It belongs to another Fanvue account. Whoever connected it can unlink it there; otherwise please ask the team.",
  },
  "taken by another account": {
    title: "You have connected another account",
    text: "One account of each kind goes with a Fanvue account. Unlink the other one first, under My links; if the team connected it for you, ask them.",
  },
  "not taken back yet": {
    title: "Please wait for the next check",
    text: "This account still has what came with its earlier connection. The next check takes that back. Then connect it here: most often that takes a few minutes.",
  },
  "other not taken back yet": {
    title: "Please wait for the next check",
    text: "The account that you unlinked still has what came with it. The next check takes that back. Then connect this one: most often that takes a few minutes.",
  },
  blocked: {
    title: "This cannot be connected",
    text: "The team has stopped this connection. If you think that is a mistake, please ask them.",
  },
  "out of date": {
    title: "This page is out of date",
    text: "Perhaps it was open for long, or in two tabs. Nothing was done. Please start again from here.",
  },
  "needs fan": {
    title: "First your Fanvue account",
    text: "This page is for those who have shown which Fanvue account is theirs, a short while ago and in this browser.",
  },
  "no cookies": {
    title: "Cookies are needed",
    text: "Your browser sent no cookie. This site uses a single one, to know you from page to page. Allow it for this site, and start again.",
  },
  forbidden: {
    title: "This was not sent from here",
    text: "The form came from another web site, so nothing was done. Please start here.",
  },
  "not offered": {
    title: "This is not offered here",
    text: "This way is switched off. Please choose another one.",
  },
  unreadable: {
    title: "This was not understood",
    text: "What your browser sent cannot be read. Please start again.",
  },
  "not found": {
    title: "There is no such page",
    text: "The address is not complete, or the page does not exist.",
  },
  "wrong method": {
    title: "This page cannot do that",
    text: "It was asked for in a way it does not know. Please start again.",
  },
  "too large": {
    title: "That was too much",
    text: "What your browser sent is larger than any form here. Please start again.",
  },
  "too long": {
    title: "This address is too long",
    text: "No page here has such a long address. Please start again.",
  },
  "too many": {
    title: "Too many requests",
    text: "Your network has asked for very much in a short time. Please wait a minute, and try again.",
  },
  trouble: {
    title: "Something went wrong here",
    text: "That is our fault, not yours, and the team can see it. Please try again in a few minutes.",
  },
  busy: {
    title: "Not possible right now",
    text: "Something else is at work here, or needs the team’s hand. Please try again in a few minutes.",
  },
} as const satisfies Record<string, Trouble>;
export type TroubleName = keyof typeof troubles;

// ---- What our bot writes on Matrix ------------------------------------------------------------------------------

/** `name` as for `siteName`; `address`: that of this site, which is all that the receiver has to tell us by. */
export const matrixMessage = {
  roomName: (name: string | undefined): string => `Your code for ${siteName(name)}`,
  text: (code: string, site: { readonly name: string | undefined; readonly address: string }): string =>
    [
      `Your code: ${code}`,
      `Somebody has typed your Matrix id on ${siteName(site.name)} (${site.address}) to connect it with a Fanvue account. If that was you, type the code there, and nowhere else; it is good for ten minutes.`,
      "If you did not ask for this, ignore it, and show the code to nobody: nothing is connected then.",
    ].join("\n\n"),
} as const;

// ---- What the creator's account writes on Fanvue ----------------------------------------------------------------

export const fanvueMessages = {
  code: (code: string, site: { readonly name: string | undefined; readonly address: string }): string =>
    [
      `Your code: ${code}`,
      `Somebody has typed your Fanvue name on ${siteName(site.name)} (${site.address}) to connect it with an account elsewhere. If that was you, type the code there, and nowhere else; it is good for ten minutes.`,
      "If you did not ask for this, ignore it, and show the code to nobody: nothing is connected then.",
    ].join("\n\n"),
  invitation: (invitation: {
    readonly url: string;
    readonly platforms: readonly Platform[];
    /** The last day on which the link is good, in words. */
    readonly until: string;
  }): string =>
    [
      `What you have here opens more on ${invitation.platforms.map(serviceName).join(" and ")}. Connect your account with this personal link:`,
      invitation.url,
      `It is for you alone: show it to nobody. It works once, until ${invitation.until}. If you do not want this, ignore this message.`,
    ].join("\n\n"),
} as const;
