import assert from "node:assert/strict";
import { describe, test } from "node:test";
import pino from "pino";
import { openOAuth } from "../lib/discord/oauth.ts";
import type { Login } from "../lib/logins.ts";
import { issueLogin, withdrawLogins } from "./sandbox/discord-logins.ts";
import { discordFor, discordSaw } from "./sandbox/discord-setup.ts";
import { userIdAt } from "./sandbox/discord-world.ts";
import type { DiscordSandbox } from "./sandbox/discord.ts";
import { answers, cutBody, drops, hangs, notJson, withoutField } from "./sandbox/faults.ts";
import type { FaultKind } from "./sandbox/server.ts";

const tokenPath = /\/oauth2\/token$/;

/** A login that Discord issued, the way to Discord, and every line of its log. */
async function start(
  test: Parameters<typeof discordFor>[0],
  { secret, timeoutMs = 2000 }: { readonly secret?: string; readonly timeoutMs?: number } = {},
) {
  const discord = await discordFor(test);
  const lines: string[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => void lines.push(line) });
  const stop = new AbortController();
  const { id: clientId, clientSecret } = discord.world.application;
  const oauth = openOAuth(
    { apiUrl: discord.apiUrl, oauth: { clientId, clientSecret: secret ?? clientSecret } },
    { log, signal: stop.signal, timeoutMs },
  );
  const login: Login = { ...issueLogin(discord.world, userIdAt(1)) };
  return { discord, oauth, login, stop, lines };
}

const loginOf = ({ world }: DiscordSandbox) => [...world.logins].at(0);

describe("renewing a login", () => {
  test("the new one is what Discord issued, with its end and what it allows", async (t) => {
    const { discord, oauth, login } = await start(t);
    const before = Date.now();
    const answer = await oauth.refresh(login);
    assert.ok(answer.is === "login");
    const issued = loginOf(discord);
    const { expiresAtMs, ...rest } = answer.login;
    assert.deepEqual(rest, {
      accessToken: issued?.accessToken,
      refreshToken: issued?.refreshToken,
      scopes: ["identify", "guilds.join"],
    });
    assert.notEqual(rest.refreshToken, login.refreshToken);
    const weekMs = 7 * 24 * 60 * 60 * 1000;
    assert.ok(expiresAtMs >= before + weekMs && expiresAtMs <= Date.now() + weekMs);
  });

  test("the request goes to the version that all others go to, as a form, from a named sender", async (t) => {
    const { discord, oauth, login } = await start(t);
    await oauth.refresh(login);
    const [request, ...more] = discord.requests;
    assert.ok(request !== undefined && more.length === 0);
    const { method, path, headers, form } = request;
    const { id, clientSecret } = discord.world.application;
    assert.deepEqual([method, path], ["POST", "/api/v10/oauth2/token"]);
    assert.match(headers["content-type"] ?? "", /^application\/x-www-form-urlencoded/);
    assert.match(headers["user-agent"] ?? "", /^DiscordBot \(http/);
    assert.deepEqual(Object.fromEntries(form), {
      grant_type: "refresh_token",
      refresh_token: login.refreshToken,
      client_id: id,
      client_secret: clientSecret,
    });
    assert.equal(oauth.requests(), 1);
  });

  test("what an answer leaves out stays as it was, and is believed for an hour", async (t) => {
    const { discord, oauth, login } = await start(t);
    for (const field of ["refresh_token", "scope", "expires_in"])
      discord.faults.push({ path: tokenPath, fault: withoutField(field), times: 1 });
    // One fault strikes at a time.
    const answers = [await oauth.refresh(login)];
    for (let more = 0; more < 2; more += 1)
      answers.push(await oauth.refresh({ ...login, refreshToken: loginOf(discord)?.refreshToken ?? "" }));
    const [noRefresh, noScope, noEnd] = answers.map((answer) =>
      answer.is === "login" ? answer.login : undefined,
    );
    assert.equal(noRefresh?.refreshToken, login.refreshToken);
    assert.deepEqual(noScope?.scopes, login.scopes);
    assert.ok(Math.abs((noEnd?.expiresAtMs ?? 0) - Date.now() - 3_600_000) < 10_000);
  });

  test("a login that its owner took back has ended", async (t) => {
    const { discord, oauth, login } = await start(t);
    withdrawLogins(discord.world, userIdAt(1));
    assert.deepEqual(await oauth.refresh(login), { is: "login ended" });
    assert.equal(oauth.requests(), 1);
  });

  test("an application that Discord does not know speaks of us, not of the fan", async (t) => {
    const { oauth, login } = await start(t, { secret: "another" });
    assert.deepEqual(await oauth.refresh(login), { is: "client refused" });
    assert.equal(oauth.requests(), 1);
  });
});

describe("a token service in trouble", { concurrency: true }, () => {
  const passing: readonly [name: string, fault: FaultKind][] = [
    ["an internal error", answers(500, "oops")],
    ["a dropped connection", drops()],
    ["no answer", hangs()],
    ["a limit", answers(429, { message: "slow" }, { "retry-after": "0.1" })],
  ];
  for (const [name, fault] of passing) {
    test(`${name} is tried three times, then told; what passes leaves no trace`, async (t) => {
      const { discord, oauth, login } = await start(t, { timeoutMs: 200 });
      discord.faults.push({ path: tokenPath, fault, times: 4 });
      const answer = await oauth.refresh(login);
      assert.ok(answer.is === "unanswered");
      assert.match(answer.because, /^Discord's token service failed: /);
      assert.equal(oauth.requests(), 3);
      assert.equal((await oauth.refresh(login)).is, "login");
      assert.equal(oauth.requests(), 5);
    });
  }

  test("an answer that got lost on its way has used the login up", async (t) => {
    const { discord, oauth, login } = await start(t);
    discord.faults.push({ path: tokenPath, fault: cutBody(), times: 1 });
    assert.deepEqual(await oauth.refresh(login), { is: "login ended" });
  });

  const unusable: readonly [name: string, fault: FaultKind][] = [
    ["a page of a proxy", notJson()],
    ["an answer without a token", withoutField("access_token")],
    ["a refusal that nobody knows", answers(400, { error: "temporarily_annoyed" })],
    ["a refusal without words", answers(403, "<html>")],
  ];
  for (const [name, fault] of unusable) {
    test(`${name} says nothing of the login`, async (t) => {
      const { discord, oauth, login } = await start(t);
      discord.faults.push({ path: tokenPath, fault });
      assert.equal((await oauth.refresh(login)).is, "unanswered");
      assert.equal(oauth.requests(), 1);
    });
  }
});

describe("the end of a run", () => {
  test("nothing is asked once it has come", async (t) => {
    const { oauth, login, stop } = await start(t);
    stop.abort();
    assert.deepEqual(await oauth.refresh(login), { is: "stopped" });
    assert.deepEqual(await oauth.revoke(login), { is: "stopped" });
    assert.equal(oauth.requests(), 0);
  });

  test("a new login that is on its way is waited for", async (t) => {
    const { discord, oauth, login, stop } = await start(t);
    discord.faults.push({
      path: tokenPath,
      onStrike: () => {
        stop.abort();
      },
      fault: { kind: "edit", edit: (body) => body },
    });
    assert.equal((await oauth.refresh(login)).is, "login");
  });

  test("an attempt that failed is not repeated after it", async (t) => {
    const { discord, oauth, login, stop } = await start(t);
    discord.faults.push({ path: tokenPath, fault: drops() });
    const answer = oauth.refresh(login);
    await discordSaw(discord, tokenPath);
    stop.abort();
    assert.deepEqual(await answer, { is: "stopped" });
    assert.equal(oauth.requests(), 1);
  });
});

describe("ending a login", () => {
  test("Discord forgets all of the fan's authorization; twice is the same as once", async (t) => {
    const { discord, oauth, login } = await start(t);
    assert.deepEqual(await oauth.revoke(login), { is: "revoked" });
    assert.equal(discord.world.logins.size, 0);
    assert.deepEqual(await oauth.revoke(login), { is: "revoked" });
    assert.deepEqual(
      discord.requests.map(({ method, path }) => [method, path]),
      Array.from({ length: 2 }, () => ["POST", "/api/v10/oauth2/token/revoke"]),
    );
  });

  test("where Discord cannot be asked, that is told", async (t) => {
    const { discord, oauth, login } = await start(t);
    discord.faults.push({ path: /revoke/, fault: answers(503) });
    assert.equal((await oauth.revoke(login)).is, "unanswered");
    assert.equal(discord.world.logins.size, 1);
  });
});

test("no token and no secret gets into the log or into an answer's words", async (t) => {
  const { discord, oauth, login, lines } = await start(t, { timeoutMs: 200 });
  const { refreshToken, accessToken } = login;
  const { clientSecret } = discord.world.application;
  const echo = { error: refreshToken, error_description: `${refreshToken} ${accessToken} ${clientSecret}` };
  const said: unknown[] = [];
  for (const fault of [answers(400, echo), answers(500, echo), answers(200, echo), drops()]) {
    discord.faults.splice(0, 1, { path: /oauth2/, fault });
    said.push(await oauth.refresh(login), await oauth.revoke(login));
  }
  assert.ok(lines.length > 0);
  const all = JSON.stringify([said, lines]);
  for (const secret of [refreshToken, accessToken, clientSecret]) assert.ok(!all.includes(secret));
});
