/** Proving a Fanvue account by a code in its inbox there, sent from the creator's own account. */
import type { Database, Sql } from "../db.ts";
import { OperatorError } from "../errors.ts";
import type { Fanvue } from "../fanvue/client.ts";
import type { FanId } from "../ids.ts";
import type { Log } from "../log.ts";
import { scrub } from "../scrub.ts";
import { loadFanByHandle } from "../store/snapshot.ts";
import { checkInboxCode, giveBackCode, issueInboxCode } from "./codes.ts";
import { nameOfFan } from "./fan-name.ts";
import type { Failure, FanProof, InboxProof, Proved } from "./proofs.ts";
import { fanvueMessages } from "./texts.ts";

export interface InboxOptions {
  readonly database: Database;
  readonly fanvue: Pick<Fanvue, "sendMessage">;
  /** Who asks, in the message. */
  readonly site: { readonly name: string | undefined; readonly address: string };
  readonly log: Log;
  /** Once it is aborted nothing is sent: a code is of no use without the visit in which it was asked for. */
  readonly signal: AbortSignal;
  readonly now?: () => number;
}

export interface Inbox extends InboxProof {
  /** Resolves once no code is under way any more. */
  idle(): Promise<void>;
}

/** A code on its way: nothing of it is on the disk. */
interface Letter {
  readonly id: string;
  readonly fan: FanId;
  readonly code: string;
}

export function openInbox({ database, fanvue, site, log, signal, now = Date.now }: InboxOptions): Inbox {
  let sending = Promise.resolve();
  const isEnding = () => signal.aborted;

  /** Begins when the answer is on its way, so that its time does not tell whether there is anything to send. */
  function post(letter: Letter): void {
    sending = sending.then(nextTurn).then(() => deliver(letter));
  }

  async function deliver({ id, fan, code }: Letter): Promise<void> {
    if (isEnding()) return;
    try {
      const delivery = await fanvue.sendMessage(fan, fanvueMessages.code(code, site));
      if (delivery.is !== "sent" && !isEnding())
        log.warn({ fan }, `An inbox code did not go out: ${scrub(delivery.why, [code])}.`);
    } catch (error) {
      if (isEnding()) return;
      if (error instanceof OperatorError) log.error(`${error.message} ${error.remedy}`);
      else log.error({ fan, err: error }, "An inbox code did not go out");
      await giveBack(id);
    }
  }

  /** Nobody waits for it any more, so that the log has to do. */
  async function giveBack(id: string): Promise<void> {
    try {
      await database.write((sql) => {
        giveBackCode(sql, { id });
      });
    } catch (error) {
      log.warn({ err: error }, "An inbox code that did not go out counts all the same");
    }
  }

  return {
    async send(handle) {
      const { id, letter } = await database.write((sql) => issue(sql, handle, now()));
      if (letter !== undefined) post(letter);
      return { id };
    },
    check: ({ id }, code) => database.write((sql) => check(sql, id, code, now())),
    idle: () => sending,
  };
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** One write with the same look-ups in it whether somebody has this handle or not, and whether the limits are met or not. */
function issue(
  sql: Sql,
  handle: string,
  nowMs: number,
): { readonly id: string; readonly letter: Letter | undefined } {
  const asked = loadFanByHandle(sql, plainHandle(handle))?.fan;
  const { id, code, fan } = issueInboxCode(sql, asked, nowMs);
  return { id, letter: fan && { id, fan, code } };
}

/** As it stands in an address or is typed by habit. */
const plainHandle = (typed: string): string => typed.trim().replace(/^@/, "");

const failures = {
  wrong: "wrong code",
  spent: "spent code",
  expired: "expired",
} as const satisfies Record<string, Failure>;

function check(sql: Sql, id: string, typed: string, nowMs: number): Proved<FanProof> {
  const checked = checkInboxCode(sql, id, typed, nowMs);
  if (checked.is !== "right") return { is: "failed", failure: failures[checked.is] };
  return { is: "proved", proof: { ...nameOfFan(sql, checked.fan), how: "code" } };
}
