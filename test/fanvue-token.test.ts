import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { BadInputError, SourceError } from "../lib/errors.ts";
import { missingScopes, scopesFor } from "../lib/fanvue/scopes.ts";
import { parseListId, parseMxid } from "../lib/ids.ts";
import type { Place, Rule } from "../lib/model.ts";
import { nextLine, startChild } from "./children/start.ts";
import { known, saveTokenFile, type Setup, setUp, tokenPath } from "./fanvue-client.ts";
import { answers, drops, hangs } from "./sandbox/faults.ts";

const refreshes = ({ sandbox }: Setup) =>
  sandbox.auth.requests.filter(({ form }) => form.get("grant_type") === "refresh_token");

interface TokenFile {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAtMs: number;
  readonly creatorUuid?: string;
}
const stored = ({ dataDir }: Setup) => JSON.parse(readFileSync(tokenPath(dataDir), "utf8")) as TokenFile;

/** A stored token whose hour is over. */
function age(setup: Setup): void {
  setup.sandbox.tokens.expireAccessTokens();
  saveTokenFile(setup.dataDir, { ...stored(setup), expiresAtMs: Date.now() - 1 });
}

describe("The Fanvue token", () => {
  it("is renewed once when several processes and many calls find it too old", async (t) => {
    const setup = await setUp(t);
    age(setup);
    const { apiUrl, authUrl, clientId, clientSecret } = setup.config;
    const given = [apiUrl, authUrl, clientId, clientSecret, setup.dataDir];
    const children = [1, 2].map(() => startChild(t, "fanvue-reader", given));
    const here = [setup.open(), setup.open(), setup.open()];
    const reads = Promise.all(here.flatMap((fanvue) => [fanvue.fetchFollowers(), fanvue.fetchFollowers()]));
    const creator = setup.sandbox.world.creator.uuid;
    assert.deepEqual(await Promise.all(children.map(nextLine)), [creator, creator]);
    for (const read of await reads) known<unknown>(read);
    assert.equal(refreshes(setup).length, 1);
  });

  it("is renewed before its end, and the file is readable by its owner only", async (t) => {
    const setup = await setUp(t);
    saveTokenFile(setup.dataDir, { ...stored(setup), expiresAtMs: Date.now() + 30_000 });
    const before = stored(setup);
    known(await setup.open().fetchFollowers());
    const after = stored(setup);
    assert.notEqual(after.refreshToken, before.refreshToken);
    assert.ok(after.expiresAtMs > Date.now() + 3_000_000);
    assert.equal(after.creatorUuid, undefined);
    assert.equal(statSync(tokenPath(setup.dataDir)).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(setup.dataDir).sort(), ["fanvue-token.json", "locks"]);
  });

  it("is on the disk before it is used", async (t) => {
    const setup = await setUp(t);
    age(setup);
    const seen: boolean[] = [];
    setup.sandbox.faults.push({
      path: /./,
      fault: {
        kind: "edit",
        edit(body) {
          const used = setup.sandbox.auth.requests.length > 0;
          seen.push(used && stored(setup).expiresAtMs > Date.now());
          return body;
        },
      },
    });
    known(await setup.open().fetchFollowers());
    assert.ok(seen.length > 0 && seen.every(Boolean));
    const authorizations = setup.sandbox.requests.map(({ headers }) => headers["authorization"]);
    assert.deepEqual(new Set(authorizations), new Set([`Bearer ${stored(setup).accessToken}`]));
  });

  it("survives an answer that got lost: the old refresh token is tried again at once", async (t) => {
    const setup = await setUp(t);
    age(setup);
    setup.sandbox.auth.faults.push({ path: /token/, fault: { kind: "cut" }, times: 1 });
    known(await setup.open().fetchFollowers());
    const used = refreshes(setup).map(({ form }) => form.get("refresh_token"));
    assert.equal(used.length, 2);
    assert.equal(used[0], used[1]);
  });

  it("survives a process that was killed between Fanvue's answer and the disk", async (t) => {
    const setup = await setUp(t);
    age(setup);
    const before = stored(setup);
    known(await setup.open().fetchFollowers());
    // As if the new token had never been written.
    saveTokenFile(setup.dataDir, before);
    known(await setup.open().fetchFollowers());
    assert.equal(refreshes(setup).length, 2);
    assert.notEqual(stored(setup).refreshToken, before.refreshToken);
  });

  it("is renewed once when Fanvue refuses it before its time", async (t) => {
    const setup = await setUp(t);
    setup.sandbox.tokens.expireAccessTokens();
    const fanvue = setup.open();
    await Promise.all(
      [fanvue.fetchFollowers(), fanvue.fetchSubscribers()].map(async (read) => known(await read)),
    );
    assert.equal(refreshes(setup).length, 1);
  });

  it("ends the run when the renewed one is refused as well, after one retry", async (t) => {
    const setup = await setUp(t);
    setup.sandbox.faults.push({ path: /./, fault: answers(401, { error: "Unauthorized" }) });
    await assert.rejects(setup.open().fetchFollowers(), (error) => {
      assert.ok(error instanceof SourceError);
      assert.match(error.remedy, /npm run authorize/);
      return true;
    });
    assert.equal(refreshes(setup).length, 1);
    assert.equal(setup.sandbox.requests.length, 2);
  });

  it("that was revoked ends the run with the way out, once, and stays where it is", async (t) => {
    const setup = await setUp(t);
    age(setup);
    setup.sandbox.tokens.revokeEverything();
    const before = readFileSync(tokenPath(setup.dataDir), "utf8");
    await assert.rejects(setup.open().fetchFollowers(), (error) => {
      assert.ok(error instanceof SourceError);
      assert.match(`${error.message} ${error.remedy}`, /no longer accepts.*npm run authorize/);
      assert.doesNotMatch(
        JSON.stringify([error.message, error.stack, error.cause]),
        /refresh_|access_|secret/,
      );
      return true;
    });
    assert.equal(refreshes(setup).length, 1);
    assert.equal(readFileSync(tokenPath(setup.dataDir), "utf8"), before);
  });

  it("that cannot be renewed for want of a network is a matter of the source", async (t) => {
    const setup = await setUp(t);
    age(setup);
    setup.sandbox.auth.faults.push({ path: /./, fault: drops() });
    await assert.rejects(setup.open().fetchFollowers(), /token service cannot be reached/);
  });

  it("wrong client secrets are a fault of the config", async (t) => {
    const setup = await setUp(t);
    age(setup);
    setup.sandbox.app.clientSecret = "another";
    await assert.rejects(setup.open().fetchFollowers(), (error) => {
      assert.ok(error instanceof BadInputError);
      assert.match(error.message, /fanvue\.client_id and fanvue\.client_secret/);
      return true;
    });
  });

  it("keeps the old refresh token when the answer brings none", async (t) => {
    const setup = await setUp(t);
    age(setup);
    const before = stored(setup);
    const accessToken = setup.sandbox.issueToken().accessToken;
    const reply = { access_token: accessToken, token_type: "bearer", expires_in: 3600 };
    setup.sandbox.auth.faults.push({ path: /token/, fault: answers(200, reply), times: 1 });
    known(await setup.open().fetchFollowers());
    assert.equal(stored(setup).accessToken, accessToken);
    assert.equal(stored(setup).refreshToken, before.refreshToken);
  });

  it("that is missing or damaged leads to npm run authorize", async (t) => {
    const setup = await setUp(t, { authorized: false });
    await assert.rejects(setup.open().fetchFollowers(), (error) => {
      assert.ok(error instanceof SourceError);
      assert.match(error.remedy, /npm run authorize/);
      return true;
    });
    writeFileSync(tokenPath(setup.dataDir), '{"accessToken": "acc');
    await assert.rejects(setup.open().fetchFollowers(), (error) => {
      assert.ok(error instanceof BadInputError);
      assert.match(error.message, /damaged/);
      return true;
    });
  });

  it("that others on the machine can read gets a warning", async (t) => {
    const setup = await setUp(t);
    chmodSync(tokenPath(setup.dataDir), 0o644);
    known(await setup.open().fetchFollowers());
    assert.match(setup.logged.join(""), /can be read by others.*chmod 600/);
  });

  it("of the Python tool is taken over with a warning, and kept in our own file once renewed", async (t) => {
    const setup = await setUp(t, { authorized: false });
    const oldTokenPath = join(dirname(setup.dataDir), "fanvue_tokens.json");
    const issued = setup.sandbox.issueToken();
    const old = {
      access_token: issued.accessToken,
      refresh_token: issued.refreshToken,
      token_type: "bearer",
    };
    writeFileSync(oldTokenPath, JSON.stringify(old));
    known(await setup.open({ oldTokenPath }).fetchFollowers());
    assert.match(setup.logged.join(""), /Python tool must not run any more/);
    assert.notEqual(stored(setup).refreshToken, issued.refreshToken);
    assert.equal(stored(setup).accessToken === issued.accessToken, false);
    assert.deepEqual(JSON.parse(readFileSync(oldTokenPath, "utf8")), old);
  });

  it("of the Python tool that may not tell whose it is leads to npm run authorize", async (t) => {
    const setup = await setUp(t, { scopes: ["openid", "offline_access", "read:fan", "read:insights"] });
    await assert.rejects(setup.open().fetchFollowers(), /read:self/);
  });

  it("stops waiting when the run is stopped", async (t) => {
    const setup = await setUp(t);
    setup.sandbox.faults.push({ path: /followers/, fault: hangs() });
    const controller = new AbortController();
    const stopped = new Error("stopped by hand");
    const reading = setup.open({ signal: controller.signal, timeoutMs: 30_000 }).fetchFollowers();
    const poll = setInterval(() => {
      if (setup.sandbox.requests.some(({ path }) => path.endsWith("/followers"))) controller.abort(stopped);
    }, 5);
    await assert.rejects(reading, stopped);
    clearInterval(poll);
    assert.equal(existsSync(tokenPath(setup.dataDir)), true);
  });
});

describe("Scopes", () => {
  const place = (rule: Rule): Place => ({
    target: "discord",
    id: "1",
    rules: [rule],
    onExpiry: "revoke",
    graceDays: 0,
    strangers: "keep",
    adopt: true,
  });
  const userId = parseMxid("@bot:example.org") ?? assert.fail();
  const matrix = (rule: Rule) => ({
    homeserver: "",
    userId,
    accessToken: "",
    places: [place(rule)],
  });
  const least = ["openid", "offline_access", "offline", "read:self", "read:fan", "read:insights"];

  it("are no more than the config needs", () => {
    const id = parseListId("vip");
    assert.ok(id);
    const link = {
      isConfigured: true,
      publicUrl: undefined,
      host: "",
      port: 1,
      name: undefined,
      color: undefined,
      signIn: true,
      inboxCode: true,
      personalLinks: true,
    };
    const none = { discord: undefined, listSync: [], link };
    assert.deepEqual(scopesFor({ ...none, matrix: matrix({ kind: "top_spender" }) }), least);
    assert.deepEqual(
      scopesFor({ ...none, matrix: matrix({ kind: "fanvue_list", list: { type: "smart", id } }) }),
      [...least, "read:chat"],
    );
    const site = { ...link, publicUrl: "https://link.example.org" };
    const forSite = (changes: Partial<typeof link>) =>
      scopesFor({ ...none, matrix: undefined, link: { ...site, ...changes } });
    assert.deepEqual(forSite({}), [...least, "write:chat"]);
    assert.deepEqual(forSite({ inboxCode: false }), [...least, "write:chat"]);
    assert.deepEqual(forSite({ inboxCode: false, personalLinks: false }), least);
  });

  it("that were not granted are named, where the grant is known", () => {
    assert.deepEqual(missingScopes(undefined, ["read:chat"]), []);
    assert.deepEqual(missingScopes(["offline", "read:fan"], ["offline_access", "read:chat"]), ["read:chat"]);
  });
});
