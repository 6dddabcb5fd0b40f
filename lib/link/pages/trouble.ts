/** The page of everything that goes wrong: what happened, and one thing to do. */
import { html } from "hono/html";
import { common, type Trouble } from "../texts.ts";
import { type Page, paragraph } from "./layout.ts";

/** What to do about it: a link of ours. */
export interface WayOut {
  readonly href: string;
  readonly text: string;
}
const startAgain: WayOut = { href: "/", text: common.startAgain };

export const troublePage = ({ title, text }: Trouble, { href, text: todo }: WayOut = startAgain): Page => ({
  title,
  body: html`${paragraph(text)}
    <p><a class="button do" href="${href}">${todo}</a></p>`,
});
