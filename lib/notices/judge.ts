/** What the owner is told now: what is new, what has stood for another day, and that all is well again. Pure. */
import { dayMs } from "../durations.ts";
import type { NoticeChanges, StoredNotice } from "../store/notices.ts";
import type { Scope } from "./scopes.ts";
import type { Trouble } from "./troubles.ts";

/** What a run knows. */
export interface Seen {
  readonly troubles: readonly Trouble[];
  /** Of these scopes it knows all troubles that there are: what is not among them is over. */
  readonly whole: ReadonlySet<Scope>;
}

export interface Judgement {
  /** Undefined: there is nothing to tell. */
  readonly message: string | undefined;
  /** What to write down once the message is out, and where it could not be sent: then the next run tells it. */
  readonly told: NoticeChanges;
  readonly untold: NoticeChanges;
}

/** So long a service's own trouble is given to pass. */
const patienceMs = 30 * 60 * 1000;

export interface NoticesGiven {
  /** What was on record before. */
  readonly known: readonly StoredNotice[];
  readonly seen: Seen;
  /** All scopes that the config has. */
  readonly configured: ReadonlySet<string>;
  readonly nowMs: number;
}

export function judgeNotices({ known, seen, configured, nowMs }: NoticesGiven): Judgement {
  const before = new Map(known.map((notice) => [notice.key, notice]));
  const standing = onceEach(seen.troubles).map((trouble) => {
    const { key, scope } = trouble;
    const notice = before.get(key) ?? { key, scope, sinceMs: nowMs, toldAtMs: undefined };
    return { trouble, notice, isDue: isDue(trouble, notice, nowMs) };
  });
  const keys = new Set(standing.map(({ trouble }) => trouble.key));
  const whole: ReadonlySet<string> = seen.whole;
  const over = known.filter(
    ({ key, scope }) => !keys.has(key) && (whole.has(scope) || !configured.has(scope)),
  );
  const due = standing.filter((one) => one.isDue);
  const isWell = standing.length === 0 && over.length === known.length && over.some(wasTold);
  return {
    message: messageOf(due, { isWell }),
    told: {
      over: over.map(({ key }) => key),
      standing: standing.map(({ notice, isDue }) => (isDue ? { ...notice, toldAtMs: nowMs } : notice)),
    },
    untold: {
      over: isWell ? [] : over.map(({ key }) => key),
      standing: standing.map(({ notice }) => notice),
    },
  };
}

const onceEach = (troubles: readonly Trouble[]): readonly Trouble[] => [
  ...new Map(troubles.map((trouble) => [trouble.key, trouble])).values(),
];

const wasTold = ({ toldAtMs }: StoredNotice): boolean => toldAtMs !== undefined;

/** A clock that was set back silences nobody for long. */
function isDue(trouble: Trouble, { sinceMs, toldAtMs }: StoredNotice, nowMs: number): boolean {
  if (toldAtMs !== undefined) return trouble.isNews === true || nowMs - toldAtMs >= dayMs || toldAtMs > nowMs;
  return trouble.isPassing !== true || nowMs - sinceMs >= patienceMs;
}

interface Due {
  readonly trouble: Trouble;
  readonly notice: StoredNotice;
}

function messageOf(due: readonly Due[], { isWell }: { readonly isWell: boolean }): string | undefined {
  if (isWell) return "fanvue-sync: all is well again.";
  if (due.length === 0) return undefined;
  return [
    "fanvue-sync needs you:",
    ...due.map(({ trouble: { text, isNews }, notice: { toldAtMs } }) =>
      toldAtMs === undefined || isNews === true ? `• ${text}` : `• Still: ${text}`,
    ),
  ].join("\n");
}
