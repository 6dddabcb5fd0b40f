/** Looks now and then at what Discord shows, for as long as somebody listens. */
import { hourMs } from "../durations.ts";
import { OperatorError, PlatformError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Reason } from "../model.ts";
import type { Bell } from "./bell.ts";

export interface Lookout {
  /**
   * Looks once, and gives for how many ms that will do. Trouble that lasts is told once. Throws a PlatformError where
   * Discord refuses the bot.
   */
  look(signal: AbortSignal): Promise<number>;
}

const lookEveryMs = hourMs;
const lookAgainMs = 60_000;

/** `look`: puts on record what is to be seen, and gives why the rest is not. */
export function createLookout(look: (signal: AbortSignal) => Promise<readonly Reason[]>, log: Log): Lookout {
  let told: string | undefined;
  return {
    async look(signal) {
      const troubles = await troublesOf(look(signal));
      const sentence = troubles.map(({ because, remedy }) => `${because} ${remedy}`).join(" ");
      if (sentence !== "" && sentence !== told && !signal.aborted) log.warn(sentence);
      told = sentence;
      // What the operator has to mend is not asked for again and again meanwhile.
      return troubles.length > 0 && troubles.every(({ isPassing }) => isPassing) ? lookAgainMs : lookEveryMs;
    },
  };
}

async function troublesOf(looking: Promise<readonly Reason[]>): Promise<readonly Reason[]> {
  try {
    return await looking;
  } catch (error) {
    if (!(error instanceof OperatorError) || error instanceof PlatformError) throw error;
    return [{ because: error.message, remedy: error.remedy, isPassing: true }];
  }
}

/** Looks until the signal is aborted, at once where the bell is rung. */
export async function keepLooking(
  lookout: Lookout,
  { bell, onLooked, signal }: { bell: Bell; onLooked: () => void; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    const pauseMs = await lookout.look(signal);
    onLooked();
    await bell.rest(pauseMs, signal);
  }
}
