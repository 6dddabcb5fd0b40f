import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PermissionFlagsBits, RESTJSONErrorCodes as codes } from "discord-api-types/v10";
import pino from "pino";
import { PlatformError } from "../lib/errors.ts";
import type { Logins } from "../lib/logins.ts";
import type { Outcome } from "../lib/target.ts";
import { joining, memberPath, refusal, resultsOf, serverWithLogins as start } from "./discord-logins.ts";
import { withdrawLogins } from "./sandbox/discord-logins.ts";
import {
  addModerator,
  addOtherBot,
  kickByHand,
  leave,
  moderatorId,
  otherBotId,
} from "./sandbox/discord-people.ts";
import {
  account,
  bothPlaces,
  gold,
  type OpenOptions,
  placeOf,
  range,
  readable,
  stepOf,
  vip,
  writes,
} from "./sandbox/discord-setup.ts";
import { addMember, addRole, holdersOf, roleIdAt, userIdAt } from "./sandbox/discord-world.ts";
import { answers, hangs } from "./sandbox/faults.ts";

test("who gave a login and is not there can be brought in; looking asks for no login", async (t) => {
  const { open, giveLogin, sent } = await start(t);
  await giveLogin(0, { lastsMs: -1 });
  const linked = new Set([account(0), account(1)]);
  const read = async (options: OpenOptions = {}) => {
    const [state] = [...(await open(options).read(bothPlaces, linked)).values()];
    assert.ok(state !== undefined);
    return [...readable(state).members.values()];
  };
  const absent = { is: "absent" };
  assert.deepEqual(await read(), [{ is: "absent", joinable: true, kick: "none" }, absent]);
  assert.deepEqual(await read({ autoJoin: { enabled: false, roles: [] } }), [absent, absent]);
  assert.deepEqual(await read({ oauth: undefined }), [absent, absent]);
  assert.deepEqual(sent(), []);
});

describe("who may be brought in", { concurrency: true }, () => {
  /** Fans who are gone, each in another way, of whom all but the last gave a login. */
  const startGone = async (t: Parameters<typeof start>[0]) => {
    const { discord, world, open, giveLogin } = await start(t);
    addModerator(world);
    addOtherBot(world);
    for (const index of range(5)) addMember(world, { id: userIdAt(index) });
    for (const [index, by] of [moderatorId, otherBotId, world.bot.id].entries())
      kickByHand(world, { by, to: userIdAt(index) });
    leave(world, userIdAt(3));
    kickByHand(world, { by: moderatorId, to: userIdAt(4) });
    for (const index of range(4)) await giveLogin(index);
    const read = async (count = 5) => {
      const target = open();
      const [state] = (await target.read(bothPlaces, new Set(range(count).map(account)))).values();
      assert.ok(state !== undefined);
      const { members } = readable(state);
      const standings = range(count).map((index) => {
        const standing = members.get(account(index));
        if (standing?.is !== "absent") return standing?.is;
        if (typeof standing.kick === "object") return "kicked";
        return standing.joinable === true ? "joinable" : "absent";
      });
      return { standings, warnings: target.warnings?.() ?? [] };
    };
    const asked = () => discord.requests.filter(({ path }) => path.endsWith("/audit-logs"));
    return { discord, world, giveLogin, read, asked };
  };

  test("was not thrown out by a person, nor by another bot; the log is asked for nobody else", async (t) => {
    const { read, asked } = await startGone(t);
    const { standings } = await read();
    assert.deepEqual(standings, ["kicked", "kicked", "joinable", "joinable", "absent"]);
    assert.deepEqual(
      asked().map(({ query }) => Object.fromEntries(query)),
      range(4).map((index) => ({ action_type: "20", limit: "100", target_id: userIdAt(index) })),
    );
  });

  test("is judged by the newest kick", async (t) => {
    const { world, read } = await startGone(t);
    for (const [index, by] of [world.bot.id, moderatorId].entries()) {
      addMember(world, { id: userIdAt(index) });
      kickByHand(world, { by, to: userIdAt(index) });
    }
    assert.deepEqual((await read(2)).standings, ["joinable", "kicked"]);
  });

  test("is looked for in the pages of all kicks, where many are gone", async (t) => {
    const { giveLogin, read, asked } = await startGone(t);
    for (const index of range(30).slice(4)) await giveLogin(index);
    const { standings } = await read(30);
    assert.deepEqual(standings.slice(0, 6), [
      ...["kicked", "kicked", "joinable", "joinable"],
      ...["kicked", "joinable"],
    ]);
    assert.equal(asked().length, 1);
  });

  test("is unknown where the log does not tell for the moment", async (t) => {
    const { discord, read } = await startGone(t);
    discord.faults.push({ path: /\/audit-logs$/, times: 1, fault: refusal(400, 130_000) });
    assert.deepEqual((await read()).standings, ["unknown", "kicked", "joinable", "joinable", "absent"]);
  });

  test("is everybody where Discord refuses the log, which is asked once, and one warning", async (t) => {
    const { discord, read, asked } = await startGone(t);
    discord.faults.push({ path: /\/audit-logs$/, fault: refusal(403, codes.MissingPermissions) });
    const { standings, warnings } = await read();
    assert.deepEqual(standings, [...range(4).map(() => "joinable"), "absent"]);
    assert.equal(asked().length, 1);
    assert.match(warnings.join(), /View Audit Log/);
  });
});

describe("bringing a fan in", { concurrency: true }, () => {
  test("is not tried where fans log in at another application than the bot's: one sentence, and no login is touched", async (t) => {
    const { logins, open, perform, giveLogin, sent, world } = await start(t);
    await giveLogin(0);
    const client = { clientId: "300000000000000099", clientSecret: "theirs" };
    const target = open({ oauth: { ...client, redirectUri: "", serverHost: "", serverPort: 0 } });
    const [state] = (await target.read(bothPlaces, new Set([account(0)]))).values();
    assert.ok(state !== undefined);
    assert.deepEqual(readable(state).members.get(account(0)), { is: "absent" });
    assert.match(
      target.warnings?.().join() ?? "",
      new RegExp(
        `oauth_client_id is ${client.clientId}, but the bot belongs to the application ${world.application.id}, `,
      ),
    );
    assert.deepEqual(await perform([], target), []);
    assert.deepEqual(sent(), []);
    assert.deepEqual([(await logins.accounts()).size, world.logins.size], [1, 1]);
  });

  test("one request brings them in with all their roles; then their login ends, here and at Discord", async (t) => {
    const { discord, world, logins, perform, giveLogin, sent, stored } = await start(t);
    const login = await giveLogin(0);
    const outcomes = await perform([joining(account(0)), joining(account(0), gold)]);
    assert.deepEqual(resultsOf(outcomes), ["done", "done"]);
    assert.deepEqual(world.members.get(userIdAt(0))?.roles, new Set([vip, gold]));
    assert.deepEqual(sent(), [`PUT ${userIdAt(0)}`, "POST revoke"]);
    assert.deepEqual(writes(discord)[0]?.json, { access_token: login.accessToken, roles: [vip, gold] });
    assert.equal(world.logins.size, 0);
    assert.equal((await logins.accounts()).size, 0);
    const file = stored();
    for (const token of [login.accessToken, login.refreshToken])
      assert.ok(!file.includes(token), "not a byte of it is left on the disk");
  });

  test("each fan is brought in for themselves, beside the steps of others", async (t) => {
    const { world, perform, giveLogin, sent } = await start(t);
    for (const index of [0, 1]) await giveLogin(index);
    addMember(world, { id: userIdAt(2), roles: [gold] });
    const steps = [
      stepOf("grant", account(2)),
      joining(account(0)),
      joining(account(1)),
      joining(account(1), gold),
      stepOf("revoke", account(2), gold),
    ];
    const outcomes = await perform(steps);
    assert.deepEqual(new Map(outcomes.map(({ step, result }) => [step, result])).size, steps.length);
    assert.ok(outcomes.every(({ result }) => result === "done"));
    assert.deepEqual(holdersOf(world, vip), [userIdAt(0), userIdAt(1), userIdAt(2)]);
    assert.deepEqual(holdersOf(world, gold), [userIdAt(1)]);
    assert.equal(sent().filter((request) => request.startsWith("PUT")).length, 3);
  });

  test("who is there by now gets each role by itself, never two at once, and keeps what they have", async (t) => {
    const { discord, world, open, perform, giveLogin, sent } = await start(t);
    await giveLogin(0);
    const other = roleIdAt(7);
    addRole(world, { id: other });
    addMember(world, { id: userIdAt(0), roles: [other] });
    // Whatever flew beside a request that is not answered would come in before its repetition.
    for (const path of [memberPath, new RegExp(`/roles/${vip}$`)])
      discord.faults.push({ path, times: 1, fault: hangs() });
    const steps = [joining(account(0)), joining(account(0), gold), stepOf("revoke", account(0), gold)];
    assert.deepEqual(resultsOf(await perform(steps, open({ timeoutMs: 100 }))), ["done", "done", "done"]);
    const id = userIdAt(0);
    assert.deepEqual(sent(), [
      ...[`PUT ${id}`, `PUT ${id}`, `PUT ${vip}`, `PUT ${vip}`, `PUT ${gold}`, `DELETE ${gold}`],
      "POST revoke",
    ]);
    assert.deepEqual(world.members.get(id)?.roles, new Set([other, vip]));
  });

  test("a run that ends before brings nobody in and ends no login", async (t) => {
    const { world, open, perform, giveLogin } = await start(t);
    await giveLogin(0);
    const stop = new AbortController();
    const steps = async function* () {
      yield await Promise.resolve(joining(account(0)));
      stop.abort();
    };
    const outcomes: Outcome[] = [];
    for await (const outcome of open({ signal: stop.signal }).perform(steps())) outcomes.push(outcome);
    assert.deepEqual(resultsOf(outcomes), ["dropped"]);
    assert.equal(world.members.has(userIdAt(0)), false);
    assert.equal(world.logins.size, 1);
    assert.deepEqual(resultsOf(await perform([joining(account(0))])), ["done"]);
  });

  test("with the end of the bot's own token the run ends, and each step of the fan is told", async (t) => {
    const { discord, logins, open, perform, giveLogin } = await start(t);
    await giveLogin(0);
    addMember(discord.world, { id: userIdAt(0) });
    addRole(discord.world, { id: roleIdAt(3) });
    discord.faults.push({ path: new RegExp(`/roles/${gold}$`), fault: refusal(401, 0) });
    const outcomes: Outcome[] = [];
    const steps = [joining(account(0)), joining(account(0), gold), joining(account(0), roleIdAt(3))];
    await assert.rejects(perform(steps, open(), outcomes), PlatformError);
    assert.deepEqual(resultsOf(outcomes), ["done", "failed", "failed"]);
    assert.equal((await logins.accounts()).size, 1);
  });
});

describe("a login", { concurrency: true }, () => {
  test("whose time is up is renewed first, and the new one is on the disk before its use", async (t) => {
    const { discord, world, logins, perform, giveLogin } = await start(t);
    const old = await giveLogin(0, { lastsMs: 10_000 });
    discord.faults.push({ path: memberPath, fault: refusal(500, 0) });
    const [outcome] = await perform([joining(account(0))]);
    assert.ok(outcome?.result === "failed" && outcome.blame === "service");
    const kept = await logins.load(account(0));
    const [issued] = world.logins;
    assert.deepEqual([kept?.accessToken, kept?.refreshToken], [issued?.accessToken, issued?.refreshToken]);
    const tried = writes(discord).filter(({ path }) => memberPath.test(path));
    assert.ok(tried.length > 0 && tried.every(({ text }) => !text.includes(old.accessToken)));
  });

  for (const status of [400, 401, 403]) {
    test(`that Discord refuses with status ${status} is renewed once, which is no end of the run`, async (t) => {
      const { discord, world, perform, giveLogin, sent } = await start(t);
      await giveLogin(0);
      discord.faults.push({
        path: memberPath,
        times: 1,
        fault: refusal(status, codes.InvalidOAuth2AccessToken),
      });
      assert.deepEqual(resultsOf(await perform([joining(account(0))])), ["done"]);
      assert.ok(world.members.has(userIdAt(0)));
      const put = `PUT ${userIdAt(0)}`;
      assert.deepEqual(sent(), [put, "POST token", put, "POST revoke"]);
    });
  }

  test("that Discord renews and refuses all the same is kept: that is not the fan's doing", async (t) => {
    const { discord, logins, perform, giveLogin, sent } = await start(t);
    await giveLogin(0);
    discord.faults.push({ path: memberPath, fault: refusal(401, codes.InvalidOAuth2AccessToken) });
    const [outcome] = await perform([joining(account(0))]);
    assert.ok(outcome?.result === "failed" && outcome.blame === "member");
    assert.match(outcome.sentence, /login, though it renewed it just now; the next run tries again/);
    assert.equal((await logins.accounts()).size, 1);
    assert.deepEqual(sent(), [`PUT ${userIdAt(0)}`, "POST token", `PUT ${userIdAt(0)}`]);
  });

  test("that is good and does not allow joining ends, here and at Discord", async (t) => {
    const { discord, world, logins, perform, giveLogin } = await start(t);
    await giveLogin(0);
    discord.faults.push({ path: memberPath, fault: refusal(403, codes.MissingRequiredOAuth2Scope) });
    const [outcome] = await perform([joining(account(0))]);
    assert.ok(outcome?.result === "failed" && outcome.blame === "member");
    assert.deepEqual([(await logins.accounts()).size, world.logins.size], [0, 0]);
  });

  test("that the fan took back is forgotten, all their steps say so, and others are brought in", async (t) => {
    const { world, logins, perform, giveLogin } = await start(t);
    for (const index of [0, 1]) await giveLogin(index);
    withdrawLogins(world, userIdAt(0));
    const steps = [joining(account(0)), joining(account(0), gold), joining(account(1))];
    const outcomes = await perform(steps);
    const ofFan = outcomes.filter(({ step }) => step.account === account(0));
    assert.equal(ofFan.length, 2);
    for (const outcome of ofFan) {
      assert.ok(outcome.result === "failed" && outcome.blame === "member");
      assert.match(outcome.sentence, /permission to be brought in has ended; they may link/);
    }
    assert.ok(world.members.has(userIdAt(1)));
    assert.equal(await logins.load(account(0)), undefined);
  });

  /** Logins of which a renewed one is about to be stored when something else happens. */
  const whileRenewing = (logins: Logins, happens: () => Promise<unknown>): Logins => ({
    ...logins,
    async replace(account, old, renewed) {
      await happens();
      return logins.replace(account, old, renewed);
    },
  });

  test("of a link that is cut while it is renewed does not come back, brings nobody in, and ends", async (t) => {
    const { world, logins, open, perform, giveLogin, cutLink, sent } = await start(t);
    await giveLogin(0, { lastsMs: -1 });
    const target = open({ logins: whileRenewing(logins, () => cutLink(0)) });
    assert.deepEqual(resultsOf(await perform([joining(account(0))], target)), ["dropped"]);
    assert.deepEqual(sent(), ["POST token", "POST revoke"]);
    assert.equal(world.members.has(userIdAt(0)), false);
    assert.equal((await logins.accounts()).size, 0);
    assert.equal(world.logins.size, 0);
  });

  test("of each fan ends with the first run without auto-join, which says so once", async (t) => {
    const { world, logins, open, perform, giveLogin, cutLink } = await start(t);
    for (const index of range(3)) await giveLogin(index);
    await cutLink(2);
    const said: string[] = [];
    const log = pino({ level: "warn" }, { write: (line: string) => void said.push(line) });
    for (let run = 0; run < 2; run += 1)
      await perform([], open({ log, autoJoin: { enabled: false, roles: [] } }));
    assert.deepEqual([(await logins.accounts()).size, world.logins.size], [0, 0]);
    assert.equal(said.length, 1);
    assert.match(
      said.join(),
      /2 fans' permissions to be brought into the server ended, since auto_join is off/,
    );
  });

  test("of a link that was cut brings nobody in, and is ended at Discord as well by the next run that can", async (t) => {
    const { discord, world, logins, perform, giveLogin, cutLink, stored } = await start(t);
    const login = await giveLogin(0);
    await cutLink(0);
    assert.equal((await logins.accounts()).size, 0);
    discord.faults.push({ path: /revoke$/, times: 3, fault: refusal(503, 0) });
    assert.deepEqual(resultsOf(await perform([joining(account(0))])), ["dropped"]);
    assert.equal(world.logins.size, 1);
    await perform([]);
    assert.equal(world.logins.size, 0);
    assert.equal((await logins.cut()).size, 0);
    assert.ok(!stored().includes(login.refreshToken));
  });

  test("that a fan gave when they linked anew after a cut is not ended with the old one", async (t) => {
    const { world, logins, perform, giveLogin, cutLink } = await start(t);
    await giveLogin(0);
    await cutLink(0);
    await giveLogin(0);
    await perform([]);
    assert.equal((await logins.accounts()).size, 1);
    assert.equal(world.logins.size, 2);
  });

  test("that the fan gives anew while the old one is renewed is the one that is used", async (t) => {
    const { discord, world, logins, open, perform, giveLogin } = await start(t);
    await giveLogin(0, { lastsMs: -1 });
    const given: string[] = [];
    const relink = async () => {
      given.push((await giveLogin(0)).accessToken);
    };
    const target = open({ logins: whileRenewing(logins, relink) });
    assert.deepEqual(resultsOf(await perform([joining(account(0))], target)), ["done"]);
    assert.ok(world.members.has(userIdAt(0)));
    const [put] = writes(discord).filter(({ path }) => memberPath.test(path));
    assert.deepEqual(put?.json, { access_token: given[0], roles: [vip] });
  });

  test("that is gone when its turn comes drops the step", async (t) => {
    const { perform, sent } = await start(t);
    assert.deepEqual(resultsOf(await perform([joining(account(0))])), ["dropped"]);
    assert.deepEqual(sent(), []);
  });

  test("that cannot be renewed for a while stays, as the service's fault", async (t) => {
    const { discord, logins, perform, giveLogin } = await start(t);
    await giveLogin(0, { lastsMs: -1 });
    discord.faults.push({ path: /oauth2/, fault: refusal(503, 0) });
    const [outcome] = await perform([joining(account(0))]);
    assert.ok(outcome?.result === "failed" && outcome.blame === "service");
    assert.match(outcome.sentence, /^Discord's token service failed: status 503\.$/);
    assert.equal((await logins.accounts()).size, 1);
  });

  test("cannot be renewed with a wrong client secret, which is asked for once", async (t) => {
    const { world, logins, open, perform, giveLogin, sent } = await start(t);
    for (const index of [0, 1]) await giveLogin(index, { lastsMs: -1 });
    world.application.clientSecret = "another";
    const target = open();
    for (const index of [0, 1]) {
      const [outcome] = await perform([joining(account(index))], target);
      assert.ok(outcome?.result === "failed" && outcome.blame === "place");
      assert.match(outcome.sentence, /discord\.oauth_client_id and oauth_client_secret/);
    }
    assert.deepEqual(sent(), ["POST token"]);
    assert.equal((await logins.accounts()).size, 2);
  });

  test("that a newer one has replaced meanwhile is not the one that is forgotten", async (t) => {
    const { discord, logins, perform, giveLogin } = await start(t);
    const old = await giveLogin(0, { lastsMs: -1 });
    let saved: Promise<unknown> | undefined;
    discord.faults.push({
      path: /oauth2\/token$/,
      onStrike: () => {
        saved = giveLogin(0);
      },
      fault: answers(400, { error: "invalid_grant" }),
    });
    await perform([joining(account(0))]);
    await saved;
    const kept = await logins.load(account(0));
    assert.ok(kept !== undefined && kept.refreshToken !== old.refreshToken);
  });
});

describe("a login that has served", { concurrency: true }, () => {
  const readAndPerform = async (
    { open, perform }: Awaited<ReturnType<typeof start>>,
    options: OpenOptions,
  ) => {
    const target = open(options);
    await target.read(bothPlaces, new Set([account(0), account(1)]));
    await perform([], target);
  };

  test("of whoever came in by themselves ends at the end of the next run; others stay", async (t) => {
    const it = await start(t);
    for (const index of [0, 1]) await it.giveLogin(index);
    addMember(it.world, { id: userIdAt(0) });
    await readAndPerform(it, {});
    assert.deepEqual(await it.logins.accounts(), new Set([account(1)]));
    assert.deepEqual(it.sent(), ["POST revoke"]);
  });

  for (const onExpiry of ["revoke", "evict"] as const) {
    test(`or will not serve, since auto-join is off, ends (${onExpiry})`, async (t) => {
      const it = await start(t);
      for (const index of [0, 1]) await it.giveLogin(index);
      const autoJoin = { enabled: false, roles: [] };
      await readAndPerform(it, { autoJoin, places: [placeOf(vip, onExpiry), placeOf(gold)] });
      assert.equal((await it.logins.accounts()).size, 0);
      assert.equal(it.world.logins.size, 0);
    });
  }

  test("or will not serve, since the config names no application any more, is forgotten with a word", async (t) => {
    const it = await start(t);
    for (const index of [0, 1]) await it.giveLogin(index);
    const said: string[] = [];
    const log = pino({ level: "warn" }, { write: (line) => said.push(line) });
    const target = it.open({ oauth: undefined, log });
    await it.perform([], target);
    await it.perform([], target);
    assert.equal((await it.logins.accounts()).size, 0);
    assert.deepEqual(it.sent(), []);
    assert.equal(said.length, 1);
    assert.match(said[0] ?? "", /The logins of 2 fans were forgotten/);
  });

  test("or will not serve, since the fan is banned, ends even where a place may throw its members out", async (t) => {
    const it = await start(t);
    for (const index of [0, 1]) await it.giveLogin(index);
    const path = new RegExp(`/members/${userIdAt(0)}$`);
    it.discord.faults.push({ path, fault: refusal(403, codes.UserBannedFromThisGuild) });
    const target = it.open({ places: [placeOf(vip, "evict")] });
    await it.perform([joining(account(0)), joining(account(1))], target);
    assert.deepEqual(await it.logins.accounts(), new Set([account(1)]));
    assert.deepEqual(
      [...it.world.logins].map((login) => login.account),
      [userIdAt(1)],
    );
  });

  test("stays where a place may throw its members out again", async (t) => {
    const it = await start(t);
    await it.giveLogin(0);
    await it.perform([joining(account(0))], it.open({ places: [placeOf(vip, "evict"), placeOf(gold)] }));
    assert.ok(it.world.members.has(userIdAt(0)));
    assert.deepEqual(await it.logins.accounts(), new Set([account(0)]));
    assert.equal(it.world.logins.size, 1);
  });

  test("that could not be ended at Discord is ended by the next run", async (t) => {
    const it = await start(t);
    await it.giveLogin(0);
    it.discord.faults.push({ path: /revoke/, fault: refusal(503, 0), times: 3 });
    await it.perform([joining(account(0))]);
    assert.deepEqual(await it.logins.accounts(), new Set([account(0)]));
    await readAndPerform(it, {});
    assert.equal((await it.logins.accounts()).size, 0);
    assert.equal(it.world.logins.size, 0);
  });

  test("is forgotten here even where Discord does not hear us", async (t) => {
    const it = await start(t);
    for (const index of [0, 1]) await it.giveLogin(index);
    it.world.application.clientSecret = "another";
    await it.perform([joining(account(0)), joining(account(1))]);
    assert.equal((await it.logins.accounts()).size, 0);
    assert.equal(it.sent().filter((request) => request === "POST revoke").length, 1);
  });
});

describe("what stands in the way", { concurrency: true }, () => {
  for (const [name, code, isKept] of [
    ["an account that is not verified", codes.VerifyYourAccount, true],
    ["a ban", codes.UserBannedFromThisGuild, false],
    ["as many servers as Discord allows", codes.MaximumNumberOfGuildsReached, true],
    ["a bot without the permission", codes.MissingPermissions, true],
    ["a login that does not allow joining", codes.MissingRequiredOAuth2Scope, false],
    ["a deleted account", codes.UnknownUser, false],
  ] as const) {
    test(`after ${name} the login ${isKept ? "stays" : "is of no use and forgotten"}`, async (t) => {
      const { discord, logins, perform, giveLogin } = await start(t);
      await giveLogin(0);
      discord.faults.push({ path: memberPath, fault: refusal(403, code) });
      const outcomes = await perform([joining(account(0)), joining(account(0), gold)]);
      assert.equal(new Set(outcomes.map(({ result }) => result)).size, 1);
      assert.equal(outcomes.length, 2);
      assert.equal((await logins.accounts()).has(account(0)), isKept);
    });
  }

  test("an odd refusal of one fan keeps no other out", async (t) => {
    const { discord, world, perform, giveLogin } = await start(t);
    for (const index of [0, 1]) await giveLogin(index);
    const path = new RegExp(`/members/${userIdAt(0)}$`);
    discord.faults.push({ path, fault: refusal(403, 99_999) });
    const outcomes = await perform([joining(account(0)), joining(account(1))]);
    assert.deepEqual(resultsOf(outcomes).sort(), ["done", "refused"]);
    assert.ok(world.members.has(userIdAt(1)));
  });

  test("a bot that may not invite asks once, and gives roles to who is there", async (t) => {
    const { discord, world, open, perform, giveLogin, sent } = await start(t);
    for (const index of [0, 1]) await giveLogin(index);
    addMember(world, { id: userIdAt(2) });
    for (const role of world.roles.values()) role.permissions &= ~PermissionFlagsBits.CreateInstantInvite;
    const target = open();
    const outcomes = await perform([joining(account(0))], target);
    outcomes.push(...(await perform([joining(account(1)), stepOf("grant", account(2))], target)));
    assert.deepEqual(resultsOf(outcomes).sort(), ["done", "failed", "failed"]);
    assert.deepEqual(sent(), [`PUT ${userIdAt(0)}`, `PUT ${vip}`]);
    assert.equal(discord.world.members.has(userIdAt(0)), false);
  });

  test("a role that was found deleted is left out, and whoever has no other role is not brought in", async (t) => {
    const { world, open, perform, giveLogin } = await start(t);
    for (const index of [0, 1]) await giveLogin(index);
    addMember(world, { id: userIdAt(2) });
    world.roles.delete(vip);
    const target = open();
    await perform([stepOf("grant", account(2))], target);
    const steps = [joining(account(0)), joining(account(0), gold), joining(account(1))];
    const outcomes = await perform(steps, target);
    assert.deepEqual(
      new Map(outcomes.map(({ step, result }) => [`${step.account} ${step.placeId}`, result])),
      new Map([
        [`${account(0)} ${vip}`, "failed"],
        [`${account(0)} ${gold}`, "done"],
        [`${account(1)} ${vip}`, "failed"],
      ]),
    );
    assert.equal(world.members.has(userIdAt(1)), false);
  });
});
