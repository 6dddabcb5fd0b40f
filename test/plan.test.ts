import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import type { Account, FanId, Platform } from "../lib/ids.ts";
import type { Grant, Observations, Plan, Presence } from "../lib/model.ts";
import { confirmRemovals, confirmSteps, evidenceNeeded } from "../lib/plan/confirm.ts";
import { diff } from "../lib/plan/diff.ts";
import { resolveLinks, wantFromRules, type ResolvedLinks } from "../lib/want.ts";
import { evidenceSchema, factsSchema } from "./cases/facts.ts";
import {
  accountOf,
  fanOf,
  loadCases,
  nameOfAccount,
  nameOfFan,
  placeIdOf,
  placesSchema,
  showSkip,
  showStep,
  situationOf,
  time,
} from "./cases/load.ts";

const names = z.array(z.string());
const expectedSchema = z.strictObject({
  steps: names.default([]),
  skips: names.default([]),
  /** By place; an observation that is not written is not made. */
  observations: z.record(z.string(), z.record(z.string(), names)).default({}),
});
const circumstances = {
  why: z.string().optional(),
  now: time.default(Date.parse("2026-11-23")),
  places: placesSchema,
  protected: names.default([]),
  unreadableSince: z.record(z.string(), time).default({}),
  /** Accounts on record in rooms that go with spaces, by room. */
  leftBehind: z.record(z.string(), names).default({}),
  expect: expectedSchema,
};

/** All that a plan says, as a case writes it. */
function show(plan: Plan): z.infer<typeof expectedSchema> {
  const observations = [...plan.observations].map(
    ([place, seen]) => [place.id, showObservations(seen)] as const,
  );
  return {
    steps: plan.steps.map(showStep),
    skips: plan.skips.map(showSkip),
    observations: Object.fromEntries(observations.filter(([, seen]) => Object.keys(seen).length > 0)),
  };
}

function showObservations({ placeId, ...kinds }: Observations): Record<string, string[]> {
  assert.ok(placeId.length > 0);
  const lines = Object.entries(kinds).map(([kind, all]): [string, string[]] => [
    kind,
    all.map(showObservation),
  ]);
  return Object.fromEntries(lines.filter(([, all]) => all.length > 0));
}

function showObservation(
  one:
    | Account
    | {
        account: Account;
        how?: string;
        fans?: readonly FanId[];
        basis?: readonly string[];
        presence?: Presence;
      },
) {
  if (typeof one === "string") return nameOfAccount(one);
  if (one.presence !== undefined) return `${nameOfAccount(one.account)} ${one.presence.is}`;
  if (one.how !== undefined) return `${nameOfAccount(one.account)} ${one.how}`;
  const fans = one.fans === undefined ? [] : [`(${one.fans.map(nameOfFan).join(", ")})`];
  const basis = one.basis === undefined ? [] : [`by: ${one.basis.join(", ")}`];
  return [nameOfAccount(one.account), ...fans, ...basis].join(" ");
}

describe("the steps between what is wanted and what is there", () => {
  for (const { name, data } of loadCases("plan", z.strictObject(circumstances)))
    test(name, () => {
      const { have, want, memories } = situationOf(data.places);
      const plan = diff({
        want,
        have,
        memories,
        protectedAccounts: new Set(data.protected.map(accountOf)),
        unreadableSinceMs: sinceOf(data.unreadableSince),
        unknownAfterDays: 7,
        leftBehind: leftBehindOf(data.leftBehind),
        nowMs: data.now,
      });
      assert.deepEqual(show(plan), data.expect);
    });
});

const sinceOf = (since: Record<string, number>) =>
  new Map(Object.entries(since).map(([name, timeMs]) => [fanOf(name), timeMs]));

const leftBehindOf = (rooms: Record<string, string[]>) =>
  new Map(
    Object.entries(rooms).map(([room, accounts]) => [
      placeIdOf(room),
      new Map(accounts.map((name) => [accountOf(name), grantIn(room, name)])),
    ]),
  );

const grantIn = (place: string, name: string): Grant => ({
  placeId: placeIdOf(place),
  account: accountOf(name),
  fans: [fanOf(name)],
  origin: "granted",
  basis: [],
  sinceMs: 0,
  settled: false,
});

const confirmSchema = z.strictObject({
  ...circumstances,
  facts: factsSchema.prefault({}),
  again: evidenceSchema.prefault({}),
  /** Account and its fans; without them everybody in the places is linked to the fan of the same name. */
  links: z.record(z.string(), names),
  /** As they are when read again, where they changed. */
  linksAgain: z.record(z.string(), names).optional(),
  cut: names.default([]),
  /** Accounts with a grant of ours in a place that is no longer configured. */
  foreign: names.default([]),
  /** What is asked for: insights, rows, lists. */
  asks: names.default([]),
  unreadable: names.default([]),
  readable: names.default([]),
});

describe("removals and the evidence for them", () => {
  for (const { name, data } of loadCases("confirm", confirmSchema))
    test(name, () => {
      const { have, memories, places } = situationOf(data.places);
      const platform: Platform = "discord";
      const { facts, now: nowMs } = data;
      const owned = new Set([...memories.values()].flatMap((memory) => [...memory.grants.keys()]));
      const links = linksOf(data.links, data.cut);
      const want = wantFromRules({ places: [...places.values()], platform, links, facts, owned, nowMs });
      const unreadableSinceMs = sinceOf(data.unreadableSince);
      const foreignGrants = data.foreign.map((account) => grantIn("old", account));
      const given = { want, memories, foreignGrants, unreadableSinceMs, unknownAfterDays: 7, nowMs };
      const plan = diff({ ...given, have, protectedAccounts: new Set(data.protected.map(accountOf)) });

      const needed = evidenceNeeded(plan, { want, facts });
      const asks = [
        ...[...needed.fans].map((fan) => `insight ${nameOfFan(fan)}`),
        ...[...needed.rows].map((fan) => `row ${nameOfFan(fan)}`),
        ...[...needed.lists.keys()].map((key) => `list ${key}`),
      ];
      assert.deepEqual(asks, data.asks);

      const again = linksOf(data.linksAgain ?? data.links, data.cut);
      const confirming = { ...given, facts, evidence: data.again, links: again };
      const confirmed = confirmRemovals(plan, confirming);
      assert.deepEqual(show(confirmed.plan), data.expect);
      assert.deepEqual([...confirmed.unreadableFans].map(nameOfFan), data.unreadable);
      assert.deepEqual([...confirmed.readableFans].map(nameOfFan), data.readable);

      const unchanged = confirmSteps(confirmed.plan.steps, confirming);
      assert.deepEqual([...unchanged], confirmed.plan.steps, "the same evidence says the same later");
    });
});

function linksOf(links: Record<string, string[]>, cut: readonly string[]): ResolvedLinks {
  return resolveLinks({
    stored: Object.entries(links).flatMap(([account, fans]) =>
      fans.map((fan) => ({
        platform: "discord",
        account: accountOf(account),
        fan: fanOf(fan),
        source: "operator",
      })),
    ),
    blocks: cut.map((account) => ({
      platform: "discord",
      account: accountOf(account),
      fan: undefined,
      createdAtMs: Date.parse("2026-11-20"),
    })),
    bookLinksNow: [],
    bookLinksEver: [],
  });
}
