/** How the pages look and handle: on a phone, in dark and light, for a keyboard and for a screen reader. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, suite, test } from "node:test";
import axe, { type AxeResults } from "axe-core";
import type { Locator, Page } from "playwright-core";

import { callback, choose, confirm, done, start } from "../../lib/link/texts.ts";
import type { Site } from "./site.ts";
import { linksOf, sees } from "./steps.ts";
import { tour } from "./tour.ts";

const screenshots = join(import.meta.dirname, "screenshots");
const phone = { width: 360, height: 740 };

/** What was seen of one page. */
interface Look {
  readonly name: string;
  /** How wide the page is on a phone, in px. */
  readonly widthPx: number;
  /** Whatever can be pressed and is less than 44 px high, with its height. */
  readonly small: readonly string[];
  /** How bright the ground is, from 0 to 1. */
  readonly brightness: { readonly light: number; readonly dark: number };
  /** What axe finds serious or critical. */
  readonly faults: readonly string[];
}

export function looks(theSite: () => Site): void {
  suite("every page", () => {
    const seen: Look[] = [];
    const none = (what: (look: Look) => readonly string[]) => {
      assert.ok(seen.length > 15);
      assert.deepEqual(
        seen.flatMap((look) => what(look).map((fault) => `${look.name}: ${fault}`)),
        [],
      );
    };

    before(async () => {
      const site = theSite();
      // Without the policy, so that axe can be put into the page; everywhere else the policy is in force.
      const visitor = await site.visit(await site.knownFan("a-fan-with-a-rather-long-name-in-one-word"), {
        bypassCSP: true,
        viewport: phone,
      });
      for await (const name of tour(site, visitor)) seen.push(await lookAt(visitor.page, name));
    });

    test("fits a phone without scrolling sideways", () => {
      none(({ widthPx }) => (widthPx > phone.width ? [`${String(widthPx)} px`] : []));
    });
    test("has nothing to press that is less than 44 pixels high", () => {
      none(({ small }) => small);
    });
    test("is bright or dark as the visitor's system is", () => {
      none(({ brightness: { light, dark } }) =>
        light > 0.8 && dark < 0.2 ? [] : [`${String(light)} in light, ${String(dark)} in dark`],
      );
    });
    test("has no serious fault by axe", () => {
      none(({ faults }) => faults);
    });
  });

  test("with a keyboard alone, a fan connects Discord, and sees where they are", async () => {
    const site = theSite();
    const visitor = await site.visit(site.newFan("kim"));
    const { page } = visitor;
    const enter = async (name: string) => {
      await tabTo(page, page.getByRole("button", { name, exact: true }));
      await page.keyboard.press("Enter");
    };
    const enterConsent = async () => {
      await page.waitForURL(({ pathname }) => pathname.startsWith("/oauth2/"));
      await enter("Allow");
    };
    await page.goto(site.address);
    await enter(start.signIn);
    await enterConsent();
    await sees(page, callback.title("Fanvue"));
    await enter(callback.button);
    await sees(page, choose.title);
    await enter(choose.connect("discord"));
    await enterConsent();
    await sees(page, callback.title("Discord"));
    await enter(callback.button);
    await sees(page, confirm.title);
    await enter(confirm.button);
    await sees(page, done.title);
    assert.deepEqual(linksOf(site, visitor), [`proved ${visitor.person.discord}`]);
  });
}

// ---- Looking ----------------------------------------------------------------------------------------------------

async function lookAt(page: Page, name: string): Promise<Look> {
  await page.evaluate(axe.source);
  const light = await inScheme(page, name, "light");
  const widthPx = await page.evaluate<number>("document.documentElement.scrollWidth");
  const small = await smallTargets(page);
  const dark = await inScheme(page, name, "dark");
  return {
    name,
    widthPx,
    small,
    brightness: { light: light.brightness, dark: dark.brightness },
    faults: [...light.faults, ...dark.faults],
  };
}

async function smallTargets(page: Page): Promise<readonly string[]> {
  const small: string[] = [];
  for (const target of await page.locator("a, button, input:not([type=hidden])").all()) {
    const height = (await target.boundingBox())?.height ?? 0;
    if (height < 44) small.push(`${await target.ariaSnapshot()}, ${String(height)} px`);
  }
  return small;
}

async function inScheme(page: Page, name: string, scheme: "light" | "dark") {
  await page.emulateMedia({ colorScheme: scheme });
  const path = join(screenshots, `${name.replaceAll(" ", "-")}.${scheme}.png`);
  await page.screenshot({ path, fullPage: true });
  const ground = await page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
  return { brightness: brightnessOf(ground), faults: await faultsByAxe(page, scheme) };
}

/** In dark, only the colors are others. */
async function faultsByAxe(page: Page, scheme: "light" | "dark"): Promise<readonly string[]> {
  const options = scheme === "light" ? "" : '{ runOnly: ["color-contrast"] }';
  const { violations } = await page.evaluate<AxeResults>(`axe.run(${options})`);
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ help, nodes }) => `${help} (${scheme}): ${nodes.map(({ html }) => html).join(" ")}`);
}

/** Of a color such as "rgb(19, 19, 22)". */
function brightnessOf(color: string): number {
  const parts = [...color.matchAll(/\d+/g)].slice(0, 3).map(Number);
  return parts.reduce((sum, part) => sum + part, 0) / parts.length / 255;
}

// ---- The keyboard -----------------------------------------------------------------------------------------------

/** Presses Tab until this has the focus; whatever has it on the way must show it. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  await target.waitFor();
  for (let presses = 0; presses < 20; presses += 1) {
    await page.keyboard.press("Tab");
    const outline = await page.evaluate<string>(
      "(({ outlineStyle, outlineWidth }) => `${outlineStyle} ${outlineWidth}`)(getComputedStyle(document.activeElement))",
    );
    assert.match(outline, /^(auto|solid) [1-9]/);
    if ((await target.and(page.locator(":focus-visible")).count()) === 1) return;
  }
  assert.fail("twenty times Tab did not lead there");
}
