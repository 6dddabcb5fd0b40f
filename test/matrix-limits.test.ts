/** The Matrix target: waiting as the homeserver asks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHome, stepOf, perform, performOne, posts, rateLimited } from "./sandbox/matrix-home.ts";

test("a limit is waited for as long as the header asks, or the body where there is no header", async (t) => {
  const { sandbox, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  sandbox.faults.push(
    { path: /invite$/, fault: rateLimited({}, { retry_after_ms: 120 }), times: 1 },
    { path: /invite$/, fault: rateLimited({ "retry-after": "1" }, { retry_after_ms: 1 }), times: 1 },
  );
  assert.equal((await performOne(open(), stepOf("grant", room, fan("nina")))).result, "done");
  const [first, second, third] = posts(sandbox, "invite").map((one) => one.atMs);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  assert.ok(second - first >= 115 && second - first < 900, `${String(second - first)} ms`);
  assert.ok(third - second >= 990, `${String(third - second)} ms`);
});

test("a step that must wait is parked and the others go on", async (t) => {
  const { sandbox, world, owner, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  const other = newRoom();
  const busy = fan("busy");
  const mara = fan("mara");
  world.invite(room, owner, mara);
  sandbox.faults.push({
    method: "POST",
    path: /invite$/,
    fault: rateLimited({}, { retry_after_ms: 300 }),
    times: 1,
  });
  const outcomes = await perform(open(), [
    stepOf("grant", room, busy),
    stepOf("grant", room, fan("nina")),
    stepOf("grant", other, fan("olga")),
    stepOf("revoke", room, mara),
  ]);
  assert.deepEqual([...new Set(outcomes.map((outcome) => outcome.result))], ["done"]);
  assert.equal(outcomes.at(-1)?.step.account, busy);
});

test("a wait beyond all patience drops that step alone and says how long", async (t) => {
  const { world, open, newRoom, fan } = await startHome(t);
  const lastRoom = newRoom();
  const rooms = [...Array.from({ length: 6 }, () => newRoom()), lastRoom];
  const rich = ["ann", "bea", "cleo", "dora", "eve", "fay", "gil", "hana"].map(fan);
  const nina = fan("nina");
  world.limits.perReceiver = { perSecond: 0.003, burst: 5 };
  const outcomes = await perform(open(), [
    ...rooms.flatMap((room) => rich.map((who) => stepOf("grant", room, who))),
    stepOf("grant", lastRoom, nina),
  ]);
  const dropped = outcomes.filter((outcome) => outcome.result === "dropped");
  assert.deepEqual(dropped.map((outcome) => outcome.step.account).sort(), [...rich, ...rich].sort());
  assert.deepEqual(
    [...new Set(dropped.map((outcome) => outcome.sentence))],
    ["The homeserver asks to wait 6 minutes; the next run goes on."],
  );
  assert.equal(outcomes.find((outcome) => outcome.step.account === nina)?.result, "done");
  assert.equal(outcomes.filter((outcome) => outcome.result === "done").length, rich.length * 5 + 1);
});

test("a room's own limit is met seldom, not once per step", async (t) => {
  const { sandbox, world, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  world.limits.bodyOnly = true;
  world.limits.perRoom = { perSecond: 20, burst: 3 };
  const fans = Array.from({ length: 15 }, (_, count) => fan(`fan${String(count)}`));
  const outcomes = await perform(
    open(),
    fans.map((who) => stepOf("grant", room, who)),
  );
  assert.equal(outcomes.filter((outcome) => outcome.result === "done").length, 15);
  const refused = posts(sandbox, "invite").filter((one) => one.status === 429).length;
  assert.ok(refused >= 1 && refused <= 8, `${String(refused)} requests met the limit`);
});

test("what does not get its turn while patience lasts is left to the next run", async (t) => {
  const { world, sandbox, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  world.limits.bodyOnly = true;
  world.limits.perRoom = { perSecond: 10, burst: 2 };
  const fans = Array.from({ length: 30 }, (_, count) => fan(`fan${String(count)}`));
  const outcomes = await perform(
    open({ patienceMs: 600 }),
    fans.map((who) => stepOf("grant", room, who)),
  );
  assert.equal(outcomes.length, 30);
  const done = outcomes.filter((outcome) => outcome.result === "done").length;
  assert.ok(done >= 4 && done <= 12, `${String(done)} were done`);
  assert.equal(outcomes.filter((outcome) => outcome.result === "dropped").length, 30 - done);
  assert.equal(world.members(room, "invite").length, done);
  assert.ok(posts(sandbox, "invite").length < 20);
});

test("a room that is full before the first step sets the pace by its wait, and nobody is given up", async (t) => {
  const { world, open, newRoom, fan } = await startHome(t);
  const room = newRoom();
  Object.assign(world.limits, { perRoom: { perSecond: 10, burst: 2 }, bodyOnly: true });
  const grants = Array.from({ length: 8 }, (_, index) => stepOf("grant", room, fan(`fan${String(index)}`)));
  await perform(open(), grants.slice(0, 2));
  const outcomes = await perform(open(), grants.slice(2));
  assert.deepEqual(
    outcomes.map(({ result }) => result),
    grants.slice(2).map(() => "done"),
  );
});
