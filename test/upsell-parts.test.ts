/** Offers: who deserves one, when it may go, what it says, and what is kept of it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EntitlementType } from "discord-api-types/v10";
import { longestFilledIn } from "../lib/config/offer.ts";
import { openDatabase } from "../lib/db.ts";
import type { Verdict } from "../lib/model.ts";
import {
  countOffers,
  forgetWaitingOffer,
  isStarted,
  loadOfferRefusal,
  loadOffers,
  loadOfferState,
  loadReceiversSince,
  loadTriesSince,
  noticeOffer,
  offerStates,
  saveOfferRefusal,
  saveOfferState,
} from "../lib/store/offers.ts";
import { nextSlotMs } from "../lib/upsell/budget.ts";
import { recordFindings } from "../lib/upsell/catch-up.ts";
import { asksToStop } from "../lib/upsell/stops.ts";
import { boostBy, maySend, type OfferDue, purchaseBy } from "../lib/upsell/occasions.ts";
import { fillOffer, harmless } from "../lib/upsell/offer-text.ts";
import { temporaryFolder } from "./harness.ts";
import { account } from "./sandbox/discord-setup.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const nowMs = Date.UTC(2026, 10, 23, 12);
const sku = "700000000000000001";
const occasions = { onBoost: true, requiredEntitlementIds: [sku] };
const [ana, bo] = [account(1), account(2)];

describe("an occasion", () => {
  it("is a person's boost, not a bot's", () => {
    const member = { id: ana, isBot: false, isBooster: true };
    assert.deepEqual(boostBy(member, occasions), { account: ana, occasion: "boost" });
    assert.equal(boostBy({ ...member, isBot: true }, occasions), undefined);
    assert.equal(boostBy({ ...member, isBooster: false }, occasions), undefined);
    assert.equal(boostBy(member, { ...occasions, onBoost: false }), undefined);
  });

  it("is the purchase of a listed SKU that holds, and no test", () => {
    const bought = {
      skuId: sku,
      type: EntitlementType.Purchase,
      userId: ana,
      isDeleted: false,
      endsAtMs: undefined,
    };
    const due = { account: ana, occasion: `sku:${sku}` };
    assert.deepEqual(purchaseBy(bought, occasions, nowMs), due);
    assert.deepEqual(purchaseBy({ ...bought, endsAtMs: nowMs + 1 }, occasions, nowMs), due);
    const none = [
      { type: EntitlementType.TestModePurchase },
      { skuId: "700000000000000002" },
      { userId: undefined },
      { isDeleted: true },
      { endsAtMs: nowMs },
    ];
    for (const change of none)
      assert.equal(purchaseBy({ ...bought, ...change }, occasions, nowMs), undefined, JSON.stringify(change));
  });

  it("is put aside for those who want nothing, and for subscribers", () => {
    const is = (
      verdict: Verdict["is"] | undefined,
      { toSubscribers = false, ageMs = 0, noticedAgoMs = 2 * dayMs } = {},
    ) =>
      maySend(
        {
          refusal: undefined,
          membership:
            verdict === undefined
              ? undefined
              : {
                  subscribes:
                    verdict === "yes"
                      ? { is: verdict, because: "", basis: [] }
                      : { is: verdict, because: "" },
                  readAtMs: nowMs - ageMs,
                },
        },
        { toSubscribers },
        nowMs - noticedAgoMs,
        nowMs,
      ).is;
    assert.equal(is(undefined), "yes");
    assert.deepEqual([is("yes"), is("no"), is("unknown")], ["never", "yes", "not yet"]);
    assert.deepEqual([is("no", { ageMs: dayMs }), is("no", { ageMs: dayMs + 1 })], ["yes", "not yet"]);
    const before = { ageMs: 2, noticedAgoMs: 2 };
    assert.deepEqual([is("no", before), is("yes", before)], ["not yet", "never"]);
    assert.equal(is("no", { ageMs: 1, noticedAgoMs: 2 }), "yes");
    const anyway = { toSubscribers: true, ageMs: dayMs + 1 };
    assert.deepEqual([is("yes", anyway), is("unknown", anyway)], ["yes", "yes"]);
    for (const refusal of ["stop", "closed"] as const)
      assert.equal(
        maySend({ refusal, membership: undefined }, { toSubscribers: true }, 0, nowMs).is,
        "never",
      );
  });

  it("ends with a STOP, however it is written", () => {
    const stops = [
      [
        "STOP",
        " stop\n",
        "STOP.",
        "Stop!",
        '"STOP"',
        "stop please",
        "/stop",
        "**STOP**",
        "||stop||",
        "> stop",
      ],
      ["# Stop", "...stop", "🛑 STOP", "ＳＴＯＰ", "st\u200bop", "<@123456789012345678> stop"],
      [
        "Please stop",
        "ok stop",
        "OK, please stop",
        "Hi. STOP",
        "no, stop!",
        "Don't. Stop.",
        "ok please just stop sending me these messages",
        "hey STOP it",
      ],
      ["stop sending me these messages", "stop, I want no more messages from you, whoever you are"],
      ["STOP sending me these messages right now please", "stop - I have told you often enough to go away"],
      [
        "Stop. I have told you often enough that I am not interested.",
        "stop\n--\nSent from my phone, as always",
      ],
      ["Thank you for the offer, it was very kind of you to think of me. Stop"],
      [
        "Unsubscribe",
        "`unsubscribe`",
        "please, unsubscribe me",
        "How can I be unsubscribed from all of this now?",
      ],
      ["UNSUBSCRIBE ME FROM THESE MESSAGES AT ONCE", "I would like to unsubscribe", "unsub"],
    ].flat();
    const inOtherWords = [
      [
        "I said STOP",
        "Could you please stop messaging me?",
        "please stop sending me messages about your page",
      ],
      ["opt out", "I want to opt-out of this", "can you stop", "I want you to stop", "sir stop", "omg STOP"],
      [
        "Thank you but stop",
        "S.T.O.P",
        "s.t.o.p.",
        "unsubcribe",
        "Don't message me",
        "dont dm me",
        "remove me",
      ],
      ["leave me alone", "no more messages please", "why do I get this? STOP"],
    ].flat();
    for (const text of [...stops, ...inOtherWords]) assert.ok(asksToStop(text), text);
    const others = [
      [
        "",
        "!!!",
        "don't stop",
        "please don’t stop",
        "nonstop",
        "stopped",
        "stops",
        "please",
        "STOPPED",
        "NONSTOP",
      ],
      ["stop-motion films are great", "when will the offers stop?", "when will this stop, I wonder"],
      ["https://stop.example/", "see https://www.example.com/?stop,unsubscribe", "DON'T STOP"],
      ["I don't write often", "you can't remove meetings", "I never STOP loving it", "my optics, outside"],
      ["Stop by at my place if you ever come to Vienna", "I subscribe already"],
    ].flat();
    for (const text of others) assert.ok(!asksToStop(text), text);
  });
});

describe("the budget", () => {
  const limits = { maxPerHour: 2, maxPerDay: 3 };
  const slot = (agesMs: readonly number[], given = limits) =>
    nextSlotMs(
      agesMs.map((ageMs) => nowMs - ageMs),
      given,
      nowMs,
    ) - nowMs;

  it("is free while fewer tries than allowed lie in the hour and the day", () => {
    assert.equal(slot([]), 0);
    assert.equal(slot([minuteMs]), 0);
    assert.equal(slot([hourMs, minuteMs, dayMs]), 0);
  });

  it("is free again when the oldest try that counts is an hour or a day old, whichever is later", () => {
    assert.equal(slot([minuteMs, 10 * minuteMs]), 50 * minuteMs);
    assert.equal(slot([10 * minuteMs, minuteMs, 5 * minuteMs]), dayMs - 10 * minuteMs);
    assert.equal(slot([2 * hourMs, 3 * hourMs, 4 * hourMs]), 20 * hourMs);
  });

  it("is never free where the config allows none", () => {
    assert.equal(slot([], { maxPerHour: 0, maxPerDay: 9 }), Infinity);
  });
});

describe("the text", () => {
  it("holds the names, each where it is asked for, and nothing else is filled in", () => {
    const text = "Hello {name} of {server}, {name}! {link} **20 % off** https://fanvue.com/ana";
    assert.equal(
      fillOffer(text, { name: "Bo $& {server}", server: "Velvet Lounge" }),
      "Hello Bo $& server of Velvet Lounge, Bo $& server! {link} **20 % off** https://fanvue.com/ana",
    );
    assert.equal(
      fillOffer("Hello {name} of {server}", { name: "\u200b", server: "***" }),
      "Hello there of our server",
    );
  });

  const nicknames: Readonly<Record<string, string>> = {
    "@everyone [x](http://evil) \u202E": "everyone x (http evil)",
    "<@&123> <#1> <a:x:1> <t:1:R>": "&123 1 a x 1 t 1 R",
    "**bold** __u__ ~~s~~ ||sp|| `code` \\": "bold u s sp code",
    "discord.gg/abc evil.com": "discord gg abc evil com",
    "two\nlines\r\n\u2028three": "two lines three",
    "a\u200bb\u2066c\u00add\u{e0041}e\u3164f": "abcdef",
    "- a list": "a list",
    "1. a list": "a list",
    "＠everyone": "everyone",
    "Zoë O'Brien Jr.": "Zoë O'Brien Jr.",
    "Ana (she) ♥": "Ana (she) ♥",
  };
  for (const [written, shown] of Object.entries(nicknames))
    it(`shows the nickname ${JSON.stringify(written)} as plain words`, () => {
      assert.equal(harmless(written), shown);
    });

  it("cuts long names between characters as people see them, to what the config reckons with", () => {
    assert.equal(harmless("x".repeat(100)), "x".repeat(longestFilledIn));
    assert.equal(harmless(`${"x".repeat(longestFilledIn - 1)}q\u0301`), "x".repeat(longestFilledIn - 1));
    assert.equal(Array.from(harmless("😀".repeat(100))).length, longestFilledIn);
    assert.equal(harmless(`x${"\u0301".repeat(100)}`), `x${"\u0301".repeat(3)}`);
  });
});

describe("the record of offers", () => {
  const boost: OfferDue = { account: ana, occasion: "boost" };
  const bought: OfferDue = { account: ana, occasion: `sku:${sku}` };
  const bosBoost: OfferDue = { account: bo, occasion: "boost" };

  it("holds each person and occasion once, whatever became of it", async (t) => {
    await openDatabase(temporaryFolder(t)).write((sql) => {
      assert.equal(loadOfferState(sql, boost), undefined);
      assert.ok(noticeOffer(sql, boost, "waiting", nowMs));
      for (const state of ["waiting", "sending", "sent", "refused", "failed", "known"] as const) {
        saveOfferState(sql, boost, state, nowMs);
        assert.equal(noticeOffer(sql, boost, "waiting", nowMs + 1), false, state);
        assert.equal(loadOfferState(sql, boost), state);
      }
      assert.ok(noticeOffer(sql, bought, "waiting", nowMs));
      assert.ok(noticeOffer(sql, bosBoost, "waiting", nowMs - 1));
      assert.deepEqual(loadOffers(sql, "waiting"), [bosBoost, bought]);
      assert.deepEqual(countOffers(sql), {
        known: 1,
        waiting: 2,
        sending: 0,
        sent: 0,
        refused: 0,
        failed: 0,
      });
      forgetWaitingOffer(sql, boost);
      forgetWaitingOffer(sql, bought);
      assert.deepEqual([loadOfferState(sql, boost), loadOfferState(sql, bought)], ["known", undefined]);
    });
  });

  it("tells when messages were tried, and not what waits", async (t) => {
    await openDatabase(temporaryFolder(t)).write((sql) => {
      for (const [index, state] of (
        ["known", "waiting", "sending", "sent", "refused", "failed"] as const
      ).entries()) {
        const offer = { account: account(index), occasion: "boost" };
        noticeOffer(sql, offer, "waiting", 0);
        saveOfferState(sql, offer, state, index);
      }
      assert.deepEqual([...loadTriesSince(sql, 0)].sort(), [2, 3, 4, 5]);
      assert.deepEqual(loadTriesSince(sql, 4), [5]);
    });
  });

  it("tells who may have been written to lately, and has not asked to stop", async (t) => {
    await openDatabase(temporaryFolder(t)).write((sql) => {
      for (const [index, state] of offerStates.entries())
        for (const occasion of ["boost", `sku:${sku}`]) {
          const offer = { account: account(index), occasion };
          noticeOffer(sql, offer, "waiting", 0);
          saveOfferState(sql, offer, state, index);
        }
      const [sending, sent] = [offerStates.indexOf("sending"), offerStates.indexOf("sent")];
      assert.deepEqual(loadReceiversSince(sql, 0), [account(sent), account(sending)]);
      assert.deepEqual(loadReceiversSince(sql, sending), [account(sent)]);
      saveOfferRefusal(sql, account(sent), "stop", nowMs);
      saveOfferRefusal(sql, account(sending), "closed", nowMs);
      assert.deepEqual(loadReceiversSince(sql, 0), [account(sending)]);
    });
  });

  it("remembers who wants none, and a STOP before everything else", async (t) => {
    await openDatabase(temporaryFolder(t)).write((sql) => {
      assert.equal(loadOfferRefusal(sql, ana), undefined);
      for (const [why, kept] of [
        ["closed", "closed"],
        ["stop", "stop"],
        ["closed", "stop"],
      ] as const) {
        saveOfferRefusal(sql, ana, why, nowMs);
        assert.equal(loadOfferRefusal(sql, ana), kept);
      }
    });
  });

  it("begins with each occasion's first whole look, which nobody is written to for", async (t) => {
    await openDatabase(temporaryFolder(t)).write((sql) => {
      assert.equal(recordFindings(sql, { found: [boost], read: new Set(["boost"]), unread: [] }, nowMs), 0);
      assert.deepEqual([isStarted(sql, "boost"), isStarted(sql, `sku:${sku}`)], [true, false]);
      const both = { found: [boost, bosBoost, bought], unread: [] };
      assert.equal(recordFindings(sql, { ...both, read: new Set(["boost", `sku:${sku}`]) }, nowMs), 1);
      assert.deepEqual(loadOffers(sql, "known"), [boost, bought]);
      assert.deepEqual(loadOffers(sql, "waiting"), [bosBoost]);
    });
  });
});
