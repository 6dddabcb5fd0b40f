/** Makes a personal link for one fan, for the creator to hand out. */
import type { Config } from "../config/shape.ts";
import { BadInputError } from "../errors.ts";
import { nameOfFan } from "../link/fan-name.ts";
import { inviteUrl, makeInvite } from "../link/invites.ts";
import { plainText } from "../plain-text.ts";
import { dayOf } from "../rules.ts";
import type { InviteRequest } from "./invite-request.ts";
import { type Answer, type Office, refuseBlockedFan } from "./office.ts";
import { findSavedFan } from "./saved-fans.ts";

/** Throws a BadInputError when there is no such fan, or the config has no pages that a link could lead to. */
export async function inviteOne(
  { fan: asked, days }: Extract<InviteRequest, { to: "fan" }>,
  config: Pick<Config, "path" | "link">,
  { database, nowMs, json }: Office,
): Promise<Answer> {
  const publicUrl = publicUrlOf(config);
  return database.write((sql) => {
    const fan = typeof asked === "string" ? asked : findSavedFan(sql, asked.handle, nowMs);
    refuseBlockedFan(sql, fan);
    const { handle, displayName } = nameOfFan(sql, fan);
    const { token, expiresAtMs } = makeInvite(sql, { fan, days, isSent: false }, nowMs);
    const url = inviteUrl(publicUrl, token);
    const document = { url, fan, handle, displayName, expiresAtMs };
    const text = [
      url,
      "",
      `For ${handle === fan ? "" : `@${plainText(handle)} (${plainText(displayName)}), `}fan ${fan}. It works once, until ${dayOf(expiresAtMs)}.`,
      "Whoever opens it is taken for this fan: send it to nobody else.",
    ].join("\n");
    return { text: json ? JSON.stringify(document, undefined, 2) : text, warnings: [] };
  });
}

/** Where fans reach the pages. Throws a BadInputError when nobody can, or when they take no personal links. */
export function publicUrlOf({ path, link }: Pick<Config, "path" | "link">): string {
  if (!link.personalLinks) {
    throw new BadInputError(
      `${path}: link.personal_links is false, so the link pages take no personal links.`,
      "Set it to true, or leave it out.",
    );
  }
  if (link.publicUrl !== undefined) return link.publicUrl;
  throw new BadInputError(
    `${path}: link.public_url is missing, so a personal link would lead nowhere.`,
    "Set it to the address at which fans reach the link pages, such as https://link.example.org.",
  );
}
