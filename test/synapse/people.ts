/** People with accounts on a homeserver, who do what people do with a Matrix client. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import * as z from "zod";

import { serverName, type Synapse } from "./homeserver.ts";

type Json = Readonly<Record<string, unknown>>;

export interface Reply {
  readonly status: number;
  readonly body: Json;
  readonly retryAfter: string | null;
}

/** Without the age, by which two readings of one state would differ. */
const roomEvents = z.array(
  z.object({
    event_id: z.string(),
    type: z.string(),
    state_key: z.string(),
    sender: z.string(),
    content: z.record(z.string(), z.unknown()),
  }),
);
export type RoomEvent = z.output<typeof roomEvents>[number];

export interface NewRoom {
  readonly name?: string;
  /** Default: that of the homeserver, 12. */
  readonly version?: string;
  /** Without a domain: "vip" becomes #vip:matrix.test. */
  readonly alias?: string;
  readonly joinRule?: string;
  readonly isEncrypted?: boolean;
  /** Laid over the usual levels. */
  readonly levels?: Json;
  readonly additionalCreators?: readonly string[];
}

/** Whoever does something that the homeserver refuses throws; `ask` gives its answer, whatever it is. */
export interface Person {
  readonly id: string;
  readonly token: string;
  /** A request to the client-server API; the path in words that are encoded here. */
  ask(method: string, path: readonly string[], body?: unknown): Promise<Reply>;
  createRoom(options?: NewRoom): Promise<string>;
  invite(room: string, who: string): Promise<void>;
  kick(room: string, who: string): Promise<void>;
  ban(room: string, who: string): Promise<void>;
  unban(room: string, who: string): Promise<void>;
  join(room: string): Promise<void>;
  /** Also declines an invitation. */
  leave(room: string): Promise<void>;
  setState(room: string, type: string, content: Json): Promise<void>;
  setPower(room: string, who: string, level: number): Promise<void>;
  /** Overwrites some fields of the power levels: `{ invite: 50 }`. */
  setLevels(room: string, levels: Json): Promise<void>;
  /** Closes the room and gives its successor. */
  upgrade(room: string, version: string): Promise<string>;
  nameRoom(alias: string, room: string): Promise<void>;
  unnameRoom(alias: string): Promise<void>;
  /** Refuses all invitations from now on. */
  blockInvites(): Promise<void>;
  logout(): Promise<void>;
  readonly state: (room: string) => Promise<readonly RoomEvent[]>;
  /** Memberships by user id. */
  members(room: string): Promise<Json>;
}

export interface People {
  /** Makes an account. */
  register(name: string): Promise<Person>;
  /** One whom no limits slow down, for what a test does beside what it is about. */
  registerUnlimited(name: string): Promise<Person>;
  /**
   * An account from before localparts were restricted to small letters, digits and a few signs: no way of today makes
   * one, so its row is put where old ones lie. https://spec.matrix.org/v1.16/appendices/#historical-user-ids
   */
  readonly registerHistorical: (localpart: string) => Promise<Person>;
}

// ---- Requests ---------------------------------------------------------------------------------------------------

async function request(
  url: string,
  token: string | undefined,
  method: string,
  body: unknown,
): Promise<Reply> {
  const response = await fetch(url, {
    method,
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer: unknown = await response.json();
  // Lists come as the body's only field, so that there is one kind of body.
  const whole = Array.isArray(answer) ? { list: answer as unknown[] } : answer;
  assert.ok(typeof whole === "object" && whole !== null, url);
  return {
    status: response.status,
    body: { ...whole },
    retryAfter: response.headers.get("retry-after"),
  };
}

function granted({ status, body }: Reply, what: string): Json {
  assert.equal(status, 200, `${what}: ${JSON.stringify(body)}`);
  return body;
}

function textIn(body: Json, key: string): string {
  const value = body[key];
  assert.ok(typeof value === "string", key);
  return value;
}

// ---- A person ---------------------------------------------------------------------------------------------------

export function createPerson(baseUrl: string, id: string, token: string): Person {
  const ask: Person["ask"] = (method, path, body) => {
    const words = path.map(encodeURIComponent).join("/");
    return request(`${baseUrl}/_matrix/client/v3/${words}`, token, method, body);
  };
  const must = async (method: string, path: readonly string[], body?: unknown) =>
    granted(await ask(method, path, body), `${id} ${method} ${path.join("/")}`);
  const toOther = (action: string) => async (room: string, who: string) => {
    await must("POST", ["rooms", room, action], { user_id: who });
  };
  const alone = (action: string) => async (room: string) => {
    await must("POST", ["rooms", room, action], {});
  };

  const setState = async (room: string, type: string, content: Json) => {
    await must("PUT", ["rooms", room, "state", type, ""], content);
  };
  const setLevels = async (room: string, levels: Json) => {
    const old = await must("GET", ["rooms", room, "state", "m.room.power_levels", ""]);
    await setState(room, "m.room.power_levels", { ...old, ...levels });
  };
  const state = async (room: string) => {
    const { list } = await must("GET", ["rooms", room, "state"]);
    return roomEvents.parse(list).sort((a, b) => (a.event_id < b.event_id ? -1 : 1));
  };

  return {
    id,
    token,
    ask,
    async createRoom(options = {}) {
      return textIn(await must("POST", ["createRoom"], bodyOf(options)), "room_id");
    },
    invite: toOther("invite"),
    kick: toOther("kick"),
    ban: toOther("ban"),
    unban: toOther("unban"),
    join: alone("join"),
    leave: alone("leave"),
    setState,
    setLevels,
    async setPower(room, who, level) {
      const { users } = await must("GET", ["rooms", room, "state", "m.room.power_levels", ""]);
      await setLevels(room, { users: { ...(typeof users === "object" ? users : {}), [who]: level } });
    },
    async upgrade(room, version) {
      return textIn(
        await must("POST", ["rooms", room, "upgrade"], { new_version: version }),
        "replacement_room",
      );
    },
    async nameRoom(alias, room) {
      await must("PUT", ["directory", "room", alias], { room_id: room });
    },
    async unnameRoom(alias) {
      await must("DELETE", ["directory", "room", alias]);
    },
    async blockInvites() {
      const path = ["user", id, "account_data", "m.invite_permission_config"];
      await must("PUT", path, { default_action: "block" });
    },
    async logout() {
      await must("POST", ["logout"], {});
    },
    state,
    async members(room) {
      const events = await state(room);
      const members = events.filter(({ type }) => type === "m.room.member");
      return Object.fromEntries(members.map(({ state_key, content }) => [state_key, content["membership"]]));
    },
  };
}

function bodyOf({ name, version, alias, joinRule, isEncrypted, levels, additionalCreators }: NewRoom) {
  const state = [
    ...(joinRule === undefined ? [] : [{ type: "m.room.join_rules", content: { join_rule: joinRule } }]),
    ...(isEncrypted === true
      ? [{ type: "m.room.encryption", content: { algorithm: "m.megolm.v1.aes-sha2" } }]
      : []),
  ];
  return {
    preset: "private_chat",
    initial_state: state.map((event) => ({ ...event, state_key: "" })),
    ...(name === undefined ? {} : { name }),
    ...(version === undefined ? {} : { room_version: version }),
    ...(alias === undefined ? {} : { room_alias_name: alias }),
    ...(levels === undefined ? {} : { power_level_content_override: levels }),
    ...(additionalCreators === undefined
      ? {}
      : { creation_content: { additional_creators: additionalCreators } }),
  };
}

// ---- Accounts ---------------------------------------------------------------------------------------------------

/** Whoever makes the accounts is the homeserver's administrator. */
export async function createPeople(synapse: Synapse): Promise<People> {
  const administrator = await register(synapse, "administrator", true);
  const administer = async (method: string, path: string, body: unknown) =>
    granted(await request(`${synapse.url}/_synapse/admin/${path}`, administrator.token, method, body), path);

  return {
    register: (name) => register(synapse, name, false),
    async registerUnlimited(name) {
      const person = await register(synapse, name, false);
      const path = `v1/users/${encodeURIComponent(person.id)}/override_ratelimit`;
      await administer("POST", path, { messages_per_second: 0, burst_count: 0 });
      return person;
    },
    registerHistorical: async (localpart) => {
      const id = `@${localpart}:${serverName}`;
      const database = new DatabaseSync(synapse.database, { timeout: 10_000 });
      database.prepare("INSERT INTO users (name, creation_ts) VALUES (?, 1400000000)").run(id);
      database.prepare("INSERT INTO profiles (user_id, full_user_id) VALUES (?, ?)").run(localpart, id);
      database.close();
      const answer = await administer("POST", `v1/users/${encodeURIComponent(id)}/login`, {});
      return createPerson(synapse.url, id, textIn(answer, "access_token"));
    },
  };
}

/** https://element-hq.github.io/synapse/latest/admin_api/register_api.html */
async function register(synapse: Synapse, username: string, admin: boolean): Promise<Person> {
  const url = `${synapse.url}/_synapse/admin/v1/register`;
  const nonce = textIn(granted(await request(url, undefined, "GET", undefined), "nonce"), "nonce");
  const password = "not a secret";
  const words = [nonce, username, password, admin ? "admin" : "notadmin"];
  const mac = createHmac("sha1", synapse.registrationSecret).update(words.join("\0")).digest("hex");
  const body = { nonce, username, password, admin, mac };
  const answer = granted(await request(url, undefined, "POST", body), `register ${username}`);
  return createPerson(synapse.url, textIn(answer, "user_id"), textIn(answer, "access_token"));
}
