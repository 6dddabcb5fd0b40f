/** Codes on Matrix: whose they are, and whom they link. */
import assert from "node:assert/strict";

import { textsFor } from "../sandbox/matrix-direct.ts";
import type { Person } from "../installation.ts";
import type { Grounds } from "./grounds.ts";
import { forgetCodes } from "./codes.ts";
import type { LetIn, Trials } from "./tally.ts";
import type { Answer, Visitor } from "./visitor.ts";
import { codeIn, formToken, signedIn } from "./ways.ts";

const wrong = "BBBB-BBBB";
const tries = 5;

const proved = ({ headers: { location } }: Answer): LetIn =>
  location === "/confirm" ? "is proved" : undefined;

export async function guessMatrixCodes(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { open, secure, home } = grounds;
  const { world } = home.town.matrix;
  const told = ({ mxid }: Pick<Person, "mxid">) => textsFor(world, mxid);
  const ask = (visitor: Visitor, mxid: string) => visitor.submit("/matrix?again", "/matrix", { mxid });
  const type = async (visitor: Visitor, code: string): Promise<Answer> =>
    visitor.post("/matrix", { form_token: await formToken(visitor), code });
  const codeFor = async (visitor: Visitor, person: Person): Promise<string> => {
    const before = world.messages.length;
    await ask(visitor, person.mxid);
    assert.ok(world.messages.length > before, `no code for ${person.mxid}`);
    const code = codeIn(told(person).at(-1) ?? "");
    grounds.confide(code);
    return code;
  };

  const [victim, mallory] = [grounds.newFan("matty"), grounds.newFan("mxattacker")];
  const honest = await signedIn(open, victim);
  assert.ok(proved(await type(honest, await codeFor(honest, victim))), "the honest way leads there");
  await forgetCodes(grounds);

  await attempt("an MXID that was only typed", async () => {
    const visitor = await signedIn(open, mallory);
    await ask(visitor, victim.mxid);
    const fields = { fan: mallory.fan.uuid, platform: "matrix", account: victim.mxid };
    const answer = await visitor.post("/confirm", { ...fields, form_token: await formToken(visitor) });
    return answer.status < 400 ? "is linked" : undefined;
  });
  for (const guess of ["", wrong, "%", "' OR 1=1 --", "\u0000", "________"])
    await attempt(`the Matrix code ${JSON.stringify(guess)}`, async () => {
      await forgetCodes(grounds);
      const visitor = await signedIn(open, mallory);
      await ask(visitor, victim.mxid);
      return proved(await type(visitor, guess));
    });
  await forgetCodes(grounds);
  await attempt("the right Matrix code after five wrong ones", async () => {
    const visitor = await signedIn(open, victim);
    const code = await codeFor(visitor, victim);
    for (let times = 0; times < tries; times += 1) await type(visitor, wrong);
    return proved(await type(visitor, code));
  });
  await attempt("one's own Matrix code, once the victim's id was typed", async () => {
    const visitor = await signedIn(open, mallory);
    const own = await codeFor(visitor, mallory);
    await ask(visitor, victim.mxid);
    return proved(await type(visitor, own));
  });
  await forgetCodes(grounds);
  await attempt("one's own Matrix code, while the victim's id is typed in another tab", async () => {
    const visitor = await signedIn(open, mallory);
    const own = await codeFor(visitor, mallory);
    const form_token = await formToken(visitor);
    await Promise.all([
      visitor.post("/matrix", { form_token, code: own }),
      visitor.post("/matrix", { form_token, mxid: victim.mxid }),
    ]);
    const page = await visitor.get("/confirm");
    return page.text.includes(victim.mxid) ? "is taken for the victim's" : undefined;
  });
  await forgetCodes(grounds);
  await attempt("the victim's Matrix code in another visit", async () => {
    const code = await codeFor(await signedIn(open, victim), victim);
    const visitor = await signedIn(open, mallory);
    const unasked = proved(await type(visitor, code));
    await ask(visitor, mallory.mxid);
    return unasked ?? proved(await type(visitor, code));
  });
  await forgetCodes(grounds);
  await attempt("a Matrix code, used twice, and five times at once", async () => {
    const visitor = await signedIn(open, victim);
    const code = await codeFor(visitor, victim);
    const form_token = await formToken(visitor);
    await Promise.all(Array.from({ length: 5 }, () => visitor.post("/matrix", { form_token, code })));
    const right = home.rows(
      `SELECT id FROM link_events WHERE event = 'code right' AND fan = '${victim.fan.uuid}'`,
    );
    // The first one was the honest way.
    return right.length > 2 ? "is right twice" : proved(await type(visitor, code));
  });
  await attempt("a Matrix code after eleven minutes", async () => {
    const visitor = await signedIn(secure, victim);
    const code = await codeFor(visitor, victim);
    await secure.passTime("minutes");
    return proved(await type(visitor, code));
  });
  await forgetCodes(grounds);
  await attempt("ten codes to one MXID in a day, from fans of many names", async () => {
    const before = world.messages.length;
    for (let times = 0; times < 10; times += 1)
      await ask(await signedIn(open, grounds.newFan(`noisy-${String(times)}`)), victim.mxid);
    const more = world.messages.length - before;
    return more > 3 ? `sends ${String(more)}` : undefined;
  });
  await attempt("ten codes for one fan in a day, in many browsers at two servers", async () => {
    await forgetCodes(grounds);
    const before = world.messages.length;
    for (let times = 0; times < 10; times += 1)
      await ask(
        await signedIn(times % 3 === 2 ? secure : open, mallory),
        grounds.newFan(`guest-${String(times)}`).mxid,
      );
    const more = world.messages.length - before;
    return more > 3 ? `sends ${String(more)}` : undefined;
  });

  const [name = "", server = ""] = victim.mxid.slice(1).split(":");
  const visitor = await signedIn(open, mallory);
  const guestsOf = (room: string) =>
    [...world.members(room, "join"), ...world.members(room, "invite")].filter((id) => id !== home.bot);
  for (const typed of [
    home.bot,
    ` ${home.bot} `,
    `https://matrix.to/#/${home.bot}`,
    `matrix:u/${home.bot.slice(1)}`,
    encodeURIComponent(home.bot),
    `@${name}:m\u0430trix.example`,
    `@${name}:${server}\u202e`,
    `@${name}:${server}/`,
    `@${name}:${server} `,
    `@${name}:evil.example:${server}`,
    `@${name}:${server}@evil.example`,
    `@${name}@${server}`,
    `@:${server}`,
    `@${"a".repeat(300)}:${server}`,
    `!room:${server}`,
    `#alias:${server}`,
    `@"><script>:${server}`,
    `@${name.toUpperCase()}:${server}`,
    "@a:127.0.0.1:22",
    "@a:[::1]",
    "",
  ])
    await attempt(`the Matrix id ${JSON.stringify(typed.slice(0, 60))}`, async () => {
      await forgetCodes(grounds);
      const before = world.messages.length;
      await ask(visitor, typed);
      const page = await visitor.get("/matrix");
      const rooms = world.messages.slice(before).map(({ room }) => room);
      const misled = rooms
        .map(guestsOf)
        .filter((guests) => !guests.some((guest) => page.text.includes(guest)));
      return misled.length > 0
        ? `writes to ${misled.flat().join(", ") || "the bot"}, whom it does not show`
        : undefined;
    });
  await forgetCodes(grounds);
}
