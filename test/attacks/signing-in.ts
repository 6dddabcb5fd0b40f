/** The ways out to Fanvue and Discord and back: state, PKCE, replay, mix-up, login CSRF, fixation. */
import assert from "node:assert/strict";

import type { Person } from "../installation.ts";
import type { Grounds, Site } from "./grounds.ts";
import { letIn } from "./knowing.ts";
import type { LetIn, Trials } from "./tally.ts";
import { formOf, formsIn, type Answer, type Visitor } from "./visitor.ts";
import {
  allow,
  comeBack,
  formToken,
  goOut,
  goOutAndBack,
  outOf,
  ready,
  signedIn,
  signIn,
  type Purpose,
} from "./ways.ts";

const purposes: readonly Purpose[] = ["fanvue", "discord"];

/** A browser that may go out for this purpose: for Discord, its fan is known. */
const before = (purpose: Purpose, site: Site, person: Person): Promise<Visitor> | Visitor =>
  purpose === "fanvue" ? site.visitor() : signedIn(site, person);

/** Opens what came back and sends it, past the page where that has no form. */
async function force(visitor: Visitor, back: string): Promise<Answer> {
  const page = await visitor.get(back);
  const form = formsIn(page).find(({ action }) => action === "/callback");
  if (form !== undefined) return visitor.post("/callback", form.fields);
  const { searchParams } = new URL(back, "http://site");
  return visitor.post("/callback", {
    ...Object.fromEntries(searchParams),
    form_token: await formToken(visitor),
  });
}

/** Something proved that was not before. */
const proved = ({ status, headers: { location } }: Answer): LetIn =>
  status < 400 && (location === "/choose" || location === "/confirm") ? `leads to ${location}` : undefined;

const withParameters = (back: string, changes: Readonly<Record<string, string | undefined>>): string => {
  const url = new URL(back, "http://site");
  for (const [name, value] of Object.entries(changes))
    if (value === undefined) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  return url.pathname + url.search;
};

export async function comeBackWrongly(grounds: Grounds, trials: Trials): Promise<void> {
  const [victim, mallory] = [grounds.newFan("sunny"), grounds.newFan("shady")];
  for (const purpose of purposes) {
    const honest = await before(purpose, grounds.open, victim);
    assert.ok(
      proved(await comeBack(honest, await goOutAndBack(honest, purpose, victim))),
      "the honest way leads there",
    );
    await changeWhatComesBack(grounds, trials, { purpose, victim });
    await useAnothersWay(grounds, trials, { purpose, victim, mallory });
    await useTwice(grounds, trials, { purpose, victim });
  }
  await mixUp(grounds, trials, victim);
}

type Round = { readonly purpose: Purpose; readonly victim: Person };

async function changeWhatComesBack(
  { open }: Grounds,
  { attempt }: Trials,
  { purpose, victim }: Round,
): Promise<void> {
  const visitor = await before(purpose, open, victim);
  const back = await goOutAndBack(visitor, purpose, victim);
  const { searchParams } = new URL(back, open.address);
  const [state = "", code = ""] = [searchParams.get("state"), searchParams.get("code")].map(
    (value) => value ?? "",
  );
  const wrong: readonly Readonly<Record<string, string | undefined>>[] = [
    { state: undefined },
    { state: "" },
    { state: state.slice(0, -1) },
    { state: `${state}A` },
    { state: ` ${state}` },
    { state: state.toLowerCase() },
    { state: state.slice(1) },
    { state: "undefined" },
    { state: "__proto__" },
    { code: undefined },
    { code: "" },
    { code: `${code}A` },
    { iss: "https://evil.example" },
  ];
  // Each wrong one may use the attempt up, and has one of its own then.
  for (const change of wrong)
    await attempt(`${purpose}: back with ${JSON.stringify(change)}`, async () => {
      const fresh = await before(purpose, open, victim);
      const good = await goOutAndBack(fresh, purpose, victim);
      const own = Object.fromEntries(
        Object.entries(change).map(([name, value]) => [name, value?.replace(state, stateOf(good))]),
      );
      return proved(await force(fresh, withParameters(good, own)));
    });
  for (const twice of [`&state=${state}`, "&state=x", `&code=${code}`, "&code=x"])
    await attempt(`${purpose}: back with a parameter twice: ${twice.slice(0, 8)}`, async () => {
      const page = await visitor.get(back + twice);
      return formsIn(page).some(({ action }) => action === "/callback") ? "has a form" : undefined;
    });
  for (const error of ["access_denied", "server_error", "<script>"])
    await attempt(`${purpose}: back with a code and the error ${error}`, async () => {
      const page = await visitor.get(withParameters(back, { error, error_description: error }));
      return formsIn(page).some(({ action }) => action === "/callback") ? "has a form" : undefined;
    });
  for (const method of ["GET", "HEAD"])
    await attempt(`${purpose}: the way back opened by a preview (${method})`, async () => {
      for (const opener of [open.visitor(), visitor, visitor]) await opener.send(back, { method });
      return undefined;
    });
  assert.ok(proved(await comeBack(visitor, back)), "what was only opened is still good");
}

const stateOf = (back: string) => new URL(back, "http://site").searchParams.get("state") ?? "";
const codeOf = (back: string) => new URL(back, "http://site").searchParams.get("code") ?? "";

async function useAnothersWay(
  { open }: Grounds,
  { attempt }: Trials,
  { purpose, victim, mallory }: Round & { readonly mallory: Person },
): Promise<void> {
  const outs = async () => {
    const [theirs, ours] = [await before(purpose, open, victim), await before(purpose, open, mallory)];
    const urls = [await goOut(theirs, purpose), await goOut(ours, purpose)] as const;
    return { theirs, ours, theirUrl: urls[0], ourUrl: urls[1] };
  };
  await attempt(`${purpose}: the victim's answer, in another browser`, async () => {
    const { ours, theirUrl } = await outs();
    return proved(await force(ours, await allow(theirUrl, victim)));
  });
  await attempt(`${purpose}: the attacker's answer, in the victim's browser`, async () => {
    const { theirs, ourUrl } = await outs();
    return proved(await force(theirs, await allow(ourUrl, mallory)));
  });
  await attempt(`${purpose}: the victim's code under the attacker's state`, async () => {
    const { ours, theirUrl, ourUrl } = await outs();
    const code = codeOf(await allow(theirUrl, victim));
    return proved(await force(ours, withParameters(await allow(ourUrl, mallory), { code })));
  });
  await attempt(`${purpose}: the attacker's code under the victim's state`, async () => {
    const { theirs, theirUrl, ourUrl } = await outs();
    const code = codeOf(await allow(ourUrl, mallory));
    return proved(await force(theirs, withParameters(await allow(theirUrl, victim), { code })));
  });
  await attempt(`${purpose}: the victim's form, sent from another browser with its own cookie`, async () => {
    const { theirs, ours, theirUrl } = await outs();
    const { fields } = formOf(await theirs.get(await allow(theirUrl, victim)), "/callback");
    return (
      proved(await ours.post("/callback", fields)) ??
      proved(await ours.post("/callback", { ...fields, form_token: await formToken(ours) }))
    );
  });
  await attempt(`${purpose}: a way out that does not bind its answer`, async () => {
    const urls = [(await outs()).theirUrl, (await outs()).theirUrl];
    const weak = urls.filter(
      ({ searchParams: asked }) =>
        asked.get("code_challenge_method") !== "S256" ||
        asked.get("code_challenge")?.length !== 43 ||
        (asked.get("state")?.length ?? 0) < 43 ||
        asked.get("redirect_uri") !== `${open.address}/callback`,
    );
    const differ = ["state", "code_challenge"].every(
      (name) => new Set(urls.map(({ searchParams }) => searchParams.get(name))).size === urls.length,
    );
    return weak.length > 0 || !differ ? "is weak" : undefined;
  });
  await attempt(`${purpose}: more than a name is asked for`, async () => {
    const scopes = (await outs()).theirUrl.searchParams.get("scope");
    const expected = purpose === "fanvue" ? "openid read:self" : "identify";
    return scopes === expected ? undefined : `asks for ${String(scopes)}`;
  });
}

async function useTwice(
  { open, home }: Grounds,
  { attempt }: Trials,
  { purpose, victim }: Round,
): Promise<void> {
  const service = purpose === "fanvue" ? home.town.fanvue.auth : home.town.discord;
  /** A service that is shown a code again may end everything that came of it. */
  const shownTwice = (back: string): LetIn => {
    const times = service.requests.filter(({ form }) => form.get("code") === codeOf(back)).length;
    return times > 1 ? `is shown to the service ${String(times)} times` : undefined;
  };
  await attempt(`${purpose}: an answer that was used, again`, async () => {
    const visitor = await before(purpose, open, victim);
    const back = await goOutAndBack(visitor, purpose, victim);
    const { fields } = formOf(await visitor.get(back), "/callback");
    assert.ok(proved(await visitor.post("/callback", fields)));
    return (
      proved(await visitor.post("/callback", fields)) ??
      proved(await force(visitor, back)) ??
      shownTwice(back)
    );
  });
  await attempt(`${purpose}: a code that was used, in a new attempt`, async () => {
    const visitor = await before(purpose, open, victim);
    const back = await goOutAndBack(visitor, purpose, victim);
    await comeBack(visitor, back);
    const next = purpose === "fanvue" ? open.visitor() : visitor;
    const other = await goOutAndBack(next, purpose, victim);
    return proved(await force(next, withParameters(other, { code: codeOf(back) })));
  });
  await attempt(`${purpose}: an answer that failed, again`, async () => {
    const visitor = await before(purpose, open, victim);
    const back = await goOutAndBack(visitor, purpose, victim);
    const { fields } = formOf(await visitor.get(back), "/callback");
    await visitor.post("/callback", { ...fields, code: "nobodys" });
    return proved(await visitor.post("/callback", fields));
  });
  await attempt(`${purpose}: one answer, ten times at once`, async () => {
    const visitor = await before(purpose, open, victim);
    const back = await goOutAndBack(visitor, purpose, victim);
    const { fields } = formOf(await visitor.get(back), "/callback");
    const answers = await Promise.all(Array.from({ length: 10 }, () => visitor.post("/callback", fields)));
    const times = answers.filter((answer) => proved(answer) !== undefined).length;
    return times > 1 ? `is taken ${String(times)} times` : shownTwice(back);
  });
}

/** The answer of one service, brought back as if it were the other's. */
async function mixUp({ open, home }: Grounds, { attempt }: Trials, victim: Person): Promise<void> {
  for (const [at, of] of [
    ["fanvue", "discord"],
    ["discord", "fanvue"],
  ] as const) {
    const bothOut = async () => {
      const visitor = await signedIn(open, victim);
      const form_token = await formToken(visitor);
      const urls: Partial<Record<Purpose, URL>> = {};
      for (const purpose of purposes) {
        await visitor.post(`/${purpose}/sign-in`, { form_token });
        urls[purpose] = await outOf(visitor, purpose);
      }
      return { visitor, at: urls[at] ?? assert.fail(), of: urls[of] ?? assert.fail() };
    };
    await attempt(`${of}'s code under the state of the attempt at ${at}`, async () => {
      const { visitor, ...urls } = await bothOut();
      const code = codeOf(await allow(urls.of, victim));
      return proved(await force(visitor, withParameters(await allow(urls.at, victim), { code })));
    });
    await attempt(`the attempt at ${at} does not show ${of}'s code to ${at}`, async () => {
      const { visitor, ...urls } = await bothOut();
      const back = await allow(urls.of, victim);
      const hears = at === "fanvue" ? home.town.fanvue.auth.requests : home.town.discord.requests;
      const heard = hears.length;
      await force(visitor, back);
      return hears.slice(heard).some(({ text }) => text.includes(codeOf(back))) ? "is told" : undefined;
    });
  }
}

// ---- Time and fixation ------------------------------------------------------------------------------------------

export async function comeBackLate({ secure, newFan }: Grounds, { attempt }: Trials): Promise<void> {
  const victim = newFan("late");
  for (const purpose of purposes)
    await attempt(`${purpose}: back after eleven minutes`, async () => {
      const visitor = await before(purpose, secure, victim);
      const back = await goOutAndBack(visitor, purpose, victim);
      const page = await visitor.get(back);
      await secure.passTime("minutes");
      return (
        proved(await visitor.post("/callback", formOf(page, "/callback").fields)) ??
        proved(await force(visitor, back))
      );
    });
  await attempt("a page of confirmation after two hours", async () => {
    const visitor = await ready(secure, victim);
    const { fields } = formOf(await visitor.get("/confirm"), "/confirm");
    for (let times = 0; times < 12; times += 1) await secure.passTime("minutes");
    const answer = await visitor.post("/confirm", fields);
    return answer.status < 400 ? "is taken" : letIn(visitor);
  });
}

export async function plantCookies({ open, newFan }: Grounds, { attempt }: Trials): Promise<void> {
  const [victim, mallory] = [newFan("planted"), newFan("planter")];
  const copyOf = (visitor: Visitor): Visitor => {
    const copy = open.visitor();
    for (const [name, value] of visitor.cookies) copy.cookies.set(name, value);
    return copy;
  };
  await attempt("a cookie planted before the victim signs in", async () => {
    const ours = open.visitor();
    await ours.get("/");
    const theirs = copyOf(ours);
    await signIn(theirs, victim);
    return letIn(ours);
  });
  await attempt("a cookie planted with an attempt of the attacker's under way", async () => {
    const ours = open.visitor();
    const back = await allow(await goOut(ours, "fanvue"), mallory);
    const theirs = copyOf(ours);
    await signIn(theirs, victim);
    return proved(await force(ours, back)) === undefined
      ? letIn(ours)
      : (await ours.get("/mine")).text.includes(victim.fan.handle)
        ? "is the victim"
        : undefined;
  });
  await attempt("the cookie from before the Discord account was proved", async () => {
    const theirs = await signedIn(open, victim);
    const ours = copyOf(theirs);
    await comeBack(theirs, await goOutAndBack(theirs, "discord", victim));
    return letIn(ours);
  });
  await attempt("the cookie of a browser that has signed out", async () => {
    const theirs = await signedIn(open, victim);
    const ours = copyOf(theirs);
    await theirs.submit("/mine", "/leave");
    return letIn(ours);
  });
  await attempt("an account that was proved for another fan in the same browser", async () => {
    const shared = await ready(open, victim);
    const { fields } = formOf(await shared.get("/confirm"), "/confirm");
    const signOut = formOf(await shared.get("/mine"), "/leave");
    await shared.post("/leave", signOut.fields);
    await signIn(shared, mallory);
    const page = await shared.get("/confirm");
    const answer = await shared.post("/confirm", {
      ...fields,
      form_token: await formToken(shared),
      fan: mallory.fan.uuid,
    });
    return page.headers.location === "/choose" && answer.status >= 400 ? undefined : "is still there";
  });
  await attempt(
    "a Fanvue account proved anew in another tab, under a confirmation that is open",
    async () => {
      const shared = await ready(open, victim);
      const { fields } = formOf(await shared.get("/confirm"), "/confirm");
      await shared.post("/fanvue/sign-in", { form_token: await formToken(shared) });
      const back = await allow(await outOf(shared, "fanvue"), mallory);
      await comeBack(shared, back);
      const token = await formToken(shared);
      const answers = [
        await shared.post("/confirm", fields),
        await shared.post("/confirm", { ...fields, form_token: token }),
        await shared.post("/confirm", { ...fields, form_token: token, fan: mallory.fan.uuid }),
      ];
      return answers.every(({ status }) => status >= 400) ? undefined : "is linked with somebody else";
    },
  );
}
