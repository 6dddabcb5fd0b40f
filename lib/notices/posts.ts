/** The places where notices to the owner are posted. */
import type { Config } from "../config/shape.ts";
import type { Log } from "../log.ts";

/** One place. */
export interface Post {
  /** For messages: "the Discord channel 123". */
  readonly name: string;
  /** Gives why it could not be posted, a sentence with its remedy; undefined: it was. May throw an OperatorError. */
  readonly post: (text: string) => Promise<string | undefined>;
}

export interface PostDeps {
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Those of the config. The libraries of the platforms are loaded when there is something to post. */
export function openPosts(
  { notify, discord, matrix }: Pick<Config, "notify" | "discord" | "matrix">,
  deps: PostDeps,
): readonly Post[] {
  const { discordChannelId: channel, matrixRoom: room } = notify;
  const posts: Post[] = [];
  if (channel !== undefined && discord !== undefined)
    posts.push({
      name: `the Discord channel ${channel}`,
      async post(text) {
        const { postInChannel } = await import("../discord/channel.ts");
        return postInChannel(discord, { channel, text }, deps);
      },
    });
  if (room !== undefined && matrix !== undefined)
    posts.push({
      name: `the Matrix room ${room}`,
      async post(text) {
        const { postInRoom } = await import("../matrix/post.ts");
        return postInRoom(matrix, { room, text }, deps);
      },
    });
  return posts;
}
