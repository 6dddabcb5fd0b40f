/**
 * The link site in a real browser, against the stand-ins. All suites share one browser and one installation, since both
 * take a second to start; each test has fans of its own.
 */
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import type { Browser } from "playwright-core";

import { startChromium, whyMissing } from "./chromium.ts";
import { looks } from "./looks.ts";
import { refusals } from "./refusals.ts";
import { type End, endAll, type Site, startSite } from "./site.ts";
import { ways } from "./ways.ts";

const missing = whyMissing();
if (missing !== undefined && process.env["CI"] === "true") throw new Error(missing);

const ends: End[] = [];
let site: Site | undefined;
const theSite = () => site ?? assert.fail("the link site is not up");

describe(
  "in Chromium",
  { concurrency: 3, timeout: 300_000, ...(missing === undefined ? {} : { skip: missing }) },
  () => {
    before(async () => {
      const browser: Browser = await startChromium();
      ends.push(() => browser.close());
      site = await startSite({ after: (end) => void ends.push(end) }, browser);
    });
    after(() => endAll(ends));

    looks(theSite);
    ways(theSite);
    refusals(theSite);
  },
);
