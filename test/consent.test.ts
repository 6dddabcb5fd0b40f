/** The stand-ins' pages of consent: what a browser is shown there, and with what it is sent back. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { z } from "zod";

import { discordFor } from "./sandbox/discord-setup.ts";
import { addUser, userIdAt } from "./sandbox/discord-world.ts";
import { startFanvue } from "./sandbox/fanvue.ts";

const state = "state-of-the-art";
const verifier = "verifier-".repeat(6);
const pkce = {
  code_challenge: createHash("sha256").update(verifier).digest("base64url"),
  code_challenge_method: "S256",
};
const nasty = `<b onclick="x()">Zoë & 'co'</b>`;
const nastyInHtml = "&#60;b onclick=&#34;x()&#34;&#62;Zoë &#38; &#39;co&#39;&#60;/b&#62;";

/** What the page says; its form, filled in by pressing one of its buttons. */
async function open(url: string, cookie = "") {
  const response = await fetch(url, { headers: { cookie }, redirect: "manual" });
  const page = await response.text();
  const inputs = page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g);
  const fields = [...inputs].map(([, name = "", value = ""]): [string, string] => [name, value]);
  const press = async (decision: "allow" | "deny") => {
    const body = new URLSearchParams([...fields, ["decision", decision]]);
    const action = new URL(/action="([^"]*)"/.exec(page)?.[1] ?? "", url);
    const sent = await fetch(action, { method: "POST", body, headers: { cookie }, redirect: "manual" });
    return new URL(sent.headers.get("location") ?? "nowhere:");
  };
  return { status: response.status, page, location: response.headers.get("location"), press };
}

test("Fanvue's page shows who is logged in, and sends back what was pressed", async (t) => {
  const fanvue = await startFanvue();
  t.after(() => fanvue.stop());
  fanvue.consent.page = true;
  const fan = fanvue.world.addFan("zoe");
  fan.displayName = nasty;
  const redirectUri = "http://localhost:8080/callback";
  const url = new URL("/oauth2/auth", fanvue.authUrl);
  const asked = { client_id: fanvue.app.clientId, redirect_uri: redirectUri, response_type: "code" };
  url.search = new URLSearchParams({ ...asked, scope: "openid read:self", state, ...pkce }).toString();

  const { status, page, press } = await open(url.href, `fanvue_user=${fan.uuid}`);
  assert.equal(status, 200);
  assert.ok(page.includes(nastyInHtml), page);
  assert.match(page, /<li>openid<\/li><li>read:self<\/li>/);
  const denied = await press("deny");
  assert.deepEqual(
    [denied.origin + denied.pathname, denied.searchParams.get("error"), denied.searchParams.get("state")],
    [redirectUri, "access_denied", state],
  );
  const allowed = await press("allow");
  const form = { grant_type: "authorization_code", redirect_uri: redirectUri, code_verifier: verifier };
  const basic = Buffer.from(`${fanvue.app.clientId}:${fanvue.app.clientSecret}`).toString("base64");
  const answer = await fetch(new URL("/oauth2/token", fanvue.authUrl), {
    method: "POST",
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ ...form, code: allowed.searchParams.get("code") ?? "" }),
  });
  const { access_token: token } = z.object({ access_token: z.string() }).parse(await answer.json());
  assert.deepEqual(fanvue.tokens.check(token)?.user, fan.uuid);
});

test("Discord's page shows who is logged in, and its code is good for whoever has the verifier", async (t) => {
  const discord = await discordFor(t);
  const { world, apiUrl, consent } = discord;
  const robin = addUser(world, { id: userIdAt(1), username: "robin" });
  robin.globalName = nasty;
  world.application.redirectUris.push("https://link.example/callback");
  const { id: client_id, clientSecret: client_secret } = world.application;
  const asked = { client_id, redirect_uri: "https://link.example/callback", response_type: "code", state };
  const urlOf = (changes: Record<string, string> = {}) => {
    const query = new URLSearchParams({ ...asked, scope: "identify guilds.join", ...pkce, ...changes });
    return `${new URL(apiUrl).origin}/oauth2/authorize?${query.toString()}`;
  };
  const redeem = async (code: string | null, code_verifier: string) => {
    const { redirect_uri } = asked;
    const grant = { grant_type: "authorization_code", code: code ?? "", redirect_uri, code_verifier };
    const body = new URLSearchParams({ client_id, client_secret, ...grant });
    const answer = await fetch(`${apiUrl}/oauth2/token`, { method: "POST", body });
    return { status: answer.status, ...z.looseObject({}).parse(await answer.json()) };
  };

  consent.page = true;
  const { page, press } = await open(urlOf(), `discord_user=${robin.id}`);
  assert.ok(page.includes(nastyInHtml), page);
  const denied = await press("deny");
  assert.deepEqual(
    [denied.host, denied.searchParams.get("error"), denied.searchParams.get("state")],
    ["link.example", "access_denied", state],
  );
  const code = (await press("allow")).searchParams.get("code");
  assert.partialDeepStrictEqual(await redeem(code, "x".repeat(50)), { status: 400, error: "invalid_grant" });
  assert.partialDeepStrictEqual(await redeem(code, verifier), { status: 200, scope: "identify guilds.join" });
  assert.deepEqual(
    [...world.logins].map(({ account }) => account),
    [robin.id],
  );

  const strange = await open(urlOf({ redirect_uri: "https://elsewhere.example/" }));
  assert.deepEqual([strange.status, strange.location], [400, null]);
  const { location } = await open(urlOf({ scope: "identify everything" }));
  assert.match(location ?? "", /^https:\/\/link\.example\/callback\?error=invalid_scope&/);
  const led = await open(`${apiUrl}/oauth2/authorize?client_id=${client_id}`);
  assert.deepEqual([led.status, led.location], [302, `/oauth2/authorize?client_id=${client_id}`]);

  consent.page = false;
  const back = await open(urlOf({}), "");
  assert.match(back.location ?? "", /[?&]code=[0-9a-f]+/);
});
