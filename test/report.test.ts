import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { guard } from "../lib/guard.ts";
import type { Step } from "../lib/model.ts";
import type { Outcome } from "../lib/target.ts";
import { diff } from "../lib/plan/diff.ts";
import { reportJson } from "../lib/report/json.ts";
import { exitCodeFor, type Run } from "../lib/report/run.ts";
import { reportText } from "../lib/report/text.ts";
import { defaultLimits } from "./cases/limits.ts";
import {
  accountOf,
  fanOf,
  loadCases,
  nameOfAccount,
  placeIdOf,
  placesSchema,
  situationOf,
  time,
} from "./cases/load.ts";

const names = z.array(z.string());
const outcomeSchema = z.union([
  z.literal("done").transform((result) => ({ result })),
  z.strictObject({ result: z.enum(["refused", "failed", "dropped"]), sentence: z.string() }),
]);
const caseSchema = z.strictObject({
  why: z.string().optional(),
  dryRun: z.boolean().default(false),
  now: time.default(Date.parse("2026-11-23T05:20:00Z")),
  /** Null: nothing was read from Fanvue. */
  subscribers: z.number().nullable().default(412),
  unreadable: names.default([]),
  places: placesSchema,
  /** By "VERB PLACE ACCOUNT". */
  outcomes: z.record(z.string(), outcomeSchema).default({}),
  heldBefore: z.boolean().default(false),
  handles: z.record(z.string(), z.string()).default({}),
  /** "PLACE ACCOUNT" */
  foreign: names.default([]),
  warnings: names.default([]),
  brokenOff: z.string().optional(),
  expect: z.strictObject({
    exit: z.number(),
    text: z.string().optional(),
    json: z.unknown().optional(),
  }),
});

function runOf(data: z.infer<typeof caseSchema>): Run {
  const { have, want, memories } = situationOf(data.places);
  const nowMs = data.now;
  const plan = diff({
    want,
    have,
    memories,
    protectedAccounts: new Set(),
    unreadableSinceMs: new Map(),
    unknownAfterDays: 7,
    nowMs,
  });
  const { go, held } = guard({
    plan,
    have,
    memories,
    limits: defaultLimits,
    sizes: [],
    acceptedSizes: new Map(),
    clockSkewMs: undefined,
    hash: () => "0123456789abcdef",
  });
  return {
    script: "sync-matrix",
    target: "matrix",
    isWhole: true,
    dryRun: data.dryRun,
    startedAtMs: nowMs,
    endedAtMs: nowMs + 4_000,
    snapshot: {
      readAtMs: data.subscribers === null ? undefined : nowMs,
      subscribers: data.subscribers ?? undefined,
      unreadable: data.unreadable,
    },
    have,
    memories,
    plan,
    go,
    held,
    heldIsNew: held !== undefined && !data.heldBefore,
    outcomes: go.flatMap((step) => outcomeOf(step, data.outcomes)),
    handles: new Map(Object.entries(data.handles).map(([name, handle]) => [fanOf(name), handle])),
    foreignGrants: data.foreign.map((line) => {
      const [id = "", name = ""] = line.split(" ");
      return {
        placeId: placeIdOf(id),
        account: accountOf(name),
        fans: [fanOf(name)],
        origin: "granted",
        basis: [],
        sinceMs: 0,
        settled: true,
      };
    }),
    warnings: data.warnings,
    requests: { fanvue: 12, discord: 0, matrix: 3 },
    brokenOff: data.brokenOff,
  };
}

function outcomeOf(step: Step, outcomes: z.infer<typeof caseSchema>["outcomes"]): Outcome[] {
  const outcome = outcomes[`${step.verb} ${step.placeId} ${nameOfAccount(step.account)}`];
  if (outcome === undefined) return [];
  switch (outcome.result) {
    case "done":
      return [{ step, result: "done" }];
    case "dropped":
      return [{ step, result: "dropped", sentence: outcome.sentence }];
    case "refused":
      return [{ step, result: "refused", code: "M_FORBIDDEN", sentence: outcome.sentence }];
    case "failed":
      return [{ step, result: "failed", blame: "service", sentence: outcome.sentence }];
  }
}

describe("the report of a run", () => {
  for (const { name, data } of loadCases("report", caseSchema))
    test(name, () => {
      const run = runOf(data);
      const { exit, text, json } = data.expect;
      assert.equal(exitCodeFor(run), exit);
      const parsed: unknown = JSON.parse(reportJson(run));
      assert.deepEqual(
        {
          text: text === undefined ? undefined : reportText(run),
          json: json === undefined ? undefined : parsed,
        },
        { text, json },
      );
    });
});

test("a long list is cut in the text and whole in the document", () => {
  const wishes = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`f${n}`, "yes"]));
  const run = runOf(caseSchema.parse({ places: { vip: { wishes } }, dryRun: true, expect: { exit: 0 } }));
  const text = reportText(run);
  assert.equal(text.split("\n").filter((line) => line.startsWith("  + ")).length, 50);
  assert.match(text, /^ {2}… and 70 more; --json lists all$/m);
  assert.equal(
    z.object({ steps: z.array(z.unknown()) }).parse(JSON.parse(reportJson(run))).steps.length,
    120,
  );
});

test("reasons that differ in the account alone are told once", () => {
  const run = runOf(caseSchema.parse({ places: { vip: { wishes: {} } }, expect: { exit: 0 } }));
  const [place] = run.have.keys();
  assert.ok(place);
  const skips = ["ana", "bo", "cy"].map((name) => {
    const account = accountOf(name);
    return { place, account, why: "unknown" as const, because: `run: links remove ${account}` };
  });
  const textWith = (some: typeof skips) => reportText({ ...run, plan: { ...run.plan, skips: some } });
  assert.match(textWith(skips), /^ {4}3 accounts: run: links remove ACCOUNT$/m);
  assert.match(textWith(skips.slice(0, 1)), /^ {4}@ana:hs\.org: run: links remove @ana:hs\.org$/m);
});

test("a terminal does not obey what strangers hide in their names", () => {
  const data = {
    places: { vip: { name: "VIP\u001b[2J\u202e", wishes: { ana: "yes" } } },
    handles: { ana: "a\rb\u009b" },
  };
  const text = reportText(runOf(caseSchema.parse({ ...data, expect: { exit: 0 } })));
  assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\p{Bidi_Control}]/u);
  assert.match(text, /VIP�\[2J�/);
});
