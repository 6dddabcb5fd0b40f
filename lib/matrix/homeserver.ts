/** The five requests that the target makes, each with its answer checked and its errors understood. */
import type { Account, RoomAlias, RoomId } from "../ids.ts";
import { openClient, type ClientConfig, type ClientDeps } from "./client.ts";
import { directoryAnswer, stateAnswer, whoamiAnswer, type StateEvent } from "./shapes.ts";
import type { Answer } from "./trouble.ts";

export interface Homeserver {
  /** The user id that the access token belongs to. */
  fetchUserId(): Promise<Answer<string>>;
  fetchRoomId(alias: RoomAlias): Promise<Answer<RoomId>>;
  /** The room's whole current state, members included. */
  fetchState(room: RoomId): Promise<Answer<readonly StateEvent[]>>;
  /** Both may be repeated; `reason` is shown to the member. */
  invite(room: RoomId, account: Account, reason: string): Promise<Answer<undefined>>;
  kick(room: RoomId, account: Account, reason: string): Promise<Answer<undefined>>;
  readonly requests: () => number;
  readonly clockSkewMs: () => number | undefined;
}

/** All methods throw a PlatformError when the bot's token is refused; other trouble is in their answers. */
export function openHomeserver(config: ClientConfig, deps: ClientDeps): Homeserver {
  const { sdk, sure, read, requests, clockSkewMs } = openClient(config, deps);
  return {
    fetchUserId: async () => {
      const answer = await read("/account/whoami", whoamiAnswer, () => sdk.whoami());
      return answer.ok ? { ok: true, value: answer.value.user_id } : answer;
    },
    fetchRoomId: async (alias) => {
      const answer = await read("/directory/room", directoryAnswer, () => sdk.getRoomIdForAlias(alias));
      return answer.ok ? { ok: true, value: answer.value.room_id } : answer;
    },
    fetchState: (room) => read("/rooms/{id}/state", stateAnswer, () => sdk.roomState(room)),
    invite: (room, account, reason) =>
      sure(async () => {
        await sdk.invite(room, account, { reason });
        return undefined;
      }),
    kick: (room, account, reason) =>
      sure(async () => {
        await sdk.kick(room, account, reason);
        return undefined;
      }),
    requests,
    clockSkewMs,
  };
}
