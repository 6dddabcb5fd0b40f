/**
 * Direct rooms: the bot opens one to tell somebody something, and leaves it when that has served. Not encrypted, since
 * what is told there is of use for minutes only, and has to arrive in every app.
 */
import { randomUUID } from "node:crypto";
import { EventType, type ICreateRoomOpts, Method, MsgType, Preset } from "matrix-js-sdk";
import type { Mxid, RoomId } from "../ids.ts";
import { type ClientConfig, type ClientDeps, checked, openClient } from "./client.ts";
import {
  createRoomAnswer,
  directRoomContent,
  joinedRoomsAnswer,
  memberContent,
  profileAnswer,
  type StateEvent,
  stateAnswer,
} from "./shapes.ts";
import type { Answer } from "./trouble.ts";

export interface DirectRoom {
  readonly id: RoomId;
  readonly guest: Mxid;
  /** When it has served, at the latest. */
  readonly untilMs: number;
}

/** All methods throw a PlatformError when the bot's token is refused. */
export interface DirectRooms {
  /** Opens a room with this name and asks the guest in. Where that fails, a room may be left behind, which `find` finds. */
  open(wish: Omit<DirectRoom, "id"> & { readonly name: string }): Promise<Answer<DirectRoom>>;
  /** Whether the guest is in the room, or may still come in, and the bot is there. */
  isOpen(room: DirectRoom): Promise<Answer<boolean>>;
  say(room: DirectRoom, text: string): Promise<Answer<undefined>>;
  /** Withdraws the invitation where the guest did not come, and leaves; may be repeated. */
  close(room: DirectRoom): Promise<Answer<undefined>>;
  /** All the rooms that were opened in this way and not left, by whichever process. */
  find(): Promise<Answer<readonly DirectRoom[]>>;
  /** The name that somebody goes by; undefined where they have set none. */
  fetchName(account: Mxid): Promise<Answer<string | undefined>>;
}

/**
 * By this state event a room is known again: if a room's id never reaches us, no record of our own could tell. Anybody
 * who has the power may set it in a room of theirs, so it counts only where the bot set it, in a room that the bot made.
 */
const mark = "fanvue-sync.direct";
const withdrawn = "This invitation has expired";

const done = { ok: true, value: undefined } as const;

/** Opens the way to the homeserver; nothing is sent yet. */
export function openDirectRooms(config: ClientConfig, deps: ClientDeps): DirectRooms {
  const { sdk, once, sure, patient, read } = openClient(config, deps);
  /** Rooms that are none of ours stay so. */
  const foreign = new Set<RoomId>();

  const readMembership = async ({ id, guest }: DirectRoom): Promise<Answer<string | undefined>> => {
    const endpoint = "/rooms/{id}/state/m.room.member";
    const answer = await read(endpoint, memberContent, () =>
      sdk.getStateEvent(id, EventType.RoomMember, guest),
    );
    if (answer.ok) return { ok: true, value: answer.value.membership };
    return isMissing(answer) ? done : answer;
  };

  const readMark = async (id: RoomId): Promise<Answer<DirectRoom | undefined>> => {
    const endpoint = `/rooms/{id}/state/${mark}`;
    const answer = await read(endpoint, directRoomContent, () => sdk.getStateEvent(id, mark, ""));
    if (!answer.ok) return isRefused(answer) ? done : answer;
    const content = answer.value;
    if (content === undefined) return done;
    const state = await read("/rooms/{id}/state", stateAnswer, () => sdk.roomState(id));
    if (!state.ok) return isRefused(state) ? done : state;
    const isOwn = [EventType.RoomCreate, mark].every((type) => isSentBy(config.userId, type, state.value));
    return { ok: true, value: isOwn ? { id, guest: content.guest, untilMs: content.until_ms } : undefined };
  };

  const settle = (send: () => Promise<unknown>): Promise<Answer<undefined>> =>
    patient(() =>
      sure(async () => {
        await send();
        return undefined;
      }),
    );

  return {
    async open({ name, guest, untilMs }) {
      // Sent once: a second one would be a second room, with an invitation of its own.
      const answer = await patient(() => once(() => sdk.createRoom(creation(name, guest, untilMs))));
      const created = answer.ok ? checked("/createRoom", createRoomAnswer, answer.value) : answer;
      return created.ok ? { ok: true, value: { id: created.value.room_id, guest, untilMs } } : created;
    },
    async isOpen(room) {
      const membership = await readMembership(room);
      if (!membership.ok) return isRefused(membership) ? { ok: true, value: false } : membership;
      return { ok: true, value: membership.value === "join" || membership.value === "invite" };
    },
    say({ id }, body) {
      // Twice with one id is the same as once.
      const path = `/rooms/${encodeURIComponent(id)}/send/${EventType.RoomMessage}/${randomUUID()}`;
      const content = { msgtype: MsgType.Text, body };
      return settle(() => sdk.http.authedRequest(Method.Put, path, undefined, content));
    },
    async close(room) {
      const membership = await readMembership(room);
      if (membership.ok && membership.value === "invite")
        await settle(() => sdk.kick(room.id, room.guest, withdrawn));
      const left = await settle(() => sdk.leave(room.id));
      // Whoever is not in a room cannot leave it.
      if (!left.ok && !isRefused(left)) return left;
      await once(() => sdk.forget(room.id, false));
      return done;
    },
    async find() {
      const joined = await read("/joined_rooms", joinedRoomsAnswer, () => sdk.getJoinedRooms());
      if (!joined.ok) return joined;
      const found: DirectRoom[] = [];
      for (const id of joined.value.joined_rooms.filter((room) => !foreign.has(room))) {
        const room = await readMark(id);
        if (!room.ok) return room;
        if (room.value === undefined) foreign.add(id);
        else found.push(room.value);
      }
      return { ok: true, value: found };
    },
    async fetchName(account) {
      const answer = await read("/profile", profileAnswer, () => sdk.getProfileInfo(account));
      return answer.ok ? { ok: true, value: answer.value.displayname ?? undefined } : answer;
    },
  };
}

/** The guest has no power there, not even to ask others in: what is told there is for them alone. */
const creation = (name: string, guest: Mxid, untilMs: number): ICreateRoomOpts => ({
  preset: Preset.PrivateChat,
  is_direct: true,
  invite: [guest],
  name,
  power_level_content_override: { invite: 100 },
  initial_state: [{ type: mark, state_key: "", content: { guest, until_ms: untilMs } }],
});

/** Of a room's creation, the sender is who made it, in every version of rooms. */
const isSentBy = (user: Mxid, type: string, state: readonly StateEvent[]): boolean =>
  state.some((event) => event.type === type && event.state_key === "" && event.sender === user);

const isRefused = (answer: Answer<unknown>): boolean => !answer.ok && answer.trouble.kind === "refused";
const isMissing = (answer: Answer<unknown>): boolean =>
  !answer.ok && answer.trouble.kind === "refused" && answer.trouble.status === 404;
