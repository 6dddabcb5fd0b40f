/** One-time codes: made, limited, and checked once. */
import { randomBytes, randomInt } from "node:crypto";
import { dayMs, hourMs, minuteMs } from "../durations.ts";
import type { Sql } from "../db.ts";
import type { FanId, Mxid } from "../ids.ts";
import {
  type CodeKind,
  countCodesSince,
  disownCode,
  loadCode,
  type NewCode,
  pruneCodes,
  saveCode,
  type StoredCode,
  takeTry,
  useCode,
  voidCodes,
} from "../store/link-codes.ts";
import { saveLinkEvent } from "../store/link-events.ts";
import { randomSecret, sameSecret, seal } from "./secrets.ts";

/**
 * No vowels, so that no code is a word, and no digits, so that nothing is taken for a letter:
 * https://www.rfc-editor.org/rfc/rfc8628#section-6.1
 */
const alphabet = "BCDFGHJKLMNPQRSTVWXZ";
const codeLength = 8;
const tries = 5;

/** How long a code can be used. */
export const codeLifeMs = 10 * minuteMs;
const maxInboxPerFanAndHour = 3;
const maxInboxPerDay = 30;
const maxMatrixPerDay = 3;

export interface IssuedCode {
  /** Names the code for the one who asked; it stays in their visit. */
  readonly id: string;
  /** A secret, as it is shown to its reader: XXXX-XXXX. */
  readonly code: string;
}
export type Issued = IssuedCode | { readonly limited: true };

/** A number at random from 0 up to and without `below`. */
export type RandomBelow = (below: number) => number;

/**
 * A code for the Fanvue inbox of a fan; belongs into a write, before it is sent to `fan`. Three an hour for each fan, thirty
 * a day in all. Where nobody has the handle that was typed (`asked` is undefined), or a limit is met, it is nobody's: like
 * any other, but what is typed never matches it, and nothing is sent. Older codes live on: others may have asked for them,
 * and the one who asked again has forgotten the older id.
 */
export function issueInboxCode(
  sql: Sql,
  asked: FanId | undefined,
  nowMs: number,
  random?: RandomBelow,
): IssuedCode & { readonly fan: FanId | undefined } {
  // Counted for nobody, too, so that the time does not tell whether there is such a fan.
  const inHour = countCodesSince(sql, "fanvue", nowMs - hourMs, asked);
  const inDay = countCodesSince(sql, "fanvue", nowMs - dayMs);
  const fan = inHour >= maxInboxPerFanAndHour || inDay >= maxInboxPerDay ? undefined : asked;
  return { ...issue(sql, { kind: "fanvue", fan, account: undefined }, nowMs, random), fan };
}

/**
 * A code for a Matrix account that a fan says is theirs; belongs into a write, before it is sent. Three a day for each
 * fan and for each account. Ends the fan's older ones.
 */
export function issueMatrixCode(
  sql: Sql,
  { fan, account }: { readonly fan: FanId; readonly account: Mxid },
  nowMs: number,
  random?: RandomBelow,
): Issued {
  const isLimited = [fan, account].some(
    (id) => countCodesSince(sql, "matrix", nowMs - dayMs, id) >= maxMatrixPerDay,
  );
  if (isLimited) return { limited: true };
  voidCodes(sql, "matrix", fan, nowMs);
  return issue(sql, { kind: "matrix", fan, account }, nowMs, random);
}

function issue(
  sql: Sql,
  of: Pick<NewCode, "kind" | "fan" | "account">,
  nowMs: number,
  random: RandomBelow = randomInt,
): IssuedCode {
  const code = Array.from({ length: codeLength }, () => alphabet.charAt(random(alphabet.length))).join("");
  const id = randomSecret();
  const hash = hashOf(id, code);
  pruneCodes(sql, nowMs - dayMs, nowMs);
  saveCode(sql, { ...of, id, hash, triesLeft: tries, expiresAtMs: nowMs + codeLifeMs }, nowMs);
  recordCode(sql, "code sent", of, nowMs);
  return { id, code: `${code.slice(0, codeLength / 2)}-${code.slice(codeLength / 2)}` };
}

/** Gives a code back that could not be sent, for which its fan cannot help; belongs into a write. */
export const giveBackCode = (sql: Sql, { id }: Pick<IssuedCode, "id">): void => {
  disownCode(sql, id);
};

// ---- Checking ---------------------------------------------------------------------------------------------------

/** expired: too old, used, or never there · spent: five wrong tries were made. */
export type CodeFailure = { readonly is: "wrong" | "spent" | "expired" };

/** Whose inbox code this is, if what was typed is right, which it is once only; belongs into a write. */
export function checkInboxCode(
  sql: Sql,
  id: string,
  typed: string,
  nowMs: number,
): { readonly is: "right"; readonly fan: FanId } | CodeFailure {
  const checked = check(sql, "fanvue", id, typed, nowMs);
  return checked.is === "right" ? { is: "right", fan: checked.fan } : checked;
}

/** Whose Matrix code this is and for which account, if what was typed is right, which it is once only; belongs into a write. */
export function checkMatrixCode(
  sql: Sql,
  id: string,
  typed: string,
  nowMs: number,
): { readonly is: "right"; readonly fan: FanId; readonly account: Mxid } | CodeFailure {
  const checked = check(sql, "matrix", id, typed, nowMs);
  if (checked.is !== "right") return checked;
  const { fan, account } = checked;
  return account === undefined ? { is: "expired" } : { is: "right", fan, account };
}

function check(
  sql: Sql,
  kind: CodeKind,
  id: string,
  typed: string,
  nowMs: number,
): { readonly is: "right"; readonly fan: FanId; readonly account: Mxid | undefined } | CodeFailure {
  const code = loadCode(sql, kind, id);
  if (code === undefined || code.usedAtMs !== undefined || code.expiresAtMs <= nowMs)
    return { is: "expired" };
  if (code.triesLeft === 0) return { is: "spent" };
  takeTry(sql, id);
  const matches = sameSecret(hashOf(id, plainCode(typed)), code.hash);
  const { fan, account } = code;
  if (!matches || fan === undefined) {
    recordCode(sql, "code wrong", code, nowMs);
    return { is: code.triesLeft === 1 ? "spent" : "wrong" };
  }
  useCode(sql, id, nowMs);
  recordCode(sql, "code right", code, nowMs);
  return { is: "right", fan, account };
}

/** What was typed, in any case, with any dashes and spaces. */
const plainCode = (typed: string): string => typed.replaceAll(/[\s\p{Pd}]/gu, "").toUpperCase();

/** Of this process alone: a code is good for the visit that asked for it, and visits do not outlive the process. */
const key = randomBytes(32);

/** With the id in it, so that equal codes do not look alike. */
const hashOf = (id: string, code: string): string => seal(key, "code", `${id} ${code}`);

/** What concerns nobody is not recorded. */
function recordCode(
  sql: Sql,
  event: "code sent" | "code right" | "code wrong",
  { kind, fan, account }: Pick<StoredCode, "kind" | "fan" | "account">,
  nowMs: number,
): void {
  if (fan === undefined) return;
  const of = kind === "matrix" ? { platform: kind, account, fan } : { fan, detail: "Fanvue inbox" };
  saveLinkEvent(sql, { event, ...of }, nowMs);
}
