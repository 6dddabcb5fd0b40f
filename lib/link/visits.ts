/**
 * Visits: what a browser has done here so far, in memory and known by one cookie. A cookie alone costs no memory: its value
 * is random and sealed, and a visit is opened behind it only when a form is sent. So a crowd, or an attacker, who opens
 * pages pushes nobody out.
 */
import type { Mxid } from "../ids.ts";
import { areOpen, type OpenAttempt } from "./attempts.ts";
import type { AccountProof, FanLink, FanProof, SentCode } from "./proofs.ts";
import { randomSecret, type Random, sameSecret, seal } from "./secrets.ts";
import type { Problem } from "./texts.ts";

declare const brand: unique symbol;
/** The value of a cookie that we gave out. */
export type VisitId = string & { readonly [brand]: "VisitId" };

/** What a form has to say on the page that shows it next. */
export interface Notice {
  readonly on: "handle" | "inbox code" | "mxid" | "matrix code";
  readonly problem: Problem;
  /** What was typed, to be shown again. */
  readonly typed?: string;
}

export interface Visit {
  readonly fan: FanProof | undefined;
  /** Proved, and not linked yet. */
  readonly account: AccountProof | undefined;
  readonly attempts: readonly OpenAttempt[];
  readonly inboxCode: SentCode | undefined;
  readonly matrixCode: { readonly sent: SentCode; readonly mxid: Mxid } | undefined;
  readonly notice: Notice | undefined;
  /** What was linked and unlinked last, for the pages that say so. */
  readonly linked: LinkedAccount | undefined;
  readonly unlinked: LinkedAccount | undefined;
}
type LinkedAccount = Pick<FanLink, "platform" | "account">;

export const emptyVisit: Visit = {
  fan: undefined,
  account: undefined,
  attempts: [],
  inboxCode: undefined,
  matrixCode: undefined,
  notice: undefined,
  linked: undefined,
  unlinked: undefined,
};

export interface Visits {
  /** The id in a cookie, if it is one that we gave out. */
  recognise(cookie: string | undefined): VisitId | undefined;
  /** A fresh id, behind which there is nothing yet. */
  issue(): VisitId;
  /** What a form carries to show that it comes from a page of this visit. */
  formToken(id: VisitId): string;
  isFormToken(id: VisitId, token: string): boolean;
  /** An empty visit where there is none behind the id, or where it has ended. */
  load(id: VisitId): Visit;
  /** Changes a visit, and opens it where there is none. */
  change(id: VisitId, change: (visit: Visit) => Visit): void;
  /**
   * Changes a visit and gives it a new id: whoever knew the old one, which is dead then, is left behind. undefined where
   * the visit has ended, or was given a new id by another request meanwhile.
   */
  renew(id: VisitId, change: (visit: Visit) => Visit): VisitId | undefined;
  end(id: VisitId): void;
  /** How many are open. */
  count(): number;
}

export interface VisitOptions {
  readonly now: () => number;
  readonly random?: Random;
  readonly capacity?: number;
}

/** How long a visit lives without a request, and in all. */
const idleMs = 30 * 60_000;
const lifeMs = 2 * 60 * 60_000;
const defaultCapacity = 5000;

interface Kept {
  readonly visit: Visit;
  readonly openedAtMs: number;
  readonly usedAtMs: number;
}

export function createVisits({ now, random, capacity = defaultCapacity }: VisitOptions): Visits {
  // A new key at each start: visits do not outlive the process, and neither do cookies.
  const key = Buffer.from(randomSecret(random), "base64url");
  /** In the order of their last use, the longest unused first. */
  const kept = new Map<VisitId, Kept>();

  const isOver = ({ openedAtMs, usedAtMs }: Kept) =>
    now() >= usedAtMs + idleMs || now() >= openedAtMs + lifeMs;
  const find = (id: VisitId): Kept | undefined => {
    const found = kept.get(id);
    if (found === undefined || !isOver(found)) return found;
    kept.delete(id);
    return undefined;
  };
  const keep = (id: VisitId, visit: Visit, openedAtMs: number) => {
    kept.delete(id);
    makeRoom(kept, isOver, { capacity, nowMs: now() });
    kept.set(id, { visit, openedAtMs, usedAtMs: now() });
  };
  const issue = () => {
    const secret = randomSecret(random);
    return `${secret}.${seal(key, "visit", secret)}` as VisitId;
  };

  return {
    issue,
    recognise: (cookie) => (cookie !== undefined && isSealed(key, cookie) ? cookie : undefined),
    formToken: (id) => seal(key, "form", id),
    isFormToken: (id, token) => sameSecret(seal(key, "form", id), token),
    load(id) {
      const found = find(id);
      if (found === undefined) return emptyVisit;
      keep(id, found.visit, found.openedAtMs);
      return found.visit;
    },
    change(id, change) {
      const found = find(id);
      keep(id, change(found?.visit ?? emptyVisit), found?.openedAtMs ?? now());
    },
    renew(id, change) {
      const found = find(id);
      if (found === undefined) return undefined;
      const renewed = issue();
      kept.delete(id);
      keep(renewed, change(found.visit), found.openedAtMs);
      return renewed;
    },
    end: (id) => void kept.delete(id),
    count: () => kept.size,
  };
}

function isSealed(key: Buffer, cookie: string): cookie is VisitId {
  const [secret = "", mark = "", ...more] = cookie.split(".");
  return more.length === 0 && sameSecret(seal(key, "visit", secret), mark);
}

/** Drops what is over; and where that is not enough, of those with the least to lose the longest unused. */
function makeRoom(
  kept: Map<VisitId, Kept>,
  isOver: (kept: Kept) => boolean,
  { capacity, nowMs }: { readonly capacity: number; readonly nowMs: number },
): void {
  for (const [id, visit] of kept) {
    if (!isOver(visit)) break;
    kept.delete(id);
  }
  if (kept.size < capacity) return;
  const byWorth = Map.groupBy(kept, ([, { visit }]) => worthOf(visit, nowMs));
  const [dropped] = (byWorth.get("nothing") ?? byWorth.get("on the way") ?? byWorth.get("proved"))?.[0] ?? [];
  if (dropped !== undefined) kept.delete(dropped);
}

/** What somebody would lose with a visit: who is on the way brings an answer of another service, or a code, that fits no other. */
function worthOf({ fan, attempts, inboxCode }: Visit, nowMs: number): "nothing" | "on the way" | "proved" {
  if (fan !== undefined) return "proved";
  return inboxCode !== undefined || areOpen(attempts, nowMs) ? "on the way" : "nothing";
}
