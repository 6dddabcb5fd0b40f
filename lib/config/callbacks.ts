/** Where Fanvue and Discord send people back to after they signed in there. */
import type { Config } from "./shape.ts";

type Calling = Pick<Config, "fanvue" | "discord" | "link">;

/** Where the link pages are returned to, by the address of their site. */
export const callbackAt = (publicUrl: string): string => new URL("/callback", publicUrl).href;

/** The addresses to register on either side, letter for letter. */
export function callbacksOf({ fanvue, discord, link }: Calling): {
  readonly fanvue: readonly string[];
  readonly discord: readonly string[];
} {
  const isSite = link.publicUrl !== undefined && link.signIn;
  const site = isSite ? [callbackAt(link.publicUrl)] : [];
  const oauth = discord?.oauth;
  return {
    fanvue: [...new Set([fanvue.redirectUri, ...site])],
    discord: oauth === undefined ? [] : [oauth.redirectUri],
  };
}

/** The same as a text for people. */
export function describeCallbacks(config: Calling): string {
  const { fanvue, discord } = callbacksOf(config);
  return [
    "Redirect addresses to register, letter for letter:",
    ...fanvue.map((address) => `  on your Fanvue app: ${address}`),
    ...discord.map((address) => `  in Discord's developer portal, under OAuth2: ${address}`),
  ].join("\n");
}
