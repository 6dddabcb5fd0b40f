/** Which roles or rooms a fan has or gets, as a list. */
import { html } from "hono/html";
import type { Membership } from "../membership.ts";
import { lookText, statusText } from "../texts.ts";
import { type Html, name, paragraph } from "./layout.ts";

// Where a visitor lives is not known without a script, so that times say which they are.
const days = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
const times = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
const day = (timeMs: number): string => days.format(timeMs);
const time = (timeMs: number): string => `${times.format(timeMs)} UTC`;

export const membershipLines = ({ places, lookedAtMs, nextLookAtMs }: Membership): Html =>
  html`<ul>
      ${places.map((place) => html`<li>${name(place.name)}: ${statusText(place.status, day)}</li>`)}
    </ul>
    ${paragraph(lookText(lookedAtMs, nextLookAtMs, time))}`;
