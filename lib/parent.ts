/**
 * The process of this project that started this one, where there is one. It hears what it is told over the channel that
 * Node puts between the two (https://nodejs.org/api/process.html#processsendmessage-sendhandle-options-callback), and
 * whoever is started so does not outlive it: the channel breaks when the parent dies, whatever killed it.
 *
 * Other programs start scripts with such a channel, too (tsx does), hence the variable.
 */
const variable = "FANVUE_SYNC_PARENT";

/** For the environment of a script that is to hold to its parent. */
export const parentEnvironment: Readonly<Record<string, string>> = { [variable]: "1" };

export interface Parent {
  /** Sends a message; one that comes too late is lost. */
  tell(message: unknown): void;
  /** Calls back when the parent is gone, also where it is already. Keeps no process alive. Returns how to stop that. */
  onGone(fn: () => void): () => void;
}

export function findParent(): Parent | undefined {
  if (process.env[variable] !== "1" || process.send === undefined) return undefined;
  return {
    tell(message) {
      // The callback takes the error that would end the process otherwise.
      if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
    },
    onGone(fn) {
      process.on("disconnect", fn);
      process.channel?.unref();
      if (!process.connected) process.nextTick(fn);
      return () => process.off("disconnect", fn);
    },
  };
}
