/** Whoever knows a fan's uuid, handle or accounts has proved nothing; and what is linked is not taken over. */
import assert from "node:assert/strict";

import type { Grounds } from "./grounds.ts";
import type { LetIn, Trials } from "./tally.ts";
import { formOf, formsIn, headingOf, type Visitor } from "./visitor.ts";
import { allow, comeBack, formToken, goOut, linked, outOf, ready, signedIn } from "./ways.ts";

/** As whom a browser is in, if it is. */
export async function letIn(visitor: Visitor): Promise<LetIn> {
  const answer = await visitor.get("/mine");
  return answer.status === 200 ? `is let in: ${headingOf(answer)}` : undefined;
}

export async function knowWhoTheyAre(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { open } = grounds;
  const victim = grounds.newFan("known");
  const theirs = await linked(grounds, victim);
  assert.ok((await theirs.get("/mine")).text.includes(victim.discord), "the honest way leads there");
  const { uuid, handle } = victim.fan;

  const questions = ["fanvue_uuid", "fan", "user", "account"].flatMap((name) =>
    [uuid, handle, victim.discord, victim.mxid].map((value) => `${name}=${encodeURIComponent(value)}`),
  );
  for (const path of [
    "/link",
    "/",
    "/choose",
    "/confirm",
    "/mine",
    "/done",
    "/unlink",
    "/matrix",
    "/callback",
  ])
    for (const question of questions)
      await attempt(`GET ${path}?${question}`, async () => {
        const visitor = open.visitor();
        const answer = await visitor.get(`${path}?${question}`);
        const tells = [victim.discord, victim.mxid].some((id) => answer.text.includes(id));
        return tells ? "tells what is linked" : letIn(visitor);
      });

  for (const [name, value] of [
    ["visit", uuid],
    ["visit", `${uuid}.`],
    ["visit", `.${uuid}`],
    ["visit", "."],
    ["visit", "undefined"],
    ["fanvue_uuid", uuid],
    ["__Host-visit", theirs.cookies.get("visit") ?? ""],
    ["visit", (theirs.cookies.get("visit") ?? "").replace(/\..*/, "")],
    ["visit", (theirs.cookies.get("visit") ?? "").replace(/\..*/, ".")],
    ["visit", `${(theirs.cookies.get("visit") ?? "").slice(0, -2)}AA`],
    ["visit", `${theirs.cookies.get("visit") ?? ""}.`],
  ] as const)
    await attempt(`cookie ${name}=${value.slice(0, 40)}`, async () => {
      const visitor = open.visitor();
      visitor.cookies.set(name, value);
      return letIn(visitor);
    });

  const fields = { fan: uuid, platform: "discord", account: victim.discord };
  for (const path of ["/confirm", "/unlink", "/discord/sign-in", "/matrix", "/leave"])
    await attempt(`POST ${path} with the victim's ids, by a stranger`, async () => {
      const visitor = open.visitor();
      const form = formOf(await visitor.get("/"), "/fanvue/sign-in");
      const token = form.fields["form_token"] ?? "";
      const answer = await visitor.post(path, { ...(path === "/confirm" ? fields : {}), form_token: token });
      return answer.status < 400 && path !== "/leave"
        ? `is answered ${String(answer.status)}`
        : letIn(visitor);
    });
}

export async function takeOver(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { open } = grounds;
  const [victim, mallory] = [grounds.newFan("owner"), grounds.newFan("mallory")];
  const theirs = await linked(grounds, victim);
  const second = { ...mallory, discord: grounds.newFan("mallory-2").discord };

  await attempt("proving the victim's Discord account, for another fan", async () => {
    const visitor = await signedIn(open, mallory);
    const back = await allow(await goOut(visitor, "discord"), { ...mallory, discord: victim.discord });
    await comeBack(visitor, back);
    const page = await visitor.get("/confirm");
    const form = formsIn(page).find(({ action }) => action === "/confirm");
    const form_token = formsIn(page)[0]?.fields["form_token"] ?? "";
    const fields = { form_token, fan: mallory.fan.uuid, platform: "discord", account: victim.discord };
    const answer = await visitor.post("/confirm", fields);
    return form !== undefined || answer.status < 400 ? "is offered what is another fan's" : undefined;
  });

  const swaps: readonly Readonly<Record<string, string>>[] = [
    { fan: victim.fan.uuid },
    { account: victim.discord },
    { account: victim.mxid, platform: "matrix" },
    { fan: victim.fan.uuid, account: victim.discord },
    { fan: mallory.fan.uuid.toUpperCase() },
    { fan: "" },
    { account: "" },
    { platform: "matrix" },
    { platform: "" },
    { account: ` ${mallory.discord}` },
    { account: `${mallory.discord}\n` },
    { account: `${mallory.discord}\u0000` },
  ];
  const visitor = await ready(open, mallory);
  for (const swap of swaps)
    await attempt(`a page of confirmation sent with ${JSON.stringify(swap)}`, async () => {
      const answer = await visitor.submit("/confirm", "/confirm", swap);
      return answer.status < 400 ? `is answered ${String(answer.status)}` : undefined;
    });

  for (const account of [victim.discord, victim.mxid, "%", "*", "' OR 1=1 --", ""])
    await attempt(`unlinking ${account || "nothing"}, which is another's`, async () => {
      const page = await visitor.get(`/unlink?account=${encodeURIComponent(account)}`);
      const { fields } = formOf(page, "/leave");
      const answer = await visitor.post("/unlink", { ...fields, account });
      return page.status < 400 || answer.status < 400 ? "is allowed" : undefined;
    });

  await visitor.submit("/confirm", "/confirm");
  assert.ok(
    grounds.links().some((link) => link.includes(mallory.discord)),
    "the honest way leads there",
  );
  grounds.allowLinks();
  await attempt("linking a second account of the same kind", async () => {
    const other = await signedIn(open, second);
    const form_token = await formToken(other);
    await other.post("/discord/sign-in", { form_token });
    await comeBack(other, await allow(await outOf(other, "discord"), second));
    const fields = { form_token: await formToken(other), fan: mallory.fan.uuid, platform: "discord" };
    const answer = await other.post("/confirm", { ...fields, account: second.discord });
    return answer.status < 400 ? "is allowed" : undefined;
  });
  await attempt("a form of unlinking that another browser shows", async () => {
    const { fields } = formOf(await theirs.get(`/unlink?account=${victim.discord}`), "/unlink");
    const answer = await visitor.post("/unlink", fields);
    return answer.status < 400 ? "is taken" : undefined;
  });
}
