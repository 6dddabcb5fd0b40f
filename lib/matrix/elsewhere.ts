/** Members of other homeservers. */
import type { Mxid } from "../ids.ts";
import type { Step } from "../model.ts";

export const serverOf = (account: string): string => account.slice(account.indexOf(":") + 1);

/**
 * Whether a step needs another homeserver beside ours: to invite somebody, theirs is asked. Ours may wait minutes for it,
 * and as long lets nobody else into that room, or out of it.
 */
export const needsAnotherServer = ({ verb, account }: Step, bot: Mxid): boolean =>
  verb === "grant" && serverOf(account) !== serverOf(bot);
