/** The honest ways through the site, which an attacker may go in part, too. */
import assert from "node:assert/strict";

import { openDatabase } from "../../lib/db.ts";
import { parseFanId } from "../../lib/ids.ts";
import { makeInvite } from "../../lib/link/invites.ts";
import { eventually } from "../browser/site.ts";
import type { Person } from "../installation.ts";
import type { Grounds, Site } from "./grounds.ts";
import { attributeOf, formOf, type Answer, type Visitor } from "./visitor.ts";

export type Purpose = "fanvue" | "discord";

/** Where the browser is sent to sign in. */
export async function goOut(visitor: Visitor, purpose: Purpose): Promise<URL> {
  const answer = await visitor.submit(purpose === "fanvue" ? "/" : "/choose", `/${purpose}/sign-in`);
  assert.equal(answer.headers.location, `/away/${purpose}`, answer.text);
  return outOf(visitor, purpose);
}

/** Where the page that leads to the other service leads, once somebody has asked to go. */
export async function outOf(visitor: Visitor, purpose: Purpose): Promise<URL> {
  const away = await visitor.get(`/away/${purpose}`);
  const [link = ""] = /<a[^>]*class="[^"]*\bgo\b[^>]*>/.exec(away.text) ?? [];
  return new URL(attributeOf(link, "href") ?? assert.fail(away.text));
}

/** A token that is good in this browser. */
export async function formToken(visitor: Visitor): Promise<string> {
  const { fields } = formOf(await visitor.get("/fanvue/code?again"), "/fanvue/code");
  return fields["form_token"] ?? assert.fail("no token in the form");
}

/** The other service's page, where this person allows what is asked: path and query with which they come back. */
export async function allow(url: URL, { fan, discord }: Pick<Person, "fan" | "discord">): Promise<string> {
  const cookie = `fanvue_user=${fan.uuid}; discord_user=${discord}`;
  const answer = await fetch(url, { redirect: "manual", headers: { cookie } });
  const back = new URL(answer.headers.get("location") ?? assert.fail(await answer.text()));
  return back.pathname + back.search;
}

/** Goes out and comes back; the button is not pressed yet. */
export const goOutAndBack = async (visitor: Visitor, purpose: Purpose, person: Person): Promise<string> =>
  allow(await goOut(visitor, purpose), person);

/** Opens the page on which the service's answer waits, and presses its button. */
export const comeBack = (visitor: Visitor, back: string): Promise<Answer> =>
  visitor.submit(back, "/callback");

export async function signIn(visitor: Visitor, person: Person): Promise<void> {
  const answer = await comeBack(visitor, await goOutAndBack(visitor, "fanvue", person));
  assert.equal(answer.headers.location, "/choose", answer.text);
}

export async function proveDiscord(visitor: Visitor, person: Person): Promise<void> {
  const answer = await comeBack(visitor, await goOutAndBack(visitor, "discord", person));
  assert.equal(answer.headers.location, "/confirm", answer.text);
}

/** Somebody who has signed in with Fanvue. */
export async function signedIn(site: Pick<Site, "visitor">, person: Person): Promise<Visitor> {
  const visitor = site.visitor();
  await signIn(visitor, person);
  return visitor;
}

/** Somebody who has proved both, and stands before the page of confirmation. */
export async function ready(site: Pick<Site, "visitor">, person: Person): Promise<Visitor> {
  const visitor = await signedIn(site, person);
  await proveDiscord(visitor, person);
  return visitor;
}

export async function confirm(visitor: Visitor): Promise<void> {
  const answer = await visitor.submit("/confirm", "/confirm");
  assert.equal(answer.headers.location, "/done", answer.text);
}

/** A fan who has linked their Discord account rightfully. */
export async function linked(grounds: Grounds, person: Person): Promise<Visitor> {
  const visitor = await ready(grounds.open, person);
  await confirm(visitor);
  grounds.allowLinks();
  return visitor;
}

// ---- Codes ------------------------------------------------------------------------------------------------------

/** Asks for a code in the inbox of whoever has the handle, whether there is one or not. */
export const askForInboxCode = (visitor: Visitor, handle: string): Promise<Answer> =>
  visitor.submit("/fanvue/code?again", "/fanvue/code", { handle });

/** Types a code, whether the browser is asked for one or not. */
export const typeInboxCode = async (visitor: Visitor, code: string): Promise<Answer> =>
  visitor.post("/fanvue/code", { form_token: await formToken(visitor), code });

/** Asks for it, and reads it in the fan's own inbox. */
export async function inboxCode(grounds: Grounds, visitor: Visitor, { fan }: Person): Promise<string> {
  const inbox = () => grounds.home.town.fanvue.world.messages.filter((message) => message.fan === fan.uuid);
  const before = inbox().length;
  await askForInboxCode(visitor, fan.handle);
  await eventually(`a code in the inbox of ${fan.handle}`, () => inbox().length > before);
  const code = codeIn(inbox().at(-1)?.text ?? "");
  grounds.confide(code);
  grounds.confide(code.replace("-", ""));
  return code;
}

export const codeIn = (text: string): string =>
  /\b[A-Z]{4}-[A-Z]{4}\b/.exec(text)?.[0] ?? assert.fail(`no code in: ${text}`);

// ---- Personal links ---------------------------------------------------------------------------------------------

/** The token of a personal link that the operator hands out. */
export async function inviteOf({ home, confide }: Grounds, { fan }: Person): Promise<string> {
  const id = parseFanId(fan.uuid) ?? assert.fail();
  const { token } = await openDatabase(home.dataDir).write((sql) =>
    makeInvite(sql, { fan: id, days: 7, isSent: false }, Date.now()),
  );
  confide(token);
  return token;
}

/** Opens a personal link and sends its form, as the page has it. */
export async function useInvite(visitor: Visitor, token: string): Promise<Answer> {
  const page = await visitor.get(`/invite/${token}`);
  return page.status === 200 ? visitor.post("/invite", formOf(page, "/invite").fields) : page;
}

/** Sends a token past its page, with the form token of another page. */
export async function postInvite(visitor: Visitor, token: string): Promise<Answer> {
  const { fields } = formOf(await visitor.get("/fanvue/code?again"), "/fanvue/code");
  return visitor.post("/invite", { form_token: fields["form_token"] ?? "", token });
}
