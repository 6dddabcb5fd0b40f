import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Account } from "../lib/ids.ts";
import type { Place, PlaceState, Standing, Step } from "../lib/model.ts";
import {
  lastLook,
  resolveLinks,
  wantFromPeer,
  wantFromRules,
  type Block,
  type BookLink,
  type LinkSources,
  type StoredLink,
} from "../lib/want.ts";
import { factsSchema, showVerdict } from "./cases/facts.ts";
import { accountOf, fanOf, mirrorOf, nameOfFan, placeIdOf, ruleOf } from "./cases/load.ts";

const platform = "discord";
const proved = (account: string, fan: string): StoredLink => ({
  platform,
  account: accountOf(account),
  fan: fanOf(fan),
  source: "proved",
});
const entered = (account: string, fan: string): StoredLink => ({
  ...proved(account, fan),
  source: "operator",
});
const booked = (account: string, fan: string, book = "book.yaml"): BookLink => ({
  platform,
  account: accountOf(account),
  fan: fanOf(fan),
  book,
});
const block = (account: string, fan?: string, day = "2026-11-20"): Block => ({
  platform,
  account: accountOf(account),
  fan: fan === undefined ? undefined : fanOf(fan),
  createdAtMs: Date.parse(day),
});
const sources = (some: Partial<LinkSources>): LinkSources => ({
  stored: [],
  blocks: [],
  bookLinksNow: [],
  bookLinksEver: some.bookLinksNow ?? [],
  ...some,
});
const show = (some: Partial<LinkSources>) =>
  resolveLinks(sources(some)).links.map((link) =>
    [link.account, nameOfFan(link.fan), link.source, ...(link.missing ? ["missing"] : [])].join(" "),
  );

describe("links", () => {
  test("come from all sources, each pair once, the stronger source first", () => {
    const links = show({
      stored: [entered("z", "zoe"), entered("a", "ana"), proved("a", "ana")],
      bookLinksNow: [booked("a", "ana"), booked("b", "ana")],
    });
    assert.deepEqual(links, ["@a:hs.org ana proved", "@b:hs.org ana book", "@z:hs.org zoe operator"]);
  });

  test("of one account under two fans in the books both hold", () => {
    assert.deepEqual(show({ bookLinksNow: [booked("a", "bo"), booked("a", "ana")] }), [
      "@a:hs.org ana book",
      "@a:hs.org bo book",
    ]);
  });

  test("that a fan proved outrank another fan's row of a book, which is told", () => {
    const some = { stored: [proved("a", "ana")], bookLinksNow: [booked("a", "bo"), booked("b", "bo")] };
    assert.deepEqual(show(some), ["@a:hs.org ana proved", "@b:hs.org bo book"]);
    assert.deepEqual(resolveLinks(sources(some)).conflicts, [
      `book.yaml gives @a:hs.org to fan ${fanOf("bo")}, but fan ${fanOf("ana")} proved to own it: the row is ignored.`,
    ]);
  });

  test("that the operator entered do not outrank a book", () => {
    assert.deepEqual(show({ stored: [entered("a", "ana")], bookLinksNow: [booked("a", "bo")] }), [
      "@a:hs.org ana operator",
      "@a:hs.org bo book",
    ]);
  });

  test("that left a book are missing, unless another source has them", () => {
    const links = show({
      stored: [proved("c", "cy")],
      bookLinksNow: [booked("b", "bo", "other.yaml")],
      bookLinksEver: [booked("a", "ana"), booked("b", "bo"), booked("c", "cy"), booked("c", "di")],
    });
    assert.deepEqual(links, ["@a:hs.org ana book missing", "@b:hs.org bo book", "@c:hs.org cy proved"]);
  });

  test("end by a block of the pair, whatever their source", () => {
    const links = show({
      stored: [proved("a", "ana"), proved("a", "bo")],
      blocks: [block("a", "ana"), block("b", "ana")],
      bookLinksNow: [booked("a", "ana"), booked("b", "ana")],
      bookLinksEver: [booked("b", "ana")],
    });
    assert.deepEqual(links, ["@a:hs.org bo proved"]);
  });

  test("end by a block of the account, for all its fans", () => {
    const some = { blocks: [block("a")], bookLinksNow: [booked("a", "ana"), booked("a", "bo")] };
    assert.deepEqual(show(some), []);
    assert.deepEqual([...resolveLinks(sources(some)).cutAtMs.keys()], [accountOf("a")]);
  });

  test("end by a block of the fan, with all accounts, also those that a book names later", () => {
    const blocks: readonly Block[] = [
      block("a", "ana"),
      { platform: undefined, account: undefined, fan: fanOf("ana"), createdAtMs: Date.parse("2026-11-21") },
    ];
    const some = {
      blocks,
      bookLinksNow: [booked("a", "ana"), booked("b", "ana"), booked("b", "bo")],
      bookLinksEver: [booked("a", "ana"), booked("c", "ana")],
    };
    assert.deepEqual(show(some), ["@b:hs.org bo book"]);
    // The fan counts as an account of their own in Fanvue lists.
    assert.deepEqual(
      [...resolveLinks(sources(some)).cutAtMs],
      [
        [accountOf("a"), Date.parse("2026-11-20")],
        [fanOf("ana"), Date.parse("2026-11-21")],
      ],
    );
  });

  test("do not depend on the order of their sources", () => {
    const stored = [proved("a", "ana"), entered("a", "ana"), entered("b", "bo")];
    const books = [
      booked("a", "bo"),
      booked("b", "bo", "2.yaml"),
      booked("b", "bo", "1.yaml"),
      booked("d", "di"),
    ];
    const one = resolveLinks(sources({ stored, bookLinksNow: books.slice(0, 3), bookLinksEver: books }));
    const other = resolveLinks(
      sources({
        stored: [...stored].reverse(),
        bookLinksNow: books.slice(0, 3).reverse(),
        bookLinksEver: [...books].reverse(),
      }),
    );
    assert.deepEqual(other, one);
  });
});

const place = (some: Partial<Place> = {}): Place => ({
  target: "discord",
  id: "vip",
  rules: [ruleOf("subscription")],
  onExpiry: "revoke",
  graceDays: 0,
  strangers: "keep",
  adopt: true,
  ...some,
});

describe("wishes by rules", () => {
  const facts = factsSchema.parse({ subscribers: { ana: {}, bo: { status: "paused" } } });
  const wishes = (some: Partial<LinkSources>, owned: readonly string[] = []) => {
    const vip = place();
    const want = wantFromRules({
      places: [vip],
      platform,
      links: resolveLinks(sources(some)),
      facts,
      owned: new Set<Account>(owned.map(accountOf)),
      nowMs: Date.parse("2026-11-23"),
    });
    return [...(want.get(vip)?.values() ?? [])].map(
      ({ account, fans, verdict }) => `${account} (${fans.map(nameOfFan).join(" ")}) ${showVerdict(verdict)}`,
    );
  };

  test("any fan of an account may say yes, and only those stand behind it", () => {
    assert.deepEqual(wishes({ bookLinksNow: [booked("a", "cy"), booked("a", "ana"), booked("a", "bo")] }), [
      "@a:hs.org (ana) yes: subscriber · by: subscription",
    ]);
  });

  test("an account without a yes is unknown while any fan is", () => {
    assert.deepEqual(wishes({ bookLinksNow: [booked("a", "cy"), booked("a", "bo")] }), [
      '@a:hs.org (bo cy) unknown: subscription is "paused"',
    ]);
  });

  test("a link that is missing in its book neither grants nor ends anything", () => {
    const because = "no longer in book.yaml; `npm run links -- remove @a:hs.org` if that is meant";
    assert.deepEqual(wishes({ bookLinksNow: [], bookLinksEver: [booked("a", "ana")] }), [
      `@a:hs.org (ana) unknown: ${because}`,
    ]);
    assert.deepEqual(wishes({ bookLinksNow: [booked("a", "cy")], bookLinksEver: [booked("a", "ana")] }), [
      `@a:hs.org (ana cy) unknown: ${because}`,
    ]);
  });

  test("who has something of ours but no link any more is unknown, who was unlinked is out on request", () => {
    assert.deepEqual(wishes({ blocks: [block("b", "bo"), block("c")] }, ["a", "b"]), [
      "@a:hs.org () unknown: no link of @a:hs.org is on record any more",
      "@b:hs.org () no: unlinked on 20 Nov 2026 · requested",
    ]);
  });

  test("an unlinked account whose other link says no is judged like everybody", () => {
    assert.deepEqual(wishes({ stored: [proved("a", "cy")], blocks: [block("a", "ana")] }, ["a"]), [
      "@a:hs.org (cy) no: not among the subscribers",
    ]);
  });

  test("links of the other platform are of no account", () => {
    assert.deepEqual(wishes({ stored: [{ ...proved("a", "ana"), platform: "matrix" }] }), []);
  });
});

describe("wishes of a list that mirrors a role", () => {
  const mirror = place({ target: "fanvue-lists", rules: [], mirrors: mirrorOf("list", "role") });
  const wishes = (peer: PlaceState, some: Partial<LinkSources>, owned: readonly string[] = []) => {
    const want = wantFromPeer({
      mirrors: [{ place: mirror, peer }],
      links: resolveLinks(sources(some)),
      owned: new Set<Account>(owned.map(fanOf)),
    });
    return [...(want.get(mirror)?.values() ?? [])].map(
      ({ fans, verdict }) => `(${fans.map(nameOfFan).join(" ")}) ${showVerdict(verdict)}`,
    );
  };
  const role = (
    members: Record<string, Standing>,
    coverage: "everybody" | "linked" = "everybody",
  ): PlaceState => ({
    placeId: placeIdOf("role"),
    name: "VIP",
    members: new Map(Object.entries(members).map(([name, standing]) => [accountOf(name), standing])),
    coverage,
    warnings: [],
  });

  test("hold the fans of whose accounts one has the role", () => {
    const peer = role({ a: { is: "out" }, b: { is: "in" }, c: { is: "absent" } });
    const stored = [proved("a", "ana"), proved("b", "ana"), proved("c", "cy"), proved("d", "di")];
    assert.deepEqual(wishes(peer, { stored }), [
      "(ana) yes: @b:hs.org has the role VIP · by: mirror:role",
      "(cy) no: @c:hs.org does not have the role VIP",
      "(di) no: @d:hs.org does not have the role VIP",
    ]);
  });

  test("are unknown where the role, or a member of it, was not read", () => {
    const stored = [proved("a", "ana"), proved("b", "bo")];
    const members = { a: { is: "unknown", because: "Discord answered 500" } } as const;
    assert.deepEqual(wishes(role(members, "linked"), { stored }), [
      "(ana) unknown: Discord answered 500",
      "(bo) unknown: @b:hs.org was not looked at",
    ]);
    const unreadable: PlaceState = {
      unreadable: { because: "The role is gone.", remedy: "Make a new one." },
    };
    assert.deepEqual(wishes(unreadable, { stored: [proved("a", "ana")] }), [
      "(ana) unknown: The role is gone.",
    ]);
  });

  test("end on request for who was unlinked, and not for who has just no link on record", () => {
    const some = {
      blocks: [block("a", "ana")],
      stored: [{ ...proved("x", "ana"), platform: "matrix" }],
    } as const;
    assert.deepEqual(wishes(role({}), some, ["ana", "bo"]), [
      "() no: unlinked on 20 Nov 2026 · requested",
      `() unknown: no link of ${fanOf("bo")} is on record any more`,
    ]);
  });
});

describe("the last look before a step", () => {
  const step = (verb: Step["verb"], fans: readonly string[], some: Partial<Step> = {}): Step => ({
    verb,
    place: place(),
    placeId: placeIdOf("vip"),
    account: accountOf("a"),
    fans: fans.map(fanOf),
    because: "",
    basis: [],
    ...some,
  });
  const judged = resolveLinks(sources({ stored: [proved("a", "ana")] }));
  const look = (of: Step, some: Partial<LinkSources>) => lastLook(resolveLinks(sources(some)), judged)(of);

  const rows: readonly (readonly [string, Step, Partial<LinkSources>, string | undefined])[] = [
    [
      "a grant goes while its link stands",
      step("grant", ["ana"]),
      { stored: [proved("a", "ana")] },
      undefined,
    ],
    [
      "a grant does not go once its link was cut",
      step("grant", ["ana"]),
      { stored: [proved("a", "ana")], blocks: [block("a", "ana")] },
      "the link of @a:hs.org no longer stands",
    ],
    [
      "a grant does not go by another fan's link",
      step("grant", ["ana"]),
      { stored: [proved("a", "bo")] },
      "the link of @a:hs.org no longer stands",
    ],
    [
      "a grant does not go by a link that went missing",
      step("grant", ["ana"]),
      { bookLinksEver: [booked("a", "ana")] },
      "the link of @a:hs.org no longer stands",
    ],
    [
      "a removal goes with the same links",
      step("revoke", ["ana"]),
      { stored: [proved("a", "ana")] },
      undefined,
    ],
    [
      "a removal from a list does not go once the fan has linked another account",
      step("revoke", ["ana"], { account: fanOf("ana") }),
      { stored: [proved("a", "ana"), proved("b", "ana")] },
      `@b:hs.org was linked to fan ${fanOf("ana")} meanwhile`,
    ],
    [
      "a removal from a list goes while the fan has the same accounts",
      step("revoke", ["ana"], { account: fanOf("ana") }),
      { stored: [proved("a", "ana")] },
      undefined,
    ],
    [
      "a removal does not go once another fan has come",
      step("revoke", ["ana"]),
      { stored: [proved("a", "ana"), proved("a", "bo")] },
      "@a:hs.org was linked to another fan",
    ],
    [
      "a stranger who linked stays",
      step("revoke", []),
      { stored: [proved("a", "ana")] },
      "@a:hs.org was linked to another fan",
    ],
    ["a stranger goes", step("revoke", []), {}, undefined],
    [
      "a removal does not go by a link that went missing",
      step("evict", ["ana"]),
      { bookLinksEver: [booked("a", "ana")] },
      "a link of @a:hs.org went missing",
    ],
    [
      "an unlinked account goes",
      step("revoke", ["ana"], { requested: true }),
      { blocks: [block("a")] },
      undefined,
    ],
    [
      "an account that was linked again stays",
      step("revoke", ["ana"], { requested: true }),
      { stored: [proved("a", "ana")] },
      "@a:hs.org was linked again",
    ],
    [
      "a fan goes on a list while a Discord account is linked",
      step("grant", ["ana"], { account: fanOf("ana") }),
      { stored: [proved("a", "ana")] },
      undefined,
    ],
    [
      "and not by an account elsewhere",
      step("grant", ["ana"], { account: fanOf("ana") }),
      { stored: [{ ...proved("a", "ana"), platform: "matrix" }] },
      `the link of ${fanOf("ana")} no longer stands`,
    ],
  ];
  for (const [name, of, some, expected] of rows)
    test(name, () => {
      assert.equal(look(of, some), expected);
    });
});
