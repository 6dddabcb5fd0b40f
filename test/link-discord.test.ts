/** Proving a Discord account by signing in there: what is asked, what is kept, and what each refusal means. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import pino from "pino";
import { openDiscordSignIn } from "../lib/link/discord-sign-in.ts";
import type { Attempt } from "../lib/link/proofs.ts";
import { discordFor } from "./sandbox/discord-setup.ts";
import { withdrawLogins } from "./sandbox/discord-logins.ts";
import { addUser, userIdAt } from "./sandbox/discord-world.ts";
import { answers, cutBody, drops, hangs, notJson, withoutField } from "./sandbox/faults.ts";
import type { FaultKind } from "./sandbox/server.ts";

const fan = userIdAt(1);
const tokenPath = /\/oauth2\/token$/;
const ownerPath = /\/users\/@me$/;
const revokePath = /\/oauth2\/token\/revoke$/;

interface StartOptions {
  readonly brings?: boolean;
  readonly secret?: string;
  /** Default: they have none. */
  readonly displayName?: string;
}

async function start(
  test: Parameters<typeof discordFor>[0],
  { brings = false, secret, displayName }: StartOptions = {},
) {
  const discord = await discordFor(test);
  const { world, consent, faults } = discord;
  const user = addUser(world, { id: fan, username: "sunny" });
  if (displayName !== undefined) user.globalName = displayName;
  consent.user = fan;
  const lines: string[] = [];
  const { id: clientId, clientSecret, redirectUris } = world.application;
  const redirectUri = redirectUris[0] ?? "";
  const signIn = openDiscordSignIn(
    {
      apiUrl: discord.apiUrl,
      autoJoin: { enabled: brings, roles: [] },
      oauth: { clientId, clientSecret: secret ?? clientSecret, redirectUri, serverHost: "", serverPort: 0 },
    },
    {
      log: pino({ level: "trace" }, { write: (line: string) => void lines.push(line) }),
      signal: new AbortController().signal,
      timeoutMs: 500,
    },
  );
  assert.ok(signIn);
  /** The browser goes to Discord's page and comes back with these parameters. */
  const visit = async ({ url }: Attempt): Promise<URLSearchParams> => {
    const answer = await fetch(url, { redirect: "manual" });
    const back = new URL(answer.headers.get("location") ?? "");
    assert.equal(`${back.origin}${back.pathname}`, redirectUri);
    return back.searchParams;
  };
  const walk = async () => {
    const attempt = await signIn.start();
    return signIn.finish(attempt, await visit(attempt));
  };
  const sent = (path: RegExp) => discord.requests.filter((one) => path.test(one.path)).length;
  return { discord, world, consent, faults, signIn, visit, walk, sent, lines };
}

const failed = (failure: string) => ({ is: "failed", failure });

describe("signing in", () => {
  test("proves the account by the name it goes by, and takes back what was allowed", async (t) => {
    const { walk, world } = await start(t, { displayName: "Sunny Day" });
    const proof = { platform: "discord", account: fan, name: "Sunny Day", login: undefined };
    assert.deepEqual(await walk(), { is: "proved", proof });
    assert.equal(world.logins.size, 0);
  });

  test("who has no display name goes by the user name", async (t) => {
    const { walk } = await start(t);
    const proved = await walk();
    assert.ok(proved.is === "proved");
    assert.equal(proved.proof.name, "sunny");
  });

  test("asks for the name alone, on Discord's own page, with state and PKCE", async (t) => {
    const { signIn, discord } = await start(t);
    const [attempt, another] = [await signIn.start(), await signIn.start()];
    assert.equal(
      attempt.url.origin + attempt.url.pathname,
      new URL("/oauth2/authorize", discord.apiUrl).href,
    );
    const asked = attempt.url.searchParams;
    assert.deepEqual(
      [
        asked.get("scope"),
        asked.get("response_type"),
        asked.get("code_challenge_method"),
        asked.get("state"),
      ],
      ["identify", "code", "S256", attempt.state],
    );
    assert.notEqual(attempt.state, another.state);
    assert.ok(!attempt.url.href.includes(attempt.verifier));
  });

  test("with auto-join it asks to bring the fan in, and keeps the login", async (t) => {
    const { walk, world, signIn } = await start(t, { brings: true });
    const { url } = await signIn.start();
    assert.equal(url.searchParams.get("scope"), "identify guilds.join");
    const proved = await walk();
    assert.ok(proved.is === "proved");
    const [issued] = [...world.logins];
    const { login } = proved.proof;
    assert.deepEqual(
      [login?.accessToken, login?.refreshToken, login?.scopes],
      [issued?.accessToken, issued?.refreshToken, ["identify", "guilds.join"]],
    );
  });

  test("who does not let us bring them in is proved all the same, and the login taken back", async (t) => {
    const { signIn, visit, world } = await start(t, { brings: true });
    const attempt = await signIn.start();
    const less = new URL(attempt.url);
    less.searchParams.set("scope", "identify");
    const proved = await signIn.finish(attempt, await visit({ ...attempt, url: less }));
    assert.ok(proved.is === "proved");
    assert.deepEqual([proved.proof.login, world.logins.size], [undefined, 0]);
  });

  test("a config without an application offers nothing", () => {
    const config = { apiUrl: "https://discord.com/api", oauth: undefined };
    const deps = { log: pino({ level: "silent" }), signal: new AbortController().signal };
    assert.equal(openDiscordSignIn({ ...config, autoJoin: { enabled: true, roles: [] } }, deps), undefined);
  });
});

describe("what is no proof", () => {
  test("saying no on Discord's page", async (t) => {
    const { walk, consent, sent } = await start(t);
    consent.deny = true;
    assert.deepEqual(await walk(), failed("declined"));
    assert.equal(sent(tokenPath), 0);
  });

  test("not letting us know the name", async (t) => {
    const { signIn, visit, world } = await start(t, { brings: true });
    const attempt = await signIn.start();
    const less = new URL(attempt.url);
    less.searchParams.set("scope", "guilds.join");
    assert.deepEqual(
      await signIn.finish(attempt, await visit({ ...attempt, url: less })),
      failed("declined"),
    );
    assert.equal(world.logins.size, 0);
  });

  test("taking the permission back between two requests", async (t) => {
    const { walk, faults, world } = await start(t, { brings: true });
    const onStrike = () => {
      withdrawLogins(world, fan);
    };
    faults.push({ path: ownerPath, onStrike, fault: { kind: "edit", edit: (body) => body } });
    assert.deepEqual(await walk(), failed("declined"));
  });

  test("a code that was used, and one of another attempt", async (t) => {
    const { signIn, visit } = await start(t);
    const [mine, other] = [await signIn.start(), await signIn.start()];
    const back = await visit(mine);
    assert.equal((await signIn.finish(mine, back)).is, "proved");
    assert.deepEqual(await signIn.finish(mine, back), failed("expired"));
    assert.deepEqual(await signIn.finish(other, await visit(mine)), failed("expired"));
  });

  test("a code that somebody else got, with this attempt's state: PKCE tells", async (t) => {
    const { signIn, visit, sent } = await start(t);
    const [mine, other] = [await signIn.start(), await signIn.start()];
    const forged = await visit(other);
    forged.set("state", mine.state);
    assert.deepEqual(await signIn.finish(mine, forged), failed("expired"));
    assert.equal(sent(ownerPath), 0);
  });

  test("parameters that make no sense", async (t) => {
    const { signIn, sent } = await start(t);
    const attempt = await signIn.start();
    const { state } = attempt;
    for (const query of [
      "",
      "code=x",
      `state=${state}`,
      `code=&state=${state}x`,
      `error=a&error=b&state=${state}`,
    ])
      assert.deepEqual(await signIn.finish(attempt, new URLSearchParams(query)), failed("expired"), query);
    assert.equal(sent(tokenPath), 0);
  });

  test("an error of our own making is told to the operator, not laid at the fan's door", async (t) => {
    const { signIn, lines } = await start(t);
    const attempt = await signIn.start();
    const back = new URLSearchParams({ error: "invalid_scope\n", state: attempt.state });
    assert.deepEqual(await signIn.finish(attempt, back), failed("service away"));
    assert.match(lines.join(""), /refused our request \(invalid_scope\)/);
  });

  test("an application that Discord does not know", async (t) => {
    const { walk, lines } = await start(t, { secret: "another" });
    assert.deepEqual(await walk(), failed("service away"));
    assert.match(lines.join(""), /discord\.oauth_client_secret/);
  });
});

describe("Discord in trouble", { concurrency: true }, () => {
  const broken: readonly [name: string, fault: FaultKind][] = [
    ["an internal error", answers(500, "oops")],
    ["a dropped connection", drops()],
    ["no answer", hangs()],
    ["half an answer", cutBody()],
    ["a limit", answers(429, { message: "slow" }, { "retry-after": "0.01" })],
    ["a page of a proxy", notJson()],
    ["an answer without a token", withoutField("access_token")],
    ["an answer without a way to end the login", withoutField("refresh_token")],
  ];
  for (const [name, fault] of broken) {
    test(`${name} to a code: it is not sent again`, async (t) => {
      const { walk, faults, sent } = await start(t);
      faults.push({ path: tokenPath, fault });
      assert.deepEqual(await walk(), failed("service away"));
      assert.equal(sent(tokenPath), 1);
    });
  }

  test("a question for the name is asked again, and what passes leaves no trace", async (t) => {
    const { walk, faults, sent } = await start(t);
    faults.push({ path: ownerPath, fault: answers(502), times: 1 });
    assert.equal((await walk()).is, "proved");
    assert.equal(sent(ownerPath), 2);
  });

  test("a name that does not come is no proof, and the login is taken back", async (t) => {
    for (const fault of [answers(403, "<html>"), withoutField("id"), notJson()]) {
      const { walk, faults, world } = await start(t, { brings: true });
      faults.push({ path: ownerPath, fault });
      assert.deepEqual(await walk(), failed("service away"));
      assert.equal(world.logins.size, 0);
    }
  });

  test("nobody is kept waiting for minutes because Discord asks for them", async (t) => {
    const { walk, faults, sent } = await start(t);
    faults.push({ path: ownerPath, fault: answers(429, {}, { "retry-after": "60" }) });
    assert.deepEqual(await walk(), failed("service away"));
    assert.equal(sent(ownerPath), 1);
  });

  test("a login that cannot be taken back is no reason against the proof", async (t) => {
    const { walk, faults, lines } = await start(t);
    faults.push({ path: revokePath, fault: answers(400, { error: "no" }) });
    assert.equal((await walk()).is, "proved");
    assert.match(lines.join(""), /could not be taken back/);
  });
});

test("no code, token or secret gets into the log, whatever Discord repeats", async (t) => {
  const { signIn, visit, faults, lines, world } = await start(t, { brings: true });
  const secrets = [world.application.clientSecret];
  for (const path of [tokenPath, ownerPath]) {
    const attempt = await signIn.start();
    const back = await visit(attempt);
    const all = [back.get("code") ?? "", attempt.verifier, attempt.state];
    faults.splice(0, 1, {
      path,
      fault: answers(400, { error: all.join(" "), error_description: all.join(" ") }),
    });
    await signIn.finish(attempt, back);
    secrets.push(...all, ...[...world.logins].flatMap((login) => [login.accessToken, login.refreshToken]));
  }
  assert.ok(lines.length > 0);
  for (const secret of secrets) assert.ok(secret !== "" && !lines.join("").includes(secret));
});
