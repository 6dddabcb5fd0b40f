/** Step 1: showing which Fanvue account is one's own. */
import { newestAttempt, withAttempt } from "../attempts.ts";
import { forms } from "../forms.ts";
import { handlePage, inboxCodePage, invitePage } from "../pages/fanvue.ts";
import { awayPage } from "../pages/sign-in.ts";
import { startPage } from "../pages/start.ts";
import type { Proved, FanProof, SentCode } from "../proofs.ts";
import { emptyVisit, type Notice, type VisitId } from "../visits.ts";
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

const start = ({ visit, formToken }: Ask, { site, proofs }: Kit): Answer =>
  show(startPage({ site, proofs, fan: visit.fan, formToken }));

/**
 * A visit in which a Fanvue account was proved begins anew, under a new id: nothing that was proved or begun for another
 * fan goes on.
 */
export function withFan(id: VisitId, proved: Proved<FanProof>, { visits }: Kit): Answer {
  if (proved.is === "failed") return fail(proved.failure);
  const renewed = visits.renew(id, () => ({ ...emptyVisit, fan: proved.proof }));
  return renewed === undefined ? fail("expired") : go("/choose", renewed);
}

// ---- Signing in -------------------------------------------------------------------------------------------------

async function signIn({ id }: Ask, { proofs, visits, now }: Kit): Promise<Answer> {
  if (proofs.fanvueSignIn === undefined) return refuse("not offered");
  const attempt = await proofs.fanvueSignIn.start();
  visits.change(id, (visit) => ({
    ...visit,
    attempts: withAttempt(visit.attempts, { purpose: "fanvue", attempt, nowMs: now() }),
  }));
  return go("/away/fanvue");
}

function away({ visit }: Ask, { now }: Kit): Answer {
  const open = newestAttempt(visit.attempts, "fanvue", now());
  return open === undefined ? fail("expired") : show(awayPage("fanvue", open.attempt.url));
}

// ---- A code in the inbox ----------------------------------------------------------------------------------------

function inbox({ visit: { inboxCode, notice }, query, formToken }: Ask, { proofs }: Kit): Answer {
  if (proofs.inbox === undefined) return refuse("not offered");
  const aboutHandle = notice?.on === "handle" ? notice : undefined;
  if (inboxCode === undefined || aboutHandle !== undefined || query.has("again"))
    return show(handlePage(aboutHandle, formToken));
  return show(inboxCodePage(notice?.on === "inbox code" ? notice : undefined, formToken));
}

async function sendInboxCode(typed: string, { id }: Ask, { proofs, visits }: Kit): Promise<Answer> {
  if (proofs.inbox === undefined) return refuse("not offered");
  const handle = typed.trim();
  if (handle === "") return backToInbox(id, { on: "handle", problem: "no handle" }, visits);
  const inboxCode = await proofs.inbox.send(handle);
  visits.change(id, (visit) => ({ ...visit, inboxCode, notice: undefined }));
  return go("/fanvue/code");
}

async function checkInboxCode(typed: string, { id, visit }: Ask, kit: Kit): Promise<Answer> {
  const { proofs, visits } = kit;
  if (proofs.inbox === undefined) return refuse("not offered");
  const sent = visit.inboxCode;
  if (sent === undefined) return fail("expired", again("/fanvue/code"));
  const code = typed.trim();
  if (code === "") return backToInbox(id, { on: "inbox code", problem: "no code" }, visits);
  const proved = await proofs.inbox.check(sent, code);
  if (proved.is === "proved") return withFan(id, proved, kit);
  if (proved.failure === "wrong code")
    return backToInbox(id, { on: "inbox code", problem: "wrong code" }, visits);
  forgetCode(id, sent, visits);
  return fail(proved.failure, again("/fanvue/code"));
}

function backToInbox(id: VisitId, notice: Notice, visits: Kit["visits"]): Answer {
  visits.change(id, (visit) => ({ ...visit, notice }));
  return go("/fanvue/code");
}

/** A code that is of no use any more; a newer one, asked for meanwhile, stays. */
const forgetCode = (id: VisitId, sent: SentCode, visits: Kit["visits"]): void => {
  visits.change(id, (visit) =>
    visit.inboxCode?.id === sent.id ? { ...visit, inboxCode: undefined, notice: undefined } : visit,
  );
};

// ---- A personal link --------------------------------------------------------------------------------------------

async function lookAtInvite({ blank, formToken }: Ask, { proofs }: Kit): Promise<Answer> {
  if (proofs.invites === undefined) return refuse("not offered");
  const found = await proofs.invites.look(blank);
  return found.is === "proved"
    ? show(invitePage(found.proof, { token: blank, formToken }))
    : fail(found.failure);
}

async function useInvite(token: string, { id }: Ask, kit: Kit): Promise<Answer> {
  const { proofs, visits } = kit;
  if (proofs.invites === undefined) return refuse("not offered");
  // Opened before the link is used up, so that there is a visit to put the proof into.
  visits.change(id, (visit) => visit);
  return withFan(id, await proofs.invites.use(token), kit);
}

export const fanRoutes: readonly Route[] = [
  { path: "/", get: start },
  // Links of this shape are in use with a fan's uuid in them, which whoever knows it may write: it proves nothing.
  { path: "/link", get: start },
  { path: "/fanvue/sign-in", post: posted(forms.nothing, (_, ask, kit) => signIn(ask, kit)) },
  { path: "/away/fanvue", get: away },
  {
    path: "/fanvue/code",
    get: inbox,
    post: posted(forms.inbox, (form, ask, kit) =>
      "handle" in form ? sendInboxCode(form.handle, ask, kit) : checkInboxCode(form.code, ask, kit),
    ),
    effort: "codes",
    sharedEffort: "inbox",
  },
  { path: "/invite/:token", get: lookAtInvite },
  {
    path: "/invite",
    post: posted(forms.invite, ({ token }, ask, kit) => useInvite(token, ask, kit)),
    effort: "codes",
  },
];
