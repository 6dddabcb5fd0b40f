/** The one place that knows the errors of matrix-js-sdk and of homeservers, and what each means for us. */
import { ConnectionError, HTTPError, MatrixError, safeGetRetryAfterMs } from "matrix-js-sdk";
import { PlatformError } from "../errors.ts";
import { scrub } from "../scrub.ts";

/**
 * Why a request was not granted.
 * limited: ask again after `waitMs` · refused: the homeserver understood and said no, asking again is useless ·
 * unreachable: no usable answer, asking again may help. `code` is the Matrix error code, "" where there was none.
 */
export type Trouble =
  | { readonly kind: "limited"; readonly waitMs: number; readonly sentence: string }
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly code: string;
      readonly sentence: string;
    }
  | {
      readonly kind: "unreachable";
      readonly status: number | undefined;
      readonly code: string;
      readonly timedOut: boolean;
      readonly sentence: string;
    };

export type Answer<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly trouble: Trouble };

/** Where a limit does not say how long. */
const defaultWaitMs = 5_000;
/** Keeps an answer of "wait 0 s" from becoming a tight loop. */
const minWaitMs = 50;
const maxQuotedLength = 200;
/** What our own fetch says when time was up; the SDK hands the words on, and nothing else. */
export const timeoutWords = "no answer in time";

/** These speak of the bot's account as a whole: every further request would be refused, too. */
const accountRemedies: Readonly<Record<string, string>> = {
  M_UNKNOWN_TOKEN: "Log the bot in again and put its new access token into the config.",
  M_MISSING_TOKEN: "Put the bot's access token into the config.",
  M_USER_DEACTIVATED: "Put the user id and access token of a live account into the config.",
  M_USER_LOCKED: "Ask the administrators of the homeserver to unlock the bot's account.",
  M_USER_SUSPENDED: "Ask the administrators of the homeserver to lift the suspension of the bot's account.",
  M_CONSENT_NOT_GIVEN: "Log in as the bot with a Matrix client and accept the homeserver's terms there.",
  M_GUEST_ACCESS_FORBIDDEN: "Use an ordinary account for the bot: a guest may not invite or remove anybody.",
};

type Secrets = readonly string[];

/** The server's own words, made safe to print: one line, not long, and no secret that it repeats. */
function quoted(words: string, secrets: Secrets): string {
  const line = scrub(words, secrets)
    .replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ")
    .trim();
  return line.length > maxQuotedLength ? `${line.slice(0, maxQuotedLength)}…` : line;
}

function described(error: HTTPError, secrets: Secrets): string {
  const status = String(error.httpStatus ?? "no status");
  if (!(error instanceof MatrixError)) return status;
  return [status, codeOf(error, secrets), quoted(textOf(error.error), secrets)]
    .filter((part) => part !== "")
    .join(" ");
}

/** The SDK types what it has not checked. */
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
const codeOf = (error: HTTPError, secrets: Secrets): string =>
  error instanceof MatrixError ? quoted(textOf(error.errcode), secrets) : "";

/**
 * Says what an error of the SDK means. Throws a PlatformError where the bot's account or token is refused as such,
 * which ends the run. Where the homeserver repeats one of the `secrets`, nobody gets to see it. https://spec.matrix.org/v1.16/client-server-api/#standard-error-response
 */
export function troubleOf(error: unknown, secrets: Secrets): Trouble {
  if (error instanceof ConnectionError) return unreachableOf(error, secrets);
  if (!(error instanceof HTTPError)) {
    const sentence = "The homeserver's answer could not be read.";
    return { kind: "unreachable", status: undefined, code: "", timedOut: false, sentence };
  }
  const status = error.httpStatus ?? 0;
  const code = codeOf(error, secrets);
  const said = described(error, secrets);
  const remedy = accountRemedies[code] ?? (status === 401 ? accountRemedies["M_UNKNOWN_TOKEN"] : undefined);
  if (remedy !== undefined && status < 500) {
    throw new PlatformError(`The homeserver refuses the bot's account (${said}).`, remedy);
  }
  if (status === 429 || code === "M_LIMIT_EXCEEDED") {
    const sentence = `The homeserver asks to slow down (${said}).`;
    return {
      kind: "limited",
      waitMs: Math.max(minWaitMs, safeGetRetryAfterMs(error, defaultWaitMs)),
      sentence,
    };
  }
  if (status >= 300 && status < 400) {
    const sentence = `The homeserver sends us elsewhere (${said}), which we do not follow.`;
    return { kind: "refused", status, code, sentence };
  }
  const sentence = `The homeserver answered ${said}.`;
  if (status >= 400 && status < 500) return { kind: "refused", status, code, sentence };
  return { kind: "unreachable", status, code, timedOut: false, sentence };
}

function unreachableOf(error: ConnectionError, secrets: Secrets): Trouble {
  const reason = error.message.replace(/^fetch failed: /, "");
  return {
    kind: "unreachable",
    status: undefined,
    code: "",
    timedOut: reason === timeoutWords,
    sentence: `The homeserver could not be reached (${quoted(reason, secrets)}).`,
  };
}
