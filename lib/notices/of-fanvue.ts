/** What a script that has asked Fanvue knows of the access to it. */
import type { Config } from "../config/shape.ts";
import { AccessError } from "../errors.ts";
import type { Fanvue } from "../fanvue/client.ts";
import { missingScopes, scopesFor } from "../fanvue/scopes.ts";
import { loadToken } from "../fanvue/token.ts";
import type { Seen } from "./judge.ts";
import { tellOwner, type TellOptions } from "./tell-owner.ts";
import { troubleOfAccess, troubleOfScopes } from "./troubles.ts";

/** Where Fanvue has answered, the access is in order, but for what the config needs beside it. */
export function seenOfFanvue(
  { config, dataDir }: { readonly config: Config; readonly dataDir: string },
  fanvue: Pick<Fanvue, "clockSkewMs">,
): Seen {
  const missing = missingScopes(loadToken(dataDir)?.scopes, scopesFor(config));
  return {
    troubles: troubleOfScopes(missing),
    whole: new Set(fanvue.clockSkewMs() === undefined ? [] : ["fanvue"]),
  };
}

/** Does what reads Fanvue alone, and tells the owner where the access to it has ended, or is in order again. */
export async function tellingOfFanvue<T>(
  read: () => Promise<T>,
  options: TellOptions & {
    readonly config: Config;
    readonly dataDir: string;
    readonly fanvue: Pick<Fanvue, "clockSkewMs">;
  },
): Promise<T> {
  try {
    const value = await read();
    await tellOwner(seenOfFanvue(options, options.fanvue), options);
    return value;
  } catch (error) {
    if (error instanceof AccessError)
      await tellOwner({ troubles: [troubleOfAccess(error)], whole: new Set() }, options);
    throw error;
  }
}
