/** Makes the Fanvue lists that entries of list_sync ask for and that are not there yet. */
import type { ListSync } from "./config/shape.ts";
import type { Database } from "./db.ts";
import type { Known } from "./facts.ts";
import type { CustomList, Fanvue } from "./fanvue/client.ts";
import { type ListId, parseListId } from "./ids.ts";
import { byName, type LocatedLists, saveMade } from "./locate-lists.ts";
import type { Log } from "./log.ts";
import type { Reason } from "./model.ts";

export interface MakeAsk {
  readonly fanvue: Pick<Fanvue, "fetchCustomLists" | "createList">;
  readonly database: Database;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Makes a list for each entry, unless it is there meanwhile, and stores their ids. Only one process at a time may do
 * that, else there are two of a name. Gives, by entry, why a list was not made. Throws what ends a run.
 */
export async function makeLists(
  entries: readonly ListSync[],
  ask: MakeAsk,
): Promise<ReadonlyMap<string, Reason>> {
  const troubles = new Map<string, Reason>();
  for (const { name: entry, list } of entries) {
    ask.signal.throwIfAborted();
    const id = await findOrMake(list.id, ask);
    if (typeof id === "string")
      await ask.database.write((sql) => {
        saveMade(sql, list.id, id);
      });
    else troubles.set(entry, id);
  }
  return troubles;
}

async function findOrMake(name: string, { fanvue, log }: MakeAsk): Promise<ListId | Reason> {
  const lists = await fanvue.fetchCustomLists();
  if (!lists.known) return notMade(name, lists.why);
  const there = idOf(lists, name);
  if (there !== undefined) return there;
  const made = await fanvue.createList(name);
  if (made.ok) {
    log.info(`The list "${name}" was made on Fanvue.`);
    return parseListId(made.value.uuid.toLowerCase()) ?? notMade(name, "its answer names none");
  }
  // A request whose answer got lost may have made it.
  return idOf(await fanvue.fetchCustomLists(), name) ?? notMade(name, made.why);
}

function idOf(lists: Known<readonly CustomList[]>, name: string): ListId | undefined {
  const [found] = lists.known ? byName(lists.value, name) : [];
  return parseListId(found?.uuid ?? "");
}

const notMade = (name: string, why: string): Reason => ({
  because: `Fanvue did not make the list "${name}": ${why}.`,
  remedy: "The next run tries again; or make it yourself on Fanvue.",
});

/** With a trouble for each entry whose list is not there, for a run that writes and does not make it. */
export const withoutLists = ({ toMake, ...located }: LocatedLists): LocatedLists => ({
  ...located,
  toMake: [],
  troubles: new Map([
    ...toMake.map(({ name, list }): [string, Reason] => [name, notYet(list.id)]),
    ...located.troubles,
  ]),
});

const notYet = (name: string): Reason => ({
  because: `Fanvue has no list "${name}" yet.`,
  remedy: "npm run sync-lists makes it.",
});
