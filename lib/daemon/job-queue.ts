/** The one queue of all syncs: never two at once. */

export interface JobQueue {
  /** Runs `work` once nothing else runs here. Who has urgent work goes before whoever can wait. */
  add<T>(work: () => Promise<T>, haste: Haste): Promise<T>;
  /** Whether something runs. */
  readonly isBusy: () => boolean;
}
export type Haste = "urgent" | "patient";

/** Then somebody patient has a turn, however urgent the others are: rounds must go on while hundreds link themselves. */
const mostUrgentInARow = 10;

export function createJobQueue(): JobQueue {
  const urgent: (() => Promise<void>)[] = [];
  const patient: (() => Promise<void>)[] = [];
  let isBusy = false;
  let urgentInARow = 0;

  function next(): (() => Promise<void>) | undefined {
    const isUrgentsTurn = urgent.length > 0 && (urgentInARow < mostUrgentInARow || patient.length === 0);
    urgentInARow = isUrgentsTurn ? urgentInARow + 1 : 0;
    return isUrgentsTurn ? urgent.shift() : patient.shift();
  }

  async function serve(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    for (let turn = next(); turn !== undefined; turn = next()) {
      await turn();
      // Who has just had a turn may have more that is urgent.
      await new Promise(setImmediate);
    }
    isBusy = false;
  }

  return {
    add: (work, haste) =>
      new Promise((resolve, reject) => {
        (haste === "urgent" ? urgent : patient).push(() => work().then(resolve, reject));
        void serve();
      }),
    isBusy: () => isBusy,
  };
}
