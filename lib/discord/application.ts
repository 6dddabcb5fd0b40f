/** The bot's own application, and whether the config's OAuth client is the same one. */
import { z } from "zod";
import type { DiscordConfig } from "../config/shape.ts";
import { type Fetched, fetchShaped } from "./fetch.ts";
import type { DiscordRest } from "./rest.ts";
import { snowflake } from "./shapes.ts";

const applicationShape = z.object({ id: snowflake });

/** https://discord.com/developers/docs/resources/application#get-current-application */
export const fetchApplication = (rest: DiscordRest): Promise<Fetched<z.output<typeof applicationShape>>> =>
  fetchShaped(rest, "/applications/@me", applicationShape);

/**
 * What is wrong where auto-join is on and fans log in at another application than the bot's: Discord brings nobody in with
 * such logins. Undefined where nothing is, or for now nothing can be told.
 */
export async function foreignClient(
  { autoJoin, oauth }: Pick<DiscordConfig, "autoJoin" | "oauth">,
  rest: DiscordRest,
): Promise<string | undefined> {
  if (!autoJoin.enabled || oauth === undefined) return undefined;
  const application = await fetchApplication(rest);
  if (application.is !== "value" || application.value.id === oauth.clientId) return undefined;
  return (
    `discord.oauth_client_id is ${oauth.clientId}, but the bot belongs to the application ${application.value.id}, so nobody ` +
    "is brought into the server: put the client id and secret of that application into the config, from its OAuth2 page at " +
    "https://discord.com/developers/applications. Fans who linked their account until then link it once more."
  );
}
