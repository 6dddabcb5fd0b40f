/**
 * Personal links: whoever opens one has shown which Fanvue account is theirs, since the creator handed it to nobody
 * else. Each is signed, expires, and works once.
 */
import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import { dayMs } from "../durations.ts";
import type { Database, Sql } from "../db.ts";
import { type FanId, parseFanId } from "../ids.ts";
import { type Invite, loadInvite, saveInvite, useInvite } from "../store/link-invites.ts";
import { loadKnownLinkKey, loadLinkKey } from "../store/link-key.ts";
import { nameOfFan } from "./fan-name.ts";
import { failed, type Failure, type InviteProof } from "./proofs.ts";
import { sameSecret, seal } from "./secrets.ts";

const nonceBytes = 16;
const purpose = "invite";

export interface NewInvite {
  readonly fan: FanId;
  /** For how long it is good. */
  readonly days: number;
  /** It goes out in a message, and is on record as being sent. */
  readonly isSent: boolean;
}

export interface MadeInvite {
  /** By which it is on record. */
  readonly nonceHash: string;
  /** A secret. */
  readonly token: string;
  readonly expiresAtMs: number;
}

/** Makes a link and puts it on record; belongs into a write, before anybody sees it. */
export function makeInvite(sql: Sql, { fan, days, isSent }: NewInvite, nowMs: number): MadeInvite {
  const nonce = randomBytes(nonceBytes).toString("base64url");
  const expiresAtMs = nowMs + days * dayMs;
  const nonceHash = hashOf(nonce);
  saveInvite(sql, { nonceHash, fan, expiresAtMs, sent: isSent ? "sending" : undefined }, nowMs);
  const payload = Buffer.from(JSON.stringify({ fan, nonce, expiresAtMs })).toString("base64url");
  return { nonceHash, token: `${payload}.${seal(loadLinkKey(sql), purpose, payload)}`, expiresAtMs };
}

/** Whoever reads the database must not be able to put a link together that is still good. */
const hashOf = (nonce: string): string => createHash("sha256").update(nonce).digest("base64url");

/** The address that a fan opens. */
export const inviteUrl = (publicUrl: string, token: string): string => `${publicUrl}/invite/${token}`;

/** The links of a database, as the pages look at them and use them up. */
export const openInvites = (database: Database, now: () => number = Date.now): InviteProof => ({
  look: (token) =>
    database.read((sql) => {
      const judged = judge(sql, token, now());
      return judged.is === "good" ? { is: "proved", proof: nameOfFan(sql, judged.invite.fan) } : judged;
    }),
  async use(token) {
    // Looked at first, since a write costs much, and anybody may make links up.
    const looked = await database.read((sql) => judge(sql, token, now()));
    if (looked.is !== "good") return looked;
    return database.write((sql) => {
      const judged = judge(sql, token, now());
      if (judged.is !== "good") return judged;
      const { nonceHash, fan } = judged.invite;
      if (!useInvite(sql, nonceHash, now())) return failed("expired");
      return { is: "proved", proof: { ...nameOfFan(sql, fan), how: "invite" } };
    });
  },
});

type Judged =
  { readonly is: "good"; readonly invite: Invite } | { readonly is: "failed"; readonly failure: Failure };

/** One that was never made here, or was changed on its way, is like one that is too old. */
function judge(sql: Sql, token: string, nowMs: number): Judged {
  const claims = claimsIn(token, loadKnownLinkKey(sql));
  const invite = claims && loadInvite(sql, hashOf(claims.nonce));
  if (invite === undefined || invite.fan !== claims?.fan) return failed("expired");
  if (invite.usedAtMs !== undefined) return failed("used invite");
  return Math.min(invite.expiresAtMs, claims.expiresAtMs) <= nowMs
    ? failed("expired")
    : { is: "good", invite };
}

// ---- Tokens -----------------------------------------------------------------------------------------------------

const claimsShape = z.object({
  fan: z.string().transform((text) => parseFanId(text)),
  nonce: z.string(),
  expiresAtMs: z.number(),
});

/** What a token says; undefined unless we signed it. */
function claimsIn(token: string, key: Buffer | undefined): z.output<typeof claimsShape> | undefined {
  const [payload = "", signature = "", ...more] = token.split(".");
  if (key === undefined || more.length > 0 || !sameSecret(signature, seal(key, purpose, payload)))
    return undefined;
  // Only what this program wrote comes so far.
  return claimsShape.parse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")));
}
