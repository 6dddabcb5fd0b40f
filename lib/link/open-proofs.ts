/** All ways to prove an account that the config has on and the services let us use. */
import type { Config } from "../config/shape.ts";
import { BadInputError } from "../errors.ts";
import { openDiscordSignIn } from "./discord-sign-in.ts";
import { type FanvueProofsDeps, openFanvueProofs } from "./fanvue-proofs.ts";
import { openMatrixCodes } from "./matrix-code.ts";
import type { Proofs } from "./proofs.ts";
import { siteAddress } from "./site.ts";

export interface OpenProofs {
  readonly proofs: Proofs;
  /** To be awaited before the process ends: resolves once nothing is under way any more. */
  readonly idle: () => Promise<void>;
}

/** Throws a BadInputError where nobody could link anything. */
export function openProofs(config: Config, deps: FanvueProofsDeps): OpenProofs {
  const { discord, matrix, link } = config;
  const site = { name: link.name, address: siteAddress(config) };
  const discordSignIn = discord && openDiscordSignIn(discord, deps);
  if (discordSignIn === undefined && matrix === undefined) throw nothingToLink(config);

  const fanvue = openFanvueProofs(config, deps);
  const { fanvueSignIn, inbox, invites } = fanvue;
  if ((fanvueSignIn ?? inbox ?? invites) === undefined) throw noWayIn(config);
  const codes = matrix && openMatrixCodes(matrix, { ...deps, site });
  return {
    proofs: { fanvueSignIn, inbox, invites, discord: discordSignIn, matrix: codes },
    idle: async () => {
      await Promise.all([fanvue.idle(), codes?.idle()]);
    },
  };
}

const nothingToLink = ({ path }: Config): BadInputError =>
  new BadInputError(
    `${path}: fans could connect nothing: there is no matrix section, and no discord section with the oauth_… keys.`,
    "Add discord.oauth_client_id, oauth_client_secret and oauth_redirect_uri, or a matrix section.",
  );

const noWayIn = ({ path }: Config): BadInputError =>
  new BadInputError(
    `${path}: fans could not show which Fanvue account is theirs: every way in link is off or not possible.`,
    "Set link.sign_in to true.",
  );
