/** A fan's own links, and unlinking. */
import { html } from "hono/html";
import type { Membership } from "../membership.ts";
import type { FanLink, FanProof } from "../proofs.ts";
import { done, mine, serviceName, unlink } from "../texts.ts";
import {
  accountId,
  button,
  fanName,
  form,
  hidden,
  type Html,
  more,
  nothing,
  type Page,
  paragraph,
  submit,
} from "./layout.ts";
import { membershipLines } from "./membership.ts";

/** One link with what it gives. */
export interface OwnLink {
  readonly link: FanLink;
  readonly membership: Membership;
}

export const minePage = (
  fan: FanProof,
  {
    links,
    unlinked,
  }: { readonly links: readonly OwnLink[]; readonly unlinked: Pick<FanLink, "account"> | undefined },
): Page => ({
  title: mine.title,
  body: html`${
      unlinked === undefined
        ? nothing
        : html`<p class="card" role="status">${accountId(unlinked.account)} ${mine.unlinked}</p>`
    }
    <p>${serviceName("fanvue")}: ${fanName(fan)}</p>
    ${links.length === 0 ? paragraph(mine.none) : links.map(card)} ${button("/choose", mine.connect)}`,
});

const card = ({ link, membership }: OwnLink): Html =>
  html`<section class="card">
    <h2>${serviceName(link.platform)}</h2>
    <p>${accountId(link.account)}</p>
    ${membership.places.length === 0 ? paragraph(done.none[link.platform]) : membershipLines(membership)}
    ${
      link.source === "proved"
        ? html`<p>
            <a class="button second" href="/unlink?account=${encodeURIComponent(link.account)}"
              >${mine.unlink(link.platform)}</a
            >
          </p>`
        : html`<p class="quiet">${mine.byTeam}</p>`
    }
  </section>`;

export const unlinkPage = ({ platform, account }: FanLink, formToken: string): Page => ({
  title: unlink.title(platform),
  body: html`<p>${serviceName(platform)}: ${accountId(account)}</p>
    ${paragraph(unlink.text(platform))}
    ${form("/unlink", formToken, html`${hidden("account", account)}${submit(unlink.button)}`)}
    ${more("/mine", unlink.no)}`,
});
