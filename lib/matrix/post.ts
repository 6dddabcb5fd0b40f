/** Posting in a room, in plain text that calls nobody. */
import { randomUUID } from "node:crypto";
import { EventType, Method, MsgType } from "matrix-js-sdk";
import type { MatrixConfig } from "../config/shape.ts";
import { parseRoomAlias, parseRoomId, type RoomAlias, type RoomId } from "../ids.ts";
import type { Log } from "../log.ts";
import { openClient, type Client } from "./client.ts";
import { directoryAnswer } from "./shapes.ts";
import { defaultTimes } from "./times.ts";
import type { Answer, Trouble } from "./trouble.ts";

export interface RoomMessage {
  readonly room: RoomId | RoomAlias;
  readonly text: string;
}

/**
 * Posts a text as a notice, which no bot answers. Gives why it could not be posted, a sentence with its remedy; undefined:
 * it was. Throws a PlatformError where the bot's token is refused. Not encrypted, also in a room that is: what is posted
 * names nobody. https://spec.matrix.org/v1.16/client-server-api/#mnotice
 */
export async function postInRoom(
  config: MatrixConfig,
  { room, text }: RoomMessage,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const client = openClient(config, { log, signal, times: defaultTimes });
  const id = await locate(client, room);
  if (!id.ok) return whyNot(id.trouble, config);
  // Twice with one id is the same as once.
  const path = `/rooms/${encodeURIComponent(id.value)}/send/${EventType.RoomMessage}/${randomUUID()}`;
  const content = { msgtype: MsgType.Notice, body: text, "m.mentions": {} };
  const sent = await client.patient(() =>
    client.sure(() => client.sdk.http.authedRequest(Method.Put, path, undefined, content)),
  );
  return sent.ok ? undefined : whyNot(sent.trouble, config);
}

async function locate({ sdk, read }: Client, room: RoomId | RoomAlias): Promise<Answer<RoomId>> {
  const id = parseRoomId(room);
  if (id !== undefined) return { ok: true, value: id };
  const alias = parseRoomAlias(room);
  if (alias === undefined) throw new Error(`${room} is no Matrix room`);
  const answer = await read("/directory/room", directoryAnswer, () => sdk.getRoomIdForAlias(alias));
  return answer.ok ? { ok: true, value: answer.value.room_id } : answer;
}

function whyNot(trouble: Trouble, { userId }: MatrixConfig): string {
  if (trouble.kind !== "refused") return `${trouble.sentence} The next run tries again.`;
  if (trouble.status === 404) return "There is no such room. Check notify.matrix_room in the config.";
  return `${trouble.sentence} Invite ${userId} to that room, accept the invitation with a Matrix client, and let it write there.`;
}
