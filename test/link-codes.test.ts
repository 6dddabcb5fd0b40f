/** One-time codes, as the link pages use them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase, type Sql } from "../lib/db.ts";
import { parseFanId, parseMxid } from "../lib/ids.ts";
import {
  checkInboxCode,
  checkMatrixCode,
  codeLifeMs,
  type Issued,
  type IssuedCode,
  issueInboxCode,
  issueMatrixCode,
} from "../lib/link/codes.ts";
import { loadLinkEvents } from "../lib/store/link-events.ts";
import { temporaryFolder } from "./harness.ts";

const nowMs = Date.UTC(2026, 10, 23, 12);
const minuteMs = 60 * 1000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

function must<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}
const fanAt = (index: number) =>
  must(parseFanId(`11111111-1111-4111-8111-${String(index).padStart(12, "0")}`));
const fan = fanAt(1);
const ana = must(parseMxid("@ana:hs.org"));
const bo = must(parseMxid("@bo:hs.org"));

const inDatabase = <T>(t: Parameters<typeof temporaryFolder>[0], fn: (sql: Sql) => T): Promise<T> =>
  openDatabase(temporaryFolder(t)).write(fn);

function issued(code: Issued): IssuedCode {
  assert.ok(!("limited" in code), "the code was limited");
  return code;
}
/** It is the fan's, and not nobody's. */
const isTheirs = (code: ReturnType<typeof issueInboxCode>): boolean => code.fan !== undefined;
const wrong = "BBBB-BBBB";
/** Draws that make CCCC-CCCC, so that `wrong` is wrong for sure. */
const alwaysC = () => 1;

test("a code is eight consonants, no two alike, and kept as a hash only", async (t) => {
  await inDatabase(t, (sql) => {
    const codes = Array.from({ length: 3 }, () => issueInboxCode(sql, fan, nowMs));
    for (const { code } of codes) assert.match(code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    assert.equal(new Set(codes.flatMap(({ id, code }) => [id, code])).size, 6);
    const kept = JSON.stringify([sql.all("SELECT * FROM link_codes"), loadLinkEvents(sql, 99)]);
    for (const { code } of codes) {
      assert.ok(!kept.includes(code) && !kept.includes(code.replace("-", "")), "the code itself is on disk");
    }
  });
});

test("equal codes have different hashes, and no key for them is on disk", async (t) => {
  const hashesOf = () =>
    inDatabase(t, (sql) => {
      issueInboxCode(sql, fan, nowMs, alwaysC);
      issueInboxCode(sql, fan, nowMs, alwaysC);
      return sql.all("SELECT hash FROM link_codes").map(({ hash }) => hash);
    });
  assert.equal(new Set([...(await hashesOf()), ...(await hashesOf())]).size, 4);
  await inDatabase(t, (sql) => {
    issueInboxCode(sql, fan, nowMs);
    assert.deepEqual(sql.all("SELECT * FROM meta"), []);
  });
});

test("a code is right once, however it is typed", async (t) => {
  await inDatabase(t, (sql) => {
    const spellings = ["CCCC-CCCC", "cccccccc", " Cccc cccc\t", "cccc–cccc"];
    for (const [index, typed] of spellings.entries()) {
      const owner = fanAt(index);
      const { id, code } = issueInboxCode(sql, owner, nowMs, alwaysC);
      assert.equal(code, "CCCC-CCCC");
      assert.deepEqual(checkInboxCode(sql, id, typed, nowMs), { is: "right", fan: owner });
      assert.deepEqual(checkInboxCode(sql, id, typed, nowMs), { is: "expired" });
    }
  });
});

test("a Matrix code is right for the fan who asked and the account it went to", async (t) => {
  await inDatabase(t, (sql) => {
    const { id, code } = issued(issueMatrixCode(sql, { fan, account: ana }, nowMs));
    assert.deepEqual(checkMatrixCode(sql, id, code, nowMs), { is: "right", fan, account: ana });
  });
});

test("a code of one kind proves nothing of the other, nor one id another's code", async (t) => {
  await inDatabase(t, (sql) => {
    const inbox = issueInboxCode(sql, fan, nowMs);
    const other = issueInboxCode(sql, fan, nowMs, alwaysC);
    const matrix = issued(issueMatrixCode(sql, { fan, account: ana }, nowMs));
    assert.deepEqual(checkMatrixCode(sql, inbox.id, inbox.code, nowMs), { is: "expired" });
    assert.deepEqual(checkInboxCode(sql, matrix.id, matrix.code, nowMs), { is: "expired" });
    assert.equal(checkInboxCode(sql, inbox.id, inbox.code, nowMs).is, "right");
    assert.deepEqual(checkInboxCode(sql, other.id, inbox.code, nowMs), { is: "wrong" });
    assert.deepEqual(checkInboxCode(sql, "none", inbox.code, nowMs), { is: "expired" });
  });
});

test("five wrong tries spend a code: then the right one is of no use", async (t) => {
  await inDatabase(t, (sql) => {
    const { id, code } = issueInboxCode(sql, fan, nowMs, alwaysC);
    const answers = [wrong, "", "CCCC", `${code}C`, wrong, code, wrong].map(
      (typed) => checkInboxCode(sql, id, typed, nowMs).is,
    );
    assert.deepEqual(answers, ["wrong", "wrong", "wrong", "wrong", "spent", "spent", "spent"]);
  });
});

test("the fifth try may be the right one", async (t) => {
  await inDatabase(t, (sql) => {
    const { id, code } = issueInboxCode(sql, fan, nowMs, alwaysC);
    for (let tries = 0; tries < 4; tries += 1) checkInboxCode(sql, id, wrong, nowMs);
    assert.equal(checkInboxCode(sql, id, code, nowMs).is, "right");
  });
});

test("a code lives ten minutes", async (t) => {
  await inDatabase(t, (sql) => {
    assert.equal(codeLifeMs, 10 * minuteMs);
    const [first, second] = [issueInboxCode(sql, fan, nowMs), issueInboxCode(sql, fan, nowMs)];
    assert.equal(checkInboxCode(sql, first.id, first.code, nowMs + codeLifeMs - 1).is, "right");
    assert.equal(checkInboxCode(sql, second.id, second.code, nowMs + codeLifeMs).is, "expired");
  });
});

test("a fan's new Matrix code ends the older one; another's inbox code stays", async (t) => {
  await inDatabase(t, (sql) => {
    const older = issued(issueMatrixCode(sql, { fan, account: ana }, nowMs));
    const others = issued(issueMatrixCode(sql, { fan: fanAt(2), account: ana }, nowMs));
    const newer = issued(issueMatrixCode(sql, { fan, account: bo }, nowMs));
    const answers = [older, others, newer].map(({ id, code }) => checkMatrixCode(sql, id, code, nowMs).is);
    assert.deepEqual(answers, ["expired", "right", "right"]);

    // Whoever types a fan's handle must not spoil the code that the fan waits for.
    const waited = issueInboxCode(sql, fan, nowMs);
    issueInboxCode(sql, fan, nowMs);
    assert.equal(checkInboxCode(sql, waited.id, waited.code, nowMs).is, "right");
  });
});

/** How many codes of a hundred tries are let through. */
const countIssued = (isIssued: (index: number) => boolean): number =>
  Array.from({ length: 100 }, (_, index) => isIssued(index)).filter(Boolean).length;
const isMatrixCode = (code: Issued): boolean => !("limited" in code);

test("three inbox codes an hour for a fan, and thirty a day in all, also after a restart", async (t) => {
  const folder = temporaryFolder(t);
  const issue = (count: (sql: Sql) => number) => openDatabase(folder).write(count);
  const forFan = (atMs: number) =>
    issue((sql) => countIssued(() => isTheirs(issueInboxCode(sql, fan, atMs))));
  assert.equal(await forFan(nowMs), 3);
  assert.equal(await forFan(nowMs + hourMs - 1), 0);
  assert.equal(await forFan(nowMs + hourMs), 3);
  const forOthers = (atMs: number) =>
    issue((sql) => countIssued((index) => isTheirs(issueInboxCode(sql, fanAt(index + 2), atMs))));
  assert.equal(await forOthers(nowMs + 2 * hourMs), 24);
  assert.equal(await forOthers(nowMs + dayMs - 1), 0);
  assert.equal(await forOthers(nowMs + dayMs + 2 * hourMs), 30);
});

test("three Matrix codes a day for a fan and for an account, whoever asks", async (t) => {
  await inDatabase(t, (sql) => {
    const account = (index: number) => must(parseMxid(`@user${String(index)}:hs.org`));
    assert.equal(
      countIssued((index) => isMatrixCode(issueMatrixCode(sql, { fan, account: account(index) }, nowMs))),
      3,
    );
    assert.equal(
      countIssued((index) =>
        isMatrixCode(issueMatrixCode(sql, { fan: fanAt(index + 2), account: ana }, nowMs)),
      ),
      3,
    );
    assert.ok("limited" in issueMatrixCode(sql, { fan, account: bo }, nowMs + dayMs - 1));
    assert.ok(!("limited" in issueMatrixCode(sql, { fan, account: bo }, nowMs + dayMs)));
  });
});

test("a code for nobody looks like any other and never matches, nor does it use up anybody's limit", async (t) => {
  await inDatabase(t, (sql) => {
    for (let count = 0; count < 100; count += 1) issueInboxCode(sql, undefined, nowMs);
    const { id, code } = issueInboxCode(sql, undefined, nowMs);
    assert.match(code, /^\S{4}-\S{4}$/);
    const answers = Array.from({ length: 6 }, () => checkInboxCode(sql, id, code, nowMs).is);
    assert.deepEqual(answers, ["wrong", "wrong", "wrong", "wrong", "spent", "spent"]);
    assert.equal(
      countIssued(() => isTheirs(issueInboxCode(sql, fan, nowMs))),
      3,
    );
    assert.ok(loadLinkEvents(sql, 99).every((event) => event.fan === fan));
  });
});

test("old codes are forgotten: those for nobody when they have expired, others after a day", async (t) => {
  await inDatabase(t, (sql) => {
    issueInboxCode(sql, undefined, nowMs);
    issueInboxCode(sql, fan, nowMs);
    const left = (atMs: number) => {
      issueInboxCode(sql, undefined, atMs);
      return sql.all("SELECT fan FROM link_codes WHERE created_at_ms = ?", [nowMs]).length;
    };
    assert.deepEqual([left(nowMs + 1), left(nowMs + codeLifeMs), left(nowMs + dayMs)], [2, 1, 0]);
  });
});

test("codes are events on record", async (t) => {
  await inDatabase(t, (sql) => {
    const { id, code } = issued(issueMatrixCode(sql, { fan, account: ana }, nowMs, alwaysC));
    checkMatrixCode(sql, id, wrong, nowMs + 1);
    checkMatrixCode(sql, id, code, nowMs + 2);
    const of = { platform: "matrix", account: ana, fan, detail: "" };
    assert.deepEqual(loadLinkEvents(sql, 99, ana), [
      { atMs: nowMs + 2, event: "code right", ...of },
      { atMs: nowMs + 1, event: "code wrong", ...of },
      { atMs: nowMs, event: "code sent", ...of },
    ]);
  });
});
