import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, get } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import pino from "pino";
import { stringify } from "yaml";
import { BadInputError, OperatorError, SourceError } from "../lib/errors.ts";
import { authorize } from "../lib/fanvue/authorize.ts";
import type { FanvueUser } from "../lib/fanvue/client.ts";
import { configOf, saveTokenFile, type Setup, setUp, tokenPath } from "./fanvue-client.ts";
import { runScript, startScript, temporaryFolder } from "./harness.ts";

const scopes = ["openid", "offline_access", "offline", "read:self", "read:fan", "read:insights"];

interface Test {
  after(fn: () => void | Promise<void>): void;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Attempt {
  readonly setup: Setup;
  /** What was said to the person, and the address to open. */
  readonly told: string[];
  readonly address: Promise<URL>;
  readonly input: PassThrough;
  readonly stop: AbortController;
  readonly result: Promise<FanvueUser>;
}

/** Starts authorizing with a redirect address on this machine, or with one that leads elsewhere. */
async function begin(
  t: Test,
  options: { readonly elsewhere?: boolean; readonly setup?: Setup; readonly redirectUri?: string } = {},
): Promise<Attempt> {
  const setup = options.setup ?? (await setUp(t, { authorized: false }));
  const local = `http://localhost:${await freePort()}/callback`;
  const redirectUri =
    options.redirectUri ?? (options.elsewhere === true ? "https://creator.example/callback" : local);
  setup.sandbox.app.redirectUris.push(redirectUri);
  const told: string[] = [];
  const { promise: address, resolve } = Promise.withResolvers<URL>();
  const input = new PassThrough();
  const stop = new AbortController();
  const result = authorize({
    config: { ...configOf(setup.sandbox), redirectUri },
    scopes,
    dataDir: setup.dataDir,
    memory: setup.memory,
    log: pino({ level: "silent" }),
    signal: stop.signal,
    tell(text) {
      told.push(text);
      const found = /https?:\S+\/oauth2\/auth\S*/.exec(text)?.[0];
      if (found !== undefined) resolve(new URL(found));
    },
    input,
  });
  // Whoever looks at the result later must not be told of an unhandled rejection before.
  result.catch(() => undefined);
  return { setup, told, address, input, stop, result };
}

/** What the browser is sent to after the person has decided on Fanvue's page. */
async function decide(address: URL): Promise<URL> {
  const answer = await fetch(address, { redirect: "manual" });
  return new URL(answer.headers.get("location") ?? assert.fail("no redirect"));
}

const bodyOf = async (url: URL) => (await fetch(url)).text();

/** Tries until somebody listens, for the address is shown a moment before. */
async function visit(url: URL): Promise<string> {
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(url.port), "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      }).once("error", () => {
        resolve(false);
      });
    });
    if (isOpen) return bodyOf(url);
  }
}

describe("Authorizing", () => {
  it("receives the answer at the redirect address and stores the token with its owner", async (t) => {
    const { setup, address, result } = await begin(t);
    const url = await address;
    assert.equal(url.searchParams.get("scope"), scopes.join(" "));
    assert.equal(url.searchParams.get("code_challenge_method"), "S256");
    assert.equal(await visit(await decide(url)), "Fanvue is connected. You can close this page.\n");
    const { creator } = setup.sandbox.world;
    assert.equal((await result).uuid, creator.uuid);
    const stored = JSON.parse(readFileSync(tokenPath(setup.dataDir), "utf8")) as Record<string, unknown>;
    assert.equal(stored["creatorUuid"], creator.uuid);
    assert.deepEqual(stored["scopes"], scopes);
    assert.equal(statSync(tokenPath(setup.dataDir)).mode & 0o777, 0o600);
    assert.equal(setup.facts.get("creator_uuid"), creator.uuid);
    const [exchange] = setup.sandbox.auth.requests.filter(({ path }) => path.endsWith("/token"));
    assert.match(exchange?.headers["authorization"] ?? "", /^Basic /);
    assert.equal(exchange?.form.has("client_secret"), false);
  });

  it("takes the pasted address, and says what is wrong with anything else", async (t) => {
    const { told, address, input, result } = await begin(t, { elsewhere: true });
    const back = await decide(await address);
    const foreign = new URL(back);
    foreign.searchParams.set("state", "of-another-attempt");
    input.write("hello\n");
    input.write("https://creator.example/callback\n");
    input.write(`${foreign.href}\n`);
    input.write(`${back.href}\n`);
    await result;
    const said = told.join("\n");
    assert.match(said, /not a whole address/);
    assert.match(said, /holds no answer of Fanvue/);
    assert.match(said, /belongs to another attempt/);
    assert.ok(!said.includes(back.searchParams.get("code") ?? assert.fail()));
  });

  it("turns a foreign state away and goes on waiting", async (t) => {
    const { setup, address, result } = await begin(t);
    const back = await decide(await address);
    const foreign = new URL(back);
    foreign.searchParams.set("state", "of-another-attempt");
    assert.match(await visit(foreign), /another attempt/);
    const elsewhere = new URL("/favicon.ico", back);
    assert.equal((await fetch(elsewhere)).status, 404);
    // A browser asks so for http://localhost:8080//, which is no address by itself.
    const status = await new Promise((resolve) => {
      get({ host: "127.0.0.1", port: back.port, path: "//" }, (answer) => {
        resolve(answer.resume().statusCode);
      });
    });
    assert.equal(status, 404);
    assert.equal(existsSync(tokenPath(setup.dataDir)), false);
    await visit(back);
    await result;
  });

  it("tells of a refusal and stores nothing", async (t) => {
    const { setup, address, result } = await begin(t);
    setup.sandbox.consent.deny = true;
    assert.match(await visit(await decide(await address)), /could not be connected/);
    await assert.rejects(result, (error) => {
      assert.ok(error instanceof SourceError);
      assert.match(error.message, /Access was denied/);
      return true;
    });
    assert.equal(existsSync(tokenPath(setup.dataDir)), false);
  });

  it("names the scopes to tick when the app lacks one", async (t) => {
    const { setup, address, result } = await begin(t);
    setup.sandbox.app.scopes.splice(0, Infinity, "openid", "offline_access", "offline", "read:self");
    await visit(await decide(await address));
    await assert.rejects(result, (error) => {
      assert.ok(error instanceof OperatorError);
      assert.match(error.remedy, /read:fan read:insights/);
      return true;
    });
  });

  it("refuses another creator and a fan, and changes nothing", async (t) => {
    const setup = await setUp(t);
    const { world, consent } = setup.sandbox;
    const before = readFileSync(tokenPath(setup.dataDir), "utf8");
    setup.facts.set("creator_uuid", world.uuid("the first creator"));
    const first = await begin(t, { setup });
    await visit(await decide(await first.address));
    await assert.rejects(first.result, (error) => {
      assert.ok(error instanceof BadInputError);
      assert.match(error.message, /belongs to another creator/);
      return true;
    });

    setup.facts.clear();
    consent.user = world.addFan().uuid;
    const second = await begin(t, { setup });
    await visit(await decide(await second.address));
    await assert.rejects(second.result, /not a creator's account/);
    assert.equal(readFileSync(tokenPath(setup.dataDir), "utf8"), before);
    assert.equal(setup.facts.size, 0);
  });

  it("refuses another creator than the stored token's, too", async (t) => {
    const setup = await setUp(t);
    const token = { ...setup.sandbox.issueToken(), creatorUuid: setup.sandbox.world.uuid("another") };
    saveTokenFile(setup.dataDir, token);
    const { address, result } = await begin(t, { setup });
    await visit(await decide(await address));
    await assert.rejects(result, /belongs to another creator/);
  });

  it("replaces a damaged token file", async (t) => {
    const setup = await setUp(t);
    writeFileSync(tokenPath(setup.dataDir), "{");
    const { address, result } = await begin(t, { setup });
    await visit(await decide(await address));
    await result;
    assert.match(readFileSync(tokenPath(setup.dataDir), "utf8"), /accessToken/);
  });

  it("takes the pasted address where the port is taken", async (t) => {
    const port = await freePort();
    const squatters = ["127.0.0.1", "::1"].map((host) => createServer().listen(port, host));
    await Promise.all(
      squatters.map(
        (server) => new Promise((resolve) => server.once("listening", resolve).once("error", resolve)),
      ),
    );
    t.after(() => {
      for (const server of squatters) server.close();
    });
    const attempt = await begin(t, { redirectUri: `http://localhost:${port}/callback` });
    attempt.input.end(`${(await decide(await attempt.address)).href}\n`);
    await attempt.result;
    assert.match(attempt.told.join("\n"), /is not free/);
  });

  for (const host of ["127.0.0.1", "::1"])
    it(`takes the pasted address where the port is taken at ${host} alone`, async (t) => {
      const squatter = createServer();
      const isTaken = await new Promise<boolean>((resolve) => {
        squatter.once("error", () => {
          resolve(false);
        });
        squatter.listen(0, host, () => {
          resolve(true);
        });
      });
      if (!isTaken) {
        t.skip("this machine has no such address");
        return;
      }
      t.after(() => squatter.close());
      const { port } = squatter.address() as AddressInfo;
      const attempt = await begin(t, { redirectUri: `http://localhost:${port}/callback` });
      attempt.input.end(`${(await decide(await attempt.address)).href}\n`);
      await attempt.result;
      assert.match(attempt.told.join("\n"), /is not free for us; perhaps link-server is running/);
    });

  it("ends with a way out when nobody can answer any more", async (t) => {
    const { input, result } = await begin(t, { elsewhere: true });
    input.end();
    await assert.rejects(result, (error) => {
      assert.ok(error instanceof BadInputError);
      assert.match(error.remedy, /npm run authorize/);
      return true;
    });
  });

  it("lets go of everything when it is stopped", async (t) => {
    const { address, stop, result } = await begin(t);
    const { searchParams } = await address;
    const uri = new URL(searchParams.get("redirect_uri") ?? "");
    await visit(uri);
    const reason = new Error("stopped by hand");
    stop.abort(reason);
    await assert.rejects(result, reason);
    await assert.rejects(fetch(uri));
  });
});

describe("npm run authorize", () => {
  async function install(t: Test) {
    const setup = await setUp(t, { authorized: false });
    const folder = temporaryFolder(t);
    const redirectUri = `http://127.0.0.1:${await freePort()}/callback`;
    setup.sandbox.app.redirectUris.push(redirectUri);
    const { clientId, clientSecret, apiUrl, authUrl } = setup.config;
    const fanvue = {
      client_id: clientId,
      client_secret: clientSecret,
      redirect_uri: redirectUri,
      api_url: apiUrl,
      auth_url: authUrl,
    };
    const matrix = {
      homeserver: "https://matrix.example",
      user_id: "@bot:matrix.example",
      access_token: "x",
    };
    const rooms = { "#subscribers:matrix.example": { type: "subscription", active_subscription: true } };
    writeFileSync(join(folder, "config.yaml"), stringify({ fanvue, matrix, rooms }), { mode: 0o600 });
    mkdirSync(join(folder, "data"), { mode: 0o700 });
    return { setup, folder };
  }

  it("shows the address, waits for the browser and says who was connected", async (t) => {
    const { setup, folder } = await install(t);
    const script = startScript("authorize", [], { cwd: folder });
    let shown = "";
    const address = await new Promise<URL>((resolve) => {
      script.process.stderr?.on("data", (chunk: Buffer) => {
        shown += chunk.toString();
        const found = /http\S+\/oauth2\/auth\S*(?=\s)/.exec(shown)?.[0];
        if (found !== undefined) resolve(new URL(found));
      });
    });
    await visit(await decide(address));
    const { code, stdout, stderr } = await script.result;
    assert.equal(code, 0, stderr);
    const { handle, displayName } = setup.sandbox.world.creator;
    assert.equal(stdout, `Fanvue is connected as @${handle} (${displayName}).\n`);
    const token = JSON.parse(readFileSync(tokenPath(join(folder, "data")), "utf8")) as Record<string, string>;
    const form = setup.sandbox.auth.requests.find(({ path }) => path.endsWith("/token"))?.form;
    const secrets = [
      token["accessToken"],
      token["refreshToken"],
      form?.get("code"),
      form?.get("code_verifier"),
    ];
    for (const secret of [...secrets, setup.config.clientSecret]) {
      assert.ok(secret);
      assert.equal((stdout + stderr).includes(secret), false);
    }

    const { world } = setup.sandbox;
    world.tip(world.addFan(), 700, Date.now() - 60_000);
    const fetched = await runScript("fetch-earnings", ["--json"], { cwd: folder });
    assert.equal(fetched.code, 0, fetched.stderr);
    const { added, rows } = JSON.parse(fetched.stdout) as Record<string, unknown>;
    assert.deepEqual([added, rows], [1, 1]);
  });

  it("stops cleanly at Ctrl-C", async (t) => {
    const { folder } = await install(t);
    const script = startScript("authorize", [], { cwd: folder });
    await new Promise<void>((resolve) => {
      script.process.stderr?.on("data", (chunk: Buffer) => {
        if (chunk.toString().includes("/oauth2/auth")) resolve();
      });
    });
    script.process.kill("SIGINT");
    const { code, stderr } = await script.result;
    assert.equal(code, 130);
    assert.doesNotMatch(stderr, /bug|at .*\.ts/);
  });

  it("fetch-earnings without a connected account leads to npm run authorize", async (t) => {
    const { folder } = await install(t);
    const { code, stderr } = await runScript("fetch-earnings", [], { cwd: folder });
    assert.equal(code, 5);
    assert.match(stderr, /npm run authorize/);
  });
});
