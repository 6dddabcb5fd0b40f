/** The way to another service's page, and back from it. */
import { html } from "hono/html";
import type { Purpose } from "../attempts.ts";
import { away, callback, serviceName } from "../texts.ts";
import { form, hidden, type Page, paragraph, submit } from "./layout.ts";

const steps = { fanvue: 1, discord: 2 } as const satisfies Record<Purpose, number>;

/** Takes the browser to the service by itself, and has a link for where it does not. */
export const awayPage = (purpose: Purpose, url: URL): Page => ({
  title: away.title(serviceName(purpose)),
  step: steps[purpose],
  goTo: url,
  body: html`${paragraph(away.text(serviceName(purpose)))}
    <p><a class="button go" href="${url.href}">${away.link(serviceName(purpose))}</a></p>`,
});

/** What the service gave the browser to bring back: it waits in a form, for opening an address must use nothing up. */
export interface Brought {
  readonly code: string;
  readonly state: string;
  readonly iss: string | undefined;
}

export const callbackPage = (purpose: Purpose, { code, state, iss }: Brought, formToken: string): Page => ({
  title: callback.title(serviceName(purpose)),
  step: steps[purpose],
  body: html`${paragraph(callback.text(serviceName(purpose)))}
  ${form(
    "/callback",
    formToken,
    html`${hidden("code", code)}${hidden("state", state)}
    ${iss === undefined ? "" : hidden("iss", iss)}${submit(callback.button)}`,
  )}`,
});
