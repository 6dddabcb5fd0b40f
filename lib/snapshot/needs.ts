/** Which parts of Fanvue's data the rules of all places ask for. */
import { compareIds, type ListKey } from "../ids.ts";
import { listKey, type ListRef, type Place } from "../model.ts";

export interface Needs {
  readonly subscribers: boolean;
  readonly followers: boolean;
  /** Figures of spending. */
  readonly insights: boolean;
  readonly unlocks: boolean;
  readonly lists: ReadonlyMap<ListKey, ListRef>;
}

/**
 * The needs of all rules of these places. Give it every configured place, so that one snapshot serves all scripts.
 * `beside`: what is needed for more than the rules.
 */
export function needsOf(
  places: readonly Place[],
  beside: Pick<Needs, "subscribers"> = { subscribers: false },
): Needs {
  const rules = places.flatMap((place) => place.rules);
  const kinds = new Set(rules.map(({ kind }) => kind));
  const lists = rules.flatMap((rule) =>
    rule.kind === "fanvue_list" && rule.list.type !== "named" ? [rule.list] : [],
  );
  return {
    subscribers: beside.subscribers || kinds.has("subscription") || kinds.has("top_spender"),
    followers: kinds.has("top_spender"),
    insights: kinds.has("spending"),
    unlocks: kinds.has("unlock"),
    lists: new Map(lists.map((list) => [listKey(list), list])),
  };
}

export const needsLedger = (needs: Needs): boolean => needs.insights || needs.unlocks;

function words(needs: Needs): readonly string[] {
  return [
    ...(needs.subscribers ? ["subscribers"] : []),
    ...(needs.followers ? ["followers"] : []),
    ...(needsLedger(needs) ? ["ledger"] : []),
    ...[...needs.lists.keys()].sort(compareIds),
  ];
}

/** The parts as text, kept with a stored snapshot. */
export const needsKey = (needs: Needs): string => words(needs).join(" ");

/** Whether a snapshot that was taken for `key` holds all of these parts. */
export function covers(key: string, needs: Needs): boolean {
  const held = new Set(key.split(" "));
  return words(needs).every((word) => held.has(word));
}
