/** What the link server asks of the daemon that runs it: a sync for a fan who has linked an account. */
import { z } from "zod";
import { type FanId, parseFanId } from "../ids.ts";
import type { SyncSoon, Wish } from "../link/sync-soon.ts";
import type { Parent } from "../parent.ts";

const wishMessage = z.object({
  ask: z.literal("sync soon"),
  platform: z.enum(["discord", "matrix"]),
  fan: z.custom<FanId>((value) => typeof value === "string" && parseFanId(value) === value),
});

/** Has the daemon sync, which never runs two syncs at once. */
export const createDaemonSyncs = (daemon: Parent): SyncSoon => ({
  ask(fan, platform) {
    daemon.tell({ ask: "sync soon", platform, fan } satisfies z.infer<typeof wishMessage>);
  },
  idle: () => Promise.resolve(),
});

/** The wish in a message; undefined where it is none. */
export function readWish(message: unknown): Wish | undefined {
  const { data } = wishMessage.safeParse(message);
  return data && { fan: data.fan, platform: data.platform };
}
