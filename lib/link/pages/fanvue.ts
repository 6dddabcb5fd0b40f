/** Showing a Fanvue account by a code in its inbox, or by a personal link. */
import { html } from "hono/html";
import type { FanProof } from "../proofs.ts";
import { common, inbox, invite, problems } from "../texts.ts";
import type { Notice } from "../visits.ts";
import { fanName, field, form, hidden, more, type Page, paragraph, submit } from "./layout.ts";

export const handlePage = (notice: Notice | undefined, formToken: string): Page => ({
  title: inbox.handleTitle,
  step: 1,
  body: form(
    "/fanvue/code",
    formToken,
    html`${field({
      name: "handle",
      label: inbox.handle,
      hint: inbox.handleHint,
      problem: notice && problems[notice.problem],
      value: notice?.typed,
      autocomplete: "username",
    })}
    ${submit(inbox.send)}`,
  ),
});

/** Says the same whether there is such a fan or not. */
export const inboxCodePage = (notice: Notice | undefined, formToken: string): Page => ({
  title: inbox.codeTitle,
  step: 1,
  body: html`${paragraph(inbox.sent)}
  ${form(
    "/fanvue/code",
    formToken,
    html`${field({
      name: "code",
      label: inbox.code,
      hint: inbox.codeHint,
      problem: notice && problems[notice.problem],
      autocomplete: "one-time-code",
      isCode: true,
    })}
    ${submit(inbox.check)}`,
  )}
  ${paragraph(inbox.notThere)} ${more("/fanvue/code?again", inbox.again)} ${more("/", common.startAgain)}`,
});

export const invitePage = (
  fan: Pick<FanProof, "handle" | "displayName">,
  { token, formToken }: { readonly token: string; readonly formToken: string },
): Page => ({
  title: invite.title,
  step: 1,
  body: html`<p>${invite.intro} ${fanName(fan)}.</p>
    ${paragraph(invite.warning)}
    ${form("/invite", formToken, html`${hidden("token", token)}${submit(invite.use)}`)}`,
});
