/** Forms that another site sends, or that come without what shows where they are from. */
import assert from "node:assert/strict";

import type { Grounds } from "./grounds.ts";
import { letIn } from "./knowing.ts";
import type { Trials } from "./tally.ts";
import type { Fields, Sent, Visitor } from "./visitor.ts";
import { formToken, goOutAndBack, linked, ready } from "./ways.ts";

interface Target {
  readonly path: string;
  readonly fields: Readonly<Record<string, string>>;
}

interface Sending {
  readonly what: string;
  readonly send: (visitor: Visitor, target: Target, token: string) => Promise<{ readonly status: number }>;
}

const formType = "application/x-www-form-urlencoded";
const withHeaders = (headers: NonNullable<Sent["headers"]>): Sending => ({
  what: JSON.stringify(headers),
  send: (visitor, { path, fields }, token) => visitor.post(path, { ...fields, form_token: token }, headers),
});
const withFields = (
  what: string,
  change: (fields: Readonly<Record<string, string>>, token: string) => Fields,
): Sending => ({
  what,
  send: (visitor, { path, fields }, token) => visitor.post(path, change(fields, token)),
});
const withBody = (what: string, type: string, body: (fields: URLSearchParams) => string): Sending => ({
  what,
  send: (visitor, { path, fields }, token) =>
    visitor.send(path, {
      method: "POST",
      headers: { "content-type": type },
      body: body(new URLSearchParams({ ...fields, form_token: token })),
    }),
});

function multipart(fields: URLSearchParams): string {
  const parts = [...fields].map(
    ([name, value]) => `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return `${parts.join("")}--x--\r\n`;
}

const sendings: readonly Sending[] = [
  withFields("without a token", (fields) => fields),
  withFields("with an empty token", (fields) => ({ ...fields, form_token: "" })),
  withFields("with a made up token", (fields, token) => ({
    ...fields,
    form_token: "A".repeat(token.length),
  })),
  withFields("with half a token", (fields, token) => ({ ...fields, form_token: token.slice(0, 20) })),
  withFields("with the token twice", (fields, token) => [
    ...Object.entries(fields),
    ["form_token", token],
    ["form_token", token],
  ]),
  withFields("with another name for the token", (fields, token) => ({ ...fields, "form_token[]": token })),
  withFields("with the token under __proto__", (fields, token) => ({
    ...fields,
    "__proto__[form_token]": token,
  })),
  withHeaders({ origin: "https://evil.example" }),
  withHeaders({ origin: "http://localhost:1" }),
  withHeaders({ "sec-fetch-site": "cross-site", origin: "null" }),
  withHeaders({ "sec-fetch-site": "same-site" }),
  withHeaders({ "sec-fetch-site": "none" }),
  withHeaders({ "sec-fetch-site": "same-origin", origin: "https://evil.example" }),
  withBody("as plain text", "text/plain", String),
  withBody("as JSON", "application/json", (fields) => JSON.stringify(Object.fromEntries(fields))),
  withBody("as multipart", "multipart/form-data; boundary=x", multipart),
  withBody("of no type", "", String),
  withBody("of two types", `text/plain, ${formType}`, String),
  {
    what: "as GET",
    send: (visitor, { path, fields }, token) =>
      visitor
        .send(`${path}?${new URLSearchParams({ ...fields, form_token: token }).toString()}`)
        .then((answer) => ({
          // A page may be shown: what counts is that nothing was done, which is looked at after each attempt.
          status: answer.status === 303 ? 200 : 400,
        })),
  },
  {
    what: "as GET that says it is POST",
    send: (visitor, { path, fields }, token) =>
      visitor
        .send(
          `${path}?${new URLSearchParams({ ...fields, form_token: token, _method: "POST" }).toString()}`,
          {
            headers: { "x-http-method-override": "POST" },
          },
        )
        .then(() => ({ status: 400 })),
  },
  {
    what: "without a cookie",
    send(visitor, { path, fields }, token) {
      visitor.cookies.clear();
      return visitor.post(path, { ...fields, form_token: token });
    },
  },
];

/** Every form of the site, from a browser that could send each of them rightly. */
export async function sendFromElsewhere(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { open } = grounds;
  const victim = grounds.newFan("fooled");
  const theirs = await ready(open, victim);
  const stranger = open.visitor();
  await stranger.get("/");
  const targets: readonly Target[] = [
    { path: "/fanvue/sign-in", fields: {} },
    { path: "/fanvue/code", fields: { handle: victim.fan.handle } },
    { path: "/invite", fields: { token: "x" } },
    { path: "/callback", fields: { code: "x", state: "x" } },
    { path: "/discord/sign-in", fields: {} },
    { path: "/matrix", fields: { mxid: victim.mxid } },
    { path: "/confirm", fields: { fan: victim.fan.uuid, platform: "discord", account: victim.discord } },
    { path: "/unlink", fields: { account: victim.discord } },
    { path: "/leave", fields: {} },
  ];
  const token = await formToken(theirs);
  const strangersToken = await formToken(stranger);
  for (const target of targets) {
    for (const sending of [
      ...sendings,
      withFields("with a token of another visit", (fields) => ({ ...fields, form_token: strangersToken })),
    ])
      await attempt(`${target.path} ${sending.what}`, async () => {
        const browser = copyOf(open.visitor(), theirs);
        const { status } = await sending.send(browser, target, token);
        if (status < 400) return `is answered ${String(status)}`;
        return (await letIn(theirs)) === undefined ? "has ended the visit" : undefined;
      });
  }
  const answer = await theirs.submit("/confirm", "/confirm");
  assert.equal(answer.headers.location, "/done", "the honest way leads there");
  grounds.allowLinks();
}

function copyOf(copy: Visitor, original: Visitor): Visitor {
  for (const [name, value] of original.cookies) copy.cookies.set(name, value);
  return copy;
}

/** Fields that are there twice, or mean something elsewhere. */
export async function sendOddFields(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { open } = grounds;
  const [victim, mallory] = [grounds.newFan("twice"), grounds.newFan("doubler")];
  await linked(grounds, victim);
  const ours = await ready(open, mallory);
  const token = await formToken(ours);
  const own = { form_token: token, fan: mallory.fan.uuid, platform: "discord", account: mallory.discord };
  const odd: readonly (readonly (readonly [string, string])[])[] = [
    [["fan", victim.fan.uuid]],
    [["account", victim.discord]],
    [["account", mallory.discord]],
    [["platform", "matrix"]],
    [["form_token", token]],
  ];
  for (const more of odd) {
    for (const fields of [
      [...Object.entries(own), ...more],
      [...more, ...Object.entries(own)],
    ])
      await attempt(`/confirm with ${JSON.stringify(more)} beside what it should have`, async () => {
        const answer = await ours.post("/confirm", fields);
        return answer.status < 400 ? "is taken" : undefined;
      });
  }
  for (const name of ["fan[]", "fan[uuid]", "__proto__", "constructor", "toString"])
    await attempt(`/confirm with ${name} instead of fan`, async () => {
      const answer = await ours.post("/confirm", { ...own, fan: "", [name]: mallory.fan.uuid });
      return answer.status < 400 ? "is taken" : undefined;
    });
  await attempt("the way back as a form of two states", async () => {
    const back = await goOutAndBack(ours, "discord", mallory);
    const { searchParams } = new URL(back, open.address);
    const answer = await ours.post("/callback", [...searchParams, ["state", "x"], ["form_token", token]]);
    return answer.status < 400 ? "is taken" : undefined;
  });
}
