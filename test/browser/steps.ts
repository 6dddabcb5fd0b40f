/** What visitors do on the link site, by the roles and labels that a screen reader would tell them. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";

import type { Platform } from "../../lib/ids.ts";
import { callback, choose, confirm, done, inbox, matrix, start } from "../../lib/link/texts.ts";
import type { Site, Visitor } from "./site.ts";
import { inboxCodeOf, matrixCodeOf } from "./mail.ts";

/** Waits for the page with this heading. */
export const sees = (page: Page, title: string): Promise<void> =>
  page.getByRole("heading", { level: 1, name: title, exact: true }).waitFor();

export const press = (page: Page, name: string): Promise<void> =>
  page.getByRole("button", { name, exact: true }).click();

export const follow = (page: Page, name: string): Promise<void> =>
  page.getByRole("link", { name, exact: true }).click();

/** What the page says. */
export const textOf = (page: Page): Promise<string> => page.getByRole("main").innerText();

export async function fill(page: Page, label: string, value: string): Promise<void> {
  await page.getByLabel(label, { exact: true }).fill(value);
}

/** Presses the button of the other service's page of consent. */
export async function consent(page: Page, decision: "Allow" | "Deny"): Promise<void> {
  await page.waitForURL(({ pathname }) => pathname.startsWith("/oauth2/"));
  await press(page, decision);
}

// ---- Step 1 -----------------------------------------------------------------------------------------------------

export async function signIn({ address }: Site, page: Page): Promise<void> {
  await page.goto(address);
  await press(page, start.signIn);
  await consent(page, "Allow");
  await sees(page, callback.title("Fanvue"));
  await press(page, callback.button);
  await sees(page, choose.title);
}

export async function typeInboxCode({ home, address }: Site, { person, page }: Visitor): Promise<void> {
  await page.goto(address);
  await follow(page, start.code);
  await sees(page, inbox.handleTitle);
  await fill(page, inbox.handle, `@${person.fan.handle}`);
  await press(page, inbox.send);
  await sees(page, inbox.codeTitle);
  await fill(page, inbox.code, await inboxCodeOf(home, person));
  await press(page, inbox.check);
  await sees(page, choose.title);
}

// ---- Step 2 -----------------------------------------------------------------------------------------------------

/** From the page of choice to the page that asks for confirmation. */
export async function proveDiscord(page: Page): Promise<void> {
  await press(page, choose.connect("discord"));
  await consent(page, "Allow");
  await sees(page, callback.title("Discord"));
  await press(page, callback.button);
  await sees(page, confirm.title);
}

/** The same for Matrix. */
export async function proveMatrix({ home }: Site, { person, page }: Visitor): Promise<void> {
  await follow(page, choose.connect("matrix"));
  await sees(page, matrix.idTitle);
  await fill(page, matrix.id, person.mxid);
  await press(page, matrix.send);
  await sees(page, matrix.codeTitle);
  await fill(page, matrix.code, await matrixCodeOf(home, person));
  await press(page, matrix.check);
  await sees(page, confirm.title);
}

// ---- Step 3 -----------------------------------------------------------------------------------------------------

/** Confirms what names both. */
export async function connect({ person, page }: Visitor, platform: Platform): Promise<void> {
  const text = await textOf(page);
  const names = [person.fan.handle, platform === "discord" ? person.name : person.mxid];
  for (const name of names) assert.ok(text.includes(name), text);
  await press(page, confirm.button);
  await sees(page, done.title);
}

/** The accounts that a fan has proved, as the database has them. */
export const linksOf = ({ home }: Site, { person }: Pick<Visitor, "person">): readonly unknown[] =>
  home
    .rows("SELECT fan, account, source FROM links ORDER BY account")
    .filter(({ fan }) => fan === person.fan.uuid)
    .map(({ account, source }) => `${String(source)} ${String(account)}`);
