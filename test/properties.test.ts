/** What holds for every plan, whatever the facts: tried on towns drawn by chance. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { guard, removalLimit } from "../lib/guard.ts";
import type { Account, FanId } from "../lib/ids.ts";
import type {
  Departure,
  Grant,
  Kick,
  Observations,
  Place,
  PlaceMemory,
  PlaceState,
  Plan,
  Presence,
  Rule,
  Standing,
  Step,
  Want,
} from "../lib/model.ts";
import { confirmRemovals } from "../lib/plan/confirm.ts";
import { diff } from "../lib/plan/diff.ts";
import { rulesHash } from "../lib/rules.ts";
import { resolveLinks, wantFromRules } from "../lib/want.ts";
import { evidenceSchema, factsSchema } from "./cases/facts.ts";
import { defaultLimits } from "./cases/limits.ts";
import { accountOf, fanOf, placeIdOf, ruleOf, showSkip, showStep } from "./cases/load.ts";

const nowMs = Date.parse("2026-11-23");
const names = ["ana", "bo", "cy", "di", "ed", "flo", "gus", "hal"];
const name = fc.constantFrom(...names);

// ---- Towns ------------------------------------------------------------------------------------------------------

const rule = fc.constantFrom("subscription", "spending:500", "fanvue_list:custom:x").map(ruleOf);
const standing = fc.oneof(
  { arbitrary: fc.constantFrom<Standing["is"]>("in", "invited", "out"), weight: 6 },
  {
    arbitrary: fc.constantFrom<Standing["is"]>("knocking", "banned", "left", "removed"),
    weight: 2,
  },
  { arbitrary: fc.constant<Standing["is"]>("unknown"), weight: 1 },
);
const departure = fc.record({ how: fc.constantFrom("left", "removed"), ended: fc.boolean() });
const placeDraft = fc.record({
  rules: fc.uniqueArray(rule, { minLength: 1, maxLength: 2, selector: (it) => JSON.stringify(it) }),
  onExpiry: fc.constantFrom<Place["onExpiry"]>("revoke", "revoke", "evict", "keep"),
  graceDays: fc.constantFrom(0, 0, 3),
  strangers: fc.constantFrom<Place["strangers"]>("keep", "remove"),
  adopt: fc.boolean(),
  applied: fc.constantFrom("yes", "yes", "no", "otherwise"),
  members: fc.dictionary(name, standing),
  granted: fc.dictionary(name, fc.constantFrom<Grant["origin"]>("granted", "adopted", "found")),
  untouchable: fc.subarray(names, { maxLength: 1 }),
  departed: fc.dictionary(name, departure, { maxKeys: 2 }),
  onlyOnJoin: fc.constantFrom(false, false, false, true),
});
/** What Fanvue tells of a fan, in the snapshot and, when asked again, as evidence. */
const fanDraft = fc.record({
  subscribed: fc.constantFrom("yes", "no", "paused"),
  told: fc.constantFrom("subscriber", "expired", "follower", "not_contactable", "nothing"),
  cents: fc.constantFrom(0, 500, undefined),
  onList: fc.boolean(),
});
const absence = fc.record({
  joinable: fc.boolean(),
  kick: fc.constantFrom<Kick | "none" | undefined>(undefined, "none", "none", { atMs: nowMs - 1 }),
});
const town = fc.record({
  places: fc.array(placeDraft, { minLength: 1, maxLength: 4 }),
  fans: fc.record(Object.fromEntries(names.map((it) => [it, fanDraft]))),
  links: fc.uniqueArray(fc.tuple(name, name), { maxLength: 10, selector: ([a, b]) => `${a} ${b}` }),
  cut: fc.subarray(names, { maxLength: 2 }),
  /** Not on the server, whether they gave us leave to bring them in, and what the audit log says of kicks. */
  away: fc.dictionary(name, absence, { maxKeys: 4 }),
  arrivals: fc.subarray(names),
  /** What is on record of their presence on the server. */
  presences: fc.dictionary(name, fc.constantFrom<Presence["is"]>("there", "gone", "kicked")),
  subscribersRead: fc.boolean(),
  listCount: fc.constantFrom("right", "wrong", "none"),
});
type Town = typeof town extends fc.Arbitrary<infer T> ? T : never;

/** All that one planning needs; `members` and `grants` change as steps are carried out. */
interface World {
  readonly places: readonly Place[];
  readonly states: Map<Place, PlaceState>;
  readonly memories: Map<Place, PlaceMemory>;
  readonly given: ReturnType<typeof factsAndLinks>;
}

function factsAndLinks({ fans, links, cut, subscribersRead, listCount }: Town) {
  const entries = Object.entries(fans);
  const onList = entries.filter(([, fan]) => fan.onList).map(([it]) => it);
  const counts = { right: { count: onList.length }, wrong: { count: onList.length + 1 }, none: {} };
  const lists = { "custom:x": { members: onList, ...counts[listCount] } };
  const insights = Object.fromEntries(
    entries
      .filter(([, fan]) => fan.told !== "nothing")
      .map(([it, { told, cents }]) => [
        it,
        { status: told, ...(cents === undefined ? {} : { totalCents: cents }) },
      ]),
  );
  const rows = Object.fromEntries(
    entries
      .filter(([, fan]) => fan.subscribed !== "no")
      .map(([it, fan]) => [it, { status: fan.subscribed === "paused" ? "paused" : "active" }]),
  );
  const subscribers = subscribersRead ? rows : { unreadable: "Fanvue answered 503" };
  return {
    facts: factsSchema.parse({ subscribers, insights, lists }),
    evidence: evidenceSchema.parse({ insights, lists, rows }),
    links: resolveLinks({
      stored: links.map(([account, fan]) => ({
        platform: "discord",
        account: accountOf(account),
        fan: fanOf(fan),
        source: "operator",
      })),
      blocks: cut.map((account) => ({
        platform: "discord",
        account: accountOf(account),
        fan: undefined,
        createdAtMs: nowMs,
      })),
      bookLinksNow: [],
      bookLinksEver: [],
    }),
  };
}

function worldOf(drawn: Town): World {
  const made = drawn.places.map((draft, index) => ({ draft, place: placeOf(index, draft.rules, draft) }));
  return {
    places: made.map(({ place }) => place),
    states: new Map(made.map(({ draft, place }) => [place, stateOf(place, draft, drawn.away)])),
    memories: new Map(made.map(({ draft, place }) => [place, memoryOf(place, draft, drawn)])),
    given: factsAndLinks(drawn),
  };
}

type PlaceDraft = Town["places"][number];

const placeOf = (index: number, rules: readonly Rule[], draft: PlaceDraft): Place => ({
  target: "discord",
  id: `place-${index}`,
  rules,
  onExpiry: draft.onExpiry,
  graceDays: draft.graceDays,
  strangers: draft.strangers,
  adopt: draft.adopt,
  ...(draft.onlyOnJoin ? { onlyOnJoin: true } : {}),
});

const stateOf = (place: Place, { members, untouchable }: PlaceDraft, away: Town["away"]): PlaceState => ({
  placeId: placeIdOf(place.id),
  name: place.id,
  members: new Map([
    ...Object.entries(members).map(
      ([it, is]) => [accountOf(it), standingOf(is, untouchable.includes(it))] as const,
    ),
    ...Object.entries(away).map(([it, of]) => [accountOf(it), absentBy(of)] as const),
  ]),
  coverage: "everybody",
  warnings: [],
});

const absentBy = ({ joinable, kick }: Town["away"][string]): Standing => ({
  is: "absent",
  ...(joinable ? { joinable } : {}),
  ...(kick === undefined ? {} : { kick }),
});

function standingOf(is: Standing["is"], untouchable: boolean): Standing {
  if (is === "unknown") return { is, because: "not read" };
  if (is === "in" || is === "invited") return untouchable ? { is, untouchable: "staff" } : { is };
  return { is };
}

function memoryOf(
  place: Place,
  { granted, applied, departed }: PlaceDraft,
  { arrivals, presences }: Town,
): PlaceMemory {
  const hashes: Record<string, string | undefined> = { yes: rulesHash(place), otherwise: "other" };
  const grants = Object.entries(granted).map(([it, origin]) =>
    grantOf(place, accountOf(it), [fanOf(it)], origin),
  );
  return {
    rulesHash: hashes[applied],
    placeId: placeIdOf(place.id),
    strangersWait: false,
    grants: new Map(grants.map((grant) => [grant.account, grant])),
    departures: new Map(
      Object.entries(departed).map(([it, { how, ended }]) => [
        accountOf(it),
        departureOf(accountOf(it), how, ended),
      ]),
    ),
    arrivals: new Set(arrivals.map(accountOf)),
    presences: new Map(
      Object.entries(presences).map(([it, is]) => [accountOf(it), { is, kicksKnownToMs: 0 }]),
    ),
    refusals: new Map(),
    lapsedSinceMs: new Map(),
    removedLastDay: new Set(),
    oursDayAgo: grants.length,
  };
}

const departureOf = (account: Account, how: string, ended: boolean): Departure => ({
  account,
  how: how === "removed" ? how : "left",
  noticedAtMs: nowMs,
  endedAtMs: ended ? nowMs : undefined,
});

const grantOf = (place: Place, account: Account, fans: readonly FanId[], origin: Grant["origin"]): Grant => ({
  placeId: placeIdOf(place.id),
  account,
  fans,
  origin,
  basis: [],
  sinceMs: 0,
  settled: true,
});

// ---- Planning and carrying out ----------------------------------------------------------------------------------

function wantOf({ places, memories, given }: World): Want {
  const owned = new Set([...memories.values()].flatMap((memory) => [...memory.grants.keys()]));
  return wantFromRules({ places, platform: "discord", links: given.links, facts: given.facts, owned, nowMs });
}

function planOf(world: World): Plan {
  const { states, memories, given } = world;
  const known = {
    want: wantOf(world),
    memories,
    foreignGrants: [],
    unreadableSinceMs: new Map<FanId, number>(),
    unknownAfterDays: 7,
    nowMs,
  };
  const plan = diff({ ...known, have: states, protectedAccounts: new Set() });
  return confirmRemovals(plan, { ...known, ...given }).plan;
}

/** Does what the platform and the database would do. */
function carryOut(world: World, { steps, observations }: Plan): void {
  for (const [place, seen] of observations) {
    const { adopt, found, gone } = seen;
    changeMemory(world, place, (memory) => remembered(memory, seen));
    for (const account of gone) {
      changeGrants(world, place, (grants) => grants.delete(account));
      // Who took a role is asked of Discord only as long as it is on record.
      if (standingIn(world, place, account)?.is === "removed")
        changeStanding(world, place, account, { is: "out" });
    }
    for (const { account, fans } of adopt)
      changeGrants(world, place, (grants) => grants.set(account, grantOf(place, account, fans, "adopted")));
    for (const { account, fans } of found)
      changeGrants(world, place, (grants) => grants.set(account, grantOf(place, account, fans, "found")));
  }
  for (const step of steps) perform(world, step);
}

function changeMemory(world: World, place: Place, change: (memory: PlaceMemory) => PlaceMemory): void {
  const memory = world.memories.get(place);
  if (memory !== undefined) world.memories.set(place, change(memory));
}

function changeGrants(world: World, place: Place, change: (grants: Map<Account, Grant>) => void): void {
  changeMemory(world, place, (memory) => {
    const grants = new Map(memory.grants);
    change(grants);
    return { ...memory, rulesHash: rulesHash(place), grants };
  });
}

/** Comings and goings. */
function remembered(
  memory: PlaceMemory,
  { departed, returned, departureEnded, arrivals, ...ofServer }: Observations,
): PlaceMemory {
  const departures = new Map(memory.departures);
  for (const account of returned) departures.delete(account);
  for (const { account, how } of departed) departures.set(account, departureOf(account, how, false));
  for (const account of departureEnded)
    departures.set(account, departureOf(account, departures.get(account)?.how ?? "left", true));
  const presences = new Map(memory.presences);
  for (const { account, presence } of ofServer.presences) presences.set(account, presence);
  for (const account of ofServer.kicksOver) presences.set(account, { is: "gone", kicksKnownToMs: nowMs });
  return { ...memory, departures, arrivals: new Set([...memory.arrivals, ...arrivals]), presences };
}

function changeStanding(world: World, place: Place, account: Account, standing: Standing): void {
  const state = world.states.get(place);
  if (state === undefined || "unreadable" in state) return;
  world.states.set(place, { ...state, members: new Map([...state.members, [account, standing]]) });
}

function perform(world: World, { verb, place, account, fans, joins }: Step): void {
  if (verb === "grant") {
    if (joins === true) enter(world, account);
    changeStanding(world, place, account, { is: "in" });
    changeGrants(world, place, (grants) => grants.set(account, grantOf(place, account, fans, "granted")));
    return;
  }
  const left = verb === "evict" ? world.places : [place];
  for (const each of left) {
    changeStanding(world, each, account, { is: verb === "evict" ? "absent" : "out" });
    changeGrants(world, each, (grants) => grants.delete(account));
  }
}

/** Whoever is brought in is on the server, with the roles that they get. */
function enter(world: World, account: Account): void {
  for (const place of world.places) {
    if (standingIn(world, place, account)?.is === "absent")
      changeStanding(world, place, account, { is: "out" });
  }
}

function standingIn(world: World, place: Place, account: Account): Standing | undefined {
  const state = world.states.get(place);
  return state !== undefined && "members" in state ? state.members.get(account) : undefined;
}

const isIn = (world: World, place: Place, account: Account): boolean => {
  const is = standingIn(world, place, account)?.is;
  return is === "in" || is === "invited";
};

const show = (plan: Plan) => ({
  steps: plan.steps.map(showStep),
  skips: plan.skips.map(showSkip).sort(),
  observations: Object.fromEntries([...plan.observations].map(([place, seen]) => [place.id, seen])),
});

const runs = { numRuns: 1_000 };

test("carrying out a plan gives what is wanted, but for what it says it left alone", () => {
  fc.assert(
    fc.property(town, (drawn) => {
      const world = worldOf(drawn);
      const want = wantOf(world);
      const plan = planOf(world);
      carryOut(world, plan);
      const skipped = new Set(plan.skips.map(({ place, account }) => `${place.id} ${account}`));
      for (const [place, wishes] of want)
        for (const { account, verdict } of wishes.values()) {
          const isLeft = skipped.has(`${place.id} ${account}`);
          if (verdict.is === "yes" && place.onlyOnJoin !== true)
            assert.ok(isLeft || isIn(world, place, account), `${account} is not let in`);
          const wasNeverOurs = place.onlyOnJoin === true && !world.memories.get(place)?.grants.has(account);
          if (verdict.is === "no" && !wasNeverOurs)
            assert.ok(isLeft || !isIn(world, place, account), `${account} is not taken out`);
        }
    }),
    runs,
  );
});

test("planning again, after a plan was carried out, gives nothing to do", () => {
  fc.assert(
    fc.property(town, (drawn) => {
      const world = worldOf(drawn);
      const first = planOf(world);
      carryOut(world, first);
      // Whoever lost the last thing of ours, and has no link, is a stranger from now on.
      const lost = new Set([...first.observations.values()].flatMap(({ gone }) => gone));
      const again = planOf(world).steps.filter((step) => step.fans.length > 0 || !lost.has(step.account));
      assert.deepEqual(again.map(showStep), []);
    }),
    runs,
  );
});

test("nobody is given again what a person took, unless they ask or the entitlement began anew", () => {
  fc.assert(
    fc.property(town, (drawn) => {
      const world = worldOf(drawn);
      for (const { verb, place, account } of planOf(world).steps) {
        if (verb !== "grant" || standingIn(world, place, account)?.is === "knocking") continue;
        const departure = world.memories.get(place)?.departures.get(account);
        assert.ok(departure?.how !== "removed" || departure.endedAtMs !== undefined);
      }
    }),
    runs,
  );
});

test("whoever is brought in gave us leave, was not thrown out, and did not leave while entitled to anything that still is theirs", () => {
  fc.assert(
    fc.property(town, (drawn) => {
      const world = worldOf(drawn);
      const grants = planOf(world).steps.filter(({ verb }) => verb === "grant");
      const joins = grants.filter((step) => step.joins === true);
      const want = wantOf(world);
      const hasLeft = (place: Place, account: Account) => {
        const memory = world.memories.get(place);
        const departure = memory?.departures.get(account);
        if (departure === undefined) return memory?.arrivals.has(account) === true;
        return departure.how === "left" && departure.endedAtMs === undefined;
      };
      for (const { place, account } of joins) {
        const standing = standingIn(world, place, account);
        assert.ok(standing?.is === "absent" && standing.joinable === true);
        assert.ok(typeof standing.kick !== "object", "nor was thrown out by a person");
        assert.notEqual(world.memories.get(place)?.presences.get(account)?.is, "kicked");
        const theirs = world.places.filter(
          (it) => it.onlyOnJoin !== true && want.get(it)?.get(account)?.verdict.is === "yes",
        );
        assert.ok(theirs.length > 0 && !theirs.some((it) => hasLeft(it, account)));
      }
      for (const step of grants) assert.ok(step.place.onlyOnJoin !== true || step.joins === true);
    }),
    runs,
  );
});

test("the order of places, links, members and grants does not matter", () => {
  const reversed = <K, V>(map: ReadonlyMap<K, V>) => new Map([...map].reverse());
  fc.assert(
    fc.property(town, (drawn) => {
      const world = worldOf(drawn);
      const { places, states, memories, given } = world;
      const other: World = {
        places: [...places].reverse(),
        states: new Map(
          [...states]
            .reverse()
            .map(([place, state]) => [
              place,
              "unreadable" in state ? state : { ...state, members: reversed(state.members) },
            ]),
        ),
        memories: new Map(
          [...memories]
            .reverse()
            .map(([place, memory]) => [place, { ...memory, grants: reversed(memory.grants) }]),
        ),
        given: { ...given, ...factsAndLinks({ ...drawn, links: [...drawn.links].reverse() }) },
      };
      assert.deepEqual(show(planOf(other)), show(planOf(world)));
    }),
    runs,
  );
});

test("what is unknown neither grants nor removes", () => {
  fc.assert(
    fc.property(town, (drawn) => {
      const world = worldOf(drawn);
      const want = wantOf(world);
      const plan = planOf(world);
      for (const { place, account } of plan.steps)
        assert.notEqual(want.get(place)?.get(account)?.verdict.is, "unknown");
    }),
    runs,
  );
});

test("without evidence nobody is taken out but strangers and whoever was unlinked", () => {
  fc.assert(
    fc.property(town, (drawn) => {
      const world = worldOf(drawn);
      const blind = { ...world, given: { ...world.given, evidence: evidenceSchema.parse({}) } };
      const taken = planOf(blind).steps.filter((step) => step.verb !== "grant");
      for (const step of taken) assert.ok(step.requested === true || step.fans.length === 0, showStep(step));
    }),
    runs,
  );
});

test("who is taken out has positive evidence against every rule and every fan", () => {
  fc.assert(
    fc.property(town, (drawn) => {
      const world = worldOf(drawn);
      for (const step of planOf(world).steps) {
        if (step.verb === "grant" || step.requested === true) continue;
        const links = drawn.links.filter(([account]) => accountOf(account) === step.account);
        const fans = links.filter(([account]) => !drawn.cut.includes(account)).map(([, fan]) => fan);
        for (const fan of fans)
          for (const rule of step.place.rules)
            assert.ok(isDisproved(rule, fan, drawn), `${rule.kind}: ${fan}`);
      }
    }),
    runs,
  );
});

/** Said over again, without the code under test. */
function isDisproved(rule: Rule, fan: string, { fans, listCount }: Town): boolean {
  const { told, cents, onList, subscribed } = fans[fan] ?? {};
  if (rule.kind === "subscription") return subscribed === "no" && (told === "expired" || told === "follower");
  if (rule.kind === "spending") return told !== "nothing" && cents === 0;
  return listCount === "right" && onList === false;
}

test("only what is ours is taken, save from strangers and from holders who were found, which is held", () => {
  fc.assert(
    fc.property(town, (drawn) => {
      const world = worldOf(drawn);
      for (const step of planOf(world).steps) {
        if (step.verb === "grant") continue;
        const origin = world.memories.get(step.place)?.grants.get(step.account)?.origin;
        const isStranger = step.place.strangers === "remove" && step.fans.length === 0;
        const isOurs = origin === "granted" || origin === "adopted";
        assert.ok(isOurs || isStranger || step.hold !== undefined, showStep(step));
      }
    }),
    runs,
  );
});

// ---- The brakes -------------------------------------------------------------------------------------------------

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;

interface Loss {
  readonly place: Place;
  readonly account: Account;
  readonly atMs: number;
}

/** Places of a target and who may lose what when: any removals at all, at any times. */
const siege = fc.record({
  sizes: fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 3 }),
  runs: fc.array(
    fc.record({
      afterHours: fc.integer({ min: 0, max: 20 }),
      targets: fc.array(fc.tuple(fc.nat(2), fc.nat(59), fc.boolean()), { maxLength: 30 }),
    }),
    { minLength: 1, maxLength: 12 },
  ),
});

test("over any sequence of runs, no 24 hours take more than the limits allow", () => {
  fc.assert(
    fc.property(siege, ({ sizes, runs: turns }) => {
      const places = sizes.map((_, index) => siegePlace(index));
      const ours = new Map(places.map((place, index) => [place, new Set(crowd(sizes[index] ?? 0))]));
      const losses: Loss[] = [];
      let atMs = 0;
      for (const turn of turns) {
        atMs += turn.afterHours * hourMs;
        const memories = new Map(
          places.map((place) => [place, besieged(place, ours.get(place) ?? new Set(), losses, atMs)]),
        );
        const limits = places.map((place) =>
          removalLimit(
            memories.get(place)?.oursDayAgo ?? 0,
            defaultLimits.minRemovalsPerPlace,
            defaultLimits,
          ),
        );
        const steps = removalsOf(turn.targets, places, ours);
        const { go } = guard({
          plan: { steps, skips: [], observations: new Map() },
          have: new Map(places.map((place) => [place, emptyState(place)])),
          memories,
          limits: defaultLimits,
          sizes: [],
          acceptedSizes: new Map(),
          clockSkewMs: undefined,
          hash: (text) => text,
        });
        for (const { verb, place, account } of go)
          for (const each of verb === "evict" ? places : [place])
            if (ours.get(each)?.delete(account) === true) losses.push({ place: each, account, atMs });
        if (go.length === 0) continue;
        const lastDay = losses.filter((loss) => loss.atMs > atMs - dayMs);
        for (const [index, place] of places.entries()) {
          const lost = new Set(lastDay.filter((loss) => loss.place === place).map((loss) => loss.account));
          const lostNow = go.some((step) => step.place === place);
          assert.ok(!lostNow || lost.size <= (limits[index] ?? 0), `${place.id} lost ${lost.size}`);
        }
        const everybody = Math.max(...[...memories.values()].map((memory) => memory.oursDayAgo), 0);
        const upmost = sizes.reduce((sum, size) => sum + size, 0);
        const limit = removalLimit(
          Math.max(everybody, upmost),
          defaultLimits.minRemovalsPerTarget,
          defaultLimits,
        );
        assert.ok(new Set(lastDay.map((loss) => loss.account)).size <= limit);
      }
    }),
    { numRuns: 500 },
  );
});

const siegePlace = (index: number): Place => ({
  target: "discord",
  id: `place-${index}`,
  rules: [ruleOf("subscription")],
  onExpiry: "evict",
  graceDays: 0,
  strangers: "keep",
  adopt: true,
});

const crowd = (size: number): Account[] => Array.from({ length: size }, (_, n) => accountOf(`m${n}`));

const emptyState = (place: Place): PlaceState => ({
  placeId: placeIdOf(place.id),
  name: place.id,
  members: new Map(),
  coverage: "linked",
  warnings: [],
});

/** The rolling figures as the database gives them: who lost it within a day, and who had it a day ago. */
function besieged(
  place: Place,
  ours: ReadonlySet<Account>,
  losses: readonly Loss[],
  atMs: number,
): PlaceMemory {
  const own = losses.filter((loss) => loss.place === place && loss.atMs > atMs - dayMs);
  const removedLastDay = new Set(own.map((loss) => loss.account));
  return {
    rulesHash: rulesHash(place),
    placeId: placeIdOf(place.id),
    strangersWait: false,
    grants: new Map([...ours].map((account) => [account, grantOf(place, account, [], "granted")])),
    departures: new Map(),
    arrivals: new Set(),
    presences: new Map(),
    refusals: new Map(),
    lapsedSinceMs: new Map(),
    removedLastDay,
    oursDayAgo: new Set([...ours, ...removedLastDay]).size,
  };
}

function removalsOf(
  targets: readonly (readonly [number, number, boolean])[],
  places: readonly Place[],
  ours: ReadonlyMap<Place, ReadonlySet<Account>>,
): readonly Step[] {
  const steps = targets.flatMap(([placeIndex, memberIndex, evict]): Step[] => {
    const place = places[placeIndex % places.length];
    const account = accountOf(`m${memberIndex}`);
    if (place === undefined || ours.get(place)?.has(account) !== true) return [];
    const verb = evict ? "evict" : "revoke";
    return [
      { verb, place, placeId: placeIdOf(place.id), account, fans: [fanOf("ana")], because: "", basis: [] },
    ];
  });
  return [...new Map(steps.map((step) => [`${step.verb} ${step.placeId} ${step.account}`, step])).values()];
}
