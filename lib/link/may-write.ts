/** Whether the creator's authorization lets us write to fans. */
import { dirname, join } from "node:path";
import type { Config } from "../config/shape.ts";
import { messageScopes, missingScopes } from "../fanvue/scopes.ts";
import { loadOldToken, loadToken } from "../fanvue/token.ts";

export const writingRemedy = `Tick ${messageScopes.join(" and ")} on the Fanvue app, then run \`npm run authorize\`.`;

/** Why messages cannot go out. */
export type WritingTrouble = "not connected" | "not allowed";

/** Undefined where they can. What was granted is not always on record: then sending will tell. */
export function writingTrouble({ path }: Pick<Config, "path">, dataDir: string): WritingTrouble | undefined {
  const token = loadToken(dataDir) ?? loadOldToken(join(dirname(path), "fanvue_tokens.json"));
  if (token === undefined) return "not connected";
  return missingScopes(token.scopes, messageScopes).length === 0 ? undefined : "not allowed";
}

/** False where no account is connected, too. */
export const mayWriteToFans = (config: Pick<Config, "path">, dataDir: string): boolean =>
  writingTrouble(config, dataDir) === undefined;
