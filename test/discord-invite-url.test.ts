/** The address by which the bot is invited. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PermissionFlagsBits } from "discord-api-types/v10";
import type { DiscordConfig } from "../lib/config/shape.ts";
import { inviteUrl } from "../lib/discord/invite-url.ts";
import { parseGuildId } from "../lib/ids.ts";
import type { Place } from "../lib/model.ts";

const applicationId = "123456789012345678";
const token = `${Buffer.from(applicationId).toString("base64")}.secret.secret`;
const guildId = parseGuildId("223456789012345678") ?? assert.fail();
const role: Place = {
  target: "discord",
  id: "323456789012345678",
  rules: [{ kind: "top_spender" }],
  onExpiry: "revoke",
  graceDays: 0,
  strangers: "keep",
  adopt: true,
};

const config = (
  given: Partial<DiscordConfig> & { readonly posts?: boolean } = {},
): DiscordConfig & { readonly posts: boolean } => ({
  posts: false,
  token,
  guildId,
  apiUrl: "https://discord.com/api",
  protectBoosters: false,
  oauth: undefined,
  places: [role],
  autoJoin: { enabled: false, roles: [] },
  ...given,
});
const oauth = (clientId: string): DiscordConfig["oauth"] => ({
  clientId,
  clientSecret: "secret",
  redirectUri: "http://localhost:8080/callback",
  serverHost: "127.0.0.1",
  serverPort: 8080,
});

function permissionsIn(url: string | undefined): readonly string[] {
  const bits = BigInt(new URL(url ?? "none:").searchParams.get("permissions") ?? assert.fail());
  return Object.entries(PermissionFlagsBits).flatMap(([name, bit]) => ((bits & bit) === bit ? [name] : []));
}

describe("the invite address", () => {
  it("is that of the application which the token names, without the rest of the token", () => {
    assert.equal(
      inviteUrl(config()),
      `https://discord.com/oauth2/authorize?client_id=${applicationId}&scope=bot+applications.commands&permissions=268435584&guild_id=${guildId}`,
    );
  });

  it("asks for no permission that the config does not use", () => {
    assert.deepEqual(permissionsIn(inviteUrl(config())), ["ViewAuditLog", "ManageRoles"]);
    assert.deepEqual(permissionsIn(inviteUrl(config({ posts: true }))), [
      "ViewAuditLog",
      "ViewChannel",
      "SendMessages",
      "ManageRoles",
    ]);
    assert.deepEqual(permissionsIn(inviteUrl(config({ places: [role, { ...role, onExpiry: "evict" }] }))), [
      "KickMembers",
      "ViewAuditLog",
      "ManageRoles",
    ]);
    assert.deepEqual(permissionsIn(inviteUrl(config({ autoJoin: { enabled: true, roles: [] } }))), [
      "CreateInstantInvite",
      "ViewAuditLog",
      "ManageRoles",
    ]);
  });

  it("takes the OAuth client id where that is one, and is left out where nothing tells the application", () => {
    const other = "423456789012345678";
    assert.match(inviteUrl(config({ oauth: oauth(other) })) ?? "", new RegExp(`client_id=${other}&`));
    assert.match(
      inviteUrl(config({ oauth: oauth("your_client_id") })) ?? "",
      new RegExp(`client_id=${applicationId}&`),
    );
    assert.equal(inviteUrl(config({ token: "your_bot_token" })), undefined);
  });
});
