/** The first page: what this is, and the ways to show which Fanvue account is one's own. */
import { html } from "hono/html";
import type { FanProof, Proofs } from "../proofs.ts";
import type { Site } from "../site.ts";
import { start } from "../texts.ts";
import {
  button,
  fanName,
  form,
  type Html,
  nothing,
  type Page,
  paragraph,
  secondButton,
  submit,
} from "./layout.ts";

export interface StartView {
  readonly site: Site;
  readonly proofs: Pick<Proofs, "fanvueSignIn" | "inbox" | "invites">;
  readonly fan: FanProof | undefined;
  readonly formToken: string;
}

export const startPage = (view: StartView): Page => ({
  title: start.title,
  ...(view.fan === undefined ? { step: 1 } : {}),
  body: html`<p>${start.intro(view.site.name, view.site.platforms)}</p>
    ${view.fan === undefined ? ways(view) : known(view.fan)}`,
});

const known = (fan: FanProof): Html =>
  html`<p>${start.known} ${fanName(fan)}</p>
    ${button("/choose", start.goOn)}
    <p class="quiet">${start.other}</p>`;

function ways({ proofs, formToken }: StartView): Html {
  const { fanvueSignIn, inbox, invites } = proofs;
  const signIn =
    fanvueSignIn === undefined
      ? []
      : [
          html`${form("/fanvue/sign-in", formToken, submit(start.signIn))}
            <p class="hint">${start.signInHint}</p>`,
        ];
  const look = signIn.length > 0 ? secondButton : button;
  const code =
    inbox === undefined
      ? []
      : [
          html`${look("/fanvue/code", start.code)}
            <p class="hint">${start.codeHint}</p>`,
        ];
  const both = signIn.length > 0 && code.length > 0;
  return html`${paragraph(start.how)} ${signIn} ${both ? html`<p class="or">${start.or}</p>` : nothing}
  ${code} ${invites === undefined ? nothing : html`<p class="quiet">${start.invite}</p>`}`;
}
