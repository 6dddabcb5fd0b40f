/** The ways in which a fan may prove a Fanvue account here: those that the config has on and Fanvue lets us use. */
import type { Config } from "../config/shape.ts";
import type { Database } from "../db.ts";
import type { Fanvue } from "../fanvue/client.ts";
import type { Log } from "../log.ts";
import { openFanvueSignIn } from "./fanvue-sign-in.ts";
import { openInbox } from "./inbox.ts";
import { openInvites } from "./invites.ts";
import { mayWriteToFans, writingRemedy } from "./may-write.ts";
import type { Proofs } from "./proofs.ts";
import { siteAddress } from "./site.ts";

export interface FanvueProofsDeps {
  readonly database: Database;
  /** Where the creator's authorization lies. */
  readonly dataDir: string;
  /** The creator's account, from which codes are sent. */
  readonly fanvue: Pick<Fanvue, "sendMessage">;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface FanvueProofs extends Pick<Proofs, "fanvueSignIn" | "inbox" | "invites"> {
  /** To be awaited before the process ends: resolves when the codes that were promised have gone out. */
  flush(): Promise<void>;
}

/** Warns of what is on but cannot be offered, with what to do. */
export function openFanvueProofs(config: Config, deps: FanvueProofsDeps): FanvueProofs {
  const { link } = config;
  const { database, log } = deps;
  const site = { name: link.name, address: siteAddress(config) };
  const inbox =
    link.inboxCode && mayWriteToFans(config, deps.dataDir) ? openInbox({ ...deps, site }) : undefined;
  if (link.inboxCode && inbox === undefined) log.warn(cannotWrite);
  return {
    fanvueSignIn: link.signIn ? openFanvueSignIn(config, deps) : undefined,
    inbox,
    invites: link.personalLinks ? openInvites(database) : undefined,
    flush: () => inbox?.flush() ?? Promise.resolve(),
  };
}

const cannotWrite = `Codes for the Fanvue inbox are not offered: the authorization may not send messages. ${writingRemedy} Or set link.inbox_code to false.`;
