import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  afterWindow,
  type BookState,
  historyBeginsAtMs,
  isRead,
  newestByFan,
  nextWindow,
  overlapMs,
  surplus,
  unlocksFrom,
} from "../lib/ledger.ts";
import { type ContentId, type FanId, parseContentId, parseFanId } from "../lib/ids.ts";
import type { EarningsRow } from "../lib/facts.ts";

const fan = (digit: number): FanId =>
  parseFanId(`00000000-0000-4000-8000-00000000000${digit}`) ?? assert.fail("no uuid");
const content = (word: string): ContentId => parseContentId(word) ?? assert.fail("no content id");
const post = content("post-1");
const mara = fan(1);

const hourMs = 60 * 60 * 1000;
const baseMs = Date.UTC(2025, 11, 31);

const row = (changes: Partial<EarningsRow> = {}): EarningsRow => ({
  source: "post",
  kind: "purchase",
  dateMs: baseMs,
  fan: mara,
  orderId: undefined,
  reversesOrderId: undefined,
  postId: post,
  messageId: undefined,
  grossCents: 1000,
  netCents: 800,
  ...changes,
});
const refund = (changes: Partial<EarningsRow> = {}): EarningsRow =>
  row({
    source: "refund",
    kind: "reversal",
    grossCents: -1000,
    netCents: -800,
    dateMs: baseMs + hourMs,
    ...changes,
  });

const sorted = (rows: readonly EarningsRow[]) => rows.map((it) => JSON.stringify(it)).sort();

/** Few values, so that equal rows are common. */
const anyRow = fc.record({
  dateMs: fc.integer({ min: 0, max: 120 }).map((hours) => baseMs + hours * hourMs),
  fan: fc.constantFrom(fan(1), fan(2), undefined),
  orderId: fc.constantFrom("a", "b", undefined),
  grossCents: fc.constantFrom(500, 1000),
  postId: fc.constantFrom(post, undefined),
});

describe("The ledger", () => {
  it("ends in the exact multiset of rows, whatever the windows, the late rows and the equal rows", () => {
    const arrivals = fc.array(fc.tuple(anyRow, fc.integer({ min: 0, max: overlapMs - 1 })), {
      maxLength: 40,
    });
    const readings = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(arrivals, readings, (rows, hours) => {
        const world = rows.map(([changes, lateMs]) => ({
          row: row(changes),
          arrivesAtMs: changes.dateMs + lateMs,
        }));
        const endMs = baseMs + 1000 * hourMs;
        const times = [...hours.map((hour) => baseMs + hour * hourMs), endMs].sort((a, b) => a - b);
        const stored: EarningsRow[] = [];
        let state: BookState | undefined;
        for (const nowMs of times) state = readAll(state, nowMs);
        assert.deepEqual(sorted(stored), sorted(world.map((it) => it.row)));

        function readAll(start: BookState | undefined, nowMs: number): BookState {
          let at = start;
          for (;;) {
            const window = nextWindow(at, nowMs);
            const isIn = ({ dateMs }: EarningsRow) => dateMs >= window.fromMs && dateMs < window.toMs;
            const fetched = world.filter((it) => it.arrivesAtMs <= nowMs && isIn(it.row)).map((it) => it.row);
            stored.push(...(window.how === "join" ? surplus(stored.filter(isIn), fetched) : fetched));
            at = afterWindow(at, window, nowMs, nowMs);
            if (isRead(at)) return at;
          }
        }
      }),
    );
  });

  it("appends nothing when the same rows are read again, in whatever order", () => {
    const rows = fc.array(
      anyRow.map((changes) => row(changes)),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(
        rows.chain((some) =>
          fc.tuple(fc.constant(some), fc.shuffledSubarray(some, { minLength: some.length })),
        ),
        ([before, again]) => {
          assert.deepEqual(surplus(before, again), []);
        },
      ),
    );
  });

  it("keeps two equal tips as two rows and finds the third", () => {
    const tip = row({ source: "tip", postId: undefined });
    assert.equal(surplus([tip, tip], [tip, tip, tip]).length, 1);
  });

  it("takes a row whose fan was deleted since for the same row, but not one fan's for another's", () => {
    assert.deepEqual(surplus([row()], [row({ fan: undefined })]), []);
    assert.equal(surplus([row()], [row({ fan: undefined }), row({ fan: undefined })]).length, 1);
    assert.equal(surplus([row()], [row({ fan: fan(2) })]).length, 1);
  });

  it("takes a reversal that names its order in one generation of the API only for the same row", () => {
    assert.deepEqual(surplus([refund()], [refund({ orderId: "r1", reversesOrderId: "o1" })]), []);
  });

  it("reads history by years, without a gap", () => {
    const nowMs = Date.UTC(2022, 5, 1);
    const seen: [number, number][] = [];
    let state: BookState | undefined;
    while (!isRead(state)) {
      const window = nextWindow(state, nowMs);
      assert.equal(window.how, "append");
      seen.push([window.fromMs, window.toMs]);
      state = afterWindow(state, window, nowMs, nowMs);
    }
    assert.deepEqual(seen, [
      [historyBeginsAtMs, Date.UTC(2021, 0, 1)],
      [Date.UTC(2021, 0, 1), Date.UTC(2022, 0, 1)],
      [Date.UTC(2022, 0, 1), nowMs],
    ]);
  });

  it("does not skip what comes between the service's clock and ours when ours is ahead", () => {
    const serverNowMs = baseMs;
    const oursMs = baseMs + 100 * hourMs;
    const state = afterWindow(
      { throughMs: baseMs - hourMs, historyEndsAtMs: baseMs - hourMs, walk: undefined },
      { how: "join", fromMs: 0, toMs: oursMs, cursor: undefined },
      oursMs,
      serverNowMs,
    );
    assert.equal(state.throughMs, serverNowMs);
  });

  it("knows each fan's newest purchase apart from other rows", () => {
    const newest = newestByFan([
      row({ dateMs: 5 }),
      row({ dateMs: 3 }),
      refund({ dateMs: 9 }),
      row({ fan: undefined, dateMs: 99 }),
    ]);
    assert.deepEqual([...newest], [[mara, { purchaseAtMs: 5, otherAtMs: 9 }]]);
  });
});

describe("Unlocks", () => {
  const unlockOf = (...rows: readonly EarningsRow[]) => unlocksFrom(rows).get(post)?.get(mara);
  const cases: readonly [string, readonly EarningsRow[], string | undefined][] = [
    ["a purchase", [row()], "bought"],
    ["no purchase", [], undefined],
    ["a reward", [row({ kind: "other" })], undefined],
    ["a purchase by a deleted fan", [row({ fan: undefined })], undefined],
    [
      "a purchase and the refund of its order",
      [row({ orderId: "o1" }), refund({ reversesOrderId: "o1" })],
      "reversed",
    ],
    [
      "a refund that names the order and nothing else",
      [row({ orderId: "o1" }), refund({ reversesOrderId: "o1", fan: undefined, postId: undefined })],
      "reversed",
    ],
    [
      "the refund of another order",
      [
        row({ orderId: "o1" }),
        row({ orderId: "o2", postId: content("post-2") }),
        refund({ reversesOrderId: "o2", postId: undefined }),
      ],
      "bought",
    ],
    [
      "two purchases and the refund of one",
      [row({ orderId: "o1" }), row({ orderId: "o2" }), refund({ reversesOrderId: "o1" })],
      "bought",
    ],
    [
      "two purchases and the refunds of both",
      [
        row({ orderId: "o1" }),
        row({ orderId: "o2" }),
        refund({ reversesOrderId: "o1" }),
        refund({ reversesOrderId: "o2" }),
      ],
      "reversed",
    ],
    ["a refund without order of the same content and amount", [row(), refund()], "reversed"],
    ["two purchases and one refund without order", [row(), row({ dateMs: baseMs + 1 }), refund()], "bought"],
    ["a refund without order before the purchase", [row(), refund({ dateMs: baseMs - 1 })], "bought"],
    ["a refund of another fan", [row(), refund({ fan: fan(2) })], "bought"],
    ["a refund of another content", [row(), refund({ postId: content("post-2") })], "bought"],
    [
      "a partial refund",
      [row({ orderId: "o1" }), refund({ reversesOrderId: "o1", grossCents: -400 })],
      "ambiguous",
    ],
    ["a partial refund without order", [row(), refund({ grossCents: -400 })], "ambiguous"],
    [
      "two partial refunds that make up the whole",
      [
        row({ orderId: "o1" }),
        refund({ reversesOrderId: "o1", grossCents: -400 }),
        refund({ reversesOrderId: "o1", grossCents: -600 }),
      ],
      "reversed",
    ],
    ["a refund that names neither order nor content", [row(), refund({ postId: undefined })], "ambiguous"],
    [
      "a refund of another amount that names neither",
      [row(), refund({ postId: undefined, grossCents: -300 })],
      "bought",
    ],
    ["a chargeback after the refund", [row(), refund(), refund({ source: "chargeback" })], "reversed"],
    ["a purchase after a refunded one", [row(), refund(), row({ dateMs: baseMs + 2 * hourMs })], "bought"],
    [
      "an order of two contents of which one amount was refunded",
      [
        row({ orderId: "o1" }),
        row({ orderId: "o1", postId: content("post-2"), grossCents: 700 }),
        refund({ reversesOrderId: "o1", postId: undefined, grossCents: -700 }),
      ],
      "bought",
    ],
    ["a free unlock", [row({ grossCents: 0, netCents: 0 })], "bought"],
  ];
  for (const [name, rows, expected] of cases) {
    it(`${name}: ${expected ?? "nothing"}`, () => {
      assert.equal(unlockOf(...rows), expected);
    });
  }

  it("go by message as well as by post", () => {
    const message = content("message-1");
    const unlocks = unlocksFrom([row({ source: "message", postId: undefined, messageId: message })]);
    assert.equal(unlocks.get(message)?.get(mara), "bought");
  });

  it("never end without a reversal", () => {
    fc.assert(
      fc.property(
        fc.array(
          anyRow.map((changes) => row({ ...changes, postId: post, fan: mara })),
          { minLength: 1 },
        ),
        (rows) => {
          assert.equal(unlockOf(...rows), "bought");
        },
      ),
    );
  });

  it("never all end by fewer whole refunds than purchases", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 4 }), (bought, back) => {
        const refunds = Math.min(back, bought - 1);
        const rows = [
          ...Array<EarningsRow>(bought).fill(row()),
          ...Array<EarningsRow>(refunds).fill(refund()),
        ];
        assert.equal(unlockOf(...rows), "bought");
      }),
    );
  });
});
