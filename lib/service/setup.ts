/** Who is to run the service, and what is to be done before it can. */
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { bookNames } from "../config/address-book.ts";
import { BadInputError } from "../errors.ts";
import { shellWord, type ServicePlace } from "./unit.ts";

export interface ServiceUser {
  readonly name: string;
  /** undefined: there is no such user yet. */
  readonly uid: number | undefined;
}

const ownUser = "fanvue-sync";

/**
 * The user that is asked for, or else whoever owns the data folder; never root by itself. Throws a BadInputError for a
 * name that is none.
 */
export function chooseUser(asked: string | undefined, dataDir: string): ServiceUser {
  if (asked !== undefined && !/^[a-z_][a-z0-9_.@-]*$/i.test(asked))
    throw new BadInputError(
      `--user ${asked}: this is no user's name.`,
      "Write the name of a user of this machine.",
    );
  const owner = askId("-un", String(statSync(dataDir).uid));
  const name = asked ?? (owner === "root" ? ownUser : (owner ?? ownUser));
  const uid = askId("-u", name);
  return { name, uid: uid === undefined ? undefined : Number(uid) };
}

/** Asks the system, which knows users beyond /etc/passwd, too: https://man7.org/linux/man-pages/man1/id.1.html */
function askId(question: "-u" | "-un", user: string): string | undefined {
  try {
    return execFileSync("id", [question, user], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined;
  }
}

// ---- What stands in the way -------------------------------------------------------------------------------------

type Paths = Omit<ServicePlace, "user">;

/** Throws a BadInputError for a path that no unit and no crontab can hold, or to which the user cannot come. */
export function checkPaths(paths: Paths, user: ServiceUser): void {
  const broken = Object.values(paths).find((path) => /\p{Cc}/u.test(path));
  if (broken !== undefined)
    throw new BadInputError(
      `${JSON.stringify(broken)}: this path has a line break or another control character in it.`,
      "Give the folder or the file a plain name, and run this again.",
    );
  if (user.uid === 0) return;
  const closed = foldersAbove(paths).find((folder) => isClosed(folder, user));
  if (closed !== undefined)
    throw new BadInputError(
      `${closed}: only its owner may enter this folder, and the service is to run as ${user.name}.`,
      "Move the project, with its config and its data, to a folder that all may enter, such as /opt, and run this again there.",
    );
}

/** Outermost first. The data folder itself is given to the user. */
function foldersAbove({ dataDir, ...paths }: Paths): readonly string[] {
  const above = (path: string): readonly string[] =>
    dirname(path) === path ? [] : [...above(dirname(path)), dirname(path)];
  return [dataDir, ...Object.values(paths)].flatMap(above).filter((folder) => folder !== dataDir);
}

const othersMayEnter = 0o011;

function isClosed(folder: string, user: ServiceUser): boolean {
  const { mode, uid } = statSync(folder);
  return uid !== user.uid && (mode & othersMayEnter) === 0;
}

/** What the service writes or reads that belongs to another user. */
export function foreignFiles(
  user: ServiceUser,
  { dataDir, configPath }: Pick<ServicePlace, "dataDir" | "configPath">,
): readonly string[] {
  const beside = [...bookNames, "fanvue_tokens.json"].map((name) => join(dirname(configPath), name));
  return [dataDir, configPath, ...beside].filter((path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat !== undefined && stat.uid !== user.uid;
  });
}

// ---- What is to be done -----------------------------------------------------------------------------------------

/** What a person does to set the service up, in order. `isRoot`: whether that person is root without more ado. */
export function setupSteps(
  user: ServiceUser,
  foreign: readonly string[],
  isRoot: boolean,
): readonly string[] {
  const sudo = isRoot ? "" : "sudo ";
  const makeUser = `Make a user for it alone: ${sudo}useradd --system --no-create-home --shell /usr/sbin/nologin ${user.name}`;
  const give = `Give ${user.name} what it reads and writes: ${sudo}chown -R ${user.name}: ${foreign.map(shellWord).join(" ")}`;
  const goOn = "From then on, put sudo before your own commands, too: sudo npm run check-config";
  return [
    ...(user.uid === undefined ? [makeUser] : []),
    ...(foreign.length === 0 ? [] : [give]),
    'Write the unit to a file, if you have not yet: the same command once more, with "> fanvue-sync.service" at its end',
    `Look at the file, and put it in its place: ${sudo}install -m 644 fanvue-sync.service /etc/systemd/system/`,
    `Start it, now and with the machine: ${sudo}systemctl daemon-reload && ${sudo}systemctl enable --now fanvue-sync`,
    `See how it is: ${sudo}systemctl status fanvue-sync`,
    ...(foreign.length === 0 || isRoot ? [] : [goOn]),
  ];
}
