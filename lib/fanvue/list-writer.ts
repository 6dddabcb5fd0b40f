/** Puts fans on custom lists and takes them off, and says what became of each. */
import type { ReadList } from "../facts.ts";
import { parseFanId, type FanId, type ListId } from "../ids.ts";
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
  /** That we may not write to lists at all, and lists that are not there: neither changes within a run. */
  let forbidden: Failure | undefined;
  const gone = new Map<ListId, Failure>();
  const foreseen = (list: ListRef) => forbidden ?? gone.get(list.id);
  const note = (list: ListRef, failure: Failure) => {
    if (failure.status === 403) forbidden = failure;
    if (failure.status === 404) gone.set(list.id, failure);
    return failure;
  };

  async function send(list: ListRef, fans: readonly FanId[]): Promise<Added> {
    const closed = foreseen(list);
    if (closed !== undefined) return closed;
    const answer = await fanvue.addToList(list, fans);
    return answer.ok ? answer : note(list, answer);
  }

  async function sendTogether(list: ListRef, steps: readonly Sendable[]): Promise<readonly Sent[]> {
    const fans = steps.map(({ fan }) => fan);
    const answer = await send(list, fans);
    const tookAll = answer.ok && answer.value.added === fans.length;
    return steps.map((it, index) => ({ ...it, answer, tookAll, isFirst: index === 0 }));
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
      for (const { step, fan, answer, tookAll, isFirst } of sent) {
        if (!answer.ok) yield failed(step, answer, { isFirst });
        else if (tookAll) yield { step, result: "done" };
        else yield byWhatIsShown(step, fan, shown);
      }
    },
    async *remove(list, step) {
      const { fan } = sendable(step);
      const answer = foreseen(list) ?? (await fanvue.removeFromList(list, fan));
      yield answer.ok ? { step, result: "done" } : failed(step, note(list, answer), { isFirst: true });
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
  /** The first of those who were sent together. */
  readonly isFirst: boolean;
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
function failed(step: Step, failure: Failure, { isFirst }: Pick<Sent, "isFirst">): Outcome {
  const sentence = `${failure.why}.`;
  const together: { isSameRequest?: true } = isFirst ? {} : { isSameRequest: true };
  if (failure.status === 403) return { step, result: "failed", blame: "us", sentence, ...together };
  if (failure.status === 404) return { step, result: "failed", blame: "place", sentence };
  if (!isRefusal(failure)) return { step, result: "failed", blame: "service", sentence, ...together };
  return step.verb === "grant"
    ? { step, result: "refused", code: String(failure.status), sentence }
    : { step, result: "failed", blame: "member", sentence };
}

/** Fanvue left somebody out without saying whom. A list of which it shows a part tells of those whom it shows. */
function byWhatIsShown(step: Step, fan: FanId, shown: ReadList | undefined): Outcome {
  if (shown?.known === true && shown.value.members.has(fan)) return { step, result: "done" };
  if (shown?.known !== true || shown.value.count !== shown.value.members.size)
    return {
      step,
      result: "failed",
      blame: "service",
      sentence: "Fanvue left somebody out without saying whom, and does not show the whole list.",
    };
  return {
    step,
    result: "refused",
    code: "skipped",
    sentence: "Fanvue left this fan out: it puts nobody on a list whom you cannot write to.",
  };
}
