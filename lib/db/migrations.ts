/**
 * The schema, as the ordered steps that made it. A step that was released is never edited; a change is a new step.
 * Times are integer milliseconds since the epoch, money is integer cents, ids are text, lists are JSON.
 */
import { BadInputError } from "../errors.ts";
import type { Image } from "./engine.ts";
import { initial } from "./migrations/initial.ts";
import { discordInFull } from "./migrations/discord-in-full.ts";
import { linkPages } from "./migrations/link-pages.ts";
import { listsAndNotices } from "./migrations/lists-and-notices.ts";

/** Step n brings a database from user_version n to n + 1. */
const migrations: readonly string[] = [initial, discordInFull, linkPages, listsAndNotices];

/**
 * Brings an image to the newest schema, in memory: the next write saves it. `path` is for messages.
 * Throws a BadInputError when a newer version of this program wrote the file, or another program did.
 */
export function migrate(path: string, image: Image): void {
  const version = numberOf(image, "PRAGMA user_version");
  if (version > migrations.length) {
    throw new BadInputError(
      `${path} was written by a newer version of fanvue-sync (schema ${version}; this one knows ${migrations.length}).`,
      "Update fanvue-sync, or name another folder with --data DIR.",
    );
  }
  if (version < 1 && numberOf(image, "SELECT count(*) FROM sqlite_schema") > 0) {
    throw new BadInputError(
      `${path} is a SQLite file of another program.`,
      "Move it away, or name another folder with --data DIR.",
    );
  }
  for (const [step, statements] of [...migrations.entries()].slice(Math.max(0, version))) {
    image.exec(`BEGIN; ${statements}; PRAGMA user_version = ${step + 1}; COMMIT`);
  }
}

const numberOf = (image: Image, query: string): number => Number(image.exec(query)[0]?.values[0]?.[0]);
