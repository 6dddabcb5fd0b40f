import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SourceError } from "../lib/errors.ts";
import type { Fanvue, Memory } from "../lib/fanvue/client.ts";
import { parseListId } from "../lib/ids.ts";
import type { ListRef } from "../lib/model.ts";
import { fanIdOf, known, type Setup, setUp, whyUnknown } from "./fanvue-client.ts";
import {
  answers,
  cutBody,
  drops,
  emptyPage,
  everyField,
  notJson,
  repeatedCursor,
  withoutField,
} from "./sandbox/faults.ts";
import type { FaultKind } from "./sandbox/server.ts";

const pathsOf = ({ sandbox }: Setup) => sandbox.requests.map(({ method, path }) => `${method} ${path}`);

function listRef(type: ListRef["type"], text: string): ListRef {
  const id = parseListId(text);
  assert.ok(id);
  return { type, id };
}

for (const generation of ["v1", "unprefixed"] as const) {
  const prefix = generation === "v1" ? "/v1" : "";

  describe(`Fanvue reads (${generation})`, () => {
    it("finds the generation and the account at the first call and never asks for them again", async (t) => {
      const setup = await setUp(t, { generation });
      known(await setup.open().fetchSubscribers());
      assert.equal(setup.facts.get("creator_uuid"), setup.sandbox.world.creator.uuid);
      assert.equal(setup.facts.get("api_prefix"), generation === "v1" ? "/v1" : "none");
      const me = pathsOf(setup).filter((path) => path.endsWith("/users/me"));
      assert.deepEqual(
        me,
        generation === "v1" ? ["GET /v1/users/me"] : ["GET /v1/users/me", "GET /users/me"],
      );
    });

    it("reads every page of subscribers and followers, each fan once", async (t) => {
      const setup = await setUp(t, { generation });
      const { world } = setup.sandbox;
      const subscribers = world.addFans(120, (fan) => {
        world.subscribe(fan);
      });
      const followers = world.addFans(101, (fan) => {
        world.follow(fan);
      });
      const fanvue = setup.open();
      const readSubscribers = known(await fanvue.fetchSubscribers());
      assert.deepEqual([...readSubscribers.keys()].sort(), subscribers.map(fanIdOf).sort());
      assert.deepEqual(
        [...known(await fanvue.fetchFollowers()).keys()].sort(),
        followers.map(fanIdOf).sort(),
      );
      const pages = setup.sandbox.requests.filter(({ path }) => path === `${prefix}/subscribers`);
      assert.deepEqual(
        pages.map(({ query }) => query.get("size")),
        ["50", "50", "50"],
      );
    });

    const faults: Readonly<Record<string, FaultKind>> = {
      "an error page with status 500": answers(500, { error: "Internal Server Error" }),
      "a refusal": answers(403, { error: "Forbidden" }),
      "a page that is gone": answers(404, { message: "Not found" }),
      "too many requests for good": answers(429, { error: "Too Many Requests" }, { "retry-after": "0" }),
      "a redirect": answers(302, undefined, { location: "https://elsewhere.example/" }),
      "half a body": cutBody(),
      "a broken connection": drops(),
      "a web page instead of JSON": notJson(),
      "a repeated cursor": repeatedCursor(),
      "rows without uuid": withoutField("uuid"),
      "rows without the top spender flag": withoutField("isTopSpender"),
      "no word of what follows": withoutField(generation === "v1" ? "nextCursor" : "pagination"),
      "no rows at all": withoutField("data"),
      "a row of null": everyField("data", (rows) => (Array.isArray(rows) ? [null] : rows)),
    };
    for (const [name, fault] of Object.entries(faults)) {
      it(`makes the whole part unknown when a later page is ${name}`, async (t) => {
        const setup = await setUp(t, { generation });
        const { world } = setup.sandbox;
        world.addFans(130, (fan) => {
          world.subscribe(fan);
        });
        setup.sandbox.faults.push({ path: /\/subscribers$/, fault, skip: 1 });
        const why = whyUnknown(await setup.open().fetchSubscribers());
        assert.match(why, /subscribers/);
        assert.doesNotMatch(why, /access_|refresh_|Bearer/);
      });
    }

    it("makes a list unknown whose later page is empty and promises more", async (t) => {
      const setup = await setUp(t, { generation });
      const { world } = setup.sandbox;
      world.addFans(130, (fan) => {
        world.follow(fan);
      });
      const fault = everyField("data", () => []);
      setup.sandbox.faults.push({ path: /\/followers$/, fault, skip: 1, times: 1 });
      assert.match(whyUnknown(await setup.open().fetchFollowers()), /empty page/);
    });

    it("tries a page again that failed for a moment, but never one that was forbidden", async (t) => {
      const setup = await setUp(t, { generation });
      const { world, faults: cues } = setup.sandbox;
      world.subscribe(world.addFan());
      cues.push({ path: /\/subscribers$/, fault: answers(503), times: 1 });
      cues.push({ path: /\/subscribers$/, fault: drops(), times: 1 });
      cues.push({ path: /\/subscribers$/, fault: cutBody(), times: 1 });
      const fanvue = setup.open();
      assert.equal(known(await fanvue.fetchSubscribers()).size, 1);

      cues.length = 0;
      cues.push({ path: /\/followers$/, fault: answers(403, { error: "Forbidden" }) });
      assert.match(whyUnknown(await fanvue.fetchFollowers()), /`read:fan`.*npm run authorize/);
      assert.equal(setup.sandbox.requests.filter(({ path }) => path.endsWith("/followers")).length, 1);
    });

    it("reads insights in bulk and says of whom Fanvue knows nothing", async (t) => {
      const setup = await setUp(t, { generation });
      const { world } = setup.sandbox;
      const buyers = world.addFans(150, (fan, index) => {
        world.tip(fan, 1000 + index);
      });
      const stranger = world.addFan();
      const asked = [...buyers, stranger].map(fanIdOf);
      const fanvue = setup.open();
      const { byFan, trouble } = await fanvue.fetchInsights(asked);
      assert.equal(trouble, undefined);
      assert.equal(byFan.size, 151);
      assert.deepEqual(
        buyers.map((fan) => known(byFan.get(fanIdOf(fan)) ?? { known: false, why: "missing" }).totalCents),
        buyers.map((_, index) => 1000 + index),
      );
      assert.match(whyUnknown(byFan.get(fanIdOf(stranger))), /not_found/);
      const calls = pathsOf(setup).filter((path) => path.includes("/insights/"));
      assert.equal(calls.length, generation === "v1" ? 1 + 8 : 2);
    });

    it("finds out with one request whether the host takes the larger call, and saves that at most once", async (t) => {
      const setup = await setUp(t, { generation });
      const { world } = setup.sandbox;
      const fans = world.addFans(950, (fan) => {
        world.tip(fan, 100);
      });
      const saved: string[] = [];
      const memory: Memory = {
        load: (key) => setup.memory.load(key),
        save(key, value) {
          if (key === "bulk_insights") saved.push(value);
          return setup.memory.save(key, value);
        },
      };
      const isNew = generation === "v1";
      const callsOf = async (fanvue: Fanvue) => {
        const before = setup.sandbox.requests.length;
        const { byFan, trouble } = await fanvue.fetchInsights(fans.map(fanIdOf));
        assert.deepEqual([byFan.size, trouble], [950, undefined]);
        const calls = setup.sandbox.requests.slice(before).filter(({ path }) => path.includes("/insights/"));
        return ["POST", "GET"].map((method) => calls.filter((call) => call.method === method).length);
      };
      const fanvue = setup.open({ memory });
      assert.deepEqual(await callsOf(fanvue), isNew ? [1, 48] : [10, 0]);
      assert.deepEqual(await callsOf(fanvue), isNew ? [0, 48] : [10, 0]);
      assert.deepEqual(await callsOf(setup.open({ memory })), isNew ? [0, 48] : [10, 0]);
      assert.deepEqual(saved, isNew ? ["get"] : []);

      saved.length = 0;
      setup.facts.delete("bulk_insights");
      const other = setup.open({ memory });
      await Promise.all([other.fetchInsights(fans.map(fanIdOf)), other.fetchInsights(fans.map(fanIdOf))]);
      assert.deepEqual(saved, isNew ? ["get"] : []);
    });

    it("gives no figure rather than zero when insights fail or hold none", async (t) => {
      const setup = await setUp(t, { generation });
      const { world } = setup.sandbox;
      const fan = world.addFan();
      world.tip(fan, 5000);
      const fanvue = setup.open();
      const gone = { path: /\/insights\/fans/, fault: answers(500) };
      setup.sandbox.faults.push(gone);
      const failed = await fanvue.fetchInsights([fanIdOf(fan)]);
      assert.match(failed.trouble ?? "", /500/);
      assert.equal(failed.byFan.size, 0);

      setup.sandbox.faults.length = 0;
      setup.sandbox.faults.push({ path: /\/insights\/fans/, fault: withoutField("total") });
      const bare = await fanvue.fetchInsights([fanIdOf(fan)]);
      assert.equal(
        known(bare.byFan.get(fanIdOf(fan)) ?? { known: false, why: "missing" }).totalCents,
        undefined,
      );
    });

    it("reads lists with Fanvue's own count and knows nothing of a list that is not there", async (t) => {
      const setup = await setUp(t, { generation });
      const { world } = setup.sandbox;
      const members = world.addFans(60, (fan) => {
        world.follow(fan);
      });
      const list = world.createList("vip", ...members);
      for (let index = 0; index < 60; index += 1) world.createList(`other ${index}`);
      const vip = listRef("custom", list.uuid.toUpperCase());
      const smart = listRef("smart", "followers");
      const absent = listRef("custom", world.uuid("no such list"));
      const lists = await setup.open().fetchLists([vip, smart, absent]);
      const [custom, followers, missing] = [...lists.values()];
      assert.deepEqual(custom?.known === true && [custom.value.members.size, custom.value.count], [60, 60]);
      assert.deepEqual(
        followers?.known === true && [followers.value.members.size, followers.value.count],
        [60, 60],
      );
      assert.match(whyUnknown(missing), /does not exist/);
    });

    it("shows a list that turned up empty as one whose count disagrees", async (t) => {
      const setup = await setUp(t, { generation });
      const { world } = setup.sandbox;
      const list = world.createList("vip", ...world.addFans(7));
      setup.sandbox.faults.push({ path: /\/custom\/[0-9a-f-]+$/, fault: emptyPage() });
      const read = known(await setup.open().fetchList(listRef("custom", list.uuid)));
      assert.deepEqual([read.members.size, read.count], [0, 7]);
    });

    it("adds to and removes from a custom list, twice the same as once", async (t) => {
      const setup = await setUp(t, { generation });
      const { world } = setup.sandbox;
      const [first, second] = world.addFans(2);
      assert.ok(first !== undefined && second !== undefined);
      const fanvue = setup.open();
      const created = await fanvue.createList("vip");
      assert.ok(created.ok);
      const list = listRef("custom", created.value.uuid);
      const both = [fanIdOf(first), fanIdOf(second)];
      assert.deepEqual(await fanvue.addToList(list, both), { ok: true, value: { added: 2, skipped: 0 } });
      assert.deepEqual(await fanvue.addToList(list, both), { ok: true, value: { added: 0, skipped: 2 } });
      assert.equal((await fanvue.removeFromList(list, fanIdOf(first))).ok, true);
      assert.equal((await fanvue.removeFromList(list, fanIdOf(first))).ok, true);
      assert.deepEqual([...known(await fanvue.fetchList(list)).members], [fanIdOf(second)]);
    });
  });
}

describe("Fanvue reads", () => {
  it("tells status, end and price of /v1 subscribers, and single ones", async (t) => {
    const setup = await setUp(t);
    const { world } = setup.sandbox;
    const [paying, trial, cancelled] = world.addFans(3);
    assert.ok(paying !== undefined && trial !== undefined && cancelled !== undefined);
    world.subscribe(paying, { priceCents: 900, days: 10, startedAtMs: Date.UTC(2026, 10, 1) });
    world.subscribe(trial, { priceCents: 900, paidCents: 0 });
    world.subscribe(cancelled);
    world.cancel(cancelled);
    const fanvue = setup.open();
    const rows = known(await fanvue.fetchSubscribers());
    assert.deepEqual(rows.get(fanIdOf(paying)), {
      handle: paying.handle,
      displayName: paying.displayName,
      isTopSpender: false,
      status: "active",
      periodEndsAtMs: Date.UTC(2026, 10, 11),
      isFree: false,
    });
    assert.equal(rows.get(fanIdOf(trial))?.isFree, true);
    assert.equal(known(await fanvue.fetchRow(fanIdOf(cancelled))).status, "cancelled");
    assert.match(whyUnknown(await fanvue.fetchRow(fanIdOf(world.addFan()))), /404/);

    const fault = everyField("uuid", () => trial.uuid);
    setup.sandbox.faults.push({ path: /\/subscribers\/./, fault });
    assert.match(whyUnknown(await fanvue.fetchRow(fanIdOf(paying))), /another fan/);
  });

  it("does not take a subscription without a status for one that runs", async (t) => {
    const setup = await setUp(t);
    const fan = setup.sandbox.world.addFan();
    setup.sandbox.world.subscribe(fan);
    const fanvue = setup.open();
    const statusWith = async (fault: FaultKind) => {
      setup.sandbox.faults.push({ path: /\/subscribers$/, fault, times: 1 });
      return known(await fanvue.fetchSubscribers()).get(fanIdOf(fan))?.status;
    };
    for (const nothing of [undefined, null, ""])
      assert.equal(await statusWith(everyField("status", () => nothing)), "unknown");
    for (const nothing of [undefined, null])
      assert.equal(await statusWith(everyField("subscription", () => nothing)), undefined);
  });

  it("ends the run when Fanvue was never reached", async (t) => {
    const setup = await setUp(t);
    setup.sandbox.faults.push({ path: /./, fault: drops() });
    await assert.rejects(setup.open().fetchSubscribers(), (error) => {
      assert.ok(error instanceof SourceError);
      assert.match(error.message, /cannot be reached/);
      return true;
    });
  });

  it("refuses the token of another account", async (t) => {
    const setup = await setUp(t);
    setup.facts.set("creator_uuid", setup.sandbox.world.uuid("somebody else"));
    await assert.rejects(setup.open().fetchSubscribers(), /belongs to another account/);
    const asked = pathsOf(setup).filter((path) => !path.endsWith("/users/me"));
    assert.deepEqual(asked, []);
  });

  it("finds out anew when the generation on record is switched off", async (t) => {
    const setup = await setUp(t, { generation: "unprefixed" });
    setup.sandbox.world.subscribe(setup.sandbox.world.addFan());
    const fanvue = setup.open();
    known(await fanvue.fetchSubscribers());
    setup.sandbox.quirks.generations = ["v1"];
    assert.match(whyUnknown(await fanvue.fetchSubscribers()), /404/);
    assert.equal(known(await fanvue.fetchSubscribers()).size, 1);
    assert.equal(known(await setup.open().fetchSubscribers()).size, 1);
    assert.equal(setup.facts.get("api_prefix"), "/v1");
  });

  it("takes no outage for a host without the larger call", async (t) => {
    const setup = await setUp(t, { generation: "unprefixed" });
    const { world } = setup.sandbox;
    const fans = world.addFans(250, (fan) => {
      world.tip(fan, 100);
    });
    setup.sandbox.faults.push({ path: /fans\/batch$/, fault: answers(503), times: 4 });
    const fanvue = setup.open();
    const { byFan, trouble } = await fanvue.fetchInsights(fans.map(fanIdOf));
    assert.equal(byFan.size, 150);
    assert.match(trouble ?? "", /503/);
    assert.equal(setup.facts.has("bulk_insights"), false);
    assert.equal((await fanvue.fetchInsights(fans.map(fanIdOf))).byFan.size, 250);
    assert.deepEqual(
      pathsOf(setup).filter((path) => path === "GET /insights/fans"),
      [],
    );
  });

  it("does not pass on the access token when the answer repeats it", async (t) => {
    const setup = await setUp(t);
    const fanvue = setup.open();
    known(await fanvue.fetchFollowers());
    const token = setup.sandbox.requests.at(-1)?.headers["authorization"]?.split(" ")[1] ?? "";
    assert.ok(token.length > 8);
    const message = `${"x ".repeat(76)}${token} is not allowed`;
    setup.sandbox.faults.push({ path: /followers/, fault: answers(403, { message }) });
    const why = whyUnknown(await fanvue.fetchFollowers());
    assert.match(why, /answered 403 \(x x/);
    for (const said of [why, ...setup.logged]) assert.ok(!said.includes(token.slice(0, 8)), said);
  });

  it("says once that the API version is going to end", async (t) => {
    const setup = await setUp(t);
    setup.sandbox.faults.push({
      path: /followers/,
      fault: answers(200, { data: [], nextCursor: null }, { sunset: "Sat, 1 May 2027 00:00:00 GMT" }),
    });
    const fanvue = setup.open();
    known(await fanvue.fetchFollowers());
    known(await fanvue.fetchFollowers());
    assert.equal(setup.logged.filter((line) => line.includes("Sat, 1 May 2027")).length, 1);
  });

  it("measures how far our clock is off", async (t) => {
    const setup = await setUp(t);
    setup.sandbox.world.now = () => Date.now() - 600_000;
    const fanvue = setup.open();
    known(await fanvue.fetchFollowers());
    assert.ok(Math.abs((fanvue.clockSkewMs() ?? 0) - 600_000) < 3000);
  });
});
