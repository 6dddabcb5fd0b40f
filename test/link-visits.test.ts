/** Visits and the ways out of them: how long they live, and that nobody is pushed out by a crowd. */
import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { attemptOf, newestAttempt, withAttempt, withUsedAttempt } from "../lib/link/attempts.ts";
import { sameSecret } from "../lib/link/secrets.ts";
import { createVisits, emptyVisit, type Visit } from "../lib/link/visits.ts";
import { ana, must } from "./link-site.ts";

const minuteMs = 60_000;
const asAna = (visit: Visit): Visit => ({ ...visit, fan: ana });
const asNobody = (visit: Visit): Visit => ({ ...visit });

describe("a visit", () => {
  it("takes memory only once there is something to remember", () => {
    const visits = createVisits({ now: () => 0 });
    const id = visits.issue();
    assert.equal(visits.recognise(id), id);
    assert.equal(visits.load(id), emptyVisit);
    assert.equal(visits.count(), 0);
    visits.change(id, asAna);
    assert.equal(visits.load(id).fan, ana);
    assert.equal(visits.count(), 1);
  });

  it("is known by no id but those that were given out by this process", () => {
    const visits = createVisits({ now: () => 0 });
    const id: string = visits.issue();
    const foreign: string = createVisits({ now: () => 0 }).issue();
    const [secret = "", mark = ""] = id.split(".");
    for (const madeUp of ["", ".", secret, `${secret}.`, `.${mark}`, `${id}.`, `x${id}`, `${id}x`, foreign])
      assert.equal(visits.recognise(madeUp), undefined, madeUp);
  });

  it("ends after half an hour without use, and after two hours in any case", () => {
    let nowMs = 0;
    const visits = createVisits({ now: () => nowMs });
    const [idle, busy] = [visits.issue(), visits.issue()];
    visits.change(idle, asAna);
    visits.change(busy, asAna);
    nowMs = 30 * minuteMs - 1;
    assert.equal(visits.load(busy).fan, ana);
    nowMs += 1;
    assert.equal(visits.load(idle), emptyVisit);
    for (; nowMs < 120 * minuteMs; nowMs += 10 * minuteMs) assert.equal(visits.load(busy).fan, ana);
    assert.equal(visits.load(busy), emptyVisit);
  });

  it("does not live longer by getting a new id", () => {
    let nowMs = 0;
    const visits = createVisits({ now: () => nowMs });
    let id = visits.issue();
    visits.change(id, asAna);
    for (; nowMs < 120 * minuteMs; nowMs += 20 * minuteMs) id = must(visits.renew(id, asNobody));
    assert.equal(visits.renew(id, asNobody), undefined);
  });

  it("has one id at a time", () => {
    const visits = createVisits({ now: () => 0 });
    const old = visits.issue();
    visits.change(old, asAna);
    const renewed = must(visits.renew(old, asNobody));
    assert.notEqual(renewed, old);
    assert.equal(visits.renew(old, asNobody), undefined);
    assert.equal(visits.load(old), emptyVisit);
    assert.equal(visits.load(renewed).fan, ana);
    assert.ok(visits.isFormToken(renewed, visits.formToken(renewed)));
    assert.ok(!visits.isFormToken(renewed, visits.formToken(old)));
  });

  it("is not pushed out by a crowd who have proved nothing", () => {
    const visits = createVisits({ now: () => 0, capacity: 3 });
    const fan = visits.issue();
    visits.change(fan, asAna);
    for (let count = 0; count < 10; count++) visits.change(visits.issue(), asNobody);
    assert.equal(visits.count(), 3);
    assert.equal(visits.load(fan).fan, ana);
  });

  it("is kept longer than others while somebody may come back from another service, or has asked for a code", () => {
    let nowMs = 0;
    const visits = createVisits({ now: () => nowMs, capacity: 3 });
    const attempt = { url: new URL("https://auth.example"), state: "s", verifier: "v" };
    const [away, waiting] = [visits.issue(), visits.issue()];
    visits.change(away, (visit) => ({
      ...visit,
      attempts: withAttempt(visit.attempts, { purpose: "fanvue", attempt, nowMs }),
    }));
    visits.change(waiting, (visit) => ({ ...visit, inboxCode: { id: "code" } }));
    for (let count = 0; count < 10; count++) visits.change(visits.issue(), asNobody);
    assert.deepEqual([visits.count(), visits.load(away).attempts.length], [3, 1]);
    assert.deepEqual(visits.load(waiting).inboxCode, { id: "code" });
    // Used up, and the service is being asked.
    visits.change(away, (visit) => ({
      ...visit,
      attempts: withUsedAttempt(visit.attempts, must(visit.attempts[0])),
    }));
    for (let count = 0; count < 10; count++) visits.change(visits.issue(), asNobody);
    assert.equal(visits.load(away).attempts.length, 1);
    nowMs = 10 * 60_000;
    for (let count = 0; count < 10; count++) visits.change(visits.issue(), asNobody);
    assert.deepEqual(
      [visits.load(away).attempts.length, visits.load(waiting).inboxCode],
      [0, { id: "code" }],
    );
  });

  it("makes room for others, the longest unused first", () => {
    const visits = createVisits({ now: () => 0, capacity: 2 });
    const [first, second, third] = [visits.issue(), visits.issue(), visits.issue()];
    visits.change(first, asAna);
    visits.change(second, asAna);
    visits.load(first);
    visits.change(third, asAna);
    assert.deepEqual(
      [first, second, third].map((id) => visits.load(id).fan),
      [ana, undefined, ana],
    );
  });
});

describe("an attempt", () => {
  const attempt = (state: string) => ({ url: new URL("https://auth.example"), state, verifier: "v" });
  const open = (states: readonly string[]) =>
    states.reduce<ReturnType<typeof withAttempt>>(
      (attempts, state) => withAttempt(attempts, { purpose: "fanvue", attempt: attempt(state), nowMs: 0 }),
      [],
    );

  it("is found by its own state, for ten minutes, until it is used", () => {
    const attempts = open(["a", "b"]);
    const found = must(attemptOf(attempts, "a", 10 * minuteMs - 1));
    assert.equal(found.attempt.state, "a");
    assert.equal(attemptOf(attempts, "c", 0), undefined);
    assert.equal(attemptOf(attempts, "a", 10 * minuteMs), undefined);
    const left = withUsedAttempt(attempts, found);
    assert.equal(attemptOf(left, "a", 0), undefined);
    assert.equal(must(attemptOf(left, "b", 0)).attempt.state, "b");
  });

  it("is one of five at most, and the newest of its purpose leads out", () => {
    const attempts = open(["a", "b", "c", "d", "e", "f"]);
    assert.equal(attempts.length, 5);
    assert.equal(attemptOf(attempts, "a", 0), undefined);
    assert.equal(newestAttempt(attempts, "fanvue", 0)?.attempt.state, "f");
    assert.equal(newestAttempt(attempts, "discord", 0), undefined);
  });
});

test("secrets are the same only when they are the same", () => {
  assert.ok(sameSecret("abc", "abc"));
  for (const other of ["", "ab", "abcd", "abd"]) assert.ok(!sameSecret("abc", other));
});
