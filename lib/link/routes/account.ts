/** Step 2: choosing what to connect, and showing that the account there is one's own. */
import { newestAttempt, withAttempt } from "../attempts.ts";
import { forms } from "../forms.ts";
import { choosePage, matrixCodePage, mxidPage } from "../pages/choose.ts";
import { awayPage } from "../pages/sign-in.ts";
import type { AccountProof, FanProof, Proved } from "../proofs.ts";
import type { Notice, VisitId } from "../visits.ts";
import {
  again,
  type Answer,
  type Ask,
  fail,
  go,
  type Kit,
  posted,
  refuse,
  type Route,
  show,
} from "./route.ts";

async function choose({ visit: { fan }, formToken }: Ask, { site, linkBook }: Kit): Promise<Answer> {
  if (fan === undefined) return refuse("needs fan");
  return show(choosePage({ site, fan, links: await linkBook.ofFan(fan.fan), formToken }));
}

/** Puts a proved account beside the fan for whom the proof was begun, and gives the visit a new id. */
export function withAccount(
  id: VisitId,
  fan: FanProof,
  proved: Proved<AccountProof>,
  { visits }: Kit,
): Answer {
  if (proved.is === "failed") return fail(proved.failure, again("/choose"));
  if (visits.load(id).fan?.fan !== fan.fan) return fail("expired");
  const renewed = visits.renew(id, (visit) => ({
    ...visit,
    account: proved.proof,
    matrixCode: undefined,
    notice: undefined,
  }));
  return renewed === undefined ? fail("expired") : go("/confirm", renewed);
}

// ---- Discord ----------------------------------------------------------------------------------------------------

async function signIn({ id, visit: { fan } }: Ask, { proofs, visits, now }: Kit): Promise<Answer> {
  if (fan === undefined) return refuse("needs fan");
  if (proofs.discord === undefined) return refuse("not offered");
  const attempt = await proofs.discord.start();
  visits.change(id, (visit) => ({
    ...visit,
    attempts: withAttempt(visit.attempts, { purpose: "discord", attempt, nowMs: now() }),
  }));
  return go("/away/discord");
}

function away({ visit }: Ask, { now }: Kit): Answer {
  const open = newestAttempt(visit.attempts, "discord", now());
  return open === undefined ? fail("expired", again("/choose")) : show(awayPage("discord", open.attempt.url));
}

// ---- Matrix -----------------------------------------------------------------------------------------------------

function matrix({ visit: { fan, matrixCode, notice }, query, formToken }: Ask, { proofs }: Kit): Answer {
  if (fan === undefined) return refuse("needs fan");
  if (proofs.matrix === undefined) return refuse("not offered");
  const aboutMxid = notice?.on === "mxid" ? notice : undefined;
  if (matrixCode === undefined || aboutMxid !== undefined || query.has("again"))
    return show(mxidPage(aboutMxid, formToken));
  return show(matrixCodePage(matrixCode.mxid, notice?.on === "matrix code" ? notice : undefined, formToken));
}

async function sendMatrixCode(typed: string, { id, visit }: Ask, kit: Kit): Promise<Answer> {
  const { proofs, visits } = kit;
  const { fan } = visit;
  if (fan === undefined) return refuse("needs fan");
  if (proofs.matrix === undefined) return refuse("not offered");
  const result = await proofs.matrix.send(fan.fan, typed.trim());
  if (visits.load(id).fan?.fan !== fan.fan) return fail("expired");
  if (result.is === "sent") {
    const { sent, mxid } = result;
    visits.change(id, (now) => ({ ...now, matrixCode: { sent, mxid }, notice: undefined }));
    return go("/matrix");
  }
  const { failure } = result;
  return failure === "not an account" || failure === "unreachable account"
    ? backToMatrix(id, { on: "mxid", problem: failure, typed }, visits)
    : fail(failure, again("/matrix"));
}

async function checkMatrixCode(typed: string, { id, visit }: Ask, kit: Kit): Promise<Answer> {
  const { proofs, visits } = kit;
  const { fan, matrixCode } = visit;
  if (fan === undefined) return refuse("needs fan");
  if (proofs.matrix === undefined) return refuse("not offered");
  if (matrixCode === undefined) return fail("expired", again("/matrix"));
  const code = typed.trim();
  if (code === "") return backToMatrix(id, { on: "matrix code", problem: "no code" }, visits);
  const proved = await proofs.matrix.check(matrixCode.sent, code);
  if (proved.is === "proved") return withAccount(id, fan, proved, kit);
  if (proved.failure === "wrong code")
    return backToMatrix(id, { on: "matrix code", problem: "wrong code" }, visits);
  visits.change(id, (now) =>
    now.matrixCode?.sent.id === matrixCode.sent.id
      ? { ...now, matrixCode: undefined, notice: undefined }
      : now,
  );
  return fail(proved.failure, again("/matrix"));
}

function backToMatrix(id: VisitId, notice: Notice, visits: Kit["visits"]): Answer {
  visits.change(id, (visit) => ({ ...visit, notice }));
  return go("/matrix");
}

export const accountRoutes: readonly Route[] = [
  { path: "/choose", get: choose },
  { path: "/discord/sign-in", post: posted(forms.nothing, (_, ask, kit) => signIn(ask, kit)) },
  { path: "/away/discord", get: away },
  {
    path: "/matrix",
    get: matrix,
    post: posted(forms.matrix, (form, ask, kit) =>
      "mxid" in form ? sendMatrixCode(form.mxid, ask, kit) : checkMatrixCode(form.code, ask, kit),
    ),
    effort: "codes",
  },
];
