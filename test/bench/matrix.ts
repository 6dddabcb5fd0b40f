/** Measures how 50 rooms with 2,000 members each are read from the Matrix stand-in. */
import pino from "pino";

import { openMatrix } from "../../lib/matrix/target.ts";
import { parseMxid } from "../../lib/ids.ts";
import type { Place } from "../../lib/model.ts";
import { startMatrix, type MatrixSandbox } from "../sandbox/matrix.ts";
import { numberText } from "./table.ts";

const rooms = 50;
const membersEach = 2_000;

export interface MatrixBench {
  readonly line: string;
  /** Whether it took one request per room, and one more where an alias is resolved. */
  readonly isLeast: boolean;
}

export async function benchMatrix(): Promise<MatrixBench> {
  const sandbox = await startMatrix();
  try {
    const { target, places } = peopled(sandbox);
    const startedAtMs = performance.now();
    const states = await target.read(places, new Set());
    const seconds = (performance.now() - startedAtMs) / 1000;
    const read = [...states.values()].flatMap((state) => ("unreadable" in state ? [] : [state.members.size]));
    if (read.length !== rooms || read.some((count) => count <= membersEach))
      throw new Error("not all rooms were read whole");
    const aliases = places.filter(({ id }) => id.startsWith("#")).length;
    // And one to find out whose token it is.
    const least = 1 + rooms + aliases;
    const line = `Matrix: ${String(rooms)} rooms with ${numberText(membersEach)} members each, ${String(aliases)} of them by alias: ${String(target.requests())} requests (least ${String(least)}), ${numberText(seconds, 1)} s, ${numberText(process.memoryUsage().rss / 1e6)} MB with the stand-in.`;
    return { line, isLeast: target.requests() === least };
  } finally {
    await sandbox.stop();
  }
}

function peopled({ world, url }: MatrixSandbox) {
  const bot = world.addUser("bot");
  const userId = parseMxid(bot.id);
  if (userId === undefined) throw new Error("the stand-in gave no usable user id");
  const places = Array.from({ length: rooms }, (_, index): Place => {
    const alias = `room${String(index)}`;
    const room = world.createRoom({ creator: bot.id, alias, powerLevels: { invite: 50 } });
    for (let count = 0; count < membersEach; count += 1) {
      const fan = `@fan${String(count)}:elsewhere.example`;
      world.put(room, { type: "m.room.member", stateKey: fan, sender: fan, content: { membership: "join" } });
    }
    return placeOf(index % 2 === 0 ? room : `#${alias}:${world.serverName}`);
  });
  const config = { homeserver: url, userId, accessToken: bot.token, places };
  const { signal } = new AbortController();
  return { places, target: openMatrix(config, { log: pino({ level: "silent" }), signal }) };
}

const placeOf = (id: string): Place => ({
  target: "matrix",
  id,
  rules: [{ kind: "subscription", freeTrial: true }],
  onExpiry: "revoke",
  graceDays: 0,
  strangers: "keep",
  adopt: true,
});
