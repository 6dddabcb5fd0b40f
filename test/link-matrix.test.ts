/** Proving a Matrix account by a code that the bot tells it: who is told what, what proves, and what is left behind. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import pino from "pino";
import { openDatabase } from "../lib/db.ts";
import { type Mxid, parseFanId } from "../lib/ids.ts";
import { openMatrixCodes } from "../lib/link/matrix-code.ts";
import { openProofs } from "../lib/link/open-proofs.ts";
import { mxidIn } from "../lib/link/typed-mxid.ts";
import { temporaryFolder } from "./harness.ts";
import { configWith } from "./link-parts.ts";
import { answers, cutBody, drops } from "./sandbox/faults.ts";
import { textsFor } from "./sandbox/matrix-direct.ts";
import { mxid, startHome } from "./sandbox/matrix-home.ts";
import { stateOf } from "./sandbox/matrix-room.ts";

const fanAt = (index: number) => {
  const fan = parseFanId(`00000000-0000-4000-8000-${String(index).padStart(12, "0")}`);
  assert.ok(fan);
  return fan;
};
const [fan, otherFan] = [fanAt(1), fanAt(2)];
const minuteMs = 60_000;

/** A homeserver with its bot, a database, and the way from one to the other; time stands still unless it is set. */
async function start(context: TestContext) {
  const home = await startHome(context);
  const { sandbox, world, bot, config, logged } = home;
  const clock = { nowMs: Date.UTC(2026, 5, 1) };
  const database = openDatabase(temporaryFolder(context));
  const log = pino({ level: "trace" }, { write: (line: string) => logged.push(line) });
  const open = (signal = new AbortController().signal) =>
    openMatrixCodes(config, {
      database,
      site: { name: "Ana", address: "https://link.example.org" },
      log,
      signal,
      now: () => clock.nowMs,
      times: { answerMs: 200, bodyMs: 200, retryPausesMs: [1], patienceMs: 1_000 },
    });
  const codes = open();
  await codes.idle();
  sandbox.requests.length = 0;
  /** A person whose rooms can be looked at. */
  const person = (name: string, displayName?: string): Mxid => {
    const user = world.addUser(name);
    if (displayName !== undefined) user.displayName = displayName;
    return mxid(user.id);
  };
  const newestCode = (guest: Mxid): string => {
    const [code] = /\b[A-Z]{4}-[A-Z]{4}\b/.exec(textsFor(world, guest).at(-1) ?? "") ?? [];
    return code ?? assert.fail("no code was told");
  };
  /** The code is sent; gives what the visit keeps. */
  const sendTo = async (guest: Mxid, asker = fan) => {
    const sent = await codes.send(asker, guest);
    assert.ok(sent.is === "sent", JSON.stringify(sent));
    return sent.sent;
  };
  const roomsOf = (who: string) =>
    [...world.rooms.values()].filter(({ id }) => world.membership(id, who) === "join").map(({ id }) => id);
  const botRooms = () => roomsOf(bot);
  return { ...home, clock, open, codes, person, newestCode, sendTo, botRooms, database };
}

const failed = (failure: string) => ({ is: "failed", failure });

describe("a code", () => {
  test("is told in a direct room to the one it is for, and proves their account", async (t) => {
    const { codes, person, sendTo, newestCode, world } = await start(t);
    const guest = person("sunny", "Sunny ☀");
    const sent = await sendTo(guest);
    const checked = await codes.check(sent, newestCode(guest).toLowerCase().replace("-", " "));
    const proof = { platform: "matrix", account: guest, name: "Sunny ☀" };
    assert.deepEqual(checked, { is: "proved", proof });
    assert.equal(world.messages.length, 1);
  });

  test("comes with who asks, and what to do if one did not", async (t) => {
    const { person, sendTo, world } = await start(t);
    const guest = person("sunny");
    await sendTo(guest);
    const [text = ""] = textsFor(world, guest);
    assert.match(text, /Ana \(https:\/\/link\.example\.org\)/);
    assert.match(text, /If you did not ask for this, ignore it/);
  });

  test("stands in a room of two, without encryption, in which the guest has no power", async (t) => {
    const { person, sendTo, botRooms, world, bot } = await start(t);
    const guest = person("sunny");
    await sendTo(guest);
    const [id = ""] = botRooms();
    const room = world.room(id);
    assert.equal(stateOf(room, "m.room.encryption"), undefined);
    assert.deepEqual(stateOf(room, "m.room.member", guest)?.content, {
      membership: "invite",
      is_direct: true,
    });
    assert.deepEqual([world.members(id, "join"), world.members(id, "invite")], [[bot], [guest]]);
    world.join(id, guest);
    const third = person("third");
    assert.throws(() => {
      world.invite(id, guest, third);
    });
    world.leave(id, guest);
  });

  test("who goes by no name goes by the id", async (t) => {
    const { codes, person, sendTo, newestCode } = await start(t);
    const guest = person("sunny");
    const checked = await codes.check(await sendTo(guest), newestCode(guest));
    assert.ok(checked.is === "proved");
    assert.equal(checked.proof.name, guest);
  });

  test("works once, and for the one id that stays in the visit", async (t) => {
    const { codes, person, sendTo, newestCode } = await start(t);
    const guest = person("sunny");
    const sent = await sendTo(guest);
    const code = newestCode(guest);
    assert.deepEqual(await codes.check({ id: "another" }, code), failed("expired"));
    assert.equal((await codes.check(sent, code)).is, "proved");
    assert.deepEqual(await codes.check(sent, code), failed("expired"));
  });

  test("is spent after five wrong tries, and too old after ten minutes", async (t) => {
    const { codes, person, sendTo, newestCode, clock } = await start(t);
    const guest = person("sunny");
    const first = await sendTo(guest);
    const tries = [];
    for (let index = 0; index < 6; index += 1) tries.push(await codes.check(first, "BBBB-BBBB"));
    assert.deepEqual(tries, [...Array<string>(4).fill("wrong code"), "spent code", "spent code"].map(failed));
    assert.deepEqual(await codes.check(first, newestCode(guest)), failed("spent code"));
    const second = await sendTo(guest);
    clock.nowMs += 10 * minuteMs;
    assert.deepEqual(await codes.check(second, newestCode(guest)), failed("expired"));
  });

  test("comes three times a day at most, to one account as for one fan", async (t) => {
    const { codes, person, sendTo, clock, sandbox } = await start(t);
    const guest = person("sunny");
    for (let index = 1; index <= 3; index += 1) await sendTo(guest, fanAt(index));
    sandbox.requests.length = 0;
    assert.deepEqual(await codes.send(fanAt(4), guest), failed("limited"));
    assert.deepEqual(sandbox.requests, []);
    for (const name of ["a", "b"]) await sendTo(person(name));
    assert.deepEqual(await codes.send(fan, person("c")), failed("limited"));
    clock.nowMs += 24 * 60 * minuteMs;
    await sendTo(guest, fanAt(4));
  });
});

describe("the room of a code", () => {
  test("is left and forgotten once the code is used", async (t) => {
    const { codes, person, sendTo, newestCode, botRooms, sandbox } = await start(t);
    const guest = person("sunny");
    await codes.check(await sendTo(guest), newestCode(guest));
    await codes.idle();
    assert.deepEqual(botRooms(), []);
    assert.ok(sandbox.requests.some(({ path, status }) => path.endsWith("/forget") && status === 200));
  });

  test("is left once the code is spent, and stays after a wrong try", async (t) => {
    const { codes, person, sendTo, botRooms } = await start(t);
    const sent = await sendTo(person("sunny"));
    await codes.check(sent, "BBBB-BBBB");
    await codes.idle();
    assert.equal(botRooms().length, 1);
    for (let index = 0; index < 4; index += 1) await codes.check(sent, "BBBB-BBBB");
    await codes.idle();
    assert.deepEqual(botRooms(), []);
  });

  test("is left after ten minutes; an invitation that nobody took is withdrawn", async (t) => {
    const { codes, person, sendTo, botRooms, clock, world } = await start(t);
    const [here, away] = [person("here"), person("away")];
    await sendTo(here);
    await sendTo(away, otherFan);
    const [first = "", second = ""] = botRooms();
    world.join(first, here);
    clock.nowMs += 10 * minuteMs - 1;
    await codes.tidy();
    assert.equal(botRooms().length, 2);
    clock.nowMs += 1;
    await codes.tidy();
    assert.deepEqual(botRooms(), []);
    assert.deepEqual([world.membership(first, here), world.membership(second, away)], ["join", "leave"]);
  });

  test("serves a second code, too, and those of two fans until both are done", async (t) => {
    const { codes, person, sendTo, newestCode, botRooms, world } = await start(t);
    const guest = person("sunny");
    const void_ = await sendTo(guest);
    const mine = await sendTo(guest);
    const code = newestCode(guest);
    await sendTo(guest, otherFan);
    await codes.idle();
    assert.deepEqual([botRooms().length, textsFor(world, guest).length], [1, 3]);
    assert.deepEqual(await codes.check(void_, code), failed("expired"));
    assert.equal((await codes.check(mine, code)).is, "proved");
    await codes.idle();
    assert.equal(botRooms().length, 1);
  });

  test("is another one where the guest has left the first", async (t) => {
    const { codes, person, sendTo, newestCode, botRooms, world } = await start(t);
    const guest = person("sunny");
    await sendTo(guest);
    const [first = ""] = botRooms();
    world.leave(first, guest);
    const sent = await sendTo(guest);
    assert.notDeepEqual(botRooms(), [first]);
    assert.equal(botRooms().length, 1);
    assert.equal((await codes.check(sent, newestCode(guest))).is, "proved");
  });

  test("is left when its fan types another id", async (t) => {
    const { codes, person, sendTo, botRooms, world } = await start(t);
    const [wrong, right] = [person("wrong"), person("right")];
    await sendTo(wrong);
    await sendTo(right);
    await codes.idle();
    assert.equal(botRooms().length, 1);
    assert.deepEqual(textsFor(world, wrong), []);
  });

  test("that a killed server left open is left by the next one, in its time; other rooms are not", async (t) => {
    const { person, sendTo, botRooms, clock, open, newRoom } = await start(t);
    const place = newRoom();
    await sendTo(person("sunny"));
    const next = open();
    await next.idle();
    assert.equal(botRooms().length, 2);
    clock.nowMs += 10 * minuteMs;
    await next.tidy();
    assert.deepEqual(botRooms(), [place]);
  });

  const forgeries = [
    { name: "in a room of somebody else's", isBotsRoom: false, isBotsMark: false },
    {
      name: "in a room of somebody else's, which the bot itself marked",
      isBotsRoom: false,
      isBotsMark: true,
    },
    { name: "in a room that the bot made", isBotsRoom: true, isBotsMark: false },
  ];
  for (const { name, isBotsRoom, isBotsMark } of forgeries)
    test(`is not what somebody marks like one, ${name}`, async (t) => {
      const { open, newRoom, world, bot, owner, botRooms, clock, person } = await start(t);
      const room = isBotsRoom ? world.createRoom({ creator: bot }) : newRoom();
      const content = { guest: person("sunny"), until_ms: 0 };
      const sender = isBotsMark ? bot : owner;
      world.put(room, { type: "fanvue-sync.direct", sender, content });
      const next = open();
      await next.idle();
      clock.nowMs += 10 * minuteMs;
      await next.tidy();
      assert.deepEqual(botRooms(), [room]);
    });

  test("that the homeserver did not let the bot leave is left later", async (t) => {
    const { codes, person, sendTo, newestCode, botRooms, clock, sandbox } = await start(t);
    const guest = person("sunny");
    const sent = await sendTo(guest);
    sandbox.faults.push({ path: /\/leave$/, fault: answers(500, {}), times: 2 });
    assert.equal((await codes.check(sent, newestCode(guest))).is, "proved");
    await codes.idle();
    assert.equal(botRooms().length, 1);
    clock.nowMs += 10 * minuteMs;
    await codes.tidy();
    assert.deepEqual(botRooms(), []);
  });
});

test("a protected account gets a code like any other, so that nobody can ask who is protected", async (t) => {
  const { config, person, database, world } = await start(t);
  const moderator = person("moderator");
  const stop = new AbortController();
  t.after(() => {
    stop.abort();
  });
  const { proofs, idle } = openProofs(
    {
      ...configWith({ inboxCode: false }),
      matrix: { ...config, places: [] },
      protectedAccounts: new Set([moderator]),
    },
    {
      database,
      dataDir: temporaryFolder(t),
      fanvue: { sendMessage: () => Promise.reject(new Error("not asked for")) },
      log: pino({ level: "silent" }),
      signal: stop.signal,
    },
  );
  const sent = await proofs.matrix?.send(fan, moderator);
  assert.equal(sent?.is, "sent");
  assert.equal(textsFor(world, moderator).length, 1);
  await idle();
});

describe("whom no code reaches", () => {
  test("what is no Matrix id, and the bot: nothing is sent or counted", async (t) => {
    const { codes, bot, sandbox, person, sendTo } = await start(t);
    for (const typed of ["", "sunny", "@sunny", "#room:matrix.example", bot, `@x:${"y".repeat(300)}`])
      assert.deepEqual(await codes.send(fan, typed), failed("not an account"), typed);
    assert.deepEqual(sandbox.requests, []);
    for (const name of ["a", "b", "c"]) await sendTo(person(name));
  });

  test("whoever is nobody on the bot's own server", async (t) => {
    const { codes, botRooms } = await start(t);
    assert.deepEqual(await codes.send(fan, "@nobody:matrix.example"), failed("unreachable account"));
    assert.deepEqual(botRooms(), []);
  });

  test("whoever takes no invitations; the room that was made is left in its time", async (t) => {
    const { codes, world, botRooms, clock } = await start(t);
    const user = world.addUser("shy");
    user.blocksInvites = true;
    assert.deepEqual(await codes.send(fan, user.id), failed("unreachable account"));
    assert.equal(botRooms().length, 1);
    clock.nowMs += 10 * minuteMs;
    await codes.tidy();
    assert.deepEqual(botRooms(), []);
  });

  test("whoever's server does not answer, at once or at all", async (t) => {
    const { codes, world } = await start(t);
    world.deadServers.add("dead.example");
    world.muteServers.add("mute.example");
    for (const server of ["dead", "mute"])
      assert.deepEqual(await codes.send(fan, `@x:${server}.example`), failed("unreachable account"), server);
  });
});

describe("a homeserver in trouble", () => {
  test("a short limit is waited for", async (t) => {
    const { sandbox, person, sendTo, world } = await start(t);
    for (const path of [/createRoom$/, /\/send\//]) {
      const body = { errcode: "M_LIMIT_EXCEEDED", error: "slow", retry_after_ms: 60 };
      sandbox.faults.push({ path, fault: answers(429, body), times: 1 });
    }
    const guest = person("sunny");
    await sendTo(guest);
    assert.equal(textsFor(world, guest).length, 1);
  });

  test("a long one is not", async (t) => {
    const { codes, sandbox, person } = await start(t);
    const body = { errcode: "M_LIMIT_EXCEEDED", error: "slow", retry_after_ms: 60_000 };
    sandbox.faults.push({ path: /createRoom$/, fault: answers(429, body) });
    assert.deepEqual(await codes.send(fan, person("sunny")), failed("service away"));
  });

  test("a message whose answer got lost is said once", async (t) => {
    const { sandbox, person, sendTo, world } = await start(t);
    sandbox.faults.push({ path: /\/send\//, fault: cutBody(), times: 1 });
    const guest = person("sunny");
    await sendTo(guest);
    assert.equal(textsFor(world, guest).length, 1);
  });

  test("a room whose answer got lost is no second room, and is found again", async (t) => {
    const { codes, sandbox, person, botRooms, clock } = await start(t);
    sandbox.faults.push({ path: /createRoom$/, fault: cutBody(), times: 1 });
    assert.deepEqual(await codes.send(fan, person("sunny")), failed("service away"));
    assert.equal(botRooms().length, 1);
    clock.nowMs += 10 * minuteMs;
    await codes.tidy();
    assert.deepEqual(botRooms(), []);
  });

  test("a code that could not be told leaves no room behind", async (t) => {
    const { codes, sandbox, person, botRooms } = await start(t);
    sandbox.faults.push({ path: /\/send\//, fault: drops() });
    assert.deepEqual(await codes.send(fan, person("sunny")), failed("service away"));
    await codes.idle();
    assert.deepEqual(botRooms(), []);
  });

  test("what could not be told for it counts for no limit, of the fan or of the account", async (t) => {
    const { codes, sandbox, person, world, bot, sendTo } = await start(t);
    const guest = person("sunny");
    sandbox.faults.push({ path: /createRoom$/, fault: answers(500, {}) });
    for (let count = 1; count <= 4; count += 1)
      assert.deepEqual(await codes.send(fan, guest), failed("service away"));
    sandbox.faults.length = 0;
    const user = world.users.get(bot);
    assert.ok(user);
    const { token } = user;
    user.token = undefined;
    for (let count = 1; count <= 4; count += 1)
      assert.deepEqual(await codes.send(fan, guest), failed("service away"));
    user.token = token;
    for (let count = 1; count <= 3; count += 1) await sendTo(guest);
    assert.deepEqual(await codes.send(fan, guest), failed("limited"));
  });

  test("a refused token is told to the operator alone", async (t) => {
    const { codes, world, bot, person, logged } = await start(t);
    const user = world.users.get(bot);
    assert.ok(user);
    user.token = undefined;
    assert.deepEqual(await codes.send(fan, person("sunny")), failed("service away"));
    await codes.tidy();
    assert.match(logged.join(""), /Log the bot in again/);
  });
});

test("neither code nor token is in the log or, as it is, in the database", async (t) => {
  const { codes, person, sendTo, newestCode, logged, config, database } = await start(t);
  const guest = person("sunny");
  const sent = await sendTo(guest);
  const code = newestCode(guest);
  await codes.check(sent, "BBBB-BBBB");
  await codes.check(sent, code);
  const rows = await database.read((sql) => JSON.stringify(sql.all("SELECT * FROM link_codes")));
  assert.match(rows, new RegExp(sent.id));
  for (const secret of [code, code.replace("-", ""), config.accessToken])
    assert.ok(![...logged, rows].join("").includes(secret));
});

test("an id is understood as people paste it", () => {
  const sunny = "@sunny:example.org";
  for (const typed of [
    sunny,
    `  ${sunny}\n`,
    "sunny:example.org",
    `\u2068${sunny}\u2069`,
    `https://matrix.to/#/${sunny}`,
    "https://matrix.to/#/%40sunny%3Aexample.org?via=example.org",
    "matrix.to/#/@sunny:example.org",
    "matrix:u/sunny:example.org?action=chat",
  ])
    assert.equal(mxidIn(typed), sunny, typed);
  assert.equal(mxidIn("@Old.Name=1:[2001:db8::1]:8448"), "@Old.Name=1:[2001:db8::1]:8448");
  for (const typed of [
    "https://example.org/sunny",
    "https://matrix.to/#/#room:example.org",
    "matrix:r/room:example.org",
    "@sun ny:example.org",
    "@sunny:example.org/x",
    "@sunny:exa mple.org",
    "@sunny:example.org\n@other:example.org",
    "%",
    "@:example.org",
    "@sunny:",
    "@sünny:example.org",
  ])
    assert.equal(mxidIn(typed), undefined, typed);
});
