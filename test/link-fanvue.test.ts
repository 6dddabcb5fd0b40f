/** Proving a Fanvue account by signing in there, and messages to fans: what is asked, what is kept, what refusals mean. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import pino from "pino";
import { openFanvueSignIn } from "../lib/link/fanvue-sign-in.ts";
import type { Attempt } from "../lib/link/proofs.ts";
import { configOf, fanIdOf, setUp, type SetupOptions } from "./fanvue-client.ts";
import { linkConfig } from "./link-parts.ts";
import { answers, cutBody, drops, hangs, notJson, withoutField } from "./sandbox/faults.ts";
import { startFanvue } from "./sandbox/fanvue.ts";
import type { FaultKind } from "./sandbox/server.ts";

interface Test {
  after(fn: () => void | Promise<void>): void;
}

const publicUrl = "https://link.example.org";
const redirectUri = `${publicUrl}/callback`;

interface StartOptions {
  readonly generation?: "v1" | "unprefixed";
  readonly secret?: string;
  readonly scopes?: readonly string[];
}

async function start(test: Test, { generation = "v1", secret, scopes }: StartOptions = {}) {
  const sandbox = await startFanvue({
    app: {
      redirectUris: ["http://localhost:8080/callback", redirectUri],
      ...(scopes === undefined ? {} : { scopes: [...scopes] }),
    },
    quirks: { generations: [generation] },
  });
  test.after(() => sandbox.stop());
  const fan = sandbox.world.addFan("sunny");
  sandbox.consent.user = fan.uuid;
  const lines: string[] = [];
  const config = configOf(sandbox);
  const signIn = openFanvueSignIn(
    {
      fanvue: { ...config, clientSecret: secret ?? config.clientSecret },
      link: { ...linkConfig, publicUrl },
    },
    {
      log: pino({ level: "trace" }, { write: (line: string) => void lines.push(line) }),
      signal: new AbortController().signal,
      timeoutMs: 1000,
    },
  );
  /** The browser goes to Fanvue's page and comes back with these parameters. */
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
  return { sandbox, fan, signIn, visit, walk, lines };
}

const failed = (failure: string) => ({ is: "failed", failure });

describe("signing in with Fanvue", () => {
  for (const generation of ["v1", "unprefixed"] as const) {
    test(`proves whose account it is, by the ${generation} API`, async (t) => {
      const { sandbox, fan, signIn, visit, walk } = await start(t, { generation });
      const attempt = await signIn.start();
      assert.equal(attempt.url.searchParams.get("scope"), "openid read:self");
      assert.equal(attempt.url.searchParams.get("code_challenge_method"), "S256");
      assert.equal(attempt.url.searchParams.get("state"), attempt.state);
      const proof = { fan: fan.uuid, handle: "sunny", displayName: fan.displayName, how: "sign-in" };
      assert.deepEqual(await signIn.finish(attempt, await visit(attempt)), { is: "proved", proof });
      const requests = sandbox.requests.length;
      // The next one is another person, and what the API is like is known by now.
      const other = sandbox.world.addFan("moon");
      sandbox.consent.user = other.uuid;
      assert.partialDeepStrictEqual(await walk(), { is: "proved", proof: { fan: other.uuid } });
      assert.equal(sandbox.requests.length - requests, 1);
    });
  }

  test("fails in words when the person says no", async (t) => {
    const { sandbox, walk } = await start(t);
    sandbox.consent.deny = true;
    assert.deepEqual(await walk(), failed("declined"));
  });

  test("takes Fanvue's own name with and without a slash at its end, and nobody else's", async (t) => {
    const { sandbox, signIn, visit } = await start(t);
    const issuer = configOf(sandbox).authUrl;
    const told = async (...names: readonly string[]) => {
      const attempt = await signIn.start();
      const parameters = await visit(attempt);
      parameters.delete("iss");
      for (const name of names) parameters.append("iss", name);
      return signIn.finish(attempt, parameters);
    };
    for (const name of [issuer, `${issuer}/`])
      assert.partialDeepStrictEqual(await told(name), { is: "proved" }, name);
    for (const name of [
      `${issuer}//`,
      `${issuer}/x`,
      `${issuer}.evil.example/`,
      "https://evil.example/",
      "/",
    ])
      assert.deepEqual(await told(name), failed("expired"), name);
    assert.deepEqual(await told(issuer, `${issuer}/`), failed("expired"));
  });

  test("takes only what belongs to the attempt, and a code once", async (t) => {
    const { signIn, visit } = await start(t);
    const [mine, other] = [await signIn.start(), await signIn.start()];
    const parameters = await visit(mine);
    assert.notEqual(mine.state, other.state);
    assert.notEqual(mine.verifier, other.verifier);
    assert.deepEqual(await signIn.finish(other, parameters), failed("expired"));
    // The right state with another attempt's verifier: PKCE does not let it pass.
    assert.deepEqual(await signIn.finish({ ...other, state: mine.state }, parameters), failed("expired"));
    assert.partialDeepStrictEqual(await signIn.finish(mine, parameters), { is: "proved" });
    assert.deepEqual(await signIn.finish(mine, parameters), failed("expired"));
  });

  const troubles: readonly (readonly [string, "auth" | "api", FaultKind])[] = [
    ["the token service is down", "auth", answers(503)],
    ["the token service sends no JSON", "auth", notJson()],
    ["the token answer has no token", "auth", withoutField("access_token")],
    ["the token answer is lost", "auth", drops()],
    ["the API refuses the token", "api", answers(401, { error: "Unauthorized" })],
    ["the API refuses the scope", "api", answers(403, { error: "Insufficient scope" })],
    ["the API names no uuid", "api", withoutField("uuid")],
    ["the API's answer is cut", "api", cutBody()],
    ["the API does not answer", "api", hangs()],
  ];
  for (const [name, side, fault] of troubles) {
    test(`says that the service is away when ${name}, and tells nothing of it`, async (t) => {
      const { sandbox, walk, lines } = await start(t);
      const path = side === "auth" ? /\/oauth2\/token$/ : /\/users\/me$/;
      (side === "auth" ? sandbox.auth : sandbox.api).faults.push({ path, fault });
      assert.deepEqual(await walk(), failed("service away"));
      assert.match(lines.join(""), /could not sign in with Fanvue/);
      assert.doesNotMatch(lines.join(""), /access_|code_|@meadow|sandbox-app-secret/);
    });
  }

  test("tells the operator when the app does not match the config", async (t) => {
    const wrongSecret = await start(t, { secret: "wrong-secret" });
    assert.deepEqual(await wrongSecret.walk(), failed("service away"));
    assert.match(wrongSecret.lines.join(""), /fanvue\.client_secret/);
    assert.doesNotMatch(wrongSecret.lines.join(""), /wrong-secret/);

    const fewScopes = await start(t, { scopes: ["openid"] });
    assert.deepEqual(await fewScopes.walk(), failed("service away"));
    assert.match(fewScopes.lines.join(""), /invalid_scope.*read:self/);
  });
});

// ---- Messages ---------------------------------------------------------------------------------------------------

async function startChat(test: Test, options: SetupOptions = {}) {
  const { sandbox, ...home } = await setUp(test, options);
  const fan = sandbox.world.addFan("sunny");
  const fanvue = home.open();
  await fanvue.fetchMe();
  const posts = () => sandbox.requests.filter(({ method }) => method === "POST").map(({ path }) => path);
  const send = (text = "Hello") => fanvue.sendMessage(fanIdOf(fan), text);
  return { sandbox, fan, posts, send };
}

describe("a message to a fan", () => {
  for (const generation of ["v1", "unprefixed"] as const) {
    test(`opens the chat where there is none, in the ${generation} API`, async (t) => {
      const { sandbox, fan, posts, send } = await startChat(t, { generation });
      assert.deepEqual(await send("First"), { is: "sent" });
      assert.equal(posts().length, 3);
      assert.deepEqual(await send("Second"), { is: "sent" });
      assert.equal(posts().length, 4);
      assert.partialDeepStrictEqual(sandbox.world.messages, [
        { fan: fan.uuid, text: "First", from: "creator", priceCents: null },
        { fan: fan.uuid, text: "Second" },
      ]);
    });
  }

  test("is refused by whoever takes none", async (t) => {
    const { fan, send } = await startChat(t);
    fan.contactable = false;
    assert.partialDeepStrictEqual(await send(), { is: "refused" });
  });

  test("is never sent again when its answer gets lost", async (t) => {
    const { sandbox, posts, send } = await startChat(t);
    await send();
    for (const fault of [drops(), cutBody(), answers(502)]) {
      const before = posts().length;
      sandbox.faults.push({ path: /\/message$/, fault, times: 1 });
      assert.partialDeepStrictEqual(await send(), { is: "unanswered" });
      assert.equal(posts().length - before, 1);
    }
  });

  test("surely was not sent when the scope is missing or the chat cannot be opened", async (t) => {
    const without = await startChat(t, { scopes: ["read:self"] });
    const refused = await without.send();
    assert.ok(refused.is === "failed");
    assert.match(refused.why, /write:chat/);
    assert.equal(without.posts().length, 1);

    const { sandbox, send } = await startChat(t);
    sandbox.faults.push({ path: /\/chats$/, fault: answers(503) });
    assert.partialDeepStrictEqual(await send(), { is: "failed" });
    assert.deepEqual(sandbox.world.messages, []);
  });

  test("waits for its turn when Fanvue asks for a pause", async (t) => {
    const { sandbox, send } = await startChat(t);
    await send();
    const reply = { status: 429, body: { error: "Too many" }, headers: { "retry-after": "0" } };
    sandbox.faults.push({ path: /\/message$/, fault: { kind: "answer", reply }, times: 2 });
    assert.deepEqual(await send("Later"), { is: "sent" });
    assert.equal(sandbox.world.messages.length, 2);
  });
});
