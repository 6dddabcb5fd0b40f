/** What happened meanwhile, for a loop that waits for it. */
export interface Mailbox<T> {
  readonly post: (letter: T) => void;
  /** Ends the waiting without a letter. */
  readonly ring: () => void;
  /** Waits for the first letter, a ring, or until `waitMs` are over (Infinity: no end), and hands all letters over. */
  collect(waitMs: number): Promise<readonly T[]>;
}

export function createMailbox<T>(): Mailbox<T> {
  let letters: T[] = [];
  let bell = Promise.withResolvers<undefined>();
  const ring = () => {
    bell.resolve(undefined);
  };
  return {
    ring,
    post(letter) {
      letters.push(letter);
      ring();
    },
    async collect(waitMs) {
      const timer = Number.isFinite(waitMs) ? setTimeout(ring, Math.max(0, waitMs)) : undefined;
      await bell.promise;
      clearTimeout(timer);
      bell = Promise.withResolvers();
      const collected = letters;
      letters = [];
      return collected;
    },
  };
}
