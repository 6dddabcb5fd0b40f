/** Proving a Fanvue account by a code in its inbox: who gets one, that the answer tells nothing, and what a code is good for. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import pino from "pino";
import { SourceError } from "../lib/errors.ts";
import type { Sql } from "../lib/db.ts";
import type { Delivery } from "../lib/fanvue/client.ts";
import type { FanId } from "../lib/ids.ts";
import { openFanvueProofs } from "../lib/link/fanvue-proofs.ts";
import { openInbox } from "../lib/link/inbox.ts";
import { loadLinkEvents } from "../lib/store/link-events.ts";
import { saveTokenFile } from "./fanvue-client.ts";
import { configWith, databaseWith, namedFan } from "./link-parts.ts";

const minuteMs = 60_000;
const startMs = Date.UTC(2026, 10, 23, 12);
const sunny = namedFan("a", "Sunny_Day");
const moon = namedFan("b", "moon");

async function start(test: { after(fn: () => void): void }, deliver?: (text: string) => Promise<Delivery>) {
  const clock = { nowMs: startMs };
  const { database, dataDir } = await databaseWith(test, {
    subscribers: [sunny],
    followers: [moon],
    readAtMs: startMs,
  });
  const sent: { fan: FanId; text: string }[] = [];
  const lines: string[] = [];
  const stop = new AbortController();
  const inbox = openInbox({
    database,
    fanvue: {
      sendMessage(fan, text) {
        sent.push({ fan, text });
        return deliver?.(text) ?? Promise.resolve({ is: "sent" });
      },
    },
    site: { name: "Studio Meadow", address: "https://link.example.org" },
    log: pino({ level: "trace" }, { write: (line: string) => void lines.push(line) }),
    signal: stop.signal,
    now: () => clock.nowMs,
  });
  const codeIn = (text: string | undefined) =>
    /[A-Z]{4}-[A-Z]{4}/.exec(text ?? "")?.[0] ?? assert.fail("no code");
  const newestCode = async () => {
    await inbox.idle();
    return codeIn(sent.at(-1)?.text);
  };
  return { database, dataDir, clock, inbox, sent, lines, newestCode, stop };
}

/** Tells of every statement. */
const overheard = (sql: Sql, tell: (query: string) => void): Sql => ({
  all(query, params) {
    tell(query);
    return sql.all(query, params);
  },
  get(query, params) {
    tell(query);
    return sql.get(query, params);
  },
  run(query, params) {
    tell(query);
    sql.run(query, params);
  },
});

const failed = (failure: string) => ({ is: "failed", failure });

describe("a code in the Fanvue inbox", () => {
  test("proves the account, however the name and the code are typed, and once", async (t) => {
    const { inbox, sent, newestCode } = await start(t);
    const asked = await inbox.send(" @sunny_DAY ");
    const code = await newestCode();
    assert.deepEqual(
      sent.map(({ fan }) => fan),
      [sunny.fan],
    );
    assert.match(sent[0]?.text ?? "", /Studio Meadow \(https:\/\/link\.example\.org\)/);
    assert.match(sent[0]?.text ?? "", /If you did not ask for this, ignore it/);
    const typed = code.toLowerCase().replace("-", " ");
    assert.deepEqual(await inbox.check(asked, typed), { is: "proved", proof: { ...sunny, how: "code" } });
    assert.deepEqual(await inbox.check(asked, code), failed("expired"));
  });

  test("goes to followers, too, and works only for the one who asked for it", async (t) => {
    const { inbox, newestCode } = await start(t);
    const mine = await inbox.send("moon");
    const code = await newestCode();
    const others = await inbox.send("moon");
    assert.deepEqual(await inbox.check(others, code), failed("wrong code"));
    assert.partialDeepStrictEqual(await inbox.check(mine, code), { is: "proved", proof: { fan: moon.fan } });
  });

  test("is of no use after five wrong tries, or ten minutes", async (t) => {
    const { inbox, clock, newestCode } = await start(t);
    const guessed = await inbox.send("moon");
    const code = await newestCode();
    for (let tries = 1; tries <= 4; tries += 1)
      assert.deepEqual(await inbox.check(guessed, "BBBB-BBBB"), failed("wrong code"));
    assert.deepEqual(await inbox.check(guessed, "BBBB-BBBB"), failed("spent code"));
    assert.deepEqual(await inbox.check(guessed, code), failed("spent code"));

    const late = await inbox.send("moon");
    const lateCode = await newestCode();
    clock.nowMs += 10 * minuteMs;
    assert.deepEqual(await inbox.check(late, lateCode), failed("expired"));
  });

  test("is answered alike for a name that nobody has, and for one that has had enough", async (t) => {
    const { inbox, sent } = await start(t);
    const nobody = await inbox.send("nobody");
    for (let count = 1; count <= 4; count += 1) await inbox.send("moon");
    const limited = await inbox.send("moon");
    await inbox.idle();
    assert.equal(sent.length, 3);
    for (const asked of [nobody, limited]) {
      assert.equal(asked.id.length, nobody.id.length);
      for (let tries = 1; tries <= 4; tries += 1)
        assert.deepEqual(await inbox.check(asked, "BBBB-BBBB"), failed("wrong code"));
      assert.deepEqual(await inbox.check(asked, "BBBB-BBBB"), failed("spent code"));
    }
  });

  test("costs the same look-ups for a fan, a follower, a name that nobody has, and one that has had enough", async (t) => {
    const { database } = await start(t);
    const asked: string[] = [];
    const inbox = openInbox({
      database: {
        ...database,
        write: (fn) => database.write((sql) => fn(overheard(sql, (query) => void asked.push(query)))),
      },
      fanvue: { sendMessage: () => Promise.resolve({ is: "sent" }) },
      site: { name: "Studio Meadow", address: "https://link.example.org" },
      log: pino({ level: "silent" }),
      signal: new AbortController().signal,
      now: () => startMs,
    });
    // The first code of all makes the key.
    for (const handle of ["moon", "moon", "moon"]) await inbox.send(handle);
    const queries = async (handle: string) => {
      asked.length = 0;
      await inbox.send(handle);
      return asked.filter((query) => !query.includes("INTO link_events"));
    };
    const nobody = await queries("nobody");
    for (const handle of ["sunny_day", "moon", "@MOON"])
      assert.deepEqual(await queries(handle), nobody, handle);
    await inbox.idle();

    const plans = await database.read((sql) =>
      nobody
        .filter((query) => /FROM (?:subscribers|followers)/.test(query))
        .map((query) => sql.all(`EXPLAIN QUERY PLAN ${query}`, ["nobody"]).map(({ detail }) => detail)),
    );
    assert.deepEqual(plans, [
      ["SEARCH subscribers USING INDEX subscribers_by_handle (handle=?)"],
      ["SEARCH followers USING INDEX followers_by_handle (handle=?)"],
    ]);
  });

  test("is answered before anything is sent, and is under way until it is sent", async (t) => {
    let release: (() => void) | undefined;
    const { inbox, sent } = await start(
      t,
      () =>
        new Promise((resolve) => {
          release = () => {
            resolve({ is: "sent" });
          };
        }),
    );
    await inbox.send("sunny_day");
    assert.equal(sent.length, 0);
    let flushed = false;
    const end = inbox.idle().then(() => (flushed = true));
    while (release === undefined) await new Promise(setImmediate);
    assert.equal(flushed, false);
    release();
    await end;
    assert.equal(sent.length, 1);
  });

  test("is not sent once the server ends, for nobody could type it any more, and nothing is said of it", async (t) => {
    const { inbox, sent, lines, stop } = await start(t, () => {
      stop.abort();
      return Promise.reject(new Error("cut off"));
    });
    await inbox.send("moon");
    await inbox.send("sunny_day");
    await inbox.idle();
    assert.deepEqual([sent.map(({ fan }) => fan), lines], [[moon.fan], []]);
  });

  const troubles: readonly (readonly [string, (text: string) => Promise<Delivery>])[] = [
    ["is refused", (text) => Promise.resolve({ is: "refused", why: `not contactable: ${text}` })],
    ["gets no answer", (text) => Promise.resolve({ is: "unanswered", why: `no answer to ${text}` })],
    ["cannot be authorized", () => Promise.reject(new SourceError("It is dead.", "Authorize again."))],
  ];
  for (const [name, deliver] of troubles) {
    test(`that ${name} is told to the operator alone, without the code`, async (t) => {
      const stage = await start(t, deliver);
      await stage.inbox.send("moon");
      const code = await stage.newestCode();
      assert.match(stage.lines.join(""), /did not go out|It is dead/);
      assert.doesNotMatch(stage.lines.join(""), new RegExp(code));
      // The next one is tried as if nothing had been.
      await stage.inbox.send("sunny_day");
      await stage.inbox.idle();
      assert.equal(stage.sent.length, 2);
    });
  }

  test("that surely did not go out counts for no limit, and is answered as before", async (t) => {
    let isDead = true;
    const { inbox, sent } = await start(t, () =>
      isDead
        ? Promise.reject(new SourceError("It is dead.", "Authorize again."))
        : Promise.resolve({ is: "sent" }),
    );
    const lost = await inbox.send("moon");
    for (let count = 1; count <= 5; count += 1) await inbox.send("moon");
    await inbox.idle();
    assert.deepEqual(await inbox.check(lost, "BBBB-BBBB"), failed("wrong code"));
    isDead = false;
    sent.length = 0;
    for (let count = 1; count <= 5; count += 1) await inbox.send("moon");
    await inbox.idle();
    assert.equal(sent.length, 3);
  });

  test("of which it is not known whether it went out counts, and is good", async (t) => {
    const { inbox, sent, newestCode } = await start(t, () =>
      Promise.resolve({ is: "unanswered", why: "no answer" }),
    );
    const asked = await inbox.send("moon");
    assert.equal((await inbox.check(asked, await newestCode())).is, "proved");
    for (let count = 1; count <= 5; count += 1) await inbox.send("moon");
    await inbox.idle();
    assert.equal(sent.length, 3);
  });

  test("is on record as an event, and nowhere in clear", async (t) => {
    const { inbox, database, newestCode } = await start(t);
    const asked = await inbox.send("moon");
    const code = await newestCode();
    await inbox.check(asked, code);
    const rows = await database.read((sql) => [
      ...sql.all("SELECT * FROM link_codes"),
      ...loadLinkEvents(sql, 10),
    ]);
    assert.partialDeepStrictEqual(rows.slice(-2), [{ event: "code right" }, { event: "code sent" }]);
    assert.doesNotMatch(JSON.stringify(rows), new RegExp(code.replace("-", "-?")));
  });
});

describe("what is offered", () => {
  const offered = async (
    test: { after(fn: () => void): void },
    scopes: readonly string[] | undefined | "no token",
    link: Parameters<typeof configWith>[0] = {},
  ) => {
    const { database, dataDir } = await databaseWith(test, { readAtMs: startMs });
    if (scopes !== "no token")
      saveTokenFile(dataDir, { accessToken: "a", refreshToken: "r", expiresAtMs: 0, scopes });
    const lines: string[] = [];
    const proofs = openFanvueProofs(configWith(link), {
      database,
      dataDir,
      fanvue: { sendMessage: () => Promise.resolve({ is: "sent" }) },
      log: pino({ level: "trace" }, { write: (line: string) => void lines.push(line) }),
      signal: new AbortController().signal,
    });
    const ways = (["fanvueSignIn", "inbox", "invites"] as const).filter((way) => proofs[way] !== undefined);
    return { ways, lines };
  };

  test("is what the config has on", async (t) => {
    const all = await offered(t, ["write:chat"]);
    assert.deepEqual(all, { ways: ["fanvueSignIn", "inbox", "invites"], lines: [] });
    const signIn = await offered(t, ["read:fan"], { inboxCode: false, personalLinks: false });
    assert.deepEqual(signIn, { ways: ["fanvueSignIn"], lines: [] });
    const others = await offered(t, undefined, { signIn: false });
    assert.deepEqual(others, { ways: ["inbox", "invites"], lines: [] });
  });

  test("has no inbox codes where the authorization may send none, with one warning how to mend that", async (t) => {
    const { ways, lines } = await offered(t, ["read:fan"]);
    assert.deepEqual(ways, ["fanvueSignIn", "invites"]);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /Tick write:chat on the Fanvue app, then run `npm run authorize`/);
  });

  test("has no inbox codes where no account is connected, and says so", async (t) => {
    const { ways, lines } = await offered(t, "no token");
    assert.deepEqual(ways, ["fanvueSignIn", "invites"]);
    assert.match(lines.join(""), /no Fanvue account is connected\. Run `npm run authorize`/);
    assert.doesNotMatch(lines.join(""), /write:chat/);
  });

  test("has inbox codes only with a public address, as authorizing asks for their scope only then", async (t) => {
    for (const scopes of [["write:chat"], ["read:fan"]]) {
      const { ways, lines } = await offered(t, scopes, { publicUrl: undefined });
      assert.deepEqual(ways, ["fanvueSignIn", "invites"]);
      assert.match(lines.join(""), /they need link\.public_url/);
      assert.doesNotMatch(lines.join(""), /authorize/);
    }
  });
});
