/** What can be connected, and what is already; and the forms of the Matrix way. */
import { html } from "hono/html";
import type { Platform } from "../../ids.ts";
import type { FanLink, FanProof } from "../proofs.ts";
import type { Site } from "../site.ts";
import { choose, matrix, mine, problems, serviceName } from "../texts.ts";
import type { Notice } from "../visits.ts";
import {
  accountId,
  button,
  fanName,
  field,
  form,
  type Html,
  more,
  nothing,
  type Page,
  paragraph,
  secondButton,
  secondSubmit,
  submit,
} from "./layout.ts";

export interface ChooseView {
  readonly site: Site;
  readonly fan: FanProof;
  readonly links: readonly FanLink[];
  readonly formToken: string;
}

export const choosePage = (view: ChooseView): Page => ({
  title: choose.title,
  step: 2,
  body: html`<p>${choose.shown} ${fanName(view.fan)}</p>
    ${view.site.platforms.map((platform) => card(platform, view))}
    ${view.links.length === 0 ? nothing : more("/mine", mine.title)}`,
});

function card(platform: Platform, view: ChooseView): Html {
  const own = view.links.filter((link) => link.platform === platform);
  return html`<section class="card">
    <h2>${serviceName(platform)}</h2>
    ${own.map(({ account }) => html`<p>${choose.connected(platform)} ${accountId(account)}</p>`)}
    ${own.length === 0 ? nothing : paragraph(choose.change)} ${connect(platform, own.length > 0, view)}
  </section>`;
}

function connect(platform: Platform, again: boolean, { site, formToken }: ChooseView): Html {
  const label = again ? choose.again(platform) : choose.connect(platform);
  if (platform === "matrix")
    return html`${paragraph(choose.hints.matrix)} ${(again ? secondButton : button)("/matrix", label)}`;
  return html`${paragraph(site.brings ? choose.hints.discordWithJoin : choose.hints.discord)}
  ${form("/discord/sign-in", formToken, (again ? secondSubmit : submit)(label))}`;
}

// ---- Matrix -----------------------------------------------------------------------------------------------------

export const mxidPage = (notice: Notice | undefined, formToken: string): Page => ({
  title: matrix.idTitle,
  step: 2,
  body: form(
    "/matrix",
    formToken,
    html`${field({
      name: "mxid",
      label: matrix.id,
      hint: matrix.idHint,
      problem: notice && problems[notice.problem],
      value: notice?.typed,
      autocomplete: "off",
    })}
    ${submit(matrix.send)}`,
  ),
});

export const matrixCodePage = (mxid: string, notice: Notice | undefined, formToken: string): Page => ({
  title: matrix.codeTitle,
  step: 2,
  body: html`<p>${matrix.sent} ${accountId(mxid)}.</p>
    ${paragraph(matrix.howTo)}
    ${form(
      "/matrix",
      formToken,
      html`${field({
        name: "code",
        label: matrix.code,
        hint: matrix.codeHint,
        problem: notice && problems[notice.problem],
        autocomplete: "one-time-code",
        isCode: true,
      })}
      ${submit(matrix.check)}`,
    )}
    ${more("/matrix?again", matrix.again)}`,
});
