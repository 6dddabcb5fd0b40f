/** Who is where: what the stand-ins really hold, beside what the story says they should, and who came and went. */
import { holdersOf } from "./discord-world.ts";
import type { Town } from "./town.ts";

/** Handles by place, such as `role "patrons"`. */
type Holders = ReadonlyMap<string, ReadonlySet<string>>;

/** The stand-ins do not hold what the story says: the program, or the story, is wrong. */
export class Mismatch extends Error {}

export interface Watch {
  /** From here on these people should be in that place. */
  expect(place: string, ...handles: readonly string[]): void;
  /** From here on they should not. */
  expectGone(place: string, ...handles: readonly string[]): void;
  /** Looks who came and who went since the last look. */
  look(): void;
  /** Throws a Mismatch naming each place that does not hold exactly whom it should. */
  check(): void;
  /** Different people; harmed is who ever lost something that was due to them. */
  counts(): { readonly letIn: number; readonly takenOut: number; readonly harmed: number };
}

export const roleName = (name: keyof Town["roles"]): string => `role "${name}"`;
export const roomName = (name: keyof Town["rooms"]): string => `room "${name}"`;

/** Discord names and the local parts of Matrix ids are the fans' handles. */
function holdersIn({ discord, matrix, roles, rooms }: Town): Holders {
  const inRole = (id: string) =>
    holdersOf(discord.world, id).map((member) => discord.world.members.get(member)?.user.username ?? member);
  const inRoom = (alias: string) => {
    const room = matrix.world.aliases.get(alias) ?? "";
    const people = [...matrix.world.members(room, "join"), ...matrix.world.members(room, "invite")];
    return people.map((mxid) => mxid.slice(1, mxid.indexOf(":"))).filter((name) => name !== "fanvue-sync");
  };
  return new Map([
    ...Object.entries(roles).map(([name, id]) => [`role "${name}"`, new Set(inRole(id))] as const),
    ...Object.entries(rooms).map(([name, alias]) => [`room "${name}"`, new Set(inRoom(alias))] as const),
  ]);
}

const without = (handles: ReadonlySet<string>, others: ReadonlySet<string>): readonly string[] =>
  [...handles].filter((handle) => !others.has(handle));

const difference = (
  place: string,
  due: ReadonlySet<string>,
  held: ReadonlySet<string>,
): readonly string[] => [
  ...without(due, held).map((handle) => `${handle} should be in ${place}`),
  ...without(held, due).map((handle) => `${handle} should not be in ${place}`),
];

const nobody: ReadonlySet<string> = new Set();

/** Begins with what the town holds now, all of which is due. */
export function watch(town: Town): Watch {
  let last = holdersIn(town);
  const due = new Map([...last].map(([place, handles]) => [place, new Set(handles)]));
  const letIn = new Set<string>();
  const takenOut = new Set<string>();
  const harmed = new Set<string>();

  function dueIn(place: string): Set<string> {
    const handles = due.get(place);
    if (handles === undefined) throw new Error(`the town has no ${place}`);
    return handles;
  }

  function look(): void {
    const now = holdersIn(town);
    for (const [place, held] of now) {
      const before = last.get(place) ?? nobody;
      for (const handle of without(held, before)) letIn.add(handle);
      for (const handle of without(before, held)) (dueIn(place).has(handle) ? harmed : takenOut).add(handle);
    }
    last = now;
  }

  return {
    expect(place, ...handles) {
      for (const handle of handles) dueIn(place).add(handle);
    },
    expectGone(place, ...handles) {
      for (const handle of handles) dueIn(place).delete(handle);
    },
    look,
    check() {
      look();
      const wrong = [...last].flatMap(([place, held]) => difference(place, dueIn(place), held));
      if (harmed.size > 0) wrong.push(`${[...harmed].join(", ")} lost something that was due to them`);
      if (wrong.length > 0) throw new Mismatch(`${wrong.join("; ")}.`);
    },
    counts: () => ({ letIn: letIn.size, takenOut: takenOut.size, harmed: harmed.size }),
  };
}
