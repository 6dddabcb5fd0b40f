/** Measures how changes of roles on a large server are carried out under Discord's rate limits. */
import type { SandboxLimit } from "../sandbox/discord-world.ts";
import { install } from "./installation.ts";
import { numberText } from "./table.ts";
import { buildWorld, exchangeSubscribers } from "./world.ts";

/** Each a server of its own; half of the changes let somebody in, half take somebody out. */
export interface DiscordScene {
  readonly members: number;
  readonly changes: number;
  readonly limits: {
    /** Of reading members, and of giving and taking roles. Discord tells its own in each answer. */
    readonly read: SandboxLimit;
    readonly write: SandboxLimit;
    readonly global: SandboxLimit;
  };
}

/** https://discord.com/developers/docs/topics/rate-limits#global-rate-limit */
const global: SandboxLimit = { limit: 50, windowMs: 1000 };

/** Windows so long that what a request takes by itself hardly counts, as on Discord. */
export const largeScene: DiscordScene = {
  members: 10_000,
  changes: 500,
  limits: { read: { limit: 10, windowMs: 2000 }, write: { limit: 50, windowMs: 4000 }, global },
};
/** Over in a moment; its times say little. */
export const smallScene: DiscordScene = {
  members: 200,
  changes: 20,
  limits: { read: { limit: 10, windowMs: 200 }, write: { limit: 10, windowMs: 300 }, global },
};

const allowedRatio = 1.15;
/** The server, its roles and the bot are asked for, too, and the library finds out about limits by a refusal or two. */
const allowedMore = 8;
const pageSize = 1000;

export interface DiscordBench {
  readonly line: string;
  /** Whether it asked hardly more often than it must. */
  readonly isLeast: boolean;
  /** Whether it took hardly longer than the limits make it take. */
  readonly isSwift: boolean;
}

export async function benchDiscord({ members, changes, limits }: DiscordScene): Promise<DiscordBench> {
  process.stderr.write(`${numberText(members)} members, ${numberText(changes)} changes …\n`);
  const world = buildWorld(members);
  const installation = await install(world, "v1");
  try {
    await installation.sync();
    await installation.ageSnapshot();
    Object.assign(world.discord.limits, limits);
    exchangeSubscribers(world, changes);
    const { discordRequests: requests, discordSeconds: seconds } = await installation.sync();

    // All members are read, what changes is written, and all are read once more to see that it stuck.
    const pages = Math.ceil(world.discord.members.size / pageSize);
    const least = pages + changes + pages;
    const leastSeconds = (2 * waitedMs(pages, limits.read) + waitedMs(changes, limits.write)) / 1000;
    const [requestRatio, timeRatio] = [requests / least, seconds / leastSeconds];
    return {
      line: [
        `Discord: ${numberText(members)} members, ${numberText(changes)} changes:`,
        `${numberText(requests)} requests (least ${numberText(least)}, ${numberText(requestRatio, 2)} times),`,
        `${numberText(seconds, 1)} s where the limits alone take ${numberText(leastSeconds, 1)} s (${numberText(timeRatio, 2)} times).`,
      ].join(" "),
      isLeast: requests <= Math.max(least * allowedRatio, least + allowedMore),
      isSwift: timeRatio <= allowedRatio,
    };
  } finally {
    await installation.stop();
  }
}

/** How long so many requests of one bucket take at least, if each window is used up at once. */
const waitedMs = (requests: number, { limit, windowMs }: SandboxLimit): number =>
  (Math.ceil(requests / limit) - 1) * windowMs;
