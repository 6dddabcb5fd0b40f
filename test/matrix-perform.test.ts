/** The Matrix target: inviting, kicking, and what refusals mean. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../lib/target.ts";
import {
  mxid,
  placeOf,
  startHome,
  readable,
  stepOf,
  each,
  perform,
  performOne,
  resultsOf,
  posts,
  rateLimited,
} from "./sandbox/matrix-home.ts";

test("a grant invites and a revoke kicks, with fixed reasons that tell nobody's figures", async (t) => {
  const { sandbox, world, owner, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const [nina, mara] = [fan("nina"), fan("mara")];
  world.invite(room, owner, mara);
  world.join(room, mara);
  const target = open();
  const outcomes = await perform(target, [stepOf("grant", room, nina), stepOf("revoke", room, mara)]);
  assert.deepEqual(resultsOf(outcomes), { [nina]: "done", [mara]: "done" });
  assert.equal(world.membership(room, nina), "invite");
  assert.equal(world.membership(room, mara), "leave");
  assert.deepEqual(posts(sandbox, "invite")[0]?.json, { user_id: nina, reason: "Fanvue membership" });
  assert.deepEqual(posts(sandbox, "kick")[0]?.json, { user_id: mara, reason: "Fanvue membership ended" });
});

test("a revoke withdraws an invitation, and what the bot took back may be granted again", async (t) => {
  const { world, open, newRoom, fan, readRoom } = await startHome(t);
  const room = newRoom();
  const nina = fan("nina");
  const target = open();
  assert.equal((await performOne(target, stepOf("grant", room, nina))).result, "done");
  assert.equal((await performOne(target, stepOf("revoke", room, nina))).result, "done");
  assert.equal(readable(await readRoom(room)).members.get(nina)?.is, "out");
  assert.equal((await performOne(target, stepOf("grant", room, nina))).result, "done");
  assert.equal(world.membership(room, nina), "invite");
});

test("performing twice is the same as once", async (t) => {
  const { world, owner, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const [nina, mara, gone] = [fan("nina"), fan("mara"), fan("gone")];
  for (const who of [mara, gone]) world.invite(room, owner, who);
  world.join(room, mara);
  world.leave(room, gone);
  const steps = [
    stepOf("grant", room, nina),
    stepOf("grant", room, mara),
    stepOf("revoke", room, gone),
    stepOf("revoke", room, fan("never_there")),
  ];
  for (const time of ["once", "twice"]) {
    const outcomes = await perform(open(), steps);
    assert.deepEqual([...new Set(outcomes.map((outcome) => outcome.result))], ["done"], time);
  }
  assert.deepEqual(world.members(room, "invite"), [nina]);
});

test("a ban stays: it is refused to invite, and there is nothing to revoke", async (t) => {
  const { world, owner, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const mara = fan("mara");
  world.ban(room, owner, mara);
  const target = open();
  const granted = await performOne(target, stepOf("grant", room, mara));
  assert.deepEqual(
    { ...granted, step: 0 },
    {
      step: 0,
      result: "refused",
      code: "banned",
      sentence: "The account is banned from the room.",
    },
  );
  assert.equal((await performOne(target, stepOf("revoke", room, mara))).result, "done");
  assert.equal(world.membership(room, mara), "ban");
});

test("who accepts no invitations refuses for themselves only", async (t) => {
  const { sandbox, world, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const [shy, nina] = [fan("shy"), fan("nina")];
  const user = world.users.get(shy);
  assert.ok(user);
  user.blocksInvites = true;
  const outcomes = await perform(open(), [stepOf("grant", room, shy), stepOf("grant", room, nina)]);
  assert.deepEqual(resultsOf(outcomes), { [shy]: "refused", [nina]: "done" });
  assert.equal(posts(sandbox, "invite").length, 2);
});

test("power that is lost meanwhile fails the place once, and no more is asked of that kind there", async (t) => {
  const { sandbox, world, bot, owner, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const other = newRoom();
  const fans = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map(fan);
  const mara = fan("mara");
  world.invite(room, owner, mara);
  world.setPower(room, bot, 0);
  const target = open();
  const first = await performOne(target, stepOf("grant", room, fans[0] ?? mara));
  assert.ok(first.result === "failed" && first.blame === "place");
  assert.match(first.sentence, /The bot may not invite and remove members .* Give @bot/);
  const rest = await perform(target, [
    ...fans.slice(1).map((who) => stepOf("grant", room, who)),
    ...fans.slice(1).map((who) => stepOf("grant", other, who)),
  ]);
  assert.equal(rest.filter((one) => one.result === "failed" && one.blame === "place").length, 9);
  assert.equal(rest.filter((one) => one.result === "done").length, 9);
  assert.equal(posts(sandbox, "invite").filter((one) => one.path.includes(room)).length, 1);
  const revoked = await performOne(target, stepOf("revoke", room, mara));
  assert.ok(revoked.result === "failed" && revoked.blame === "place");
  assert.equal(posts(sandbox, "kick").length, 1);
});

test("a member who rose above the bot meanwhile stays, and that is no fault of the room", async (t) => {
  const { world, owner, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const [boss, mara] = [fan("boss"), fan("mara")];
  for (const who of [boss, mara]) {
    world.invite(room, owner, who);
    world.join(room, who);
  }
  world.setPower(room, boss, 60);
  const outcomes = await perform(open(), [stepOf("revoke", room, boss), stepOf("revoke", room, mara)]);
  const failed = outcomes.find((outcome) => outcome.step.account === boss);
  assert.ok(failed?.result === "failed" && failed.blame === "member");
  assert.equal(failed.sentence, "Not removed: has power level 60, the bot 60.");
  assert.equal(world.membership(room, boss), "join");
  assert.equal(world.membership(room, mara), "leave");
});

test("a refusal without a reason concerns the member, but three in a row concern the room", async (t) => {
  const { sandbox, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const reply = { status: 403, body: { errcode: "M_FORBIDDEN", error: "Invites have been disabled" } };
  const refusal = { path: /invite$/, fault: { kind: "answer", reply } } as const;
  sandbox.faults.push({ ...refusal, times: 2 }, { ...refusal, skip: 1 });
  const target = open();
  const results: string[] = [];
  for (const name of ["a", "b", "welcome", "c", "d", "e", "f"]) {
    const outcome = await performOne(target, stepOf("grant", room, fan(name)));
    results.push(outcome.result);
  }
  assert.deepEqual(results, ["refused", "refused", "done", "refused", "refused", "failed", "failed"]);
  assert.equal(posts(sandbox, "invite").length, 6);
});

test("somebody else's dead homeserver is no failure of ours", async (t) => {
  const { sandbox, world, open, newRoom } = await startHome(t);
  const room = newRoom();
  world.deadServers.add("dead.example");
  const lost = mxid("@lost:dead.example");
  const [outcome] = await perform(open(), [stepOf("grant", room, lost)]);
  assert.ok(outcome?.result === "refused");
  assert.equal(outcome.sentence, "Their homeserver dead.example does not answer.");
  assert.equal(posts(sandbox, "invite").length, 1);
});

test("another homeserver that says nothing keeps nobody out who does not need it", async (t) => {
  const { world, owner, open, newRoom, fan } = await startHome(t);
  const [room, other] = [newRoom(), newRoom()];
  const [nina, zoe, gone] = [fan("nina"), fan("zoe"), fan("gone")];
  world.invite(room, owner, gone);
  world.muteServers.add("mute.example");
  const [slow, alive] = [mxid("@a_slow:mute.example"), mxid("@b_alive:alive.example")];
  const outcomes = await perform(open({ answerMs: 200 }), [
    stepOf("grant", room, slow),
    stepOf("grant", room, alive),
    stepOf("grant", room, nina),
    stepOf("grant", other, zoe),
    stepOf("revoke", room, gone),
  ]);
  assert.deepEqual(resultsOf(outcomes), {
    [nina]: "done",
    [zoe]: "done",
    [gone]: "done",
    [slow]: "refused",
    [alive]: "dropped",
  });
  const left = outcomes.find(({ result }) => result === "dropped");
  assert.ok(left?.result === "dropped");
  assert.match(left.sentence, /busy with this room; the next run goes on/);
});

test("a room that gives no answer in time is waited for once, and the others get their turn", async (t) => {
  const { world, open, newRoom, fan } = await startHome(t);
  const [room, other] = [newRoom(), newRoom()];
  world.stuckRooms.add(room);
  const fans = Array.from({ length: 8 }, (_, index) => fan(`fan${String(index)}`));
  const last = fan("last");
  const outcomes = await perform(open({ answerMs: 200 }), [
    ...fans.map((who) => stepOf("grant", room, who)),
    stepOf("grant", other, last),
  ]);
  const results = outcomes.map(({ result }) => result).sort();
  assert.deepEqual(results, ["done", ...fans.slice(1).map(() => "dropped"), "failed"]);
  assert.equal(world.membership(other, last), "invite");
});

test("an outage is tried again some times, then blamed on the service", async (t) => {
  const { sandbox, world, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const [nina, mara] = [fan("nina"), fan("mara")];
  const broken = {
    kind: "answer",
    reply: { status: 500, body: { errcode: "M_UNKNOWN", error: "oops" } },
  } as const;
  sandbox.faults.push({ path: /invite$/, fault: broken, times: 2 });
  assert.equal((await performOne(open(), stepOf("grant", room, nina))).result, "done");
  assert.equal(posts(sandbox, "invite").length, 3);
  sandbox.faults.push({ path: /invite$/, fault: { kind: "drop" } });
  const failed = await performOne(open(), stepOf("grant", room, mara));
  assert.ok(failed.result === "failed" && failed.blame === "service");
  assert.equal(posts(sandbox, "invite").length, 6);
  assert.equal(world.membership(room, mara), undefined);
});

test("an answer that broke off after the deed counts as done when it is tried again", async (t) => {
  const { sandbox, world, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const nina = fan("nina");
  const step = stepOf("grant", room, nina);
  assert.equal((await performOne(open(), step)).result, "done");
  sandbox.faults.push({ path: /kick$/, fault: { kind: "cut" }, times: 1 });
  assert.equal((await performOne(open(), stepOf("revoke", room, nina))).result, "done");
  assert.equal(posts(sandbox, "kick").length, 2);
  assert.equal(world.membership(room, nina), "leave");
});

test("a token that is refused in the middle ends the run after the steps under way", async (t) => {
  const { world, bot, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const fans = Array.from({ length: 20 }, (_, count) => fan(`fan${String(count)}`));
  const target = open();
  await target.read([placeOf(room)], new Set());
  const logOut = () => {
    const user = world.users.get(bot);
    assert.ok(user);
    user.token = undefined;
  };
  let pulled = 0;
  async function* steps() {
    for (const who of fans) {
      pulled += 1;
      if (pulled === 8) logOut();
      yield await Promise.resolve(stepOf("grant", room, who));
    }
  }
  const outcomes: Outcome[] = [];
  await assert.rejects(async () => {
    for await (const outcome of target.perform(steps())) outcomes.push(outcome);
  }, /M_UNKNOWN_TOKEN/);
  assert.equal(outcomes.length, pulled);
  assert.ok(pulled < fans.length);
  assert.equal(
    outcomes.filter((outcome) => outcome.result === "done").length,
    world.members(room, "invite").length,
  );
});

test("two steps for one member of a room never overlap", async (t) => {
  const { sandbox, world, owner, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const mara = fan("mara");
  world.invite(room, owner, mara);
  sandbox.faults.push({ path: /kick$/, fault: { kind: "drop" }, times: 1 });
  const steps = [stepOf("revoke", room, mara), stepOf("grant", room, mara)];
  const outcomes = await perform(open({ retryPausesMs: [100] }), steps);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.result),
    ["done", "done"],
  );
  const paths = [...posts(sandbox, "kick"), ...posts(sandbox, "invite")];
  const inTime = paths.sort((one, other) => sandbox.requests.indexOf(one) - sandbox.requests.indexOf(other));
  assert.deepEqual(
    inTime.map((one) => one.path.split("/").at(-1)),
    ["kick", "kick", "invite"],
  );
  assert.equal(world.membership(room, mara), "invite");
});

test("steps are pulled only when they may start, four at once", async (t) => {
  const { open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const fans = Array.from({ length: 12 }, (_, count) => fan(`fan${String(count)}`));
  let pulled = 0;
  let finished = 0;
  let most = 0;
  async function* steps() {
    for (const who of fans) {
      pulled += 1;
      most = Math.max(most, pulled - finished);
      yield await Promise.resolve(stepOf("grant", room, who));
    }
  }
  const outcomes: Outcome[] = [];
  for await (const outcome of open().perform(steps())) {
    finished += 1;
    outcomes.push(outcome);
  }
  assert.deepEqual([...new Set(outcomes.map((outcome) => outcome.result))], ["done"]);
  assert.ok(most <= 5, `${String(most)} steps were pulled ahead`);
});

test("a run that is ended begins nothing new, and every step that was pulled has its outcome", async (t) => {
  const { sandbox, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const controller = new AbortController();
  sandbox.faults.push({ path: /invite$/, fault: rateLimited({}, { retry_after_ms: 1_500 }), skip: 1 });
  const fans = ["a", "b", "c", "d"].map(fan);
  const outcomes: Outcome[] = [];
  for await (const outcome of open({}, controller.signal).perform(
    each(fans.map((who) => stepOf("grant", room, who))),
  )) {
    outcomes.push(outcome);
    controller.abort();
  }
  assert.equal(outcomes[0]?.result, "done");
  assert.deepEqual(
    outcomes.slice(1).map((outcome) => outcome.result === "dropped" && outcome.sentence),
    outcomes.slice(1).map(() => "The run ended before its turn."),
  );
  await assert.rejects(async () => open({}, controller.signal).read([placeOf(room)], new Set()));
});
