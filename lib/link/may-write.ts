/** Whether the creator's authorization lets us write to fans. */
import { dirname, join } from "node:path";
import type { Config } from "../config/shape.ts";
import { messageScopes, missingScopes } from "../fanvue/scopes.ts";
import { loadOldToken, loadToken } from "../fanvue/token.ts";

export const writingRemedy = `Tick ${messageScopes.join(" and ")} on the Fanvue app, then run \`npm run authorize\`.`;

/** False where no account is connected. What was granted is not always on record: then sending will tell. */
export function mayWriteToFans({ path }: Pick<Config, "path">, dataDir: string): boolean {
  const token = loadToken(dataDir) ?? loadOldToken(join(dirname(path), "fanvue_tokens.json"));
  return token !== undefined && missingScopes(token.scopes, messageScopes).length === 0;
}
