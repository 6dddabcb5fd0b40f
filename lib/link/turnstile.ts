/** Lets so many be at something at once, and turns away who comes beyond. */

export interface Turnstile {
  /** Does it now; undefined, with nothing done: too many are at it. */
  enter<T>(task: () => Promise<T>): Promise<T> | undefined;
}

export function createTurnstile(most: number): Turnstile {
  let inside = 0;
  return {
    enter(task) {
      if (inside >= most) return undefined;
      inside += 1;
      return task().finally(() => {
        inside -= 1;
      });
    },
  };
}
