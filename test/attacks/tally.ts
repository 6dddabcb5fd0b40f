/** What was tried, and what got in. */
import assert from "node:assert/strict";

/** What all attempts of this process came to. */
export const tally = { tried: 0, letIn: 0 };

/** What got in by an attempt, in words; undefined: nothing. */
export type LetIn = string | undefined;

export interface Trials {
  /** Counts an attempt. Whatever the site gave away meanwhile, to whomever, counts as let in as well. */
  readonly attempt: (what: string, act: () => LetIn | Promise<LetIn>) => Promise<void>;
  /** Fails when anything got in; all attempts are made before. */
  readonly end: () => void;
}

/** `betrayed` gives what was noticed since it was last asked: by the answers, the database, or the other services. */
export function startTrials(betrayed: () => readonly string[]): Trials {
  const letIn: string[] = [];
  let tried = 0;
  const count = (what: string, found: readonly string[]) => {
    tried += 1;
    tally.tried += 1;
    if (found.length === 0) return;
    tally.letIn += 1;
    letIn.push(`${what}: ${found.join("; ")}`);
  };
  return {
    async attempt(what, act) {
      // What is left over from honest visitors is no fruit of this attempt, but is not passed over either.
      const before = betrayed().map((found) => `before ${found}`);
      const found = await act();
      count(what, [...before, ...(found === undefined ? [] : [found]), ...betrayed()]);
    },
    end() {
      assert.ok(tried > 0, "nothing was tried");
      assert.deepEqual(letIn, []);
    },
  };
}
