/** The link pages: every way through them, and what they refuse. The proofs behind them have tests of their own. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError, BusyError } from "../lib/errors.ts";
import {
  choose,
  confirm,
  done,
  failures,
  inbox,
  invite,
  matrix,
  mine,
  problems,
  start,
  troubles,
  unlink,
} from "../lib/link/texts.ts";
import {
  ana,
  anasDiscord,
  anasMxid,
  awayTo,
  bo,
  fieldsOf,
  formTokenOf,
  type LinkSite,
  linkSite,
  must,
  signIn,
  type Visitor,
  visitorOf,
} from "./link-site.ts";

/** A visitor who has shown to be Ana, on the page after that. */
async function signedIn(site: LinkSite): Promise<Visitor> {
  const visitor = visitorOf(site);
  await visitor.get("/");
  await signIn(visitor, "/fanvue/sign-in");
  assert.equal(visitor.page.title, choose.title);
  return visitor;
}

/** Ana with her Discord account proved, on the page that asks her to confirm. */
async function atConfirm(site: LinkSite): Promise<Visitor> {
  const visitor = await signedIn(site);
  await signIn(visitor, "/discord/sign-in");
  assert.equal(visitor.page.title, confirm.title);
  return visitor;
}

describe("the way through", () => {
  it("links a Discord account that was proved to a fan who was proved, once it is confirmed", async () => {
    const site = linkSite();
    const visitor = await atConfirm(site);
    assert.match(visitor.page.text, /@ana_x/);
    assert.match(visitor.page.text, /ana#1/);
    assert.match(visitor.page.text, new RegExp(anasDiscord));
    assert.ok(visitor.page.text.includes(confirm.responsibility));
    assert.deepEqual(site.world.links, []);

    await visitor.send("/confirm");
    assert.equal(visitor.page.title, done.title);
    const sides = /<dl class="card">.*?<\/dl>/s.exec(visitor.page.text)?.[0] ?? assert.fail("no card");
    assert.ok(sides.includes(`@${ana.handle}`) && sides.includes(anasDiscord));
    assert.deepEqual(site.world.links, [
      { fan: ana.fan, platform: "discord", account: anasDiscord, source: "proved" },
    ]);
    assert.deepEqual(site.world.syncs, [`discord ${ana.fan}`]);
  });

  it("links a Matrix account by a code, with everything typed in a form", async () => {
    const site = linkSite();
    const visitor = await signedIn(site);
    await visitor.get("/matrix");
    assert.equal(visitor.page.title, matrix.idTitle);
    await visitor.send("/matrix", { mxid: ` ${anasMxid} ` });
    assert.equal(visitor.page.title, matrix.codeTitle);
    assert.ok(visitor.page.text.includes(anasMxid));
    await visitor.send("/matrix", { code: "MATRIX23" });
    assert.equal(visitor.page.title, confirm.title);
    await visitor.send("/confirm");
    assert.equal(site.world.links[0]?.account, anasMxid);
  });

  it("knows a fan by a code from the inbox, and says the same of names it does not know", async () => {
    const site = linkSite();
    const visitor = visitorOf(site);
    await visitor.get("/fanvue/code");
    await visitor.send("/fanvue/code", { handle: "ana_x" });
    const known = visitor.page;
    assert.equal(known.title, inbox.codeTitle);
    await visitor.send("/fanvue/code", { code: "RIGHT234" });
    assert.equal(visitor.page.title, choose.title);

    const other = visitorOf(site);
    await other.get("/fanvue/code");
    await other.send("/fanvue/code", { handle: "nobody" });
    const bare = (text: string) => text.replaceAll(/name="form_token" value="[^"]*"/g, "");
    assert.equal(bare(other.page.text), bare(known.text));
  });

  it("does not send those who wait for a code to a sign-in that is off", async () => {
    const site = linkSite({ proofs: { fanvueSignIn: undefined } });
    const visitor = visitorOf(site);
    await visitor.get("/fanvue/code");
    await visitor.send("/fanvue/code", { handle: "ana_x" });
    assert.equal(visitor.page.title, inbox.codeTitle);
    assert.doesNotMatch(visitor.page.text, /sign in/i);
  });

  it("knows a fan by a personal link, which is used by a form and not by opening it", async () => {
    const site = linkSite();
    site.world.invites.set("token.mac", bo);
    const visitor = visitorOf(site);
    for (const method of ["GET", "HEAD", "GET"]) await visitor.request(method, "/invite/token.mac");
    assert.equal(site.world.usedInvites.size, 0);
    await visitor.get("/invite/token.mac");
    assert.equal(visitor.page.title, invite.title);
    assert.match(visitor.page.text, /@bo/);
    await visitor.send("/invite");
    assert.equal(visitor.page.title, choose.title);

    const second = visitorOf(site);
    await second.get("/invite/token.mac");
    assert.deepEqual([second.page.title, second.page.status], [failures["used invite"].title, 410]);
  });

  it("shows own links and ends one after it was asked twice", async () => {
    const site = linkSite();
    const visitor = await atConfirm(site);
    await visitor.send("/confirm");
    site.world.membership = {
      places: [{ name: "VIP", status: { is: "comes with the next sync" } }],
      lookedAtMs: site.world.nowMs,
      nextLookAtMs: undefined,
    };
    await visitor.get("/mine");
    assert.match(visitor.page.text, /VIP/);
    await visitor.get(`/unlink?account=${anasDiscord}`);
    assert.equal(visitor.page.title, unlink.title("discord"));
    assert.equal(site.world.links.length, 1);
    await visitor.send("/unlink");
    assert.equal(visitor.page.title, mine.title);
    assert.ok(visitor.page.text.includes(mine.unlinked));
    assert.deepEqual(site.world.links, []);
  });

  it("does not end what the team entered", async () => {
    const site = linkSite();
    const visitor = await signedIn(site);
    site.world.links = [{ fan: ana.fan, platform: "discord", account: anasDiscord, source: "operator" }];
    await visitor.get("/mine");
    assert.ok(visitor.page.text.includes(mine.byTeam));
    await visitor.get(`/unlink?account=${anasDiscord}`);
    assert.equal(visitor.page.title, troubles["out of date"].title);
    const token = formTokenOf(visitor.page.text, "/leave");
    await visitor.post("/unlink", { form_token: token, account: anasDiscord });
    assert.equal(site.world.links.length, 1);
  });

  it("asks for a sync when somebody links again, who may want to be let in again", async () => {
    const site = linkSite();
    const visitor = await signedIn(site);
    site.world.links = [{ fan: ana.fan, platform: "discord", account: anasDiscord, source: "proved" }];
    await visitor.get("/choose");
    assert.ok(visitor.page.text.includes(choose.again("discord")));
    await signIn(visitor, "/discord/sign-in");
    await visitor.send("/confirm");
    assert.deepEqual([visitor.page.title, site.world.syncs.length], [done.title, 1]);
  });

  it("is paced in linking, and asks for no sync for what was linked a moment ago", async () => {
    const site = linkSite();
    const visitor = await atConfirm(site);
    const fields = fieldsOf(visitor.page.text, "/confirm");
    site.world.refusal = { is: "already", isRepeated: true };
    await visitor.send("/confirm");
    assert.deepEqual([visitor.page.title, site.world.syncs], [done.title, []]);
    const answers = [];
    for (let tries = 1; tries <= 15; tries += 1)
      answers.push((await visitor.post("/confirm", fields)).status);
    assert.equal(answers.at(-1), 429);
  });

  it("opens the links that are in use already, and believes nothing of them", async () => {
    const site = linkSite();
    const visitor = visitorOf(site);
    await visitor.get(`/link?fanvue_uuid=${ana.fan}`);
    assert.equal(visitor.page.title, start.title);
    assert.ok(!visitor.page.text.includes(ana.fan));
    await visitor.get("/choose");
    assert.equal(visitor.page.title, troubles["needs fan"].title);
  });

  it("ends a visit when its visitor signs out", async () => {
    const site = linkSite();
    const visitor = await signedIn(site);
    const { cookie } = visitor;
    await visitor.send("/leave");
    assert.equal(visitor.page.title, start.title);
    visitor.cookie = cookie;
    await visitor.get("/mine");
    assert.equal(visitor.page.title, troubles["needs fan"].title);
  });

  it("offers only what the config switches on", async () => {
    const site = linkSite({ proofs: { inbox: undefined, invites: undefined, matrix: undefined } });
    const visitor = visitorOf(site);
    await visitor.get("/");
    assert.ok(!visitor.page.text.includes(start.code));
    for (const path of ["/fanvue/code", "/invite/token"])
      assert.equal((await visitor.get(path)).title, troubles["not offered"].title);
    const fan = await signedIn(site);
    assert.ok(!fan.page.text.includes(choose.connect("matrix")));
    assert.equal((await fan.get("/matrix")).title, troubles["not offered"].title);
  });
});

describe("the return from another service", () => {
  it("redeems nothing by an address that is opened, and once by the form", async () => {
    const site = linkSite();
    const visitor = visitorOf(site);
    await visitor.get("/");
    await visitor.send("/fanvue/sign-in");
    const state = must(awayTo(visitor.page.text).searchParams.get("state"));
    const path = `/callback?${new URLSearchParams({ code: "good", state }).toString()}`;
    for (const method of ["HEAD", "GET", "GET"]) await visitor.request(method, path);
    assert.deepEqual(site.world.redeemed, []);
    await visitor.get(path);
    const fields = fieldsOf(visitor.page.text, "/callback");
    await visitor.send("/callback");
    assert.equal(visitor.page.title, choose.title);
    await visitor.post("/callback", { ...fields, form_token: formTokenOf(visitor.page.text, "/leave") });
    assert.deepEqual([visitor.page.title, site.world.redeemed.length], [failures.expired.title, 1]);
  });

  it("belongs to the browser that went out", async () => {
    const site = linkSite();
    const visitor = visitorOf(site);
    await visitor.get("/");
    await visitor.send("/fanvue/sign-in");
    const state = must(awayTo(visitor.page.text).searchParams.get("state"));
    const other = visitorOf(site);
    await other.get("/");
    const token = formTokenOf(other.page.text, "/fanvue/sign-in");
    assert.equal((await other.get(`/callback?code=good&state=${encodeURIComponent(state)}`)).status, 410);
    await other.post("/callback", { form_token: token, code: "good", state });
    assert.equal(other.page.title, failures.expired.title);
    assert.deepEqual(site.world.redeemed, []);
  });

  it("is redeemed once, also when it failed, or was sent twice at the same time", async () => {
    const site = linkSite();
    const visitor = await signedIn(site);
    const before = site.world.redeemed.length;
    await visitor.send("/discord/sign-in");
    const state = must(awayTo(visitor.page.text).searchParams.get("state"));
    await visitor.get(`/callback?${new URLSearchParams({ code: "bad", state }).toString()}`);
    const fields = fieldsOf(visitor.page.text, "/callback");
    const body = new URLSearchParams(fields).toString();
    const answers = await Promise.all([1, 2].map(() => visitor.request("POST", "/callback", body)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [410, 502]);
    await visitor.post("/callback", { ...fields, code: "good" });
    assert.equal(visitor.page.title, failures.expired.title);
    assert.equal(site.world.redeemed.length - before, 1);
  });

  it("is good for ten minutes", async () => {
    const site = linkSite();
    const visitor = visitorOf(site);
    await visitor.get("/");
    await visitor.send("/fanvue/sign-in");
    const state = must(awayTo(visitor.page.text).searchParams.get("state"));
    const path = `/callback?code=good&state=${encodeURIComponent(state)}`;
    site.world.nowMs += 10 * 60_000 - 1;
    assert.equal((await visitor.get(path)).status, 200);
    site.world.nowMs += 1;
    await visitor.send("/callback");
    assert.equal(visitor.page.title, failures.expired.title);
    assert.deepEqual(site.world.redeemed, []);
  });

  it("says so when the visitor said no, or the service failed", async () => {
    const visitor = visitorOf(linkSite());
    await visitor.get("/");
    await visitor.send("/fanvue/sign-in");
    const state = must(awayTo(visitor.page.text).searchParams.get("state"));
    const back = (fields: Record<string, string>) =>
      visitor.get(`/callback?${new URLSearchParams({ state, ...fields }).toString()}`);
    assert.equal((await back({ error: "access_denied" })).title, failures.declined.title);
    assert.equal((await back({ error: "server_error" })).title, failures["service away"].title);
    await back({ code: "bad" });
    await visitor.send("/callback");
    assert.deepEqual([visitor.page.title, visitor.page.status], [failures["service away"].title, 502]);
  });
});

describe("two tabs", () => {
  it("links only what stood on the page that was confirmed", async () => {
    const site = linkSite();
    const visitor = await atConfirm(site);
    const before = fieldsOf(visitor.page.text, "/confirm");
    site.world.discord = {
      account: must(anasDiscord.replace(/1$/, "2")) as typeof anasDiscord,
      name: "other",
    };
    await visitor.get("/choose");
    await signIn(visitor, "/discord/sign-in");
    const token = formTokenOf(visitor.page.text, "/confirm");
    await visitor.post("/confirm", { ...before, form_token: token });
    assert.deepEqual([visitor.page.title, visitor.page.status], [troubles["out of date"].title, 409]);
    assert.deepEqual(site.world.links, []);
  });

  it("leaves nothing of one fan to the next", async () => {
    const site = linkSite();
    const visitor = await atConfirm(site);
    site.world.fan = bo;
    site.world.invites.set("t", bo);
    await visitor.get("/invite/t");
    await visitor.send("/invite");
    assert.match(visitor.page.text, /@bo/);
    await visitor.get("/confirm");
    assert.equal(visitor.page.title, choose.title);
  });

  it("links once when a form is sent twice at the same time", async () => {
    const site = linkSite();
    const visitor = await atConfirm(site);
    const body = new URLSearchParams(fieldsOf(visitor.page.text, "/confirm")).toString();
    await Promise.all([1, 2].map(() => visitor.request("POST", "/confirm", body)));
    assert.equal(site.world.links.length, 1);
  });
});

describe("a visit", () => {
  it("gets a new id by each proof, and the old one is dead", async () => {
    const site = linkSite();
    const visitor = visitorOf(site);
    await visitor.get("/");
    const first = visitor.cookie;
    await signIn(visitor, "/fanvue/sign-in");
    const second = visitor.cookie;
    await signIn(visitor, "/discord/sign-in");
    assert.equal(new Set([first, second, visitor.cookie]).size, 3);
    for (const dead of [first, second]) {
      const thief = visitorOf(site);
      thief.cookie = dead;
      assert.equal((await thief.get("/mine")).title, troubles["needs fan"].title);
    }
  });

  it("that begins in two tabs at once goes on in the last one, and the other says why it does not", async () => {
    const visitor = visitorOf(linkSite());
    const first = await visitor.request("GET", "/");
    visitor.cookie = undefined;
    await visitor.get("/");
    await visitor.post("/fanvue/sign-in", fieldsOf(first.text, "/fanvue/sign-in"));
    assert.equal(visitor.page.title, troubles["out of date"].title);
    assert.match(visitor.page.text, /open for long, or in two tabs/);
    await visitor.get("/");
    assert.equal(
      (
        await visitor.request(
          "POST",
          "/fanvue/sign-in",
          new URLSearchParams(fieldsOf(visitor.page.text, "/fanvue/sign-in")).toString(),
        )
      ).status,
      303,
    );
  });

  it("does not take an id that a visitor made up", async () => {
    const visitor = visitorOf(linkSite());
    visitor.cookie = `visit=${"a".repeat(43)}.${"b".repeat(43)}`;
    const madeUp = visitor.cookie;
    await visitor.get("/");
    assert.notEqual(visitor.cookie, madeUp);
    visitor.cookie = madeUp;
    await visitor.send("/fanvue/sign-in");
    assert.equal(visitor.page.title, troubles["out of date"].title);
  });

  it("ends after half an hour without a request", async () => {
    const site = linkSite();
    const visitor = await signedIn(site);
    site.world.nowMs += 29 * 60_000;
    assert.equal((await visitor.get("/mine")).status, 200);
    site.world.nowMs += 30 * 60_000;
    assert.equal((await visitor.get("/mine")).title, troubles["needs fan"].title);
  });

  it("needs cookies, and says so", async () => {
    const visitor = visitorOf(linkSite());
    await visitor.get("/");
    visitor.cookie = undefined;
    await visitor.send("/fanvue/sign-in");
    assert.deepEqual([visitor.page.title, visitor.page.status], [troubles["no cookies"].title, 403]);
  });

  it("is known by a cookie of this host only, where the site has TLS", async () => {
    const visitor = visitorOf(linkSite({ publicUrl: "https://link.example.org" }));
    const seen = await visitor.get("/");
    assert.match(
      must(seen.headers.get("set-cookie")),
      /^__Host-visit=[\w.-]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
    assert.match(must(seen.headers.get("strict-transport-security")), /max-age=\d{8}/);
    const plain = await visitorOf(linkSite()).get("/");
    assert.match(must(plain.headers.get("set-cookie")), /^visit=[\w.-]+; Path=\/; HttpOnly; SameSite=Lax$/);
    assert.equal(plain.headers.get("strict-transport-security"), null);
  });
});

describe("forms", () => {
  it("are refused when another site sent them, or nobody knows who", async () => {
    const visitor = visitorOf(linkSite());
    await visitor.get("/");
    const fields = fieldsOf(visitor.page.text, "/fanvue/sign-in");
    const origins: readonly [Record<string, string>, number][] = [
      [{ origin: "https://evil.example" }, 403],
      [{ origin: "http://localhost:8081" }, 403],
      [{ "sec-fetch-site": "cross-site", origin: "null" }, 403],
      [{ "sec-fetch-site": "same-site" }, 403],
      [{ "sec-fetch-site": "same-origin", origin: "null" }, 303],
      [{ origin: "http://localhost:8080" }, 303],
      [{ origin: "null" }, 303],
      [{}, 303],
    ];
    for (const [headers, status] of origins) {
      visitor.headers = headers;
      const body = new URLSearchParams(fields).toString();
      assert.equal(
        (await visitor.request("POST", "/fanvue/sign-in", body)).status,
        status,
        JSON.stringify(headers),
      );
    }
  });

  it("need the token of their own visit", async () => {
    const site = linkSite();
    const [visitor, other] = [visitorOf(site), visitorOf(site)];
    await visitor.get("/");
    await other.get("/");
    const foreign = formTokenOf(other.page.text, "/fanvue/sign-in");
    for (const token of [foreign, "", "x".repeat(43)]) {
      await visitor.post("/fanvue/sign-in", { form_token: token });
      assert.deepEqual([visitor.page.title, visitor.page.status], [troubles["out of date"].title, 409]);
    }
    assert.equal((await visitor.post("/fanvue/sign-in", {})).status, 409);
  });

  it("are refused when they are too large, of another kind, or say a thing twice", async () => {
    const visitor = visitorOf(linkSite());
    await visitor.get("/fanvue/code");
    const token = formTokenOf(visitor.page.text, "/fanvue/code");
    const send = async (body: string) => (await visitor.request("POST", "/fanvue/code", body)).status;
    assert.equal(await send(`form_token=${token}&handle=${"x".repeat(8 * 1024)}`), 413);
    assert.equal(await send(`form_token=${token}&handle=${"x".repeat(301)}`), 400);
    assert.equal(await send(`form_token=${token}&handle=a&handle=b`), 400);
    assert.equal(await send(`form_token=${token}`), 400);
    visitor.headers = { "content-type": "application/json" };
    assert.equal(await send(JSON.stringify({ form_token: token, handle: "a" })), 400);
  });

  it("say beside the field what is wrong, and keep what was typed", async () => {
    const site = linkSite();
    const visitor = await signedIn(site);
    await visitor.get("/matrix");
    await visitor.send("/matrix", { mxid: `"><script>ana` });
    assert.equal(visitor.page.title, matrix.idTitle);
    assert.match(visitor.page.text, /id="mxid-problem" role="alert">This is no Matrix id/);
    assert.match(visitor.page.text, /aria-describedby="mxid-problem mxid-hint"/);
    assert.match(visitor.page.text, /value="&quot;&gt;&lt;script&gt;ana"/);
    await visitor.send("/matrix", { mxid: anasMxid });
    await visitor.send("/matrix", { code: "" });
    assert.ok(visitor.page.text.includes(problems["no code"]));
  });

  it("take five codes, and then send the visitor for a new one", async () => {
    const visitor = visitorOf(linkSite());
    await visitor.get("/fanvue/code");
    await visitor.send("/fanvue/code", { handle: "ana_x" });
    for (let tries = 1; tries < 5; tries++) {
      await visitor.send("/fanvue/code", { code: "WRONG" });
      assert.ok(visitor.page.text.includes(problems["wrong code"]), String(tries));
    }
    await visitor.send("/fanvue/code", { code: "WRONG" });
    assert.deepEqual([visitor.page.title, visitor.page.status], [failures["spent code"].title, 410]);
    await visitor.get("/fanvue/code");
    assert.equal(visitor.page.title, inbox.handleTitle);
  });
});

describe("what stands in the way of a link", () => {
  for (const [refusal, title] of [
    [{ is: "taken", by: "another fan" }, troubles["taken by another fan"].title],
    [{ is: "taken", by: "another account" }, troubles["taken by another account"].title],
    [{ is: "waits", for: "this account" }, troubles["not taken back yet"].title],
    [{ is: "waits", for: "another account" }, troubles["other not taken back yet"].title],
    [{ is: "blocked" }, troubles.blocked.title],
  ] as const) {
    it(`is told before and after the question: ${title}`, async () => {
      const site = linkSite();
      const visitor = await atConfirm(site);
      site.world.refusal = refusal;
      await visitor.send("/confirm");
      assert.equal(visitor.page.title, title);
      assert.equal((await visitor.get("/confirm")).title, title);
      assert.deepEqual([site.world.links, site.world.syncs], [[], []]);
    });
  }
});

describe("names from outside", () => {
  it("are shown escaped, short, and in one direction", async () => {
    const site = linkSite();
    site.world.fan = { ...ana, handle: `<b>"'&`, displayName: `\u202Egnp.exe\u0000 ${"x".repeat(100)}` };
    const visitor = await signedIn(site);
    assert.match(visitor.page.text, /<bdi class="name">@&lt;b&gt;&quot;&#39;&amp;<\/bdi>/);
    assert.ok(!visitor.page.text.includes("\u202E"));
    assert.ok(!visitor.page.text.includes("x".repeat(64)));
  });
});

describe("every answer", () => {
  const paths = ["/", "/link", "/fanvue/code", "/choose", "/mine", "/callback", "/invite/x", "/nothing/here"];

  it("carries the headers that keep others out, and no script or style of its own", async () => {
    const visitor = visitorOf(linkSite());
    for (const path of paths) {
      const { headers, text } = await visitor.get(path);
      assert.match(must(headers.get("content-security-policy")), /^default-src 'none'; style-src 'self'; /);
      assert.equal(headers.get("referrer-policy"), "no-referrer");
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.equal(headers.get("x-frame-options"), "DENY");
      assert.equal(headers.get("cache-control"), "no-store");
      assert.match(must(headers.get("x-robots-tag")), /noindex/);
      assert.doesNotMatch(text, /<script|<style|style=|\son\w+=|javascript:/i);
    }
  });

  it("is a whole page with one heading, a language, and a title that names the step", async () => {
    const visitor = visitorOf(linkSite());
    for (const path of paths) {
      const { text, title } = await visitor.get(path);
      assert.match(text, /^<!doctype html>\s*<html lang="en">/);
      assert.equal(text.match(/<h1>/g)?.length, 1);
      assert.match(text, /<main>/);
      assert.ok(text.includes(`<title>${title} · Sunny</title>`), path);
    }
  });

  it("has one thing to do where something went wrong", async () => {
    const visitor = visitorOf(linkSite());
    for (const path of ["/choose", "/callback", "/invite/x", "/nothing/here"]) {
      const { text, status } = await visitor.get(path);
      assert.ok(status >= 400);
      assert.equal(text.match(/class="button/g)?.length, 1, path);
    }
  });

  it("is the same for HEAD, and refuses other methods by naming what there is", async () => {
    const visitor = visitorOf(linkSite());
    const head = await visitor.request("HEAD", "/");
    assert.deepEqual([head.status, head.text], [200, ""]);
    for (const [method, path, allowed] of [
      ["OPTIONS", "/", "GET, HEAD"],
      ["DELETE", "/invite", "POST"],
      ["PUT", "/confirm", "GET, HEAD, POST"],
      ["GET", "/leave", "POST"],
      ["POST", "/mine", "GET, HEAD"],
    ] as const) {
      const seen = await visitor.request(method, path);
      assert.deepEqual([seen.status, seen.headers.get("allow")], [405, allowed], `${method} ${path}`);
      assert.equal(seen.title, troubles["wrong method"].title);
    }
    assert.equal((await visitor.request("GET", `/?x=${"y".repeat(5000)}`)).status, 414);
  });

  it("leaves a line in the log that holds no secret and no path", async () => {
    const site = linkSite();
    site.world.invites.set("SECRET.token", bo);
    const visitor = visitorOf(site);
    await visitor.get("/invite/SECRET.token");
    await visitor.send("/invite");
    await signIn(visitor, "/discord/sign-in");
    assert.match(site.world.logged, /"route":"\/invite\/:token","status":200/);
    for (const secret of ["SECRET", "state ", "good", must(visitor.cookie).slice(6), bo.fan, "discord.com"])
      assert.ok(!site.world.logged.includes(secret), secret);
  });

  it("tells nothing of a bug but that there is one, and the log has where it is", async () => {
    const site = linkSite();
    const visitor = await signedIn(site);
    site.world.trouble = new TypeError("the inside");
    await visitor.get("/mine");
    assert.deepEqual([visitor.page.title, visitor.page.status], [troubles.trouble.title, 500]);
    assert.ok(!visitor.page.text.includes("the inside"));
    assert.match(site.world.logged, /TypeError: the inside\\n\s+at /);
    site.world.trouble = new BadInputError("The database is damaged.", "Put the copy back.");
    await visitor.get("/mine");
    assert.deepEqual([visitor.page.title, visitor.page.status], [troubles.busy.title, 503]);
    assert.match(site.world.logged, /The database is damaged. Put the copy back./);
  });

  it("says that the database is busy, which is no alarm", async () => {
    const site = linkSite();
    const visitor = await signedIn(site);
    site.world.trouble = new BusyError("Others are at it.", "Wait.");
    const seen = await visitor.get("/choose");
    assert.deepEqual([seen.status, seen.title], [503, troubles.busy.title]);
    assert.match(site.world.logged, /"level":40[^\n]*Others are at it\. Wait\./);
    assert.doesNotMatch(site.world.logged, /"level":50/);
  });

  it("asks who wants very much to wait, address by address where a proxy is trusted", async () => {
    const site = linkSite({ trustProxy: true });
    const visitor = visitorOf(site);
    visitor.headers = { "x-forwarded-for": "203.0.113.9, 198.51.100.1" };
    for (let count = 0; count < 60; count++) assert.equal((await visitor.request("GET", "/")).status, 200);
    const refused = await visitor.request("GET", "/");
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
    visitor.headers = { "x-forwarded-for": "203.0.113.9, 198.51.100.2" };
    assert.equal((await visitor.request("GET", "/")).status, 200);
  });

  it("says once where a proxy speaks to which nobody listens", async () => {
    const told = async (trustProxy: boolean) => {
      const site = linkSite({ trustProxy });
      const visitor = visitorOf(site);
      await visitor.get("/");
      assert.doesNotMatch(site.world.logged, /X-Forwarded-For/);
      visitor.headers = { "x-forwarded-for": "203.0.113.9" };
      for (let count = 0; count < 3; count++) await visitor.get("/");
      assert.doesNotMatch(site.world.logged, /203\.0\.113/);
      return site.world.logged.match(/set trust_proxy to true/g)?.length ?? 0;
    };
    assert.deepEqual([await told(false), await told(true)], [1, 0]);
  });

  it("is slow to take codes from one address", async () => {
    const visitor = visitorOf(linkSite());
    await visitor.get("/fanvue/code");
    const statuses = [];
    for (let count = 0; count < 16; count++) {
      await visitor.get("/fanvue/code?again");
      statuses.push((await visitor.send("/fanvue/code", { handle: "x" })).status);
    }
    assert.deepEqual([statuses.at(-2), statuses.at(-1)], [200, 429]);
  });
});
