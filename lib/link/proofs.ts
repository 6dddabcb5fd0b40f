/** What a visitor of the link pages can prove, and what the pages ask of those who check it. */
import type { DiscordUserId, FanId, Mxid } from "../ids.ts";
import type { Login } from "../logins.ts";

/** Whose Fanvue account the visitor has. */
export interface FanProof {
  readonly fan: FanId;
  readonly handle: string;
  readonly displayName: string;
  readonly how: "sign-in" | "code" | "invite";
}

/** Whose account on the other side the visitor has. */
export type AccountProof =
  | {
      readonly platform: "discord";
      readonly account: DiscordUserId;
      readonly name: string;
      /** With which the fan lets us bring them into the server; undefined: not asked for. */
      readonly login: Login | undefined;
    }
  | { readonly platform: "matrix"; readonly account: Mxid; readonly name: string };

/** Why something could not be proved; each has a page of its own with one thing to do. */
export type Failure =
  /** The person said no on the other service's page. */
  | "declined"
  /** The state, the code or the page is too old, was used, or belongs to another browser or purpose. */
  | "expired"
  | "wrong code"
  /** Five wrong tries: this code is of no use any more. */
  | "spent code"
  /** Too many codes or tries; later again. */
  | "limited"
  /** The address is no Matrix id, or one that nobody may link (the bot itself). */
  | "not an account"
  /** The code could not be delivered to that account. */
  | "unreachable account"
  /** The other service did not answer, or refused us. */
  | "service away"
  /** The personal link was used before. */
  | "used invite";

export type Proved<T> =
  { readonly is: "proved"; readonly proof: T } | { readonly is: "failed"; readonly failure: Failure };

/** It was not proved. */
export const failed = (failure: Failure) => ({ is: "failed", failure }) as const;

/** One way out to another service's page and back: kept in the visit, single use, ten minutes. */
export interface Attempt {
  /** Where the browser is sent. */
  readonly url: URL;
  readonly state: string;
  readonly verifier: string;
}

/** Signing in on another service's page. */
export interface SignIn<T> {
  start(): Promise<Attempt>;
  /** `parameters`: what the service gave the browser to bring back. Never throws for what a visitor may cause. */
  finish(attempt: Attempt, parameters: URLSearchParams): Promise<Proved<T>>;
}

/** A code that was sent where only the owner of an account reads it. `id` stays in the visit; the code itself is kept nowhere. */
export interface SentCode {
  readonly id: string;
}

/** Proving a Fanvue account by a code in its Fanvue inbox. */
export interface InboxProof {
  /** Always answers alike, after the same work: whether there is such a fan, and whether a message can reach them, stays untold. */
  send(handle: string): Promise<SentCode>;
  check(sent: SentCode, code: string): Promise<Proved<FanProof>>;
}

/** Proving a Fanvue account by a link that the creator handed out. */
export interface InviteProof {
  /** Whether the link is good; consumes nothing. */
  look(token: string): Promise<Proved<Pick<FanProof, "handle" | "displayName">>>;
  /** Uses the link up. */
  use(token: string): Promise<Proved<FanProof>>;
}

/** Proving a Matrix account by a code in a direct message. */
export interface MatrixProof {
  send(
    fan: FanId,
    typed: string,
  ): Promise<
    | { readonly is: "sent"; readonly sent: SentCode; readonly mxid: Mxid }
    | { readonly is: "failed"; readonly failure: Failure }
  >;
  check(sent: SentCode, code: string): Promise<Proved<Extract<AccountProof, { platform: "matrix" }>>>;
}

/** All that the config switches on; what is undefined is not offered. */
export interface Proofs {
  readonly fanvueSignIn: SignIn<FanProof> | undefined;
  readonly inbox: InboxProof | undefined;
  readonly invites: InviteProof | undefined;
  readonly discord: SignIn<Extract<AccountProof, { platform: "discord" }>> | undefined;
  readonly matrix: MatrixProof | undefined;
}

/** The links themselves: what the pages may do to them. Each is one database write, recorded as a link event. */
export interface LinkBook {
  ofFan(fan: FanId): Promise<readonly FanLink[]>;
  /** What `link` would say now; writes nothing. */
  wouldLink(fan: FanProof, account: AccountProof): Promise<LinkResult>;
  link(fan: FanProof, account: AccountProof): Promise<LinkResult>;
  /** False: there was no such link of this fan. */
  unlink(fan: FanId, account: DiscordUserId | Mxid): Promise<boolean>;
}

export interface FanLink {
  readonly platform: "discord" | "matrix";
  readonly account: DiscordUserId | Mxid;
  /** Entered by the operator (also in an address book): the fan cannot end it here unless it is theirs by proof, too. */
  readonly source: "proved" | "operator" | "book";
}

export type LinkResult =
  | { readonly is: "linked" }
  /** isRepeated: linked anew within minutes, which is no news. */
  | { readonly is: "already"; readonly isRepeated?: true }
  /** Another fan has this account, or the fan has another account of this platform. */
  | { readonly is: "taken"; readonly by: "another fan" | "another account" }
  /** Something that came through an earlier link is still to be taken back: from this account, or from another of the fan. */
  | { readonly is: "waits"; readonly for: "this account" | "another account" }
  /** The operator blocked it. */
  | { readonly is: "blocked" };
