/** A walk past every page of the link site, for those who look at each. */
import type { Page } from "playwright-core";

import {
  away,
  callback,
  choose,
  common,
  confirm,
  done,
  inbox,
  invite,
  matrix,
  mine,
  start,
  troubles,
  unlink,
} from "../../lib/link/texts.ts";
import { matrixCodeOf } from "./mail.ts";
import type { Site, Visitor } from "./site.ts";
import { consent, fill, follow, press, sees } from "./steps.ts";

/** Goes on to the next page whenever the last one has been looked at; gives each page's name. */
export async function* tour(site: Site, visitor: Visitor): AsyncGenerator<string> {
  yield* proofs(site, visitor);
  yield* signingIn(site, visitor.page);
  yield* matrixWay(site, visitor);
  yield* discordWay(visitor.page);
  yield* ownLinks(site, visitor.page);
}

async function* proofs(site: Site, { page, person }: Visitor): AsyncGenerator<string> {
  await page.goto(site.address);
  await sees(page, start.title);
  yield "start";
  await follow(page, start.code);
  await sees(page, inbox.handleTitle);
  yield "inbox handle";
  await fill(page, inbox.handle, person.fan.handle);
  await press(page, inbox.send);
  await sees(page, inbox.codeTitle);
  yield "inbox code";
  await fill(page, inbox.code, "BBBB-BBBB");
  await press(page, inbox.check);
  await page.getByRole("alert").waitFor();
  yield "inbox code that is wrong";
  await page.goto(await site.invite(person));
  await sees(page, invite.title);
  yield "personal link";
}

async function* signingIn({ address, home }: Site, page: Page): AsyncGenerator<string> {
  const fanvue = `${home.town.fanvue.authUrl}/**`;
  await page.goto(address);
  // An answer without a page leaves the browser where it is.
  await page.route(fanvue, (route) => route.fulfill({ status: 204 }));
  await press(page, start.signIn);
  await sees(page, away.title("Fanvue"));
  yield "away to Fanvue";
  await page.unroute(fanvue);
  await follow(page, away.link("Fanvue"));
  await consent(page, "Allow");
  await sees(page, callback.title("Fanvue"));
  yield "back from Fanvue";
  await press(page, callback.button);
  await sees(page, choose.title);
  yield "choose";
}

async function* matrixWay({ home }: Site, { page, person }: Visitor): AsyncGenerator<string> {
  await follow(page, choose.connect("matrix"));
  await sees(page, matrix.idTitle);
  yield "Matrix id";
  await fill(page, matrix.id, "no such id");
  await press(page, matrix.send);
  await page.getByRole("alert").waitFor();
  yield "Matrix id that is wrong";
  await fill(page, matrix.id, person.mxid);
  await press(page, matrix.send);
  await sees(page, matrix.codeTitle);
  yield "Matrix code";
  await fill(page, matrix.code, await matrixCodeOf(home, person));
  await press(page, matrix.check);
  await sees(page, confirm.title);
  yield "confirm Matrix";
  await press(page, confirm.button);
  await sees(page, done.title);
  yield "done Matrix";
}

async function* discordWay(page: Page): AsyncGenerator<string> {
  await follow(page, done.more);
  await sees(page, choose.title);
  yield "choose the other";
  await press(page, choose.connect("discord"));
  await consent(page, "Allow");
  await press(page, callback.button);
  await sees(page, confirm.title);
  yield "confirm Discord";
  await press(page, confirm.button);
  await sees(page, done.title);
  yield "done Discord";
}

async function* ownLinks({ address }: Site, page: Page): AsyncGenerator<string> {
  await page.goto(address);
  yield "start again";
  await follow(page, common.myLinks);
  await sees(page, mine.title);
  yield "my links";
  await follow(page, mine.unlink("discord"));
  await sees(page, unlink.title("discord"));
  yield "unlink";
  await press(page, unlink.button);
  await page.getByRole("status").waitFor();
  yield "my links after unlinking";
  await page.goto(`${address}/nowhere`);
  await sees(page, troubles["not found"].title);
  yield "no such page";
}
