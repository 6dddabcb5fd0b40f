/** What all pages share: the frame, forms and fields. hono's templates escape whatever is put into them. */
import { html } from "hono/html";
import type { FanProof } from "../proofs.ts";
import { formTokenField } from "../forms.ts";
import { plainText } from "../../plain-text.ts";
import { shownName } from "../shown-name.ts";
import type { Site } from "../site.ts";
import { common, siteName } from "../texts.ts";

export type Html = ReturnType<typeof html>;

/** One page: what stands in its frame. */
export interface Page {
  /** Names the step; heading and, with the site's name, title. */
  readonly title: string;
  readonly body: Html;
  /** The step of three that this page belongs to. */
  readonly step?: 1 | 2 | 3;
  /** Where the browser goes on to by itself. */
  readonly goTo?: URL;
}

/** What the frame shows beside the page. */
export interface Frame {
  readonly site: Pick<Site, "name">;
  readonly styleAddress: string;
  readonly fan: FanProof | undefined;
  readonly formToken: string;
}

export const nothing = html``;

/** The whole document of a page. */
export function layout(page: Page, { site, styleAddress, fan, formToken }: Frame): Html {
  const name = shownName(siteName(site.name));
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        ${
          page.goTo === undefined
            ? nothing
            : html`<meta http-equiv="refresh" content="0;url=${page.goTo.href}" />`
        }
        <title>${page.title} · ${name}</title>
        <link rel="stylesheet" href="${styleAddress}" />
        <link rel="icon" href="data:," />
      </head>
      <body>
        <header>
          <a class="site" href="/">${name}</a>
          ${
            fan === undefined
              ? nothing
              : html`<nav aria-label="${common.siteNavigation}"><a href="/mine">${common.myLinks}</a></nav>`
          }
        </header>
        <main>
          ${page.step === undefined ? nothing : html`<p class="step">${common.step(page.step)}</p>`}
          <h1>${page.title}</h1>
          ${page.body}
        </main>
        ${fan === undefined ? nothing : signedIn(fan, formToken)}
      </body>
    </html>`;
}

const signedIn = (fan: FanProof, formToken: string): Html =>
  html`<footer>
    <p>${common.signedIn} ${fanName(fan)}</p>
    ${form("/leave", formToken, secondSubmit(common.leave))}
  </footer>`;

/** A fan as people know them on Fanvue. */
export function fanName({ handle, displayName }: Pick<FanProof, "handle" | "displayName">): Html {
  if (handle === "") return name(displayName);
  const also = displayName === "" || displayName === handle ? nothing : html` (${name(displayName)})`;
  return html`${name(`@${handle}`)}${also}`;
}

/** A name that somebody chose elsewhere. Its direction of writing stays inside it. */
export const name = (text: string): Html => html`<bdi class="name">${shownName(text)}</bdi>`;

/** An account's id, whole: of two long ones the ends may be all that differs. */
export const accountId = (account: string): Html => html`<bdi class="name">${plainText(account)}</bdi>`;

export const paragraph = (text: string): Html => html`<p>${text}</p>`;

export const bullets = (texts: readonly string[]): Html =>
  html`<ul>
    ${texts.map((text) => html`<li>${text}</li>`)}
  </ul>`;

/** The link that leads on. */
export const button = (href: string, text: string): Html =>
  html`<p><a class="button" href="${href}">${text}</a></p>`;
export const secondButton = (href: string, text: string): Html =>
  html`<p><a class="button second" href="${href}">${text}</a></p>`;
/** A link that leads elsewhere. */
export const more = (href: string, text: string): Html =>
  html`<p><a class="more" href="${href}">${text}</a></p>`;

// ---- Forms ------------------------------------------------------------------------------------------------------

export const form = (action: string, formToken: string, inside: Html): Html =>
  html`<form method="post" action="${action}">${hidden(formTokenField, formToken)}${inside}</form>`;

export const hidden = (field: string, value: string): Html =>
  html`<input type="hidden" name="${field}" value="${value}" />`;

export const submit = (text: string): Html => html`<button class="button">${text}</button>`;
/** One that is not the page's main purpose. */
export const secondSubmit = (text: string): Html => html`<button class="button second">${text}</button>`;

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly problem: string | undefined;
  readonly value?: string | undefined;
  readonly autocomplete: "username" | "one-time-code" | "off";
  readonly isCode?: boolean;
}

/** A labelled input; what is wrong with it is tied to it, and stands before it. */
export function field({ name, label, hint, problem, value = "", autocomplete, isCode = false }: Field): Html {
  const described = problem === undefined ? `${name}-hint` : `${name}-problem ${name}-hint`;
  return html`<label for="${name}">${label}</label>
    ${
      problem === undefined
        ? nothing
        : html`<p class="problem" id="${name}-problem" role="alert">${problem}</p>`
    }
    <p class="hint" id="${name}-hint">${hint}</p>
    <input
      id="${name}"
      name="${name}"
      type="text"
      value="${value}"
      class="${isCode ? "code" : ""}"
      autocomplete="${autocomplete}"
      autocapitalize="none"
      autocorrect="off"
      spellcheck="false"
      maxlength="${isCode ? 32 : 255}"
      aria-describedby="${described}"
      aria-required="true"
      ${problem === undefined ? nothing : html`aria-invalid="true"`}
    />`;
}
