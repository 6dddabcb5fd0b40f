/** How a plan is carried out: what is looked at when, and what reaches the journal. */
import assert from "node:assert/strict";
import { test } from "node:test";
import pino from "pino";
import { apply, type Applied } from "../lib/apply.ts";
import { PlatformError } from "../lib/errors.ts";
import type { Place, Step } from "../lib/model.ts";
import type { Outcome, Target } from "../lib/target.ts";
import { accountOf, fanOf, placeIdOf } from "./cases/load.ts";

const place = (id: string): Place => ({
  target: "discord",
  id,
  rules: [],
  onExpiry: "revoke",
  graceDays: 0,
  strangers: "keep",
  adopt: true,
});

/** "grant vip ana", with " joins" behind it for somebody who is brought in. */
function stepOf(text: string): Step {
  const [verb = "", id = "", name = "", joins] = text.split(" ");
  return {
    verb: verb === "grant" || verb === "revoke" ? verb : "evict",
    place: place(id),
    placeId: placeIdOf(id),
    account: accountOf(name),
    fans: [fanOf(name)],
    because: "",
    basis: [],
    ...(joins === undefined ? {} : { joins: true }),
  };
}

const nameOf = ({ verb, placeId, account }: Step): string =>
  `${verb} ${placeId} ${account.slice(1).replace(":hs.org", "")}`;
const show = (outcome: Outcome): string => `${nameOf(outcome.step)} ${outcome.result}`;

interface Play {
  readonly steps: readonly string[];
  /** What the platform makes of a step; default done. */
  readonly perform?: (step: Step) => Outcome;
  /** Names of the steps that did not stick; "absent" for a platform that cannot read again. */
  readonly verify?: ((done: readonly string[]) => readonly string[]) | "absent";
  /** Steps whose ground has gone. */
  readonly fallen?: readonly string[];
  readonly signal?: AbortSignal;
}

/** Applies a plan and gives, beside what came of it, everything that happened in order. */
async function play({ steps, perform, verify = () => [], fallen = [], signal }: Play) {
  const events: string[] = [];
  const done = (step: Step): Outcome => ({ step, result: "done" });
  const target: Target = {
    name: "discord",
    read: () => Promise.resolve(new Map()),
    async *perform(pulled) {
      for await (const step of pulled) {
        events.push(`perform ${nameOf(step)}`);
        yield (perform ?? done)(step);
      }
    },
    requests: () => 0,
    clockSkewMs: () => undefined,
  };
  const readAgain = (claimed: readonly Step[]) => {
    events.push("verify");
    const lost = verify === "absent" ? [] : verify(claimed.map(nameOf));
    return Promise.resolve(
      new Map(claimed.filter((step) => lost.includes(nameOf(step))).map((step) => [step, "Did not stick."])),
    );
  };
  const applied: Applied = await apply({
    target: verify === "absent" ? target : { ...target, verify: async (claimed) => readAgain(claimed) },
    steps: steps.map(stepOf),
    look: {
      stillStands: (step) => {
        events.push(`look ${nameOf(step)}`);
        return Promise.resolve(fallen.includes(nameOf(step)) ? "The link fell." : undefined);
      },
      confirmAgain: (removals) => Promise.resolve(new Set(removals)),
    },
    confirmedAtMs: 0,
    confirmationMaxAgeMs: 1000,
    save: (outcomes) => {
      events.push(...outcomes.map((outcome) => `save ${show(outcome)}`));
      return Promise.resolve();
    },
    now: () => 0,
    signal: signal ?? new AbortController().signal,
    progress: () => undefined,
    log: pino({ level: "silent" }),
  });
  return { events, outcomes: applied.outcomes.map(show), brokenOff: applied.brokenOff };
}

const refusing =
  (name: string, result: "refused" | "failed") =>
  (step: Step): Outcome => {
    if (nameOf(step) !== name) return { step, result: "done" };
    if (result === "refused") return { step, result, code: "1", sentence: "No." };
    return { step, result, blame: "service", sentence: "503" };
  };

test("a grant is on record as it comes, a removal once it was read again; what did not stick has failed", async () => {
  const { events, outcomes } = await play({
    steps: ["grant vip ana", "grant vip bo", "grant vip cy", "revoke vip di", "revoke vip ed"],
    perform: refusing("grant vip bo", "refused"),
    verify: (done) => {
      assert.deepEqual(done, ["grant vip ana", "grant vip cy", "revoke vip di", "revoke vip ed"]);
      return ["grant vip cy", "revoke vip ed"];
    },
  });
  assert.deepEqual(outcomes, [
    "grant vip ana done",
    "grant vip bo refused",
    "grant vip cy failed",
    "revoke vip di done",
    "revoke vip ed failed",
  ]);
  const verified = events.indexOf("verify");
  const saved = (from: number, to?: number) => events.slice(from, to).filter((it) => it.startsWith("save"));
  assert.deepEqual(
    saved(0, verified),
    ["save grant vip ana done", "save grant vip bo refused", "save grant vip cy done"],
    "durably before the reading, in which the run may die",
  );
  assert.deepEqual(saved(verified), [
    "save grant vip cy failed",
    "save revoke vip di done",
    "save revoke vip ed failed",
  ]);
  assert.ok(verified > events.indexOf("perform revoke vip ed"), "once, after all of them");
  assert.equal(events.filter((event) => event === "verify").length, 1);
});

test("a platform that cannot read again is believed, and so is one that fails at it", async () => {
  const steps = ["grant vip ana"];
  assert.deepEqual((await play({ steps, verify: "absent" })).outcomes, ["grant vip ana done"]);
  const deaf = () => {
    throw new PlatformError("Discord did not answer.", "Try again.");
  };
  assert.deepEqual((await play({ steps, verify: deaf })).outcomes, ["grant vip ana done"]);
});

test("nothing is read again where nothing was done", async () => {
  const { events } = await play({ steps: ["grant vip ana"], perform: refusing("grant vip ana", "failed") });
  assert.ok(!events.includes("verify"));
});

test("what was done before a run broke off or was stopped is read again, too", async () => {
  const names = ["ana", "bo", "cy", "di", "ed", "flo", "gus"];
  const ended = await play({
    steps: names.map((name) => `grant vip ${name}`),
    perform: (step) =>
      nameOf(step) === "grant vip ana"
        ? { step, result: "done" }
        : { step, result: "failed", blame: "service", sentence: "503" },
    verify: (done) => done,
  });
  assert.match(ended.brokenOff ?? "", /5 steps in a row failed/);
  assert.equal(ended.outcomes[0], "grant vip ana failed");
  assert.equal(ended.outcomes.length, 6, "gus was not tried");

  const stop = new AbortController();
  const stopped = await play({
    steps: ["grant vip ana", "grant vip bo"],
    signal: stop.signal,
    perform: (step) => {
      stop.abort();
      return { step, result: "done" };
    },
    verify: (done) => done,
  });
  assert.match(stopped.brokenOff ?? "", /stopped/);
  assert.deepEqual(stopped.outcomes, ["grant vip ana failed"]);

  const dead = await play({
    steps: ["grant vip ana", "grant vip bo"],
    perform: (step) => {
      if (nameOf(step) === "grant vip ana") return { step, result: "done" };
      throw new PlatformError("The token is dead.", "Make a new one.");
    },
    verify: (done) => done,
  });
  assert.match(dead.brokenOff ?? "", /token is dead/);
  assert.deepEqual(dead.outcomes, ["grant vip ana failed"]);
});

test("whoever is brought in is looked at once for all their roles, when the first has its turn", async () => {
  const { events, outcomes } = await play({
    steps: [
      "grant gold ana joins",
      "grant gold bo joins",
      "grant gold cy",
      "grant vip ana joins",
      "grant vip bo joins",
      "grant vip cy",
    ],
    fallen: ["grant gold ana"],
    verify: "absent",
  });
  assert.deepEqual(
    events.filter((event) => !event.startsWith("save")),
    [
      "look grant gold ana",
      "look grant vip ana",
      "perform grant vip ana",
      "look grant gold bo",
      "look grant vip bo",
      "perform grant gold bo",
      "perform grant vip bo",
      "look grant gold cy",
      "perform grant gold cy",
      "look grant vip cy",
      "perform grant vip cy",
    ],
  );
  assert.equal(outcomes[0], "grant gold ana dropped");
});
