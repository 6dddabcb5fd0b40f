/**
 * The direct rooms in which codes are told. Each is left as soon as no code told there is of use any more; what a killed
 * server left open, the next one finds.
 */
import { OperatorError } from "../errors.ts";
import type { FanId, Mxid, RoomId } from "../ids.ts";
import type { Log } from "../log.ts";
import type { DirectRoom, DirectRooms } from "../matrix/direct.ts";
import type { Answer, Trouble } from "../matrix/trouble.ts";

/** A code that was told and may still be typed. */
export interface ToldCode {
  readonly id: string;
  /** Who asked for it. */
  readonly fan: FanId;
  /** What the account's owner goes by. */
  readonly name: string;
}

export interface Telling {
  readonly guest: Mxid;
  readonly roomName: string;
  readonly text: string;
  readonly code: ToldCode;
  /** When the code is of no use any more, whatever happens. */
  readonly untilMs: number;
}

export interface CodeRooms {
  /** Tells somebody a code; gives what stood in the way. Throws a PlatformError when the bot's token is refused. */
  tell(telling: Telling): Promise<Trouble | undefined>;
  /** Gives the codes of which this is true; they are of no use any more, and what follows from that goes on by itself. */
  retire(isServed: (code: ToldCode) => boolean): readonly ToldCode[];
  /** Leaves what has served. Never throws. */
  tidy(): Promise<void>;
  /** Resolves once nothing is under way any more. */
  idle(): Promise<void>;
}

export interface CodeRoomsDeps {
  readonly direct: DirectRooms;
  readonly log: Log;
  readonly now: () => number;
}

interface OpenRoom {
  readonly room: DirectRoom;
  readonly codes: Set<ToldCode>;
  untilMs: number;
}

export function createCodeRooms({ direct, log, now }: CodeRoomsDeps): CodeRooms {
  const open = new Map<RoomId, OpenRoom>();
  /** There may be rooms that are not among these: of an earlier server, or one whose opening or leaving failed. */
  let mayBeMore = true;
  let underWay: Promise<unknown> = Promise.resolve();

  async function close({ room }: Pick<OpenRoom, "room">): Promise<void> {
    open.delete(room.id);
    const answer = await direct.close(room);
    if (answer.ok) return;
    mayBeMore = true;
    log.warn(`The bot could not leave the room of a code, and tries again: ${answer.trouble.sentence}`);
  }

  async function findMore(): Promise<void> {
    const found = await direct.find();
    if (!found.ok) {
      log.warn(`The rooms of old codes could not be looked for: ${found.trouble.sentence}`);
      return;
    }
    mayBeMore = false;
    for (const room of found.value)
      if (!open.has(room.id)) open.set(room.id, { room, codes: new Set(), untilMs: room.untilMs });
  }

  /** Nobody waits for it, so that the log has to do. */
  async function quietly(task: () => Promise<unknown>): Promise<void> {
    try {
      await task();
    } catch (error) {
      if (error instanceof OperatorError) log.error(`${error.message} ${error.remedy}`);
      else log.error({ err: error }, "a room of a code could not be left");
    }
  }

  const closeAll = (rooms: readonly OpenRoom[]) => quietly(() => Promise.all(rooms.map(close)));

  /** The room that the guest is in already, or a new one. */
  async function roomFor({ guest, roomName: name, untilMs }: Telling): Promise<Answer<OpenRoom>> {
    for (const there of [...open.values()].filter(({ room }) => room.guest === guest)) {
      const isOpen = await direct.isOpen(there.room);
      if (!isOpen.ok) return isOpen;
      if (isOpen.value) return { ok: true, value: there };
      await close(there);
    }
    const opened = await direct.open({ guest, untilMs, name });
    if (opened.ok) return { ok: true, value: { room: opened.value, codes: new Set(), untilMs } };
    mayBeMore = true;
    return opened;
  }

  return {
    async tell(telling) {
      const found = await roomFor(telling);
      if (!found.ok) return found.trouble;
      const { room, codes } = found.value;
      codes.add(telling.code);
      open.set(room.id, { room, codes, untilMs: telling.untilMs });
      const said = await direct.say(room, telling.text);
      return said.ok ? undefined : said.trouble;
    },
    retire(isServed) {
      const touched = [...open.values()].filter(({ codes }) => codes.values().some(isServed));
      const retired = touched.flatMap(({ codes }) => [...codes].filter(isServed));
      for (const { codes } of touched) for (const code of retired) codes.delete(code);
      const served = touched.filter(({ codes }) => codes.size === 0);
      underWay = Promise.all([underWay, closeAll(served)]);
      return retired;
    },
    tidy() {
      const tidied = quietly(async () => {
        if (mayBeMore) await findMore();
        await closeAll([...open.values()].filter(({ untilMs }) => untilMs <= now()));
      });
      underWay = Promise.all([underWay, tidied]);
      return tidied;
    },
    async idle() {
      await underWay;
    },
  };
}
