/** Many at once, one who claims to be many, and many who claim to be one. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";

import type { Grounds, Site } from "./grounds.ts";
import { letIn } from "./knowing.ts";
import type { LetIn, Trials } from "./tally.ts";
import { formOf } from "./visitor.ts";
import { goOut, signedIn } from "./ways.ts";

/** What one address gets at once, and a little for what comes back meanwhile. */
const mostPages = 60;
const pages = 150;
const mostCodes = 15;

/** Asks one page after the other, each time with another such header. */
async function limited(site: Site, most: number, header: (turn: number) => string): Promise<LetIn> {
  let shown = 0;
  const startedAtMs = performance.now();
  for (let turn = 0; turn < pages; turn += 1)
    if ((await site.visitor(header(turn)).get("/nowhere")).status !== 429) shown += 1;
  const comesBack = ((performance.now() - startedAtMs) / 1000) * 6;
  return shown > most + comesBack + 1 ? `is shown ${String(shown)} of ${String(pages)} pages` : undefined;
}

export async function claimToBeMany({ open, secure }: Grounds, { attempt }: Trials): Promise<void> {
  const behindProxy: Readonly<Record<string, (turn: number) => string>> = {
    "others before the proxy's own entry": (turn) => `203.0.113.${String(turn)}, 192.0.2.1`,
    "many others before it": (turn) => `${"203.0.113.7, ".repeat(turn % 20)}192.0.2.2`,
    "addresses of one IPv6 network": (turn) => `2001:db8::${turn.toString(16)}`,
    "one IPv6 address in many ways": (turn) =>
      ["2001:db8:1::1", "2001:DB8:1:0:0:0:0:1", "2001:db8:1:0::1", "[2001:db8:1::1]:443"][turn % 4] ?? "",
    "one IPv4 address in two ways": (turn) => (turn % 2 === 0 ? "192.0.2.3" : "::ffff:192.0.2.3"),
    "one address with many ports": (turn) => `192.0.2.4:${String(1024 + turn)}`,
    "words that are no address": (turn) => `nobody-${String(turn)}`,
  };
  for (const [what, header] of Object.entries(behindProxy))
    await attempt(`behind a trusted proxy: ${what}`, () => limited(open, mostPages, header));
  await attempt("without a trusted proxy: another address in each request", () =>
    limited(secure, mostPages, (turn) => `203.0.113.${String(turn)}`),
  );

  const from = "192.0.2.100";
  await attempt("codes guessed in thirty visits of one address", async () => {
    let tried = 0;
    const startedAtMs = performance.now();
    for (let turn = 0; turn < 30; turn += 1) {
      // The page is fetched from elsewhere, so that nothing but the limit on codes is met.
      const visitor = open.visitor();
      const { fields } = formOf(await visitor.get("/fanvue/code"), "/fanvue/code");
      const here = open.visitor(from);
      for (const [name, value] of visitor.cookies) here.cookies.set(name, value);
      const answer = await here.post("/fanvue/code", {
        form_token: fields["form_token"] ?? "",
        code: "BBBB-BBBB",
      });
      if (answer.status !== 429) tried += 1;
    }
    const comesBack = ((performance.now() - startedAtMs) / 1000) * 0.1;
    return tried > mostCodes + comesBack + 1 ? `tries ${String(tried)}` : undefined;
  });
}

const networks = 150;
/** What all together get at once, and then in a second. */
const mostAsked = 40;
const askedPerSecond = 0.2;

/** Nobody has to have proved anything to ask for a code, and each asking is a write of the whole database. */
export async function keepTheDatabaseBusy({ open }: Grounds, { attempt }: Trials): Promise<void> {
  const first = open.visitor();
  const { fields } = formOf(await first.get("/fanvue/code"), "/fanvue/code");
  await attempt(`codes for nobody, asked for from ${String(networks)} networks`, async () => {
    const startedAtMs = performance.now();
    const answers = await Promise.all(
      Array.from({ length: networks }, (_, number) => {
        const visitor = open.visitor(`2001:db8:77:${number.toString(16)}::1`);
        for (const [name, value] of first.cookies) visitor.cookies.set(name, value);
        return visitor.post("/fanvue/code", { ...fields, handle: "nobody" });
      }),
    );
    const asked = answers.filter(({ status }) => status === 303).length;
    const comesBack = ((performance.now() - startedAtMs) / 1000) * askedPerSecond;
    return asked > mostAsked + comesBack + 1 ? `writes ${String(asked)} times` : undefined;
  });
  await attempt("somebody comes meanwhile", async () =>
    (await open.visitor().get("/")).status === 200 ? undefined : "are kept out",
  );
}

/** Fanvue counts wrong codes against the address that the syncs come from, too. */
export async function bringCodesThatAreNone(
  { open, home: { town } }: Grounds,
  { attempt }: Trials,
): Promise<void> {
  const asked = () => town.fanvue.auth.requests.length;
  await attempt("thirty codes of Fanvue that are none, brought from one address", async () => {
    const startedAtMs = performance.now();
    const before = asked();
    for (let turn = 0; turn < 30; turn += 1) {
      // Only the last step is made from here, so that nothing but the limit on codes is met.
      const visitor = open.visitor();
      const state = (await goOut(visitor, "fanvue")).searchParams.get("state") ?? "";
      const { fields } = formOf(await visitor.get(`/callback?code=made-up&state=${state}`), "/callback");
      const here = open.visitor("192.0.2.101");
      for (const [name, value] of visitor.cookies) here.cookies.set(name, value);
      await here.post("/callback", fields);
    }
    const comesBack = ((performance.now() - startedAtMs) / 1000) * 0.1;
    const more = asked() - before;
    return more > mostCodes + comesBack + 1 ? `asks Fanvue ${String(more)} times` : undefined;
  });
}

const crowd = 5400;
/** More than there is room for. */
const openers = 5200;
const atOnce = 40;

/** They push nobody out who has proved something, and memory stays bounded. */
export async function comeAsACrowd({ open, newFan }: Grounds, { attempt }: Trials): Promise<void> {
  const settled = await signedIn(open, newFan("settled"));
  const beforeKb = memoryKb(open.pid);
  await attempt(
    `${String(crowd)} visits at once, ${String(openers)} of them on their way to Fanvue`,
    async () => {
      let refused = 0;
      let next = 0;
      const comeOneByOne = async () => {
        for (let turn = next; turn < crowd; turn = next) {
          next += 1;
          const visitor = open.stranger();
          const page = await visitor.get("/");
          const answer =
            turn < openers
              ? await visitor.post("/fanvue/sign-in", formOf(page, "/fanvue/sign-in").fields)
              : page;
          if (answer.status >= 400) refused += 1;
        }
      };
      await Promise.all(Array.from({ length: atOnce }, comeOneByOne));
      assert.equal(refused, 0, "everybody was answered");
      const isStillIn = (await letIn(settled)) !== undefined;
      const grownKb = memoryKb(open.pid) - beforeKb;
      if (!isStillIn) return "pushes out somebody who has proved an account";
      return grownKb > 250_000 ? `takes ${String(grownKb)} kB` : undefined;
    },
  );
}

/** Of a process, where the system tells. */
function memoryKb(pid: number | undefined): number {
  const path = `/proc/${String(pid)}/status`;
  return existsSync(path) ? Number(/VmRSS:\s+(\d+)/.exec(readFileSync(path, "utf8"))?.[1]) : 0;
}
