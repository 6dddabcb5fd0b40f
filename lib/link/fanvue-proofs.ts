/** The ways in which a fan may prove a Fanvue account here: those that the config has on and Fanvue lets us use. */
import type { Config } from "../config/shape.ts";
import type { Database } from "../db.ts";
import type { Fanvue } from "../fanvue/client.ts";
import { sendsCodes } from "../fanvue/scopes.ts";
import type { Log } from "../log.ts";
import { openFanvueSignIn } from "./fanvue-sign-in.ts";
import { type Inbox, openInbox } from "./inbox.ts";
import { openInvites } from "./invites.ts";
import { writingRemedy, type WritingTrouble, writingTrouble } from "./may-write.ts";
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
  /** Resolves once no code is under way any more. */
  idle(): Promise<void>;
}

/** Warns of what is on but cannot be offered, with what to do. */
export function openFanvueProofs(config: Config, deps: FanvueProofsDeps): FanvueProofs {
  const { link } = config;
  const inbox = openInboxWhereItCan(config, deps);
  return {
    fanvueSignIn: link.signIn ? openFanvueSignIn(config, deps) : undefined,
    inbox,
    invites: link.personalLinks ? openInvites(deps.database) : undefined,
    idle: () => inbox?.idle() ?? Promise.resolve(),
  };
}

function openInboxWhereItCan(config: Config, deps: FanvueProofsDeps): Inbox | undefined {
  const { link } = config;
  if (!link.inboxCode) return undefined;
  if (!sendsCodes(link)) {
    deps.log.info(`${notOffered}: they need link.public_url, where fans type them.`);
    return undefined;
  }
  const trouble = writingTrouble(config, deps.dataDir);
  if (trouble !== undefined) {
    deps.log.warn(`${notOffered}: ${reasons[trouble]} Or set link.inbox_code to false.`);
    return undefined;
  }
  return openInbox({ ...deps, site: { name: link.name, address: siteAddress(config) } });
}

const notOffered = "Codes for the Fanvue inbox are not offered";
const reasons: Readonly<Record<WritingTrouble, string>> = {
  "not connected": "no Fanvue account is connected. Run `npm run authorize`, then start link-server again.",
  "not allowed": `the authorization may not send messages. ${writingRemedy} Then start link-server again.`,
};
