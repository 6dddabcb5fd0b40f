/**
 * Promise 9: secrets reach no log, error, journal or report, and what fans spend reaches no platform. Everything is run
 * with --verbose, in good days and bad, and then searched for all that nobody may see.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it, type TestContext } from "node:test";

import { openDatabase } from "../../lib/db.ts";
import { saveLogin } from "../../lib/store/logins.ts";
import { minSpendCents, noLimits, startPeopled, type Peopled, type Person } from "../installation.ts";
import { issueLogin, withdrawLogins } from "../sandbox/discord-logins.ts";
import { accountOf } from "../sandbox/discord-setup.ts";
import { answers, cutBody, notJson } from "../sandbox/faults.ts";
import type { Recorded } from "../sandbox/server.ts";

const syncs = ["sync-discord", "sync-matrix"] as const;

/**
 * Fans who let us bring them into the server: one whose login must be renewed first, one who took it back, and one whose
 * login Discord repeats in its refusal.
 */
async function inviteFans(home: Peopled): Promise<Record<"renewed" | "withdrawn" | "refused", Person>> {
  const { world, faults } = home.town.discord;
  const { id, clientSecret } = world.application;
  Object.assign(home.config.discord ?? {}, {
    oauth_client_id: id,
    oauth_client_secret: clientSecret,
    oauth_redirect_uri: "http://localhost:8080/callback",
  });
  home.config["auto_join"] = { enabled: true, roles: [] };
  home.saveConfig();
  const database = openDatabase(home.dataDir);
  const invite = async (name: string, lastsMs?: number) => {
    const person = home.addPerson(name);
    home.entitle("custom", person);
    world.members.delete(person.discord);
    const login = issueLogin(world, person.discord, lastsMs === undefined ? {} : { lastsMs });
    await database.write((sql) => {
      saveLogin(sql, accountOf(person.discord), login, Date.now());
    });
    return { person, login };
  };
  const renewed = await invite("renewed", -1);
  const withdrawn = await invite("withdrawn", -1);
  withdrawLogins(world, withdrawn.person.discord);
  const refused = await invite("refused");
  const { accessToken, refreshToken } = refused.login;
  const echo = { message: `Invalid: ${accessToken} ${refreshToken}`, code: 50025 };
  faults.push({
    path: new RegExp(`/members/${refused.person.discord}$`),
    method: "PUT",
    fault: answers(401, echo),
  });
  home.saveBooks();
  return { renewed: renewed.person, withdrawn: withdrawn.person, refused: refused.person };
}

/** Every output of every script, in one text. */
async function everythingSaid(home: Peopled): Promise<string> {
  const said: string[] = [];
  const run = async (script: string, ...args: readonly string[]) => {
    const { stdout, stderr } = await home.run(script, ...args, "--verbose");
    said.push(stdout, stderr);
  };
  const { fanvue, discord, matrix } = home.town;
  const inTrouble = async (trouble: () => void, scripts: readonly string[] = ["sync-discord"]) => {
    trouble();
    for (const script of scripts) await run(script);
    for (const { faults } of [fanvue.api, fanvue.auth, discord, matrix]) faults.length = 0;
  };

  await run("check-config");
  await run("fetch-earnings");
  for (const script of syncs) await run(script, "--dry-run", "--json");
  for (const script of syncs) await run(script);
  home.acceptInvites();
  home.lapse("spending", home.cast.spending);
  for (const script of syncs) await run(script, "--json");
  await run("links", "list");

  await inTrouble(() => {
    fanvue.tokens.expireAccessTokens();
  });
  await inTrouble(() =>
    fanvue.faults.push({ path: /subscribers/, fault: answers(403, { error: "Forbidden" }) }),
  );
  await inTrouble(() => fanvue.faults.push({ path: /earnings/, fault: cutBody() }));
  await inTrouble(() => fanvue.faults.push({ path: /./, fault: notJson() }));
  await inTrouble(() => fanvue.faults.push({ path: /./, fault: answers(401, { error: "Unauthorized" }) }));
  await inTrouble(() => {
    discord.faults.push({ path: /./, fault: answers(401, { message: "401: Unauthorized", code: 0 }) });
    matrix.faults.push({ path: /./, fault: answers(401, { errcode: "M_UNKNOWN_TOKEN", error: "Invalid" }) });
  }, syncs);
  await inTrouble(() => {
    const { auth } = fanvue;
    fanvue.tokens.expireAccessTokens();
    auth.faults.push({
      path: /token/,
      fault: answers(400, { error: "invalid_grant", error_description: "spent" }),
    });
  });
  writeFileSync(join(home.dataDir, "fanvue-token.json"), '{"accessToken": "access_damaged_token_text", "ref');
  for (const script of syncs) await run(script);
  return said.join("\n");
}

/** All tokens that ever went over the wire, the passwords of the config, and what they look like when encoded. */
function secretsOf({ town: { fanvue, discord } }: Peopled): readonly string[] {
  const logins = discord.requests.flatMap(({ form, json }) => [
    ...["refresh_token", "token"].flatMap((name) => form.get(name) ?? []),
    ...(typeof json === "object" && json !== null && "access_token" in json
      ? [String(json.access_token)]
      : []),
  ]);
  assert.ok(new Set(logins).size >= 6, "logins were used, renewed and ended");
  const { clientId, clientSecret } = fanvue.app;
  const bearers = fanvue.requests.flatMap(({ headers }) => headers["authorization"]?.split(" ")[1] ?? []);
  const refreshTokens = fanvue.auth.requests.flatMap(({ form }) => form.get("refresh_token") ?? []);
  assert.ok(new Set(bearers).size > 1 && refreshTokens.length > 0, "tokens were renewed meanwhile");
  return [
    ...new Set([
      ...bearers,
      ...refreshTokens,
      clientSecret,
      Buffer.from(`${clientId}:${clientSecret}`).toString("base64"),
      discord.world.bot.token,
      discord.world.application.clientSecret,
      ...logins,
      "sandbox-matrix-token",
      "access_damaged_token_text",
    ]),
  ];
}

it("promise 9: no secret is said or stored, no figure of spending goes to a platform", async (test: TestContext) => {
  const home = await startPeopled(test, { config: { limits: noLimits } });
  const fans = await inviteFans(home);
  const said = await everythingSaid(home);
  const stored = readFileSync(join(home.dataDir, "fanvue-sync.db")).toString("latin1");
  assert.ok(said.length > 5000 && stored.length > 5000);
  for (const secret of secretsOf(home)) {
    assert.ok(!said.includes(secret), `a script said ${secret}`);
    assert.ok(!stored.includes(secret), `the database holds ${secret}`);
  }

  const { discord, matrix } = home.town;
  assert.ok(discord.world.members.has(fans.renewed.discord));
  assert.match(said, /Their permission to be brought in has ended/);
  assert.match(said, /Discord does not accept this member's login, though it renewed it/);
  assert.match(said, /spent 0\.00 of 173\.57 USD/, "the operator is told of figures");
  assert.ok(discord.world.auditLog.length > 10);
  const sent = [...discord.requests, ...matrix.requests].map(textOf);
  const roomStates = [...matrix.world.rooms.values()].map(({ state }) => [...state.values()]);
  const seen = [JSON.stringify(discord.world.auditLog), JSON.stringify(roomStates), ...sent].join("\n");
  const figures = [minSpendCents, minSpendCents + 4321].flatMap((cents) => [
    String(cents),
    (cents / 100).toFixed(2),
  ]);
  for (const figure of [...figures, "spent", "USD"])
    assert.ok(!seen.includes(figure), `a platform saw "${figure}"`);
  for (const { fan } of [home.cast.spending, home.keeper])
    assert.ok(!seen.includes(fan.uuid), "nor does a platform learn who is who on Fanvue");
});

/** Ids of the stand-in are digits, so only what people can read is looked at. */
const textOf = ({ text, headers }: Recorded): string =>
  `${text} ${decodeURIComponent(headers["x-audit-log-reason"] ?? "")}`;
