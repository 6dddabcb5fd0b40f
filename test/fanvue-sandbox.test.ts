/** The stand-in for Fanvue is the ground of many tests, so it is tested, too. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { delimiter } from "node:path";
import { after, beforeEach, describe, it, type TestContext } from "node:test";

import { z } from "zod";

import { fanvueScopes, startFanvue, type FanvueOptions, type FanvueSandbox } from "./sandbox/fanvue.ts";
import { createWorld, dayMs } from "./sandbox/fanvue-world.ts";
import { cutBody, emptyPage, onlyFirst, repeatedCursor, unfamiliarStatus } from "./sandbox/faults.ts";
import { loadDescription } from "./sandbox/openapi.ts";

const running: FanvueSandbox[] = [];
let fanvue: FanvueSandbox;

async function start(options: FanvueOptions = {}): Promise<FanvueSandbox> {
  const started = await startFanvue(options);
  running.push(started);
  return started;
}

beforeEach(async () => {
  fanvue = await start();
});
after(async () => {
  await Promise.all(running.map((sandbox) => sandbox.stop()));
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

async function ask(
  request: string,
  options: { json?: unknown; token?: string; headers?: Record<string, string | undefined> } = {},
): Promise<Answer> {
  const [method = "GET", path = ""] = request.split(" ");
  const headers: Record<string, string | undefined> = {
    authorization: `Bearer ${options.token ?? fanvue.issueToken().accessToken}`,
    "x-fanvue-api-version": "2025-06-26",
    ...options.headers,
  };
  const sent = Object.entries(headers).filter(
    (header): header is [string, string] => header[1] !== undefined,
  );
  const response = await fetch(fanvue.apiUrl + path, {
    method,
    headers: Object.fromEntries(sent),
    ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }),
  });
  const text = await response.text();
  const body: unknown = text === "" ? undefined : JSON.parse(text);
  return { status: response.status, headers: response.headers, body };
}

const pageShape = z.looseObject({
  data: z.array(z.looseObject({ uuid: z.string().optional(), source: z.string().optional() })),
  nextCursor: z.string().nullish(),
  pagination: z.object({ page: z.number(), size: z.number(), hasMore: z.boolean() }).optional(),
});
const pageOf = async (request: string) => pageShape.parse((await ask(request)).body);
const uuidsOf = async (request: string) => (await pageOf(request)).data.map(({ uuid }) => uuid);

async function expectAnswer(answer: Promise<Answer>, status: number, body?: unknown): Promise<void> {
  const { status: actual, body: actualBody } = await answer;
  assert.deepEqual({ status: actual, body: actualBody }, { status, body });
}

describe("the doors of the API", () => {
  it("refuses a request without the version header, and a retired version", async () => {
    await expectAnswer(ask("GET /v1/users/me", { headers: { "x-fanvue-api-version": undefined } }), 400, {
      error: "Unsupported API version",
      message: "API version is missing",
    });
    fanvue.quirks.sunsetVersions = ["2025-06-26"];
    const { status } = await ask("GET /users/me");
    assert.equal(status, 410);
  });

  it("refuses unknown, lower-case and expired tokens", async () => {
    const { accessToken } = fanvue.issueToken();
    await expectAnswer(ask("GET /v1/users/me", { token: "made-up" }), 401, { error: "Unauthorized" });
    const headers = { authorization: `bearer ${accessToken}` };
    await expectAnswer(ask("GET /v1/users/me", { headers }), 401, { error: "Unauthorized" });
    assert.equal((await ask("GET /v1/users/me", { token: accessToken })).status, 200);
    fanvue.world.now = () => Date.now() + 3600_000;
    await expectAnswer(ask("GET /v1/users/me", { token: accessToken }), 401, { error: "Unauthorized" });
  });

  it("names the scope that is missing", async () => {
    const { accessToken } = fanvue.issueToken(["read:fan"]);
    await expectAnswer(ask("GET /v1/chats/lists/smart", { token: accessToken }), 403, {
      error: "Insufficient scope: read:chat required",
    });
  });

  it("lets a fan read nothing but who they are", async () => {
    const mara = fanvue.world.addFan("mara");
    const { accessToken } = fanvue.issueToken(fanvueScopes, mara.uuid);
    const { body } = await ask("GET /users/me", { token: accessToken });
    assert.partialDeepStrictEqual(body, { uuid: mara.uuid, handle: "mara", isCreator: false });
    await expectAnswer(ask("GET /v1/subscribers", { token: accessToken }), 403, { error: "Forbidden" });
  });

  it("answers 404 for a generation that is switched off", async () => {
    fanvue.quirks.generations = ["unprefixed"];
    assert.equal((await ask("GET /v1/users/me")).status, 404);
    assert.equal((await ask("GET /users/me")).status, 200);
  });

  it("counts requests per user, and says when to come back", async () => {
    fanvue.rate.limit = 2;
    const first = await ask("GET /v1/users/me");
    assert.equal(first.headers.get("x-ratelimit-limit"), "2");
    assert.equal(first.headers.get("x-ratelimit-remaining"), "1");
    await ask("GET /v1/users/me");
    const refused = await ask("GET /v1/users/me");
    assert.deepEqual([refused.status, refused.body], [429, { error: "Too Many Requests" }]);
    const waitSeconds = Number(refused.headers.get("retry-after"));
    assert.ok(waitSeconds > 0 && waitSeconds <= 60);
    const resetMs = Number(refused.headers.get("x-ratelimit-reset")) * 1000;
    assert.ok(Math.abs(resetMs - Date.now() - waitSeconds * 1000) < 2000);
    fanvue.rate.windowMs = 0;
    assert.equal((await ask("GET /v1/users/me")).status, 200);
  });
});

describe("lists of fans", () => {
  it("pages by number in one generation and by cursor in the other", async () => {
    const fans = fanvue.world.addFans(5, (fan, index) => {
      fanvue.world.subscribe(fan, { startedAtMs: Date.now() - index * dayMs });
    });
    const order = fans.map(({ uuid }) => uuid);

    const second = await pageOf("GET /subscribers?size=2&page=2");
    assert.deepEqual(second.pagination, { page: 2, size: 2, hasMore: true });
    const last = await pageOf("GET /subscribers?size=2&page=3");
    assert.deepEqual(last.pagination, { page: 3, size: 1, hasMore: false });

    const seen: unknown[] = [];
    let query = "";
    for (;;) {
      const page = await pageOf(`GET /v1/subscribers?size=2${query}`);
      seen.push(...page.data.map(({ uuid }) => uuid));
      if (typeof page.nextCursor !== "string") break;
      query = `&cursor=${encodeURIComponent(page.nextCursor)}`;
    }
    assert.deepEqual(seen, order);
  });

  it("tells of subscriptions in v1 only", async () => {
    const { world } = fanvue;
    const mara = world.addFan("mara");
    world.subscribe(mara, { startedAtMs: Date.UTC(2026, 0, 1), paidCents: 0 });
    const { body } = await ask(`GET /v1/subscribers/${mara.uuid}`);
    assert.partialDeepStrictEqual(body, {
      subscription: { status: "active", amountPaid: 0, currentPeriodEnd: "2026-01-31T00:00:00.000Z" },
    });
    const [row] = (await pageOf("GET /subscribers")).data;
    assert.equal(row?.uuid, mara.uuid);
    assert.ok(!("subscription" in row));
    world.lapse(mara);
    await expectAnswer(ask(`GET /v1/subscribers/${mara.uuid}`), 404, { message: "Subscriber not found" });
  });

  it("counts subscribers among the followers in v1 only", async () => {
    const { world } = fanvue;
    const [mara, otto] = [world.addFan("mara"), world.addFan("otto")];
    world.subscribe(mara);
    for (const fan of [mara, otto]) world.follow(fan);
    assert.deepEqual(await uuidsOf("GET /followers"), [otto.uuid]);
    assert.deepEqual(new Set(await uuidsOf("GET /v1/followers")), new Set([mara.uuid, otto.uuid]));
    world.unfollow(otto);
    assert.deepEqual(await uuidsOf("GET /followers"), []);
  });

  it("refuses pages above 50 rows, broken cursors and broken uuids", async () => {
    await expectAnswer(ask("GET /subscribers?size=51"), 400, {
      errors: ["size must not be greater than 50"],
    });
    await expectAnswer(ask("GET /v1/followers?cursor=nonsense"), 400, { errors: ["cursor is invalid"] });
    await expectAnswer(ask("GET /v1/subscribers/42"), 400, { message: "Invalid UUID format" });
  });

  it("shows data that a test changed by hand as soon as a walk begins", async () => {
    const mara = fanvue.world.addFan("mara");
    fanvue.world.subscribe(mara);
    assert.deepEqual(await uuidsOf("GET /v1/subscribers"), [mara.uuid]);
    mara.subscription = undefined;
    assert.deepEqual(await uuidsOf("GET /v1/subscribers"), []);
  });

  it("serves a hundred thousand fans without sorting them for every page", async () => {
    const { world } = fanvue;
    world.addFans(100_000, (fan) => {
      world.follow(fan);
    });
    fanvue.rate.limit = 1000;
    const { nextCursor } = await pageOf("GET /v1/followers?size=50");
    const startedAtMs = performance.now();
    for (let page = 0; page < 100; page += 1)
      await pageOf(`GET /v1/followers?size=50&cursor=${encodeURIComponent(nextCursor ?? "")}`);
    const pageMs = (performance.now() - startedAtMs) / 100;
    assert.ok(pageMs < 50, `a page takes ${pageMs.toFixed(1)} ms`);
  });
});

describe("insights and the ledger", () => {
  const post = "0f0e0d0c-0b0a-4908-8706-050403020100";

  it("nets refunds and knows who is no fan", async () => {
    const { world } = fanvue;
    const [mara, nobody] = [world.addFan("mara"), world.addFan("nobody")];
    world.subscribe(mara, { paidCents: 1000 });
    const row = world.buyPost(mara, post, 500);
    world.refund(row);
    const { body } = await ask(`GET /v1/insights/fans?fanUuids=${mara.uuid},${nobody.uuid}`);
    assert.partialDeepStrictEqual(body, {
      results: {
        [mara.uuid]: { status: "subscriber", spending: { total: { gross: 1500, total: 1000 } } },
        [nobody.uuid]: null,
      },
      errors: [{ fanUuid: nobody.uuid, code: "NOT_FOUND", message: "Fan not found" }],
    });
    world.lapse(mara);
    assert.partialDeepStrictEqual((await ask(`GET /insights/fans/${mara.uuid}`)).body, {
      status: "expired",
      spending: { total: { gross: 1000, total: 1000 } },
    });
    world.deleteFan(mara);
    await expectAnswer(ask(`GET /insights/fans/${mara.uuid}`), 404, { message: "Fan not found" });
  });

  it("has the large batch in the unprefixed generation only", async () => {
    const unknown = fanvue.world.uuid("nobody at all");
    const json = { userUuids: [unknown] };
    await expectAnswer(ask("POST /insights/fans/batch", { json }), 200, {
      [unknown]: { error: "not_found" },
    });
    assert.equal((await ask("POST /v1/insights/fans/batch", { json })).status, 404);
    const many = Array.from({ length: 21 }, () => unknown).join(",");
    await expectAnswer(ask(`GET /v1/insights/fans?fanUuids=${many}`), 400, {
      errors: ["fanUuids must contain at most 20 elements"],
    });
  });

  it("shows earnings of a window, newest first, the end shut out", async () => {
    const { world } = fanvue;
    const mara = world.addFan("mara");
    const at = (day: number) => Date.UTC(2026, 0, day);
    for (const day of [3, 1, 4, 2]) world.tip(mara, day * 100, at(day));
    const window = "startDate=2026-01-02T00:00:00Z&endDate=2026-01-04T00:00:00%2B00:00";
    const { body } = await ask(`GET /v1/insights/earnings?${window}`);
    assert.partialDeepStrictEqual(body, {
      data: [{ gross: 300 }, { gross: 200, net: 160, source: "tip", user: { uuid: mara.uuid } }],
      nextCursor: null,
    });
    await expectAnswer(ask("GET /insights/earnings?startDate=2026-01-02"), 400, {
      errors: ["startDate must be an ISO 8601 datetime with offset"],
    });
  });

  it("carries window and filter in the cursor", async () => {
    const { world } = fanvue;
    const mara = world.addFan("mara");
    for (let day = 1; day <= 9; day += 1) {
      world.tip(mara, day * 100, Date.UTC(2026, 0, day));
      world.buyPost(mara, post, day, Date.UTC(2026, 0, day));
    }
    const first = await pageOf(
      "GET /insights/earnings?size=3&source=tip&startDate=2026-01-05T00:00:00Z&endDate=2027-01-01T00:00:00Z",
    );
    const second = await pageOf(
      `GET /insights/earnings?size=3&cursor=${encodeURIComponent(first.nextCursor ?? "")}`,
    );
    assert.partialDeepStrictEqual(first.data, [{ gross: 900 }, { gross: 800 }, { gross: 700 }]);
    assert.partialDeepStrictEqual(second.data, [{ gross: 600 }, { gross: 500 }]);
    assert.deepEqual([second.data.length, second.nextCursor], [2, null]);
  });

  it("tells of reversals in the earnings of v1, and apart and without order in the other generation", async () => {
    const { world } = fanvue;
    const mara = world.addFan("mara");
    const bought = world.buyPost(mara, post, 700);
    world.refund(bought);
    world.chargeback(world.buyPost(mara, post, 400), { withOrderId: false, cents: 100 });
    const { data } = await pageOf("GET /v1/insights/earnings?source=refund,chargeback");
    assert.partialDeepStrictEqual(data, [
      { source: "chargeback", gross: -100 },
      { source: "refund", gross: -700, reversedTransactionOrderId: bought.orderId, postUuid: post },
    ]);
    assert.ok(!data.some((row) => row.source === "chargeback" && "reversedTransactionOrderId" in row));
    const old = await pageOf("GET /insights/earnings");
    assert.deepEqual(
      old.data.map(({ source }) => source),
      ["post", "post"],
    );
    const [, reversal] = (await pageOf("GET /insights/spending")).data;
    assert.partialDeepStrictEqual(reversal, { source: "refund", gross: -700 });
    assert.ok(reversal !== undefined && !("transactionOrderId" in reversal));
    assert.equal((await ask("GET /v1/insights/spending")).status, 404);
  });

  it("keeps the rows of a deleted fan, without a user", async () => {
    const { world } = fanvue;
    const mara = world.addFan("mara");
    world.tip(mara, 500);
    world.reward("referral", 100);
    world.deleteFan(mara);
    assert.partialDeepStrictEqual((await ask("GET /v1/insights/earnings")).body, {
      data: [
        { source: "referral", user: null },
        { source: "tip", user: null },
      ],
    });
  });
});

describe("lists and chats", () => {
  it("creates, renames and deletes custom lists, one of each name", async () => {
    const created = await ask("POST /chats/lists/custom", { json: { name: "Gold" } });
    assert.equal(created.status, 201);
    const { uuid } = z.looseObject({ uuid: z.string() }).parse(created.body);
    const taken = { message: "A list with this name already exists" };
    await expectAnswer(ask("POST /v1/chats/lists/custom", { json: { name: "Gold" } }), 409, taken);
    await expectAnswer(ask(`PATCH /v1/chats/lists/custom/${uuid}`, { json: { name: "Silver" } }), 204);
    const { data } = await pageOf("GET /chats/lists/custom");
    assert.partialDeepStrictEqual(data, [{ uuid, name: "Silver", membersCount: 0 }]);
    await expectAnswer(ask(`DELETE /v1/chats/lists/custom/${uuid}`), 204);
    await expectAnswer(ask(`GET /v1/chats/lists/custom/${uuid}`), 404, { message: "Custom list not found" });
  });

  it("adds up to a hundred members at once and removes them one by one", async () => {
    const { world } = fanvue;
    const [mara, otto] = [world.addFan("mara"), world.addFan("otto")];
    const list = world.createList("Gold", mara);
    const members = `/v1/chats/lists/custom/${list.uuid}/members`;
    const json = { userUuids: [mara.uuid, otto.uuid, world.uuid("nobody")] };
    await expectAnswer(ask(`POST ${members}`, { json }), 201, { added: 1, skipped: 2 });
    fanvue.quirks.unknownFansInAdd = "refuse";
    assert.equal((await ask(`POST ${members}`, { json })).status, 400);
    const tooMany = { userUuids: Array.from({ length: 101 }, () => mara.uuid) };
    assert.equal((await ask(`POST ${members}`, { json: tooMany })).status, 400);
    await expectAnswer(ask(`DELETE ${members}/${mara.uuid}`), 204);
    await expectAnswer(ask(`DELETE ${members}/${mara.uuid}`), 404, {
      message: "Custom list or member not found",
    });
    assert.deepEqual(await uuidsOf(`GET /chats/lists/custom/${list.uuid}`), [otto.uuid]);
  });

  it("derives smart lists, without those whom the creator cannot write to", async () => {
    const { world } = fanvue;
    const [mara, otto] = [world.addFan("mara"), world.addFan("otto")];
    for (const fan of [mara, otto]) world.subscribe(fan);
    otto.contactable = false;
    assert.deepEqual(await uuidsOf("GET /chats/lists/smart/subscribers"), [mara.uuid]);
    const v1 = await ask("GET /v1/chats/lists/smart/auto_renewing");
    assert.partialDeepStrictEqual(v1.body, { data: [{ uuid: mara.uuid }], nextCursor: null, total: null });
    const bare = z.array(z.unknown()).parse((await ask("GET /chats/lists/smart")).body);
    assert.partialDeepStrictEqual(bare, [{ name: "Subscribers", uuid: "subscribers", count: 1 }]);
    const wrapped = await pageOf("GET /v1/chats/lists/smart");
    assert.deepEqual(wrapped.data.length, bare.length + 1);
    assert.equal((await ask("GET /chats/lists/smart/all_fans")).status, 400);
  });

  it("records messages, and marks what fans wrote as read", async () => {
    const { world } = fanvue;
    const [mara, otto] = [world.addFan("mara"), world.addFan("otto")];
    otto.contactable = false;
    await expectAnswer(ask(`POST /chats/${mara.uuid}/message`, { json: { text: "Hello" } }), 404, {
      message: "Chat not found",
    });
    assert.equal((await ask("POST /chats", { json: { userUuid: mara.uuid } })).status, 201);
    const sent = await ask(`POST /v1/chats/${mara.uuid}/message`, { json: { text: "Hello", price: 300 } });
    assert.equal(sent.status, 201);
    assert.partialDeepStrictEqual(world.messages, [{ fan: mara.uuid, text: "Hello", priceCents: 300 }]);
    await expectAnswer(ask(`POST /chats/${otto.uuid}/message`, { json: { text: "Hello" } }), 400, {
      message: "You cannot message this user",
    });
    assert.equal((await ask(`POST /chats/${mara.uuid}/message`, { json: { price: 5 } })).status, 400);
    const answer = world.receiveFromFan(mara, "Code 1234");
    await ask(`GET /chats/${mara.uuid}/messages?markAsRead=false`);
    assert.equal(answer.isRead, false);
    const [newest] = (await pageOf(`GET /chats/${mara.uuid}/messages`)).data;
    assert.partialDeepStrictEqual(newest, { text: "Code 1234", sender: { uuid: mara.uuid } });
    assert.equal(answer.isRead, true);
  });
});

describe("authorization", () => {
  const redirectUri = "http://localhost:8080/callback";
  const basic = (sandbox: FanvueSandbox) =>
    `Basic ${Buffer.from(`${sandbox.app.clientId}:${sandbox.app.clientSecret}`).toString("base64")}`;

  async function authorize(changes: Record<string, string> = {}) {
    const verifier = randomBytes(32).toString("base64url");
    const query = new URLSearchParams({
      response_type: "code",
      client_id: fanvue.app.clientId,
      redirect_uri: redirectUri,
      scope: "openid offline_access read:self read:fan",
      state: "state-of-the-art",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
      ...changes,
    });
    const response = await fetch(`${fanvue.authUrl}/oauth2/auth?${query.toString()}`, { redirect: "manual" });
    const location = response.headers.get("location");
    const answer = location === null ? new URLSearchParams() : new URL(location).searchParams;
    return { status: response.status, verifier, answer };
  }

  async function token(form: Record<string, string>, headers: Record<string, string> = {}) {
    const response = await fetch(`${fanvue.authUrl}/oauth2/token`, {
      method: "POST",
      headers: { authorization: basic(fanvue), ...headers },
      body: new URLSearchParams(form),
    });
    const shape = z.looseObject({ error: z.string().optional(), refresh_token: z.string().default("") });
    return { status: response.status, body: shape.parse(await response.json()) };
  }

  const redeem = (code: string | null, verifier: string, changes: Record<string, string> = {}) =>
    token({
      grant_type: "authorization_code",
      code: code ?? "",
      redirect_uri: redirectUri,
      code_verifier: verifier,
      ...changes,
    });
  const refresh = (refreshToken: string) =>
    token({ grant_type: "refresh_token", refresh_token: refreshToken });
  const outcome = ({ status, body }: { status: number; body: { error?: string | undefined } }) => [
    status,
    body.error,
  ];

  it("gives a token of the creator for a code", async () => {
    const { answer, verifier } = await authorize();
    assert.equal(answer.get("state"), "state-of-the-art");
    const { status, body } = await redeem(answer.get("code"), verifier);
    assert.equal(status, 200);
    assert.partialDeepStrictEqual(body, { token_type: "bearer", expires_in: 3600 });
    const me = await ask("GET /v1/users/me", { token: String(body["access_token"]) });
    assert.partialDeepStrictEqual(me.body, { uuid: fanvue.world.creator.uuid, isCreator: true });
  });

  it("sends refusals back to the app, but never to a stranger's address", async () => {
    const { answer: scope } = await authorize({ scope: "read:self write:media" });
    assert.equal(scope.get("error"), "invalid_scope");
    const { answer: plain } = await authorize({ code_challenge_method: "plain" });
    assert.equal(plain.get("error"), "invalid_request");
    fanvue.consent.deny = true;
    const { answer: denied } = await authorize();
    assert.equal(denied.get("error"), "access_denied");
    const { status, answer } = await authorize({ redirect_uri: `${redirectUri}/` });
    assert.deepEqual([status, answer.size], [400, 0]);
  });

  it("wants the app's secret in the header, and only there", async () => {
    const form = { grant_type: "refresh_token", refresh_token: "x" };
    const credentials = { client_id: fanvue.app.clientId, client_secret: fanvue.app.clientSecret };
    const inBody = await token({ ...form, ...credentials }, { authorization: "" });
    assert.deepEqual(outcome(inBody), [401, "invalid_client"]);
    assert.deepEqual(outcome(await token({ ...form, ...credentials })), [400, "invalid_request"]);
    const wrong = `Basic ${Buffer.from("sandbox-app:wrong").toString("base64")}`;
    assert.deepEqual(outcome(await token(form, { authorization: wrong })), [401, "invalid_client"]);
  });

  it("takes a code once, with its verifier and its address", async () => {
    const first = await authorize();
    const code = first.answer.get("code");
    assert.deepEqual(outcome(await redeem(code, "v".repeat(43))), [400, "invalid_grant"]);
    const elsewhere = { redirect_uri: "http://localhost:8080/elsewhere" };
    assert.deepEqual(outcome(await redeem(code, first.verifier, elsewhere)), [400, "invalid_grant"]);
    const { body } = await redeem(code, first.verifier);
    assert.deepEqual(outcome(await redeem(code, first.verifier)), [400, "invalid_grant"]);
    assert.deepEqual(outcome(await refresh(body.refresh_token)), [400, "invalid_grant"]);
  });

  it("rotates refresh tokens and forgives a repetition for 30 seconds", async () => {
    const { refreshToken } = fanvue.issueToken();
    assert.equal((await refresh(refreshToken)).status, 200);
    const { body } = await refresh(refreshToken);
    fanvue.world.now = () => Date.now() + 31_000;
    assert.deepEqual(outcome(await refresh(refreshToken)), [400, "invalid_grant"]);
    assert.deepEqual(outcome(await refresh(body.refresh_token)), [400, "invalid_grant"], "the chain is dead");
    await expectAnswer(ask("GET /users/me", { token: String(body["access_token"]) }), 401, {
      error: "Unauthorized",
    });
  });
});

describe("faults on cue", () => {
  it("strike as often as told, and can be counted", async () => {
    fanvue.world.subscribe(fanvue.world.addFan("mara"));
    const fault = { path: /subscribers$/, fault: emptyPage(), skip: 1, times: 1, struck: 0 };
    fanvue.faults.push(fault);
    const sizes = [];
    for (let turn = 0; turn < 3; turn += 1) sizes.push((await uuidsOf("GET /subscribers")).length);
    assert.deepEqual([sizes, fault.struck], [[1, 0, 1], 1]);
  });

  it("cut a body, shorten a list, repeat a cursor, invent a status", async () => {
    const { world, faults } = fanvue;
    const fans = world.addFans(3, (fan) => {
      world.subscribe(fan);
    });
    faults.push({ path: /subscribers$/, fault: cutBody(), times: 1 });
    await assert.rejects(ask("GET /v1/subscribers"));
    faults.push({ path: /subscribers$/, fault: onlyFirst(2), times: 1 });
    const short = await pageOf("GET /v1/subscribers?size=3");
    assert.deepEqual([short.data.length, short.nextCursor], [2, null]);
    faults.push({ path: /subscribers$/, fault: repeatedCursor() });
    const cursors = [await pageOf("GET /v1/subscribers?size=1"), await pageOf("GET /v1/subscribers?size=3")];
    assert.equal(cursors[1]?.nextCursor, cursors[0]?.nextCursor);
    faults.length = 0;
    faults.push({ path: /insights/, fault: unfamiliarStatus() });
    const { body } = await ask(`GET /insights/fans/${fans[0]?.uuid ?? ""}`);
    assert.partialDeepStrictEqual(body, { status: "on_sabbatical" });
  });
});

describe("a world", () => {
  it("is the same for the same seed", () => {
    const uuids = (seed: string) =>
      createWorld({ seed })
        .addFans(3)
        .map(({ uuid }) => uuid);
    assert.deepEqual(uuids("a"), uuids("a"));
    assert.notDeepEqual(uuids("a"), uuids("b"));
    for (const uuid of uuids("a")) assert.ok(z.uuid().safeParse(uuid).success);
  });

  it("gives every fan a handle of their own", () => {
    const handles = createWorld()
      .addFans(1000)
      .map(({ handle }) => handle);
    assert.equal(new Set(handles).size, handles.length);
  });
});

/** Every read of either generation, by the path its description has. */
function describedRequests(fan: string, list: string): readonly (readonly [string, string])[] {
  const reads = [
    "/users/me",
    "/subscribers",
    "/followers",
    "/insights/earnings",
    "/chats/lists/custom",
    "/chats/lists/smart",
  ];
  const both: [string, string][] = reads.map((path) => [path, path]);
  both.push(
    ["/insights/fans/{userUuid}", `/insights/fans/${fan}`],
    ["/insights/fans", `/insights/fans?fanUuids=${fan}`],
    ["/chats/lists/custom/{uuid}", `/chats/lists/custom/${list}`],
    ["/chats/lists/smart/{uuid}", "/chats/lists/smart/subscribers"],
  );
  return [
    ...both,
    ...both.map(([template, path]): [string, string] => [`/v1${template}`, `/v1${path}`]),
    ["/v1/subscribers/{userUuid}", `/v1/subscribers/${fan}`],
    ["/insights/spending", "/insights/spending"],
    ["/insights/top-spenders", "/insights/top-spenders"],
    ["/chats/{userUuid}/messages", `/chats/${fan}/messages`],
  ];
}

describe("the interface description", () => {
  const files = (process.env["FANVUE_OPENAPI"] ?? "").split(delimiter).filter((file) => file !== "");

  function skipWithoutFile(context: TestContext): boolean {
    if (files.length === 0) context.skip("FANVUE_OPENAPI does not name a file, so it was left out");
    return files.length === 0;
  }

  it("fits the answers of the stand-in", async (context) => {
    if (skipWithoutFile(context)) return;
    const { world } = fanvue;
    const mara = world.addFan("mara");
    world.subscribe(mara);
    world.follow(world.addFan("otto"));
    world.refund(world.buyMessage(mara, world.uuid("a message")));
    world.receiveFromFan(mara, "Hello");
    const list = world.createList("Gold", mara);
    const descriptions = files.map(loadDescription);

    let compared = 0;
    for (const [template, path] of describedRequests(mara.uuid, list.uuid)) {
      const { status, body } = await ask(`GET ${path}`);
      assert.equal(status, 200, path);
      for (const description of descriptions) {
        const complaints = description.complaints(`GET ${template}`, status, body);
        if (complaints === undefined) continue;
        compared += 1;
        assert.deepEqual(complaints, []);
      }
    }
    const complained = descriptions.flatMap((description) =>
      ["GET /users/me", "GET /v1/users/me"].flatMap((me) => description.complaints(me, 200, {}) ?? []),
    );
    assert.ok(complained.length > 0, "the comparison notices an empty answer");
    assert.ok(compared > 5, `only ${String(compared)} answers are described in ${files.join(", ")}`);
    context.diagnostic(`${String(compared)} answers compared`);
  });
});
