import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { guard, heldIsNew, removalLimit, type Guarded, type GuardGiven } from "../lib/guard.ts";
import type { Place, Plan, Skip, Step } from "../lib/model.ts";
import type { Held } from "../lib/model/brakes.ts";
import { sortSteps } from "../lib/plan/evict.ts";
import { defaultLimits } from "./cases/limits.ts";
import {
  accountOf,
  fanOf,
  loadCases,
  nameOfAccount,
  placeIdOf,
  placesSchema,
  situationOf,
} from "./cases/load.ts";

const hash = (text: string) => createHash("sha256").update(text).digest("hex");
const names = z.array(z.string());
const sizes = z.record(z.string(), z.number());

const caseSchema = z.strictObject({
  why: z.string().optional(),
  places: placesSchema,
  /** "VERB PLACE ACCOUNT", "VERB PLACE ACCOUNT requested", "VERB PLACE ACCOUNT stranger", "VERB PLACE ACCOUNT hold: WHY" */
  steps: names.default([]),
  /** "PLACE ACCOUNT WHY" */
  skips: names.default([]),
  sizes: sizes.default({}),
  accepted: sizes.default({}),
  clockSkewMinutes: z.number().optional(),
  /** Approves, of what this guard holds without it, these steps; with all that it accepts. */
  approve: names.optional(),
  expect: z.strictObject({
    go: names.default([]),
    held: names.default([]),
    reasons: names.default([]),
    /** "CONFIGURED → PLACE" */
    acceptsRules: names.default([]),
    acceptsSizes: sizes.default({}),
    applied: names.default([]),
    strangersWait: names.default([]),
    acceptSizes: sizes.default({}),
  }),
});

const showStep = ({ verb, placeId, account }: Step) => `${verb} ${placeId} ${nameOfAccount(account)}`;
const bySource = (some: Guarded["acceptSizes"]) =>
  Object.fromEntries(some.map(({ source, size }) => [source, size]));

const show = ({
  go,
  held,
  accepts,
  applied,
  strangersWait,
  acceptSizes,
}: Guarded): z.infer<typeof caseSchema>["expect"] => ({
  go: go.map(showStep),
  held: held?.steps.map(showStep) ?? [],
  reasons: [...(held?.reasons ?? [])],
  acceptsRules: accepts.rules.map(({ configuredId, placeId }) => `${configuredId} → ${placeId}`),
  acceptsSizes: bySource(accepts.sizes),
  applied: applied.map((place) => place.id),
  strangersWait: [...strangersWait].map((place) => place.id),
  acceptSizes: bySource(acceptSizes),
});

function givenBy(data: z.infer<typeof caseSchema>): GuardGiven {
  const { places, have, memories } = situationOf(data.places);
  const placeNamed = (id: string): Place => {
    const place = places.get(id);
    if (place === undefined) throw new Error(`no place ${id}`);
    return place;
  };
  const plan: Plan = {
    steps: sortSteps(data.steps.map((line) => stepOf(line, placeNamed))),
    skips: data.skips.map((line) => skipOf(line, placeNamed)),
    observations: new Map(),
  };
  return {
    plan,
    have,
    memories,
    limits: defaultLimits,
    sizes: Object.entries(data.sizes).map(([source, size]) => ({ source, size })),
    acceptedSizes: new Map(Object.entries(data.accepted)),
    clockSkewMs: data.clockSkewMinutes === undefined ? undefined : data.clockSkewMinutes * 60_000,
    hash,
  };
}

function stepOf(line: string, placeNamed: (id: string) => Place): Step {
  // "revoke space ana in lounge": out of a room that goes with the space.
  const [whole = "", hold] = line.split(" hold: ");
  const [verb, id = "", name = "", mark = "", ...rest] = whole.split(" ");
  if (verb !== "grant" && verb !== "revoke" && verb !== "evict") throw new Error(`no verb: ${line}`);
  return {
    verb,
    place: placeNamed(id),
    placeId: placeIdOf(id),
    account: accountOf(name),
    fans: mark === "stranger" ? [] : [fanOf(name)],
    because: "",
    basis: [],
    ...(hold === undefined ? {} : { hold }),
    ...(mark === "requested" ? { requested: true } : {}),
    ...(mark === "declines" ? { declines: true } : {}),
    ...(mark === "in" ? { placeId: placeIdOf(rest[0] ?? ""), within: withinOf(rest[0] ?? "") } : {}),
  };
}

const withinOf = (roomName: string) => ({ roomName, unless: [], isPlace: false });

function skipOf(line: string, placeNamed: (id: string) => Place): Skip {
  const [id = "", name = "", ...why] = line.split(" ");
  const kind = z.enum(["unknown", "unreadable", "in grace", "kept"]).parse(why.join(" "));
  return { place: placeNamed(id), account: accountOf(name), why: kind, because: "" };
}

describe("what may go and what waits", () => {
  for (const { name, data } of loadCases("guard", caseSchema))
    test(name, () => {
      const given = givenBy(data);
      assert.deepEqual(show(guard(approving(given, data.approve))), data.expect);
    });
});

function approving(given: GuardGiven, lines: readonly string[] | undefined): GuardGiven {
  if (lines === undefined) return given;
  const { held, accepts } = guard(given);
  if (held === undefined) throw new Error("nothing is held that could be approved");
  const steps = held.steps.filter((step) => lines.includes(showStep(step)));
  return { ...given, approved: { steps, accepts } };
}

describe("how many may lose access in a day", () => {
  const rows: readonly (readonly [number, number])[] = [
    [0, 2],
    [5, 2],
    [14, 2],
    [15, 3],
    [50, 10],
    [99, 19],
    [100, 20],
    [400, 40],
    [500, 44],
    [10_000, 200],
  ];
  for (const [ours, limit] of rows)
    test(`${limit} of ${ours}`, () => {
      assert.equal(removalLimit(ours, 2, defaultLimits), limit);
    });
  test("a share that is whole on paper is whole here", () => {
    assert.equal(
      removalLimit(100, 2, { ...defaultLimits, maxRemovalShare: 0.29, removalRootFactor: 100 }),
      29,
    );
  });
});

describe("the hash of what is held", () => {
  const yaml = (some: object) => givenBy(caseSchema.parse({ expect: {}, ...some }));
  const members = ["ana", "bo", "cy"];
  const base = {
    places: { vip: {}, lounge: {} },
    steps: members.map((name) => `revoke vip ${name} hold: why`),
  };
  const held = (given: GuardGiven): Held | undefined => guard(given).held;

  test("is twelve hexadecimal digits and does not depend on any order", () => {
    const other = { ...base, places: { lounge: {}, vip: {} }, steps: [...base.steps].reverse() };
    assert.match(held(yaml(base))?.hash ?? "", /^[0-9a-f]{12}$/);
    assert.equal(held(yaml(other))?.hash, held(yaml(base))?.hash);
  });
  test("does not change with the figures of a limit alone", () => {
    const over = {
      places: { vip: { memory: { removedLastDay: ["x"] } } },
      steps: steps("revoke", "vip", members),
    };
    const later = { ...over, places: { vip: { memory: { removedLastDay: ["x", "y"] } } } };
    assert.notDeepEqual(held(yaml(later))?.reasons, held(yaml(over))?.reasons);
    assert.equal(held(yaml(later))?.hash, held(yaml(over))?.hash);
  });
  test("changes with a person, a verb, a reason", () => {
    const others = [
      { ...base, steps: base.steps.slice(1) },
      { ...base, steps: base.steps.map((line) => line.replace("revoke", "evict")) },
      { ...base, steps: base.steps.map((line) => line.replace("why", "for something else")) },
      { ...base, places: { vip: { memory: { applied: "otherwise" } }, lounge: {} } },
    ];
    const hashes = [base, ...others].map((some) => held(yaml(some))?.hash);
    assert.equal(new Set(hashes).size, hashes.length);
  });

  test("a held set is new when it has a step that the last one had not", () => {
    const all = held(yaml(base));
    const fewer = held(yaml({ ...base, steps: base.steps.slice(1) }));
    assert.equal(heldIsNew(all, undefined), true);
    assert.equal(heldIsNew(all, all?.steps), false);
    assert.equal(heldIsNew(fewer, all?.steps), false);
    assert.equal(heldIsNew(all, fewer?.steps), true);
    assert.equal(heldIsNew(undefined, all?.steps), false);
  });
});

function steps(verb: string, place: string, accounts: readonly string[]): string[] {
  return accounts.map((name) => `${verb} ${place} ${name}`);
}
