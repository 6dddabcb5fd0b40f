import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import type { Place, Verdict } from "../lib/model.ts";
import {
  anyOf,
  confirm,
  describeRule,
  evaluate,
  evidenceNeededFor,
  ruleKey,
  rulesHash,
} from "../lib/rules.ts";
import { evidenceSchema, factsSchema, showVerdict } from "./cases/facts.ts";
import { fanOf, loadCases, nameOfFan, ruleOf, time } from "./cases/load.ts";

const caseSchema = z.strictObject({
  why: z.string().optional(),
  now: time.default(Date.parse("2026-11-23")),
  facts: factsSchema.prefault({}),
  /** What was read again. */
  again: evidenceSchema.prefault({}),
  /** The basis of the grant on record; without it there is none. */
  basis: z.array(z.string()).optional(),
  /** "RULE FAN" and what it comes to. */
  evaluate: z.record(z.string(), z.string()).default({}),
  confirm: z.record(z.string(), z.string()).default({}),
});

const asked = (question: string) => {
  const [rule = "", fan = ""] = question.split(" ");
  return { rule: ruleOf(rule), fan: fanOf(fan) };
};

describe("what the rules say", () => {
  for (const { name, data } of loadCases("rules", caseSchema))
    test(name, () => {
      const { facts, again, now } = data;
      const grant = data.basis === undefined ? undefined : { basis: data.basis };
      const evaluated = Object.keys(data.evaluate).map((question) => {
        const { rule, fan } = asked(question);
        return [question, showVerdict(evaluate(rule, fan, facts, now))];
      });
      const confirmed = Object.keys(data.confirm).map((question) => {
        const { rule, fan } = asked(question);
        return [question, showVerdict(confirm(rule, fan, facts, again, grant, now))];
      });
      assert.ok(evaluated.length + confirmed.length > 0, "the case asks nothing");
      assert.deepEqual(Object.fromEntries(evaluated), data.evaluate);
      assert.deepEqual(Object.fromEntries(confirmed), data.confirm);
    });
});

describe("several verdicts on one account", () => {
  const yes: Verdict = { is: "yes", because: "subscriber", basis: ["subscription"] };
  const rich: Verdict = { is: "yes", because: "spent 9.00 of 5.00 USD", basis: ["spending:500"] };
  const no: Verdict = { is: "no", because: "not a top spender" };
  const vague: Verdict = { is: "unknown", because: "the followers were not read" };
  const gone = (name: string): Verdict => ({
    is: "unknown",
    because: "not found",
    unreadableFans: [fanOf(name)],
  });

  const rows: readonly (readonly [string, readonly Verdict[], string])[] = [
    ["none at all is unknown", [], "unknown: no rule speaks of this place"],
    ["one stands for itself", [no], "no: not a top spender"],
    ["any yes wins", [no, vague, yes], "yes: subscriber · by: subscription"],
    [
      "all that say yes are told",
      [yes, no, rich],
      "yes: subscriber; spent 9.00 of 5.00 USD · by: subscription, spending:500",
    ],
    ["unknown outweighs no", [no, vague], "unknown: the followers were not read"],
    [
      "fans who cannot be read are named when nothing else is in the way",
      [gone("ana"), no, gone("bo")],
      "unknown: not found · unreadable: ana, bo",
    ],
    [
      "and are not when something else is",
      [gone("ana"), vague],
      "unknown: not found; the followers were not read",
    ],
    [
      "an end is the last of all ends",
      [
        { is: "no", because: "ended", endedAtMs: Date.parse("2026-11-01") },
        { is: "no", because: "ended", endedAtMs: Date.parse("2026-11-20") },
      ],
      "no: ended · ended 2026-11-20",
    ],
    [
      "and is not told when one end is not known",
      [no, { is: "no", because: "ended", endedAtMs: Date.parse("2026-11-20") }],
      "no: not a top spender; ended",
    ],
  ];
  for (const [name, verdicts, expected] of rows)
    test(name, () => {
      assert.equal(showVerdict(anyOf(verdicts)), expected);
    });
});

describe("rules as keys and words", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["subscription", "subscribers"],
    ["subscription:paid", "subscribers who pay"],
    ["spending:10000", "fans who spent 100.00 USD or more"],
    ["top_spender", "top spenders"],
    ["unlock:post-1", "fans who unlocked post-1"],
    ["fanvue_list:smart:spent_more_than_50", "fans on the smart list spent_more_than_50"],
  ];
  for (const [key, words] of rows)
    test(`${key}: ${words}`, () => {
      assert.equal(ruleKey(ruleOf(key)), key);
      assert.equal(describeRule(ruleOf(key)), words);
    });
});

describe("the hash of a place's rules", () => {
  const place: Place = {
    target: "matrix",
    id: "vip",
    rules: [ruleOf("subscription"), ruleOf("spending:500")],
    onExpiry: "revoke",
    graceDays: 0,
    strangers: "keep",
    adopt: true,
  };
  test("does not change with their order or what happens at expiry", () => {
    const other: Place = { ...place, rules: [...place.rules].reverse(), onExpiry: "keep", graceDays: 3 };
    assert.equal(rulesHash(other), rulesHash(place));
  });
  test("changes with a threshold, a rule more, and with strangers that are no longer welcome", () => {
    const others: Place[] = [
      { ...place, rules: [ruleOf("subscription"), ruleOf("spending:501")] },
      { ...place, rules: [...place.rules, ruleOf("top_spender")] },
      { ...place, strangers: "remove" },
      { ...place, rules: [ruleOf("subscription")] },
    ];
    assert.equal(new Set([place, ...others].map(rulesHash)).size, others.length + 1);
  });
});

test("only what the rules of a removal ask for is read again", () => {
  const facts = factsSchema.parse({ subscribers: { ana: { status: "cancelled" } } });
  const rules = (...keys: string[]) => keys.map(ruleOf);
  const needed = evidenceNeededFor(
    [
      { rules: rules("subscription", "unlock:post"), fans: [fanOf("ana"), fanOf("bo")] },
      { rules: rules("subscription:paid"), fans: [fanOf("cy")] },
      { rules: rules("top_spender", "fanvue_list:custom:x"), fans: [fanOf("di")] },
      { rules: rules("fanvue_list:smart:followers"), fans: [fanOf("ed")] },
      { rules: rules("spending:5"), fans: [fanOf("flo")] },
    ],
    facts,
  );
  assert.deepEqual([...needed.fans].map(nameOfFan), ["ana", "bo", "cy", "ed", "flo"]);
  assert.deepEqual([...needed.rows].map(nameOfFan), ["ana", "cy", "di"]);
  assert.deepEqual([...needed.lists.keys()], ["custom:x", "smart:followers"]);
});
