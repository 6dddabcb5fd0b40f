/** Entries of list_sync that contradict each other, or the rules of roles and rooms. */
import type { ListKey } from "../ids.ts";
import { listKey, type Place } from "../model.ts";
import type { ListSync } from "./shape.ts";
import { listed } from "./values.ts";

export interface Written {
  readonly entries: readonly ListSync[];
  /** The places under roles and rooms. */
  readonly roles: readonly Place[];
  readonly rooms: readonly Place[];
}

/** What is wrong with an entry: the key in it, and a sentence with its remedy to be read behind the key. */
export interface Conflict {
  readonly entry: string;
  readonly key: "discord_role_id" | "matrix_room" | "fanvue_list" | "fanvue_list_uuid";
  readonly sentence: string;
}

/** Every role, room and list that two would write, and every list that is both filled and decides. */
export const conflictsIn = (written: Written): readonly Conflict[] => [
  ...sharedPlaces(written),
  ...written.entries
    .filter(({ primary }) => primary === "discord")
    .flatMap((entry) => [...sharedList(entry, written), ...listThatDecides(entry, written)]),
];

// ---- Roles and rooms --------------------------------------------------------------------------------------------

function sharedPlaces({ entries, roles, rooms }: Written): readonly Conflict[] {
  const taken = new Map<string, string>([
    ...roles.map(({ id }) => [id, "roles"] as const),
    ...rooms.map(({ id }) => [id, "rooms"] as const),
  ]);
  const conflicts: Conflict[] = [];
  for (const { name, role, room, primary } of entries) {
    for (const [key, id] of [
      ["discord_role_id", role],
      ["matrix_room", room],
    ] as const) {
      if (id === undefined || primary !== "fanvue") continue;
      const other = taken.get(id);
      if (other !== undefined) conflicts.push({ entry: name, key, sentence: alsoIn(other, key) });
      taken.set(id, `list_sync.${name}`);
    }
  }
  return conflicts;
}

const alsoIn = (other: string, key: "discord_role_id" | "matrix_room"): string =>
  `is looked after by ${other}, too, and only one of the two may say who belongs there. Take it out of one; a rule of type: fanvue_list under ${key === "matrix_room" ? "rooms" : "roles"} does the same as this entry.`;

// ---- Lists ------------------------------------------------------------------------------------------------------

const keyOfList = ({ list }: ListSync): Conflict["key"] =>
  list.type === "named" ? "fanvue_list" : "fanvue_list_uuid";

/** Told once for each pair, at the later one. */
function sharedList(entry: ListSync, { entries }: Written): readonly Conflict[] {
  const first = entries.find((it) => it.primary === "discord" && listKey(it.list) === listKey(entry.list));
  if (first === undefined || first === entry) return [];
  const sentence = `is filled by list_sync.${first.name}, too, and each would take out whom the other put in. Keep one of the two.`;
  return [{ entry: entry.name, key: keyOfList(entry), sentence }];
}

/** A role or a room, by what says so, on which a list decides. */
interface Decision {
  readonly where: string;
  readonly id: string;
}

function decisionsOf(list: ListKey, { entries, roles, rooms }: Written): readonly Decision[] {
  const asks = ({ rules }: Place) =>
    rules.some((rule) => rule.kind === "fanvue_list" && listKey(rule.list) === list);
  return [
    ...roles.filter(asks).map(({ id }) => ({ where: `roles.${id}`, id })),
    ...rooms.filter(asks).map(({ id }) => ({ where: `rooms."${id}"`, id })),
    ...entries
      .filter((it) => it.primary === "fanvue" && listKey(it.list) === list)
      .flatMap(({ name, role, room }) =>
        [role, room].flatMap((id) => (id === undefined ? [] : [{ where: `list_sync.${name}`, id }])),
      ),
  ];
}

function listThatDecides(entry: ListSync, written: Written): readonly Conflict[] {
  const decisions = decisionsOf(listKey(entry.list), written);
  if (decisions.length === 0) return [];
  const { name, role } = entry;
  const circle = decisions.find(({ id }) => id === role || leadsTo(id, role, written));
  const sentence =
    circle === undefined
      ? `is filled here and decides in ${listed(decisions.map(({ where }) => where))}. A list that is filled from a role may decide nothing: write rules for that role, or take one of the two out.`
      : `is filled from the role ${role ?? ""} and, by way of ${circle.where}, decides on that very role: they would follow each other in a circle. Take one of the two out.`;
  return [{ entry: name, key: keyOfList(entry), sentence }];
}

/** Whether a role decides on another by way of lists that are filled from it. */
function leadsTo(from: string, to: string | undefined, written: Written): boolean {
  const seen = new Set<string>();
  const open = [from];
  for (const id of open) {
    if (seen.has(id)) continue;
    seen.add(id);
    for (const entry of written.entries)
      if (entry.primary === "discord" && entry.role === id)
        open.push(...decisionsOf(listKey(entry.list), written).map((decision) => decision.id));
  }
  return to !== undefined && seen.has(to);
}
