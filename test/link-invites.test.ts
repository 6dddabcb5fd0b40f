/** Personal links: signed, for one use, and sent to those who are due one, once. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import pino from "pino";
import type { Database } from "../lib/db.ts";
import { SourceError } from "../lib/errors.ts";
import type { Delivery } from "../lib/fanvue/client.ts";
import type { FanId } from "../lib/ids.ts";
import { parseDiscordUserId } from "../lib/ids.ts";
import { type Campaign, inviteAll, maxPerHour } from "../lib/link-admin/invite-all.ts";
import { campaignExitCode, campaignJson, campaignText } from "../lib/link-admin/invite-report.ts";
import { type InviteOptions, parseInvite } from "../lib/link-admin/invite-request.ts";
import { inviteOne } from "../lib/link-admin/invite.ts";
import { makeInvite, openInvites } from "../lib/link/invites.ts";
import { seal } from "../lib/link/secrets.ts";
import { openLinkBook } from "../lib/link/registry.ts";
import { loadKnownLinkKey } from "../lib/store/link-key.ts";
import { addLink, blockFan, removeLink } from "../lib/store/links.ts";
import type { NamedFan } from "../lib/store/snapshot.ts";
import { saveTokenFile } from "./fanvue-client.ts";
import { configWith, databaseWith, namedFan } from "./link-parts.ts";

interface Test {
  after(fn: () => void): void;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const startMs = Date.UTC(2026, 10, 23, 12);
const [ana, bo, cleo] = [namedFan("a", "ana"), namedFan("b", "bo"), namedFan("c", "cleo")];
const discordUser = parseDiscordUserId("1".repeat(18)) ?? assert.fail();

const failed = (failure: string) => ({ is: "failed", failure });

describe("a personal link", () => {
  async function start(test: Test) {
    const clock = { nowMs: startMs };
    const { database } = await databaseWith(test, { subscribers: [ana], readAtMs: startMs });
    const make = (fan: FanId) =>
      database.write((sql) => makeInvite(sql, { fan, days: 7, isSent: false }, clock.nowMs));
    return { clock, database, make, invites: openInvites(database, () => clock.nowMs) };
  }

  test("shows whose it is as often as it is looked at, and proves it once", async (t) => {
    const { make, invites } = await start(t);
    const { token } = await make(ana.fan);
    for (let looks = 1; looks <= 3; looks += 1)
      assert.partialDeepStrictEqual(await invites.look(token), { is: "proved", proof: { handle: "ana" } });
    assert.deepEqual(await invites.use(token), { is: "proved", proof: { ...ana, how: "invite" } });
    assert.deepEqual(await invites.use(token), failed("used invite"));
    assert.deepEqual(await invites.look(token), failed("used invite"));
  });

  test("ends with the fan's other links when one of them is used", async (t) => {
    const { make, invites } = await start(t);
    const [first, second, others] = [await make(ana.fan), await make(ana.fan), await make(bo.fan)];
    assert.partialDeepStrictEqual(await invites.use(first.token), { is: "proved" });
    assert.deepEqual(await invites.use(second.token), failed("expired"));
    assert.partialDeepStrictEqual(await invites.use(others.token), { is: "proved" });
    const later = await make(ana.fan);
    assert.partialDeepStrictEqual(await invites.use(later.token), { is: "proved" });
  });

  test("ends when its fan links an account by proof, in whatever way", async (t) => {
    const { clock, database, make, invites } = await start(t);
    const [{ token }, others] = [await make(ana.fan), await make(bo.fan)];
    const book = openLinkBook(database, () => clock.nowMs);
    const account = { platform: "discord", account: discordUser, name: "ana", login: undefined } as const;
    assert.deepEqual(await book.link({ ...ana, how: "sign-in" }, account), { is: "linked" });
    assert.deepEqual(await invites.look(token), failed("expired"));
    assert.partialDeepStrictEqual(await invites.look(others.token), { is: "proved" });
  });

  test("is used by one of many who come at once", async (t) => {
    const { make, invites } = await start(t);
    const { token } = await make(ana.fan);
    const used = await Promise.all(Array.from({ length: 8 }, () => invites.use(token)));
    assert.equal(used.filter(({ is }) => is === "proved").length, 1);
  });

  test("that somebody made up, or that is of no use any more, is no write of the database", async (t) => {
    const { clock, database, make } = await start(t);
    const { token } = await make(ana.fan);
    let writes = 0;
    const counted: Database = {
      ...database,
      write(fn) {
        writes += 1;
        return database.write(fn);
      },
    };
    const invites = openInvites(counted, () => clock.nowMs);
    await invites.use(token);
    assert.equal(writes, 1);
    for (const useless of [token, "made.up"]) await invites.use(useless);
    assert.equal(writes, 1);
  });

  test("expires", async (t) => {
    const { clock, make, invites } = await start(t);
    const { token } = await make(ana.fan);
    clock.nowMs += 7 * dayMs - 1;
    assert.partialDeepStrictEqual(await invites.look(token), { is: "proved" });
    clock.nowMs += 1;
    assert.deepEqual(await invites.look(token), failed("expired"));
    assert.deepEqual(await invites.use(token), failed("expired"));
  });

  test("cannot be put together by whoever reads the database, with its key", async (t) => {
    const { database, make, invites } = await start(t);
    const { token } = await make(ana.fan);
    const [payload = ""] = token.split(".");
    const [key, row] = await database.read((sql) => [
      loadKnownLinkKey(sql) ?? assert.fail(),
      sql.get("SELECT nonce_hash AS nonce, fan, expires_at_ms AS expiresAtMs FROM link_invites"),
    ]);
    const { fan, nonce, expiresAtMs } = row ?? assert.fail();
    const again = (claims: string) => `${claims}.${seal(key, "invite", claims)}`;
    assert.equal(again(payload), token);
    const read = Buffer.from(JSON.stringify({ fan, nonce, expiresAtMs })).toString("base64url");
    assert.deepEqual(await invites.use(again(read)), failed("expired"));
  });

  test("cannot be made or changed without the key", async (t) => {
    const { make, invites } = await start(t);
    assert.deepEqual(await invites.look("any.thing"), failed("expired"));
    const { token, expiresAtMs } = await make(ana.fan);
    const [payload = "", signature = ""] = token.split(".");
    const told = JSON.parse(Buffer.from(payload, "base64url").toString()) as object;
    const claims = (changes: object) =>
      Buffer.from(JSON.stringify({ ...told, ...changes })).toString("base64url");
    assert.equal(claims({}), payload);
    const others = await start(t);
    const forged = [
      "",
      ".",
      payload,
      `${payload}.`,
      `.${signature}`,
      `${payload}.${signature}.`,
      `${payload}.${signature}A`,
      `${payload}.${signature.slice(0, -1)}`,
      `${payload}=.${signature}`,
      `${claims({ fan: bo.fan })}.${signature}`,
      `${claims({ expiresAtMs: expiresAtMs + dayMs })}.${signature}`,
      (await others.make(ana.fan)).token,
    ];
    for (const attempt of forged) {
      assert.deepEqual(await invites.look(attempt), failed("expired"), attempt);
      assert.deepEqual(await invites.use(attempt), failed("expired"), attempt);
    }
    assert.partialDeepStrictEqual(await invites.use(token), { is: "proved" });
  });
});

describe("links invite --fan", () => {
  const office = async (test: Test, ageMs = 0) => ({
    ...(await databaseWith(test, { subscribers: [ana], readAtMs: startMs - ageMs })),
    configPath: "config.yaml",
    nowMs: startMs,
    json: false,
  });
  const toHandle = { to: "fan", fan: { handle: "ANA" }, days: 3 } as const;

  test("prints one that works, for a uuid or a handle", async (t) => {
    const desk = await office(t);
    for (const fan of [ana.fan, { handle: "ANA" }]) {
      const { text } = await inviteOne({ to: "fan", fan, days: 3 }, configWith(), desk);
      assert.match(text, /For @ana \(ANA\), fan aaaaaaaa-.* until 26 Nov 2026/);
      const token = /^https:\/\/link\.example\.org\/invite\/(\S+)$/m.exec(text)?.[1] ?? "";
      const used = await openInvites(desk.database, () => startMs).use(token);
      assert.partialDeepStrictEqual(used, { is: "proved", proof: { fan: ana.fan } });
    }
  });

  test("is refused where it would lead nowhere or to the wrong fan", async (t) => {
    const desk = await office(t);
    const nowhere = [
      inviteOne(toHandle, configWith({ publicUrl: undefined }), desk),
      inviteOne(toHandle, configWith({ personalLinks: false }), desk),
      inviteOne({ ...toHandle, fan: { handle: "anna" } }, configWith(), desk),
      inviteOne(toHandle, configWith(), await office(t, 2 * dayMs)),
    ];
    const sentences = [/link\.public_url is missing/, /link\.personal_links/, /No fan @anna/, /2 days ago/];
    for (const [index, message] of sentences.entries())
      await assert.rejects(nowhere[index] ?? assert.fail(), { name: "BadInputError", message });
    await desk.database.write((sql) => blockFan(sql, ana.fan, startMs));
    await assert.rejects(inviteOne(toHandle, configWith(), desk), /blocked/);
  });
});

describe("the words of links invite", () => {
  const none = { fan: undefined, days: undefined, "all-subscribers": false, send: false, "dry-run": false };
  const parse = (options: Partial<InviteOptions>, words: readonly string[] = ["invite"]) =>
    parseInvite(words, { ...none, ...options });

  test("are understood", () => {
    assert.deepEqual(parse({ fan: ana.fan }), { to: "fan", fan: ana.fan, days: 7 });
    assert.deepEqual(parse({ fan: "@ana", days: "3" }), { to: "fan", fan: { handle: "ana" }, days: 3 });
    const all = { "all-subscribers": true };
    assert.deepEqual(parse({ ...all, send: true }), { to: "all subscribers", dryRun: false, days: 7 });
    assert.deepEqual(parse({ ...all, send: true, "dry-run": true }), {
      to: "all subscribers",
      dryRun: true,
      days: 7,
    });
    assert.equal(parse({ fan: ana.fan }, ["remove"]), undefined);
  });

  test("are refused with what to write", () => {
    const bad: readonly (readonly [Partial<InviteOptions>, RegExp, (readonly string[])?])[] = [
      [{}, /for whom/],
      [{ fan: "ana", send: true }, /printed and not sent/],
      [{ fan: "ana", "all-subscribers": true, send: true }, /exclude/],
      [{ "all-subscribers": true }, /not printed/],
      [{ fan: "ana", days: "0" }, /--days 0/],
      [{ fan: "ana", days: "91" }, /--days 91/],
      [{ fan: "ana", days: "1.5" }, /--days 1\.5/],
      [{ fan: "ana" }, /cannot use "bo"/, ["invite", "bo"]],
      [{ send: true }, /links list takes no --send/, []],
      [{ days: "3" }, /links remove takes no --days/, ["remove"]],
    ];
    for (const [options, sentence, words] of bad) assert.throws(() => parse(options, words), sentence);
  });
});

// ---- To all -----------------------------------------------------------------------------------------------------

interface Stage {
  readonly campaign: Campaign;
  readonly clock: { nowMs: number };
  readonly sent: { readonly fan: FanId; readonly text: string; readonly atMs: number }[];
  readonly lines: string[];
}

async function stage(
  test: Test,
  subscribers: readonly NamedFan[],
  options: {
    readonly deliver?: (fan: FanId) => Delivery | Error;
    readonly readAtMs?: number;
    readonly scopes?: readonly string[];
  } = {},
): Promise<Stage> {
  const { deliver = () => ({ is: "sent" }), readAtMs = startMs, scopes = ["write:chat"] } = options;
  const clock = { nowMs: startMs };
  const { database, dataDir } = await databaseWith(test, { subscribers, readAtMs });
  saveTokenFile(dataDir, { accessToken: "a", expiresAtMs: 0, scopes });
  const sent: { fan: FanId; text: string; atMs: number }[] = [];
  const lines: string[] = [];
  const fanvue = {
    fetchMe: () => Promise.resolve({ uuid: "", handle: "", displayName: "", isCreator: true }),
    async sendMessage(fan: FanId, text: string) {
      // Written down before it is sent.
      assert.ok((await statesOf(database, fan)).includes("sending"));
      sent.push({ fan, text, atMs: clock.nowMs });
      const delivery = deliver(fan);
      if (delivery instanceof Error) throw delivery;
      return delivery;
    },
  };
  const campaign: Campaign = {
    config: configWith(),
    dataDir,
    database,
    openFanvue: () => Promise.resolve(fanvue),
    signal: new AbortController().signal,
    log: pino({ level: "trace" }, { write: (line: string) => void lines.push(line) }),
    progress: () => undefined,
    now: () => clock.nowMs,
    rest(ms) {
      clock.nowMs += ms;
      return Promise.resolve();
    },
  };
  return { campaign, clock, sent, lines };
}

/** How the messages that were to carry links to a fan stand. */
const statesOf = (database: Database, fan: FanId): Promise<readonly unknown[]> =>
  database.read((sql) =>
    sql.all("SELECT sent FROM link_invites WHERE fan = ?", [fan]).map(({ sent }) => sent),
  );

const send = { dryRun: false, days: 7 };
const fansOf = ({ sent }: Stage) => sent.map(({ fan }) => fan);

describe("links invite --all-subscribers --send", () => {
  test("sends each who is due one theirs, and nobody ever a second, not when it has expired either", async (t) => {
    const all = await stage(t, [ana, bo]);
    const forADay = { ...send, days: 1 };
    const report = await inviteAll(forADay, all.campaign);
    assert.deepEqual(fansOf(all), [ana.fan, bo.fan]);
    assert.equal(campaignExitCode(report), 0);
    assert.match(campaignText(report, startMs), /^2 subscribers, as read 0 minutes ago\.\n2 links sent\.$/);
    const text = all.sent[0]?.text ?? "";
    const token = /https:\/\/link\.example\.org\/invite\/(\S+)/.exec(text)?.[1] ?? "";
    const invites = openInvites(all.campaign.database, () => startMs);
    assert.partialDeepStrictEqual(await invites.use(token), { is: "proved", proof: { fan: ana.fan } });
    assert.doesNotMatch(campaignJson(report) + all.lines.join(""), new RegExp(token));

    for (const laterMs of [0, dayMs]) {
      all.clock.nowMs = startMs + laterMs;
      const again = await inviteAll(forADay, all.campaign);
      assert.equal(all.sent.length, 2);
      assert.deepEqual(again.skipped, { linked: 0, unlinked: 0, invited: 2 });
    }
  });

  test("passes over who is linked, cut their link, or is blocked", async (t) => {
    const others = ["d", "e"].map((digit) => namedFan(digit, `fan-${digit}`));
    const all = await stage(t, [ana, bo, cleo, ...others]);
    await all.campaign.database.write((sql) => {
      const pair = (fan: FanId) => ({ platform: "discord", account: discordUser, fan }) as const;
      addLink(sql, { ...pair(ana.fan), source: "proved" }, startMs);
      removeLink(sql, pair(bo.fan), "unlinked by the fan", startMs);
      blockFan(sql, cleo.fan, startMs);
      removeLink(sql, pair(others[0]?.fan ?? assert.fail()), "links transfer", startMs);
    });
    const report = await inviteAll(send, all.campaign);
    assert.deepEqual(
      fansOf(all),
      others.map(({ fan }) => fan),
    );
    assert.deepEqual(report.skipped, { linked: 1, unlinked: 2, invited: 0 });
  });

  test("writes nothing in a dry run, and says who would get one", async (t) => {
    const all = await stage(t, [ana, bo], { scopes: [] });
    const report = await inviteAll({ ...send, dryRun: true }, all.campaign);
    assert.deepEqual(all.sent, []);
    assert.match(
      campaignText(report, startMs),
      /@ana \(ANA\), fan aaaa.*\n@bo.*\n.*\n2 links would be sent\. Nothing/,
    );
    assert.deepEqual(await statesOf(all.campaign.database, ana.fan), []);
  });

  test("keeps to so many an hour, and goes on by itself", async (t) => {
    const all = await stage(t, [ana, bo]);
    await all.campaign.database.write((sql) => {
      for (let sent = 1; sent < maxPerHour; sent += 1)
        makeInvite(sql, { fan: cleo.fan, days: 7, isSent: true }, startMs);
    });
    await inviteAll(send, all.campaign);
    assert.deepEqual(
      all.sent.map(({ fan, atMs }) => [fan, atMs - startMs]),
      [
        [ana.fan, 0],
        [bo.fan, hourMs],
      ],
    );
  });

  test("remembers what became of each", async (t) => {
    const deliveries = new Map<FanId, Delivery>([
      [ana.fan, { is: "refused", why: "not contactable" }],
      [bo.fan, { is: "unanswered", why: "no answer" }],
      [cleo.fan, { is: "failed", why: "no chat" }],
    ]);
    const all = await stage(t, [ana, bo, cleo], { deliver: (fan) => deliveries.get(fan) ?? assert.fail() });
    const report = await inviteAll(send, all.campaign);
    assert.equal(campaignExitCode(report), 4);
    const states = await Promise.all([ana, bo, cleo].map(({ fan }) => statesOf(all.campaign.database, fan)));
    assert.deepEqual(states, [["refused"], ["sending"], ["failed"]]);
    deliveries.set(cleo.fan, { is: "sent" });
    await inviteAll(send, all.campaign);
    assert.deepEqual(fansOf(all), [ana.fan, bo.fan, cleo.fan, cleo.fan]);
  });

  test("ends after five failures in a row, and at once when the authorization is dead", async (t) => {
    const fans = ["1", "2", "3", "4", "5", "6"].map((digit) => namedFan(digit, digit));
    const all = await stage(t, fans, { deliver: () => ({ is: "failed", why: "away" }) });
    const report = await inviteAll(send, all.campaign);
    assert.equal(all.sent.length, 5);
    assert.match(report.trouble?.message ?? "", /5 messages in a row/);
    assert.match(campaignText(report, startMs), /1 link still to be sent/);

    const dead = await stage(t, fans, { deliver: () => new SourceError("Dead.", "Authorize.") });
    const ended = await inviteAll(send, dead.campaign);
    assert.equal(dead.sent.length, 1);
    assert.equal(campaignExitCode(ended), 5);
    const [first] = fans;
    assert.deepEqual(await statesOf(dead.campaign.database, first?.fan ?? ana.fan), ["failed"]);
  });

  test("goes on with nobody once it is stopped", async (t) => {
    const stop = new AbortController();
    const all = await stage(t, [ana, bo], {
      deliver: () => {
        stop.abort();
        return { is: "sent" };
      },
    });
    const report = await inviteAll(send, { ...all.campaign, signal: stop.signal });
    assert.deepEqual(fansOf(all), [ana.fan]);
    assert.deepEqual(await statesOf(all.campaign.database, ana.fan), ["sent"]);
    assert.equal(campaignExitCode(report), 0);
  });

  test("writes to nobody twice when it runs twice at once", async (t) => {
    const all = await stage(t, [ana, bo, cleo]);
    await Promise.all([inviteAll(send, all.campaign), inviteAll(send, all.campaign)]);
    assert.deepEqual(fansOf(all).sort(), [ana.fan, bo.fan, cleo.fan]);
  });

  test("does not write to who has linked an account since it began", async (t) => {
    const all = await stage(t, [ana, bo]);
    const { database } = all.campaign;
    const linkBo = () =>
      database.write((sql) =>
        addLink(sql, { platform: "discord", account: discordUser, fan: bo.fan, source: "proved" }, startMs),
      );
    const fanvue = await all.campaign.openFanvue();
    const sendMessage = async (fan: FanId, text: string) => {
      await linkBo();
      return fanvue.sendMessage(fan, text);
    };
    const openFanvue = () => Promise.resolve({ ...fanvue, sendMessage });
    await inviteAll(send, { ...all.campaign, openFanvue });
    assert.deepEqual(fansOf(all), [ana.fan]);
  });

  test("does not begin without a fresh snapshot, a public address and leave to send", async (t) => {
    const refused = async (
      options: Parameters<typeof stage>[2],
      message: RegExp,
      changes: Partial<Campaign> = {},
    ) => {
      const { campaign, sent } = await stage(t, [ana], options);
      await assert.rejects(inviteAll(send, { ...campaign, ...changes }), { name: "BadInputError", message });
      assert.deepEqual(sent, []);
    };
    await refused({ readAtMs: startMs - dayMs - 1 }, /24 hours ago/);
    await refused({ scopes: ["read:fan"] }, /may not send messages/);
    await refused({}, /link\.public_url/, { config: configWith({ publicUrl: undefined }) });
    const { campaign } = await stage(t, [ana]);
    await campaign.database.write((sql) => {
      sql.run("DELETE FROM snapshot");
    });
    await assert.rejects(inviteAll(send, campaign), /No sync has read yet/);
  });
});
