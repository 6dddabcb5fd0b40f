/** What the site does not do, and what it says then: nothing is linked by any of this. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";

import {
  callback,
  choose,
  common,
  confirm,
  failures,
  inbox,
  invite,
  problems,
  start,
  troubles,
} from "../../lib/link/texts.ts";
import { dayMs } from "../sandbox/fanvue-world.ts";
import { inboxCodeOf } from "./mail.ts";
import type { Site } from "./site.ts";
import { consent, fill, linksOf, press, proveDiscord, sees, signIn, textOf } from "./steps.ts";

export function refusals(theSite: () => Site): void {
  suite("refused", { concurrency: 3 }, () => {
    test("who says no at Fanvue or at Discord is told so, and may try again", async () => {
      const site = theSite();
      const visitor = await site.visit(site.newFan("rosa"));
      const { page } = visitor;
      await page.goto(site.address);
      await press(page, start.signIn);
      await consent(page, "Deny");
      await sees(page, failures.declined.title);
      await signIn(site, page);
      await press(page, choose.connect("discord"));
      await consent(page, "Deny");
      await sees(page, failures.declined.title);
      assert.deepEqual(linksOf(site, visitor), []);
    });

    test("the way back from Fanvue works once, and in no other browser", async () => {
      const site = theSite();
      const [visitor, thief] = [await site.visit(site.newFan("sami")), await site.visit(site.newFan("theo"))];
      const { page } = visitor;
      await page.goto(site.address);
      await press(page, start.signIn);
      await consent(page, "Allow");
      await sees(page, callback.title("Fanvue"));
      const back = page.url();
      await thief.page.goto(back);
      await sees(thief.page, failures.expired.title);
      await press(page, callback.button);
      await sees(page, choose.title);
      await page.goto(back);
      await sees(page, failures.expired.title);
    });

    test("a personal link works for nobody once it was used, or has expired", async () => {
      const site = theSite();
      const visitor = await site.visit(await site.knownFan("ursa"));
      const address = await site.invite(visitor.person);
      await visitor.page.goto(address);
      await press(visitor.page, invite.use);
      await sees(visitor.page, choose.title);
      const { page } = await site.visit(site.newFan("vito"));
      await page.goto(address);
      await sees(page, failures["used invite"].title);
      await page.goto(await site.invite(visitor.person, Date.now() - 8 * dayMs));
      await sees(page, failures.expired.title);
    });

    test("a wrong code is told beside its field, and the right one is of no use when it has expired", async () => {
      const site = theSite();
      const { page, person } = await site.visit(await site.knownFan("wanda"));
      await page.goto(`${site.address}/fanvue/code`);
      await fill(page, inbox.handle, person.fan.handle);
      await press(page, inbox.send);
      const code = await inboxCodeOf(site.home, person);
      await fill(page, inbox.code, "BBBB-BBBB");
      await press(page, inbox.check);
      await page.getByRole("alert").getByText(problems["wrong code"]).waitFor();
      const field = page.getByLabel(inbox.code, { exact: true });
      assert.equal(await field.getAttribute("aria-invalid"), "true");
      await site.expireCodes(person);
      await field.fill(code);
      await press(page, inbox.check);
      await sees(page, failures.expired.title);
    });

    test("a page of confirmation is out of date once another tab has proved somebody else", async () => {
      const site = theSite();
      const [first, second] = [site.newFan("xenia"), site.newFan("yann")];
      const visitor = await site.visit(first);
      await signIn(site, visitor.page);
      await proveDiscord(visitor.page);

      const tab = await visitor.newTab();
      await visitor.changePlaces(second);
      await tab.goto(site.address);
      await press(tab, common.leave);
      await signIn(site, tab);
      await proveDiscord(tab);
      await press(visitor.page, confirm.button);
      await sees(visitor.page, troubles["out of date"].title);
      assert.deepEqual(
        [first, second].flatMap((person) => linksOf(site, { person })),
        [],
      );
    });

    test("an account that is another fan's is not taken over", async () => {
      const site = theSite();
      const owner = site.newFan("zora");
      await site.link(owner);
      const other = await site.visit({ ...site.newFan("abel"), discord: owner.discord });
      await signIn(site, other.page);
      await press(other.page, choose.connect("discord"));
      await consent(other.page, "Allow");
      await press(other.page, callback.button);
      await sees(other.page, troubles["taken by another fan"].title);
      assert.deepEqual(linksOf(site, other), []);
    });

    test("names are shown as they are written, and run nothing", async () => {
      const site = theSite();
      const person = site.newFan("bela");
      person.fan.handle = `<img src=x onerror=alert(1)>`;
      const user = site.home.town.discord.world.users.get(person.discord) ?? assert.fail("no such user");
      user.globalName = `\u202e<script>alert(1)</script>"'&amp;`;
      const { page } = await site.visit(person);
      const dialogs: string[] = [];
      page.on("dialog", (dialog) => {
        dialogs.push(dialog.message());
        void dialog.dismiss();
      });
      await signIn(site, page);
      await proveDiscord(page);
      const text = await textOf(page);
      for (const name of [person.fan.handle, `<script>alert(1)</script>"'&amp;`])
        assert.ok(text.includes(name), text);
      assert.ok(!text.includes("\u202e"), "a character that turns the direction of writing");
      assert.equal(await page.locator("img, script").count(), 0);
      assert.deepEqual(dialogs, []);
    });
  });
}
