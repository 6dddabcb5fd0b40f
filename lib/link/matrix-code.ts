/** Proving a Matrix account by a code that the bot sends to it. */
import type { MatrixConfig } from "../config/shape.ts";
import type { Database } from "../db.ts";
import { PlatformError } from "../errors.ts";
import type { FanId, Mxid } from "../ids.ts";
import type { Log } from "../log.ts";
import { openDirectRooms } from "../matrix/direct.ts";
import { serverOf } from "../matrix/elsewhere.ts";
import type { Times } from "../matrix/times.ts";
import type { Trouble } from "../matrix/trouble.ts";
import { createCodeRooms } from "./code-rooms.ts";
import { checkMatrixCode, codeLifeMs, giveBackCode, issueMatrixCode, type IssuedCode } from "./codes.ts";
import { failed, type Failure, type MatrixProof } from "./proofs.ts";
import type { Site } from "./site.ts";
import { matrixMessage } from "./texts.ts";
import { mxidIn } from "./typed-mxid.ts";

export interface MatrixCodes extends MatrixProof {
  /** Leaves the rooms whose codes are of no use any more. Done every minute without being called; never throws. */
  tidy(): Promise<void>;
  /** Resolves once nothing is under way any more. */
  idle(): Promise<void>;
}

export interface MatrixCodesDeps {
  readonly database: Database;
  readonly site: Pick<Site, "name" | "address">;
  readonly log: Log;
  /** Once it is aborted, rooms are left to the next server. */
  readonly signal: AbortSignal;
  readonly now?: () => number;
  readonly times?: Partial<Times>;
}

/** Somebody waits before a page meanwhile. */
const patientTimes: Times = { answerMs: 20_000, bodyMs: 20_000, retryPausesMs: [500], patienceMs: 4_000 };

const tidyEveryMs = 60_000;

/** Opens the way to the bot's direct rooms, and leaves those that an earlier server left open. */
export function openMatrixCodes(
  matrix: Pick<MatrixConfig, "homeserver" | "userId" | "accessToken">,
  deps: MatrixCodesDeps,
): MatrixCodes {
  const { database, site, log, signal, now = Date.now } = deps;
  const direct = openDirectRooms(matrix, { log, signal, times: { ...patientTimes, ...deps.times } });
  const rooms = createCodeRooms({ direct, log, now });
  const isAtHome = (account: Mxid) => serverOf(account) === serverOf(matrix.userId);

  async function deliver(guest: Mxid, fan: FanId, { id, code }: IssuedCode, untilMs: number) {
    const profile = await direct.fetchName(guest);
    // Of who lives elsewhere, our homeserver may know nothing before they are asked in.
    if (!profile.ok && isAtHome(guest)) return profile.trouble;
    const roomName = matrixMessage.roomName(site.name);
    const text = matrixMessage.text(code, site);
    const name = (profile.ok ? profile.value : undefined) ?? guest;
    return rooms.tell({ guest, roomName, text, untilMs, code: { id, fan, name } });
  }

  async function send(guest: Mxid, fan: FanId) {
    const nowMs = now();
    const issued = await database.write((sql) => issueMatrixCode(sql, { fan, account: guest }, nowMs));
    if ("limited" in issued) return failed("limited");
    try {
      return await sendCode(guest, fan, issued, nowMs);
    } catch (error) {
      await giveBack(issued);
      throw error;
    }
  }

  const giveBack = (code: IssuedCode) =>
    database.write((sql) => {
      giveBackCode(sql, code);
    });

  async function sendCode(guest: Mxid, fan: FanId, issued: IssuedCode, nowMs: number) {
    const trouble = await deliver(guest, fan, issued, nowMs + codeLifeMs);
    // Of a fan's codes only the newest is of use.
    rooms.retire((code) => code.fan === fan && (code.id !== issued.id || trouble !== undefined));
    if (trouble === undefined) return { is: "sent", sent: { id: issued.id }, mxid: guest } as const;
    log.warn(`A code could not be sent on Matrix: ${trouble.sentence}`);
    const failure = failureOf(trouble, isAtHome(guest));
    if (failure === "service away") await giveBack(issued);
    return failed(failure);
  }

  void rooms.tidy();
  const timer = setInterval(() => void rooms.tidy(), tidyEveryMs).unref();
  signal.addEventListener("abort", () => {
    clearInterval(timer);
  });

  return {
    async send(fan, typed) {
      const guest = mxidIn(typed);
      if (guest === undefined || guest === matrix.userId) return failed("not an account");
      try {
        return await send(guest, fan);
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        log.error(`${error.message} ${error.remedy}`);
        return failed("service away");
      }
    },
    async check({ id }, typed) {
      const checked = await database.write((sql) => checkMatrixCode(sql, id, typed, now()));
      if (checked.is === "wrong") return failed("wrong code");
      const [told] = rooms.retire((code) => code.id === id);
      if (checked.is !== "right") return failed(checked.is === "spent" ? "spent code" : "expired");
      const { account } = checked;
      return { is: "proved", proof: { platform: "matrix", account, name: told?.name ?? account } };
    },
    tidy: () => rooms.tidy(),
    idle: () => rooms.idle(),
  };
}

/** Refusals, and servers elsewhere that do not answer, are between the guest and their server. */
function failureOf(trouble: Trouble, isAtHome: boolean): Failure {
  if (trouble.kind === "refused") return "unreachable account";
  if (trouble.kind === "limited" || isAtHome) return "service away";
  const isTheirs = trouble.timedOut || (trouble.status === 502 && trouble.code !== "");
  return isTheirs ? "unreachable account" : "service away";
}
