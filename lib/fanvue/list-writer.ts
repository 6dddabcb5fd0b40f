/** Puts fans on custom lists and takes them off, and says what became of each. */
import { parseFanId, type FanId } from "../ids.ts";
import type { ListRef, Step } from "../model.ts";
import type { Outcome } from "../target.ts";
import type { Fanvue, Written } from "./client.ts";

type Added = Written<{ readonly added: number; readonly skipped: number }>;
type Failure = Extract<Added, { ok: false }>;

export interface ListWriter {
  /** Up to 100 fans on one list, each once; one outcome for each. */
  add(list: ListRef, steps: readonly Step[]): AsyncIterable<Outcome>;
  remove(list: ListRef, step: Step): AsyncIterable<Outcome>;
}

/** Throws what the client throws: only what ends the run. What would be refused again is not asked again. */
export function createListWriter(
  fanvue: Pick<Fanvue, "fetchList" | "addToList" | "removeFromList">,
): ListWriter {
  const forbidden = new Map<string, Failure>();
  const doorOf = (list: ListRef) => forbidden.get("") ?? forbidden.get(list.id);
  const remember = (list: ListRef, failure: Failure) => {
    if (failure.status === 403) forbidden.set("", failure);
    if (failure.status === 404) forbidden.set(list.id, failure);
    return failure;
  };

  async function send(list: ListRef, fans: readonly FanId[]): Promise<Added> {
    const closed = doorOf(list);
    if (closed !== undefined) return closed;
    const answer = await fanvue.addToList(list, fans);
    return answer.ok ? answer : remember(list, answer);
  }

  async function sendTogether(list: ListRef, steps: readonly Sendable[]): Promise<readonly Sent[]> {
    const fans = steps.map(({ fan }) => fan);
    const answer = await send(list, fans);
    const tookAll = answer.ok && answer.value.added === fans.length;
    return steps.map((it) => ({ ...it, answer, tookAll }));
  }

  /** Together, or, where Fanvue refuses them so, one by one: a single fan must not keep out the others. */
  async function sendAll(list: ListRef, steps: readonly Sendable[]): Promise<readonly Sent[]> {
    const sent = await sendTogether(list, steps);
    if (steps.length === 1 || !sent.some(({ answer }) => isRefusal(answer))) return sent;
    const singly: Sent[] = [];
    for (const it of steps) singly.push(...(await sendTogether(list, [it])));
    return singly;
  }

  return {
    async *add(list, steps) {
      const sent = await sendAll(list, steps.map(sendable));
      const isDoubtful = sent.some(({ answer, tookAll }) => answer.ok && !tookAll);
      const shown = isDoubtful ? await fanvue.fetchList(list) : undefined;
      for (const { step, fan, answer, tookAll } of sent) {
        if (!answer.ok) yield failed(step, answer);
        else if (tookAll) yield { step, result: "done" };
        else if (shown?.known !== true) yield untold(step);
        else yield shown.value.members.has(fan) ? { step, result: "done" } : skipped(step);
      }
    },
    async *remove(list, step) {
      const { fan } = sendable(step);
      const closed = doorOf(list);
      const answer = closed ?? (await fanvue.removeFromList(list, fan));
      yield answer.ok ? { step, result: "done" } : failed(step, remember(list, answer));
    },
  };
}

interface Sendable {
  readonly step: Step;
  readonly fan: FanId;
}
interface Sent extends Sendable {
  /** Of the request that this fan was part of. */
  readonly answer: Added;
  /** Fanvue counts everybody who was sent with this fan as added. */
  readonly tookAll: boolean;
}

function sendable(step: Step): Sendable {
  const fan = parseFanId(step.account);
  if (fan === undefined) throw new Error(`${step.account} is no fan, and cannot be on a Fanvue list`);
  return { step, fan };
}

// ---- What became of it ------------------------------------------------------------------------------------------

/** Fanvue does not want what was sent; it may want a part of it. */
const isRefusal = (answer: Added): boolean =>
  !answer.ok && answer.status !== undefined && [400, 409, 422].includes(answer.status);

/** A fan whom Fanvue will not have on a list is no trouble of the service or of ours. */
function failed(step: Step, failure: Failure): Outcome {
  const sentence = `${failure.why}.`;
  if (failure.status === 403) return { step, result: "failed", blame: "us", sentence };
  if (failure.status === 404) return { step, result: "failed", blame: "place", sentence };
  if (!isRefusal(failure)) return { step, result: "failed", blame: "service", sentence };
  return step.verb === "grant"
    ? { step, result: "refused", code: String(failure.status), sentence }
    : { step, result: "failed", blame: "member", sentence };
}

const skipped = (step: Step): Outcome => ({
  step,
  result: "refused",
  code: "skipped",
  sentence: "Fanvue left this fan out: it puts nobody on a list whom you cannot write to.",
});

const untold = (step: Step): Outcome => ({
  step,
  result: "failed",
  blame: "service",
  sentence: "Fanvue left somebody out without saying whom, and did not show the list afterwards.",
});
