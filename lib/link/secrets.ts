/** Random secrets, seals over them, and the comparison that tells nothing by its time. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** Gives so many random bytes. */
export type Random = (bytes: number) => Buffer;

const secretBytes = 32;

/** 256 random bits, as text for cookies, forms and addresses. */
export const randomSecret = (random: Random = randomBytes): string =>
  random(secretBytes).toString("base64url");

/** A text that only the holder of the key can make for this purpose and subject. */
export const seal = (key: Buffer, purpose: string, subject: string): string =>
  createHmac("sha256", key).update(`${purpose}:${subject}`).digest("base64url");

/** Whether two secrets are the same, in a time that depends on neither. */
export function sameSecret(a: string, b: string): boolean {
  // Hashed, for timingSafeEqual wants equal lengths, and to refuse early would tell the length.
  const [left, right] = [a, b].map((text) => createHash("sha256").update(text).digest());
  return left !== undefined && right !== undefined && timingSafeEqual(left, right);
}
