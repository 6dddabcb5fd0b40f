/** The Matrix target: whose account it works with, the clock, and secrets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import pino from "pino";
import { PlatformError } from "../lib/errors.ts";
import { openMatrix } from "../lib/matrix/target.ts";
import { startMatrix } from "./sandbox/matrix.ts";
import { mxid, placeOf, startHome, stepOf, perform, performOne } from "./sandbox/matrix-home.ts";

// ---- Whose token ------------------------------------------------------------------------------------------------

test("a refused access token ends the run before anything is written", async (t) => {
  const { sandbox, world, bot, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const user = world.users.get(bot);
  assert.ok(user);
  user.token = undefined;
  const target = open();
  await assert.rejects(target.read([placeOf(room)], new Set()), (error) => {
    assert.ok(error instanceof PlatformError);
    assert.match(error.message, /M_UNKNOWN_TOKEN/);
    assert.match(error.remedy, /new access token/);
    return true;
  });
  await assert.rejects(performOne(target, stepOf("grant", room, fan("mara"))), PlatformError);
  assert.deepEqual(
    sandbox.requests.map((one) => one.path),
    ["/_matrix/client/v3/account/whoami"],
  );
});

test("a token of another account than the configured one is refused", async (t) => {
  const { open, newRoom, config, owner } = await startHome(t);
  const room = newRoom();
  const target = openMatrix(
    { ...config, accessToken: "token-of-owner" },
    { log: pino({ level: "silent" }), signal: new AbortController().signal },
  );
  await assert.rejects(target.read([placeOf(room)], new Set()), {
    name: "PlatformError",
    message: `The access token belongs to ${owner}, but the config names ${config.userId} as the bot.`,
  });
  assert.ok(await open().read([placeOf(room)], new Set()));
});

test("an account that must accept new terms, or is locked or suspended, ends the run with a remedy", async (t) => {
  const { sandbox, open, newRoom } = await startHome(t);
  const room = newRoom();
  for (const [status, errcode, remedy] of [
    [403, "M_CONSENT_NOT_GIVEN", /accept the homeserver's terms/],
    [401, "M_USER_LOCKED", /unlock/],
    [403, "M_USER_SUSPENDED", /suspension/],
    [403, "M_USER_DEACTIVATED", /live account/],
  ] as const) {
    const reply = { status, body: { errcode, error: "no" } };
    sandbox.faults.splice(0, Infinity, { path: /whoami/, fault: { kind: "answer", reply } });
    await assert.rejects(open().read([placeOf(room)], new Set()), (error) => {
      assert.ok(error instanceof PlatformError);
      assert.match(error.remedy, remedy);
      return true;
    });
  }
});

test("an address that is no homeserver is told apart from a refused token", async (t) => {
  const { sandbox, open, newRoom } = await startHome(t);
  const room = newRoom();
  const page = { status: 404, body: "<h1>Not here</h1>" };
  sandbox.faults.push({ path: /whoami/, fault: { kind: "answer", reply: page } });
  await assert.rejects(open().read([placeOf(room)], new Set()), (error) => {
    assert.ok(error instanceof PlatformError);
    assert.match(error.message, /does not work as a Matrix homeserver/);
    assert.match(error.remedy, /"homeserver"/);
    return true;
  });
});

test("a redirect is not followed with the bot's token", async (t) => {
  const { sandbox, open, newRoom } = await startHome(t);
  const room = newRoom();
  const reply = { status: 308, headers: { location: `${sandbox.url}/elsewhere` } };
  sandbox.faults.push({ path: /whoami/, fault: { kind: "answer", reply } });
  await assert.rejects(open().read([placeOf(room)], new Set()), /sends us elsewhere \(308\)/);
  assert.equal(sandbox.requests.length, 1);
});

test("the account is asked for once, however often places are read", async (t) => {
  const { sandbox, open, newRoom } = await startHome(t);
  const place = placeOf(newRoom());
  const target = open();
  await target.read([place], new Set());
  await target.read([place], new Set());
  assert.equal(sandbox.requests.filter((one) => one.path.endsWith("whoami")).length, 1);
  assert.equal(target.requests(), 3);
});

// ---- Clock and secrets ------------------------------------------------------------------------------------------

test("the homeserver's clock is compared with ours", async (t) => {
  const sandbox = await startMatrix({ now: () => Date.now() - 7 * 60_000 });
  t.after(() => sandbox.stop());
  const bot = sandbox.world.addUser("bot");
  const target = openMatrix(
    {
      homeserver: sandbox.url,
      userId: mxid(bot.id),
      accessToken: bot.token,
      places: [],
    },
    { log: pino({ level: "silent" }), signal: new AbortController().signal },
  );
  assert.equal(target.clockSkewMs(), undefined);
  await target.read([], new Set());
  const skewMs = target.clockSkewMs();
  assert.ok(skewMs !== undefined && Math.abs(skewMs - 7 * 60_000) < 5_000, String(skewMs));
});

test("the access token is in no log and no sentence", async (t) => {
  const { sandbox, config, logged, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const target = open();
  await target.read([placeOf(room), placeOf("#nowhere:matrix.example")], new Set());
  sandbox.faults.push({ path: /invite$/, fault: { kind: "drop" } });
  const outcomes = await perform(target, [stepOf("grant", room, fan("nina"))]);
  assert.ok(logged.length > 0);
  const said = [...logged, JSON.stringify(outcomes)].join("\n");
  assert.doesNotMatch(said, new RegExp(config.accessToken));
  assert.ok(sandbox.requests.every((one) => !one.query.has("access_token")));
});

test("a homeserver that repeats the access token does not get it into log or report", async (t) => {
  const { sandbox, config, logged, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const target = open();
  await target.read([placeOf(room)], new Set());
  const { accessToken } = config;
  const body = { errcode: `M_${accessToken}`, error: `${"x".repeat(190)} ${accessToken} is bad` };
  sandbox.faults.push({ path: /invite$/, fault: { kind: "answer", reply: { status: 400, body } } });
  const said = JSON.stringify(await perform(target, [stepOf("grant", room, fan("nina"))]));
  assert.match(said, /M_\[secret\]/);
  for (const part of [accessToken, accessToken.slice(0, 8)])
    assert.ok(![...logged, said].join("\n").includes(part), part);
});
