import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PlatformError } from "../lib/errors.ts";
import type { Outcome } from "../lib/target.ts";
import {
  account,
  bothPlaces,
  discordSaw,
  inTurn,
  openTarget,
  perform,
  performOne,
  range,
  serverWithFans,
  stepOf,
  writes,
} from "./sandbox/discord-setup.ts";

describe("a service in trouble", { concurrency: true }, () => {
  const troubles = [
    { name: "an internal error", fault: { kind: "answer", reply: { status: 502, body: "bad gateway" } } },
    { name: "a dropped connection", fault: { kind: "drop" } },
    { name: "no answer", fault: { kind: "hang" } },
  ] as const;
  for (const { name, fault } of troubles) {
    test(`${name} is tried three times, then told as the service's fault`, async (t) => {
      const discord = await serverWithFans(t, 1);
      discord.faults.push({ path: /\/roles\//, fault });
      const outcome = await performOne(discord, stepOf("grant", account(0)), { timeoutMs: 400 });
      assert.ok(outcome.result === "failed");
      assert.equal(outcome.blame, "service");
      assert.match(outcome.sentence, /Discord/);
      assert.equal(writes(discord).length, 3);
    });

    test(`${name} that passes leaves no trace`, async (t) => {
      const discord = await serverWithFans(t, 1);
      discord.faults.push({ path: /\/roles\//, times: 1, fault });
      assert.equal(
        (await performOne(discord, stepOf("grant", account(0)), { timeoutMs: 400 })).result,
        "done",
      );
    });
  }

  test("nobody listening is the service's fault", async (t) => {
    const discord = await serverWithFans(t, 1);
    const target = openTarget(discord, bothPlaces, { apiUrl: "http://127.0.0.1:9/api" });
    for await (const outcome of target.perform(inTurn([stepOf("grant", account(0))])))
      assert.ok(outcome.result === "failed" && outcome.blame === "service");
    assert.equal(target.requests(), 3);
  });

  test("a limit is waited for as the answers' headers say, so that hardly a request is refused for haste", async (t) => {
    const discord = await serverWithFans(t, 12);
    discord.world.limits.write = { limit: 5, windowMs: 300 };
    const outcomes = await perform(
      discord,
      range(12).map((index) => stepOf("grant", account(index))),
    );
    assert.ok(outcomes.every(({ result }) => result === "done"));
    // The library learns only by the first answer which requests share a limit.
    assert.ok(writes(discord).filter(({ status }) => status === 429).length <= 2);
  });

  test("a 429 is waited out and the step repeated", async (t) => {
    const discord = await serverWithFans(t, 1);
    const body = { message: "You are being rate limited.", retry_after: 0.2, global: true };
    const headers = { "retry-after": "0.2", "x-ratelimit-global": "true", "x-ratelimit-scope": "global" };
    discord.faults.push({
      path: /\/roles\//,
      times: 2,
      fault: { kind: "answer", reply: { status: 429, body, headers } },
    });
    assert.equal((await performOne(discord, stepOf("grant", account(0)))).result, "done");
    const [first, second] = writes(discord).map(({ atMs }) => atMs);
    assert.ok(first !== undefined && second !== undefined && second - first >= 200);
  });

  test("a pause of hours is not waited for but told", async (t) => {
    const discord = await serverWithFans(t, 1);
    const headers = { "retry-after": "66271" };
    discord.faults.push({
      path: /\/roles\//,
      fault: { kind: "answer", reply: { status: 429, body: "error code: 1015", headers } },
    });
    const outcome = await performOne(discord, stepOf("grant", account(0)));
    assert.ok(outcome.result === "failed" && outcome.blame === "service");
    assert.match(outcome.sentence, /pause of 6627\d s/);
    assert.equal(writes(discord).length, 1);
  });
});

describe("the end of a run", () => {
  test("a token refused half-way ends it: what was under way is told, the rest is not pulled, then it throws", async (t) => {
    const discord = await serverWithFans(t, 30);
    const steps = range(30).map((index) => stepOf("grant", account(index)));
    discord.faults.push({
      path: /\/roles\//,
      skip: 10,
      fault: { kind: "answer", reply: { status: 401, body: { message: "401: Unauthorized", code: 0 } } },
    });
    const outcomes: Outcome[] = [];
    await assert.rejects(async () => {
      for await (const outcome of openTarget(discord, bothPlaces).perform(inTurn(steps)))
        outcomes.push(outcome);
    }, PlatformError);
    assert.equal(outcomes.filter(({ result }) => result === "done").length, 10);
    assert.ok(outcomes.length <= 14);
    assert.ok(outcomes.slice(10).every((each) => each.result === "failed" && each.blame === "us"));
    assert.equal(writes(discord).filter(({ status }) => status === 401).length, 1);
  });

  test("an aborted run pulls nothing more, waits for what is under way and drops what was not sent", async (t) => {
    const discord = await serverWithFans(t, 30);
    const controller = new AbortController();
    discord.faults.push({ path: /\/roles\//, skip: 2, fault: { kind: "hang" } });
    const steps = range(30).map((index) => stepOf("grant", account(index)));
    const options = { signal: controller.signal, timeoutMs: 300 };
    const performing = perform(discord, steps, options);
    await discordSaw(discord, /\/roles\//, 3);
    controller.abort();
    const outcomes = await performing;
    const count = (result: Outcome["result"]) => outcomes.filter((each) => each.result === result).length;
    assert.equal(count("done"), 2);
    assert.equal(count("failed"), writes(discord).length - 2);
    assert.equal(outcomes.length, 6);
    assert.ok(count("dropped") >= 1);
  });

  test("a source that breaks is told after what was under way", async (t) => {
    const discord = await serverWithFans(t, 2);
    const broken = async function* () {
      yield* inTurn([stepOf("grant", account(0)), stepOf("grant", account(1))]);
      throw new Error("the journal is gone");
    };
    const outcomes: Outcome[] = [];
    await assert.rejects(async () => {
      for await (const outcome of openTarget(discord, bothPlaces).perform(broken())) outcomes.push(outcome);
    }, /the journal is gone/);
    assert.deepEqual(
      outcomes.map(({ result }) => result),
      ["done", "done"],
    );
  });

  test("whoever stops listening stops the steps, too", async (t) => {
    const discord = await serverWithFans(t, 30);
    let isClosed = false;
    const steps = async function* () {
      try {
        yield* inTurn(range(30).map((index) => stepOf("grant", account(index))));
      } finally {
        isClosed = true;
      }
    };
    for await (const outcome of openTarget(discord, bothPlaces).perform(steps())) {
      assert.equal(outcome.result, "done");
      break;
    }
    assert.equal(isClosed, true);
    assert.ok(writes(discord).length <= 5);
  });
});
