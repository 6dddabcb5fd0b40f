/** Whom a moderator threw out of the server stays out until a person lets them in or their entitlement begins anew. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Person } from "../installation.ts";
import { clean, startJoinServer } from "../join-stage.ts";
import { addModerator, comeIn, kickByHand, leave, moderatorId } from "../sandbox/discord-people.ts";
import { addMember } from "../sandbox/discord-world.ts";
import { answers } from "../sandbox/faults.ts";

type Server = Awaited<ReturnType<typeof startJoinServer>>;

/** A server with a moderator, and a subscriber who was brought in and was seen there. */
async function startWithFan(test: Parameters<typeof startJoinServer>[0], onExpiry: "remove_role" | "kick") {
  const server = await startJoinServer(test, onExpiry);
  addModerator(server.world);
  const fan = server.addOutsider("fan", "subscription");
  server.home.saveBooks();
  await server.giveLogin(fan);
  await clean(server.home);
  await clean(server.home);
  assert.deepEqual(server.rolesOf(fan), ["member", "subscription"]);
  return { ...server, fan };
}

const kick = ({ world }: Pick<Server, "world">, { discord }: Person) => {
  kickByHand(world, { by: moderatorId, to: discord });
};

/** The audit log tells for 45 days. */
const daysPass = ({ world }: Pick<Server, "world">) => {
  world.auditLog.length = 0;
};

/** Signs in on the link page: a proof of the link, and leave to be brought in. */
async function askToReturn(server: Server, person: Person): Promise<void> {
  await server.proveLink(person);
  await server.giveLogin(person);
}

describe("whoever was thrown out by a moderator", () => {
  for (const onExpiry of ["remove_role", "kick"] as const)
    it(`is not brought back by what they buy later, when the audit log tells no more (${onExpiry})`, async (test) => {
      const server = await startWithFan(test, onExpiry);
      const { home, fan, rolesOf } = server;
      kick(server, fan);
      assert.match(await clean(home), /1 removed by a person/);
      daysPass(server);
      await clean(home);
      home.entitle("spending", fan);
      await server.giveLogin(fan);
      assert.match(await clean(home), /removed by a person/);
      assert.deepEqual(rolesOf(fan), ["absent"]);
      await askToReturn(server, fan);
      await clean(home);
      assert.deepEqual(rolesOf(fan), ["absent"], "nor when they ask");

      for (const kind of ["subscription", "spending"] as const) home.lapse(kind, fan);
      await clean(home);
      home.entitle("spending", fan);
      await clean(home);
      assert.deepEqual(rolesOf(fan), ["member", "spending"], "an entitlement that began anew");
    });

  it("is not brought back where the bot loses the audit log", async (test) => {
    const server = await startWithFan(test, "kick");
    const { home, fan } = server;
    kick(server, fan);
    await clean(home);
    home.entitle("spending", fan);
    const refused = answers(403, { message: "Missing Permissions", code: 50013 });
    home.town.discord.faults.push({ path: /audit-logs$/, fault: refused });
    await home.sync("discord");
    assert.deepEqual(server.rolesOf(fan), ["absent"]);
  });

  it("is asked after once, though nothing could bring them in", async (test) => {
    const server = await startWithFan(test, "remove_role");
    const { home, fan } = server;
    const asked = () => home.town.discord.requests.filter(({ path }) => path.endsWith("/audit-logs")).length;
    assert.ok(!(await server.hasLogin(fan)));
    const before = asked();
    kick(server, fan);
    for (let run = 0; run < 3; run += 1) await clean(home);
    assert.equal(asked() - before, 1);
  });

  for (const onExpiry of ["remove_role", "kick"] as const)
    it(`gets their roles once a person has let them in again (${onExpiry})`, async (test) => {
      const server = await startWithFan(test, onExpiry);
      const { home, world, fan } = server;
      kick(server, fan);
      await clean(home);
      comeIn(world, fan.discord);
      await clean(home);
      assert.deepEqual(server.rolesOf(fan), ["subscription"]);

      leave(world, fan.discord);
      await askToReturn(server, fan);
      await clean(home);
      assert.deepEqual(
        server.rolesOf(fan),
        ["member", "subscription"],
        "the old kick is not taken for a new one",
      );
    });

  it("is let in by the operator, whether a run has noticed the kick or not", async (test) => {
    const server = await startWithFan(test, "kick");
    const { home, fan } = server;
    for (const isNoticed of [true, false]) {
      kick(server, fan);
      if (isNoticed) await clean(home);
      assert.equal((await home.run("links", "reinvite", fan.discord)).code, 0);
      await clean(home);
      assert.deepEqual(
        server.rolesOf(fan),
        ["member", "subscription"],
        isNoticed ? "noticed" : "not noticed",
      );
    }
  });
});

describe("whoever left by choice", () => {
  it("does not hold up newcomers, however many they are and however busy the audit log is", async (test) => {
    const server = await startJoinServer(test, "kick");
    const { home, world } = server;
    addModerator(world);
    const gone = Array.from({ length: 20 }, (_, index) =>
      server.addOutsider(`gone${String(index)}`, "subscription"),
    );
    home.saveBooks();
    for (const person of gone) await server.giveLogin(person);
    await clean(home);
    for (const person of gone) leave(world, person.discord);
    await clean(home);
    for (let index = 0; index < 1100; index += 1) {
      const { user } = addMember(world, { id: String(500_000_000_000_000_000n + BigInt(index)) });
      kickByHand(world, { by: moderatorId, to: user.id });
    }
    const fresh = server.addOutsider("fresh", "subscription");
    home.saveBooks();
    await server.giveLogin(fresh);
    await clean(home);
    assert.deepEqual(server.rolesOf(fresh), ["member", "subscription"]);
  });
});
