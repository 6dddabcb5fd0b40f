/** The last question before a link, and what follows from it. */
import { html } from "hono/html";
import type { Platform } from "../../ids.ts";
import type { Membership } from "../membership.ts";
import type { AccountProof, FanLink, FanProof } from "../proofs.ts";
import type { Site } from "../site.ts";
import { confirm, done, serviceName } from "../texts.ts";
import {
  accountId,
  bullets,
  fanName,
  form,
  hidden,
  type Html,
  more,
  name,
  nothing,
  type Page,
  paragraph,
  submit,
} from "./layout.ts";
import { membershipLines } from "./membership.ts";

export interface ConfirmView {
  readonly site: Site;
  readonly fan: FanProof;
  readonly account: AccountProof;
  readonly formToken: string;
}

/** The form names both sides, so that it can be told when another tab has changed one of them. */
export const confirmPage = ({ site, fan, account, formToken }: ConfirmView): Page => ({
  title: confirm.title,
  step: 3,
  body: html`${pair(fan, account.platform, accountName(account))}
    <h2>${confirm.sharingTitle}</h2>
    ${bullets(confirm.sharing(site.name, account.platform))}
    ${mayBeBrought(account) ? paragraph(confirm.join(site.name)) : nothing}
    <h2>${confirm.takeBackTitle}</h2>
    ${bullets(confirm.takeBack(account.platform))}
    <p><strong>${confirm.responsibility}</strong></p>
    ${form(
      "/confirm",
      formToken,
      html`${hidden("fan", fan.fan)}${hidden("platform", account.platform)}${hidden("account", account.account)}
      ${submit(confirm.button)}`,
    )}
    ${more("/choose", confirm.no)}`,
});

/** The two sides, one below the other. */
const pair = (fan: FanProof, platform: Platform, account: Html): Html =>
  html`<dl class="card">
    <dt>${confirm.fanvue}</dt>
    <dd>${fanName(fan)}</dd>
    <dt>${serviceName(platform)}</dt>
    <dd>${account}</dd>
  </dl>`;

const accountName = ({ account, name: shown }: AccountProof): Html =>
  shown === account
    ? accountId(account)
    : html`${name(shown)} <span class="quiet">${accountId(account)}</span>`;

const mayBeBrought = (account: AccountProof): boolean =>
  account.platform === "discord" && account.login !== undefined;

export const donePage = (
  linked: Pick<FanLink, "platform" | "account">,
  fan: FanProof,
  membership: Membership,
): Page => ({
  title: done.title,
  step: 3,
  body: html`${pair(fan, linked.platform, accountId(linked.account))}
    <h2>${done.followTitle[linked.platform]}</h2>
    ${membership.places.length === 0 ? paragraph(done.none[linked.platform]) : membershipLines(membership)}
    ${paragraph(done.soon)} ${paragraph(linked.platform === "matrix" ? done.invitations : done.noServer)}
    ${more("/choose", done.more)} `,
});
