/** What a route is: it gets a visitor's request, and answers with a page or a way to go. Nothing of HTTP is known here. */
import type * as z from "zod";
import type { FanId, Platform } from "../../ids.ts";
import type { Effort } from "../limits.ts";
import type { MembershipOf } from "../membership.ts";
import type { Page } from "../pages/layout.ts";
import { troublePage, type WayOut } from "../pages/trouble.ts";
import type { Failure, LinkBook, Proofs } from "../proofs.ts";
import type { Site } from "../site.ts";
import { common, failures, type TroubleName, troubles } from "../texts.ts";
import type { Turnstile } from "../turnstile.ts";
import type { Visit, VisitId, Visits } from "../visits.ts";

/** What the routes work with. */
export interface Kit {
  readonly site: Site;
  readonly proofs: Proofs;
  readonly linkBook: LinkBook;
  readonly membership: MembershipOf;
  /** Asks for a sync of this fan on this platform, as soon as may be. */
  readonly askForSync: (fan: FanId, platform: Platform) => void;
  readonly visits: Visits;
  /** Through which goes who brings something that another service is to be asked about. */
  readonly exchanges: Turnstile;
  readonly now: () => number;
}

/** One request of a visitor. */
export interface Ask {
  readonly id: VisitId;
  /** As it is at this moment: after an `await` it may be another. */
  readonly visit: Visit;
  readonly formToken: string;
  readonly query: URLSearchParams;
  /** What stands for the blank of a path that has one, such as /invite/:token. */
  readonly blank: string;
}

/** All addresses that anybody is sent to. None is ever made of what a visitor brought. */
export type Path =
  | "/"
  | "/away/discord"
  | "/away/fanvue"
  | "/choose"
  | "/confirm"
  | "/done"
  | "/fanvue/code"
  | "/matrix"
  | "/mine";

export type Status = 200 | 400 | 403 | 404 | 405 | 409 | 410 | 413 | 414 | 429 | 500 | 502 | 503;

export type Answer =
  | {
      readonly is: "page";
      readonly page: Page;
      readonly status: Status;
      /** What went wrong, for the log. */
      readonly trouble?: string;
    }
  /** `id`: the visit goes on under this one; "ended": it is over. */
  | { readonly is: "go"; readonly to: Path; readonly id?: VisitId | "ended" };

type Answering = Answer | Promise<Answer>;

export interface Route {
  readonly path: string;
  /** Changes nothing that matters: links are opened by previews, too. */
  readonly get?: (ask: Ask, kit: Kit) => Answering;
  readonly post?: Posting;
  /** What a form costs of what its sender may ask for; left out: a page. */
  readonly effort?: Effort;
  /** What it costs of what all together may ask for; left out: nothing. */
  readonly sharedEffort?: Effort;
}
export type Posting = (fields: Readonly<Record<string, string>>, ask: Ask, kit: Kit) => Answering;

/** A form's route: what was sent is read by the form's own scheme, or refused. */
export const posted =
  <T>(schema: z.ZodType<T>, answer: (form: T, ask: Ask, kit: Kit) => Answering): Posting =>
  (fields, ask, kit) => {
    const form = schema.safeParse(fields);
    return form.success ? answer(form.data, ask, kit) : refuse("unreadable");
  };

// ---- Answers ----------------------------------------------------------------------------------------------------

export const show = (page: Page): Answer => ({ is: "page", page, status: 200 });

export const go = (to: Path, id?: VisitId | "ended"): Answer => ({
  is: "go",
  to,
  ...(id === undefined ? {} : { id }),
});

/** A way out for which one tries again where one was. */
export const again = (href: Path): WayOut => ({ href, text: common.tryAgain });

const troubleStatuses = {
  "taken by another fan": 409,
  "taken by another account": 409,
  "not taken back yet": 409,
  "other not taken back yet": 409,
  blocked: 403,
  "out of date": 409,
  "needs fan": 403,
  "no cookies": 403,
  forbidden: 403,
  "not offered": 404,
  unreadable: 400,
  "not found": 404,
  "wrong method": 405,
  "too large": 413,
  "too long": 414,
  "too many": 429,
  trouble: 500,
  busy: 503,
} as const satisfies Record<TroubleName, Status>;

/** What stops a visitor here, as a page. */
export const refuse = (name: TroubleName, wayOut?: WayOut): Extract<Answer, { is: "page" }> => ({
  is: "page",
  page: troublePage(troubles[name], wayOut),
  status: troubleStatuses[name],
  trouble: name,
});

const failureStatuses = {
  declined: 403,
  expired: 410,
  "wrong code": 403,
  "spent code": 410,
  limited: 429,
  "not an account": 400,
  "unreachable account": 502,
  "service away": 502,
  "used invite": 410,
} as const satisfies Record<Failure, Status>;

/** Why something could not be proved, as a page. */
export const fail = (failure: Failure, wayOut?: WayOut): Answer => ({
  is: "page",
  page: troublePage(failures[failure], wayOut),
  status: failureStatuses[failure],
  trouble: failure,
});
