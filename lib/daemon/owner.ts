/** Who is to run the service. */
import { readFileSync, statSync } from "node:fs";
import { BadInputError } from "../errors.ts";

export interface ServiceUser {
  readonly user: string;
  /** Whether there is such a user, and whether the data folder is theirs, or will be. */
  readonly isUser: boolean;
  readonly isOwner: boolean;
}

const ownUser = "fanvue-sync";

/**
 * The user that is asked for, or else whoever owns the data folder, or runs this where there is none yet; never root by
 * itself. Throws a BadInputError for a name that is none.
 */
export function chooseUser(asked: string | undefined, dataDir: string): ServiceUser {
  if (asked !== undefined && !/^[a-z_][a-z0-9_-]{0,31}$/i.test(asked))
    throw new BadInputError(
      `--user ${asked}: this is no user's name.`,
      "Write the name of a user of this machine.",
    );
  const users = loadUsers();
  const ownerId = statSync(dataDir, { throwIfNoEntry: false })?.uid ?? process.getuid?.();
  const owner = ownerId === undefined ? undefined : users.get(ownerId);
  const user = asked ?? (owner === "root" ? ownUser : (owner ?? ownUser));
  return { user, isUser: [...users.values()].includes(user), isOwner: user === owner };
}

/** Names by number: https://man7.org/linux/man-pages/man5/passwd.5.html */
function loadUsers(): ReadonlyMap<number, string> {
  try {
    const rows = readFileSync("/etc/passwd", "utf8").trimEnd().split("\n");
    return new Map(
      rows.map((row) => {
        const [name = "", , uid = ""] = row.split(":");
        return [Number(uid), name];
      }),
    );
  } catch {
    return new Map();
  }
}
