/** Keeps secrets out of words that a service said: some repeat what they were sent. */

const hidden = "[secret]";
/** Also one that is not ours, or no longer. */
const anyBearer = /\b(bearer)\s+[\w.~+/=-]{8,}/gi;

/** The text with each of the secrets, and whatever looks like a token, made unreadable. To be done before it is cut short. */
export function scrub(text: string, secrets: Iterable<string>): string {
  // The longest first: one may be the beginning of another.
  const known = [...secrets].filter((secret) => secret !== "").sort((a, b) => b.length - a.length);
  const without = known.reduce((rest, secret) => rest.replaceAll(secret, hidden), text);
  return without.replaceAll(anyBearer, `$1 ${hidden}`);
}
