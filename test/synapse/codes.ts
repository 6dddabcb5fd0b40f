/** Codes that prove a Matrix account, as somebody with an ordinary app reads them. */
import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import pino from "pino";
import * as z from "zod";

import { openDatabase } from "../../lib/db.ts";
import { parseFanId } from "../../lib/ids.ts";
import { openMatrixCodes } from "../../lib/link/matrix-code.ts";
import { temporaryFolder } from "../harness.ts";
import { mxid } from "../sandbox/matrix-home.ts";
import type { Street } from "./house.ts";
import type { Person } from "./people.ts";

const event = z.object({
  type: z.string(),
  sender: z.string(),
  content: z.object({ body: z.string().optional(), is_direct: z.boolean().optional() }),
});
const invited = z.object({ invite_state: z.object({ events: z.array(event) }) });
const syncAnswer = z.object({
  rooms: z.object({ invite: z.record(z.string(), invited).default({}) }).default({ invite: {} }),
});
const messagesAnswer = z.object({ chunk: z.array(event) });

/** The invitations that an app shows that was just opened. */
const invitationsOf = async (person: Person) => {
  const { status, body } = await person.ask("GET", ["sync"]);
  assert.equal(status, 200);
  return syncAnswer.parse(body).rooms.invite;
};

/** All that happened in a room, as one sees it who is in it. */
const eventsIn = async (person: Person, room: string) => {
  const { status, body } = await person.ask("GET", ["rooms", room, "messages"]);
  assert.equal(status, 200, JSON.stringify(body));
  return messagesAnswer.parse(body).chunk;
};

async function openCodes(test: TestContext, { synapse, people, fresh }: Street) {
  const bot = await people.register(fresh("bot"));
  const clock = { nowMs: Date.now() };
  const config = { homeserver: synapse.url, userId: mxid(bot.id), accessToken: bot.token };
  const codes = openMatrixCodes(config, {
    database: openDatabase(temporaryFolder(test)),
    site: { name: "Ana", address: "https://link.example.org" },
    log: pino({ level: "silent" }),
    signal: new AbortController().signal,
    now: () => clock.nowMs,
  });
  const botRooms = async () => {
    const { body } = await bot.ask("GET", ["joined_rooms"]);
    return z.object({ joined_rooms: z.array(z.string()) }).parse(body).joined_rooms;
  };
  return { bot, codes, clock, botRooms };
}

const fan = parseFanId("00000000-0000-4000-8000-000000000001") ?? assert.fail();

export function codes(street: () => Street): void {
  it("a code is read by whoever accepts the invitation, proves their account, and the bot leaves", async (test) => {
    const { people, fresh } = street();
    const { bot, codes, botRooms } = await openCodes(test, street());
    const guest = await people.register(fresh("guest"));
    const sent = await codes.send(fan, guest.id);
    assert.ok(sent.is === "sent", JSON.stringify(sent));

    const [invitation] = Object.entries(await invitationsOf(guest));
    assert.ok(invitation);
    const [room, { invite_state: shown }] = invitation;
    assert.ok(shown.events.some(({ content, sender }) => content.is_direct === true && sender === bot.id));
    await guest.join(room);
    const events = await eventsIn(guest, room);
    assert.ok(events.every(({ type }) => type !== "m.room.encryption"));
    const text = events.find(({ type }) => type === "m.room.message")?.content.body ?? "";
    const [code = ""] = /\b[A-Z]{4}-[A-Z]{4}\b/.exec(text) ?? [];

    assert.deepEqual(await codes.check(sent.sent, "BBBB-BBBB"), { is: "failed", failure: "wrong code" });
    const proved = await codes.check(sent.sent, code);
    assert.ok(proved.is === "proved", text);
    assert.deepEqual([proved.proof.account, proved.proof.name], [guest.id, guest.id.slice(1).split(":")[0]]);
    await codes.idle();
    assert.deepEqual(await botRooms(), []);
    assert.deepEqual((await guest.members(room))[bot.id], "leave");
    await guest.leave(room);
  });

  it("the guest can neither encrypt the room nor ask others in, but can decline", async (test) => {
    const { people, fresh } = street();
    const { codes } = await openCodes(test, street());
    const [guest, third] = [await people.register(fresh("guest")), await people.register(fresh("third"))];
    assert.equal((await codes.send(fan, guest.id)).is, "sent");
    const [room = ""] = Object.keys(await invitationsOf(guest));
    await guest.join(room);
    const encryption = { algorithm: "m.megolm.v1.aes-sha2" };
    await assert.rejects(guest.setState(room, "m.room.encryption", encryption), /403/);
    await assert.rejects(guest.invite(room, third.id), /403/);
    await guest.leave(room);
  });

  it("no code reaches who blocks invitations, or is nobody; no room stays", async (test) => {
    const { people, fresh } = street();
    const { codes, clock, botRooms } = await openCodes(test, street());
    const blocker = await people.register(fresh("blocker"));
    await blocker.blockInvites();
    for (const id of [blocker.id, `@${fresh("nobody")}:matrix.test`])
      assert.deepEqual(await codes.send(fan, id), { is: "failed", failure: "unreachable account" }, id);
    clock.nowMs += 10 * 60_000;
    await codes.tidy();
    assert.deepEqual(await botRooms(), []);
  });

  it("an invitation that nobody took is withdrawn after ten minutes", async (test) => {
    const { people, fresh } = street();
    const { codes, clock, botRooms } = await openCodes(test, street());
    const guest = await people.register(fresh("guest"));
    assert.equal((await codes.send(fan, guest.id)).is, "sent");
    assert.equal((await botRooms()).length, 1);
    clock.nowMs += 10 * 60_000;
    await codes.tidy();
    assert.deepEqual([await botRooms(), await invitationsOf(guest)], [[], {}]);
  });
}
