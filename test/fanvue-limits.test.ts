import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openLimiter } from "../lib/fanvue/limits.ts";
import type { HttpAnswer } from "../lib/http.ts";
import { fanIdOf, known, setUp } from "./fanvue-client.ts";
import { answers } from "./sandbox/faults.ts";

describe("Fanvue's limits", () => {
  it("are kept by waiting before the bucket is empty: never a 429", async (t) => {
    const setup = await setUp(t, { rate: { limit: 10, windowMs: 1000 } });
    const { world } = setup.sandbox;
    const fans = world.addFans(500, (fan) => {
      world.tip(fan, 100);
    });
    const fanvue = setup.open();
    const { byFan, trouble } = await fanvue.fetchInsights(fans.map(fanIdOf));
    assert.equal(trouble, undefined);
    assert.equal(byFan.size, 500);
    const refused = setup.sandbox.requests.filter(({ status }) => status === 429);
    assert.deepEqual(refused, []);
    assert.ok(setup.sandbox.requests.length > 25);
  });

  it("that another program has used up hold every request back until Retry-After is over", async (t) => {
    const setup = await setUp(t, { generation: "unprefixed" });
    const { requests, faults, world } = setup.sandbox;
    const fans = world.addFans(2000, (fan) => {
      world.tip(fan, 100);
    });
    const fanvue = setup.open();
    known(await fanvue.fetchFollowers());
    faults.push({
      path: /insights/,
      fault: answers(429, { error: "Too Many Requests" }, { "retry-after": "1" }),
      times: 1,
    });
    const { trouble } = await fanvue.fetchInsights(fans.map(fanIdOf));
    assert.equal(trouble, undefined);
    const refused = requests.findIndex(({ status }) => status === 429);
    const refusedAtMs = requests[refused]?.atMs ?? 0;
    const soon = requests.slice(refused + 1).filter(({ atMs }) => atMs - refusedAtMs < 950);
    assert.ok(requests.length - refused > 15);
    // Those that were on their way at that moment cannot be called back.
    assert.ok(soon.length <= 3, `${soon.length} requests`);
  });

  const answer = (headers: Record<string, string>): HttpAnswer => ({
    status: 200,
    headers,
    text: "",
    receivedAtMs: Date.now(),
  });

  it("let one request go first, then at most four at once", async () => {
    const limiter = openLimiter();
    const { signal } = new AbortController();
    let underWay = 0;
    const seen: number[] = [];
    const request = async () => {
      underWay += 1;
      seen.push(underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      return answer({});
    };
    await Promise.all(Array.from({ length: 30 }, () => limiter.run(request, signal)));
    assert.equal(seen[0], 1);
    assert.equal(seen[1], 1);
    assert.equal(Math.max(...seen), 4);
  });

  it("let requests go in the order they came, and look at no more of them than may go", async (t) => {
    const count = 1000;
    const limiter = openLimiter();
    const { signal } = new AbortController();
    const went: number[] = [];
    const clock = t.mock.method(Date, "now");
    const request = (index: number) => async () => {
      went.push(index);
      await new Promise((resolve) => setImmediate(resolve));
      return { ...answer({}), receivedAtMs: 0 };
    };
    await Promise.all(Array.from({ length: count }, (_, index) => limiter.run(request(index), signal)));
    assert.deepEqual(
      went,
      Array.from({ length: count }, (_, index) => index),
    );
    const looks = clock.mock.callCount();
    assert.ok(looks <= 5 * count, `${looks} looks at the clock for ${count} requests`);
  });

  it("make those that wait for an answer end when their run is stopped, and no others", async () => {
    const limiter = openLimiter();
    const stopped = new AbortController();
    const other = new AbortController();
    const first = Promise.withResolvers<HttpAnswer>();
    const underWay = limiter.run(() => first.promise, other.signal);
    const ended = [1, 2, 3].map(() => limiter.run(() => assert.fail("it was sent"), stopped.signal));
    const waiting = limiter.run(() => Promise.resolve(answer({})), other.signal);
    const reason = new Error("stopped");
    stopped.abort(reason);
    for (const run of ended) await assert.rejects(run, reason);
    await assert.rejects(
      limiter.run(() => assert.fail("it was sent"), stopped.signal),
      reason,
    );
    first.resolve(answer({}));
    assert.equal((await underWay).status, 200);
    assert.equal((await waiting).status, 200);
  });

  it("make a waiting request end when the run is stopped", async () => {
    const limiter = openLimiter();
    const controller = new AbortController();
    const headers = {
      "x-ratelimit-limit": "1",
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": "99999999999",
    };
    await limiter.run(() => Promise.resolve(answer(headers)), controller.signal);
    const waiting = limiter.run(() => Promise.resolve(answer({})), controller.signal);
    const stopped = new Error("stopped");
    controller.abort(stopped);
    await assert.rejects(waiting, stopped);
  });
});
