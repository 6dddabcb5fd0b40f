/** Every refusal of Discord's that has a meaning of its own: what is said of the step, and what is not asked again. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Step } from "../lib/model.ts";
import type { Outcome } from "../lib/target.ts";
import { joining, refusal, serverWithLogins } from "./discord-logins.ts";
import { account, gold, stepOf, vip, writes } from "./sandbox/discord-setup.ts";
import { addMember, addRole, roleIdAt, userIdAt } from "./sandbox/discord-world.ts";

const silver = roleIdAt(3);

type Act = "grant" | "revoke" | "evict" | "join";
type Told = "done" | "refused" | "failed: service" | "failed: place" | "failed: member";
/** What is not asked again in the run. */
type Closed = "nothing" | "member" | "act" | "place" | "server";
type Meaning = readonly [told: Told, says: RegExp, closed: Closed];

const allActs = (meaning: Meaning): Record<Act, Meaning> => ({
  grant: meaning,
  revoke: meaning,
  evict: meaning,
  join: meaning,
});
/** Who is outside can be given nothing, and has nothing to be taken. */
const outside = (says: RegExp): Record<Act, Meaning> => ({
  ...allActs(["done", /^$/, "member"]),
  grant: ["refused", says, "member"],
  join: ["refused", says, "member"],
});
/** Nothing can be given; what is to be taken stays a failure, to be tried again. */
const hindered = (says: RegExp): Record<Act, Meaning> => ({
  ...allActs(["failed: member", says, "member"]),
  grant: ["refused", says, "member"],
  join: ["refused", says, "member"],
});

const cases: readonly (Record<Act, Meaning> & { status: number; code: number; name: string })[] = [
  {
    ...{ status: 404, code: 10_004, name: "unknown server" },
    ...allActs(["failed: place", /^The server does not exist, .*; invite the bot again\.$/, "server"]),
  },
  {
    ...{ status: 404, code: 10_007, name: "unknown member" },
    ...outside(/^left the server$/),
    join: ["refused", /^may not be brought in: Discord does not find them$/, "member"],
  },
  {
    ...{ status: 404, code: 10_011, name: "unknown role" },
    ...allActs(["failed: place", /^The role was deleted; put an existing one in the config\.$/, "place"]),
    join: ["failed: place", /^One of the roles .* was deleted just now; the next run goes/, "nothing"],
  },
  { ...{ status: 404, code: 10_013, name: "unknown user" }, ...outside(/account does not exist any more$/) },
  {
    ...{ status: 400, code: 30_001, name: "as many servers as Discord allows" },
    ...hindered(/is in as many servers as Discord allows/),
  },
  { ...{ status: 403, code: 40_007, name: "a ban" }, ...outside(/^is banned from the server$/) },
  {
    ...{ status: 403, code: 50_001, name: "missing access" },
    ...allActs(["failed: place", /^The bot has lost its access to the server; invite it again\.$/, "server"]),
    join: ["failed: place", /may not bring members in; give it Create Invite/, "act"],
  },
  {
    ...{ status: 403, code: 50_013, name: "missing permission" },
    ...allActs(["failed: place", /may not hand out this role; give it Manage Roles and drag/, "act"]),
    evict: ["failed: place", /may not kick; give it Kick Members and drag/, "act"],
    join: [
      "failed: place",
      /may not bring members in .*; give it Create Invite and Manage Roles, and drag/,
      "act",
    ],
  },
  {
    ...{ status: 401, code: 50_025, name: "a dead login" },
    ...allActs(["failed: member", /does not accept this member's login, though it renewed it/, "member"]),
  },
  {
    ...{ status: 403, code: 50_026, name: "a login without the scope" },
    ...allActs(["failed: member", /did not allow joining servers; they may link/, "member"]),
  },
  {
    ...{ status: 403, code: 50_278, name: "no server in common" },
    ...hindered(/shares no server with the bot/),
  },
  {
    ...{ status: 403, code: 60_003, name: "two-factor login" },
    ...allActs(["failed: place", /two-factor login; the bot's owner must turn it on/, "server"]),
  },
  {
    ...{ status: 400, code: 30_019, name: "a full server" },
    ...allActs(["failed: place", /^The server has as many members as Discord allows\.$/, "act"]),
  },
  {
    ...{ status: 403, code: 40_002, name: "an unverified account" },
    ...hindered(/has a Discord account that is not verified yet/),
  },
  {
    ...{ status: 403, code: 40_006, name: "a feature that is off" },
    ...allActs(["failed: service", /^Discord has switched this off for a while\.$/, "nothing"]),
  },
  {
    ...{ status: 403, code: 40_333, name: "Cloudflare" },
    ...allActs(["failed: service", /^Discord's shield held the request back\.$/, "nothing"]),
  },
  {
    ...{ status: 400, code: 50_035, name: "a request that is not understood" },
    ...allActs([
      "failed: member",
      /^Discord did not understand the request .*; update fanvue-sync/,
      "nothing",
    ]),
  },
  {
    ...{ status: 400, code: 130_000, name: "overload" },
    ...allActs(["failed: service", /^Discord is overloaded\.$/, "nothing"]),
  },
  {
    ...{ status: 503, code: 130_000, name: "overload as a failure of the server" },
    ...allActs(["failed: service", /^Discord is overloaded\.$/, "nothing"]),
  },
  {
    ...{ status: 403, code: 99_999, name: "a 403 that nobody knows yet" },
    ...allActs(["failed: place", /^Discord refused with status 403, code 99999\.$/, "act"]),
    join: ["refused", /^may not be brought in, says Discord \(status 403, code 99999\)$/, "member"],
  },
  {
    ...{ status: 400, code: 99_999, name: "a refusal that nobody knows yet" },
    ...allActs(["failed: member", /^Discord refused with status 400, code 99999\.$/, "nothing"]),
    join: ["refused", /^may not be brought in, says Discord \(status 400, code 99999\)$/, "member"],
  },
];

const steps: Record<Act, (fan: number, roleId: string) => Step> = {
  grant: (fan, roleId) => stepOf("grant", account(fan), roleId),
  revoke: (fan, roleId) => stepOf("revoke", account(fan), roleId),
  evict: (fan, roleId) => stepOf("evict", account(fan), roleId),
  join: (fan, roleId) => joining(account(fan), roleId),
};

const unaskedAfter: Record<Closed, (act: Act) => readonly string[]> = {
  nothing: () => [],
  member: () => ["same member"],
  // To bring the same member in is the same act.
  act: (act) => (act === "join" ? ["same member", "same act"] : ["same act"]),
  place: () => ["same act", "same place"],
  server: () => ["same member", "same act", "same place", "elsewhere"],
};

const toldOf = (outcome: Outcome) =>
  outcome.result === "failed" ? `failed: ${outcome.blame}` : outcome.result;

describe("what Discord refuses", { concurrency: true }, () => {
  for (const { status, code, name, ...meanings } of cases) {
    for (const act of ["grant", "revoke", "evict", "join"] as const) {
      const [told, says, closed] = meanings[act];
      test(`${name} (${code}) of a ${act} is ${told} and closes ${closed}`, async (t) => {
        const { discord, world, open, perform, giveLogin } = await serverWithLogins(t);
        addRole(world, { id: silver });
        for (const fan of [0, 1]) await giveLogin(fan);
        if (act !== "join") for (const fan of [0, 1]) addMember(world, { id: userIdAt(fan) });
        for (const fan of [2, 3]) addMember(world, { id: userIdAt(fan) });
        discord.faults.push({ path: new RegExp(`/members/${userIdAt(0)}`), fault: refusal(status, code) });
        const target = open();
        const [outcome, ...more] = await perform([steps[act](0, vip)], target);
        assert.ok(outcome !== undefined && more.length === 0);
        assert.equal(toldOf(outcome), told);
        assert.match("sentence" in outcome ? outcome.sentence : "", says);
        if (outcome.result === "refused") assert.equal(outcome.code, String(code));

        const later: readonly [string, Step][] = [
          ["same member", steps[act === "join" ? "join" : "grant"](0, gold)],
          // An eviction and a join concern the server, whatever the role.
          ["same act", steps[act](1, act === "evict" || act === "join" ? gold : vip)],
          ["same place", steps[act === "grant" ? "revoke" : "grant"](2, vip)],
          ["elsewhere", steps.grant(3, silver)],
        ];
        const unasked: string[] = [];
        for (const [which, step] of later) {
          const before = writes(discord).filter(({ path }) => path.includes("/members/")).length;
          await perform([step], target);
          const after = writes(discord).filter(({ path }) => path.includes("/members/")).length;
          if (after === before) unasked.push(which);
        }
        assert.deepEqual(unasked, unaskedAfter[closed](act));
      });
    }
  }
});
