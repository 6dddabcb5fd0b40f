/** After everything else: what the log and the database hold of all that was confided on the way. */
import assert from "node:assert/strict";

import type { Recorded } from "../sandbox/server.ts";
import type { Grounds } from "./grounds.ts";
import type { Trials } from "./tally.ts";

const words = (text: string): ReadonlySet<string> => new Set(text.match(/[\w~-]{8,}/g));

export async function readWhatIsKept(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { home, open, secure } = grounds;
  const { fanvue, discord } = home.town;
  const [first, second] = [await open.stop(), await secure.stop()];
  const log = words([first, second].map(({ stdout, stderr }) => stdout + stderr).join("\n"));
  const database = words(textOf(grounds));
  assert.ok(log.has("answered") && database.size > 0);
  assert.deepEqual([first.code, second.code], [143, 143]);

  const tokens = [...bearersIn(fanvue.requests), ...bearersIn(discord.requests)];
  const sent = [...fanvue.auth.requests, ...discord.requests].flatMap(({ form }) =>
    ["code", "code_verifier", "token", "refresh_token"].flatMap((name) => form.getAll(name)),
  );
  const kinds = {
    "cookies, form tokens, states, codes and personal links": [...grounds.confided],
    "tokens of fans": tokens,
    "codes and verifiers of sign-ins": sent,
  };
  for (const [what, secrets] of Object.entries(kinds))
    for (const [where, kept] of [
      ["log", log],
      ["database", database],
    ] as const)
      await attempt(`${what} in the ${where}`, () => {
        assert.ok(secrets.length > 0);
        const found = secrets.filter((secret) =>
          secret.split(".").some((part) => part.length >= 8 && kept.has(part)),
        );
        return found.length === 0
          ? undefined
          : `${String(found.length)} are there, such as ${String(found[0])}`;
      });
  await attempt("the key of personal links in the log", () => {
    const [row] = home.rows("SELECT value FROM meta WHERE key = 'link_key'");
    assert.ok(typeof row?.["value"] === "string");
    return log.has(row["value"]) ? "is there" : undefined;
  });
  await attempt("logins at Discord that nobody needs", () =>
    discord.world.logins.size === 0 ? undefined : `${String(discord.world.logins.size)} are still good`,
  );
}

/** Tokens of people; those of the creator and of the bot are on record where they belong. */
function bearersIn(requests: readonly Recorded[]): readonly string[] {
  const shown = requests
    .filter(({ path }) => path.endsWith("/users/me") || path.endsWith("/users/@me"))
    .map(({ headers }) => /^Bearer (\S+)$/.exec(headers["authorization"] ?? "")?.[1]);
  return shown.filter((token) => token !== undefined);
}

/** All that is written in any table. */
function textOf({ home }: Grounds): string {
  const tables = home
    .rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .map(({ name }) => String(name));
  return tables.map((table) => JSON.stringify(home.rows(`SELECT * FROM "${table}"`))).join("\n");
}
