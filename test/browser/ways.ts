/** The whole way, from the first page to the role or the room, and back. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { choose, common, invite, mine, start, troubles, unlink } from "../../lib/link/texts.ts";
import { eventually, type Site } from "./site.ts";
import {
  connect,
  follow,
  linksOf,
  press,
  proveDiscord,
  proveMatrix,
  sees,
  signIn,
  textOf,
  typeInboxCode,
} from "./steps.ts";

export function ways(theSite: () => Site): void {
  suite("the whole way", { concurrency: 3 }, () => {
    test("signed in with Fanvue, a fan connects Discord, has the role at once, and loses it by unlinking", async () => {
      const site = theSite();
      const visitor = await site.visit(site.newFan("mara"));
      const { page, person } = visitor;
      const hasRole = () => site.home.holders("subscription").includes("mara");
      await signIn(site, page);
      await proveDiscord(page);
      assert.deepEqual(linksOf(site, visitor), []);
      await connect(visitor, "discord");
      assert.deepEqual(linksOf(site, visitor), [`proved ${person.discord}`]);
      await eventually("the role", hasRole);

      await follow(page, common.myLinks);
      await sees(page, mine.title);
      assert.ok((await textOf(page)).includes(person.discord));
      await follow(page, mine.unlink("discord"));
      await sees(page, unlink.title("discord"));
      assert.equal(linksOf(site, visitor).length, 1);
      await press(page, unlink.button);
      await page.getByRole("status").getByText(mine.unlinked).waitFor();
      assert.deepEqual(linksOf(site, visitor), []);
      const { code, stdout } = await site.home.sync("discord");
      assert.deepEqual([code, hasRole()], [0, false], stdout);
    });

    test("with a code from the Fanvue inbox, a fan connects Matrix and is invited at once", async () => {
      const site = theSite();
      const visitor = await site.visit(await site.knownFan("nils"));
      await typeInboxCode(site, visitor);
      await proveMatrix(site, visitor);
      assert.deepEqual(linksOf(site, visitor), []);
      await connect(visitor, "matrix");
      assert.deepEqual(linksOf(site, visitor), [`proved ${visitor.person.mxid}`]);
      await eventually("the invitation", () => site.home.guests("subscription").includes("nils"));
    });

    test("by a personal link, which being looked at does not use up, and without JavaScript, a fan connects Matrix", async () => {
      const site = theSite();
      const visitor = await site.visit(await site.knownFan("olga"), { javaScriptEnabled: false });
      const { page, person } = visitor;
      const address = await site.inviteByScript(person);
      for (let times = 0; times < 2; times += 1) await page.goto(address);
      await sees(page, invite.title);
      assert.ok((await textOf(page)).includes(person.fan.handle));
      await press(page, invite.use);
      await sees(page, choose.title);
      await proveMatrix(site, visitor);
      await connect(visitor, "matrix");
      assert.deepEqual(linksOf(site, visitor), [`proved ${person.mxid}`]);
    });

    test("without JavaScript, a fan signs in with Fanvue and connects Discord", async () => {
      const site = theSite();
      const visitor = await site.visit(site.newFan("pia"), { javaScriptEnabled: false });
      await signIn(site, visitor.page);
      await proveDiscord(visitor.page);
      await connect(visitor, "discord");
      assert.deepEqual(linksOf(site, visitor), [`proved ${visitor.person.discord}`]);
    });

    test("signed out, the browser is nobody's", async () => {
      const site = theSite();
      const { page } = await site.visit(site.newFan("quinn"));
      await signIn(site, page);
      await press(page, common.leave);
      await sees(page, start.title);
      await page.goto(`${site.address}/mine`);
      await sees(page, troubles["needs fan"].title);
    });
  });
}
