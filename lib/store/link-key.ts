/** The key with which personal links are signed. What is read here is secret. */
import { randomBytes } from "node:crypto";
import type { Sql } from "../db.ts";
import { loadMeta, saveMeta } from "./meta.ts";

const name = "link_key";
const keyBytes = 32;

/** The key of this database; undefined: nothing has been signed yet. */
export function loadKnownLinkKey(sql: Sql): Buffer | undefined {
  const known = loadMeta(sql, name);
  return known === undefined ? undefined : Buffer.from(known, "base64url");
}

/**
 * The key of this database, made at first use: belongs into a write then. Whoever uses it for another purpose puts that
 * purpose in front of what is hashed, so that nothing made for one can be shown for another.
 */
export function loadLinkKey(sql: Sql): Buffer {
  const known = loadKnownLinkKey(sql);
  if (known !== undefined) return known;
  const made = randomBytes(keyBytes);
  saveMeta(sql, name, made.toString("base64url"));
  return made;
}
