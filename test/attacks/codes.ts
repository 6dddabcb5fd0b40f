/** Codes: guessed, taken elsewhere, used twice, too late; and what their pages tell of who is a fan. */
import assert from "node:assert/strict";

import { openDatabase } from "../../lib/db.ts";
import { eventually } from "../browser/site.ts";
import type { Person } from "../installation.ts";
import { hangs } from "../sandbox/faults.ts";
import type { Grounds } from "./grounds.ts";
import { letIn } from "./knowing.ts";
import type { LetIn, Trials } from "./tally.ts";
import type { Answer, Visitor } from "./visitor.ts";
import { askForInboxCode, inboxCode, typeInboxCode } from "./ways.ts";

const wrong = "BBBB-BBBB";
const tries = 5;
/** Less than a request to Fanvue waits for an answer. */
const answersWithinMs = 10_000;

/** Forgets what was sent, for limits on codes would be all that later attempts meet. */
export const forgetCodes = ({ home }: Grounds) =>
  openDatabase(home.dataDir).write((sql) => {
    sql.run("DELETE FROM link_codes");
  });

/** Puts the clock forward: what all together may ask for was asked for by others before. */
export const allowCodes = ({ open }: Grounds) => open.passTime("minutes");

const opened = ({ status, headers: { location } }: Answer): LetIn =>
  status < 400 && location === "/choose" ? "is let in" : undefined;

export async function guessCodes(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { open, secure } = grounds;
  const [victim, mallory] = [grounds.newFan("inbox"), grounds.newFan("guesser")];
  await grounds.sync();
  const fresh = open.visitor();
  assert.ok(
    opened(await typeInboxCode(fresh, await inboxCode(grounds, fresh, victim))),
    "the honest way leads there",
  );
  await forgetCodes(grounds);

  await allowCodes(grounds);
  const visitor = open.visitor();
  const right = await inboxCode(grounds, visitor, victim);
  const guesses = [
    "",
    " ",
    "--------",
    wrong,
    "%",
    "________",
    "' OR 1=1 --",
    right.slice(0, 8),
    `${right}B`,
    "\u0000",
  ];
  for (const guess of guesses)
    await attempt(`the code ${JSON.stringify(guess)}`, async () => {
      const asking = open.visitor();
      await askForInboxCode(asking, `nobody-${String(Math.random())}`);
      return opened(await typeInboxCode(asking, guess));
    });
  await attempt("the victim's code in a browser that asked for nothing", async () =>
    opened(await typeInboxCode(open.visitor(), right)),
  );
  await attempt("the victim's code in a browser that asked for its own", async () => {
    const ours = open.visitor();
    await inboxCode(grounds, ours, mallory);
    return opened(await typeInboxCode(ours, right)) ?? opened(await typeInboxCode(ours, right));
  });
  await attempt("the victim's code in a browser that asked for the victim's, too", async () => {
    const ours = open.visitor();
    await askForInboxCode(ours, victim.fan.handle);
    return opened(await typeInboxCode(ours, right));
  });
  await attempt("the right code after five wrong ones", async () => {
    for (let times = 0; times < tries; times += 1) await typeInboxCode(visitor, wrong);
    return opened(await typeInboxCode(visitor, right)) ?? letIn(visitor);
  });
  await forgetCodes(grounds);
  await attempt("a code that was used, again and in another tab", async () => {
    const own = open.visitor();
    const code = await inboxCode(grounds, own, victim);
    const page = await own.get("/fanvue/code");
    const token = /name="form_token" value="([^"]+)"/.exec(page.text)?.[1] ?? "";
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => own.post("/fanvue/code", { form_token: token, code })),
    );
    const times = answers.filter((answer) => opened(answer) !== undefined).length;
    return times > 1 ? `is let in ${String(times)} times` : undefined;
  });
  await attempt("a code after eleven minutes", async () => {
    const own = secure.visitor();
    const code = await inboxCode(grounds, own, victim);
    await secure.passTime("minutes");
    return opened(await typeInboxCode(own, code));
  });
  await keepAsking(grounds, { attempt }, victim);
}

/** Limits hold for the fan and for all, in whatever browser, and in another process: at the other site. */
async function keepAsking(
  grounds: Grounds,
  { attempt }: Pick<Trials, "attempt">,
  victim: Person,
): Promise<void> {
  const { home, open, secure } = grounds;
  const sent = (to?: Person) =>
    home.town.fanvue.world.messages.filter(({ fan }) => to === undefined || fan === to.fan.uuid).length;
  /** What is sent late is sent before this one's code, for they go out one after the other. */
  const settled = async () => {
    const marker = grounds.newFan(`marker-${String(sent())}`);
    await grounds.sync();
    await inboxCode(grounds, open.visitor(), marker);
  };
  await forgetCodes(grounds);
  await allowCodes(grounds);
  const before = sent(victim);
  for (let times = 0; times < 12; times += 1)
    await askForInboxCode(
      times % 3 === 2 ? secure.visitor() : open.visitor(),
      victim.fan.handle.toUpperCase(),
    );
  await settled();
  await attempt("twelve codes for one fan in an hour, asked for in twelve browsers at two servers", () => {
    const more = sent(victim) - before;
    return more > 3 ? `sends ${String(more)}` : undefined;
  });

  await forgetCodes(grounds);
  const crowd = Array.from({ length: 32 }, (_, index) => grounds.newFan(`crowd-${String(index)}`));
  await grounds.sync();
  await allowCodes(grounds);
  const beforeAll = sent();
  for (const { fan } of crowd) await askForInboxCode(open.visitor(), fan.handle);
  await eventually("thirty messages", () => sent() - beforeAll >= 30);
  await attempt("codes for thirty-two fans in a day", () => {
    const more = sent() - beforeAll;
    return more > 30 ? `sends ${String(more)}` : undefined;
  });
  await forgetCodes(grounds);
}

// ---- What is told ------------------------------------------------------------------------------------------------

/** A page as it reads, without what is random in it. */
const asRead = ({ status, headers: { location }, text }: Answer, typed: string): string =>
  JSON.stringify([status, location, text.replaceAll(/value="[\w.-]{20,}"/g, "").replaceAll(typed, "HANDLE")]);

export async function askWhoIsAFan(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { open, home } = grounds;
  await allowCodes(grounds);
  const [fan, unreachable, limited] = [
    grounds.newFan("here"),
    grounds.newFan("mute"),
    grounds.newFan("often"),
  ];
  unreachable.fan.contactable = false;
  await grounds.sync();
  for (let times = 0; times < 4; times += 1) await askForInboxCode(open.visitor(), limited.fan.handle);

  const told = async (handle: string): Promise<readonly string[]> => {
    const visitor: Visitor = open.visitor();
    const asked = await askForInboxCode(visitor, handle);
    const page = await visitor.get("/fanvue/code");
    const answers = [asked, page];
    for (let times = 0; times <= tries; times += 1) {
      answers.push(await typeInboxCode(visitor, wrong).catch(() => asked), await visitor.get("/fanvue/code"));
    }
    return answers.map((answer) => asRead(answer, handle));
  };
  const nobody = await told("nobody-of-this-name");
  for (const handle of [
    limited.fan.handle,
    fan.fan.handle,
    `@${fan.fan.handle}`,
    fan.fan.handle.toUpperCase(),
    unreachable.fan.handle,
    home.town.fanvue.world.creator.handle,
    fan.fan.uuid,
    "%",
  ])
    await attempt(`whether ${handle} is a fan, by what is answered`, async () => {
      await allowCodes(grounds);
      const here = await told(handle);
      const differs = here.findIndex((answer, index) => answer !== nobody[index]);
      return differs === -1
        ? undefined
        : `differs in answer ${String(differs)}: ${String(here[differs])} / ${String(nobody[differs])}`;
    });

  await allowCodes(grounds);
  // By how long it takes: while Fanvue does not answer at all, a fan's code is answered for as nobody's is.
  await forgetCodes(grounds);
  const silence = { path: /\/message$|\/chats/, fault: hangs() };
  home.town.fanvue.faults.push(silence);
  await attempt("whether somebody is a fan, by how long it takes", async () => {
    const startedAtMs = performance.now();
    await askForInboxCode(open.visitor(), fan.fan.handle);
    return performance.now() - startedAtMs > answersWithinMs ? "waits for Fanvue" : undefined;
  });
  home.town.fanvue.faults.length = 0;
  await forgetCodes(grounds);
}
