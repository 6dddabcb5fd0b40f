/** Promise 10: limits are read from the answers; a 403 is not repeated, a 401 gets one renewal and one more try. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  assertClean,
  assertToldOnStderr,
  kinds,
  startInstallation,
  startPeopled,
  startSynced,
  type Installation,
} from "../installation.ts";
import { answers } from "../sandbox/faults.ts";
import type { Recorded } from "../sandbox/server.ts";

const statuses = (requests: readonly Recorded[], status: number) =>
  requests.filter((request) => request.status === status);

const renewals = ({ town: { fanvue } }: Installation) =>
  fanvue.auth.requests.filter(({ form }) => form.get("grant_type") === "refresh_token").length;

describe("promise 10: limits", { concurrency: 4 }, () => {
  it("Fanvue's bucket of 20 requests a window is never overdrawn", async (test) => {
    const home = await startPeopled(test);
    const { fanvue } = home.town;
    for (const fan of fanvue.world.addFans(1200)) fanvue.world.follow(fan);
    Object.assign(fanvue.rate, { limit: 20, windowMs: 1500 });
    assertClean(await home.sync("discord"));
    assert.ok(fanvue.requests.length > 30, `${String(fanvue.requests.length)} requests`);
    assert.deepEqual(statuses(fanvue.requests, 429), []);
  });

  it("Discord's bucket of three changes a window is never overdrawn", async (test) => {
    const home = await startInstallation(test);
    for (let index = 0; index < 24; index += 1)
      home.entitle("subscription", home.addPerson(`fan${String(index)}`));
    home.saveBooks();
    const { discord } = home.town;
    Object.assign(discord.world.limits.write, { limit: 3, windowMs: 700 });
    assertClean(await home.sync("discord"));
    assert.equal(home.holders("subscription").length, 24);
    assert.deepEqual(statuses(discord.requests, 429), []);
  });

  it("a homeserver that asks to wait is given the time", async (test) => {
    const home = await startInstallation(test);
    for (let index = 0; index < 6; index += 1)
      home.entitle("subscription", home.addPerson(`fan${String(index)}`));
    home.saveBooks();
    const { matrix } = home.town;
    matrix.world.limits.perRoom = { perSecond: 2, burst: 2 };
    assertClean(await home.sync("matrix"));
    assert.equal(home.guests("subscription").length, 6);
    const refused = statuses(matrix.requests, 429);
    assert.ok(refused.length <= 6, `${String(refused.length)} refusals for six invitations`);
  });

  it("Retry-After is waited for", async (test) => {
    const home = await startSynced(test);
    const { fanvue } = home.town;
    const fault = answers(429, { error: "Too Many Requests" }, { "retry-after": "2" });
    fanvue.faults.push({ path: /\/subscribers$/, times: 1, fault });
    fanvue.api.requests.length = 0;
    assertClean(await home.sync("discord"));
    const [first, second] = fanvue.requests.filter(({ path }) => path.endsWith("/subscribers"));
    assert.equal(first?.status, 429);
    assert.equal(second?.status, 200);
    assert.ok(second.atMs - first.atMs >= 2000, `waited ${String(second.atMs - first.atMs)} ms`);
  });

  it("a token that Fanvue refuses is renewed once, and the run goes on", async (test) => {
    const home = await startSynced(test);
    home.town.fanvue.tokens.expireAccessTokens();
    home.town.fanvue.api.requests.length = 0;
    const before = renewals(home);
    assertClean(await home.sync("discord"));
    assert.equal(renewals(home) - before, 1);
  });

  it("a second refusal ends the run, removes nobody and says what to do", async (test) => {
    const home = await startSynced(test);
    const { fanvue } = home.town;
    home.lapse("subscription", home.cast.subscription);
    fanvue.faults.push({ path: /\/subscribers$/, fault: answers(401, { error: "Unauthorized" }) });
    const before = renewals(home);
    assertToldOnStderr(
      await home.sync("discord"),
      5,
      /refuses the stored authorization[^]*npm run authorize/,
    );
    assert.equal(renewals(home) - before, 1);
    assert.equal(statuses(fanvue.requests, 401).length, 2);
    assert.deepEqual(home.holders("subscription"), ["keeper", "subscription"]);
  });

  it("a spent renewal ends the run, too, and removes nobody", async (test) => {
    const home = await startSynced(test);
    const { fanvue } = home.town;
    home.lapse("subscription", home.cast.subscription);
    fanvue.tokens.revokeEverything();
    assertToldOnStderr(await home.sync("matrix"), 5, /npm run authorize/);
    assert.deepEqual(home.guests("subscription"), ["keeper", "subscription"]);
  });

  it("a Fanvue 403 is not asked twice, and its scope is named", async (test) => {
    const home = await startSynced(test);
    const { fanvue } = home.town;
    fanvue.faults.push({ path: /\/followers$/, fault: answers(403, { error: "Insufficient scope" }) });
    const { code, stdout } = await home.sync("discord");
    assert.equal(code, 5);
    assert.match(stdout, /Followers could not be read: .*403.*`read:fan`.*npm run authorize/);
    assert.equal(statuses(fanvue.requests, 403).length, 1);
  });

  it("a Discord token that is refused ends the run at once", async (test) => {
    const home = await startPeopled(test);
    const { discord } = home.town;
    discord.faults.push({ path: /./, fault: answers(401, { message: "401: Unauthorized", code: 0 }) });
    assertToldOnStderr(await home.sync("discord"), 4, /Discord.*token/);
    assert.equal(discord.requests.length, 1);
  });

  it("a Matrix token that is refused ends the run at once", async (test) => {
    const home = await startPeopled(test);
    const { matrix } = home.town;
    const body = { errcode: "M_UNKNOWN_TOKEN", error: "Invalid access token passed." };
    matrix.faults.push({ path: /./, fault: answers(401, body) });
    assertToldOnStderr(await home.sync("matrix"), 4, /access token|access_token/);
    assert.equal(statuses(matrix.requests, 401).length, 1);
  });

  it("what Discord forbids is not tried twice in a run", async (test) => {
    const home = await startPeopled(test);
    const { discord } = home.town;
    const path = new RegExp(`/${home.cast.subscription.discord}/roles/`);
    discord.faults.push({
      method: "PUT",
      path,
      fault: answers(403, { message: "Missing Permissions", code: 50013 }),
    });
    const { code, stdout } = await home.sync("discord");
    assert.equal(code, 4, stdout);
    assert.equal(statuses(discord.requests, 403).length, 1);
    assert.deepEqual(home.holders("subscription"), [], "the role is left alone from then on");
  });

  it("what a homeserver forbids is not tried twice in a run", async (test) => {
    const home = await startPeopled(test);
    const { matrix } = home.town;
    const body = { errcode: "M_FORBIDDEN", error: "You don't have permission to do that" };
    matrix.faults.push({ path: /\/invite$/, times: 1, fault: answers(403, body) });
    const { code, stdout } = await home.sync("matrix");
    assert.equal(code, 4, stdout);
    assert.equal(statuses(matrix.requests, 403).length, 1);
    const invitations = matrix.requests.filter(({ path }) => path.endsWith("/invite"));
    assert.equal(invitations.length, 2 * kinds.length);
  });
});
